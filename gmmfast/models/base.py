"""Base class of the covariance models: the M step, and the methods that each family defines."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from copy import copy
from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.prior import Prior
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.kernels.cholesky import LEAST_VARIANCE, invert_cholesky
from gmmfast.kernels.degrees import COMMON_DEGREES, GIVEN, OWN_DEGREES
from gmmfast.kernels.families import Family
from gmmfast.kernels.maximization import FINE, SHARED, Fixed
from gmmfast.kernels.variances import OWN
from gmmfast.models.prior import NO_PRIOR, Moments, log_density, terms_of
from gmmfast.models.step import (
    Tails,
    Variational,
    load_mixture,
    new_state,
    new_totals,
    new_work,
    parameters_from,
    take_m_step,
)
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics

ROTATIONS = 100  # times the work of a factorization, where axes are fitted
SPIKE = 1e-6  # of the data's smallest variance: few rows can shrink to it by chance
ROUNDING = 1e-24  # likewise: the rounding error of a variance of zero


class Noise(NamedTuple):
    """A uniform component beside the others (Banfield & Raftery 1993)."""

    log_density: float  # minus the log of the volume over which it is uniform
    share: float  # of the rows, to begin with
    labels: NDArray[np.bool_] | None = None  # (n,) first guess of the rows that are noise
    box: Floats | None = None  # (d + 1, d): a corner of the volume, and the edges that begin there

    @classmethod
    def of(cls, parameters: Parameters) -> Noise | None:
        """Return the noise of a mixture, if there is any."""
        if parameters.noise is None:
            return None
        share, log_density = parameters.noise.tolist()
        return cls(log_density, share)


class Model(ABC):
    """A family of covariances, with or without noise, of normal or t components.

    Parameters
    ----------
    reg_covar : float
        Added to the diagonal of every component's covariance, before the family's constraint.
    noise : Noise, optional
        A uniform component beside the others.
    tails : Tails, optional
        Degrees of freedom, if components have t distributions.

    Attributes
    ----------
    prior : PriorTerms
        What the M step adds for a prior, per unit of the total weight of the rows.
    fixed : Fixed or None
        What the M step leaves as it is.
    variational : Variational or None
        How mixtures stand for a posterior.
    """

    code: str  #: mclust's
    scatter: Scatter  #: the second moments that the family needs
    has_triangles = False  #: whether ``precisions_cholesky_`` holds triangles, not scalars
    family: Family  #: what its components share
    constrain: Any  #: the family's kernel in `gmmfast.kernels.families`
    is_whitened = False  #: whether one matrix whitens the rows, which makes components round
    needs_axes = False  #: whether `constrain` iterates over axes
    n_factors = 0  #: of factor analyzers
    can_leap = True  #: whether the sums of earlier passes still count when parameters have moved

    def __init__(
        self, reg_covar: float = 0.0, noise: Noise | None = None, tails: Tails | None = None
    ) -> None:
        self.reg_covar, self.noise, self.tails, self.prior = reg_covar, noise, tails, NO_PRIOR
        self.fixed: Fixed | None = None
        self.variational: Variational | None = None

    @property
    def of_starts(self) -> Model:
        """The model that starts are of: this one, or a simpler one."""
        return self

    @property
    def is_constrained(self) -> bool:
        """Whether covariances whose factors fit the family may still lie outside it."""
        return self.needs_axes or self.family.ratio < math.inf

    def with_prior(self, prior: Prior, n_components: int, rows: Moments) -> Self:
        """Return the model with a prior, for K components and rows with given moments."""
        model, is_diagonal = copy(self), self.scatter is Scatter.DIAGONAL
        model.prior = terms_of(prior, self.code, is_diagonal, n_components, rows)
        return model

    def with_fixed(self, weights: Floats, means: Floats, covariances: Floats | None) -> Self:
        """Return the model with parameters that stay as they are; NaN where they are free.

        Parameters
        ----------
        weights : ndarray of shape (K,)
            Mixing weights.
        means : ndarray of shape (K, d)
            Means, relative to the rows' center.
        covariances : ndarray or None
            Covariances in the family's structure; None if all are free.
        """
        model, (K, d) = copy(self), means.shape
        own = np.full(self.scatter.shape(K, d), np.nan)
        if covariances is not None:
            own[...] = self.unstructured(covariances, d)
        model.fixed = Fixed(True, weights, np.ascontiguousarray(means), own)
        return model

    def log_prior(self, parameters: Parameters) -> float:
        """Return the log density of the prior at a mixture, up to a constant, in nats per row.

        Of a posterior, minus its divergence from the prior.
        """
        if self.variational is not None and parameters.posterior is not None:
            return float(parameters.posterior[-1]) / self.variational.weight
        return log_density(self.prior, parameters)

    def maximization(
        self, statistics: SufficientStatistics, previous: Parameters | None = None
    ) -> Parameters:
        """M step: the parameters that maximize the expected complete log-likelihood.

        Bishop 2006, equations 9.24-9.26. From previous parameters, families with common axes take a
        few turns only, which do not lower it. A component whose mass is below rounding keeps its
        mean and gets weight zero and the covariance ``reg_covar * I``.

        Raises
        ------
        IllDefinedCovarianceError
            If a covariance is not positive definite.
        """
        K, d = statistics.reference.shape
        state = new_state(self, K, d)
        mixture, work = state.mixture, new_work(self, state)
        own = self.scatter.shape(K, d), self.tails is not None, self.n_factors
        totals = new_totals(mixture.means, *own)
        if previous is None:
            mixture.means[...] = statistics.reference
        else:
            load_mixture(self, previous, mixture, work)
        failed = take_m_step(self, statistics, totals, mixture, work)
        if failed != FINE:
            raise IllDefinedCovarianceError(None if failed == SHARED else failed)
        return parameters_from(self, mixture)

    def pass_work(self, n_rows: int, n_components: int, n_features: int) -> int:
        """Return the multiplications of an unpruned pass, about: from the shapes alone."""
        per_component = n_features if self.scatter is Scatter.DIAGONAL else n_features**2
        return int(n_rows * n_components * per_component)

    def step_work(self, n_components: int, n_features: int) -> int:
        """Return the multiplications of an M step for matrices, about: from the shapes alone."""
        if self.scatter is Scatter.DIAGONAL:
            return 0
        return n_components * n_features**3 * (ROTATIONS if self.needs_axes else 1)

    def degenerate(
        self, parameters: Parameters, statistics: SufficientStatistics | None
    ) -> NDArray[np.bool_]:
        """Return which components (K,) have collapsed, so that their density is meaningless.

        Their smallest variance in any direction is at the floor set by `reg_covar`, or far below
        the smallest variance of all rows (with independent features, of the feature that varies
        least): below the share `SPIKE` if the component has few rows, `few_rows`, and below
        `ROUNDING` if it has many, which may form a narrow cluster. With a prior none can.
        """
        if statistics is None:
            return self.collapsed(parameters, 0, np.zeros(1))
        return self.collapsed(parameters, statistics.n_rows, total_of(parameters, statistics))

    def are_flat(self, parameters: Parameters, statistics: SufficientStatistics) -> bool:
        """Whether all rows together vary no more than `reg_covar` in some direction.

        Then columns are constant or follow from others, and all components have collapsed.
        """
        total = total_of(parameters, statistics)
        return bool(smallest_variance(total) <= 1.001 * self.reg_covar)

    def collapsed(self, parameters: Parameters, n_rows: int, total: Floats) -> NDArray[np.bool_]:
        """Return which components (K,) have collapsed, as defined in `degenerate`.

        Parameters
        ----------
        parameters : Parameters
            The mixture.
        n_rows : int
            Rows of positive weight.
        total : ndarray of shape (d, d) or (d,)
            Covariance of all rows, or the variances of their features.
        """
        if self.prior.is_present:
            return np.zeros(len(parameters.weights), np.bool_)
        few = parameters.weights * n_rows < few_rows(parameters.means.shape[1])
        share, least = np.where(few, SPIKE, ROUNDING), total.min()
        if total.ndim == 2:
            least = total.diagonal().min()  # an upper bound of the smallest variance
        gone = parameters.weights == 0
        floor = np.maximum(share * least, 1.001 * self.reg_covar)
        if (parameters.least_variances() > floor).all():
            return np.asarray(gone)
        floor = np.where(few, *self.floors(total))
        smallest = self.smallest_variances(parameters)
        found = (smallest < floor) | (smallest <= 1.001 * self.reg_covar) | gone
        if self.fixed is not None and len(self.fixed.covariances) == len(found):
            given = ~np.isnan(self.fixed.covariances).reshape(len(found), -1).any(axis=1)
            found &= ~given
        return np.asarray(found)

    def floors(self, total: Floats) -> Floats:
        """Return the variances below which components of few and of many rows have collapsed.

        They are negative if none can.

        Parameters
        ----------
        total : ndarray of shape (d, d) or (d,)
            As in `collapsed`.
        """
        if self.prior.is_present:
            return -np.ones(2)
        least = total.min() if total.ndim == 1 else total.diagonal().min()  # an upper bound
        if SPIKE * least > 1.001 * self.reg_covar:
            least = smallest_variance(total)
        return np.asarray(np.maximum([SPIKE * least, ROUNDING * least], 1.001 * self.reg_covar))

    def adapted(self, parameters: Parameters) -> Parameters:
        """Return a mixture with the noise and the tails of this model.

        The weight of noise and degrees of freedom stay if the mixture has any; others are what the
        model begins with.
        """
        degrees = None
        if self.tails is not None:
            degrees = np.full(len(parameters.weights), self.tails.degrees)
            if parameters.degrees is not None and self.tails.estimate != GIVEN:
                degrees = parameters.degrees
        return replace(self._with_noise(parameters), degrees=degrees)

    def _with_noise(self, parameters: Parameters) -> Parameters:
        """Without noise in the model, the components take its weight."""
        if self.noise is None:
            if parameters.noise is None:
                return parameters
            weights = parameters.weights / parameters.weights.sum()
            return replace(parameters, weights=weights, noise=None)
        share = self.noise.share if parameters.noise is None else float(parameters.noise[0])
        return parameters.with_noise(np.array([share, self.noise.log_density]))

    @abstractmethod
    def parameters(self, weights: Floats, means: Floats, covariances: Floats) -> Parameters:
        """Return the mixture with its factors; IllDefinedCovarianceError if there are none."""

    def of_covariances(self, weights: Floats, means: Floats, covariances: Floats) -> Parameters:
        """Return the mixture of structured covariances, even if outside the family."""
        return self.parameters(weights, means, covariances)

    def structured(self, covariances: Floats, n_components: int) -> Floats:
        """Return the covariances of a `kernels.maximization.Mixture` in the family's structure."""
        return covariances

    def unstructured(self, covariances: Floats, n_features: int) -> Floats:
        """Return structured covariances in the layout of a `kernels.maximization.Mixture`."""
        return covariances

    @abstractmethod
    def covariances_from(self, precisions: Floats) -> Floats:
        """Return the covariances for given precisions, both in the family's structure."""

    @abstractmethod
    def from_cholesky(
        self, weights: Floats, means: Floats, covariances: Floats, precisions_cholesky: Floats
    ) -> Parameters:
        """Return the mixture that scikit-learn's ``precisions_cholesky_`` describes."""

    @abstractmethod
    def precisions_cholesky(self, parameters: Parameters) -> Floats:
        """Return scikit-learn's ``precisions_cholesky_``: upper U with ``U @ U.T = precision``."""

    def precisions(self, precisions_cholesky: Floats) -> Floats:
        """Return scikit-learn's ``precisions_``: the inverses of the covariances."""
        return np.asarray(precisions_cholesky**2)

    @abstractmethod
    def matrices(self, covariances: Floats, n_components: int, n_features: int) -> Floats:
        """Return the covariances as full matrices (K, d, d)."""

    @abstractmethod
    def smallest_variances(self, parameters: Parameters) -> Floats:
        """Return the smallest variance in any direction, per component (K,) or shared (1,)."""

    def attributes(self, parameters: Parameters) -> dict[str, Floats]:
        """Return the fitted attributes that hold the covariances, by name."""
        cholesky = self.precisions_cholesky(parameters)
        return {
            "covariances_": parameters.covariances,
            "precisions_cholesky_": cholesky,
            "precisions_": self.precisions(cholesky),
        }

    @abstractmethod
    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        """Return the number of free parameters of the covariances."""

    @abstractmethod
    def covariance_shape(self, n_components: int, n_features: int) -> tuple[int, ...]:
        """Return the shape of the covariances in the family's structure."""

    def shapes(self, n_components: int, n_features: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the arrays of `Parameters` that do not depend on the factors'."""
        K, d = n_components, n_features
        own = self.covariance_shape(K, d)
        return {"weights": (K,), "means": (K, d), "covariances": own, "log_dets": (K,)}

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Return the number of free parameters: covariances, means, weights, degrees of freedom.

        Noise has two, as in mclust: its weight and its volume.
        """
        estimate = GIVEN if self.tails is None else self.tails.estimate
        return (
            self.n_covariance_parameters(n_components, n_features)
            + n_components * n_features
            + n_components
            - 1
            + (0 if self.noise is None else 2)
            + {GIVEN: 0, COMMON_DEGREES: 1, OWN_DEGREES: n_components}[estimate]
        )


def few_rows(n_features: int) -> int:
    """Return how many rows can lie near a point or a plane by chance."""
    return 10 * (n_features + 1)


def least_rows(model: Model, n_features: int) -> int:
    """Return how many rows a component needs for variances in all directions of its own."""
    has_own = model.scatter is Scatter.FULL and model.family.shape == OWN
    has_own &= not model.prior.is_present  # which has variances in all directions
    return n_features + 1 if has_own else 2


def smallest_eigenvalues(factors: Floats) -> Floats:
    """Smallest eigenvalues (K,) of matrices with given inverse Cholesky factors (K, d, d).

    If columns differ by many orders of magnitude, the largest singular value of a factor is
    accurate to all digits, but the smallest eigenvalue of the matrix is not.
    """
    return np.asarray(1 / np.linalg.norm(factors, 2, axis=(1, 2)) ** 2)


def total_of(parameters: Parameters, statistics: SufficientStatistics) -> Floats:
    """Return the covariance of all rows (d, d), or the variances of their features (d,).

    With noise, of the rows that are not.
    """
    share = 1.0 if parameters.noise is None else float(parameters.weights.sum()) or 1.0
    mean = parameters.weights @ parameters.means / share
    with np.errstate(over="ignore", invalid="ignore"):
        moments = statistics.about(np.repeat(mean[None], len(parameters.means), axis=0))
        return np.asarray(moments.scatter.sum(axis=0) / (share * statistics.weight))


def smallest_variance(total: Floats) -> float:
    """Return the smallest variance in any direction, given a matrix or the features' variances."""
    if total.ndim == 1:
        return float(total.min())
    try:
        return float(smallest_eigenvalues(inverse_cholesky(total[None])[0])[0])
    except IllDefinedCovarianceError:
        return 0.0


def square_roots(covariances: Floats) -> Floats:
    """Matrices R (K, d, d) with ``R @ R.T = covariance``.

    They are scaled symmetric roots of the correlations, which do not depend on the signs of
    eigenvectors: these differ between processors. Eigenvalues made negative by rounding to float32
    count as zero.
    """
    deviations = np.sqrt(np.einsum("kii->ki", covariances))
    correlations = covariances / (deviations[:, :, None] * deviations[:, None, :])
    values, vectors = np.linalg.eigh(correlations)
    roots = (vectors * np.sqrt(np.maximum(values, 0))[:, None]) @ vectors.swapaxes(1, 2)
    return np.asarray(deviations[:, :, None] * roots)


def inverse_cholesky(covariances: Floats) -> tuple[Floats, Floats]:
    """Lower inverse Cholesky factors and log determinants of matrices (K, d, d).

    Raises
    ------
    IllDefinedCovarianceError
        With the first matrix that is not positive definite.
    """
    covariances = np.ascontiguousarray(covariances, np.float64)
    factors, log_dets = np.empty_like(covariances), np.empty(len(covariances))
    failed = invert_cholesky(covariances, np.empty_like(covariances[0]), factors, log_dets)
    if failed >= 0:
        raise IllDefinedCovarianceError(int(failed))
    return factors, log_dets


def inverse_deviations(variances: Floats) -> Floats:
    """``1 / sqrt(variances)``; IllDefinedCovarianceError for the first component without one."""
    positive = np.isfinite(variances) & (variances > LEAST_VARIANCE)
    if not positive.all():
        raise IllDefinedCovarianceError(int(np.argwhere(~positive)[0, 0]))
    return np.asarray(1 / np.sqrt(variances))


def inverse_of_precisions(precisions: Floats) -> Floats:
    """Inverses of symmetric positive definite matrices (K, d, d), symmetric themselves."""
    inverse = np.linalg.inv(precisions)
    return np.asarray(0.5 * (inverse + inverse.swapaxes(-1, -2)))
