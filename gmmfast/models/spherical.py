"""Each component is spherical, with its own variance (Celeux & Govaert 1995: lambda_k I)."""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.families import Family, variances_of_features
from gmmfast.kernels.variances import ROUND
from gmmfast.models.base import Model, inverse_deviations
from gmmfast.parameters import Floats, Parameters, Scatter


class Spherical(Model):
    """Variances (K,): ``trace(W_k) / (d mass_k)``."""

    code = "VII"
    scatter = Scatter.DIAGONAL
    family = Family(True, ROUND)
    constrain = staticmethod(variances_of_features)

    def structured(self, covariances: Floats, n_components: int) -> Floats:
        return covariances[:, 0]

    def unstructured(self, covariances: Floats, n_features: int) -> Floats:
        return np.repeat(covariances[:, None], n_features, axis=1)

    def parameters(self, weights: Floats, means: Floats, covariances: Floats) -> Parameters:
        d = means.shape[1]
        factors = np.repeat(inverse_deviations(covariances)[:, None], d, axis=1)
        return Parameters(weights, means, covariances, factors, d * np.log(covariances))

    def covariances_from(self, precisions: Floats) -> Floats:
        return np.asarray(1 / precisions)

    def from_cholesky(
        self, weights: Floats, means: Floats, covariances: Floats, precisions_cholesky: Floats
    ) -> Parameters:
        d = means.shape[1]
        factors = np.repeat(precisions_cholesky[:, None], d, axis=1)
        return Parameters(
            weights, means, covariances, factors, -2 * d * np.log(precisions_cholesky)
        )

    def precisions_cholesky(self, parameters: Parameters) -> Floats:
        return parameters.factors[:, 0].copy()

    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:
        return np.asarray(covariances[:, None, None] * np.eye(n_features))

    def smallest_variances(self, parameters: Parameters) -> Floats:
        return parameters.covariances

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        return n_components

    def covariance_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        return (n_components,)
