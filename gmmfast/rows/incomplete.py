"""Rows with missing values: the sums of an E pass over what is observed, in expectation.

The kernels are in `gmmfast.kernels.patterns`, the packing of rows in `gmmfast.rows.patterns`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.validation import Random
from gmmfast.models.full import Full
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics
from gmmfast.rows.available import extent_of_known, normal_of_all, statistics_of_available
from gmmfast.rows.base import Hints, Mask, RowsElsewhere, RowsInMemory, empty_fold, unit_of
from gmmfast.rows.evaluation import entropy_of, labels_of, responsibilities_of
from gmmfast.rows.memory import UNSORTED, MemoryRows
from gmmfast.rows.patterns import (
    Patterns,
    Regression,
    distances_of,
    evaluate_known,
    packed_patterns,
    regression,
    sums_of,
)

BLOCK = 1 << 18  # values of conditional means at once (2 MB)


class KnownValues(NamedTuple):
    """Rows to be evaluated in the caller's order, by the mixture of what is known of each.

    Of a row without any value the densities are one.
    """

    array: NDArray[Any]  # (n, d), NaN where a value is missing
    center: Floats  # (d,)
    sample_weight: Floats  # (n,)
    n_jobs: int | None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type of results."""
        return np.dtype(np.float64)

    def evaluate(
        self,
        parameters: Parameters,
        cut: float,
        part: slice,
        *,
        log_density: NDArray[Any] | None = None,
        resp: NDArray[Any] | None = None,
        labels: NDArray[np.int64] | None = None,
    ) -> None:
        """Fill the arrays that are given; densities `cut` below a row's best count as 0."""
        if parameters.noise is not None:
            raise no_place_in_noise()
        X = np.asarray(self.array[part], np.float64)
        packed = packed_patterns(X, self.center, np.ones(len(X)), np.arange(len(X)))
        wanted = log_density, resp, labels
        found = [None if own is None else np.empty_like(own) for own in wanted]
        evaluate_known(packed, parameters, cut, self.n_jobs, *found)
        for own, values in zip(wanted, found, strict=True):
            if own is not None and values is not None:
                own[packed.order] = values


