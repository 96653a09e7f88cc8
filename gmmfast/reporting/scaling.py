"""Fits to standardized columns, reported in the units of the data."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.constraints import FACTOR_MODELS, ONE_COLUMN

Array = NDArray[np.floating[Any]]
Parts = Iterable[tuple[Array, Array | None]]


@dataclass(frozen=True)
class Scaling:
    """Scales columns to mean 0 and standard deviation 1, and fitted parameters back."""

    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    shares: NDArray[np.float64]  # of the rows that have a value in each column

    @classmethod
    def of(cls, parts: Parts, names: list[str]) -> "Scaling":
        """Return the scaling of weighted rows, which are read twice.

        Parameters
        ----------
        parts : iterable of (ndarray of shape (m, d), ndarray of shape (m,) or None)
            Rows and weights, the same each time.
        names : list of str
            Of the columns.

        Raises
        ------
        ValueError
            If weights are invalid, or a column is constant; the message names it.
        """
        weight, of_rows, total = np.zeros(len(names)), 0.0, np.zeros(len(names))
        low, high = np.inf, -np.inf
        with np.errstate(all="ignore"):  # an overflow raises below
            for values, weights in _present(parts):
                sums, mass = _sums(values, weights)
                total, weight = total + sums, weight + mass
                of_rows += weights[~np.isnan(values).all(axis=1)].sum()
                low = np.fmin(low, np.fmin.reduce(values, axis=0))
                high = np.fmax(high, np.fmax.reduce(values, axis=0))
            if not of_rows > 0:
                raise _invalid_weights()
            # Rounded as the values are, so that going there and back loses nothing.
            center = (total / weight).astype(values.dtype)
            squares = np.zeros(len(names))
            for values, weights in _present(parts):
                squares += _sums((values - center) ** 2, weights)[0]
            scale = np.sqrt(squares / weight).astype(values.dtype)
        usable = np.isfinite(scale) & (scale > 0) & (low < high)
        if not usable.all():
            name = names[int(np.argmin(usable))]
            raise ValueError(
                f"--standardize needs columns that vary; column {name!r} does not. "
                "Leave it out with --columns."
            )
        return cls(center.astype(np.float64), scale.astype(np.float64), weight / of_rows)

    def apply(self, values: Array) -> Array:
        """Return rows in units of their standard deviation."""
        scaled = values - self.center.astype(values.dtype)
        scaled /= self.scale.astype(values.dtype)
        return scaled

    def means(self, means: Array) -> Array:
        """Return means in the units of the data."""
        return means * self.scale + self.center

    def box(self, box: Array) -> Array:
        """Return a corner and the edges of a box (d + 1, d) in the units of the data."""
        return np.vstack([self.means(box[:1]), box[1:] * self.scale])

    def covariances(self, structure: str, covariances: Array) -> tuple[str, Array]:
        """Structure and covariances in the units of the data.

        mclust's codes become "full"; but for E and V, as one column has one unit.
        """
        if structure in FACTOR_MODELS:  # whose loadings hold the rest
            return structure, covariances * self.scale**2
        if structure not in ("diag", "spherical"):
            structure = structure if structure in ("tied", *ONE_COLUMN) else "full"
            return structure, covariances * np.outer(self.scale, self.scale)
        if structure == "spherical":
            covariances = covariances[:, None]
        return "diag", covariances * self.scale**2

    def log_volume(self) -> float:
        """Log density that a row loses on average by going back to the units of the data."""
        return float((self.shares * np.log(self.scale)).sum())


def _sums(values: Array, weights: Array) -> tuple[Array, Any]:
    """Return the weighted sums (d,) of the values that are there, and the sums of their weights."""
    gaps = np.isnan(values)
    if not gaps.any():
        return (values * weights[:, None]).sum(axis=0), weights.sum()
    return np.where(gaps, 0.0, values * weights[:, None]).sum(axis=0), weights @ ~gaps


def _present(parts: Parts) -> Iterator[tuple[Array, Array]]:
    """Rows of positive weight."""
    for values, weights in parts:
        own = np.ones(len(values)) if weights is None else weights.astype(np.float64)
        if own.min() < 0:
            raise _invalid_weights()
        if own.any():
            yield values[own > 0], own[own > 0]


def _invalid_weights() -> ValueError:
    return ValueError("Weights must be non-negative and not all zero. Correct them.")
