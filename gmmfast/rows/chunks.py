"""Rows that are read piece by piece in every pass: memory holds a chunk or two, whatever n is."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.expectation import negligible
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics
from gmmfast.rows.base import Hints, with_every_component
from gmmfast.rows.memory import MemoryRows
from gmmfast.sources import Chunk, Chunks

READ_AHEAD = 1  # chunks that are read while another one is computed with


class ChunkRows:
    """Rows of a source.

    A first pass counts the rows, checks them, and finds their mean. Each pass then adds the sums
    of the chunks in their order; so the chunks decide nothing but rounding.

    Parameters
    ----------
    source : Chunks
        Iterable again and again.
    n_jobs : int, optional
        Threads; None is all that Numba allows.
    """

    def __init__(self, source: Chunks, *, n_jobs: int | None = None) -> None:
        self._source, self._n_jobs = source, n_jobs
        self.n_rows, self.n_all, self.weight = 0, 0, 0.0
        self._dtype: np.dtype[Any] = np.dtype(np.float32)  # until a chunk is of another one
        shift = total = None
        lightest, heaviest = math.inf, 0.0
        for chunk in source:
            weights = np.ones(len(chunk.X)) if chunk.weights is None else chunk.weights
            self.n_all += len(chunk.X)
            self.n_rows += int(np.count_nonzero(weights))
            self.weight += float(weights.sum())
            if weights.any():
                lightest = min(lightest, float(weights[weights > 0].min()))
                heaviest = max(heaviest, float(weights.max()))
            if chunk.X.dtype != self._dtype:
                self._dtype = np.dtype(np.float64)
            if shift is None or total is None:
                shift = chunk.X.mean(axis=0, dtype=np.float64)
                total = np.zeros(chunk.X.shape[1])
            total += weights @ (chunk.X - shift)
        if shift is None or total is None or not self.n_rows:
            raise ValueError("A fit needs at least one row of positive weight; the data have none.")
        self._log_weight_spread = math.log(heaviest) - math.log(lightest)
        self.centre: Floats = shift + total / self.weight
        self.n_features = len(self.centre)
        self.names = source.names

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 where all chunks are, else float64."""
        return self._dtype

    def __iter__(self) -> Iterator[MemoryRows]:
        """Read the chunks that have rows, all about the same centre, one of them ahead."""
        for chunk in read_ahead(self._source):
            if chunk.weights is None or chunk.weights.any():
                yield MemoryRows(
                    chunk.X.astype(self.dtype, copy=False), chunk.weights,
                    n_jobs=self._n_jobs, centre=self.centre,
                )  # fmt: skip

    def hints(self) -> Hints:
        """Return new scratch: there is nothing to remember of chunks."""
        return Hints(np.zeros(0, np.int64))

    def expectation(
        self, parameters: Parameters, scatter: Scatter, hints: Hints | None = None
    ) -> SufficientStatistics:
        """E step: one pass over all chunks."""
        cut = negligible(len(parameters.weights), self._log_weight_spread)
        return with_every_component(
            parameters, cut, lambda cut: self._sums(parameters, scatter, cut)
        )

    def _sums(self, parameters: Parameters, scatter: Scatter, cut: float) -> SufficientStatistics:
        found: SufficientStatistics | None = None
        for rows in self:
            statistics = rows.sums(parameters, scatter, cut, rows.hints())
            found = statistics if found is None else found + statistics
        if found is None or found.n_rows != self.n_rows or not math.isfinite(found.log_likelihood):
            raise ValueError(
                "The data have changed since the fit began: each pass must read the same rows."
            )
        return found

    def arranged_for(self, parameters: Parameters) -> ChunkRows:
        """Return these rows: they stay in the order in which they are read."""
        return self

    def all_or_sample(self, n: int, rng: np.random.Generator | np.random.RandomState) -> MemoryRows:
        """All rows, in memory, where there are no more than `n`; else a sample of `n`."""
        if self.n_rows <= n:
            chunks = list(self._source)
            X = np.concatenate([chunk.X.astype(self.dtype) for chunk in chunks])
            weights = None
            if any(chunk.weights is not None for chunk in chunks):
                weights = np.concatenate([_weights(chunk) for chunk in chunks])
            return MemoryRows(X, weights, n_jobs=self._n_jobs, centre=self.centre)
        drawn = (self._drawn(rng.uniform(size=n)) - self.centre).astype(self.dtype)
        return MemoryRows(drawn, n_jobs=self._n_jobs, centre=np.zeros(self.n_features))

    def _drawn(self, u: Floats) -> Floats:
        """Rows by the inverse CDF of the weights: the same for chunks of any size."""
        order = u.argsort(kind="stable")
        targets, rows = u[order] * self.weight, np.empty((len(u), self.n_features))
        done, before = 0, 0.0
        for chunk in self._source:
            weights = _weights(chunk)
            cumulated = before + np.cumsum(weights)
            end = int(np.searchsorted(targets, cumulated[-1], side="left"))
            picked = np.searchsorted(cumulated, targets[done:end], side="right")
            rows[order[done:end]] = chunk.X[np.minimum(picked, len(weights) - 1)]
            done, before = end, float(cumulated[-1])
            last = chunk.X[np.flatnonzero(weights)[-1:]]
            if len(last):
                rows[order[end:]] = last  # where rounding leaves a target behind the last row
        return rows


def _weights(chunk: Chunk) -> NDArray[np.float64]:
    return np.ones(len(chunk.X)) if chunk.weights is None else chunk.weights


def read_ahead(source: Chunks) -> Iterator[Chunk]:
    """Read chunks in a thread of their own, while others are computed with.

    An error comes where its chunk would have come. Whoever leaves early ends the thread.
    """
    ready: queue.Queue[tuple[Chunk | None, BaseException | None]] = queue.Queue(READ_AHEAD)
    left = threading.Event()

    def offer(item: tuple[Chunk | None, BaseException | None]) -> bool:
        while not left.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            for chunk in source:
                if not offer((chunk, None)):
                    return
            offer((None, None))
        except BaseException as error:
            offer((None, error))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        while True:
            chunk, error = ready.get()
            if error is not None:
                raise error
            if chunk is None:
                return
            yield chunk
    finally:
        left.set()
        reader.join()
