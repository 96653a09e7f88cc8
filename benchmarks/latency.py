"""Latency: import, compiling, first fits, fits of small data."""

import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
from sklearn.datasets import load_iris
from sklearn.mixture import GaussianMixture as ScikitLearnMixture

from benchmarks.cases import random_rows
from benchmarks.fresh import MODULES, probe
from benchmarks.packages import GMMFAST, SCIKIT_LEARN, quietly
from benchmarks.tables import Goal, against, aim, milliseconds, number, spread, table
from benchmarks.timing import Plan, Spread, in_turn, ratios, spread_of
from gmmfast import GaussianMixture, GaussianMixtureIC
from gmmfast.rows import memory, trials

Seconds = dict[str, dict[str, list[float]]]  # by task and package, one per repetition

IMPORT = "import"
COLD = "first fit ever, which compiles"
SELECT_FOUR = "first `gmmfast select` ever, four models"
SELECT = "first `gmmfast select` ever, fourteen models"
WARMUP = "`gmmfast warmup`"
CACHED = "first fit in a new process"
CACHED_SMALL = "first fit in a new process, 150 rows"
IRIS = "fit iris, K=3"
GIVEN = "ten iterations on iris from a given start"
CANDIDATE = "a candidate of a search of iris, outside its passes"
ONE_ROW = "score_samples of one row of iris"
LIMITS = {  # seconds
    IMPORT: 0.8,
    COLD: 6.0,
    SELECT_FOUR: 12.0,
    SELECT: 25.0,
    WARMUP: 60.0,
    CACHED: 0.5,
    IRIS: 2e-3,
    CANDIDATE: 60e-6,
    ONE_ROW: 30e-6,
}
TARGETS = {IRIS: 20.0, GIVEN: 25.0}  # times as fast as scikit-learn
CUSTOMERS = ("select", "--example", "customers")
COMMANDS = {
    SELECT_FOUR: (*CUSTOMERS, "--covariance", "full,tied,diag,spherical"),
    SELECT: CUSTOMERS,
    WARMUP: ("warmup",),
}
QUICK_COMMANDS = {SELECT_FOUR: (*CUSTOMERS, "--covariance", "full", "-k", "2")}
COMPILED = ((memory, "iterate"), (trials, "seek_start"))  # kernels of passes over few rows
SLOWEST = 12  # kernels listed separately
KERNEL_LIMITS = {  # seconds of SELECT, in all versions of a kernel, without the kernels it calls
    "anderson.extrapolate": 4.0,
    "anderson.leap_ahead": 1.5,
    "anderson.remember": 1.5,
    "loop.iterate": 1.5,
    "trials.seek_start": 1.5,
    "expectation.em_shards": 1.0,
    "expectation.em_shard": 1.0,
    "expectation.add_tile": 1.0,
    "evaluation.evaluate_shards": 1.0,
    "maximization.maximize": 1.0,
}


@dataclass(frozen=True)
class Latency:
    """Seconds of each task, and of compiling."""

    seconds: Seconds
    kernels: dict[str, dict[str, float]]  # by command: seconds of compiling, by kernel


def measure(plan: Plan) -> Latency:
    """Return the seconds of each task by package, one value per repetition."""
    found: Seconds = {IMPORT: {}, COLD: {}}
    commands = QUICK_COMMANDS if plan.quick else COMMANDS
    kernels = {}
    for what, command in commands.items():
        with tempfile.TemporaryDirectory() as cache:
            cold = probe("command", *command, cache=cache)
        found[what], kernels[what] = {GMMFAST: [cold["seconds"]]}, cold["kernels"]
    found |= {CACHED: {}, CACHED_SMALL: {}}
    for _ in range(plan.cold):
        for name, what, seconds in _first_fits():
            found[what].setdefault(name, []).append(seconds)
    with quietly():
        found |= _iris(plan)
    for what, by_package in found.items():
        print("  ".join(_row(what, by_package)), file=sys.stderr, flush=True)
    return Latency(found, kernels)


def _first_fits() -> Iterator[tuple[str, str, float]]:
    """Time first fits: with an empty cache, with a filled one, and by the rival."""
    with tempfile.TemporaryDirectory() as cache:
        ours = partial(probe, "first_fit", MODULES[GMMFAST], cache=cache)
        yield GMMFAST, COLD, ours("large")["fit"]
        ours("small")  # compiles what only one thread needs
        for what, example in ((CACHED, "large"), (CACHED_SMALL, "small")):
            rivals = probe("first_fit", MODULES[SCIKIT_LEARN], example)
            for name, found in ((GMMFAST, ours(example)), (SCIKIT_LEARN, rivals)):
                yield name, what, found["fit"]
                yield name, IMPORT, found["import"]


