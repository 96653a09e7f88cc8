"""Starts with many components: k-means of scikit-learn against whole starts of gmmfast."""

import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import sklearn.cluster
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from benchmarks.cases import SHRINK, generated, patches
from benchmarks.packages import GMMFAST, SCIKIT_LEARN, Start, fit_gmmfast, quietly
from benchmarks.tables import Goal, against, number, spread, table
from benchmarks.timing import Plan, ratios, seconds_of, spread_of
from gmmfast import GaussianMixture

Array = NDArray[np.float64]

N, K = 200_000, 1024
SEEDS = range(3)  # of both packages; one repetition each
ITERATIONS = 3  # of EM, full covariances, before likelihoods are compared
RATIO = 6.0
LOWEST = -0.01  # nats per row: mean difference of the log-likelihoods


def narrow_patches(n: int) -> Array:
    """8 x 8 gray patches, in their first 35 principal components."""
    return np.ascontiguousarray(PCA(35, random_state=0).fit_transform(patches(n, 64, K)))


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[int], Array]
    reg_covar: float


# of patches, many components are flat: 1e-4 is about the variance of an image's noise
CASES = (
    Case("generated, d = 16", lambda n: generated(n, 16, K), 1e-6),
    Case("8x8 patches, d = 35", narrow_patches, 1e-4),
)


def _empty() -> dict[str, list[float]]:
    return {SCIKIT_LEARN: [], GMMFAST: []}


@dataclass(frozen=True)
class Result:
    """Seconds of the starts, and log-likelihoods per row after them, by seed."""

    name: str
    n: int
    n_components: int
    seconds: dict[str, list[float]] = field(default_factory=_empty)
    reached: dict[str, list[float]] = field(default_factory=_empty)

    @property
    def gain(self) -> float:
        ours, theirs = self.reached[GMMFAST], self.reached[SCIKIT_LEARN]
        return statistics.fmean(a - b for a, b in zip(ours, theirs, strict=True))


def measure(plan: Plan) -> list[Result]:
    """Time all cases."""
    n, n_components = (N // SHRINK, K // SHRINK) if plan.quick else (N, K)
    results = []
    for case in CASES:
        with quietly():
            results.append(_compared(case, case.make(n), n_components))
        print(f"large_starts  {results[-1]}", file=sys.stderr, flush=True)
    return results


def _compared(case: Case, X: Array, n_components: int) -> Result:
    result = Result(case.name, len(X), n_components)
    own = {"n_components": n_components, "reg_covar": case.reg_covar, "tol": 0.0}
    GaussianMixture(**own, random_state=0, max_iter=0).fit(X)  # compiles
    for seed in SEEDS:
        clusters = sklearn.cluster.KMeans(n_components, n_init=1, random_state=seed)
        start = GaussianMixture(**own, random_state=seed, max_iter=0)  # all but the iterations
        for package, estimator in ((SCIKIT_LEARN, clusters), (GMMFAST, start)):
            result.seconds[package].append(seconds_of(partial(estimator.fit, X)))
        theirs = _start_of(X, clusters.labels_, n_components, case.reg_covar)
        result.reached[SCIKIT_LEARN].append(fit_gmmfast(X, theirs, ITERATIONS))
        ours = GaussianMixture(**own, random_state=seed, max_iter=ITERATIONS).fit(X)
        result.reached[GMMFAST].append(float(ours.lower_bound_))
    return result


def _start_of(X: Array, labels: NDArray[np.int32], n_components: int, reg_covar: float) -> Start:
    """Make the M step from the parts of k-means, full covariances."""
    d = X.shape[1]
    mass = np.bincount(labels, minlength=n_components)
    means, covariances = np.empty((n_components, d)), np.empty((n_components, d, d))
    for k in range(n_components):
        own = X[labels == k]
        means[k] = own.mean(axis=0)
        residuals = own - means[k]
        covariances[k] = residuals.T @ residuals / len(own) + reg_covar * np.eye(d)
    precisions = np.linalg.inv(covariances)
    return Start(mass / mass.sum(), means, covariances, precisions, "full", reg_covar)


def goals(results: Sequence[Result]) -> list[Goal]:
    """Return the targets."""
    found = []
    for own in results:
        what = f"start with K = {own.n_components}, {own.name}"
        ratio = ratios(own.seconds[SCIKIT_LEARN], own.seconds[GMMFAST]).median
        found.append(Goal(f"{what}: k-means of {SCIKIT_LEARN} / {GMMFAST}", ratio, RATIO))
        found.append(Goal(f"{what}: gain, nats per row", own.gain, LOWEST))
    return found


def section(results: Sequence[Result]) -> str:
    """Return the table."""
    header = ["rows", "K", f"{SCIKIT_LEARN}, s", f"{GMMFAST}, s", "ratio",
              f"{SCIKIT_LEARN}, nats", f"{GMMFAST}, nats", "gain"]  # fmt: skip
    rows = []
    for own in results:
        seconds = [spread(spread_of(own.seconds[name])) for name in (SCIKIT_LEARN, GMMFAST)]
        ratio = against(ratios(own.seconds[SCIKIT_LEARN], own.seconds[GMMFAST]))
        reached = [number_of(own.reached[name]) for name in (SCIKIT_LEARN, GMMFAST)]
        title = f"{own.name}, {own.n}"
        rows.append([title, str(own.n_components), *seconds, ratio, *reached, f"{own.gain:+.3f}"])
    return table(header, rows)


def number_of(values: list[float]) -> str:
    """Format a mean, which may be negative."""
    mean = statistics.fmean(values)
    return f"-{number(-mean)}" if mean < 0 else number(mean)
