"""Rows with missing values: the sums of an E pass over what is observed, in expectation.

Given the observed features o of a row and a component, the missing ones m are normal with mean
``mean_m + B (x_o - mean_o)`` and covariance C, where ``B = Sigma_mo Sigma_oo^-1`` and
``C = Sigma_mm - B Sigma_om``. So the expected moments of whole rows follow from the moments of the
observed features, once for all rows that lack the same features (Ghahramani & Jordan 1994; Little
& Rubin 2019, section 11.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.validation import Random
from gmmfast.models.base import inverse_cholesky
from gmmfast.models.full import Full
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics
from gmmfast.rows.base import Mask, RowsElsewhere
from gmmfast.rows.evaluation import entropy_of, log_densities_of, responsibilities_of
from gmmfast.rows.extent import extent_of
from gmmfast.rows.memory import MemoryRows

NO_CONSTANT = -math.log(2 * math.pi)  # log determinant for which the density at a mean is one
BLOCK = 1 << 18  # values of conditional means at once (2 MB)
LEAST_EIGENVALUE = 1e-3  # of correlations that rows are filled in by, for starts


class Pattern(NamedTuple):
    """The rows that lack the same features."""

    observed: NDArray[np.int64]  # features
    missing: NDArray[np.int64]
    indices: NDArray[np.int64]  # of the rows
    rows: MemoryRows  # their observed features


class Regression(NamedTuple):
    """The missing features of a pattern, given the observed ones, of each component."""

    slopes: Floats  # (K, m, o)
    covariances: Floats  # (K, m, m)

    def means(self, mixture: Parameters, pattern: Pattern, reference: Floats) -> Floats:
        """Return the means (K, m), from a reference (K, d), where the observed ones are at it."""
        gap = (mixture.means - reference)[:, pattern.observed]
        own = (mixture.means - reference)[:, pattern.missing]
        return np.asarray(own - (self.slopes @ gap[:, :, None])[:, :, 0])


class IncompleteRows(RowsElsewhere):
    """Rows of an array, NaN where a value is missing. All computing is in float64.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Each feature has a value.
    sample_weight : ndarray of shape (n,), optional
        Non-negative float64. Rows without any value have no weight, whatever it says.
    n_jobs : int, optional
        Threads; None is all that Numba allows.
    center : ndarray of shape (d,), optional
        Defaults to the weighted mean of the values.
    """

    def __init__(
        self,
        X: NDArray[Any],
        sample_weight: Floats | None = None,
        *,
        n_jobs: int | None = None,
        center: Floats | None = None,
    ) -> None:
        self._X, self._n_jobs = np.asarray(X, np.float64), n_jobs
        is_observed = ~np.isnan(self._X)
        self._weights = np.where(is_observed.any(axis=1), 1.0, 0.0)
        self.is_weighted = sample_weight is not None
        if sample_weight is not None:
            self._weights *= sample_weight
        present = self._weights > 0
        self.n_features, self._dtype = X.shape[1], np.dtype(np.float64)
        self.n_rows, self.weight = int(present.sum()), float(self._weights.sum())
        positive = self._weights[present]
        self._log_weight_spread = float(np.log(positive.max()) - np.log(positive.min()))
        mean = _means(self._X, self._weights)
        filled = np.where(is_observed, self._X, mean)
        self.extent = extent_of(filled, self._weights, self.weight)
        self.center = self.extent.center_for(self._dtype) if center is None else center
        self.patterns = list(self._patterns(is_observed, present))

    def _patterns(
        self, is_observed: NDArray[np.bool_], present: NDArray[np.bool_]
    ) -> Iterator[Pattern]:
        for observed, missing, indices in patterns_of(is_observed, np.flatnonzero(present)):
            X, weights = self._X[np.ix_(indices, observed)], None
            if self.is_weighted:
                weights = self._weights[indices]
            rows = MemoryRows(X, weights, n_jobs=self._n_jobs, center=self.center[observed])
            yield Pattern(observed, missing, indices, rows)

    def _sums(
        self, parameters: Parameters, scatter: Scatter, cut: float, about: Floats
    ) -> SufficientStatistics:
        found = None
        for pattern in self.patterns:
            known = marginal(parameters, pattern.observed)
            rows, reference = pattern.rows, about[:, pattern.observed]
            sums = rows.sums(known, scatter, rows.hints(), cut, reference)
            whole = lifted(sums, parameters, known, pattern, about)
            found = whole if found is None else found + whole
        assert found is not None
        return found

    def log_densities(self, parameters: Parameters) -> Floats:
        """Return the log density (n,) of what is known of each row, in nats."""
        return by_patterns(log_densities_of, self._X, parameters, self.center, self._n_jobs)

    @property
    def sample_weight(self) -> Floats:
        """Row weights (n,); of rows without any value zero."""
        return self._weights

    def masked(self, mask: Mask) -> IncompleteRows:
        """Return some of the rows, about the same center."""
        kept = np.flatnonzero(self._weights)[mask(0, self.n_rows)]
        weights = self._weights[kept] if self.is_weighted else None
        return IncompleteRows(self._X[kept], weights, n_jobs=self._n_jobs, center=self.center)

    def entropy(self, parameters: Parameters) -> float:
        """Return the entropy of the components given the rows, in nats."""
        own = ((p.rows, marginal(parameters, p.observed)) for p in self.patterns)
        return sum(entropy_of(*both) for both in own)

    def arranged_for(self, parameters: Parameters) -> IncompleteRows:
        """Return the same rows, ordered so that passes near given parameters are cheap."""
        rows = IncompleteRows.__new__(IncompleteRows)
        patterns = [
            p._replace(rows=p.rows.arranged_for(marginal(parameters, p.observed)))
            for p in self.patterns
        ]
        rows.__dict__.update(self.__dict__, patterns=patterns, arranged_by=parameters)
        return rows

    def all_or_sample(self, n: int, rng: Random) -> MemoryRows:
        """Return all rows, if at most `n`, else a sample of `n`, filled in for starts.

        By draws from one normal distribution, given what is observed: its means would lie in planes
        that components collapse onto.
        """
        X, weights = self._X, self._weights if self.is_weighted or not self._weights.all() else None
        if self.n_rows > n:
            cumulated = np.cumsum(self._weights)
            drawn = np.searchsorted(cumulated, rng.uniform(size=n) * cumulated[-1], side="right")
            X, weights = self._X[drawn], None
        normal = _one_component(X, np.ones(len(X)) if weights is None else weights)
        filled = imputed(X, normal.moved(-self.center), self.center, self._n_jobs, rng)
        return MemoryRows(filled, weights, n_jobs=self._n_jobs, center=self.center)


def patterns_of(
    is_observed: NDArray[np.bool_], indices: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Yield observed features, missing features and indices of the rows that share them."""
    packed = np.packbits(is_observed[indices], axis=1)
    keys = packed.view(f"V{packed.shape[1]}")[:, 0]
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    for own in np.split(order, np.cumsum(np.bincount(inverse))[:-1]):
        mask = is_observed[indices[own[0]]]
        yield np.flatnonzero(mask), np.flatnonzero(~mask), indices[own]


