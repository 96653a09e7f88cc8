"""Interface of the EM loop to the data, wherever they are stored."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.validation import Random
from gmmfast.kernels.expectation import negligible
from gmmfast.kernels.loop import Fit, Rule, advance_elsewhere
from gmmfast.kernels.maximization import Totals
from gmmfast.kernels.moments import Sums
from gmmfast.kernels.passes import LOST_FLOAT32, LOST_FLOAT64, Pass, collect, moments_are_far
from gmmfast.kernels.threads import require_somebody
from gmmfast.kernels.tiles import TILE
from gmmfast.models.step import load_totals, new_totals, statistics_from
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics
from gmmfast.rows.evaluation import Evaluable
from gmmfast.rows.extent import Extent

if TYPE_CHECKING:
    from gmmfast.rows.memory import MemoryRows


LOST = {  # share of a variance that may be lost when its mean moves
    np.dtype(np.float32): LOST_FLOAT32,
    np.dtype(np.float64): LOST_FLOAT64,
}

# Which rows are kept (m,), given the number of the first and m; rows of weight zero do not count
Mask = Callable[[int, int], NDArray[np.bool_]]


@dataclass
class Hints:
    """Scratch of one fit, never shared: the likely component of each tile, and accumulators."""

    guesses: NDArray[np.int64]
    sums: Sums | None = None
    passes: dict[int, Pass] = field(default_factory=dict)  # by layout


class Origin(NamedTuple):
    """The facts about rows that the attributes of a mixture depend on."""

    center: Floats
    dtype: np.dtype[Any]
    weight: float


class EMRows(Protocol):
    """Rows as the EM loop sees them: immutable, shared freely by restarts and threads.

    Row weights count repetitions; rows of weight zero are ignored.
    """

    n_rows: int  # rows of positive weight
    n_features: int
    weight: float  # sum of the row weights
    center: Floats  # (d,); parameters are relative to it: the mean where that is exact, else 0
    weight_unit: float  # unit of the weights in the sums of `iterate`
    arranged_by: Parameters | None  # mixture near which passes are cheap

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type to compute in."""
        ...

    def expectation(
        self, parameters: Parameters, scatter: Scatter, hints: Hints | None = None
    ) -> SufficientStatistics:
        """E step: one pass over the rows."""
        ...

    def iterate(self, rule: Rule, fit: Fit, last: int, hints: Hints) -> None:
        """EM passes until the fit ends or pass `last` is done."""
        ...

    def e_step(self, rule: Rule, fit: Fit, hints: Hints) -> None:
        """E pass at the mixture of a fit, into its totals."""
        ...

    def passes_at_once(self, fit: Fit) -> int:
        """Return the number of passes between two checks for Ctrl-C."""
        ...

    def hints(self) -> Hints:
        """Return new scratch for one fit."""
        ...


class Rows(EMRows, Protocol):
    """Rows as starts and searches see them, too."""

    is_weighted: bool  # whether row weights were given
    lack_values: bool  # whether values are missing in some rows

    @property
    def mean(self) -> Floats:
        """Weighted mean (d,)."""
        ...

    def masked(self, mask: Mask) -> Rows:
        """Return some of the rows, about the same center and in the same element type.

        The mask must keep at least one row, and the same rows each time it is called.
        """
        ...

    def entropy(self, parameters: Parameters) -> float:
        """Return the entropy of the components given the rows, in nats."""
        ...

    def extremes(self, axes: Floats) -> tuple[Floats, Floats]:
        """Return the smallest and largest values (m,) along axes (d, m), about the center."""
        ...

    def arranged_for(self, parameters: Parameters) -> Rows:
        """Return the same rows, ordered so that passes near given parameters are cheap."""
        ...

    def all_or_sample(self, n: int, rng: Random) -> RowsInMemory:
        """Return all rows, in memory, if at most `n`; else a sample of `n`."""
        ...


