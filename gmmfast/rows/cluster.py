"""Rows in partitions on the workers of a Dask cluster: each pass is one small graph.

A task sums over rows of one worker, in its thread, with serial kernels; a tree adds the sums,
always in the order of the partitions. Only parameters and sums are sent between passes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.arrays import require_length
from gmmfast.data.dask import Partitions
from gmmfast.data.validation import check_rows, check_sample_weight, require_total_weight
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics
from gmmfast.rows.base import Mask, RowsElsewhere, none_to_fit
from gmmfast.rows.chunks import picked_by_weight
from gmmfast.rows.evaluation import entropy_of
from gmmfast.rows.extent import Extent, widened
from gmmfast.rows.memory import MemoryRows

TASK_BYTES = 64 << 20  # neighboring partitions are joined up to this size,
TASKS = 16  # unless that leaves fewer tasks than this;
MOST_BYTES = 256 << 20  # larger ones are divided
FAN_IN = 8  # sums that a task of the tree adds; the client adds the last level
SMALL = 1 << 16  # bytes of parameters that go with each task; more are sent to each worker once
ROOM = 3  # times the data: rows, their packed copy, and scratch of the tasks


@dataclass(frozen=True)
class Facts:
    """Facts about a partition."""

    n_rows: int  # of positive weight
    weight: float
    extent: Extent  # mean and extremes of each feature
    dtype: np.dtype[Any]
    lightest: float  # positive weight
    heaviest: float
    n_bytes: int


@dataclass(frozen=True)
class Share:
    """Rows of a task: neighboring partitions, or a part of one."""

    partitions: slice
    rows: slice


Loaded = tuple[NDArray[Any], Floats | None]  # rows (m, d) and their positive weights (m,)


# ------------------------------------------------------------------------- tasks of the workers


def load(number: int, part: Any, weights: Any) -> Loaded:
    """Check a partition, and leave out rows of weight zero; ValueError names it."""
    try:
        if not require_length(part):
            width = np.shape(part)[1] if np.ndim(part) > 1 else 1
            return np.empty((0, width)), None
        X, _ = check_rows(part, name="GaussianMixture")
        checked = check_sample_weight(weights, len(X), are_all=False)
    except (ValueError, TypeError) as error:
        raise ValueError(f"partition {number}: {error}") from error
    if checked is None or checked.all():
        return X, checked
    return X[checked > 0], checked[checked > 0]


def describe(loaded: Loaded) -> Facts:
    """Return facts about a partition."""
    X, weights = loaded
    own = _weights(X, weights)
    weight = float(own.sum())
    d = X.shape[1]
    mean = np.zeros(d)
    if own.size:
        shift = X[0].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # overflow: the center is 0 then
            mean = shift + own / weight @ (X - shift)
    low, high = widened(np.full(d, np.inf), np.full(d, -np.inf), np.ascontiguousarray(X))
    extent = Extent(mean, low, high)
    lightest, heaviest = own.min(initial=math.inf), own.max(initial=0.0)
    return Facts(own.size, weight, extent, X.dtype, float(lightest), float(heaviest), X.nbytes)


def keep(loaded: Loaded, mask: Mask, first: int) -> Loaded:
    """Return some rows of a partition; `first` is the number of its first row."""
    X, weights = loaded
    kept = mask(first, len(X))
    return X[kept], None if weights is None else weights[kept]


def together(loaded: Sequence[Loaded], dtype: np.dtype[Any]) -> Loaded:
    """Concatenate neighboring partitions."""
    if len(loaded) == 1:
        rows, own = loaded[0]
        return rows.astype(dtype, copy=False), own
    X = np.concatenate([rows.astype(dtype, copy=False) for rows, _ in loaded])
    if all(own is None for _, own in loaded):
        return X, None
    return X, np.concatenate([_weights(rows, own) for rows, own in loaded])


def share_of(
    loaded: Sequence[Loaded], part: slice, center: Floats, dtype: np.dtype[Any]
) -> MemoryRows:
    """Return some rows of neighboring partitions."""
    X, weights = together(loaded, dtype)
    own = None if weights is None else weights[part]
    return MemoryRows(X[part], own, n_jobs=1, center=center)


def pack(parameters: Parameters | None, *share: Any) -> MemoryRows:
    """Pack some rows, sorted by likely component if there is a mixture."""
    rows = share_of(*share)
    return (rows if parameters is None else rows.arranged_for(parameters)).packed_alone()


def entropy(parameters: Parameters, *share: Any) -> float:
    """Return the entropy of the components given some rows."""
    return entropy_of(share_of(*share), parameters)


def extremes(axes: Floats, *share: Any) -> tuple[Floats, Floats]:
    """Return the extremes of some rows along axes."""
    return share_of(*share).extremes(axes)


def sums(
    rows: MemoryRows, scatter: Scatter, cut: float, about: Floats, parameters: Parameters
) -> SufficientStatistics:
    """The sums of one pass over packed partitions."""
    return rows.sums(parameters, scatter, rows.hints(), cut, about)


def add(parts: Sequence[SufficientStatistics]) -> SufficientStatistics:
    """Add sums in their order."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def draw(loaded: Loaded, before: float, targets: Floats) -> Floats:
    """Rows at given values of the cumulative weights; earlier partitions add up to `before`."""
    X, weights = loaded
    picked = picked_by_weight(_weights(X, weights), before, targets)
    return np.asarray(X[picked], np.float64)


