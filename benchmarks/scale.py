"""Larger than memory and than one machine; writes docs/scaling.md: ``python -m benchmarks.scale``.

Takes some minutes, 10 GB of memory, 2 GB of disk, and for Spark pyspark and Java.
"""

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import cluster, machine, spark, streams
from benchmarks.cases import Case, typical_start
from benchmarks.fresh import ROOT, probe
from benchmarks.packages import Start, quietly
from benchmarks.tables import Goal, against, milliseconds, number, spread, table
from benchmarks.timing import Plan, Spread, in_turn, ratios, spread_of
from gmmfast import GaussianMixture, chunks
from gmmfast.models import MODELS
from gmmfast.rows import ChunkRows, MemoryRows, open_rows

Array = NDArray[Any]
Times = dict[str, list[float]]

CASE = Case("", 5_000_000, 10, 10, 0, 0)
SIZES = (2_500_000, 5_000_000, 10_000_000, 20_000_000)  # x 8, float32
WIDTH, COMPONENTS = 8, 10
PARTITIONS = (2, 4, 8)
TASK_COUNTS = (2, 8, 16, 32, 64)
OFTEN = Plan(least=7, most=15, seconds=20.0)
SPARK_ITERATIONS = (2, 7)
ROUNDS = 3  # of Spark and gmmfast
MB = 1e6

# of the derivation
ROWS = 1_000_000_000
TASK_BYTES = 256e6
WORKERS = (10, 100, 1000)
NETWORK = 1e9  # bytes per second into one worker: assumed, 10 Gbit/s
FAN_IN = 8

MEMORY, DENSE, SORTED = "memory, pruned", "memory, dense", "memory, by component"
NPY, NPY_SORTED, PARQUET = "file, as it is", "file, by component", "Parquet, by component"


@dataclass(frozen=True)
class SparkRace:
    """Spark against gmmfast from Spark's start."""

    rows: str
    theirs: Spread  # seconds per iteration
    ours: Spread
    ratio: Spread  # of the two, round by round
    log_likelihoods: tuple[float, float]


@dataclass(frozen=True)
class Results:
    """Everything that was measured."""

    case: Case
    out_of_core: Times
    peaks: dict[str, float]  # bytes above the interpreter
    growth: dict[int, list[float]]
    dask: Times
    race: SparkRace | None
    one_thread: float  # seconds per row, packed and sorted
    tasks: dict[int, float]
    sums: dict[tuple[int, int], int]
    streams: list[streams.Streamed]


