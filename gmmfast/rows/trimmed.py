"""Rows of which the least likely share has no weight: the trimmed likelihood.

In each pass the rows of lowest mixture density are left out, and the M step maximizes the
likelihood of the others. Neither lowers the sum of log densities over the rows that are kept
(Garcia-Escudero, Gordaliza, Matran & Mayo-Iscar 2008, section 3).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.validation import Random
from gmmfast.kernels.evaluation import measure, measure_shards
from gmmfast.kernels.expectation import negligible
from gmmfast.kernels.loop import Fit, Rule
from gmmfast.kernels.separation import separated
from gmmfast.kernels.threads import run_shards
from gmmfast.kernels.tiles import aligned
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics
from gmmfast.rows.base import Hints, Mask, Rows, e_step_here, iterate_here
from gmmfast.rows.evaluation import entropy_of
from gmmfast.rows.memory import MemoryRows
from gmmfast.rows.neighbors import neighbor_distances
from gmmfast.rows.packing import shard_count
from gmmfast.rows.passes import work_of

LEAST_PART = 1e-9  # of a row's weight: less is the rounding of sums of weights
REFERENCES = 512  # rows, at most, among which the neighbors of rows are counted


class TrimmedRows:
    """Rows in memory, of which each pass leaves out the least likely.

    Parameters
    ----------
    rows : MemoryRows
        All rows.
    trim : float
        Share of their weight that is left out, above 0 and below 0.5.
    """

    lack_values = False
    is_weighted: bool
    arranged_by: Parameters | None

    def __init__(self, rows: MemoryRows, trim: float) -> None:
        self.whole, self.trim = rows, trim
        self.n_rows, self.n_features, self.center = rows.n_rows, rows.n_features, rows.center
        self.weight, self.weight_unit = (1 - trim) * rows.weight, rows.weight_unit
        self.is_weighted, self.arranged_by = rows.is_weighted, rows.arranged_by

    @property
    def mean(self) -> Floats:
        """Weighted mean (d,) of all rows."""
        return self.whole.mean

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type to compute in."""
        return self.whole.dtype

    def hints(self) -> Hints:
        """Return new scratch for one fit."""
        return self.whole.hints()

    def log_densities(self, parameters: Parameters, hints: Hints | None = None) -> Floats:
        """Return the log density of all rows (n,), in nats; minus infinity for weights of zero."""
        rows, guesses = self.whole, (hints or self.hints()).guesses
        dtype = parameters.dtype_for(self.dtype)
        tiles, density = rows.packed_in(dtype).tiles, parameters.density(dtype)
        found = aligned(len(tiles), tiles[0, 0])
        cut = negligible(len(parameters.weights), dtype=dtype)
        data = tiles, density, separated(density, self.n_rows), cut, guesses, found
        shards = shard_count(self.n_rows, self.n_features * len(parameters.weights))
        work = work_of(self.n_rows, density)
        run_shards(measure, measure_shards, rows.n_jobs, shards, work, *data)
        everywhere = np.full(len(rows.array), -np.inf)
        everywhere[rows.order] = found.ravel()[: self.n_rows]
        return everywhere

    def kept_weights(self, log_density: NDArray[Any]) -> Floats:
        """Return the weights (n,) of all rows, without the least likely."""
        return kept_weights(log_density, self.whole.sample_weight, self.trim)

    def _kept(self, parameters: Parameters, hints: Hints | None = None) -> MemoryRows:
        """Return all rows, of which the least likely have no weight."""
        weights = self.kept_weights(self.log_densities(parameters, hints))
        return self.whole.reweighted(weights, parameters.dtype_for(self.dtype))

    def expectation(
        self, parameters: Parameters, scatter: Scatter, hints: Hints | None = None
    ) -> SufficientStatistics:
        """E step: one pass for log densities, and one over the rows that are kept."""
        return self._kept(parameters, hints).expectation(parameters, scatter, hints)

    def iterate(self, rule: Rule, fit: Fit, last: int, hints: Hints) -> None:
        """EM passes until the fit ends or pass `last` is done."""
        while fit.is_under_way and fit.n_passes < last:
            iterate_here(self, rule, fit, hints)

    def e_step(self, rule: Rule, fit: Fit, hints: Hints) -> None:
        """E pass at the mixture of a fit, into its totals."""
        e_step_here(self, fit, hints)

    def passes_at_once(self, fit: Fit) -> int:
        """Return the number of passes between two checks for Ctrl-C."""
        return self.whole.passes_at_once(fit)

    def masked(self, mask: Mask) -> TrimmedRows:
        """Return some of the rows, about the same center."""
        return TrimmedRows(self.whole.masked(mask), self.trim)

    def entropy(self, parameters: Parameters) -> float:
        """Return the entropy of the components given the rows that are kept, in nats."""
        return entropy_of(self._kept(parameters), parameters)

    def extremes(self, axes: Floats) -> tuple[Floats, Floats]:
        """Return the smallest and largest values (m,) of all rows along axes (d, m)."""
        return self.whole.extremes(axes)

    def arranged_for(self, parameters: Parameters) -> TrimmedRows:
        """Return the same rows, ordered so that passes near given parameters are cheap."""
        return TrimmedRows(self.whole.arranged_for(parameters), self.trim)

    def all_or_sample(self, n: int, rng: Random) -> MemoryRows:
        """Return the rows, or a sample of at most `n`, without those that are far from others."""
        points = self.whole.all_or_sample(n, rng)
        weights = kept_weights(-distances(points, self.trim, rng), points.sample_weight, self.trim)
        return points.part(np.flatnonzero(weights == points.sample_weight))


