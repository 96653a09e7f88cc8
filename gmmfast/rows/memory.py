"""Rows in memory: the caller's array, and one copy of it packed into tiles."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.validation import Random
from gmmfast.kernels.evaluation import evaluate, evaluate_shards
from gmmfast.kernels.expectation import add_resp, em_pass, em_shards, negligible
from gmmfast.kernels.loop import EXPECT, Fit, Rule, iterate
from gmmfast.kernels.moments import Sums, make_sums
from gmmfast.kernels.passes import Pass, find_layout
from gmmfast.kernels.separation import no_separation, separated
from gmmfast.kernels.threads import (
    GO_ON,
    SLICE,
    current_pace,
    current_stop,
    require_somebody,
    run_shards,
    team,
)
from gmmfast.kernels.tiles import TILE, aligned, make_work
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics
from gmmfast.rows.base import (
    Hints,
    Mask,
    about_near_means,
    e_step_here,
    empty_fold,
    in_tiles,
    iterate_here,
    read_only,
    statistics_of,
    unit_of,
    whole_statistics,
)
from gmmfast.rows.evaluation import entropy_of, labels_of, outputs
from gmmfast.rows.extent import extent_of, extremes_along
from gmmfast.rows.packing import Packed, packed_rows, shard_count
from gmmfast.rows.partitions import statistics_of_parts
from gmmfast.rows.passes import new_pass, parallel, work_of, work_of_loop
from gmmfast.rows.places import are_worth_places, places_of, sorted_order

FEW_FEATURES = 64  # at most, for variances from the covariance matrix
UNSORTED = 1 << 18  # multiplications of a pass, about 50 microseconds: sorting costs more
FLOAT64 = np.dtype(np.float64)
BLOCK = 1 << 16  # values: scratch of passes in NumPy (512 KB)


class MemoryRows:
    """Rows of an array, which lack no value.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        float64 or float32, any memory order. Kept, never written to.
    sample_weight : ndarray of shape (n,), optional
        Non-negative float64.
    n_jobs : int, optional
        Threads; None is all that Numba allows.
    center : ndarray of shape (d,), optional
        Defaults to the weighted mean.
    labels : ndarray of shape (n,), optional
        Sort key of the packed copy.
    """

    lack_values = False

    def __init__(
        self,
        X: NDArray[Any],
        sample_weight: Floats | None = None,
        *,
        n_jobs: int | None = None,
        center: Floats | None = None,
        labels: NDArray[np.integer] | None = None,
    ) -> None:
        weights = None if sample_weight is None else np.ascontiguousarray(sample_weight)
        self._sample_weight = None if weights is None else read_only(weights)
        self._labels = labels
        self._places: NDArray[np.uint16] | None = None  # second sort key
        self._packed: Packed | None = None
        self._packed_order: NDArray[np.int64] | None = None
        self._mean: Floats | None = None
        self._covariance: Floats | None = None
        self._wide: Packed | None = None
        self.arranged_by: Parameters | None = None
        self.drawn: NDArray[np.int64] | None = None  # of a sample: indices in the rows it is of
        self.n_jobs = n_jobs
        self.is_weighted = sample_weight is not None
        self.n_features = X.shape[1]
        self.n_rows, self.weight, self.log_weight_spread = len(X), float(len(X)), 0.0
        self.weight_unit = 1.0  # of the packed row weights, so that they are near one
        if sample_weight is not None:
            positive = sample_weight[sample_weight > 0]
            self.n_rows, self.weight = positive.size, float(positive.sum())
            self.log_weight_spread = math.log(positive.max()) - math.log(positive.min())
            self.weight_unit = unit_of(self.weight, self.n_rows)
        self._X = read_only(X)
        if center is None:
            extent = extent_of(self._X, self._sample_weight, self.weight)
            dtype = extent.dtype_for(X.dtype)
            self._X, self._mean = read_only(X.astype(dtype, copy=False)), extent.mean
            center = extent.center_for(dtype)
        self.center = center

    @property
    def array(self) -> NDArray[Any]:
        """The caller's rows (n, d), read-only."""
        return self._X

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type of the rows and of results."""
        return self._X.dtype

    @property
    def sample_weight(self) -> Floats:
        """Row weights (n,)."""
        weights = self._sample_weight
        return np.ones(len(self._X)) if weights is None else weights

    @property
    def mean(self) -> Floats:
        """Weighted mean (d,)."""
        if self._mean is None:
            self._mean = extent_of(self._X, self._sample_weight, self.weight).mean
        return self._mean

    @property
    def _kept(self) -> NDArray[np.int64] | None:
        """Indices of the rows with weight; None for all."""
        weights = self._sample_weight
        return None if weights is None or self.n_rows == len(self._X) else np.flatnonzero(weights)

    @property
    def packed(self) -> Packed:
        """The packed copy, made on first use.

        Without a lock, which a fork might copy: two threads at once make the same.
        """
        if self._packed is None:
            self._packed = self._pack()
        return self._packed

    def _pack(self) -> Packed:
        weights, (order, labels) = self._sample_weight, self._order()
        if weights is not None and self.weight_unit != 1:
            weights = weights / self.weight_unit
        return packed_rows(self._X, self.center, weights, order, labels, self.n_jobs)

    def _order(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Indices (m,) of the rows of the packed copy, and their labels (m,)."""
        kept = self._kept
        if self._labels is None:
            order = np.arange(len(self._X)) if kept is None else kept
            return order, np.zeros(order.size, np.int32)
        own = slice(None) if kept is None else kept
        labels, places = self._labels[own], self._places
        order = sorted_order(labels, None if places is None else places[own])
        return order if kept is None else kept[order], labels[order].astype(np.int32)

    @property
    def order(self) -> NDArray[np.int64]:
        """Indices (m,) of the rows of the packed copy."""
        if self._packed_order is None:
            self._packed_order = self._order()[0]
        return self._packed_order

    def reweighted(self, weights: Floats, dtype: np.dtype[Any]) -> MemoryRows:
        """Return the same packed copy, of an element type, with other weights (n,) of all rows.

        Rows without weight stay in it, and count in `n_rows`: where passes are cut does not change.
        """
        packed = self.packed_in(dtype)
        row_weights = aligned(len(packed.tiles), packed.row_weights[0])
        row_weights.ravel()[: self.n_rows] = weights[self.order] / self.weight_unit
        row_weights.ravel()[self.n_rows :] = 0.0
        place = "_packed" if dtype == self.dtype else "_wide"
        rows = MemoryRows.__new__(MemoryRows)
        own = {place: packed._replace(row_weights=row_weights), "_sample_weight": weights}
        rows.__dict__.update(self.__dict__, **own, weight=float(weights.sum()))
        return rows

    def packed_alone(self) -> MemoryRows:
        """Return the same rows for EM alone, with only their packed copy."""
        rows = MemoryRows.__new__(MemoryRows)
        nothing = read_only(np.empty((0, self.n_features), self.dtype))
        packed = {"_packed": self.packed, "_X": nothing, "_sample_weight": None}
        packed |= {"_labels": None, "_places": None}
        rows.__dict__.update(self.__dict__, **packed)
        return rows

    def __sizeof__(self) -> int:
        """Bytes of its arrays."""
        arrays = [self._X, self._sample_weight, *(self._packed or ()), *(self._wide or ())]
        return sum(array.nbytes for array in arrays if array is not None)

    def are_worth_sorting(self, n_components: int) -> bool:
        """Whether passes are so long that pruning pays for sorting."""
        return bool(self.n_rows * n_components * self.n_features**2 > UNSORTED)

    def arrange(self, labels: NDArray[np.int32], n_labels: int) -> MemoryRows:
        """Return the same rows with a packed copy that is sorted by labels, if that pays.

        Parameters
        ----------
        labels : ndarray of shape (n_tiles, TILE)
            Labels of the packed rows of this copy, which must be unsorted.
        n_labels : int
            Number of labels.
        """
        if not self.are_worth_sorting(n_labels):
            return self
        return self._sorted(self.of_all(labels.ravel()[: self.n_rows]))

    def _sorted(
        self, labels: NDArray[np.integer], places: NDArray[np.uint16] | None = None
    ) -> MemoryRows:
        """Return the same rows with a packed copy that is sorted by `labels` and `places` (n,)."""
        rows = MemoryRows.__new__(MemoryRows)
        own = {"_labels": labels, "_places": places, "_packed": None, "_wide": None}
        own["_packed_order"] = None
        rows.__dict__.update(self.__dict__, **own)
        return rows

    def arranged_for(self, parameters: Parameters) -> MemoryRows:
        """Return the same rows, sorted by likeliest component for cheap passes."""
        K = len(parameters.weights)
        if not self.are_worth_sorting(K):
            return self
        labels = labels_of(self, parameters)
        places = None
        if are_worth_places(parameters):
            places = places_of(self._X, self.center, parameters, labels)
        rows = self._sorted(labels, places)
        rows.arranged_by = parameters
        return rows

    def part(self, indices: Any) -> MemoryRows:
        """Return some of the rows, about the same center."""
        own = None if self._sample_weight is None else self._sample_weight[indices]
        if own is not None and not own.any():
            raise empty_fold()
        part = MemoryRows(self._X[indices], own, n_jobs=self.n_jobs, center=self.center)
        part.drawn = None if self.drawn is None else self.drawn[indices]
        return part

    def masked(self, mask: Mask) -> MemoryRows:
        """Return some of the rows, about the same center."""
        return self.part(np.flatnonzero(self.sample_weight)[mask(0, self.n_rows)])

    def in_float64(self, order: NDArray[np.int64]) -> MemoryRows:
        """Return the rows of positive weight in float64, in an order (m,)."""
        kept = order if self._kept is None else self._kept[order]
        weights = None if self._sample_weight is None else self._sample_weight[kept]
        X = self._X[kept].astype(np.float64, copy=False)
        return MemoryRows(X, weights, n_jobs=self.n_jobs, center=self.center)

    def of_all(self, labels: NDArray[np.integer]) -> NDArray[np.int64]:
        """Expand labels of the rows of positive weight to all rows; the rest get label 0."""
        kept = self._kept
        if kept is None:
            return labels.astype(np.int64, copy=False)
        everywhere = np.zeros(len(self._X), np.int64)
        everywhere[kept] = labels
        return everywhere

    def tiled(self, labels: NDArray[np.integer]) -> NDArray[np.int32]:
        """Convert labels of all rows (n,) to labels of unsorted packed rows (n_tiles, TILE)."""
        kept, n_tiles = self._kept, len(self.packed.tiles)
        tiled = np.empty(n_tiles * TILE, np.int32)
        tiled[: self.n_rows] = labels if kept is None else labels[kept]
        tiled[self.n_rows :] = tiled[self.n_rows - 1]
        return tiled.reshape(n_tiles, TILE)

    def present(self) -> tuple[Floats, Floats]:
        """Rows of positive weight, about the center (m, d), and their weights (m,)."""
        kept = slice(None) if self._kept is None else self._kept
        return np.asarray(self._X[kept] - self.center, np.float64), self.sample_weight[kept]

    def hints(self) -> Hints:
        """Return new scratch for one fit."""
        return Hints(self.packed.labels[:, 0].astype(np.int64).clip(0))  # noise is -1

    def iterate(self, rule: Rule, fit: Fit, last: int, hints: Hints) -> None:
        """EM passes until the fit ends or pass `last` is done."""
        stop = current_stop()
        while fit.is_under_way and fit.n_passes < last:
            require_somebody()
            work = work_of_loop(self.n_rows, fit)
            if work > SLICE:
                iterate_here(self, rule, fit, hints)
                continue
            rows, pace, done = self._pass(fit, hints), current_pace(), fit.n_passes
            with team(self.n_jobs, rows.n_shards, work) as count:
                if count == 1:
                    iterate(rule, rows, fit, last, stop)
                else:
                    begin = time.perf_counter()
                    own = rows if pace.is_alone else parallel(rows)
                    iterate(rule, own, fit, min(last, done + pace.n_passes), stop)
                    if fit.n_passes > done:
                        pace.record((time.perf_counter() - begin) / (fit.n_passes - done), work)
            if stop[0] != GO_ON:
                break

    def e_step(self, rule: Rule, fit: Fit, hints: Hints) -> None:
        """E pass at the mixture of a fit, into its totals."""
        work = work_of_loop(self.n_rows, fit)
        if work > SLICE:
            e_step_here(self, fit, hints)
            return
        rows = self._pass(fit, hints)
        with team(self.n_jobs, rows.n_shards, work) as count:
            own = rows if count == 1 or current_pace().is_alone else parallel(rows)
            iterate(rule, own, fit, EXPECT, current_stop())

    def _pass(self, fit: Fit, hints: Hints) -> Pass:
        """Scratch of the passes near the mixture of a fit."""
        is_narrow, layout = self.dtype == np.float32, 0
        if is_narrow or len(fit.mixture.whitening):
            layout = find_layout(is_narrow, fit.mixture)
        return self.pass_in(fit, hints, layout)

    def pass_in(self, fit: Fit, hints: Hints, layout: int) -> Pass:
        """Scratch of passes in one layout."""
        if layout not in hints.passes:
            hints.passes[layout] = new_pass(self, fit, layout, hints.guesses)
        return hints.passes[layout]

    def passes_at_once(self, fit: Fit) -> int:
        """Return the number of passes between two checks for Ctrl-C."""
        return max(1, SLICE // 4 // work_of_loop(self.n_rows, fit))

    def expectation(
        self, parameters: Parameters, scatter: Scatter, hints: Hints | None = None
    ) -> SufficientStatistics:
        """E step: one pass over the packed rows, pruned where that is exact."""
        hints = hints or self.hints()
        dtype = parameters.dtype_for(self.dtype)
        cut = negligible(len(parameters.weights), self.log_weight_spread, dtype)
        return whole_statistics(
            parameters, cut, dtype, partial(self.sums, parameters, scatter, hints)
        )

    def sums(
        self, parameters: Parameters, scatter: Scatter, hints: Hints, cut: float, about: Floats
    ) -> SufficientStatistics:
        """One pass: densities `cut` below a row's best count as 0; moments are around `about`."""
        K = len(parameters.weights)
        tiles, row_weights, _ = self.packed_in(parameters.dtype_for(self.dtype))
        density = parameters.density(tiles.dtype)
        separation = separated(density, self.n_rows)
        means = np.array(about, tiles.dtype, order="C")  # one type to compile for
        shape = scatter.shape(K, self.n_features)
        n_sums = math.prod(shape) + K * density.n_factors * (self.n_features + 1)
        shards = shard_count(self.n_rows, K * self.n_features, 8 * n_sums)
        if hints.sums is None:
            own = K, self.n_features, shape, density.tails is not None, density.n_factors
            hints.sums = make_sums(shards, *own)
        em = (tiles, row_weights, density, separation, means, cut, hints.guesses, hints.sums)
        run_shards(em_pass, em_shards, self.n_jobs, shards, work_of(self.n_rows, density), *em)
        return self._statistics(hints.sums, means)

    def entropy(self, parameters: Parameters) -> float:
        """Return the entropy of the components given the rows, in nats."""
        return entropy_of(self, parameters)

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
        X, dtype = self._X[part], parameters.dtype_for(self.dtype)
        shards = shard_count(len(X), self.n_features * len(parameters.weights))
        like = np.empty((1, TILE), dtype)
        density = parameters.density(dtype)
        # in the caller's order, rows of a tile are of all components: none is far
        data = (X, self.center, density, no_separation(density.means), cut, like)
        work, out = work_of(len(X), density), outputs(log_density, resp, labels, self.dtype)
        run_shards(evaluate, evaluate_shards, self.n_jobs, shards, work, *data, *out)

    def packed_in(self, dtype: np.dtype[Any]) -> Packed:
        """Return the packed copy, in float64 if requested."""
        packed = self.packed
        if dtype == packed.tiles.dtype:
            return packed
        if self._wide is None:
            self._wide = packed.in_type(dtype)
        return self._wide

    def partition(
        self, labels: NDArray[np.int32] | None, means: Floats, scatter: Scatter
    ) -> SufficientStatistics:
        """Return the statistics of a partition, about `means` (K, d) or nearer ones.

        The labels (n_tiles, TILE) are of the packed rows; None for those they are sorted by.
        """
        own, shape = self.packed.labels if labels is None else labels, scatter.shape(*means.shape)
        found = statistics_of_parts(self.packed, own, means, shape, self.weight_unit)
        return replace(found, weight=self.weight, n_rows=self.n_rows)

    @property
    def covariance(self) -> Floats:
        """Covariance matrix (d, d) of all rows."""
        if self._covariance is None:
            labels, mean = np.zeros(self.packed.labels.shape, np.int32), self.mean - self.center
            whole = self.partition(labels, mean[None], Scatter.FULL)
            self._covariance = whole.scatter[0] / self.weight
        return self._covariance

    @property
    def variances(self) -> Floats:
        """Variance (d,) of each feature."""
        if self.n_features <= FEW_FEATURES or self._covariance is not None:
            return np.asarray(self.covariance.diagonal())
        labels, mean = np.zeros(self.packed.labels.shape, np.int32), self.mean - self.center
        whole = self.partition(labels, mean[None], Scatter.DIAGONAL)
        return np.asarray(whole.scatter[0] / self.weight)

    def total(self, scatter: Scatter) -> Floats:
        """Return the variances of the features if a family needs no more, else the covariance."""
        return self.variances if scatter is Scatter.DIAGONAL else self.covariance

    def extremes(self, axes: Floats) -> tuple[Floats, Floats]:
        """Return the smallest and largest values (m,) along axes (d, m), about the center."""
        return extremes_along(self._X, self._sample_weight, self.center, axes)

    def means_of(self, labels: NDArray[np.integer], n_labels: int) -> Floats:
        """Return the means of the rows of each label (n_labels, d), about the center.

        Rows of label -1 do not count.
        """
        weights = np.where(labels < 0, 0.0, self.sample_weight)
        mass = np.bincount(labels.clip(0), weights, n_labels)
        step = max(1, BLOCK // self.n_features)
        sums = np.zeros((n_labels, self.n_features))
        for start in range(0, len(labels), step):
            part = slice(start, start + step)
            residuals = (self._X[part] - self.center) * weights[part, None]
            with np.errstate(over="ignore"):
                np.add.at(sums, labels[part], residuals)
        return sums / np.where(mass > 0, mass, 1.0)[:, None]

    def random_memberships(
        self, n_components: int, scatter: Scatter, rng: Random
    ) -> SufficientStatistics:
        """Statistics, about the mean, of responsibilities that are uniform on the simplex."""

        def drawn(part: slice) -> Floats:
            resp = rng.standard_exponential(size=(part.stop - part.start, n_components, TILE))
            return np.asarray(resp / resp.sum(axis=1, keepdims=True))  # uniform on the simplex

        about = np.tile(self.mean - self.center, (n_components, 1))
        return self._of_memberships(drawn, scatter, about)

    def memberships(
        self, memberships: NDArray[Any], n_components: int, scatter: Scatter
    ) -> SufficientStatistics:
        """Statistics of labels (n,) or responsibilities (n, K) of rows that are not sorted."""
        K, kept = n_components, self._kept
        # of many rows the packed copy is needed only here: the fit sorts its own
        points = self.part(slice(None)) if self.are_worth_sorting(K) else self

        def given(part: slice) -> Floats:
            rows = slice(part.start * TILE, part.stop * TILE)
            return in_tiles(memberships[rows] if kept is None else memberships[kept[rows]], K)

        of = partial(points._of_memberships, given, scatter)
        return about_near_means(of(np.tile(self.mean - self.center, (K, 1))), FLOAT64, of)

    def _of_memberships(
        self, resp: Callable[[slice], Floats], scatter: Scatter, about: Floats
    ) -> SufficientStatistics:
        """Statistics, about (K, d), of the responsibilities (m, K, TILE) of m tiles."""
        tiles, row_weights, _ = self.packed_in(FLOAT64)
        K, d = about.shape
        sums, work = make_sums(1, K, d, scatter.shape(K, d)), make_work(K, tiles[0], None, None)
        step = max(1, BLOCK // (K * TILE))
        for start in range(0, len(tiles), step):
            part = slice(start, min(start + step, len(tiles)))
            add_resp(tiles[part], row_weights[part], resp(part), about, work, sums)
        return self._statistics(sums, about)

    def sample(self, n: int, rng: Random) -> Floats:
        """Draw `n` rows about the center by the inverse CDF of the weights, with replacement."""
        return np.asarray(self._X[self._drawn(n, rng)] - self.center, np.float64)

    def _drawn(self, n: int, rng: Random) -> NDArray[np.int64]:
        u = rng.uniform(size=n)
        if self._sample_weight is None:
            return (u * len(self._X)).astype(np.int64)
        cumulated = np.cumsum(self._sample_weight)
        drawn: NDArray[np.int64] = np.searchsorted(cumulated, u * cumulated[-1], side="right")
        return drawn

    def all_or_sample(self, n: int, rng: Random) -> MemoryRows:
        """Return all rows if at most `n`, else a sample of `n`; about the center."""
        if self.n_rows > n:
            drawn = self._drawn(n, rng)
            X = np.asarray(self._X[drawn] - self.center, np.float64).astype(self._X.dtype)
            sample = MemoryRows(X, n_jobs=self.n_jobs, center=np.zeros(self.n_features))
            sample.drawn = drawn
            return sample
        return self

    def filled(self, rng: Random) -> MemoryRows:
        """Return the rows themselves: no value is missing."""
        return self

    def complete(self) -> MemoryRows:
        """Return the rows themselves: no value is missing."""
        return self

    def _statistics(self, sums: Sums, means: NDArray[Any]) -> SufficientStatistics:
        return statistics_of(sums, means, self.weight, self.n_rows, self.weight_unit)
