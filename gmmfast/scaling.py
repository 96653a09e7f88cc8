"""Fits to standardised columns, told in the units of the data."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.tables import Table

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Scaling:
    """Columns to mean 0 and standard deviation 1, and fitted parameters back."""

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, table: Table) -> "Scaling":
        """Return the scaling of a table, by its weights; ValueError for a constant column."""
        values = table.values
        weights = np.ones(len(values)) if table.weights is None else table.weights
        if weights.min() < 0 or not weights.max() > 0:
            raise ValueError("Weights must be non-negative and not all zero. Correct them.")
        values, weights = values[weights > 0], weights[weights > 0].astype(np.float64)
        with np.errstate(all="ignore"):
            # Rounded as the values are, so that going there and back loses nothing.
            centre = np.average(values, axis=0, weights=weights).astype(values.dtype)
            scale = np.sqrt(np.average((values - centre) ** 2, axis=0, weights=weights))
            scale = scale.astype(values.dtype)
        usable = np.isfinite(scale) & (scale > 0) & (values.min(axis=0) < values.max(axis=0))
        if not usable.all():
            name = table.names[int(np.argmin(usable))]
            raise ValueError(
                f"--standardize needs columns that vary; column {name!r} does not. "
                "Leave it out with --columns."
            )
        return cls(centre.astype(np.float64), scale.astype(np.float64))

    def apply(self, values: Array) -> Array:
        """Return rows in units of their standard deviation."""
        scaled = values - self.centre.astype(values.dtype)
        scaled /= self.scale.astype(values.dtype)
        return scaled

    def means(self, means: Array) -> Array:
        """Return means in the units of the data."""
        return means * self.scale + self.centre

    def covariances(self, structure: str, covariances: Array) -> tuple[str, Array]:
        """Structure and covariances in the units of the data; mclust's codes become "full"."""
        if structure not in ("diag", "spherical"):
            structure = structure if structure == "tied" else "full"
            return structure, covariances * np.outer(self.scale, self.scale)
        if structure == "spherical":
            covariances = covariances[:, None]
        return "diag", covariances * self.scale**2

    def log_volume(self) -> float:
        """Log density lost a row by going back to the units of the data."""
        return float(np.log(self.scale).sum())