def measure(folder: Path, quick: bool) -> Results:
    case = replace(CASE, n=100_000) if quick else CASE
    sizes = [n // 100 for n in SIZES] if quick else list(SIZES)
    X = case.data()
    np.save(folder / "rows.npy", X)
    _write_parquet(X, folder / "rows.parquet")
    start = typical_start(X[:: max(1, len(X) // 200_000)].copy(), case, "full")
    times = _out_of_core(X, folder, start)
    _say("out of core", times)
    growth, peaks = _growth(folder, sizes)
    _say("growth", growth)
    path = str(folder / "rows.npy")
    peaks[f"{case.n:,} x {case.d} float64"] = _peak(path, case.n_components)
    model, parameters, rows = _prepared(X, start, n_jobs=1)
    one = in_turn({"": partial(rows.expectation, parameters, model.scatter)}, OFTEN)[""]
    del rows
    with cluster.two_processes():
        dask = _on_dask(X, path, start)
        _say("Dask", dask)
        tasks = cluster.seconds_by_tasks(TASK_COUNTS)
    race = _race(folder, X) if spark.is_there() else None
    sums = {shape: cluster.bytes_of_sums(*shape) for shape in ((10, 10), (100, 64))}
    one_thread = spread_of(one).median / case.n
    streamed = streams.measure(quick)
    return Results(case, times, peaks, growth, dask, race, one_thread, tasks, sums, streamed)


def _say(what: str, found: Any) -> None:
    print(what, found, file=sys.stderr, flush=True)


def _write_parquet(X: Array, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {f"c{j}": X[:, j] for j in range(X.shape[1])}
    pq.write_table(pa.table(columns), path, compression="none", row_group_size=1 << 17)


def _prepared(X: Array, start: Start, n_jobs: int | None = None) -> tuple[Any, Any, MemoryRows]:
    """Model, parameters and sorted rows of a pass."""
    rows, model = MemoryRows(X, n_jobs=n_jobs), MODELS["full"](start.reg_covar)
    parameters = model.parameters(start.weights, start.means - rows.center, start.covariances)
    rows = rows.arranged_for(parameters)
    rows.expectation(parameters, model.scatter)
    return model, parameters, rows


def _out_of_core(X: Array, folder: Path, start: Start) -> Times:
    """E steps over the same rows from the same parameters, in memory and from files."""
    model, parameters, in_order = _prepared(X, start)
    as_it_is = MemoryRows(X)
    npy = ChunkRows(chunks(folder / "rows.npy"))
    parquet = ChunkRows(chunks(folder / "rows.parquet"))
    all_rows = {
        MEMORY: as_it_is,
        SORTED: in_order,
        NPY: npy,
        NPY_SORTED: npy.arranged_for(parameters),
        PARQUET: parquet.arranged_for(parameters),
    }
    tasks = {
        name: partial(rows.expectation, parameters, model.scatter)
        for name, rows in all_rows.items()
    }
    dense = parameters, model.scatter, as_it_is.hints(), -math.inf, parameters.means
    tasks[DENSE] = partial(as_it_is.sums, *dense)
    found = {name: task() for name, task in tasks.items()}
    for name, statistics in found.items():
        _require_same(name, statistics.log_likelihood, found[DENSE].log_likelihood)
    return in_turn(tasks, OFTEN)


def _require_same(name: str, found: float, expected: float, within: float = 1e-10) -> None:
    if not math.isclose(found, expected, rel_tol=within):
        raise RuntimeError(f"{name} found the log-likelihood {found}, not {expected}")


def _growth(folder: Path, sizes: list[int]) -> tuple[dict[int, list[float]], dict[str, float]]:
    """Seconds of E steps over files of these sizes, in turn, and peak memory of their fits."""
    paths = {n: folder / f"single-{n}.npy" for n in sizes}
    means = 3 * np.random.default_rng(0).standard_normal((COMPONENTS, WIDTH))
    for n, path in paths.items():
        _write_single(path, n, means)
    os.sync()
    steps = {}
    for n, path in paths.items():
        source, model = ChunkRows(chunks(path)), MODELS["full"](1e-6)
        parameters = model.parameters(
            np.full(COMPONENTS, 1 / COMPONENTS),
            means - source.center,
            np.repeat(np.eye(WIDTH)[None], COMPONENTS, axis=0),
        )
        source = source.arranged_for(parameters)
        steps[n] = partial(source.expectation, parameters, model.scatter)
        steps[n]()
    peaks = {f"{n:,} x {WIDTH} float32": _peak(str(path), COMPONENTS) for n, path in paths.items()}
    return in_turn(steps, OFTEN), peaks


def _write_single(path: Path, n: int, means: Array) -> None:
    """Write rows of a mixture in float32, a part at a time."""
    rng = np.random.default_rng(1)
    rows = np.lib.format.open_memmap(path, "w+", dtype=np.float32, shape=(n, WIDTH))
    for begin in range(0, n, 1 << 20):
        part = rows[begin : begin + (1 << 20)]
        noise = rng.standard_normal(part.shape, dtype=np.float32)
        part[:] = means[rng.integers(0, COMPONENTS, len(part))] + noise
    rows.flush()


def _peak(path: str, n_components: int) -> float:
    return probe("file_memory", path, str(n_components))["fit"]


def _on_dask(X: Array, path: str, start: Start) -> Times:
    model, parameters, in_memory = _prepared(X, start)
    tasks = {SORTED: partial(in_memory.expectation, parameters, model.scatter)}
    expected = tasks[SORTED]().log_likelihood
    for count in PARTITIONS:
        data = cluster.in_partitions(path, X.shape, count)
        rows, _ = open_rows(data, None, name="", n_jobs=None)
        own = replace(parameters, means=start.means - rows.center)
        rows = rows.arranged_for(own)
        step = tasks[f"Dask, {count} partitions"] = partial(rows.expectation, own, model.scatter)
        _require_same(f"Dask, {count} partitions", step().log_likelihood, expected)
    return in_turn(tasks, OFTEN)


def _race(folder: Path, X: Array) -> SparkRace:
    """Iterations of both from the start that Spark draws, in turn."""
    with spark.session() as session, quietly():
        vectors = spark.load(session, str(folder / "rows.parquet"))
        begin = spark.fit(vectors, CASE.n_components, 0)
        settings = {
            "n_components": CASE.n_components,
            "reg_covar": 0.0,
            "tol": 0.0,
            "weights_init": begin.weights,
            "means_init": begin.means,
            "precisions_init": np.linalg.inv(begin.covariances),
        }
        rounds = [(_of_spark(vectors), _of_ours(X, settings)) for _ in range(ROUNDS)]
    theirs, ours = ([one[side][0] for one in rounds] for side in (0, 1))
    bounds = (rounds[0][0][1] / len(X), rounds[0][1][1])
    _say("Spark", (theirs, ours, bounds))
    rows = f"{len(X):,} x {X.shape[1]}"
    return SparkRace(rows, spread_of(theirs), spread_of(ours), ratios(theirs, ours), bounds)


def _of_spark(vectors: Any) -> tuple[float, float]:
    """Seconds per iteration of Spark, from the difference of two fits; the log-likelihood."""
    few, many = SPARK_ITERATIONS
    short, long = (spark.fit(vectors, CASE.n_components, n) for n in (few, many))
    return (long.seconds - short.seconds) / (many - few), long.log_likelihood


def _of_ours(X: Array, settings: dict[str, Any]) -> tuple[float, float]:
    """Seconds per iteration, over the iterations timed for Spark; the lower bound."""
    few, many = SPARK_ITERATIONS
    ends: list[float] = []
    fitted = GaussianMixture(max_iter=many, **settings).fit(
        X, callback=lambda iteration, _: ends.append(time.perf_counter())
    )
    return (ends[many - 1] - ends[few - 1]) / (many - few), fitted.lower_bound_


# ------------------------------------------------------------------------------------- the page


def goals(results: Results) -> list[Goal]:
    times, growth = results.out_of_core, results.growth
    least = min(growth)
    a_row = [ratios(growth[n], growth[least]).median * least / n for n in growth if n > least]
    dask = [ratios(own, results.dask[SORTED]).median for name, own in results.dask.items()
            if name != SORTED]  # fmt: skip
    found = [
        Goal("file as it is / memory, pruned", ratios(times[NPY], times[MEMORY]).median, 1.3, True),
        Goal("file as it is / memory, dense", ratios(times[NPY], times[DENSE]).median, 1.3, True),
        Goal(
            "file by component / memory, pruned",
            ratios(times[NPY_SORTED], times[MEMORY]).median, 1.3, True,
        ),
        *[
            Goal(f"peak memory of {name}", peak / MB, 300, True, "MB")
            for name, peak in results.peaks.items()
        ],
        Goal("time per row, any size / the smallest", max(a_row), 1.15, True),
        Goal("Dask, two processes / memory, two threads", min(dask), 1.4, True),
    ]  # fmt: skip
    if results.race is not None:
        found.append(Goal("Spark MLlib / gmmfast, per iteration", results.race.ratio.median, 40))
    return found + [one.goal() for one in results.streams]


def derived(results: Results) -> str:
    """Return the table of the derived times for each number of workers."""
    counts = list(results.tasks)
    per_task, base = np.polyfit(counts, [results.tasks[c] for c in counts], 1)
    rows = []
    for K, d in results.sums:
        # passes of full covariances take time in proportion to K d (d + 1), at most
        size = K * d * (d + 1) / (results.case.n_components * results.case.d * (results.case.d + 1))
        a_row = results.one_thread * size
        tasks = math.ceil(ROWS * 8 * d / TASK_BYTES)
        levels = math.ceil(math.log(tasks, FAN_IN))
        for workers in WORKERS:
            turns = math.ceil(tasks / workers)
            compute = turns * ROWS / tasks * a_row
            schedule = base + per_task * tasks * (1 + 1 / FAN_IN)
            reduce = levels * FAN_IN * results.sums[K, d] / NETWORK
            total = max(compute, schedule) + reduce
            ideal = ROWS * a_row / total / workers
            rows.append([
                f"K={K}, d={d}", f"{workers:,}", f"{tasks:,}", number(compute), number(schedule),
                number(reduce), number(total), f"{100 * ideal:.0f} %",
            ])  # fmt: skip
    header = [
        "mixture", "workers", "tasks", "computing, s", "scheduling, s", "reduction, s",
        "iteration, s", "of the ideal",
    ]  # fmt: skip
    return table(header, rows)


def _times(times: Times, reference: str) -> str:
    rows = [
        [name, milliseconds(spread_of(seconds)), against(ratios(seconds, times[reference]))]
        for name, seconds in times.items()
    ]
    return table(["rows", "ms per pass", f"times {reference}"], rows)


def _grown(results: Results) -> str:
    rows = []
    for n, seconds in results.growth.items():
        own = spread_of(seconds)
        per_row = Spread(*(1e9 * value / n for value in (own.median, own.low, own.high)))
        rows.append([f"{n:,}", milliseconds(own), spread(per_row)])
    return table(["rows", "ms per pass", "ns per row"], rows)


def _raced(race: SparkRace | None) -> str:
    if race is None:
        return "Spark was not installed when this page was written."
    theirs, ours = race.log_likelihoods
    rows = [
        ["Spark MLlib", spread(race.theirs), f"{theirs:.6f}"],
        ["gmmfast", spread(race.ours), f"{ours:.6f}"],
    ]
    lines = table([race.rows, "s per iteration", "mean log-likelihood"], rows)
    return f"{lines}\n\nSpark takes {against(race.ratio)} times as long, round by round."


PAGE = Path(__file__).with_name("scale.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to test the page")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "scaling.md")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder), options.quick)
    targets = goals(results)
    page = PAGE.read_text().format(
        machine=machine.section(),
        met=f"{sum(goal.met for goal in targets)} of {len(targets)} are met.",
        goals=table(["what", "reached", "target", "met"], [goal.cells() for goal in targets]),
        out_of_core=_times(results.out_of_core, MEMORY),
        case=results.case.title(),
        growth=_grown(results),
        dask=_times(results.dask, SORTED),
        race=_raced(results.race),
        one_thread=number(1e9 * results.one_thread),
        tasks=table(
            ["tasks per pass", "ms"],
            [[str(count), number(1e3 * seconds)] for count, seconds in results.tasks.items()],
        ),
        sums=", ".join(
            f"{number(size / 1e3)} kB at K={K}, d={d}" for (K, d), size in results.sums.items()
        ),
        derived=derived(results),
        streams=streams.section(results.streams),
    )
    options.out.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
