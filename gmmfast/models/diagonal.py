"""Features are independent within a component (Celeux & Govaert 1995: lambda_k B_k)."""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.families import Family, variances_of_features
from gmmfast.kernels.variances import OWN
from gmmfast.models.base import Model, inverse_deviations
from gmmfast.parameters import Floats, Parameters, Scatter


class Diagonal(Model):
    """Variances (K, d): ``diag(W_k) / mass_k``."""

    code = "VVI"
    scatter = Scatter.DIAGONAL
    family = Family(True, OWN)
    constrain = staticmethod(variances_of_features)

    def parameters(self, weights: Floats, means: Floats, covariances: Floats) -> Parameters:
        factors = inverse_deviations(covariances)
        return Parameters(weights, means, covariances, factors, np.log(covariances).sum(axis=1))

    def covariances_from(self, precisions: Floats) -> Floats:
        return np.asarray(1 / precisions)

    def from_cholesky(
        self, weights: Floats, means: Floats, covariances: Floats, precisions_cholesky: Floats
    ) -> Parameters:
        log_dets = -2 * np.log(precisions_cholesky).sum(axis=1)
        return Parameters(weights, means, covariances, precisions_cholesky, log_dets)

    def precisions_cholesky(self, parameters: Parameters) -> Floats:
        return parameters.factors

    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:
        return np.asarray(covariances[:, :, None] * np.eye(n_features))

    def smallest_variances(self, parameters: Parameters) -> Floats:
        return np.asarray(parameters.covariances.min(axis=1))

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features

    def covariance_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return n_components, n_features
