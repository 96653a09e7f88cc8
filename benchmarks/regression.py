"""Features of rows predicted from others, against gmr 2."""

import sys
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.cases import Case, generated, typical_start
from benchmarks.tables import Goal, against, milliseconds, table
from benchmarks.timing import Plan, Spread, in_turn, ratios, spread_of
from gmmfast import GaussianMixture

N_ROWS = 100_000
SHAPES = ((2, 5, 1), (4, 4, 3), (8, 20, 4), (10, 10, 9))  # features, components, known features
FASTER, SAME = 50.0, 1e-10
OURS, WITH_STD, THEIRS = "gmmfast", "gmmfast, std", "gmr"


@dataclass(frozen=True)
class Prediction:
    """The same predictions of both packages from the same mixture."""

    case: Case
    n_known: int
    seconds: dict[str, list[float]]
    difference: float  # the largest, in standard deviations of the target

    @property
    def ratio(self) -> Spread:
        return ratios(self.seconds[THEIRS], self.seconds[OURS])


def measure(plan: Plan) -> list[Prediction]:
    """Time predictions of the last features from the first ones."""
    found = []
    for d, K, n_known in SHAPES:
        case = Case("", N_ROWS, d, K, 0, 0)
        case = case.shrunk() if plan.quick else case
        X = generated(case.n, d, K)
        one = predict(X, case, n_known, plan)
        print(f"{case.title():40}{against(one.ratio)}", file=sys.stderr, flush=True)
        found.append(one)
    return found


def predict(X: Any, case: Case, n_known: int, plan: Plan) -> Prediction:
    """Predict from one mixture with both packages."""
    from gmr import GMM

    start = typical_start(X, case, "full")
    given = start.weights, start.means, start.covariances
    ours, theirs = GaussianMixture.from_parameters(*given), GMM(len(start.weights), *given)
    known, rows = np.arange(n_known), np.ascontiguousarray(X[:, :n_known])
    tasks = {
        OURS: partial(ours.predict_features, rows, known=known),
        WITH_STD: partial(ours.predict_features, rows, known=known, return_std=True),
        THEIRS: partial(theirs.predict, known, rows),
    }
    results = {name: task() for name, task in tasks.items()}
    apart = np.abs(results[OURS] - results[THEIRS]) / X[:, n_known:].std(axis=0)
    return Prediction(case, n_known, in_turn(tasks, plan), float(apart.max()))


def goals(results: list[Prediction]) -> list[Goal]:
    """Return the goals, and what was reached."""
    named = [(f"{each.case.title()}, {each.n_known} known", each) for each in results]
    return [
        *(Goal(f"gmr / gmmfast, {name}", each.ratio.median, FASTER) for name, each in named),
        *(
            Goal(f"difference of predictions, {name}", each.difference, SAME, is_limit=True)
            for name, each in named
        ),
    ]


def section(results: list[Prediction]) -> str:
    """Return the table."""
    rows = [
        [each.case.title(), str(each.n_known)]
        + [milliseconds(spread_of(own)) for own in each.seconds.values()]
        + [against(each.ratio), f"{each.difference:.0e}"]
        for each in results
    ]
    header = ["case", "known", f"{OURS}, ms", f"{WITH_STD}, ms", f"{THEIRS} {version('gmr')}, ms"]
    return table(header + ["gmr / gmmfast", "largest difference"], rows)
