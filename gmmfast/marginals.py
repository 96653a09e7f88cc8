"""Marginal distributions of a mixture, and their densities: what pictures are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gmmfast.tails import LOG_TWO_PI, log_normalizer

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """A mixture along some features.

    The marginal distribution of a Gaussian mixture is the mixture with the means and covariances
    of these features (Bishop 2006, 2.3.2), so a picture needs neither rows nor compiled code. The
    same holds for t components, whose `covariances` are scale matrices: given its latent weight a
    row is Gaussian, and the weight is that of all features, so the degrees of freedom remain.

    Examples
    --------
    >>> import numpy as np
    >>> whole = Mixture(np.ones(1), np.array([[1.0, 5.0]]), np.array([[[4.0, 1.0], [1.0, 9.0]]]))
    >>> whole.along([1]).deviations
    array([[3.]])
    """

    weights: Floats  # (K,)
    means: Floats  # (K, f)
    covariances: Floats  # (K, f, f); scale matrices of t components
    degrees: Floats | None = None  # (K,) degrees of freedom of t components

    def along(self, features: Sequence[int]) -> Mixture:
        """Return the marginal distribution of some features, given by their indices."""
        kept = list(features)
        covariances = self.covariances[:, kept][:, :, kept]
        return Mixture(self.weights, self.means[:, kept], covariances, self.degrees)

    @property
    def deviations(self) -> Floats:
        """Standard deviations (K, f); scales of t components, which always exist.

        The standard deviation is ``sqrt(nu / (nu - 2))`` scales, and infinite up to ``nu = 2``.
        """
        return np.asarray(np.sqrt(np.einsum("kii->ki", self.covariances)))

    def coverage(self, sigmas: float) -> Floats:
        """Share of each component (K,) within its ellipse of some deviations, of two features.

        ``1 - exp(-sigmas^2 / 2)``, or ``1 - (1 + sigmas^2 / nu)^(-nu / 2)`` of t components.
        """
        if self.degrees is None:
            return np.full(len(self.weights), -np.expm1(-0.5 * sigmas**2))
        exponents = -0.5 * self.degrees * np.log1p(sigmas**2 / self.degrees)
        return np.asarray(-np.expm1(exponents))

    def reaches(self, share: float) -> Floats:
        """Deviations (K,) of the ellipses of two features that hold a share of each component.

        Along one feature, as many deviations hold more.
        """
        square = -2 * np.log1p(-share)
        if self.degrees is None:
            return np.full(len(self.weights), np.sqrt(square))
        return np.asarray(np.sqrt(self.degrees * np.expm1(square / self.degrees)))

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
                found[k] = self.weights[k] / volume * self._relative(k, distances)
        return np.where(np.isfinite(found), found, 0.0)

    def _relative(self, k: int, distances: Floats) -> Floats:
        """Density of component k by squared distance, in units of a Gaussian's at its mean."""
        logs = -0.5 * distances
        if self.degrees is not None:
            degrees, f = float(self.degrees[k]), self.means.shape[1]
            peak = log_normalizer(degrees, f) + 0.5 * f * LOG_TWO_PI
            logs = peak - 0.5 * (degrees + f) * np.log1p(distances / degrees)
        return np.asarray(np.exp(logs))
