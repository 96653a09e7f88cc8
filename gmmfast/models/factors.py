"""Mixtures of factor analyzers: correlations by few factors (McLachlan & Peel 2000, chapter 8)."""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.families import Family
from gmmfast.kernels.filters import BLOCK, filter_shape, set_filters
from gmmfast.kernels.variances import COMMON, OWN
from gmmfast.models.base import Model, Noise, inverse_cholesky, inverse_deviations
from gmmfast.models.diagonal import Diagonal
from gmmfast.models.step import Tails
from gmmfast.parameters import Floats, Parameters, Scatter

BISECTIONS = 40  # of the logarithm of an eigenvalue


class FactorAnalyzers(Model):
    """Covariances ``loadings_k.T @ loadings_k + diag(variances_k)``, with q loadings (q, d).

    What `Parameters` and the kernels call covariances are the specific variances (K, d), of
    features given the factors.

    Parameters
    ----------
    n_factors : int
        q, of each component.
    is_common : bool
        Whether all components have the same specific variances.
    reg_covar, noise, tails
        As in `Model`.
    """

    code, can_leap = "factor", False
    scatter = Scatter.DIAGONAL

    def __init__(
        self,
        n_factors: int,
        is_common: bool,
        reg_covar: float = 0.0,
        noise: Noise | None = None,
        tails: Tails | None = None,
    ) -> None:
        super().__init__(reg_covar, noise, tails)
        self.n_factors, self.is_common = n_factors, is_common
        self.family = Family(True, COMMON if is_common else OWN)

    @property
    def of_starts(self) -> Diagonal:
        return Diagonal(self.reg_covar, self.noise, self.tails)

    def of_loadings(
        self, weights: Floats, means: Floats, variances: Floats, loadings: Floats
    ) -> Parameters:
        """Return the mixture of specific variances (K, d) and loadings (K, q, d).

        Raises
        ------
        IllDefinedCovarianceError
            If a variance is not positive.
        """
        loadings, variances = np.ascontiguousarray(loadings), np.ascontiguousarray(variances)
        (K, q, d), factors = loadings.shape, inverse_deviations(variances)
        filters, log_dets = np.zeros(filter_shape(K, q, d)), np.empty(K)
        set_filters(loadings, variances, filters, log_dets, np.empty((2, q)))
        own = weights, means, variances, factors, log_dets
        return Parameters(*own, loadings=loadings, filters=filters)

    def parameters(self, weights: Floats, means: Floats, covariances: Floats) -> Parameters:
        """Refuse: factor analyzers follow from loadings."""
        raise TypeError("Factor analyzers follow from loadings; use of_loadings.")

    def covariances_from(self, precisions: Floats) -> Floats:
        """Refuse: there are many loadings for the same precisions."""
        raise TypeError("Factor analyzers follow from loadings; use of_loadings.")

    def from_cholesky(
        self, weights: Floats, means: Floats, covariances: Floats, precisions_cholesky: Floats
    ) -> Parameters:
        """Refuse: there are many loadings for the same factors."""
        raise TypeError("Factor analyzers follow from loadings; use of_loadings.")

    def pass_work(self, n_rows: int, n_components: int, n_features: int) -> int:
        per_feature = BLOCK + 3 * self.n_factors
        return int(n_rows * n_components * n_features * per_feature)

    def step_work(self, n_components: int, n_features: int) -> int:
        return n_components * n_features * self.n_factors**2

    def precisions_cholesky(self, parameters: Parameters) -> Floats:
        """Return the dense factors (K, d, d), as of "full" covariances."""
        factors, _ = inverse_cholesky(parameters.matrices())
        return np.ascontiguousarray(factors.transpose(0, 2, 1))

    def precisions(self, precisions_cholesky: Floats) -> Floats:
        return np.asarray(precisions_cholesky @ precisions_cholesky.swapaxes(-1, -2))

    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:
        return covariances

    def smallest_variances(self, parameters: Parameters) -> Floats:
        """Return the smallest eigenvalues (K,) of the covariances.

        A specific variance alone may vanish: the factors still give its feature a variance.
        """
        assert parameters.loadings is not None
        own = zip(parameters.loadings, parameters.covariances, strict=True)
        return np.array([smallest_eigenvalue(*each) for each in own])

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        """Return the number of free parameters: loadings up to rotations, specific variances.

        McLachlan & Peel 2000, chapter 8.
        """
        q, d = self.n_factors, n_features
        own = q * d - q * (q - 1) // 2
        return n_components * own + d * (1 if self.is_common else n_components)

    def covariance_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Return the shape of the dense matrices, which are only made when they are asked for."""
        return n_components, n_features, n_features

    def shapes(self, n_components: int, n_features: int) -> dict[str, tuple[int, ...]]:
        K, q, d = n_components, self.n_factors, n_features
        own: dict[str, tuple[int, ...]] = {"loadings": (K, q, d), "filters": filter_shape(K, q, d)}
        return super().shapes(K, d) | {"covariances": (K, d)} | own

    def attributes(self, parameters: Parameters) -> dict[str, Floats]:
        """Return loadings (K, d, q), in an order and with signs that do not depend on units.

        In units of the specific deviations they are orthogonal, the strongest first, and the
        largest of each is positive.
        """
        assert parameters.loadings is not None
        deviations = np.sqrt(parameters.covariances)[:, None]
        _, lengths, axes = np.linalg.svd(parameters.loadings / deviations, full_matrices=False)
        largest = np.abs(axes).argmax(axis=2)[:, :, None]
        signs = np.where(np.take_along_axis(axes, largest, axis=2) < 0, -1.0, 1.0)
        loadings = signs * lengths[:, :, None] * axes * deviations
        return {
            "loadings_": np.ascontiguousarray(loadings.swapaxes(1, 2)),
            "specific_variances_": parameters.covariances,
        }


def smallest_eigenvalue(loadings: Floats, variances: Floats) -> float:
    """Return the smallest eigenvalue of ``loadings.T @ loadings + diag(variances)``.

    It lies between the smallest and the (q + 1)-th smallest variance. Bisection finds it: with D
    for ``diag(variances) - m``, the number of eigenvalues below m is that of the negative entries
    of D and of the negative eigenvalues of ``-1 - loadings @ D^-1 @ loadings.T``, less q.

    References
    ----------
    Haynsworth, E. V. (1968). Determination of the inertia of a partitioned Hermitian matrix. Linear
    Algebra and its Applications 1, 73-81.
    """
    q = len(loadings)
    order = np.sort(variances)
    low, high = np.log(order[0]), np.log(order[q])
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        rest = variances - np.exp(middle)
        rest = np.where(rest == 0, np.finfo(float).tiny, rest)
        inner = -np.eye(q) - (loadings / rest) @ loadings.T
        n_below = (rest < 0).sum() + (np.linalg.eigvalsh(inner) < 0).sum() - q
        low, high = (low, middle) if n_below > 0 else (middle, high)
    return float(np.exp(high))
