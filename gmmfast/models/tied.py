"""All components share one covariance matrix (Celeux & Govaert 1995: lambda D A D^T)."""

from __future__ import annotations

import numpy as np

from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.kernels.families import Family, pooled_matrix
from gmmfast.kernels.variances import COMMON
from gmmfast.models.base import Model, inverse_cholesky, inverse_of_precisions, smallest_eigenvalues
from gmmfast.parameters import Floats, Parameters, Scatter


class Tied(Model):
    """Covariance (d, d): ``sum_k W_k / sum_k mass_k``. It whitens the rows once."""

    code = "EEE"
    has_triangles = True
    scatter = Scatter.POOLED
    family = Family(False, COMMON)
    constrain = staticmethod(pooled_matrix)
    is_whitened = True

    def structured(self, covariances: Floats, n_components: int) -> Floats:
        return np.asarray(covariances[0])

    def unstructured(self, covariances: Floats, n_features: int) -> Floats:
        return covariances[None]

    def parameters(self, weights: Floats, means: Floats, covariances: Floats) -> Parameters:
        try:
            factors, log_dets = inverse_cholesky(covariances[None])
        except IllDefinedCovarianceError:
            raise IllDefinedCovarianceError(None) from None  # the common covariance
        shared = np.full(len(means), log_dets[0])
        return Parameters(weights, means, covariances, np.ones_like(means), shared, factors[0])

    def covariances_from(self, precisions: Floats) -> Floats:
        return inverse_of_precisions(precisions)

    def from_cholesky(
        self, weights: Floats, means: Floats, covariances: Floats, precisions_cholesky: Floats
    ) -> Parameters:
        whitening = precisions_cholesky.T
        log_dets = np.full(len(means), -2 * np.log(np.diagonal(whitening)).sum())
        return Parameters(weights, means, covariances, np.ones_like(means), log_dets, whitening)

    def precisions_cholesky(self, parameters: Parameters) -> Floats:
        assert parameters.whitening is not None
        return np.ascontiguousarray(parameters.whitening.T)

    def precisions(self, precisions_cholesky: Floats) -> Floats:
        return np.asarray(precisions_cholesky @ precisions_cholesky.swapaxes(-1, -2))

    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:
        return np.repeat(covariances[None], n_components, axis=0)

    def smallest_variances(self, parameters: Parameters) -> Floats:
        assert parameters.whitening is not None
        return smallest_eigenvalues(parameters.whitening[None])

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        return n_features * (n_features + 1) // 2

    def covariance_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return n_features, n_features