class IncompleteRows(RowsElsewhere):
    """Rows of an array, NaN where a value is missing. All computing is in float64.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        At least one row has a value.
    sample_weight : ndarray of shape (n,), optional
        Non-negative float64. Rows without any value have no weight, whatever it says.
    n_jobs : int, optional
        Threads; None is all that Numba allows.
    center : ndarray of shape (d,), optional
        Defaults to the weighted mean of the values.
    """

    lack_values = True

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
        given = np.ones(len(X)) if sample_weight is None else sample_weight
        self._weights = np.where(is_observed.any(axis=1), given, 0.0)
        self.is_weighted, present = sample_weight is not None, self._weights > 0
        self.n_without = int(np.count_nonzero(given) - np.count_nonzero(present))
        self.n_features, self._dtype = X.shape[1], np.dtype(np.float64)
        self.n_rows, self.weight = int(present.sum()), float(self._weights.sum())
        self._unit = unit_of(self.weight, self.n_rows) if self.n_rows else 1.0
        logs = np.log(self._weights[present])
        self._log_weight_spread = float(np.ptp(logs)) if present.any() else 0.0
        self.extent = extent_of_known(self._X, self._weights)
        self.center = self.extent.center_for(self._dtype) if center is None else center
        self._packed = self._pack()

    def _pack(self, labels: NDArray[np.int64] | None = None) -> Patterns:
        present = np.flatnonzero(self._weights)
        return packed_patterns(self._X, self.center, self._weights / self._unit, present, labels)

    def _sums(
        self, parameters: Parameters, scatter: Scatter, cut: float, about: Floats
    ) -> SufficientStatistics:
        size = self.weight, self.n_rows, self._unit
        return sums_of(self._packed, parameters, scatter, cut, about, self._n_jobs, size)

    @property
    def n_patterns(self) -> int:
        """How many sets of features the rows have."""
        return len(self._packed.tiles.counts)

    @property
    def values(self) -> KnownValues:
        """The rows in the caller's order."""
        return KnownValues(self._X, self.center, self._weights, self._n_jobs)

    def evaluate(
        self, parameters: Parameters, cut: float, part: slice, **out: NDArray[Any] | None
    ) -> None:
        """Fill the arrays that are given; densities `cut` below a row's best count as 0."""
        self.values.evaluate(parameters, cut, part, **out)

    def sums(
        self, parameters: Parameters, scatter: Scatter, hints: Hints, cut: float, about: Floats
    ) -> SufficientStatistics:
        """One pass, as of rows that lack no value; there is no scratch."""
        return self._sums(parameters, scatter, cut, about)

    @property
    def array(self) -> Floats:
        """The rows (n, d), NaN where a value is missing."""
        return self._X

    @property
    def sample_weight(self) -> Floats:
        """Row weights (n,); of rows without any value zero."""
        return self._weights

    def memberships(
        self, memberships: NDArray[Any], n_components: int, scatter: Scatter
    ) -> SufficientStatistics:
        """Statistics of labels (n,) or responsibilities (n, K), by the values that are there."""
        resp = memberships
        if memberships.ndim == 1:
            resp = memberships[:, None] == np.arange(n_components)
        return statistics_of_available(self._X, self._weights, resp, self.center, scatter)

    def packed_alone(self) -> IncompleteRows:
        """Return the rows themselves."""
        return self

    def part(self, indices: Any) -> IncompleteRows:
        """Return some of the rows, about the same center."""
        X, weights = self._X[indices], self._weights[indices]
        if not weights.any():
            raise empty_fold()
        own = weights if self.is_weighted else None
        return IncompleteRows(X, own, n_jobs=self._n_jobs, center=self.center)

    @property
    def covariance(self) -> Floats:
        """Covariance matrix (d, d), by the correlations of the values that are there."""
        return normal_of_all(self._X, self._weights, self.center).covariance

    def masked(self, mask: Mask) -> IncompleteRows:
        """Return some of the rows, about the same center."""
        return self.part(np.flatnonzero(self._weights)[mask(0, self.n_rows)])

    def complete(self) -> MemoryRows | None:
        """Return the rows that lack no value, if there are any."""
        kept = ~np.isnan(self._X).any(axis=1) & (self._weights > 0)
        if not kept.any():
            return None
        own = self._weights[kept] if self.is_weighted else None
        return MemoryRows(self._X[kept], own, n_jobs=self._n_jobs, center=self.center)

    def entropy(self, parameters: Parameters) -> float:
        """Return the entropy of the components given the rows, in nats."""
        return entropy_of(self, parameters)

    def extremes(self, axes: Floats) -> tuple[Floats, Floats]:
        """Raise ValueError: rows that lack values have no place along an axis."""
        raise no_place_in_noise()

    def arranged_for(self, parameters: Parameters) -> IncompleteRows:
        """Return the same rows, ordered so that passes near given parameters are cheap."""
        if self.n_rows * len(parameters.weights) * self.n_features**2 <= UNSORTED:
            return self
        rows, labels = IncompleteRows.__new__(IncompleteRows), labels_of(self, parameters)
        rows.__dict__.update(self.__dict__, _packed=self._pack(labels), arranged_by=parameters)
        return rows

    def all_or_sample(self, n: int, rng: Random) -> IncompleteRows:
        """Return all rows if at most `n`, else a sample of `n`; about the same center."""
        if self.n_rows <= n:
            return self
        cumulated = np.cumsum(self._weights)
        drawn = np.searchsorted(cumulated, rng.uniform(size=n) * cumulated[-1], side="right")
        return IncompleteRows(self._X[drawn], n_jobs=self._n_jobs, center=self.center)

    def filled(self, rng: Random) -> MemoryRows:
        """Return the rows, filled in for starts.

        By draws from one normal distribution, given what is observed: its means would lie in planes
        that components collapse onto.
        """
        weights = self._weights if self.is_weighted or not self._weights.all() else None
        whole = normal_of_all(self._X, self._weights, self.center)
        normal = Full().of_covariances(
            np.ones(1), (whole.mean - self.center)[None], whole.covariance[None]
        )
        filled = imputed(self._X, normal, self.center, self._n_jobs, rng)
        return MemoryRows(filled, weights, n_jobs=self._n_jobs, center=self.center)