def trimmed(rows: Rows, trim: float) -> Rows:
    """Return rows whose passes leave out a share; the same rows if the share is zero.

    Raises
    ------
    ValueError
        If the rows are not in memory, or lack values.
    """
    if trim == 0:
        return rows
    if not isinstance(rows, MemoryRows):
        raise ValueError(
            "trim needs complete rows in memory; got rows that lack values, are read in pieces or "
            "lie on a cluster. Load them, fill in or leave out what is missing, or set trim=0."
        )
    return TrimmedRows(rows, float(trim))


def kept_weights(log_density: NDArray[Any], weights: Floats, trim: float) -> Floats:
    """Return row weights (n,) without the least likely share.

    What is left out is exactly `trim` of the weight: the row at the threshold keeps a part of its
    own. Of equally likely rows the first are left out.

    Parameters
    ----------
    log_density : ndarray of shape (n,)
        Of the rows, in nats.
    weights : ndarray of shape (n,)
        Row weights.
    trim : float
        Share to leave out.

    Examples
    --------
    >>> import numpy as np
    >>> kept_weights(np.array([-1.0, -9.0, -1.0, -5.0]), np.ones(4), 0.375)
    array([1. , 0. , 1. , 0.5])
    """
    n, excess = len(weights), trim * weights.sum()
    count = min(n, math.ceil(trim * n) + 1)
    while True:  # until the least likely rows have enough weight
        threshold = np.partition(log_density, count - 1)[count - 1]
        lowest = np.flatnonzero(log_density <= threshold)
        if count == n or weights[lowest].sum() >= excess:
            break
        count = min(n, 2 * count)
    order = lowest[np.argsort(log_density[lowest], kind="stable")]
    own, kept = weights[order], np.array(weights)
    rest = own - np.clip(excess - (np.cumsum(own) - own), 0, own)
    kept[order] = np.where(rest > LEAST_PART * own, rest, 0.0)
    return kept


def distances(rows: MemoryRows, trim: float, rng: Random) -> Floats:
    """Return how far each row (n,) is from others, in interquartile ranges of the features.

    That is the squared distance from a neighbor so far down the order that a group with the share
    `trim` of the rows does not hold them all: outliers may lie close together.

    Parameters
    ----------
    rows : MemoryRows
        The rows.
    trim : float
        The share.
    rng : Generator or RandomState
        Draws the rows among which neighbors are counted.
    """
    X = np.asarray(rows.array - rows.center, np.float64)
    others = rows.sample(min(len(X), REFERENCES), rng)
    low, middle, high = np.quantile(others, [0.25, 0.5, 0.75], axis=0)
    scale = np.where(high > low, high - low, np.ptp(others, axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    X, others = (X - middle) / scale, (others - middle) / scale
    expected = trim * len(others)
    place = min(len(others) - 1, math.ceil(expected + 2 * math.sqrt(expected)))
    return neighbor_distances(X, others, place)
