"""Each component has its own covariance matrix (Celeux & Govaert 1995: lambda_k D_k A_k D_k^T)."""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.families import Family, own_matrices
from gmmfast.kernels.variances import OWN
from gmmfast.models.base import (
    Model,
    inverse_cholesky,
    inverse_of_precisions,
    smallest_eigenvalues,
)
from gmmfast.parameters import Floats, Parameters, Scatter


class Full(Model):
    """Covariances (K, d, d): ``W_k / mass_k``, Bishop 2006, equation 9.25."""

    code = "VVV"
    has_triangles = True
    scatter = Scatter.FULL
    family = Family(True, OWN)
    constrain = staticmethod(own_matrices)

    def parameters(self, weights: Floats, means: Floats, covariances: Floats) -> Parameters:
        factors, log_dets = inverse_cholesky(covariances)
        return Parameters(weights, means, covariances, factors, log_dets)

    def covariances_from(self, precisions: Floats) -> Floats:
        return inverse_of_precisions(precisions)

    def from_cholesky(
        self, weights: Floats, means: Floats, covariances: Floats, precisions_cholesky: Floats
    ) -> Parameters:
        factors = precisions_cholesky.transpose(0, 2, 1)
        log_dets = -2 * np.log(np.einsum("kii->ki", factors)).sum(axis=1)
        return Parameters(weights, means, covariances, factors, log_dets)

    def precisions_cholesky(self, parameters: Parameters) -> Floats:
        return np.ascontiguousarray(parameters.factors.transpose(0, 2, 1))

    def precisions(self, precisions_cholesky: Floats) -> Floats:
        return np.asarray(precisions_cholesky @ precisions_cholesky.swapaxes(-1, -2))

    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:
        return covariances

    def smallest_variances(self, parameters: Parameters) -> Floats:
        return smallest_eigenvalues(parameters.factors)

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features * (n_features + 1) // 2

    def covariance_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return n_components, n_features, n_features