def no_place_in_noise() -> ValueError:
    """Return the error for noise, which has a density over all features, and missing values."""
    return ValueError(
        "A mixture with noise needs rows without missing values; got rows that lack values. Drop "
        "them, fill them in, or fit without noise."
    )


def in_memory(
    X: NDArray[Any],
    sample_weight: Floats | None = None,
    *,
    n_jobs: int | None = None,
    center: Floats | None = None,
) -> RowsInMemory:
    """Return rows in memory, with or without missing values; parameters as of `MemoryRows`."""
    kind = IncompleteRows if np.isnan(X).any() else MemoryRows
    return kind(X, sample_weight, n_jobs=n_jobs, center=center)


def imputed(
    X: NDArray[Any],
    mixture: Parameters,
    center: Floats,
    n_jobs: int | None,
    rng: Random | None = None,
) -> Floats:
    """Return rows (n, d) with their missing values filled in.

    By the conditional means given what is observed; or, with `rng`, by draws from the conditional
    distribution.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The rows, NaN where a value is missing.
    mixture : Parameters
        About `center`.
    center : ndarray of shape (d,)
        Of the rows.
    n_jobs : int or None
        Threads.
    rng : Generator or RandomState, optional
        For draws.
    """
    filled, is_observed = np.array(X, np.float64), ~np.isnan(X)
    lacking = np.flatnonzero(~is_observed.all(axis=1))
    if not lacking.size:
        return filled
    if mixture.noise is not None:
        raise no_place_in_noise()
    step, ones = max(1, BLOCK // mixture.means.size), np.ones(len(X))
    packed = packed_patterns(filled, center, ones, lacking)
    for features, o, indices in zip(*packed.tiles[-2:], packed.groups, strict=True):
        observed, missing = features[:o], features[o:]
        given = regression(mixture, features, o)
        for start in range(0, len(indices), step):
            own = indices[start : start + step]
            rows = KnownValues(filled[own], center, ones[own], n_jobs)
            resp = responsibilities_of(rows, mixture)
            residuals = (filled[np.ix_(own, observed)] - center[observed])[:, None]
            residuals = residuals - mixture.means[:, observed]  # (n, K, o)
            means = mixture.means[:, missing] + np.einsum("kmo,nko->nkm", given.slopes, residuals)
            if rng:
                scales = _conditional_scales(mixture, observed, residuals, rng)
                values = _drawn(resp, means, given, scales, rng)
            else:
                values = np.einsum("nk,nkm->nm", resp, means)
            filled[np.ix_(own, missing)] = values + center[missing]
    return filled


def _conditional_scales(
    mixture: Parameters, observed: NDArray[np.int64], residuals: Floats, rng: Random
) -> Floats | None:
    """Draw factors (n, K) of the conditional deviations; None for normal components.

    Given o features at squared distance delta, the others of a t component have a t distribution of
    ``nu + o`` degrees of freedom, whose scale grows with the distance by ``(nu + delta) / (nu +
    o)`` (Ding 2016, On the conditional distribution of the multivariate t distribution, American
    Statistician 70(3), 293-295).
    """
    if mixture.degrees is None:
        return None
    distance = distances_of(mixture, observed, residuals)
    degrees = np.broadcast_to(mixture.degrees + observed.size, distance.shape)
    drawn = rng.chisquare(degrees)
    return np.asarray(np.sqrt((mixture.degrees + distance) / drawn))


def _drawn(
    resp: Floats, means: Floats, given: Regression, scales: Floats | None, rng: Random
) -> Floats:
    """Draw missing values (n, m), from components by their responsibilities (n, K)."""
    n, K, m = means.shape
    cumulated = np.cumsum(resp, axis=1)
    drawn = rng.uniform(size=n) * cumulated[:, -1]
    labels = (cumulated <= drawn[:, None]).sum(axis=1).clip(max=K - 1)
    variances, axes = np.linalg.eigh(given.covariances)
    deviations = np.sqrt(np.maximum(variances, 0.0))  # rounding may have made one negative
    # symmetric: the signs of eigenvectors differ between processors
    roots = (axes * deviations[:, None]) @ axes.swapaxes(1, 2)
    noise = np.einsum("nij,nj->ni", roots[labels], rng.standard_normal(size=(n, m)))
    if scales is not None:
        noise *= scales[np.arange(n), labels, None]
    return np.asarray(means[np.arange(n), labels] + noise)
