"""Rows read chunk by chunk in every pass: memory holds a few chunks, for any n."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.free_memory import rows_of
from gmmfast.data.validation import Random, require_total_weight
from gmmfast.kernels.expectation import em_rows
from gmmfast.kernels.moments import make_sums
from gmmfast.kernels.separation import separated
from gmmfast.kernels.threads import thread_count
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics
from gmmfast.rows.available import without_values
from gmmfast.rows.base import (
    Mask,
    RowsElsewhere,
    RowsInMemory,
    changed,
    none_to_fit,
    read_only,
    statistics_of,
    unit_of,
)
from gmmfast.rows.evaluation import labels_of
from gmmfast.rows.extent import Extent, extremes_along, widened
from gmmfast.rows.incomplete import IncompleteRows, in_memory
from gmmfast.rows.sources import Chunk, Chunks

LABELS = 1 << 26  # bytes, at most, for the component of each row

T = TypeVar("T")


class ChunkRows(RowsElsewhere):
    """Rows of a source.

    A first pass counts and checks the rows, and finds their mean. In each later pass, threads sum
    one chunk each, and the sums are added in order; so chunks affect only rounding, and threads
    not even that.

    Parameters
    ----------
    source : Chunks or MaskedChunks
        Can be iterated over repeatedly.
    n_jobs : int, optional
        Threads; None is all that Numba allows.
    may_miss : bool
        Whether values may be missing. Rows without any value have no weight then.
    """

    def __init__(
        self,
        source: Chunks | MaskedChunks,
        *,
        n_jobs: int | None = None,
        may_miss: bool = False,
    ) -> None:
        self._source, self._n_jobs, self._may_miss = source, n_jobs, may_miss
        self._labels: NDArray[np.unsignedinteger] | None = None  # (n_all,) to sort chunks by
        self.n_rows, self.n_all, self.weight, self.is_weighted = 0, 0, 0.0, False
        self._dtype: np.dtype[Any] = np.dtype(np.float32)  # until a chunk has another type
        shift = total = mass = np.empty(0)
        low = high = np.empty(0)
        lightest, heaviest = math.inf, 0.0
        for chunk in source.read(may_miss=may_miss):
            self.is_weighted |= chunk.weights is not None
            if may_miss:
                before = _weights(chunk)
                chunk = _with_values(chunk)
                self.n_without += int(np.count_nonzero(before) - np.count_nonzero(_weights(chunk)))
            weights = _weights(chunk)
            self.n_all += len(chunk.X)
            self.n_rows += int(np.count_nonzero(weights))
            self.weight += float(weights.sum())
            if weights.any():
                lightest = min(lightest, float(weights[weights > 0].min()))
                heaviest = max(heaviest, float(weights.max()))
            if chunk.X.dtype != self._dtype:
                self._dtype = np.dtype(np.float64)
            present = chunk.X if weights.all() else chunk.X[weights > 0]
            if not len(present):
                continue
            if not shift.size:
                shift = np.full(present.shape[1], np.nan)
                total, mass = np.zeros(shift.size), np.zeros(shift.size)
                low, high = np.full_like(total, np.inf), np.full_like(total, -np.inf)
            is_known = ~np.isnan(present)
            firsts = present[is_known.argmax(axis=0), np.arange(shift.size)].astype(np.float64)
            shift, own = np.where(np.isnan(shift), firsts, shift), weights[weights > 0]
            with np.errstate(over="ignore", invalid="ignore"):  # overflow: the center is 0 then
                residuals = present - shift
                if is_known.all():
                    total, mass = total + own @ residuals, mass + weights.sum()
                    low, high = widened(low, high, np.ascontiguousarray(present))
                    continue
                total += own @ np.where(is_known, residuals, 0.0)
            mass += own @ is_known
            low = np.minimum(low, np.where(is_known, present, np.inf).min(axis=0))
            high = np.maximum(high, np.where(is_known, present, -np.inf).max(axis=0))
            self.lack_values = True
        self.lack_values |= self.n_without > 0
        if not self.n_rows:
            raise none_to_fit(self.is_weighted)
        require_total_weight(self.weight)
        self._log_weight_spread = math.log(heaviest) - math.log(lightest)
        mean = np.where(mass > 0, shift + total / np.where(mass > 0, mass, 1.0), 0.0)
        self.extent = Extent(mean, low, high)
        self._dtype = self.extent.dtype_for(self._dtype)
        if self.lack_values:
            self._dtype = np.dtype(np.float64)
        self.center = self.extent.center_for(self._dtype)
        self.n_features = len(self.center)
        self.names = source.names

    def _each(self, work: Callable[[Chunk], T]) -> Iterator[T]:
        """Results of `work` for the chunks with rows, in order."""
        return in_order(work, self._parts(), thread_count(self._n_jobs))

    def _again(self) -> Iterator[Chunk]:
        """All rows once more; they are checked, because their source may have changed."""
        chunks = self._source.read(may_miss=self._may_miss)
        return map(_with_values, chunks) if self.lack_values else chunks

    def _parts(self) -> Iterator[Chunk]:
        """Chunks in the type to compute in, large ones in parts."""
        step = rows_of(self.n_features, self.dtype)
        for chunk in self._source.again():
            if chunk.first + len(chunk.X) > self.n_all:
                raise changed()
            if self.lack_values:
                chunk = _with_values(chunk)
            for start in range(0, len(chunk.X), step):
                part = slice(start, start + step)
                weights = None if chunk.weights is None else chunk.weights[part]
                if weights is None or weights.any():
                    X = chunk.X[part].astype(self.dtype, copy=False)
                    yield Chunk(read_only(X), weights, chunk.first + start)

    def _order(self, chunk: Chunk) -> NDArray[np.int64]:
        """Indices of a chunk's rows of positive weight (m,), sorted by component if known."""
        if self._labels is None:
            order = np.arange(len(chunk.X))
        else:  # NumPy sorts 8- and 16-bit integers by radix, in linear time
            labels = self._labels[chunk.first : chunk.first + len(chunk.X)]
            order = labels.argsort(kind="stable")
        if chunk.weights is not None and not chunk.weights.all():
            order = order[chunk.weights[order] > 0]
        return order

    def _sums(
        self, parameters: Parameters, scatter: Scatter, cut: float, about: Floats
    ) -> SufficientStatistics:
        (K, d), dtype = parameters.means.shape, parameters.dtype_for(self.dtype)
        density = parameters.density(dtype)
        separation = separated(density, self.n_rows)
        means = np.array(about, dtype, order="C")
        mixture = (density, separation, means, cut)
        unit = unit_of(self.weight, self.n_rows)

        def sums_of(chunk: Chunk) -> SufficientStatistics:
            if self.lack_values and np.isnan(chunk.X).any():
                rows = IncompleteRows(chunk.X, chunk.weights, n_jobs=1, center=self.center)
                return rows.sums(parameters, scatter, rows.hints(), cut, means)
            own = K, d, scatter.shape(K, d), density.tails is not None, density.n_factors
            sums, order = make_sums(1, *own), self._order(chunk)
            weights = None if chunk.weights is None else read_only(chunk.weights / unit)
            em_rows(
                read_only(chunk.X.astype(dtype, copy=False)),
                self.center,
                weights,
                order,
                *mixture,
                sums,
            )
            weight = float(len(order) if chunk.weights is None else chunk.weights.sum())
            one = 1.0 if weights is None else unit
            return statistics_of(sums, means, weight, len(order), one)

        found: SufficientStatistics | None = None
        for statistics in self._each(sums_of):
            found = statistics if found is None else found + statistics
        if found is None:
            raise changed()
        return found

    def masked(self, mask: Mask) -> ChunkRows:
        """Return some of the rows, about the same center and in the same element type."""
        source = MaskedChunks(self._source, mask, self.n_rows, self.lack_values)
        rows = ChunkRows(source, n_jobs=self._n_jobs, may_miss=self._may_miss)
        rows.center, rows._dtype = self.center, self.dtype
        return rows

    def entropy(self, parameters: Parameters) -> float:
        """Return the entropy of the components given the rows, in nats."""

        def entropy_in(chunk: Chunk) -> float:
            rows = in_memory(chunk.X, chunk.weights, n_jobs=1, center=self.center)
            return rows.entropy(parameters)

        return math.fsum(self._each(entropy_in))

    def extremes(self, axes: Floats) -> tuple[Floats, Floats]:
        """Return the smallest and largest values (m,) along axes (d, m), about the center."""

        def of_chunk(chunk: Chunk) -> tuple[Floats, Floats]:
            return extremes_along(chunk.X, chunk.weights, self.center, axes)

        lows, highs = zip(*self._each(of_chunk), strict=True)
        return np.min(lows, axis=0), np.max(highs, axis=0)

    def arranged_for(self, parameters: Parameters) -> ChunkRows:
        """Return the same rows, sorted by likeliest component within each chunk.

        Unsorted if the components, one or two bytes per row, take more than `LABELS`.
        """
        kind = np.min_scalar_type(len(parameters.weights) - 1)
        if self.n_all * kind.itemsize > LABELS:
            return self
        labels = np.zeros(self.n_all, kind)

        def label(chunk: Chunk) -> None:
            rows = in_memory(chunk.X, n_jobs=1, center=self.center)
            own = labels_of(rows, parameters)
            labels[chunk.first : chunk.first + len(chunk.X)] = own

        deque(self._each(label), maxlen=0)
        arranged = copy(self)
        arranged.arranged_by = parameters
        arranged._labels = labels
        return arranged

    def all_or_sample(self, n: int, rng: Random) -> RowsInMemory:
        """Return all rows, in memory, if at most `n`; else a sample of `n`."""
        if self.n_rows <= n:
            chunks = list(self._again())
            if sum(len(chunk.X) for chunk in chunks) != self.n_all:
                raise changed()
            X = np.concatenate([chunk.X.astype(self.dtype) for chunk in chunks])
            weights = None
            if any(chunk.weights is not None for chunk in chunks):
                weights = np.concatenate([_weights(chunk) for chunk in chunks])
            return in_memory(X, weights, n_jobs=self._n_jobs, center=self.center)
        drawn = (self._drawn(rng.uniform(size=n)) - self.center).astype(self.dtype)
        return in_memory(drawn, n_jobs=self._n_jobs, center=np.zeros(self.n_features))

    def _drawn(self, u: Floats) -> Floats:
        """Draw rows by the inverse CDF of the weights, independent of the size of chunks."""
        order = u.argsort(kind="stable")
        targets, rows = u[order] * self.weight, np.empty((len(u), self.n_features))
        done, before = 0, 0.0
        for chunk in self._again():
            weights = _weights(chunk)
            if not weights.any():
                continue
            after = before + float(weights.sum())
            # rounding may leave a target beyond the last row
            end = int(np.searchsorted(targets, after, "left")) if after < self.weight else len(u)
            picked = picked_by_weight(weights, before, targets[done:end])
            rows[order[done:end]] = chunk.X[picked]
            done, before = end, after
        return rows