def _means(X: Floats, weights: Floats) -> Floats:
    """Return the weighted means (d,) of the values that are there."""
    is_observed = ~np.isnan(X)
    shares = np.where(is_observed, weights[:, None], 0.0)
    shares /= shares.sum(axis=0)
    return np.asarray(np.einsum("nd,nd->d", shares, np.where(is_observed, X, 0.0)))


def _one_component(X: Floats, weights: Floats) -> Parameters:
    """Return one normal distribution by the means and correlations of the values that are there."""
    is_observed, mean = ~np.isnan(X), _means(X, weights)
    residuals = np.where(is_observed, X - mean, 0.0)
    shares = is_observed * weights[:, None]
    pairs = shares.T @ is_observed
    variances = np.einsum("nd,nd->d", weights[:, None] * residuals, residuals) / np.diag(pairs)
    deviations = np.sqrt(np.where(variances > 0, variances, 1.0))
    scaled = residuals / deviations
    products = (scaled * weights[:, None]).T @ scaled
    correlations = np.divide(products, pairs, out=np.zeros_like(pairs), where=pairs > 0)
    values, vectors = np.linalg.eigh(correlations)
    definite = vectors * np.maximum(values, LEAST_EIGENVALUE) @ vectors.T
    covariance = definite * deviations[:, None] * deviations
    return Full().of_covariances(np.ones(1), mean[None], covariance[None])


# --------------------------------------------------------------- the algebra of a pattern of values


