"""Expectation-Maximization (Dempster, Laird & Rubin 1977; Bishop 2006, 9.2.2): the loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gmmfast.em.state import (
    BLOCK,
    fall_back,
    memory_of,
    new_fit,
    recall,
    require_definite,
    rule_of,
    with_leap,
)
from gmmfast.errors import EmptyComponentError, IllDefinedCovarianceError
from gmmfast.kernels.loop import (
    CONVERGED,
    HAS_BEFORE,
    LOWER_BOUND,
    N_PASSES,
    ON_TRIAL,
    ROUNDED,
    STATUS,
    Fit,
    advance_elsewhere,
)
from gmmfast.kernels.maximization import Totals
from gmmfast.kernels.threads import END, current_stop
from gmmfast.models import Model
from gmmfast.models.step import (
    load_mixture,
    load_totals,
    parameters_from,
    parameters_in,
    statistics_from,
)
from gmmfast.parameters import Floats, Parameters, SufficientStatistics
from gmmfast.rows import EMRows, Hints, Rows

CAUTION = 1e3, 1e4  # of starts that follow a collapse: the first is sound for iris at K = 5 (1e4
# for 3 of 10 seeds), the second for its petals at K = 4 (1e3 for 4 of 10)

BOUND = "mean log-likelihood"  # that a fit raises


class Status(Enum):
    """Why a fit ended."""

    CONVERGED = f"Converged: the {BOUND} changed by less than tol."
    MAX_ITER = f"Stopped at max_iter before the {BOUND} changed by less than tol."
    STOPPED = "Stopped by the callback, a time limit or the end of a search."
    NOT_STARTED = "No iterations requested: these are the starting values."
    UNDER_WAY = "Interrupted: fit resumes from here."
    STREAM = "Updated by partial_fit; more rows may follow."
    OUTDONE = "Ended by its search: another candidate is better."
    FAILED = "Ended by an error."
    ROUNDED = f"Converged: rounding made the {BOUND} fall."

    def sentence(self, bound: str = BOUND) -> str:
        """Return why, in a sentence that names the bound of the fit."""
        return self.value.replace(BOUND, bound)

    @property
    def is_end(self) -> bool:
        """Whether the fit has converged, by `tol` or up to rounding."""
        return self in (Status.CONVERGED, Status.ROUNDED)


@dataclass(frozen=True)
class EMResult:
    """Result of a fit from one start."""

    parameters: Parameters
    lower_bounds: list[float]  # objective before each M step, in nats per row
    status: Status
    lower_bound: float  # the last one; before any, the lower bound of the earlier fit
    statistics: SufficientStatistics | None  # of the last E step
    stopped: bool  # by an observer, whether or not this start has converged
    degenerate: NDArray[np.bool_]  # (K,): components that have collapsed

    @property
    def is_spoiled(self) -> bool:
        """Whether some components have collapsed, but not all.

        Where columns are constant all collapse, whatever the start.
        """
        return bool(self.degenerate.any() and not self.degenerate.all())

    def beats(self, other: EMResult | None) -> bool:
        """Whether to prefer this result to an earlier one: without a collapsed component first."""
        if other is None or self.degenerate.any() != other.degenerate.any():
            return other is None or not self.degenerate.any()
        return self.lower_bound > other.lower_bound


@dataclass(frozen=True)
class Position:
    """State of a fit after an iteration."""

    parameters: Parameters
    lower_bounds: list[float]
    status: Status
    memory: dict[str, NDArray[Any]]  # other state that the next steps depend on
    guesses: NDArray[np.int64]  # the component that probably owns each tile of rows
    arranged_by: Parameters | None  # the mixture that the rows were sorted by

    @property
    def lower_bound(self) -> float:
        """The last lower bound."""
        return self.lower_bounds[-1]


class Observer(Protocol):
    """Follows a fit."""

    every: int | None  # iterations between calls of `step`; None: occasional calls

    def begin(self, start: int) -> None:
        """Note that a start begins."""
        ...

    def step(self, iteration: int, lower_bound: float, change: float) -> bool:
        """Note the number of iterations so far; return True to stop."""
        ...

    def end(self, lower_bound: float, status: Status) -> None:
        """Note that the start has ended, even if it failed."""
        ...


@dataclass(frozen=True)
class Control:
    """Stopping criteria and observers."""

    tol: float = 1e-3
    max_iter: int = 100
    acceleration: str = "none"  # "none" or "auto"
    observers: Sequence[Observer] = ()
    keep: Callable[[Position], None] | None = None  # gets every position, to resume from
    share: float = 0.0  # of the total gain: a fit ends with a pass that gains less

    @property
    def is_accelerated(self) -> bool:
        """Whether steps are extrapolated."""
        return self.acceleration == "auto"

    def next_look(self, done: int, at_once: int) -> int:
        """Return the iteration after which to call observers, at most `at_once` ahead."""
        steps = [own.every for own in self.observers if own.every is not None]
        if self.keep is not None:
            steps.append(1)
        due = [every - done % every for every in steps]
        return int(min(self.max_iter, done + min([at_once, BLOCK, *due])))


def run(
    rows: EMRows,
    start: Parameters | Fit,
    model: Model,
    control: Control,
    lower_bound: float = -math.inf,
    number: int = 0,
    position: Position | None = None,
    hints: Hints | None = None,
) -> EMResult:
    """Iterate E and M steps until the lower bound converges.

    Parameters
    ----------
    rows : EMRows
        The data.
    start : Parameters or Fit
        Initial mixture, relative to the rows' center.
    model : Model
        The covariance model.
    control : Control
        Tolerance on the mean log-likelihood, iterations, observers.
    lower_bound : float
        Lower bound of the earlier fit that this one continues.
    number : int
        Number of this start, for the observers.
    position : Position, optional
        Position to resume from; the result is the same as without an interruption.
    hints : Hints, optional
        Scratch from earlier passes over these rows.

    Raises
    ------
    IllDefinedCovarianceError
        With the component and the iteration of the failure.
    """
    for observer in control.observers:
        observer.begin(number)
    status = Status.FAILED
    try:
        course = Course(rows, start, model, control, lower_bound, position, hints)
        course.complete()
        lower_bound, status = course.lower_bound, course.status
    finally:
        for observer in control.observers:
            observer.end(lower_bound, status)
    return course.result()


class Course:
    """A fit in progress from one start; see `run` for the arguments."""

    def __init__(
        self,
        rows: EMRows,
        start: Parameters | Fit,
        model: Model,
        control: Control,
        lower_bound: float = -math.inf,
        position: Position | None = None,
        hints: Hints | None = None,
    ) -> None:
        self._rows, self._model, self._control = rows, model, control
        self._hints, self._stopped = hints or rows.hints(), False
        self._start, self._is_foreign = start, False
        self._lower_bounds: list[float] = []
        self._n_restored = self._n_shown = 0
        self._before = lower_bound
        if isinstance(start, Parameters):
            self._fit = new_fit(model, rows, len(start.weights), lower_bound)
            loaded = load_mixture(model, start, self._fit.mixture, self._fit.work)
            # covariances may lie outside a constrained family, even if their factors fit
            self._is_foreign = not loaded or (model.is_constrained and position is None)
        else:
            self._fit = start
        if control.is_accelerated and model.can_leap:
            self._fit = with_leap(self._fit)
        if position is not None:
            recall(self._fit, position.memory)
            if self._hints.guesses.shape == position.guesses.shape:
                self._hints.guesses[...] = position.guesses
            self._lower_bounds = list(position.lower_bounds)
            self._fit.counts[N_PASSES] = len(self._lower_bounds)
            self._n_restored = self._n_shown = len(self._lower_bounds)
        ends = control.tol, control.share
        self._rule = rule_of(model, rows, self._fit, *ends, control.is_accelerated)

    @property
    def lower_bound(self) -> float:
        """The last lower bound."""
        return float(self._fit.numbers[LOWER_BOUND])

    @property
    def flat(self) -> Floats:
        """The whole mixture (m,), as `gmmfast.models.step.state_in` reads it."""
        return self._fit.flat

    @property
    def status(self) -> Status:
        """Whether and why the fit has ended."""
        code, n_done = int(self._fit.counts[STATUS]), len(self._lower_bounds)
        if code in (CONVERGED, ROUNDED):
            return Status.CONVERGED if code == CONVERGED else Status.ROUNDED
        if self._stopped:
            return Status.STOPPED
        if n_done < self._control.max_iter:
            return Status.UNDER_WAY
        return Status.MAX_ITER if n_done else Status.NOT_STARTED

    def complete(self, pause: int | None = None) -> None:
        """Iterate until the fit ends, or so many passes are done."""
        until = self._control.max_iter if pause is None else pause
        while self.status is Status.UNDER_WAY and len(self._lower_bounds) < until:
            self.advance(until)
            self.show()
        if self.status is Status.UNDER_WAY:
            return
        if self._fit.leap_counts[ON_TRIAL]:
            fall_back(self._fit)
        if self.status is Status.ROUNDED:
            self._rows.e_step(self._rule, self._fit, self._hints)  # at the restored mixture

    def advance(self, until: int) -> None:
        """Iterate until observers are due, or so many passes are done."""
        fit, rows, done = self._fit, self._rows, len(self._lower_bounds)
        if self._is_foreign:
            self._step_into_family()
        else:
            last = self._control.next_look(done, rows.passes_at_once(fit))
            rows.iterate(self._rule, fit, min(last, until), self._hints)
        require_definite(fit)
        for i in range(done, fit.n_passes):
            self._before = self._lower_bounds[-1] if i else self._before
            self._lower_bounds.append(float(fit.bounds[i % BLOCK]))

    def _step_into_family(self) -> None:
        """Step from covariances outside the family; the likelihood may fall."""
        rows, fit, start = self._rows, self._fit, self._start
        assert isinstance(start, Parameters)
        statistics = rows.expectation(start, self._model.scatter)
        load_totals(statistics, fit.totals, rows.weight_unit)
        loaded = parameters_in(self._model, fit.mixture)
        missing = self._model.log_prior(start) - self._model.log_prior(loaded)
        missing *= rows.weight / rows.weight_unit
        fit.totals.log_likelihood[0] += missing
        advance_elsewhere(self._rule, rows.weight_unit / rows.weight, fit)
        fit.totals.log_likelihood[0] -= missing
        fit.counts[HAS_BEFORE], self._is_foreign = 0, False

    def show(self) -> None:
        """Call all observers that are due, even if one of them stops the fit."""
        n_done, control = len(self._lower_bounds), self._control
        if n_done > self._n_shown:
            seen = n_done, self.lower_bound, self.lower_bound - self._before
            due = [own for own in control.observers if n_done % (own.every or 1) == 0]
            self._stopped = any([observer.step(*seen) for observer in due])
            self._n_shown = n_done
        self._stopped |= bool(current_stop()[0] == END)
        if control.keep is not None:
            memory = memory_of(self._fit)
            place = self._parameters(), self._lower_bounds, self.status, memory
            control.keep(Position(*place, self._hints.guesses, self._rows.arranged_by))

    def _parameters(self) -> Parameters:
        if not self._lower_bounds and isinstance(self._start, Parameters):
            return self._start
        return parameters_from(self._model, self._fit.mixture)

    def statistics(self) -> SufficientStatistics:
        """Return the statistics of another E pass, at the fitted mixture."""
        self._rows.e_step(self._rule, self._fit, self._hints)
        return self._last_statistics()

    def measured(self) -> tuple[EMResult, SufficientStatistics]:
        """Return the result so far, and the statistics of its mixture; the fit can go on.

        A leap that no pass has tested is left out.
        """
        fit = self._fit
        flat, leap_counts = fit.flat.copy(), fit.leap_counts.copy()
        if leap_counts[ON_TRIAL]:
            fall_back(fit)
        measured = self.result(), self.statistics()
        fit.flat[...], fit.leap_counts[...] = flat, leap_counts
        return measured

    def _last_statistics(self) -> SufficientStatistics:
        rows, totals = self._rows, Totals(*(own.copy() for own in self._fit.totals))
        return statistics_from(totals, rows.weight, rows.n_rows, rows.weight_unit)

    def result(self) -> EMResult:
        """Return the result of the fit."""
        is_known = len(self._lower_bounds) > self._n_restored or self.status is Status.ROUNDED
        statistics = self._last_statistics() if is_known else None
        parameters = self._parameters()
        return EMResult(
            parameters,
            self._lower_bounds,
            self.status,
            self.lower_bound,
            statistics,
            self._stopped,
            self._model.degenerate(parameters, statistics),
        )


def best_of(
    n_starts: int,
    start: Callable[..., tuple[Rows, Parameters | Fit, Hints | None]],
    model: Model,
    control: Control,
    has_moves: bool = False,
) -> EMResult:
    """Run EM from several starts and keep the best result; see `EMResult.beats`.

    Failed starts are skipped; if all fail, the first error is raised. A start stopped by an
    observer is the last.

    Parameters
    ----------
    n_starts : int
        Number of starts.
    start : callable
        ``start()`` makes the rows, the state to begin with, and scratch. ``start(caution=c)``
        makes them with moves that keep away from narrow components.
    model : Model
        The covariance model.
    control : Control
        Tolerance, iterations, observers.
    has_moves : bool, default=False
        Whether starts have moves. If a collapsed component spoils the best result, starts with more
        and more `CAUTION` follow: moves look for likely mixtures, and a mixture about to collapse
        is likely. Not where positions are kept, which do not say to which start they belong.
    """
    best: EMResult | None = None
    failures: list[ValueError] = []
    makers = [start] * n_starts
    if has_moves and control.keep is None:
        makers += [partial(start, caution=caution) for caution in CAUTION]
    for number, make in enumerate(makers):
        if number >= n_starts and (best is None or not best.is_spoiled):
            break
        try:
            rows, begin, hints = make()
            result = run(rows, begin, model, control, number=number, hints=hints)
        except (IllDefinedCovarianceError, EmptyComponentError) as error:
            failures.append(error)
            continue
        if result.beats(best):
            best = result
        if result.stopped:
            break
    if best is None:
        raise failures[0]
    return best