class RowsInMemory(Rows, Evaluable, Protocol):
    """Rows in memory, of which some may lack values."""

    def arranged_for(self, parameters: Parameters) -> RowsInMemory:
        """Return the same rows, ordered so that passes near given parameters are cheap."""
        ...

    def packed_alone(self) -> RowsInMemory:
        """Return the same rows for EM alone, with less memory where possible."""
        ...

    def part(self, indices: Any) -> RowsInMemory:
        """Return some of the rows, about the same center."""
        ...

    def filled(self, rng: Random) -> MemoryRows:
        """Return the rows for starts; values that are missing are filled in."""
        ...

    def complete(self) -> MemoryRows | None:
        """Return the rows that lack no value, if there are any."""
        ...

    def memberships(
        self, memberships: NDArray[Any], n_components: int, scatter: Scatter
    ) -> SufficientStatistics:
        """Statistics of labels (n,) or responsibilities (n, K)."""
        ...

    def sums(
        self, parameters: Parameters, scatter: Scatter, hints: Hints, cut: float, about: Floats
    ) -> SufficientStatistics:
        """One pass: densities `cut` below a row's best count as 0; moments are around `about`."""
        ...


def whole_statistics(
    parameters: Parameters,
    cut: float,
    dtype: np.dtype[Any],
    one_pass: Callable[[float, Floats], SufficientStatistics],
) -> SufficientStatistics:
    """Return the statistics of a pruned pass, repeated if it leaves out something needed.

    A component negligible for all rows still needs a mean: then nothing is pruned. If a mean moves
    many standard deviations, its moments lose digits: they are taken again about the new mean.

    Parameters
    ----------
    parameters : Parameters
        The mixture.
    cut : float
        How far below a row's best a log density is negligible.
    dtype : dtype
        Element type of a pass.
    one_pass : callable
        Makes a pass, given the cut and the means (K, d) to take moments about.
    """
    statistics = one_pass(cut, parameters.means)
    needs_all = parameters.posterior is None  # means that a prior leaves may have no rows
    if needs_all and np.any((statistics.mass == 0) & (parameters.weights > 0)):
        cut = -np.inf
        statistics = one_pass(cut, parameters.means)
    spares = None if needs_all else parameters.variances()
    return about_near_means(statistics, dtype, lambda means: one_pass(cut, means), spares)


def about_near_means(
    statistics: SufficientStatistics,
    dtype: np.dtype[Any],
    again: Callable[[Floats], SufficientStatistics],
    spares: Floats | None = None,
) -> SufficientStatistics:
    """Return statistics whose moments keep their digits when they move to the new means.

    The next step adds variances `spares` (K, d) to the rows'.
    """
    own = statistics.reference, statistics.mass, statistics.first, statistics.scatter
    moments = *map(np.array, own), np.empty((2, 0)), np.empty((0, 0, 0))
    totals = Totals(np.empty(1), np.empty(1), *moments)  # writable, also from workers
    shifts = np.zeros_like(totals.first) if spares is None else spares.copy()
    if not moments_are_far(LOST[dtype], float(np.finfo(dtype).eps), totals, shifts):
        return statistics
    return again(statistics.reference + shifts)


class RowsElsewhere(ABC):
    """Base class of rows that are not packed in memory; they keep no scratch of a fit."""

    n_rows: int
    n_features: int
    weight: float
    is_weighted: bool
    lack_values = False
    n_without = 0  # rows that would have weight if they had a value
    extent: Extent
    center: Floats
    weight_unit = 1.0
    arranged_by: Parameters | None = None
    _dtype: np.dtype[Any]
    _log_weight_spread: float  # see `negligible`

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 where all parts are, else float64."""
        return self._dtype

    @property
    def mean(self) -> Floats:
        """Weighted mean (d,)."""
        return self.extent.mean

    def hints(self) -> Hints:
        """Return empty scratch."""
        return Hints(np.zeros(0, np.int64))

    def expectation(
        self, parameters: Parameters, scatter: Scatter, hints: Hints | None = None
    ) -> SufficientStatistics:
        """E step: one pass over all parts."""
        dtype = parameters.dtype_for(self.dtype)
        cut = negligible(len(parameters.weights), self._log_weight_spread, dtype)
        statistics = whole_statistics(
            parameters, cut, dtype, partial(self._sums, parameters, scatter)
        )
        is_finite = np.isfinite(statistics.first).all() or not self.extent.has_sums()
        if statistics.n_rows != self.n_rows or not is_finite:
            raise changed()
        return statistics

    def iterate(self, rule: Rule, fit: Fit, last: int, hints: Hints) -> None:
        """EM passes until the fit ends or pass `last` is done."""
        while fit.is_under_way and fit.n_passes < last:
            require_somebody()
            iterate_here(self, rule, fit, hints)

    def e_step(self, rule: Rule, fit: Fit, hints: Hints) -> None:
        """E pass at the mixture of a fit, into its totals."""
        e_step_here(self, fit, hints)

    def passes_at_once(self, fit: Fit) -> int:
        """Return 1: each pass reads all the data."""
        return 1

    @abstractmethod
    def masked(self, mask: Mask) -> Rows:
        """Return some of the rows, about the same center and in the same element type."""

    @abstractmethod
    def entropy(self, parameters: Parameters) -> float:
        """Return the entropy of the components given the rows, in nats."""

    @abstractmethod
    def extremes(self, axes: Floats) -> tuple[Floats, Floats]:
        """Return the smallest and largest values (m,) along axes (d, m), about the center."""

    @abstractmethod
    def arranged_for(self, parameters: Parameters) -> Rows:
        """Return the same rows, ordered so that passes near given parameters are cheap."""

    @abstractmethod
    def all_or_sample(self, n: int, rng: Random) -> RowsInMemory:
        """Return all rows, in memory, if at most `n`; else a sample of `n`."""

    @abstractmethod
    def _sums(
        self, parameters: Parameters, scatter: Scatter, cut: float, about: Floats
    ) -> SufficientStatistics:
        """One pass: densities `cut` below a row's best count as 0; moments are around `about`."""


