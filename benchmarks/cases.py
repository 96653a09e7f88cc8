"""Cases: the data, the start of each fit, and the target ratios."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits, load_sample_image
from sklearn.feature_extraction.image import extract_patches_2d

from benchmarks.packages import ONEDAL, SCIKIT_LEARN, Start, quietly
from gmmfast import GaussianMixture

Array = NDArray[Any]

SHRINK = 50  # a quick run has this many times fewer rows
SMALLEST = 2000  # rows of a quick run, at least
FEWER = 2  # EM iterations before the start of a quick run, whose cases converge soon
BLOCK = 1 << 16  # rows drawn at a time, so that generating data takes little memory
SHARED_TARGETS = {SCIKIT_LEARN: 30.0}  # for tied and spherical covariances


# ----------------------------------------------------------------------------------------- data


def generated(n: int, d: int, n_components: int, seed: int = 0, spread: float = 3.0) -> Array:
    """Return rows of a mixture: means ``spread N(0, I)``, random covariances near the identity."""
    rng = np.random.default_rng(seed)
    means = spread * rng.standard_normal((n_components, d))
    shapes = np.eye(d) + 0.4 * rng.standard_normal((n_components, d, d)) / np.sqrt(d)
    X = np.empty((n, d))
    for begin in range(0, n, BLOCK):
        block = X[begin : begin + BLOCK]
        rng.standard_normal(out=block)
        labels = rng.integers(0, n_components, len(block))
        for k in range(n_components):
            block[labels == k] = block[labels == k] @ shapes[k].T + means[k]
    return X


def image_pixels(name: str) -> Array:
    """Colors of one of scikit-learn's pictures, from 0 to 1."""
    return load_sample_image(name).reshape(-1, 3) / 255.0


def pixels(n: int, d: int, n_components: int) -> Array:
    """Colors of china.jpg."""
    colors = image_pixels("china.jpg")
    return colors if n == len(colors) else drawn(colors, n)


