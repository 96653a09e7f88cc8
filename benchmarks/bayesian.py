"""Iterations of variational Bayes against scikit-learn's, from the same memberships."""

import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.mixture import BayesianGaussianMixture as TheirMixture

from benchmarks.cases import CASES, SHARED_SHAPES, Array, Case, typical_start
from benchmarks.packages import quietly
from benchmarks.tables import Goal, against, milliseconds, table
from benchmarks.timing import Plan, Spread, in_turn, ratios, slopes, spread_of
from gmmfast import BayesianGaussianMixture, GaussianMixture

OURS, THEIRS = "gmmfast", "scikit-learn"
COVARIANCES = {"full": CASES, "diag": CASES, "tied": SHARED_SHAPES, "spherical": SHARED_SHAPES}
SHORT, LONG = 1, 3  # iterations of scikit-learn's fits
MORE = 10  # times as many between the two fits: of gmmfast, and of both where there are few rows,
FEW = 10_000  # whose iterations are shorter than what varies from fit to fit
TARGET = 40.0  # times as fast, in the geometric mean
TOLERANCE = 1e-8  # relative, of the lower bounds


class FromLabels(TheirMixture):
    """scikit-learn's mixture, which starts from labels."""

    def __init__(self, labels: Any = None, **params: Any) -> None:
        super().__init__(**params)
        self.labels = labels

    def _initialize_parameters(self, X: Array, random_state: Any, xp: Any = None) -> None:
        resp = np.zeros((len(X), self.n_components))
        resp[np.arange(len(X)), self.labels] = 1
        self._initialize(X, resp)


@dataclass(frozen=True)
class Comparison:
    """Seconds per iteration of both packages, and their lower bounds after `LONG` iterations."""

    case: Case
    covariance_type: str
    seconds: dict[str, list[float]]
    bounds: dict[str, float]

    @property
    def ratio(self) -> Spread:
        return ratios(self.seconds[THEIRS], self.seconds[OURS])

    @property
    def difference(self) -> float:
        ours, theirs = self.bounds[OURS], self.bounds[THEIRS]
        return abs(ours - theirs) / abs(theirs)


def fit_ours(X: Array, labels: Array, params: dict[str, Any], iterations: int) -> float:
    """Return the lower bound."""
    with quietly():
        mixture = BayesianGaussianMixture(init_params=labels, max_iter=iterations, **params).fit(X)
    return float(mixture.lower_bound_)


def fit_theirs(X: Array, labels: Array, params: dict[str, Any], iterations: int) -> float:
    """Return the lower bound."""
    with quietly():
        mixture = FromLabels(labels=labels, max_iter=iterations, **params).fit(X)
    return float(np.ravel(mixture.lower_bound_)[0])


def compare(case: Case, covariance_type: str, plan: Plan) -> Comparison:
    """Time a case."""
    X = case.data()
    start = typical_start(X, case, covariance_type)
    with quietly():
        labels = GaussianMixture(**start.keywords(0)).fit(X).predict(X)
    labels[: case.n_components] = np.arange(case.n_components)  # none is empty
    params = {
        "n_components": case.n_components, "covariance_type": covariance_type, "tol": 0.0,
        "reg_covar": case.reg_covar,
    }  # fmt: skip
    fits = {OURS: fit_ours, THEIRS: fit_theirs}
    bounds = {name: fit(X, labels, params, LONG) for name, fit in fits.items()}
    long = SHORT + MORE * (LONG - SHORT)
    longest = {OURS: long, THEIRS: long if len(X) <= FEW else LONG}
    tasks = {
        (name, times): partial(fit, X, labels, params, times)
        for name, fit in fits.items()
        for times in (SHORT, longest[name])
    }
    for name in fits:
        tasks[name, longest[name]]()
    seconds = in_turn(tasks, plan)
    own = {
        name: slopes(seconds[name, SHORT], seconds[name, longest[name]], longest[name] - SHORT)
        for name in fits
    }
    return Comparison(case, covariance_type, own, bounds)


def measure(plan: Plan) -> list[Comparison]:
    """Run every case."""
    results = []
    for covariance_type, cases in COVARIANCES.items():
        for case in cases:
            own = case.shrunk() if plan.quick else case
            result = compare(own, covariance_type, plan)
            text = f"{covariance_type:10}{own.title():34}{against(result.ratio):24}"
            print(f"{text}{result.difference:.0e}", file=sys.stderr, flush=True)
            results.append(result)
    return results


def disagreements(results: list[Comparison]) -> list[str]:
    """Return the cases whose lower bounds differ."""
    return [
        f"{each.case.title()}, {each.covariance_type}: lower bounds {each.bounds}"
        for each in results
        if not each.difference <= TOLERANCE
    ]


def mean_ratio(results: list[Comparison]) -> float:
    """Return the geometric mean of the ratios."""
    with np.errstate(all="ignore"):  # a ratio may be lost in noise
        return float(np.exp(np.log([each.ratio.median for each in results]).mean()))


def goals(results: list[Comparison]) -> list[Goal]:
    """Return the target, and what was reached."""
    text = "variational Bayes, an iteration, scikit-learn / gmmfast, geometric mean"
    return [Goal(text, mean_ratio(results), TARGET)]


def section(results: list[Comparison]) -> str:
    """Return the table."""
    rows = [
        [
            each.case.title(), each.covariance_type,
            milliseconds(spread_of(each.seconds[OURS])),
            milliseconds(spread_of(each.seconds[THEIRS])),
            against(each.ratio), f"{each.difference:.0e}",
        ]
        for each in results
    ]  # fmt: skip
    header = ["case", "covariances", "gmmfast, ms", "scikit-learn, ms", "ratio"]
    header += ["lower bounds differ by"]
    mean = f"\n\nGeometric mean of the ratios: **{mean_ratio(results):.1f}**."
    return table(header, rows) + mean