def iterate_here(rows: EMRows, rule: Rule, fit: Fit, hints: Hints) -> None:
    """One pass called from Python, and the step after it."""
    e_step_here(rows, fit, hints)
    advance_elsewhere(rule, rows.weight_unit / rows.weight, fit)


def e_step_here(rows: EMRows, fit: Fit, hints: Hints) -> None:
    """E pass called from Python, at the mixture of a fit, into its totals."""
    mixture, (K, d) = fit.mixture, fit.mixture.means.shape
    whitening = mixture.whitening[0] if len(mixture.whitening) else None
    own = mixture.weights, mixture.means, mixture.covariances, mixture.factors, mixture.log_dets
    scatter = next(kind for kind in Scatter if kind.shape(K, d) == fit.totals.scatter.shape)
    given = mixture.noise, mixture.degrees, mixture.posterior, mixture.loadings, mixture.filters
    parameters = Parameters(*own, whitening, *(values if values.size else None for values in given))
    load_totals(rows.expectation(parameters, scatter, hints), fit.totals, rows.weight_unit)


def changed() -> ValueError:
    """Return the error for rows that differ between passes."""
    return ValueError(
        "The data have changed since the fit began: each pass must read the same rows, so an "
        "iterable must restart each time."
    )


def none_to_fit(is_weighted: bool) -> ValueError:
    """Return the error for data without rows, or without rows of positive weight."""
    which = " of positive weight" if is_weighted else ""
    return ValueError(f"A fit needs at least one row{which}; the data have none.")


def empty_fold() -> ValueError:
    """Return the error for a part of the rows without one of positive weight."""
    return ValueError("Every fold needs a row of positive weight. Lower cv, or drop rows.")


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view: one type to compile for per memory order."""
    view = array.view(np.ndarray)
    view.flags.writeable = False
    return view


def in_tiles(memberships: NDArray[Any], n_components: int) -> Floats:
    """Return labels (m,) or responsibilities (m, K) as responsibilities (n_tiles, K, TILE)."""
    m, K = len(memberships), n_components
    tiled = np.zeros((-(-m // TILE), TILE, K))  # the padding has weight zero
    own = memberships if memberships.ndim == 2 else memberships[:, None] == np.arange(K)
    tiled.reshape(-1, K)[:m] = own
    return np.ascontiguousarray(tiled.swapaxes(1, 2))


def unit_of(weight: float, n_rows: int) -> float:
    """Unit in which row weights are near one: a power of two, for exact scaling."""
    return float(2.0 ** math.floor(math.log2(weight / n_rows)))


def statistics_of(
    sums: Sums, means: NDArray[Any], weight: float, n_rows: int, unit: float = 1.0
) -> SufficientStatistics:
    """Return the sums of a pass as statistics for the M step.

    Parameters
    ----------
    sums : Sums
        Sums for row weights in `unit`.
    means : ndarray of shape (K, d)
        Reference of the moments.
    weight : float
        Sum of the row weights.
    n_rows : int
        Rows of positive weight.
    unit : float
        Unit of the row weights.
    """
    own = sums.scatter.shape[1:], sums.tails.size > 0, sums.scores.shape[2]
    totals = new_totals(means, *own)
    collect(sums, means, totals)
    return statistics_from(totals, weight, n_rows, unit)