def _iris(plan: Plan) -> Seconds:
    X = load_iris().data
    mixtures: dict[str, Callable[..., Any]] = {
        GMMFAST: GaussianMixture,
        SCIKIT_LEARN: ScikitLearnMixture,
    }
    start = random_rows(X, 3, "full", 1e-6).keywords(10)
    fits = {name: m(3, random_state=0) for name, m in mixtures.items()}
    given = {name: m(**start) for name, m in mixtures.items()}
    tasks = {
        IRIS: {name: partial(m.fit, X) for name, m in fits.items()},
        GIVEN: {name: partial(m.fit, X) for name, m in given.items()},
        "predict_proba of iris": {name: partial(m.predict_proba, X) for name, m in fits.items()},
        ONE_ROW: {name: partial(m.score_samples, X[:1]) for name, m in fits.items()},
    }
    for by_package in tasks.values():
        for task in by_package.values():
            task()  # compiles, and fits the mixture for predict_proba
    often = Plan(10 * plan.least, 10 * plan.least, 0.0)
    found = {what: in_turn(by_package, often) for what, by_package in tasks.items()}
    searches = [_candidate(X) for _ in range(1 + often.least)]
    return found | {CANDIDATE: {GMMFAST: searches[1:]}}  # the first may have compiled


class Clock:
    """A kernel that counts the seconds of its calls."""

    def __init__(self, kernel: Any) -> None:
        self._kernel, self.seconds = kernel, 0.0

    def __call__(self, *arguments: Any) -> Any:
        begin = time.perf_counter()
        try:
            return self._kernel(*arguments)
        finally:
            self.seconds += time.perf_counter() - begin

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernel, name)


def _candidate(X: np.ndarray) -> float:
    """Seconds per candidate of a default search in one thread, without compiled passes."""
    with ExitStack() as patches:
        clocks = [Clock(getattr(module, name)) for module, name in COMPILED]
        for (module, name), clock in zip(COMPILED, clocks, strict=True):
            patches.enter_context(mock.patch.object(module, name, clock))
        search = GaussianMixtureIC(random_state=0, n_jobs=1)
        begin = time.perf_counter()
        search.fit(X)
        seconds = time.perf_counter() - begin
    return (seconds - sum(clock.seconds for clock in clocks)) / len(search.results_)


def goals(results: Latency) -> list[Goal]:
    """Return limits of seconds, target ratios, and limits of compiling the slowest kernels."""
    seconds = results.seconds
    limits = {what: limit for what, limit in LIMITS.items() if what in seconds}
    times = {what: spread_of(seconds[what][GMMFAST]).median for what in limits}
    found = [Goal(what, times[what], limit, True, "s") for what, limit in limits.items()]
    for what, target in TARGETS.items():
        ratio = ratios(seconds[what][SCIKIT_LEARN], seconds[what][GMMFAST]).median
        found.append(Goal(f"{what}: {SCIKIT_LEARN} / {GMMFAST}", ratio, target))
    for name, limit in KERNEL_LIMITS.items() if SELECT in results.kernels else ():
        compiled = results.kernels[SELECT].get(name, math.nan)  # not met: the kernel was renamed
        found.append(Goal(f"compiling `{name}`", compiled, limit, True, "s"))
    return found


def section(results: Latency) -> str:
    """Return the tables."""
    header = ["what", "gmmfast", "limit", SCIKIT_LEARN, f"{SCIKIT_LEARN} / gmmfast", "target"]
    rows = [_row(what, by_package) for what, by_package in results.seconds.items()]
    return "\n\n".join([table(header, rows), "### Compiling", COMPILING, _kernels(results)])


COMPILING = f"""\
Seconds of compiling by kernel, in the processes that start with an empty cache: all versions of
the kernel, without the kernels that it calls. The {SLOWEST} slowest are listed."""


def _kernels(results: Latency) -> str:
    by_command = results.kernels
    names = {name for kernels in by_command.values() for name in kernels}
    longest = {name: max(own.get(name, 0.0) for own in by_command.values()) for name in names}
    slowest = sorted(names, key=lambda name: (-longest[name], name))[:SLOWEST]
    rows = [["all", *(number(sum(own.values())) for own in by_command.values()), ""]]
    for name in slowest:
        cells = [number(own[name]) if name in own else "-" for own in by_command.values()]
        limit = f"{KERNEL_LIMITS[name]:g}" if name in KERNEL_LIMITS else ""
        rows.append([f"`{name}`", *cells, limit])
    return table(["kernel", *by_command, "limit, fourteen models"], rows)


def _row(what: str, by_package: dict[str, list[float]]) -> list[str]:
    limit = f"{LIMITS[what]:g} s" if what in LIMITS else ""
    row = [what, _time(spread_of(by_package[GMMFAST])), limit]
    if SCIKIT_LEARN not in by_package:
        return [*row, "", "", ""]
    rival = by_package[SCIKIT_LEARN]
    ratio = against(ratios(rival, by_package[GMMFAST]))
    return [*row, _time(spread_of(rival)), ratio, aim(TARGETS.get(what))]


def _time(seconds: Spread) -> str:
    if seconds.median < 0.1:
        return f"{milliseconds(seconds)} ms"
    return f"{spread(seconds)} s"