def marginal(mixture: Parameters, observed: NDArray[np.int64]) -> Parameters:
    """Return the mixture of some of the features; of none, see `rows_of`."""
    weights, means = mixture.weights, mixture.means[:, observed]
    if not observed.size:
        ones = np.ones((len(weights), 1))
        return Parameters(weights, 0 * ones, ones, ones, np.full(len(weights), NO_CONSTANT))
    if is_diagonal(mixture):
        factors = np.ascontiguousarray(mixture.factors[:, observed])
        return Parameters(weights, means, 1 / factors**2, factors, -2 * np.log(factors).sum(axis=1))
    matrices = _matrices(mixture)[:, observed[:, None], observed]
    factors, log_dets = inverse_cholesky(matrices)
    return Parameters(weights, means, matrices, factors, log_dets)


def is_diagonal(mixture: Parameters) -> bool:
    """Whether features are independent, given the component."""
    return mixture.factors.ndim == 2 and mixture.whitening is None


def _matrices(mixture: Parameters) -> Floats:
    """Return the covariances of correlated features (K, d, d)."""
    (K, d), matrices = mixture.means.shape, mixture.covariances
    if matrices.shape != (K, d, d):  # one for all components
        matrices = np.broadcast_to(matrices, (K, d, d))
    absent = mixture.weights == 0  # its covariance may be zero
    return np.where(absent[:, None, None], np.eye(d), matrices) if absent.any() else matrices


def regression(
    mixture: Parameters, known: Parameters, o: NDArray[np.int64], m: NDArray[np.int64]
) -> Regression:
    """Return the distribution of missing features m, given observed ones o; `known` is theirs."""
    if is_diagonal(mixture):
        variances = 1 / mixture.factors[:, m] ** 2
        slopes = np.zeros((*variances.shape, o.size))
        return Regression(slopes, variances[:, :, None] * np.eye(m.size))
    matrices = _matrices(mixture)
    across, own = matrices[:, o[:, None], m], matrices[:, m[:, None], m]
    if not o.size:
        return Regression(across.swapaxes(1, 2), own)
    halves = known.factors @ across  # (K, o, m)
    turned = halves.swapaxes(1, 2)
    return Regression(turned @ known.factors, own - turned @ halves)


def lifted(
    sums: SufficientStatistics,
    mixture: Parameters,
    known: Parameters,
    pattern: Pattern,
    about: Floats,
) -> SufficientStatistics:
    """Return the expected statistics of whole rows, from the statistics of what is observed.

    Parameters
    ----------
    sums : SufficientStatistics
        Of the observed features, about ``about[:, pattern.observed]``.
    mixture : Parameters
        The mixture of the E step.
    known : Parameters
        The mixture of the observed features.
    pattern : Pattern
        Which features are observed.
    about : ndarray of shape (K, d)
        Reference of the moments.
    """
    o, m = pattern.observed, pattern.missing
    if not m.size:
        return replace(sums, reference=about)
    slopes, covariances = given = regression(mixture, known, o, m)
    (K, d), mass, f = about.shape, sums.mass, sums.first
    c = given.means(mixture, pattern, about)  # a missing feature is B (x - reference) + c
    first = np.empty((K, d))
    first[:, o], moved = f, (slopes @ f[:, :, None])[:, :, 0]
    first[:, m] = moved + mass[:, None] * c
    if sums.scatter.ndim == 2:
        scatter = np.empty((K, d))
        scatter[:, o] = sums.scatter
        scatter[:, m] = mass[:, None] * (c**2 + np.einsum("kii->ki", covariances))
        return replace(sums, reference=about, first=first, scatter=scatter)
    # with z = B x + c: z x^T = B S + c f^T, and z z^T = B S B^T + B f c^T + c (B f)^T + mass c c^T
    of_means = moved[:, :, None] * c[:, None, :]
    of_means = of_means + of_means.swapaxes(1, 2) + mass[:, None, None] * c[:, :, None] * c[:, None]
    own, across = mass[:, None, None] * covariances + of_means, c[:, :, None] * f[:, None, :]
    if len(sums.scatter) < K:  # all components have the same slopes
        slopes, own, across = slopes[:1], own.sum(axis=0)[None], across.sum(axis=0)[None]
    across = slopes @ sums.scatter + across
    scatter = np.empty((len(sums.scatter), d, d))
    scatter[:, o[:, None], o] = sums.scatter
    scatter[:, m[:, None], o], scatter[:, o[:, None], m] = across, across.swapaxes(1, 2)
    own = slopes @ sums.scatter @ slopes.swapaxes(1, 2) + own
    scatter[:, m[:, None], m] = (own + own.swapaxes(1, 2)) / 2
    return replace(sums, reference=about, first=first, scatter=scatter)


