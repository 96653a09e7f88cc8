"""The 14 models of Celeux & Govaert (1995): volume, shape and axes, own, common or none.

A covariance is ``volume * axes @ diag(shape) @ axes.T``. mclust's codes name the three in this
order: E is equal in all components, V varies, I is a shape of ones, or the features' axes.
"""

from __future__ import annotations

import numpy as np

from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.kernels.families import (
    COMMON,
    OWN,
    ROUND,
    compose,
    diagonalize,
    fill_variances,
    fit_common_axes,
)
from gmmfast.models.base import (
    Model,
    inverse_cholesky,
    inverse_deviations,
    inverse_of_precisions,
    smallest_eigenvalues,
)
from gmmfast.parameters import Floats, Parameters, Scatter

SHAPES = {"I": ROUND, "E": COMMON, "V": OWN}
ALMOST_NONE = 1e-100  # mass: a component without any follows the others and `reg_covar`


class Parsimonious(Model):
    """Covariances (K, d, d) of one of the models.

    Parameters
    ----------
    code : str
        One of mclust's, such as ``"VEV"``.
    reg_covar : float
        Added to the diagonal of every component's covariance, before the family's constraint.

    References
    ----------
    Celeux, G., Govaert, G. (1995). Gaussian parsimonious clustering models. Pattern Recognition
    28(5), 781-793: the models in table 1, their M steps in section 3.

    Browne, R. P., McNicholas, P. D. (2014). Estimating common principal components in high
    dimensions. Advances in Data Analysis and Classification 8, 217-226: EVE and VVE.
    """

    has_triangles = True

    def __init__(self, code: str, reg_covar: float = 0.0) -> None:
        super().__init__(reg_covar)
        self._own_volumes, self._shape, self._axes = code[0] == "V", SHAPES[code[1]], code[2]
        self._is_proportional = self._axes == "E" and self._shape == COMMON
        if self._axes == "I":
            self.scatter = Scatter.DIAGONAL
        elif code == "EEE":
            self.scatter = Scatter.POOLED
        else:
            self.scatter = Scatter.FULL

    # --------------------------------------------------------------------------------- M step

    def covariances(
        self, scatter: Floats, mass: Floats, previous: Parameters | None = None
    ) -> Floats:
        mass = np.where(mass > 0, mass, ALMOST_NONE)
        floor = self.reg_covar * mass
        if self.scatter is Scatter.DIAGONAL:
            scatter = scatter + floor[:, None]
        else:
            own = floor[:, None, None] * np.eye(scatter.shape[-1])
            scatter = scatter + (own if self.scatter is Scatter.FULL else own.sum(axis=0))
        return self._constrained(scatter, mass, previous)

    def _constrained(self, scatter: Floats, mass: Floats, previous: Parameters | None) -> Floats:
        """Maximise the likelihood of scatter over the family."""
        if self.scatter is Scatter.POOLED:
            return np.repeat(scatter / mass.sum(), len(mass), axis=0)
        if self.scatter is Scatter.DIAGONAL:
            return self._variances(scatter, mass)[:, :, None] * np.eye(scatter.shape[-1])
        if self._axes == "E":
            return self._of_common_axes(scatter, mass, previous)
        return self._of_own_axes(scatter, mass)

    def nearest(self, covariances: Floats, like: Parameters) -> Floats:
        """Return the member that the covariances, as scatter of the mixture's rows, lead to."""
        mass = np.maximum(like.weights, ALMOST_NONE)
        scatter = covariances * mass[:, None, None]
        if self.scatter is Scatter.DIAGONAL:
            scatter = np.einsum("kii->ki", scatter)
        elif self.scatter is Scatter.POOLED:
            scatter = scatter.sum(axis=0, keepdims=True)
        return self._constrained(scatter, mass, like)

    def _variances(self, spread: Floats, mass: Floats) -> Floats:
        variances = np.empty_like(spread)
        fill_variances(self._own_volumes, self._shape, spread, mass, variances)
        return variances

    def _of_own_axes(self, scatter: Floats, mass: Floats) -> Floats:
        axes, rotated = np.empty_like(scatter), scatter.copy()
        for k in range(len(mass)):
            diagonalize(rotated[k : k + 1], axes[k])
        spread = np.maximum(np.einsum("kii->ki", rotated), 0)
        return _composed(axes, self._variances(spread, mass))

    def _of_common_axes(self, scatter: Floats, mass: Floats, previous: Parameters | None) -> Floats:
        """From the axes of the step before; at first, from the best of some candidates."""
        if previous is None:
            candidates = [scatter.sum(axis=0), *scatter]
        else:
            candidates = [np.tensordot(mass, previous.covariances, axes=1)]
        found = [self._along_common_axes(scatter, mass, candidate) for candidate in candidates]
        return min(found, key=lambda result: result[0])[1]

    def _along_common_axes(
        self, scatter: Floats, mass: Floats, candidate: Floats
    ) -> tuple[float, Floats]:
        """From a matrix' eigenvectors: ``sum_k mass_k log |covariance_k|``, and the covariances."""
        axes = np.empty_like(candidate)
        diagonalize(candidate[None].copy(), axes)
        rotated = axes.T @ scatter @ axes
        spread, variances = np.empty(scatter.shape[:2]), np.empty(scatter.shape[:2])
        log_dets = fit_common_axes(
            self._own_volumes, self._shape, mass, rotated, axes, spread, variances
        )
        return log_dets, _composed(np.repeat(axes[None], len(mass), axis=0), variances)

    # ------------------------------------------------------------------------------- factors

    def parameters(self, weights: Floats, means: Floats, covariances: Floats) -> Parameters:
        """Return the mixture with the cheapest factors that the family allows."""
        if self._axes == "I":
            variances = np.einsum("kii->ki", covariances)
            factors, log_dets = inverse_deviations(variances), np.log(variances).sum(axis=1)
            return Parameters(weights, means, covariances, factors, log_dets)
        if not self._is_proportional:
            factors, log_dets = inverse_cholesky(covariances)
            return Parameters(weights, means, covariances, factors, log_dets)
        try:
            factors, log_dets = inverse_cholesky(covariances[:1])
        except IllDefinedCovarianceError:
            raise IllDefinedCovarianceError(None) from None  # no component's own
        d = means.shape[1]
        scales = np.trace(covariances, axis1=1, axis2=2) / np.trace(covariances[0])
        return Parameters(
            weights, means, covariances, np.repeat(1 / np.sqrt(scales)[:, None], d, axis=1),
            log_dets[0] + d * np.log(scales), factors[0],
        )  # fmt: skip

    def covariances_from(self, precisions: Floats) -> Floats:
        return inverse_of_precisions(precisions)

    def of_covariances(self, weights: Floats, means: Floats, covariances: Floats) -> Parameters:
        factors, log_dets = inverse_cholesky(covariances)
        return Parameters(weights, means, covariances, factors, log_dets)

    def from_cholesky(
        self, weights: Floats, means: Floats, covariances: Floats, precisions_cholesky: Floats
    ) -> Parameters:
        factors: Floats = precisions_cholesky.transpose(0, 2, 1)
        diagonals = np.einsum("kii->ki", factors)
        log_dets = -2 * np.log(diagonals).sum(axis=1)
        if self._axes == "I" and np.count_nonzero(factors) == diagonals.size:
            factors = diagonals.copy()
        return Parameters(weights, means, covariances, factors, log_dets)

    def precisions_cholesky(self, parameters: Parameters) -> Floats:
        return np.ascontiguousarray(_triangles(parameters).transpose(0, 2, 1))

    def precisions(self, precisions_cholesky: Floats) -> Floats:
        return np.asarray(precisions_cholesky @ precisions_cholesky.swapaxes(-1, -2))

    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:
        return covariances

    def smallest_variances(self, parameters: Parameters) -> Floats:
        return smallest_eigenvalues(_triangles(parameters))

    # -------------------------------------------------------------------------------- counts

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        K, d = n_components, n_features
        volumes = K if self._own_volumes else 1
        shapes = {ROUND: 0, COMMON: 1, OWN: K}[self._shape] * (d - 1)
        axes = {"I": 0, "E": 1, "V": K}[self._axes] * (d * (d - 1) // 2)
        return volumes + shapes + axes

    def covariance_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return n_components, n_features, n_features


def _triangles(parameters: Parameters) -> Floats:
    """Lower inverse Cholesky factors (K, d, d), whatever the E step works with."""
    factors, whitening = parameters.factors, parameters.whitening
    if whitening is not None:
        return np.asarray(factors[:, :, None] * whitening)
    return factors if factors.ndim == 3 else factors[:, :, None] * np.eye(factors.shape[1])


def _composed(axes: Floats, variances: Floats) -> Floats:
    covariances = np.empty_like(axes)
    for k in range(len(axes)):
        compose(axes[k], variances[k], covariances[k])
    return covariances