class MaskedChunks:
    """Some rows of a source, none of weight zero.

    Parameters
    ----------
    source : Chunks or MaskedChunks
        All rows.
    mask : Mask
        Which rows to keep.
    n_rows : int
        Number of rows of positive weight in the source.
    lack_values : bool
        Whether values are missing in some rows of the source.
    """

    names: list[str] | None

    def __init__(
        self, source: Chunks | MaskedChunks, mask: Mask, n_rows: int, lack_values: bool
    ) -> None:
        self._source, self._mask, self._n_rows = source, mask, n_rows
        self._lack_values = lack_values
        self.names = source.names

    def read(self, *, may_miss: bool = False) -> Iterator[Chunk]:
        """Read all rows; `may_miss` says whether values may be missing."""
        return self._kept(self._source.read(may_miss=may_miss))

    def again(self) -> Iterator[Chunk]:
        """Read all rows again, without checking their values."""
        return self._kept(self._source.again())

    def _kept(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        number = first = 0
        for chunk in chunks:
            if self._lack_values:
                chunk = _with_values(chunk)
            present = np.flatnonzero(_weights(chunk))
            if not present.size:
                continue
            if number + present.size > self._n_rows:
                raise changed()
            kept = present[self._mask(number, present.size)]
            weights = None if chunk.weights is None else chunk.weights[kept]
            yield Chunk(chunk.X[kept], weights, first)
            number += present.size
            first += kept.size


def picked_by_weight(weights: Floats, before: float, targets: Floats) -> NDArray[np.int64]:
    """Rows at given values of the cumulative weights; earlier rows add up to `before`."""
    cumulated = before + np.cumsum(weights)
    last = np.flatnonzero(weights)[-1]
    picked: NDArray[np.int64] = np.minimum(np.searchsorted(cumulated, targets, "right"), last)
    return picked


def _with_values(chunk: Chunk) -> Chunk:
    """Return a chunk in which rows without any value have no weight."""
    empty = without_values(chunk.X)
    if not empty.any():
        return chunk
    return replace(chunk, weights=np.where(empty, 0.0, _weights(chunk)))


def _weights(chunk: Chunk) -> NDArray[np.float64]:
    return np.ones(len(chunk.X)) if chunk.weights is None else chunk.weights


def in_order(work: Callable[[Chunk], T], chunks: Iterator[Chunk], n_threads: int) -> Iterator[T]:
    """Results of `work` for each chunk, in order; threads work while this one reads ahead.

    An error is raised in place of its chunk's result. Closing the iterator early ends the threads.
    """
    pool, pending = ThreadPoolExecutor(n_threads), deque[Future[T]]()
    try:
        for chunk in chunks:
            pending.append(pool.submit(work, chunk))
            if len(pending) > n_threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
