"""The two values of the EM loop: the mixture, and the sufficient statistics of the rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from gmmfast.tails import LOG_TWO_PI, log_less_digamma, log_normalizer

Floats = NDArray[np.float64]

SMALLEST, LARGEST = 1e-15, 1e15  # float32 can sum squares of magnitudes between these
COARSEST_FLOAT32, COARSEST_FLOAT64 = 5e-5, 1e-10  # deviations that rounding may move a mean by
COARSEST_SQUARE = 1e-2  # share of a variance in any direction that rounding of products may change
COARSEST = {np.dtype(np.float32): COARSEST_FLOAT32, np.dtype(np.float64): COARSEST_FLOAT64}


class Scatter(Enum):
    """Second moments of the rows that a covariance model needs."""

    FULL = "one matrix per component (K, d, d)"
    POOLED = "one matrix, summed over components (1, d, d)"
    DIAGONAL = "one diagonal per component (K, d)"

    def shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Return the shape of the kernels' accumulator."""
        if self is Scatter.DIAGONAL:
            return n_components, n_features
        n_matrices = n_components if self is Scatter.FULL else 1
        return n_matrices, n_features, n_features


class Density(NamedTuple):
    """A mixture as input of the E step's kernels, in the element type of the rows."""

    constants: NDArray[Any]  # (K,) log weight - log normalizer; -inf for weight zero
    means: NDArray[Any]  # (K, d), whitened if there is a whitening
    factors: NDArray[Any]  # (K, d, d) lower inverse Cholesky, or (K, d) 1 / standard deviation
    whitening: NDArray[Any] | None  # (d, d) lower; applied to the rows first
    noise: NDArray[Any]  # (1,) log of weight times density of the noise; -inf without
    tails: NDArray[Any] | None  # (K, 2) float64, of t components: degrees of freedom, and the
    # expected log of the latent weight of a row at the mean; None for normal components
    filters: NDArray[Any] | None  # of factor analyzers, as in `kernels.maximization.Mixture`

    @property
    def n_factors(self) -> int:
        """Number q of factors; 0 without."""
        return 0 if self.filters is None else self.filters.shape[1] - self.means.shape[1]


