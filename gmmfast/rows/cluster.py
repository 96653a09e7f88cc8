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
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.arrays import require_length
from gmmfast.data.dask import Partitions
from gmmfast.data.validation import (
    Random,
    check_rows,
    check_sample_weight,
    require_total_weight,
)
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics
from gmmfast.rows.available import extent_of_known, without_values
from gmmfast.rows.base import Mask, RowsElsewhere, RowsInMemory, none_to_fit
from gmmfast.rows.chunks import picked_by_weight
from gmmfast.rows.extent import Extent, widened
from gmmfast.rows.incomplete import in_memory

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
    known: Floats  # (d,) weight of the rows that have each feature
    extent: Extent  # mean and extremes of each feature
    dtype: np.dtype[Any]
    lightest: float  # positive weight
    heaviest: float
    n_bytes: int
    lack_values: bool
    n_without: int  # rows left out because they have no value


@dataclass(frozen=True)
class Share:
    """Rows of a task: neighboring partitions, or a part of one."""

    partitions: slice
    rows: slice


class Part(NamedTuple):
    """Rows of a partition that have weight and a value."""

    X: NDArray[Any]  # (m, d)
    weights: Floats | None  # (m,), positive
    n_without: int = 0  # rows left out because they have no value


# ------------------------------------------------------------------------- tasks of the workers


def load(number: int, part: Any, weights: Any, may_miss: bool) -> Part:
    """Check a partition, and leave out rows of weight zero; ValueError names it."""
    try:
        if not require_length(part):
            width = np.shape(part)[1] if np.ndim(part) > 1 else 1
            return Part(np.empty((0, width)), None)
        X, _ = check_rows(part, name="GaussianMixture", is_missing_allowed=may_miss)
        checked = check_sample_weight(weights, len(X), are_all=False)
    except (ValueError, TypeError) as error:
        raise ValueError(f"partition {number}: {error}") from error
    kept = np.ones(len(X), bool) if checked is None else checked > 0
    empty = kept & without_values(X)
    kept &= ~empty
    if kept.all():
        return Part(X, checked)
    return Part(X[kept], None if checked is None else checked[kept], int(empty.sum()))


def describe(part: Part) -> Facts:
    """Return facts about a partition."""
    X, own, d = part.X, _weights(part), part.X.shape[1]
    weight, lack_values = float(own.sum()), bool(np.isnan(X).any())
    mean, known = np.zeros(d), np.full(d, weight)
    if lack_values:
        extent, known = extent_of_known(X.astype(np.float64), own), own @ ~np.isnan(X)
    else:
        if own.size:
            shift = X[0].astype(np.float64)
            with np.errstate(over="ignore", invalid="ignore"):  # overflow: the center is 0 then
                mean = shift + own / weight @ (X - shift)
        low, high = widened(np.full(d, np.inf), np.full(d, -np.inf), np.ascontiguousarray(X))
        extent = Extent(mean, low, high)
    dtype = np.dtype(np.float64) if lack_values else X.dtype
    lightest, heaviest = float(own.min(initial=math.inf)), float(own.max(initial=0.0))
    counted = extent, dtype, lightest, heaviest, X.nbytes, lack_values, part.n_without
    return Facts(own.size, weight, known, *counted)


def keep(part: Part, mask: Mask, first: int) -> Part:
    """Return some rows of a partition; `first` is the number of its first row."""
    kept = mask(first, len(part.X))
    return Part(part.X[kept], None if part.weights is None else part.weights[kept])


def together(parts: Sequence[Part], dtype: np.dtype[Any]) -> Part:
    """Concatenate neighboring partitions."""
    if len(parts) == 1:
        return parts[0]._replace(X=parts[0].X.astype(dtype, copy=False))
    X = np.concatenate([part.X.astype(dtype, copy=False) for part in parts])
    if all(part.weights is None for part in parts):
        return Part(X, None)
    return Part(X, np.concatenate([_weights(part) for part in parts]))


def share_of(
    parts: Sequence[Part], share: slice, center: Floats, dtype: np.dtype[Any]
) -> RowsInMemory:
    """Return some rows of neighboring partitions."""
    whole = together(parts, dtype)
    own = None if whole.weights is None else whole.weights[share]
    return in_memory(whole.X[share], own, n_jobs=1, center=center)


def pack(parameters: Parameters | None, *share: Any) -> RowsInMemory:
    """Pack some rows, sorted by likely component if there is a mixture."""
    rows = share_of(*share)
    return (rows if parameters is None else rows.arranged_for(parameters)).packed_alone()


def entropy(parameters: Parameters, *share: Any) -> float:
    """Return the entropy of the components given some rows."""
    return share_of(*share).entropy(parameters)


def extremes(axes: Floats, *share: Any) -> tuple[Floats, Floats]:
    """Return the extremes of some rows along axes."""
    return share_of(*share).extremes(axes)


def sums(
    rows: RowsInMemory, scatter: Scatter, cut: float, about: Floats, parameters: Parameters
) -> SufficientStatistics:
    """The sums of one pass over packed partitions."""
    return rows.sums(parameters, scatter, rows.hints(), cut, about)


def add(parts: Sequence[SufficientStatistics]) -> SufficientStatistics:
    """Add sums in their order."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def draw(part: Part, before: float, targets: Floats) -> Floats:
    """Rows at given values of the cumulative weights; earlier partitions add up to `before`."""
    picked = picked_by_weight(_weights(part), before, targets)
    return np.asarray(part.X[picked], np.float64)


def _weights(part: Part) -> Floats:
    return np.ones(len(part.X)) if part.weights is None else part.weights


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
    may_miss : bool, default=False
        Whether values may be missing. Rows without any value are left out then.
    """

    _numbers: list[int]  # of the partitions with rows,
    _loaded: list[Any]  # which are tasks or futures,
    _facts: list[Facts]

    def __init__(self, partitions: Partitions, client: Any, may_miss: bool = False) -> None:
        from dask import delayed

        self._client = client
        self.is_weighted = any(weights is not None for weights in partitions.weights)
        pairs = zip(partitions.rows, partitions.weights, strict=True)
        loaded = [
            delayed(load)(i, rows, weights, may_miss, dask_key_name=_key("load", i))
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
        self.lack_values = any(own.lack_values for own in self._facts)
        if self.lack_values:
            known = np.array([own.known for own in self._facts])
            mass = known.sum(axis=0)
            mean = np.einsum("pd,pd->d", known / np.where(mass > 0, mass, 1.0), means)
        self.n_without = sum(own.n_without for own in facts)
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

    def all_or_sample(self, n: int, rng: Random) -> RowsInMemory:
        """Return all rows, in local memory, if at most `n`; else a sample of `n`."""
        from dask import delayed

        if self.n_rows <= n:
            whole = together(self._compute(self._loaded), self.dtype)
            return in_memory(whole.X, whole.weights, center=self.center)
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
        return in_memory(drawn, center=np.zeros(self.n_features))

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
