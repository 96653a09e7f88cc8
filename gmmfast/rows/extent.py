"""Range of each feature, from one pass over the rows: it sets the center and the element type.

Rounding of `X - center` costs values near zero their digits, unless the difference is exact. It is
exact where every value lies between half and twice the center (Sterbenz 1974, theorem 4.3.1);
other features are not centered. Moments are taken about the current means in any case.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.parameters import LARGEST, SMALLEST, Floats

HUGE = 1e290  # sums of larger values may overflow
BLOCK = 1 << 16  # values per block (512 KB)
FOLDED = 512  # values per inner loop of a NumPy reduction; short rows are put side by side


class Extent(NamedTuple):
    """Mean, smallest and largest value of each feature, over the rows of positive weight."""

    mean: Floats  # (d,), weighted
    low: Floats  # (d,)
    high: Floats  # (d,)

    def has_sums(self) -> bool:
        """Whether sums of the values are finite."""
        return bool(max(-self.low.min(), self.high.max()) < HUGE)

    def dtype_for(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return the element type to compute in: float64 where squares leave float32's range."""
        with np.errstate(over="ignore"):
            reach, width = np.maximum(-self.low, self.high), self.high - self.low
        fits = (reach < LARGEST) & ((width == 0) | (width > SMALLEST))
        return dtype if fits.all() else np.dtype(np.float64)

    def center_for(self, dtype: np.dtype[Any]) -> Floats:
        """Return the mean (d,), in an element type, where it can be subtracted exactly; else 0."""
        constant = self.low == self.high
        mean = np.where(constant, self.low, self.mean.astype(dtype).astype(np.float64))
        near, far = np.where(mean > 0, (self.low, self.high), (-self.high, -self.low))
        size = np.abs(mean)
        return np.where((near >= size / 2) & (far / 2 <= size), mean, 0.0)


def extent_of(X: NDArray[Any], sample_weight: Floats | None, weight: float) -> Extent:
    """Return the weighted mean and the extremes of each feature; one pass over the rows.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows.
    sample_weight : ndarray of shape (n,), optional
        Row weights; rows of weight zero are ignored.
    weight : float
        Sum of the row weights.
    """
    d = X.shape[1]
    mean, low, high = np.zeros(d), np.full(d, np.inf), np.full(d, -np.inf)
    step = max(1, BLOCK // d)
    for start in range(0, len(X), step):
        # in C order, so that sums do not depend on the caller's order
        block = np.ascontiguousarray(X[start : start + step], np.float64)
        if sample_weight is None:
            with np.errstate(over="ignore", invalid="ignore"):  # overflow: the center is 0 then
                mean += block.sum(axis=0) / weight
        else:
            own = sample_weight[start : start + step]
            block, own = block[own > 0], own[own > 0]
            mean += own / weight @ block
        low, high = widened(low, high, block)
    return Extent(mean, low, high)


def extremes_along(
    X: NDArray[Any], sample_weight: Floats | None, center: Floats, axes: Floats
) -> tuple[Floats, Floats]:
    """Return the extremes (m,) of the rows of positive weight along axes (d, m), about a center."""
    d, m = axes.shape
    low, high, step = np.full(m, np.inf), np.full(m, -np.inf), max(1, BLOCK // d)
    for start in range(0, len(X), step):
        block = X[start : start + step]
        if sample_weight is not None:
            block = block[sample_weight[start : start + step] > 0]
        low, high = widened(low, high, np.ascontiguousarray((block - center) @ axes))
    return low, high


def widened(low: Floats, high: Floats, rows: NDArray[Any]) -> tuple[Floats, Floats]:
    """Return the extremes (d,), updated by more rows (in C order)."""
    n, d = rows.shape
    if not n:
        return low, high
    side_by_side = max(1, min(FOLDED // d, n))
    whole = n - n % side_by_side
    folded, rest = rows[:whole].reshape(-1, side_by_side * d), rows[whole:]
    least, most = folded.min(axis=0).reshape(-1, d), folded.max(axis=0).reshape(-1, d)
    return (
        np.minimum(low, np.concatenate([least, rest]).min(axis=0)),
        np.maximum(high, np.concatenate([most, rest]).max(axis=0)),
    )


def center_near(means: Floats, dtype: np.dtype[Any]) -> Floats:
    """Return the center for evaluating rows with a mixture, from its means (K, d).

    If all means lie near their center, rows with an inexact difference are so far from all of them
    that the rounding does not matter.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # no share is near one then
        center = means.mean(axis=0).astype(dtype).astype(np.float64)
    share = np.divide(means, center, out=np.zeros_like(means), where=center != 0)
    return np.where(((share >= 0.75) & (share <= 1.5)).all(axis=0), center, 0.0)
