"""EM on replicates of rows in memory, all from the same fitted mixture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.em.loop import Control, Course
from gmmfast.em.state import new_fit, rule_of, with_leap
from gmmfast.kernels.loop import Fit, Rule
from gmmfast.kernels.maximization import Mixture
from gmmfast.kernels.passes import Pass, find_layout
from gmmfast.kernels.replicates import SOUND, Refit, Replicates, fit_replicates
from gmmfast.kernels.threads import current_stop, require_somebody
from gmmfast.models import Model
from gmmfast.models.base import few_rows
from gmmfast.models.step import N_OF_MIXTURE, state_shapes
from gmmfast.parameters import Floats, Parameters
from gmmfast.rows import MemoryRows
from gmmfast.rows.passes import address_of_loop


@dataclass(frozen=True)
class Refitted:
    """Fits to replicates."""

    mixtures: Mixture  # arrays with a leading axis (B,), relative to the rows' center
    log_likelihoods: Floats  # (B,) of the mixtures
    are_sound: NDArray[np.bool_]  # (B,): neither a collapsed component nor a failure


class Bench(NamedTuple):
    """Arrays for fits to replicates, one after the other."""

    fit: Fit
    rule: Rule
    refit: Refit
    rows: Pass
    order: NDArray[np.int64]  # (n,)


class Refitting:
    """Fits to replicates of the same shapes; any thread may fit.

    EM first goes on from the mixture until it has converged as closely as the replicates will:
    otherwise each of them would begin with the same missing steps, and end early.

    Parameters
    ----------
    rows : MemoryRows
        The data: float64, all of positive weight.
    start : Parameters
        The fitted mixture, relative to the rows' center.
    model : Model
        Its covariance model.
    control : Control
        Tolerance, iterations, acceleration.

    Raises
    ------
    IllDefinedCovarianceError
        If a covariance is not positive definite.
    """

    def __init__(self, rows: MemoryRows, start: Parameters, model: Model, control: Control) -> None:
        self._model, self._control = model, control
        self._rows = rows.arranged_for(start)
        course = Course(self._rows, start, model, control)
        course.complete()
        self.result, self.statistics = course.measured()
        self._start = course.flat
        self._floors = model.floors(rows.total(model.scatter))
        self._benches: dict[int, list[Bench]] = {}  # that nobody uses, by the length of new rows

    @property
    def parameters(self) -> Parameters:
        """The mixture that replicates start from."""
        return self.result.parameters

    @property
    def weight(self) -> float:
        """Total weight of the rows."""
        return self._rows.weight

    def reweighted(self, weights: Floats) -> Refitted:
        """Fit to the rows with other weights (B, n), all of the rows' total weight."""
        none = np.empty((0, *self._rows.array.shape))
        return self._refitted(none, weights, self._of_other_weights)

    def redrawn(self, X: Floats) -> Refitted:
        """Fit to other rows (B, n, d) about the same center, as many as the rows have weight."""
        n_rows = X.shape[1]

        def of_other_rows() -> MemoryRows:
            zeros = np.zeros(X.shape[1:])
            return MemoryRows(zeros, n_jobs=1, center=np.zeros(X.shape[2]))

        return self._refitted(X, np.ones((len(X), n_rows)), of_other_rows)

    def _of_other_weights(self) -> MemoryRows:
        rows = self._rows.reweighted(self._rows.sample_weight, np.dtype(np.float64))
        rows.log_weight_spread += 2 * np.log(rows.n_rows)  # a row counts up to n times, or 1 / n
        return rows

    def _refitted(self, X: Floats, weights: Floats, new_rows: Callable[[], MemoryRows]) -> Refitted:
        free = self._benches.setdefault(X.size and X.shape[1], [])
        try:
            bench = free.pop()
        except IndexError:
            bench = self._bench(new_rows())
        n_fits, unit = len(weights), self._rows.weight_unit
        found = np.full((n_fits, self._start.size), np.nan)
        log_likelihoods, outcomes = np.full(n_fits, np.nan), np.full(n_fits, SOUND)
        own = Replicates(X, weights / unit, bench.order, found, log_likelihoods, outcomes)
        require_somebody()
        fit_replicates(bench.rule, bench.refit, bench.rows, current_stop(), bench.fit, own)
        require_somebody()  # else the fits may have been cut off
        free.append(bench)
        return Refitted(self._mixtures(found), unit * log_likelihoods, outcomes == SOUND)

    def _bench(self, rows: MemoryRows) -> Bench:
        model, control, d = self._model, self._control, rows.n_features
        fit = new_fit(model, rows, len(self.parameters.weights), -np.inf)
        if control.is_accelerated:
            fit = with_leap(fit)
        fit.flat[...] = self._start
        hints = rows.hints()
        own = rows.pass_in(fit, hints, find_layout(False, fit.mixture))
        rule = rule_of(model, rows, fit, control.tol, control.share, control.is_accelerated)
        loop = address_of_loop(rule, own, fit, 0, current_stop())
        small, last = few_rows(d) / rows.n_rows, control.max_iter
        refit = Refit(self._start, hints.guesses.copy(), loop, last, self._floors, small)
        return Bench(fit, rule, refit, own, rows.order)

    def _mixtures(self, found: Floats) -> Mixture:
        """Return views of the arrays of mixtures (B, m)."""
        shapes = state_shapes(self._model, *self.parameters.means.shape)[:N_OF_MIXTURE]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        parts = np.split(found, ends, axis=1)[:N_OF_MIXTURE]
        return Mixture(
            *(part.reshape(len(found), *shape) for part, shape in zip(parts, shapes, strict=True))
        )