def _weights(X: NDArray[Any], weights: Floats | None) -> Floats:
    return np.ones(len(X)) if weights is None else weights


# ------------------------------------------------------------------------------------- the rows


class ClusterRows(RowsElsewhere):
    """Rows of a Dask collection.

    Parameters
    ----------
    partitions : Partitions
        The data.
    client : distributed.Client
        Client of the workers. If they have the memory, partitions are loaded once, and packed once
        per start; else they are loaded in every pass.
    """

    _numbers: list[int]  # of the partitions with rows,
    _loaded: list[Any]  # which are tasks or futures,
    _facts: list[Facts]

    def __init__(self, partitions: Partitions, client: Any) -> None:
        from dask import delayed

        self._client = client
        self.is_weighted = any(weights is not None for weights in partitions.weights)
        pairs = zip(partitions.rows, partitions.weights, strict=True)
        loaded = [
            delayed(load)(i, rows, weights, dask_key_name=_key("load", i))
            for i, (rows, weights) in enumerate(pairs)
        ]
        self._take(range(len(loaded)), loaded)
        types = {own.dtype for own in self._facts}
        dtype = types.pop() if len(types) == 1 else np.dtype(np.float64)
        self._dtype = self.extent.dtype_for(dtype)
        self.center = self.extent.center_for(self._dtype)
        self._is_kept = ROOM * sum(own.n_bytes for own in self._facts) <= _memory(client)
        if self._is_kept:
            self._loaded = client.compute(self._loaded, optimize_graph=False)
        self._packed = self._tasks(pack, None)

    def _take(self, numbers: Sequence[int], loaded: Sequence[Any]) -> None:
        """Find facts about partitions, and take those that have rows."""
        from dask import delayed

        pairs = zip(numbers, loaded, strict=True)
        tasks = [delayed(describe)(part, dask_key_name=_key("describe", i)) for i, part in pairs]
        facts: list[Facts] = self._compute(tasks)
        taken = [at for at, own in enumerate(facts) if own.n_rows]
        self._numbers = [numbers[at] for at in taken]
        self._loaded = [loaded[at] for at in taken]
        self._facts = [facts[at] for at in taken]
        self._check_widths()
        self.n_rows = sum(own.n_rows for own in self._facts)
        self.weight = math.fsum(own.weight for own in self._facts)
        require_total_weight(self.weight)
        weights = np.array([own.weight for own in self._facts])
        means, lows, highs = zip(*(own.extent for own in self._facts), strict=True)
        mean = weights / self.weight @ means
        self.extent = Extent(mean, np.min(lows, axis=0), np.max(highs, axis=0))
        heaviest = max(own.heaviest for own in self._facts)
        lightest = min(own.lightest for own in self._facts)
        self._log_weight_spread = math.log(heaviest) - math.log(lightest)
        self._shares = self._divided()

    def _check_widths(self) -> None:
        if not self._facts:
            raise none_to_fit(self.is_weighted)
        self.n_features = len(self._facts[0].extent.mean)
        for i, own in zip(self._numbers, self._facts, strict=True):
            if len(own.extent.mean) != self.n_features:
                raise ValueError(
                    f"partition {i}: every partition must have as many columns as the first, "
                    f"{self.n_features}; got {len(own.extent.mean)}."
                )

    def _tasks(self, work: Callable[..., Any], first: Parameters | Floats | None) -> list[Any]:
        """Return lazy tasks, one for each share, given their first argument."""
        from dask import delayed

        first = delayed(first, traverse=False)
        return [
            delayed(work)(
                first,
                self._loaded[share.partitions],
                share.rows,
                self.center,
                self.dtype,
                dask_key_name=_key(work.__name__, self._numbers[share.partitions.start]),
            )
            for share in self._shares
        ]

    def _divided(self) -> list[Share]:
        """Shares of about equal size: small neighbors are joined, large partitions divided."""
        target = min(TASK_BYTES, sum(own.n_bytes for own in self._facts) // TASKS)
        shares, begin, size = [], 0, 0
        for i, own in enumerate(self._facts):
            size += own.n_bytes
            if size < target and i < len(self._facts) - 1:
                continue
            joined = slice(begin, i + 1)
            n_rows = sum(each.n_rows for each in self._facts[joined])
            step = math.ceil(n_rows / math.ceil(size / MOST_BYTES))
            shares += [Share(joined, slice(row, row + step)) for row in range(0, n_rows, step)]
            begin, size = i + 1, 0
        return shares

    def _sums(
        self, parameters: Parameters, scatter: Scatter, cut: float, about: Floats
    ) -> SufficientStatistics:
        from dask import delayed

        if sum(array.nbytes for array in parameters.to_arrays().values()) < SMALL:
            task = delayed(partial(sums, parameters=parameters))
        else:
            task = partial(delayed(sums), parameters=delayed(parameters, traverse=False))
        level = [
            task(rows, scatter, cut, about, dask_key_name=_key("sums", self._numbers[number]))
            for share, rows in zip(self._shares, self._packed, strict=True)
            for number in [share.partitions.start]
        ]
        while len(level) > FAN_IN:
            groups = [level[i : i + FAN_IN] for i in range(0, len(level), FAN_IN)]
            level = [delayed(add)(group) for group in groups]
        return add(self._compute(level))

    def masked(self, mask: Mask) -> ClusterRows:
        """Return some of the rows, about the same center and in the same element type.

        Workers choose them anew in every pass, and keep them only where they are packed for a fit.
        """
        from dask import delayed

        kept, first = [], 0
        for i, part, own in zip(self._numbers, self._loaded, self._facts, strict=True):
            kept.append(delayed(keep)(part, mask, first, dask_key_name=_key("keep", i)))
            first += own.n_rows
        masked = copy(self)
        masked._take(self._numbers, kept)
        masked._packed = masked._tasks(pack, None)
        return masked

    def entropy(self, parameters: Parameters) -> float:
        """Return the entropy of the components given the rows, in nats."""
        return math.fsum(self._compute(self._tasks(entropy, parameters)))

    def extremes(self, axes: Floats) -> tuple[Floats, Floats]:
        """Return the smallest and largest values (m,) along axes (d, m), about the center."""
        lows, highs = zip(*self._compute(self._tasks(extremes, axes)), strict=True)
        return np.min(lows, axis=0), np.max(highs, axis=0)

    def arranged_for(self, parameters: Parameters) -> ClusterRows:
        """Return the same rows, packed in the order of their likely components."""
        arranged = copy(self)
        arranged.arranged_by = parameters
        arranged._packed = self._tasks(pack, parameters)
        if self._is_kept:
            arranged._packed = self._client.compute(arranged._packed, optimize_graph=False)
        return arranged

    def all_or_sample(self, n: int, rng: np.random.Generator | np.random.RandomState) -> MemoryRows:
        """Return all rows, in local memory, if at most `n`; else a sample of `n`."""
        from dask import delayed

        if self.n_rows <= n:
            whole = together(self._compute(self._loaded), self.dtype)
            return MemoryRows(*whole, center=self.center)
        u = rng.uniform(size=n)
        order = u.argsort(kind="stable")
        targets = u[order] * self.weight
        ends = np.cumsum([own.weight for own in self._facts])
        cuts = [0, *np.searchsorted(targets, ends[:-1], side="left"), n]
        tasks = [
            delayed(draw)(part, end - own.weight, targets[begin:stop])
            for part, own, end, begin, stop in zip(
                self._loaded, self._facts, ends, cuts[:-1], cuts[1:], strict=True
            )
        ]
        rows = np.empty((n, self.n_features))
        rows[order] = np.concatenate(self._compute(tasks))
        drawn = (rows - self.center).astype(self.dtype)
        return MemoryRows(drawn, center=np.zeros(self.n_features))

    def _compute(self, tasks: list[Any]) -> list[Any]:
        """Return results of tasks; RuntimeError with the reason if they end early."""
        from distributed import CancelledError, KilledWorker
        from distributed.client import ClosedClientError

        futures: list[Any] = []
        try:
            futures = self._client.compute(tasks, optimize_graph=False)
            return list(self._client.gather(futures))
        except KilledWorker as error:
            keys = [str(error.task), *(own.key for own in futures if own.status == "error")]
            numbers = re.findall(rf"{PREFIX}-\w+-(\d+)", " ".join(keys))
            where = f"partition {numbers[0]}" if numbers else f"task {error.task}"
            raise RuntimeError(
                f"{where}: the workers that computed it died, probably for lack of memory. Make "
                "partitions smaller, or give each worker more memory."
            ) from error
        except (CancelledError, ClosedClientError) as error:
            raise RuntimeError(
                "The fit ended because the Dask client was closed or its tasks were canceled."
            ) from error


PREFIX = "gmmfast"


def _key(task: str, number: int) -> str:
    """Key of a task, which names its partition for errors."""
    return f"{PREFIX}-{task}-{number}-{uuid4().hex}"


def _memory(client: Any) -> float:
    """Memory of all workers, in bytes."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return float(sum(worker["memory_limit"] or math.inf for worker in workers))