# ------------------------------------------------------------------------- rows in the user's order


def by_patterns(
    evaluate: Callable[[MemoryRows, Parameters], NDArray[Any]],
    X: NDArray[Any],
    mixture: Parameters,
    center: Floats,
    n_jobs: int | None,
) -> NDArray[Any]:
    """Evaluate rows of which some lack values, by the mixture of what they have.

    Parameters
    ----------
    evaluate : callable
        Returns one result per row (m,) or (m, K), given complete rows and a mixture of them.
    X : ndarray of shape (n, d)
        The rows, NaN where a value is missing.
    mixture : Parameters
        About `center`.
    center : ndarray of shape (d,)
        Of the rows.
    n_jobs : int or None
        Threads.
    """
    found: NDArray[Any] | None = None
    for observed, _, indices in patterns_of(~np.isnan(X), np.arange(len(X))):
        rows = _observed(X, observed, indices, center, n_jobs)
        own = evaluate(rows, marginal(mixture, observed))
        if found is None:
            found = np.empty((len(X), *own.shape[1:]), own.dtype)
        found[indices] = own
    assert found is not None
    return found


def _observed(
    X: NDArray[Any],
    observed: NDArray[np.int64],
    indices: NDArray[np.int64],
    center: Floats,
    n_jobs: int | None,
) -> MemoryRows:
    """Return some features of some rows; a column of zeros where there are none."""
    if not observed.size:
        return MemoryRows(np.zeros((len(indices), 1)), n_jobs=n_jobs, center=np.zeros(1))
    own = np.asarray(X[np.ix_(indices, observed)], np.float64)
    return MemoryRows(own, n_jobs=n_jobs, center=center[observed])


def imputed(
    X: NDArray[Any],
    mixture: Parameters,
    center: Floats,
    n_jobs: int | None,
    rng: Random | None = None,
) -> Floats:
    """Return rows (n, d) with their missing values filled in.

    By the conditional means given what is observed; or, with `rng`, by draws from the conditional
    distribution. Parameters are as in `by_patterns`.
    """
    filled, is_observed = np.array(X, np.float64), ~np.isnan(X)
    lacking = np.flatnonzero(~is_observed.all(axis=1))
    if not lacking.size:
        return filled
    step = max(1, BLOCK // mixture.means.size)
    for observed, missing, indices in patterns_of(is_observed, lacking):
        known = marginal(mixture, observed)
        given = regression(mixture, known, observed, missing)
        for start in range(0, len(indices), step):
            own = indices[start : start + step]
            rows = _observed(X, observed, own, center, n_jobs)
            resp = responsibilities_of(rows, known).astype(np.float64)
            residuals = (filled[np.ix_(own, observed)] - center[observed])[:, None]
            residuals = residuals - mixture.means[:, observed]  # (n, K, o)
            means = mixture.means[:, missing] + np.einsum("kmo,nko->nkm", given.slopes, residuals)
            values = (
                _drawn(resp, means, given, rng) if rng else np.einsum("nk,nkm->nm", resp, means)
            )
            filled[np.ix_(own, missing)] = values + center[missing]
    return filled


def _drawn(resp: Floats, means: Floats, given: Regression, rng: Random) -> Floats:
    """Draw missing values (n, m), from components by their responsibilities (n, K)."""
    n, K, m = means.shape
    cumulated = np.cumsum(resp, axis=1)
    drawn = rng.uniform(size=n) * cumulated[:, -1]
    labels = (cumulated <= drawn[:, None]).sum(axis=1).clip(max=K - 1)
    variances, axes = np.linalg.eigh(given.covariances)
    deviations = np.sqrt(np.maximum(variances, 0.0))  # rounding may have made one negative
    noise = deviations[labels] * rng.standard_normal(size=(n, m))
    noise = np.einsum("nij,nj->ni", axes[labels], noise)
    return np.asarray(means[np.arange(n), labels] + noise)
