"""Marginal distributions of a mixture, and their densities: what pictures are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """A mixture along some features.

    The marginal distribution of a Gaussian mixture is the mixture with the means and covariances
    of these features (Bishop 2006, 2.3.2), so a picture needs neither rows nor compiled code.

    Examples
    --------
    >>> import numpy as np
    >>> whole = Mixture(np.ones(1), np.array([[1.0, 5.0]]), np.array([[[4.0, 1.0], [1.0, 9.0]]]))
    >>> whole.along([1]).deviations
    array([[3.]])
    """

    weights: Floats  # (K,)
    means: Floats  # (K, f)
    covariances: Floats  # (K, f, f)

    def along(self, features: Sequence[int]) -> Mixture:
        """Return the marginal distribution of some features, given by their indices."""
        kept = list(features)
        return Mixture(self.weights, self.means[:, kept], self.covariances[:, kept][:, :, kept])

    @property
    def deviations(self) -> Floats:
        """Standard deviations (K, f)."""
        return np.asarray(np.sqrt(np.einsum("kii->ki", self.covariances)))

    def densities(self, points: Floats) -> Floats:
        """Return the weighted density of each component (K, m) at points (m, f).

        A component without width has no density to draw, and gets zeros.
        """
        found = np.empty((len(self.weights), len(points)))
        for k, own in enumerate(self.deviations):
            with np.errstate(all="ignore"):
                correlation = self.covariances[k] / np.outer(own, own)  # scales may differ widely
                residuals = (points - self.means[k]) / own
                inverse = np.linalg.pinv(correlation, hermitian=True)
                distances = (residuals @ inverse * residuals).sum(axis=1)
                volume = np.sqrt(np.linalg.det(2 * np.pi * correlation)) * own.prod()
                found[k] = self.weights[k] / volume * np.exp(-0.5 * distances)
        return np.where(np.isfinite(found), found, 0.0)