def patches(n: int, d: int, n_components: int) -> Array:
    """8 x 8 gray patches of china.jpg and flower.jpg, half of each, from 0 to 1."""
    parts = []
    for name in ("china.jpg", "flower.jpg"):
        gray = load_sample_image(name).mean(axis=2) / 255.0
        parts.append(extract_patches_2d(gray, (8, 8), max_patches=n // 2, random_state=0))
    return np.concatenate(parts).reshape(-1, 64)


def digits(n: int, d: int, n_components: int) -> Array:
    """Handwritten digits of 8 x 8 pixels with values 0 to 16; three pixels are always 0."""
    return load_digits().data


def drawn(X: Array, n: int) -> Array:
    """Return a fixed random subset of the rows."""
    return X[np.random.default_rng(0).choice(len(X), n, replace=False)]


# ---------------------------------------------------------------------------------------- cases


@dataclass(frozen=True)
class Case:
    """Data, and the number of timed iterations of each package."""

    name: str
    n: int
    d: int
    n_components: int
    short: int  # time per iteration: (time of `long` iterations - time of `short`)
    long: int  # / (long - short); for full covariances
    make: Callable[[int, int, int], Array] = generated
    reg_covar: float = 1e-6
    full_targets: dict[str, float] = field(default_factory=dict)  # times as fast as the rival
    diagonal_targets: dict[str, float] = field(default_factory=dict)
    burn_in: int = 10  # EM iterations before the timed start
    cheaper: int = 3  # times as many timed iterations for other covariances

    def data(self) -> Array:
        """Rows (n, d), float64."""
        return self.make(self.n, self.d, self.n_components)

    def iterations(self, covariance_type: str) -> tuple[int, int]:
        """Return the numbers of iterations of the short and the long fit."""
        times = 1 if covariance_type == "full" else self.cheaper
        return self.short, self.short + times * (self.long - self.short)

    def targets(self, covariance_type: str) -> dict[str, float]:
        """Return the target ratio to each rival."""
        known = {"full": self.full_targets, "diag": self.diagonal_targets}
        return known.get(covariance_type, SHARED_TARGETS)

    def title(self) -> str:
        """Name and size."""
        n = f"{self.n // 10**6}M" if self.n % 10**6 == 0 else f"{self.n // 1000}k"
        size = f"{n if self.n % 1000 == 0 else self.n} x {self.d}, K={self.n_components}"
        return f"{self.name}, {size}" if self.name else size

    def shrunk(self) -> "Case":
        """Return the case for a quick run: fewer rows, iterations and components."""
        short = replace(self, short=1, long=4, burn_in=FEWER, cheaper=1)
        if self.n <= SMALLEST:
            return short
        n = max(self.n // SHRINK, SMALLEST)
        n_components = min(self.n_components, max(2, n // (16 * self.d)))
        return replace(short, n=n, n_components=n_components)


def aims(scikit_learn: float, onedal: float | None = None) -> dict[str, float]:
    return {SCIKIT_LEARN: scikit_learn} | ({} if onedal is None else {ONEDAL: onedal})


# 1e-6 for images: about the variance that rounding to 8 bits leaves, (1/255)^2 / 12.
# 0.1 for digits: likewise for steps of 1, 1/12.
CASES = (
    Case("", 1_000_000, 2, 5, 2, 12, full_targets=aims(60, 3), diagonal_targets=aims(60, 6)),
    Case("", 300_000, 10, 10, 2, 12, full_targets=aims(60, 8), diagonal_targets=aims(30, 6)),
    Case("", 100_000, 16, 100, 1, 6, full_targets=aims(100, 15), diagonal_targets=aims(60, 10)),
    Case("", 100_000, 32, 32, 1, 7, full_targets=aims(70, 20), diagonal_targets=aims(20, 8)),
    Case("", 50_000, 64, 64, 1, 6, full_targets=aims(70), diagonal_targets=aims(25, 15)),
    Case("", 50_000, 128, 16, 1, 6, full_targets=aims(30, 15), diagonal_targets=aims(15, 6)),
    Case(
        "china.jpg pixels", 273_280, 3, 16, 2, 12, pixels,
        full_targets=aims(60), diagonal_targets=aims(60),
    ),
    Case(
        "8x8 patches", 100_000, 64, 100, 1, 4, patches,
        full_targets=aims(25), diagonal_targets=aims(25),
    ),
    Case(
        "digits", 1797, 64, 10, 5, 45, digits, reg_covar=0.1,
        full_targets=aims(20), diagonal_targets=aims(10),
    ),
)  # fmt: skip
SHARED_SHAPES = (CASES[1], CASES[3])  # for tied and spherical covariances


# --------------------------------------------------------------------------------------- starts


def random_rows(X: Array, n_components: int, covariance_type: str, reg_covar: float) -> Start:
    """Equal weights, means at random rows, and the covariance of all rows for each component."""
    n, d = X.shape
    means = X[np.random.default_rng(1).choice(n, n_components, replace=False)]
    common = np.cov(X, rowvar=False).reshape(d, d) + reg_covar * np.eye(d)
    covariances = {
        "full": np.repeat(common[None], n_components, axis=0),
        "tied": common,
        "diag": np.repeat(common.diagonal()[None], n_components, axis=0),
        "spherical": np.full(n_components, common.diagonal().mean()),
    }[covariance_type]
    weights = np.full(n_components, 1 / n_components)
    matrices = covariance_type in ("full", "tied")
    precisions = np.linalg.inv(covariances) if matrices else 1 / covariances
    return Start(weights, means, covariances, precisions, covariance_type, reg_covar)


def typical_start(X: Array, case: Case, covariance_type: str) -> Start:
    """Return a fit after a few iterations, typical of most iterations of a fit."""
    start = random_rows(X, case.n_components, covariance_type, case.reg_covar)
    with quietly():
        mixture = GaussianMixture(**start.keywords(case.burn_in)).fit(X)
    return replace(
        start,
        weights=mixture.weights_,
        means=mixture.means_,
        covariances=mixture.covariances_,
        precisions=mixture.precisions_,
    )
