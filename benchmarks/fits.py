"""Whole fits with default arguments, from each package's own start to convergence."""

import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import sklearn.mixture

from benchmarks.cases import CASES, Case, patches
from benchmarks.packages import GMMFAST, SCIKIT_LEARN, quietly
from benchmarks.tables import Goal, against, spread, table
from benchmarks.timing import Plan, ratios, seconds_of, spread_of
from gmmfast import GaussianMixture

SEEDS = 10
SECONDS = 45.0  # no further seed starts after this, once LEAST are done
LEAST = 3
FEWER_PATCHES = 20_000  # a whole fit of 100,000 takes scikit-learn a quarter of an hour
SPEED = 50.0  # times as fast as scikit-learn, in the geometric mean
START_SHARE = 1 / 3  # at most, of a fit
COVARIANCES = ("full", "diag")
PACKAGES: dict[str, Any] = {
    GMMFAST: GaussianMixture,
    SCIKIT_LEARN: sklearn.mixture.GaussianMixture,
}


@dataclass
class WholeFit:
    """Measurements of a case over its seeds."""

    case: Case
    covariance_type: str
    seconds: dict[str, list[float]] = field(default_factory=lambda: {p: [] for p in PACKAGES})
    bounds: dict[str, list[float]] = field(default_factory=lambda: {p: [] for p in PACKAGES})
    iterations: dict[str, list[int]] = field(default_factory=lambda: {p: [] for p in PACKAGES})
    degenerate: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PACKAGES, 0))
    start_seconds: list[float] = field(default_factory=list)  # of gmmfast, until the first pass

    def ratio(self) -> float:
        return ratios(self.seconds[SCIKIT_LEARN], self.seconds[GMMFAST]).median

    def start_share(self) -> float:
        pairs = zip(self.start_seconds, self.seconds[GMMFAST], strict=True)
        return statistics.median(start / whole for start, whole in pairs)

    def bound(self, package: str) -> float:
        """Median of the final mean log-likelihoods; NaN if all fits were degenerate."""
        found = self.bounds[package]
        return statistics.median(found) if found else math.nan


def measure(plan: Plan) -> list[WholeFit]:
    """Fit every case from every seed with both packages."""
    results = []
    for covariance_type in COVARIANCES:
        for case in CASES:
            if case.make is patches:
                case = replace(case, n=FEWER_PATCHES)
            results.append(_compare(case.shrunk() if plan.quick else case, covariance_type, plan))
            print(f"whole fit  {'  '.join(_row(results[-1]))}", file=sys.stderr, flush=True)
    return results


def _compare(case: Case, covariance_type: str, plan: Plan) -> WholeFit:
    X = case.data()
    result = WholeFit(case, covariance_type)
    keywords = {
        "n_components": case.n_components,
        "covariance_type": covariance_type,
        "reg_covar": case.reg_covar,
    }
    begin = time.perf_counter()
    with quietly():
        GaussianMixture(**keywords, max_iter=1).fit(X)  # compiles
        for seed in range(LEAST if plan.quick else SEEDS):
            if seed >= LEAST and time.perf_counter() - begin > SECONDS:
                break
            for package, mixture_class in PACKAGES.items():
                mixture = mixture_class(**keywords, random_state=seed)
                result.seconds[package].append(seconds_of(partial(mixture.fit, X)))
                result.iterations[package].append(mixture.n_iter_)
                if _is_degenerate(mixture, keywords, X):
                    result.degenerate[package] += 1
                else:
                    result.bounds[package].append(mixture.lower_bound_)
            start = GaussianMixture(**keywords, random_state=seed, max_iter=0)
            result.start_seconds.append(seconds_of(partial(start.fit, X)))
    return result


def _is_degenerate(mixture: Any, keywords: dict[str, Any], X: np.ndarray) -> bool:
    """Judge both packages by gmmfast's rule, one step after the end of the fit."""
    judge = GaussianMixture(
        **keywords,
        weights_init=mixture.weights_ / mixture.weights_.sum(),
        means_init=mixture.means_,
        precisions_init=mixture.precisions_,
        max_iter=1,
    )
    return bool(np.any(judge.fit(X).degenerate_))


def goals(results: Sequence[WholeFit]) -> list[Goal]:
    """Return the targets of speed, of the start's largest share, and of likelihoods."""
    speed = statistics.geometric_mean(r.ratio() for r in results)
    share = max(r.start_share() for r in results)
    sound = [r for r in results if all(r.bounds.values())]
    as_high = sum(r.bound(GMMFAST) >= r.bound(SCIKIT_LEARN) - 1e-3 for r in sound)
    return [
        Goal(f"whole fit, geometric mean: {SCIKIT_LEARN} / {GMMFAST}", speed, SPEED),
        Goal("whole fit, largest share of the start", 100 * share, 100 * START_SHARE, True, "%"),
        Goal(f"whole fits, of {len(sound)} cases as high", as_high, len(sound)),
    ]


HEADER = [
    "case",
    "covariances",
    "seeds",
    "gmmfast, s",
    "scikit-learn, s",
    "scikit-learn / gmmfast",
    "share of the start",
    "iterations",
    "log-likelihood",
    "degenerate",
]


def section(results: Sequence[WholeFit]) -> str:
    """Return the table; pairs are gmmfast, scikit-learn."""
    return table(HEADER, [_row(r) for r in results])


def _row(r: WholeFit) -> list[str]:
    times = [spread(spread_of(r.seconds[package])) for package in PACKAGES]
    ratio = against(ratios(r.seconds[SCIKIT_LEARN], r.seconds[GMMFAST]))
    iterations = [f"{statistics.median(r.iterations[package]):g}" for package in PACKAGES]
    return [
        r.case.title(),
        r.covariance_type,
        str(len(r.start_seconds)),
        *times,
        ratio,
        f"{100 * r.start_share():.0f} %",
        ", ".join(iterations),
        ", ".join(f"{r.bound(package):.6g}" for package in PACKAGES),
        ", ".join(str(r.degenerate[package]) for package in PACKAGES),
    ]
