"""Distance from the processor's limit: unpruned passes against OpenBLAS and `exp` alone."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
from numba import get_num_threads, prange

from benchmarks.cases import CASES, Case, generated, random_rows
from benchmarks.tables import Goal, milliseconds, number, table
from benchmarks.timing import Plan, in_turn, spread_of
from gmmfast.kernels.compiling import kernel, parallel_kernel
from gmmfast.kernels.separation import no_separation
from gmmfast.kernels.simd import exp, lanes, load, store
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows
from gmmfast.rows.evaluation import responsibilities_of

TARGET = 75.0  # percent of dgemm,
FEATURES = 32  # from this many on
SHAPES = CASES[1:6]
SPREAD = 0.3  # of the means: components overlap, so that each contributes to every tile
ORDER = 2000  # of the matrices that dgemm multiplies
BLOCK = 4096  # values that a thread calls exp of at a time: they stay in its cache
OFTEN = 10  # times as many are timed, so that waking threads is negligible


@dataclass(frozen=True)
class Limit:
    """Seconds of passes over a case, and of the references."""

    case: Case
    dense: list[float]  # passes without pruning
    dgemm: list[float]  # ORDER cubed multiplications and additions
    exps: list[float]  # OFTEN for each row and component

    def operations(self) -> float:
        """Additions and multiplications of two triangles for each row and component."""
        d = self.case.d
        return 2 * d * (d + 1) * self.case.n * self.case.n_components

    def speed(self) -> float:
        """Operations per second of a pass without pruning."""
        return self.operations() / spread_of(self.dense).median

    def dgemm_speed(self) -> float:
        return 2 * ORDER**3 / spread_of(self.dgemm).median

    def share_of_dgemm(self) -> float:
        return 100 * self.speed() / self.dgemm_speed()

    def share_of_exp(self) -> float:
        return 100 * spread_of(self.exps).median / OFTEN / spread_of(self.dense).median


@kernel
def _exp_block(x, y):
    for p in range(0, BLOCK, lanes(x)):
        store(y, (p,), exp(load(x, (p,))))


@parallel_kernel
def _exp_blocks(threads, blocks, x, y):
    for t in prange(threads):
        for _ in range(blocks):
            _exp_block(x[t], y[t])


def _exps(count: int) -> Callable[[], Any]:
    """Return a task that calls `exp` `count` times, on all threads, with arguments in cache."""
    threads = get_num_threads()
    x = -np.random.default_rng(0).uniform(0, 40, (threads, BLOCK))
    return partial(_exp_blocks, threads, count // (threads * BLOCK), x, np.empty_like(x))


def measure(plan: Plan) -> list[Limit]:
    """Time passes without pruning, and the references."""
    results = []
    for case in SHAPES:
        results.append(_measure(case.shrunk() if plan.quick else case, plan))
        print(f"limit  {'  '.join(_row(results[-1]))}", file=sys.stderr, flush=True)
    return results


def _measure(case: Case, plan: Plan) -> Limit:
    """Time a case from a start in which every component contributes to every row."""
    X = generated(case.n, case.d, case.n_components, spread=SPREAD)
    start = random_rows(X, case.n_components, "full", case.reg_covar)
    rows = MemoryRows(X)
    model = MODELS["full"](case.reg_covar)
    parameters = model.parameters(start.weights, start.means - rows.center, start.covariances)
    if not responsibilities_of(rows, parameters).all():
        raise RuntimeError(f"{case.title()}: some component adds nothing, so less is computed.")
    matrix = np.random.default_rng(0).standard_normal((ORDER, ORDER))
    out = np.empty_like(matrix)
    tasks = {
        "dense": partial(_dense_pass, rows, parameters, model.scatter, rows.hints()),
        "dgemm": partial(np.matmul, matrix, matrix, out=out),
        "exps": _exps(OFTEN * case.n * case.n_components),
    }
    for task in tasks.values():
        task()
    return Limit(case, **in_turn(tasks, plan))


def _unseparated(density: Any, *_: Any) -> Any:
    return no_separation(density.means)


def _dense_pass(*arguments: Any) -> None:
    rows, *rest = arguments
    with (
        mock.patch("gmmfast.rows.memory.negligible", lambda *_: -np.inf),
        mock.patch("gmmfast.rows.memory.separated", _unseparated),
    ):
        rows.expectation(*rest)


def goals(results: Sequence[Limit]) -> list[Goal]:
    return [
        Goal(f"dense pass, {r.case.title()}: share of dgemm", r.share_of_dgemm(), TARGET, unit="%")
        for r in results
        if r.case.d >= FEATURES
    ]


def section(results: Sequence[Limit]) -> str:
    header = ["case", "pass, ms", "GFLOP/s", "dgemm, GFLOP/s", "share of dgemm", "share of exp"]
    return table(header, [_row(r) for r in results])


def _row(r: Limit) -> list[str]:
    return [
        r.case.title(),
        milliseconds(spread_of(r.dense)),
        number(r.speed() / 1e9),
        number(r.dgemm_speed() / 1e9),
        f"{r.share_of_dgemm():.0f} %",
        f"{r.share_of_exp():.1f} %",
    ]
