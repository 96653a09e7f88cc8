"""Using a fitted mixture: labels, responsibilities and log densities."""

import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.cases import Case, typical_start
from benchmarks.packages import GMMFAST, SCIKIT_LEARN
from benchmarks.tables import Goal, against, aim, milliseconds, table
from benchmarks.timing import Plan, Spread, in_turn, ratios, spread_of
from gmmfast import GaussianMixture

CASE = Case("", 1_000_000, 10, 10, 0, 0)
METHODS = {"predict_proba": 25.0, "predict": 25.0, "score_samples": 25.0}  # with their targets


@dataclass(frozen=True)
class Evaluation:
    """Measurements of a method."""

    case: Case
    method: str
    seconds: dict[str, list[float]]
    difference: float  # of the results, or share of rows labeled otherwise

    def ratio(self) -> Spread:
        return ratios(self.seconds[SCIKIT_LEARN], self.seconds[GMMFAST])


def measure(plan: Plan) -> list[Evaluation]:
    """Time each method of the fitted mixture on its rows."""
    case = CASE.shrunk() if plan.quick else CASE
    X = case.data()
    start = typical_start(X, replace(case, burn_in=3), "full")
    ours = GaussianMixture.from_parameters(start.weights, start.means, start.covariances)
    mixtures = {GMMFAST: ours, SCIKIT_LEARN: ours.to_sklearn()}
    results = []
    for method in METHODS:
        tasks = {name: partial(getattr(mixture, method), X) for name, mixture in mixtures.items()}
        first, second = (task() for task in tasks.values())
        result = Evaluation(case, method, in_turn(tasks, plan), _difference(first, second))
        print(f"{method:20}{against(result.ratio())}", file=sys.stderr, flush=True)
        results.append(result)
    return results


def _difference(first: Any, second: Any) -> float:
    if np.issubdtype(first.dtype, np.integer):
        return float(np.mean(first != second))
    return float(np.abs(first - second).max())


def goals(results: list[Evaluation]) -> list[Goal]:
    """Return the target ratios and the ratios reached."""
    found = []
    for r in results:
        what = f"{r.method}, {r.case.title()}: {SCIKIT_LEARN} / {GMMFAST}"
        found.append(Goal(what, r.ratio().median, METHODS[r.method]))
    return found


def section(results: list[Evaluation]) -> str:
    """Return the table."""
    times = ["gmmfast, ms", f"{SCIKIT_LEARN}, ms"]
    ratio = [f"{SCIKIT_LEARN} / gmmfast", "target", "differs by"]
    rows = []
    for r in results:
        row = [r.method, r.case.title()]
        row += [milliseconds(spread_of(r.seconds[p])) for p in (GMMFAST, SCIKIT_LEARN)]
        row += [against(r.ratio()), aim(METHODS[r.method]), f"{r.difference:.0e}"]
        rows.append(row)
    return table(["method", "case", *times, *ratio], rows)