@dataclass(frozen=True)
class Parameters:
    """A mixture, and the factors of its densities.

    The log density of component k at x is ``-|factor_k (whitening x - whitening mean_k)|^2 / 2 -
    log_det_k / 2 - d log(2 pi) / 2``; without a whitening it is the identity, and factors of
    shape (K, d) are diagonals. With noise, a uniform component whose weight is left over by the
    others, its log density is the same everywhere. Components with degrees of freedom have t
    distributions, whose scale matrices are the covariances. In variational Bayes, weights and
    log determinants hold expectations under the posterior.
    """

    weights: Floats  # (K,)
    means: Floats  # (K, d), relative to the rows' center
    covariances: Floats  # in the model's structure
    factors: Floats  # (K, d, d) lower inverse Cholesky factors, or (K, d) 1 / standard deviations
    log_dets: Floats  # (K,) log determinants of the covariances
    whitening: Floats | None = None  # (d, d) lower, shared by all components
    noise: Floats | None = None  # (2,) weight and log density of the noise
    degrees: Floats | None = None  # (K,) degrees of freedom of t components
    posterior: Floats | None = None  # (K + 2,): as in `kernels.maximization.Mixture`
    loadings: Floats | None = None  # (K, q, d) of factor analyzers, whose noise is in `covariances`
    filters: Floats | None = None  # as in `kernels.maximization.Mixture`

    def to_arrays(self) -> dict[str, Floats]:
        """Return the arrays by name."""
        return {name: array for name, array in vars(self).items() if array is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> Self:
        """Make a mixture from the arrays of `to_arrays`; KeyError if one is missing."""
        optional = "whitening", "noise", "degrees", "posterior", "loadings", "filters"
        names = [field.name for field in fields(cls) if field.name not in optional]
        return cls(*(arrays[name] for name in names), *map(arrays.get, optional))

    def triangles(self) -> Floats:
        """Return the lower inverse Cholesky factors (K, d, d) of the covariances."""
        factors, whitening = self.factors, self.whitening
        if self.loadings is not None:
            return np.linalg.inv(np.linalg.cholesky(self.matrices()))
        if whitening is not None:
            return np.asarray(factors[:, :, None] * whitening)
        return factors if factors.ndim == 3 else factors[:, :, None] * np.eye(factors.shape[1])

    def matrices(self) -> Floats:
        """Return the covariances (K, d, d) of factor analyzers."""
        assert self.loadings is not None
        noise = self.covariances[:, :, None] * np.eye(self.means.shape[1])
        return np.asarray(self.loadings.swapaxes(1, 2) @ self.loadings + noise)

    def along(self, features: list[int]) -> Self:
        """Return factor analyzers of some features; without filters and log determinants."""
        assert self.loadings is not None
        own = {
            name: getattr(self, name)[:, features] for name in ("means", "covariances", "factors")
        }
        log_dets = np.full(len(self.weights), np.nan)
        return replace(
            self, **own, loadings=self.loadings[:, :, features], filters=None, log_dets=log_dets
        )

    def variances(self) -> Floats:
        """Return the variances (K, d) of the features in each component."""
        own = self.covariances
        if self.loadings is not None:
            return np.asarray(own + np.square(self.loadings).sum(axis=1))
        if own.ndim == 3 or self.whitening is not None:
            own = np.einsum("...ii->...i", own)
        elif own.ndim == 1:
            own = own[:, None]
        return np.array(np.broadcast_to(own, self.means.shape))

    def least_variances(self) -> Floats:
        """Return a lower bound (K,) of the smallest variance, too small by a factor of at most d^2.

        The largest eigenvalue of a precision is at most the sum of squares of its factor.
        """
        squares = np.square(self.factors).reshape(len(self.factors), -1).sum(axis=1)
        if self.whitening is not None:
            squares *= np.square(self.whitening).sum()
        return np.asarray(1 / squares)

    def dtype_for(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return the element type to compute in: float64 if float32 is too coarse.

        It is if rounding moves a mean by more than `COARSEST` standard deviations, if squares over-
        or underflow, or if features are so correlated that products of them lose a variance: along
        row ``f`` of a factor, up to ``eps / 2 (sum_j |f_j| s_j)^2`` of it, where ``s_j`` are the
        standard deviations of the features. With q factors the sum is at most ``q s_j`` over the
        deviation of the feature's noise.
        """
        if dtype == np.float64:
            return dtype
        present = self.weights > 0
        means, factors = self.means[present], self.factors[present]
        if self.whitening is not None:
            factors = self.triangles()[present]
        scales = np.abs(np.einsum("kii->ki", factors) if factors.ndim == 3 else factors)
        with np.errstate(over="ignore", invalid="ignore"):
            shifts = means - means.astype(dtype)
            moved = factors * shifts if factors.ndim == 2 else factors @ shifts[:, :, None]
            fits = (np.abs(moved) < COARSEST[dtype]).all()
            if factors.ndim == 3:
                variances = np.einsum("...ii->...i", self.covariances)  # (d,), (1, d) or (K, d)
                deviations = np.sqrt(np.broadcast_to(variances, self.means.shape))[present]
                reach = (np.abs(factors) @ deviations[:, :, None]).max(initial=0.0)
                fits &= bool(0.5 * np.finfo(dtype).eps * reach**2 < COARSEST_SQUARE)
            if self.loadings is not None:
                reach = (factors * np.sqrt(self.variances()[present])).max(initial=0.0)
                reach *= self.loadings.shape[1]
                fits &= bool(0.5 * np.finfo(dtype).eps * reach**2 < COARSEST_SQUARE)
        exist = ((SMALLEST < scales) & (scales < LARGEST)).all()
        return dtype if fits and exist else np.dtype(np.float64)

    def dtype_to_keep(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return the element type of the attributes.

        As in `dtype_for`, unless rounding could make a covariance indefinite: it moves the smallest
        eigenvalue of a correlation matrix R, at least ``1 / trace(R^-1)``, by up to
        ``d eps / 2``.
        """
        dtype = self.dtype_for(dtype)
        are_matrices = self.covariances.ndim == 3 or self.whitening is not None
        if dtype == np.float64 or not are_matrices:
            return dtype
        triangles, variances = self.triangles(), np.einsum("...ii->...i", self.covariances)
        inflation = np.einsum("kij,kij->kj", triangles, triangles) * variances
        d = inflation.shape[1]
        is_definite = np.finfo(dtype).eps * d * inflation.sum(axis=1).max() < 1
        return dtype if is_definite else np.dtype(np.float64)

    def _is_exact(self, whitening: Floats, dtype: np.dtype[Any]) -> bool:
        """Whether rounding of whitened rows moves rows near a mean by less than `COARSEST`."""
        with np.errstate(over="ignore", invalid="ignore"):
            moved = 0.5 * np.finfo(dtype).eps * (np.abs(self.means) @ np.abs(whitening).T)
            moved = (moved * np.abs(self.factors))[self.weights > 0]
        return bool((moved < COARSEST[dtype]).all())

    def moved(self, shift: Floats) -> Self:
        """Return the mixture for rows shifted by a vector (d,)."""
        return replace(self, means=self.means + shift)

    def with_noise(self, noise: Floats) -> Self:
        """Return the mixture with noise of given weight and log density (2,)."""
        weights = self.weights * ((1 - noise[0]) / self.weights.sum())
        return replace(self, weights=weights, noise=noise)

    def density(self, dtype: np.dtype[Any]) -> Density:
        """Return the kernels' input in an element type."""
        with np.errstate(divide="ignore"):  # a component of weight zero has density zero
            log_weights = np.log(self.weights)
        d, tails = self.means.shape[1], self._tails()
        if tails is None:
            constants = log_weights - 0.5 * (self.log_dets + d * LOG_TWO_PI)
        else:
            normalizers = [log_normalizer(own, d) for own in tails[:, 0].tolist()]
            constants = log_weights + normalizers - 0.5 * self.log_dets
        means, factors, whitening = self.means, self.factors, self.whitening
        if whitening is not None and self._is_exact(whitening, dtype):
            means, whitening = means @ whitening.T, np.array(whitening, dtype, order="C")
        elif whitening is not None:
            factors, whitening = self.triangles(), None
        noise = -math.inf
        if self.noise is not None and self.noise[0] > 0:
            noise = math.log(self.noise[0]) + self.noise[1]
        return Density(  # copies, writable and in C order: one array type to compile for
            constants.astype(dtype),
            np.array(means, dtype, order="C"),
            np.array(factors, dtype, order="C"),
            whitening,
            np.full(1, noise, dtype),
            tails,
            None if self.filters is None else np.array(self.filters, dtype, order="C"),
        )

    def _tails(self) -> Floats | None:
        """Return `Density.tails`."""
        if self.degrees is None:
            return None
        d, degrees = self.means.shape[1], self.degrees
        lost = [log_less_digamma(0.5 * (own + d))[0] for own in degrees.tolist()]
        return np.column_stack([degrees, np.log1p(d / degrees) - lost])


def equal_spheres(means: Floats) -> Parameters:
    """Return spheres of which the likeliest is the one with the nearest mean.

    Log densities are minus half the squared distances: a constant would hide small ones.
    """
    (K, d), no_constant = means.shape, -means.shape[1] * LOG_TWO_PI
    return Parameters(np.ones(K), means, np.ones(K), np.ones((K, d)), np.full(K, no_constant))


@dataclass(frozen=True)
class SufficientStatistics:
    """Everything that an M step needs from the rows. Statistics about the same reference add."""

    log_likelihood: float  # weighted sum over the rows
    doubt: float  # weighted sum of minus the log of the largest responsibility
    weight: float  # sum of the row weights
    n_rows: int  # rows of positive weight
    reference: Floats  # (K, d): the means that the moments are taken about
    mass: Floats  # (K,) sum of w r
    first: Floats  # (K, d) sum of w r (x - reference)
    scatter: Floats  # second moments about the reference: (K, d, d), (1, d, d) or (K, d)
    tails: Floats | None = None  # (2, K) of t components: sums of w r, and of w r log u, NaN where
    # latent weights are not known; r is times the expected u elsewhere
    scores: Floats | None = None  # (K, q, d + 1) of factor analyzers: sums of w r f (x - reference)
    # and, last, of w r f, where f are the factors that the mixture of the E step expects

    def __add__(self, other: SufficientStatistics) -> SufficientStatistics:
        """Return the statistics of both parts of the rows."""
        if not np.array_equal(self.reference, other.reference):
            raise ValueError(
                "Statistics add only about the same reference; use about(reference) first."
            )
        return SufficientStatistics(
            self.log_likelihood + other.log_likelihood,
            self.doubt + other.doubt,
            self.weight + other.weight,
            self.n_rows + other.n_rows,
            self.reference,
            self.mass + other.mass,
            self.first + other.first,
            self.scatter + other.scatter,
            None if self.tails is None or other.tails is None else self.tails + other.tails,
            None if self.scores is None or other.scores is None else self.scores + other.scores,
        )

    def times(self, factor: float) -> SufficientStatistics:
        """Return the statistics for row weights multiplied by a factor."""
        return SufficientStatistics(
            factor * self.log_likelihood,
            factor * self.doubt,
            factor * self.weight,
            self.n_rows,
            self.reference,
            factor * self.mass,
            factor * self.first,
            factor * self.scatter,
            None if self.tails is None else factor * self.tails,
            None if self.scores is None else factor * self.scores,
        )

    def moved(self, shift: Floats) -> SufficientStatistics:
        """Return the statistics of the rows and reference shifted by a vector (d,)."""
        return replace(self, reference=self.reference + shift)

    def about(self, reference: Floats) -> SufficientStatistics:
        """Return the same statistics with moments about other means, exactly."""
        shift = reference - self.reference
        first = self.first - self.mass[:, None] * shift
        half = 0.5 * (self.first + first)  # h = f - m s / 2
        # sum w r (x - s)(x - s)^T = S - s f^T - f s^T + m s s^T = S - s h^T - h s^T
        if self.scatter.ndim == 2:
            scatter = self.scatter - 2 * shift * half
        else:
            change = shift[:, :, None] * half[:, None, :]
            if len(self.scatter) < len(shift):
                change = change.sum(axis=0, keepdims=True)
            scatter = self.scatter - (change + change.transpose(0, 2, 1))
        scores = self.scores
        if scores is not None:
            scores = scores.copy()
            scores[:, :, :-1] -= scores[:, :, -1:] * shift[:, None]
        return replace(self, reference=reference, first=first, scatter=scatter, scores=scores)
