"""Iterations to the same answer: plain EM against ``acceleration="auto"``."""

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)
from sklearn.decomposition import PCA

from benchmarks.cases import drawn, generated, image_pixels
from benchmarks.packages import quietly
from benchmarks.tables import Goal, number, table
from benchmarks.timing import Plan
from gmmfast import GaussianMixture

Array = NDArray[Any]

STARTS = 5  # per case: components of equal covariance at rows drawn at random
CLOSE = 1e-8  # nats per row: smaller differences count as equal
SAME = 1e-6  # nats per row: larger differences count as another optimum
TOL, MAX_ITER = 1e-12, 20_000


def standardized(X: Array) -> Array:
    return (X - X.mean(axis=0)) / X.std(axis=0)


def principal(X: Array) -> Array:
    return PCA(8, random_state=0).fit_transform(X)


DATA: dict[str, Callable[[], Array]] = {
    "china.jpg": lambda: drawn(image_pixels("china.jpg"), 20_000),
    "flower.jpg": lambda: drawn(image_pixels("flower.jpg"), 20_000),
    "iris": lambda: load_iris().data,
    "wine": lambda: standardized(load_wine().data),
    "breast cancer, means": lambda: standardized(load_breast_cancer().data[:, :10]),
    "breast cancer": lambda: standardized(load_breast_cancer().data),
    "digits, 8 axes": lambda: principal(load_digits().data),
    "diabetes": lambda: standardized(load_diabetes().data[:, 2:9]),
    "2-d, overlapping": lambda: generated(5000, 2, 3, seed=1, spread=0.8),
    "5-d, overlapping": lambda: generated(5000, 5, 4, seed=2, spread=0.6),
    "10-d, separated": lambda: generated(10_000, 10, 10, seed=3),
}


@dataclass
class Overlap:
    """A case, and how many iterations each start took: plain and accelerated."""

    name: str  # in DATA
    n_components: int
    covariance_type: str
    passes: list[tuple[int, int]] = field(default_factory=list)
    lost: int = 0  # starts from which acceleration ended at a lower optimum

    def ratios(self) -> list[float]:
        return [plain / accelerated for plain, accelerated in self.passes]


def cases() -> list[Overlap]:
    """Real and generated rows, most of them with components that overlap."""
    return [
        Overlap("china.jpg", 8, "full"),
        Overlap("china.jpg", 4, "diag"),
        Overlap("flower.jpg", 6, "full"),
        Overlap("iris", 3, "full"),
        Overlap("wine", 3, "diag"),
        Overlap("wine", 3, "tied"),
        Overlap("breast cancer, means", 3, "full"),
        Overlap("breast cancer", 2, "tied"),
        Overlap("digits, 8 axes", 10, "full"),
        Overlap("digits, 8 axes", 10, "spherical"),
        Overlap("diabetes", 3, "diag"),
        Overlap("2-d, overlapping", 3, "full"),
        Overlap("5-d, overlapping", 4, "full"),
        Overlap("10-d, separated", 10, "full"),
    ]


def measure(plan: Plan) -> list[Overlap]:
    """Fit all cases from all starts, plain and accelerated."""
    results = []
    for case in cases()[3:5] if plan.quick else cases():
        X = DATA[case.name]()
        for seed in range(STARTS):
            _compare(case, X, seed)
        print(f"acceleration  {'  '.join(_row(case))}", file=sys.stderr, flush=True)
        results.append(case)
    return results


def _compare(case: Overlap, X: Array, seed: int) -> None:
    rows = X[np.random.default_rng(seed).choice(len(X), case.n_components, replace=False)]
    bounds = []
    for acceleration in ("none", "auto"):
        mixture = GaussianMixture(
            case.n_components,
            covariance_type=case.covariance_type,
            means_init=rows,
            tol=TOL,
            max_iter=MAX_ITER,
            acceleration=acceleration,
            random_state=seed,
        )
        with quietly():
            bounds.append(np.array(mixture.fit(X).lower_bounds_))
    plain, accelerated = bounds
    if accelerated[-1] < plain[-1] - SAME:
        case.lost += 1
        return
    goal = plain[-1]
    if abs(accelerated[-1] - goal) > SAME:  # a better optimum: each against its own
        case.passes.append((_passes(plain, goal), _passes(accelerated, accelerated[-1])))
    else:
        goal = min(goal, accelerated[-1])
        case.passes.append((_passes(plain, goal), _passes(accelerated, goal)))


def _passes(bounds: Array, goal: float) -> int:
    """Iterations until the lower bound is, and stays, within `CLOSE` of the goal or above."""
    away = np.flatnonzero(bounds < goal - CLOSE)
    return int(away[-1]) + 2 if away.size else 1


def goals(results: Sequence[Overlap]) -> list[Goal]:
    """Iterations saved in the median and in the worst case, and the share of optima kept."""
    ratios = [ratio for case in results for ratio in case.ratios()]
    kept = len(ratios) / (len(ratios) + sum(case.lost for case in results))
    return [
        Goal("iterations, plain / accelerated, median", statistics.median(ratios), 2.5),
        Goal("iterations, accelerated / plain, at most", 1 / min(ratios), 1.1, True),
        Goal("accelerated fits that end as high or higher", 100 * kept, 98.0, unit="%"),
    ]


def section(results: Sequence[Overlap]) -> str:
    header = ["case", "covariances", "K", "plain", "accelerated", "ratio, median", "least", "lost"]
    return table(header, [_row(case) for case in results])


def _row(case: Overlap) -> list[str]:
    name = [case.name, case.covariance_type, str(case.n_components)]
    if not case.passes:
        return [*name, "", "", "", "", str(case.lost)]
    plain, accelerated = (statistics.median(side) for side in zip(*case.passes, strict=True))
    ratios = case.ratios()
    figures = (plain, accelerated, statistics.median(ratios), min(ratios))
    return [*name, *(number(figure) for figure in figures), str(case.lost)]
