"""How good a default fit is: one of gmmfast against the best of ten of scikit-learn."""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn.mixture
from numpy.typing import NDArray

from benchmarks.everyday import DATA, SAME, SMALL
from benchmarks.packages import GMMFAST, SCIKIT_LEARN, quietly
from benchmarks.tables import Goal, number, table
from benchmarks.timing import Plan, seconds_of
from gmmfast import GaussianMixture
from gmmfast.models import MODELS

Array = NDArray[Any]

KINDS = [("full", 2), ("full", 5), ("full", 12), ("diag", 3), ("diag", 8), ("diag", 20)]
SEEDS = range(10)  # of scikit-learn; gmmfast's is 0
SHARE = 95.0  # percent of the cases in which gmmfast's fit is at least as likely, within `SAME`,
LOWEST = -0.05  # nats per row: a larger loss in no case,
SPEED = 8.0  # and how many times one of its fits is faster, in the geometric mean
SHOWN = 10  # lowest gains listed separately


@dataclass(frozen=True)
class Optimum:
    """What both packages reach in one case, in nats per row; NaN if every fit has collapsed."""

    name: str
    n: int
    d: int
    covariance_type: str
    n_components: int
    ours: float
    best: float  # of scikit-learn's fits without a collapsed component
    seconds: dict[str, float]  # medians of one fit

    @property
    def gain(self) -> float:
        return self.ours - self.best

    def title(self) -> str:
        kind = f"K={self.n_components}, {self.covariance_type}"
        return f"{self.name}, {self.n} x {self.d}, {kind}"


def measure(plan: Plan) -> list[Optimum]:
    """Fit all data with both packages."""
    results = []
    for name, rows in DATA.items():
        X = np.ascontiguousarray(rows(), dtype=np.float64)
        if plan.quick and len(X) > SMALL:
            continue
        for kind, K in KINDS:
            with quietly():
                results.append(_compared(name, X, kind, K))
            found = results[-1]
            gain = f"{found.ours:.6g} {found.best:.6g}"
            print(f"optimum  {found.title()}: {gain}", file=sys.stderr, flush=True)
    return results


def _compared(name: str, X: Array, kind: str, K: int) -> Optimum:
    ours = GaussianMixture(K, covariance_type=kind, random_state=0)
    reached = np.nan
    if _fitted(ours, X) is not None and not ours.degenerate_.any():
        reached = float(ours.score(X))
    seconds: dict[str, list[float]] = {GMMFAST: [], SCIKIT_LEARN: []}
    bounds = []
    for seed in SEEDS:
        theirs = sklearn.mixture.GaussianMixture(K, covariance_type=kind, random_state=seed)
        for package, mixture in ((SCIKIT_LEARN, theirs), (GMMFAST, ours)):
            took = _fitted(mixture, X)
            if took is not None:
                seconds[package].append(took)
        if hasattr(theirs, "converged_") and not _has_collapsed(theirs, X):
            bounds.append(float(theirs.score(X)))
    medians = {package: statistics.median(times or [np.nan]) for package, times in seconds.items()}
    best = max(bounds, default=np.nan)
    return Optimum(name, *X.shape, kind, K, ours=reached, best=best, seconds=medians)


def _fitted(mixture: Any, X: Array) -> float | None:
    """Fit, and return the seconds; None if that raises."""
    try:
        return seconds_of(lambda: mixture.fit(X))
    except ValueError:
        return None


def _has_collapsed(mixture: Any, X: Array) -> bool:
    """Whether a component has collapsed, by the rule of gmmfast's `degenerate_`."""
    model = MODELS[mixture.covariance_type](mixture.reg_covar)
    total = np.cov(X, rowvar=False, bias=True).reshape(X.shape[1], X.shape[1])
    if mixture.covariance_type == "diag":
        total = np.diag(total)
    fitted = model.of_covariances(mixture.weights_, mixture.means_, mixture.covariances_)
    return bool(model.collapsed(fitted, len(X), total).any())


def compared(results: Sequence[Optimum]) -> list[Optimum]:
    """Return the cases in which both packages have a fit that has not collapsed."""
    return [found for found in results if np.isfinite(found.gain)]


def goals(results: Sequence[Optimum]) -> list[Goal]:
    """Return the targets."""
    cases = compared(results)
    gains = [found.gain for found in cases]
    good = 100 * statistics.fmean(gain >= -SAME for gain in gains)
    what = f"default fits against the best of {len(SEEDS)} of {SCIKIT_LEARN}, {len(cases)} cases"
    return [
        Goal(f"{what}: at least as likely", good, SHARE, unit="%"),
        Goal(f"{what}: mean gain, nats per row", statistics.fmean(gains), 0.0),
        Goal(f"{what}: least gain, nats per row", min(gains), LOWEST),
        Goal(f"the same: one fit of {SCIKIT_LEARN} / {GMMFAST}", _speed(cases), SPEED),
    ]


def section(results: Sequence[Optimum]) -> str:
    """Return the tables by K and type, and of the lowest gains."""
    header = ["covariances", "K", "cases", "as likely, %", "mean gain", "least gain", "speed"]
    rows = []
    for kind, K in KINDS:
        cases = [
            found
            for found in compared(results)
            if (found.covariance_type, found.n_components) == (kind, K)
        ]
        if cases:
            gains = [found.gain for found in cases]
            good = 100 * statistics.fmean(gain >= -SAME for gain in gains)
            extremes = f"{statistics.fmean(gains):+.3f}", f"{min(gains):+.3f}"
            speed = f"**{number(_speed(cases))}**"
            rows.append([kind, str(K), str(len(cases)), number(good), *extremes, speed])
    lowest = sorted(compared(results), key=lambda found: found.gain)[:SHOWN]
    left_out = len(results) - len(compared(results))
    return "\n\n".join(
        [
            table(header, rows),
            f"Left out, because every fit of a package has a collapsed component: {left_out}. "
            f"The {len(lowest)} lowest gains:",
            table(
                ["case", "gmmfast", f"best of {len(SEEDS)}", "gain"],
                [
                    [found.title(), f"{found.ours:.6g}", f"{found.best:.6g}", f"{found.gain:+.4f}"]
                    for found in lowest
                ],
            ),
        ]
    )


def _speed(cases: Sequence[Optimum]) -> float:
    ratios = [found.seconds[SCIKIT_LEARN] / found.seconds[GMMFAST] for found in cases]
    return statistics.geometric_mean(ratios)
