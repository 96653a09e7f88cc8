"""The 14 models of Celeux & Govaert (1995): volume, shape and axes, own, common or absent.

A covariance is ``volume * axes @ diag(shape) @ axes.T``. mclust's codes name the three in this
order: E for equal in all components, V for varying, I for a shape of ones or the features' axes.
"""

from __future__ import annotations

import numpy as np

from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.kernels.families import (
    Family,
    matrices_of_common_axes,
    matrices_of_own_axes,
    pooled_matrix,
    variances_of_features,
)
from gmmfast.kernels.variances import COMMON, OWN, ROUND
from gmmfast.models.base import (
    Model,
    Noise,
    inverse_cholesky,
    inverse_deviations,
    inverse_of_precisions,
    smallest_eigenvalues,
)
from gmmfast.models.step import Tails
from gmmfast.parameters import Floats, Parameters, Scatter

SHAPES = {"I": ROUND, "E": COMMON, "V": OWN}


class Parsimonious(Model):
    """Covariances (K, d, d) of one of the models.

    Parameters
    ----------
    code : str
        mclust's code, such as ``"VEV"``.
    reg_covar : float
        Added to the diagonal of every component's covariance, before the family's constraint.
    noise : Noise, optional
        A uniform component beside the others.
    tails : Tails, optional
        Degrees of freedom, if components have t distributions.

    References
    ----------
    Celeux, G., Govaert, G. (1995). Gaussian parsimonious clustering models. Pattern Recognition
    28(5), 781-793: the models in table 1, their M steps in section 3.

    Browne, R. P., McNicholas, P. D. (2014). Estimating common principal components in high
    dimensions. Advances in Data Analysis and Classification 8, 217-226: EVE and VVE.
    """

    has_triangles = True
    family: Family

    def __init__(
        self,
        code: str,
        reg_covar: float = 0.0,
        noise: Noise | None = None,
        tails: Tails | None = None,
    ) -> None:
        super().__init__(reg_covar, noise, tails)
        self.code, self._axes = code, code[2]
        self.family = Family(code[0] == "V", SHAPES[code[1]])
        self.is_whitened = self._axes == "E" and self.family.shape == COMMON
        self.needs_axes = False
        if self._axes == "I":
            self.scatter, self.constrain = Scatter.DIAGONAL, variances_of_features
        elif code == "EEE":
            self.scatter, self.constrain = Scatter.POOLED, pooled_matrix
        else:
            self.scatter, self.needs_axes = Scatter.FULL, True
            common = self._axes == "E"
            self.constrain = matrices_of_common_axes if common else matrices_of_own_axes

    def structured(self, covariances: Floats, n_components: int) -> Floats:
        if self.scatter is Scatter.DIAGONAL:
            return np.asarray(covariances[:, :, None] * np.eye(covariances.shape[1]))
        if self.scatter is Scatter.POOLED:
            return np.repeat(covariances, n_components, axis=0)
        return covariances

    def unstructured(self, covariances: Floats, n_features: int) -> Floats:
        if self.scatter is Scatter.DIAGONAL:
            return np.asarray(np.einsum("kii->ki", covariances))
        return covariances[:1] if self.scatter is Scatter.POOLED else covariances

    # ------------------------------------------------------------------------------- factors

    def parameters(self, weights: Floats, means: Floats, covariances: Floats) -> Parameters:
        """Return the mixture with the cheapest factors that the family allows."""
        if self._axes == "I":
            variances = np.einsum("kii->ki", covariances)
            factors, log_dets = inverse_deviations(variances), np.log(variances).sum(axis=1)
            return Parameters(weights, means, covariances, factors, log_dets)
        if not self.is_whitened:
            factors, log_dets = inverse_cholesky(covariances)
            return Parameters(weights, means, covariances, factors, log_dets)
        try:
            factors, log_dets = inverse_cholesky(covariances[:1])
        except IllDefinedCovarianceError:
            raise IllDefinedCovarianceError(None) from None  # the common covariance
        inverse_deviations(np.einsum("kii->ki", covariances))  # requires the other volumes too
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
        return np.ascontiguousarray(parameters.triangles().transpose(0, 2, 1))

    def precisions(self, precisions_cholesky: Floats) -> Floats:
        return np.asarray(precisions_cholesky @ precisions_cholesky.swapaxes(-1, -2))

    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:
        return covariances

    def smallest_variances(self, parameters: Parameters) -> Floats:
        return smallest_eigenvalues(parameters.triangles())

    # -------------------------------------------------------------------------------- counts

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        K, d = n_components, n_features
        volumes = K if self.family.own_volumes else 1
        shapes = {ROUND: 0, COMMON: 1, OWN: K}[self.family.shape] * (d - 1)
        axes = {"I": 0, "E": 1, "V": K}[self._axes] * (d * (d - 1) // 2)
        return volumes + shapes + axes

    def covariance_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return n_components, n_features, n_features
