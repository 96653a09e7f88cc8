"""Time of an E pass with hundreds of components, per row and component, in both element types."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA

from benchmarks.cases import Array, generated, patches, pixels
from benchmarks.tables import Goal, number, table
from benchmarks.timing import Plan, in_turn, ratios, spread_of
from gmmfast.kernels.expectation import negligible
from gmmfast.models import MODELS
from gmmfast.rows import MemoryRows

COUNTS = (256, 1024)
QUICK_COUNTS = (16, 32)
ROWS, QUICK_ROWS = 200_000, 4000
SEEN = 40  # rows per component that k-means is shown
REG_COVAR = 1e-6
BURN_IN = 5  # EM iterations after k-means, so that a pass is of the kind that most of a fit has
FEATURES = 16  # from where on float32 has a target
FASTER = 2.2  # times, of float32
OFTEN = Plan(least=3, most=7, seconds=10.0)


def reduced_patches(n: int, n_components: int) -> Array:
    """Patches, by their 35 first principal components."""
    return PCA(35, random_state=0).fit_transform(patches(n, 64, n_components))


def colors(n: int, n_components: int) -> Array:
    """Colors of china.jpg."""
    return pixels(n, 3, n_components)


CASES: dict[str, tuple[Callable[[int, int], Array], float]] = {  # and the target, from 256 to 1024
    "8x8 patches, 35 features": (reduced_patches, 2.0),
    "generated, 16 features": (lambda n, k: generated(n, 16, k), 2.5),
    "china.jpg pixels": (colors, 2.0),
}


@dataclass(frozen=True)
class Passes:
    """Seconds of passes over the same rows in both element types, on one thread."""

    name: str
    n: int
    d: int
    n_components: int
    wide: list[float]  # float64
    narrow: list[float]  # float32, computed in float64 where it is too coarse
    is_narrow: bool  # whether float32 is fine enough

    def nanoseconds(self) -> float:
        """Median time per row and component in float64."""
        return 1e9 * spread_of(self.wide).median / (self.n * self.n_components)

    def ratio(self) -> float:
        """How many times faster float32 is."""
        return ratios(self.wide, self.narrow).median


def measure(plan: Plan) -> list[Passes]:
    n, counts = (QUICK_ROWS, QUICK_COUNTS) if plan.quick else (ROWS, COUNTS)
    return [_passes(name, n, k) for name in CASES for k in counts]


def _passes(name: str, n: int, n_components: int) -> Passes:
    X = CASES[name][0](n, n_components)
    model, rows = MODELS["full"](REG_COVAR), MemoryRows(X, n_jobs=1)
    parameters = _start(X, n_components, model, rows)
    for _ in range(BURN_IN):
        parameters = model.maximization(rows.expectation(parameters, model.scatter), parameters)
    tasks = {}
    for dtype in (np.float64, np.float32):
        own = MemoryRows(X.astype(dtype), n_jobs=1, center=rows.center).arranged_for(parameters)
        cut = negligible(n_components, dtype=parameters.dtype_for(own.dtype))
        hints = own.hints()
        tasks[dtype] = partial(own.sums, parameters, model.scatter, hints, cut, parameters.means)
        tasks[dtype]()
    seconds = in_turn(tasks, OFTEN)
    is_narrow = parameters.dtype_for(np.dtype(np.float32)) == np.float32
    wide, narrow = seconds[np.float64], seconds[np.float32]
    result = Passes(name, len(X), X.shape[1], n_components, wide, narrow, is_narrow)
    print(f"components  {'  '.join(_row(result))}", file=sys.stderr, flush=True)
    return result


def _start(X, n_components, model, rows):
    """Clusters of k-means, with covariances shrunk to their mean."""
    drawn = np.random.default_rng(0).permutation(len(X))[: SEEN * n_components]
    means = MiniBatchKMeans(n_components, n_init=1, random_state=0).fit(X[drawn])
    labels, d = means.predict(X), X.shape[1]
    mass = np.bincount(labels, minlength=n_components) + 1.0
    residuals = X - means.cluster_centers_[labels]
    common = residuals.T @ residuals / len(X)
    covariances = np.empty((n_components, d, d))
    for k in range(n_components):
        own = residuals[labels == k]
        covariances[k] = (own.T @ own + d * common) / (len(own) + d)
    return model.parameters(
        mass / mass.sum(), means.cluster_centers_ - rows.center, covariances + REG_COVAR * np.eye(d)
    )


def goals(results: list[Passes]) -> list[Goal]:
    """Return the targets: growth with the components, and float32's speed."""
    found = []
    for name, (_, target) in CASES.items():
        few, many = (r for r in results if r.name == name)
        what = f"{name}: time per row and component, K={few.n_components} / {many.n_components}"
        found.append(Goal(what, few.nanoseconds() / many.nanoseconds(), target))
    return found + [
        Goal(f"{r.name}, K={r.n_components}: float64 / float32", r.ratio(), FASTER)
        for r in results
        if r.d >= FEATURES and r.is_narrow
    ]


def section(results: list[Passes]) -> str:
    header = ["case", "rows", "K", "a row and component, ns", "float64 / float32"]
    return table(header, [_row(r) for r in results])


def _row(r: Passes) -> list[str]:
    ratio = number(r.ratio()) if r.is_narrow else "float32 is too coarse"
    return [r.name, f"{r.n:,}", str(r.n_components), f"{r.nanoseconds():.2f}", ratio]
