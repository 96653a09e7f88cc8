"""Expectation-Maximization (Dempster, Laird & Rubin 1977; Bishop 2006, 9.2.2): the loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

import numpy as np

from gmmfast.acceleration import STEPS
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.models import Model
from gmmfast.parameters import Floats, Parameters, SufficientStatistics
from gmmfast.rows import Rows

FALL = 1e-9  # relative fall of the likelihood that ends a fit: only rounding causes one


class Status(Enum):
    """Why a fit ended."""

    CONVERGED = "Converged: the mean log-likelihood changed by less than tol."
    MAX_ITER = "Stopped at max_iter before the mean log-likelihood changed by less than tol."
    STOPPED = "Stopped by the callback."
    NOT_STARTED = "No iteration was asked for: these are the starting values."
    UNDER_WAY = "Interrupted before its end: fit goes on from here."
    STREAM = "Updated by partial_fit; there may be more rows to come."
    FAILED = "Ended by an error."
    ROUNDED = "Converged: rounding made the mean log-likelihood fall."

    @property
    def is_end(self) -> bool:
        """Whether more iterations would find nothing better."""
        return self in (Status.CONVERGED, Status.ROUNDED)


@dataclass(frozen=True)
class EMResult:
    """What a fit found."""

    parameters: Parameters
    lower_bounds: list[float]  # mean log density before each M step, in nats a row
    status: Status
    lower_bound: float  # the last of them; without any, that of the fit which this one goes on from
    statistics: SufficientStatistics | None  # of the last E step
    stopped: bool  # an observer wants no more, whether or not this start has converged


@dataclass(frozen=True)
class Position:
    """Where a fit stands after an iteration."""

    parameters: Parameters
    lower_bounds: list[float]
    status: Status
    memory: dict[str, Floats]  # of its steps

    @property
    def lower_bound(self) -> float:
        """The last one."""
        return self.lower_bounds[-1]


class Observer(Protocol):
    """Follows a fit."""

    def begin(self, start: int) -> None:
        """One of the starts begins."""
        ...

    def step(self, iteration: int, lower_bound: float, change: float) -> bool:
        """One iteration is done; return True to stop."""
        ...

    def end(self, lower_bound: float, status: Status) -> None:
        """The start has ended, also where it has failed."""
        ...


@dataclass(frozen=True)
class Control:
    """When to stop, and who watches."""

    tol: float = 1e-3
    max_iter: int = 100
    acceleration: str = "none"  # a key of acceleration.STEPS
    observers: list[Observer] = field(default_factory=list)
    keep: Callable[[Position], None] | None = None  # is told of every iteration, to go on from


def run(
    rows: Rows,
    parameters: Parameters,
    model: Model,
    control: Control,
    lower_bound: float = -math.inf,
    start: int = 0,
    position: Position | None = None,
) -> EMResult:
    """Iterate E and M steps from `parameters` until the lower bound stands still.

    Parameters
    ----------
    rows : Rows
        The data.
    parameters : Parameters
        Where to start, relative to the rows' centre.
    model : Model
        The covariance model.
    control : Control
        Tolerance on the mean log-likelihood, iterations, observers.
    lower_bound : float
        That of an earlier fit which this one goes on from.
    start : int
        Number of this start, for the observers.
    position : Position, optional
        Where to go on from, to the same end as if the fit had never been interrupted.

    Raises
    ------
    IllDefinedCovarianceError
        With the component and the iteration.
    """
    for observer in control.observers:
        observer.begin(start)
    status = Status.FAILED
    try:
        result = _iterate(rows, parameters, model, control, lower_bound, position)
        lower_bound, status = result.lower_bound, result.status
    finally:
        for observer in control.observers:
            observer.end(lower_bound, status)
    return result


def _iterate(
    rows: Rows,
    parameters: Parameters,
    model: Model,
    control: Control,
    lower_bound: float,
    position: Position | None,
) -> EMResult:
    status = Status.MAX_ITER if control.max_iter else Status.NOT_STARTED
    lower_bounds: list[float] = []
    statistics, stopped = None, False
    steps = STEPS[control.acceleration](model, lower_bound, control.tol)
    if position is not None:
        lower_bounds = list(position.lower_bounds)
        steps.recall(position.memory)
    hints, best = rows.hints(), None
    for iteration in range(len(lower_bounds) + 1, control.max_iter + 1):
        statistics = rows.expectation(parameters, model.scatter, hints)
        reached, previous = statistics.log_likelihood / statistics.weight, steps.lower_bound
        if (
            best is not None
            and not steps.is_on_trial
            and _is_rounded(reached, previous, rows, model)
        ):
            status, (parameters, statistics) = Status.ROUNDED, best
            if control.keep is not None:
                control.keep(Position(parameters, lower_bounds, status, steps.memory()))
            break
        before = parameters
        try:
            parameters = steps.take(parameters, statistics)
        except IllDefinedCovarianceError as error:
            raise error.at(iteration) from None
        if steps.lower_bound == reached:
            best = before, statistics
        lower_bounds.append(steps.lower_bound)
        change = steps.lower_bound - previous
        # every observer sees every step, also the one that another one stops
        stopped = any([o.step(iteration, steps.lower_bound, change) for o in control.observers])
        if abs(steps.gain) < control.tol:
            status = Status.CONVERGED
        elif stopped:
            status = Status.STOPPED
        if control.keep is not None:
            is_last = status is not Status.MAX_ITER or iteration == control.max_iter
            now = status if is_last else Status.UNDER_WAY
            control.keep(Position(parameters, lower_bounds, now, steps.memory()))
        if status is not Status.MAX_ITER:
            break
    return EMResult(parameters, lower_bounds, status, steps.lower_bound, statistics, stopped)


def _is_rounded(reached: float, before: float, rows: Rows, model: Model) -> bool:
    """Whether the likelihood has fallen, which only rounding can cause without `reg_covar`.

    That happens where covariances are so near to singular that their factors are rounding.
    """
    is_exact = model.reg_covar == 0 and rows.dtype == np.float64
    return is_exact and reached < before - FALL * abs(before)


def best_of(
    n_starts: int,
    start: Callable[[], tuple[Rows, Parameters]],
    model: Model,
    control: Control,
) -> EMResult:
    """Run EM from several starts and keep the result with the largest lower bound.

    A start that fails is passed over; if all do, the first failure is raised. Where an observer
    stops one, there are no more.
    """
    best: EMResult | None = None
    failures: list[IllDefinedCovarianceError] = []
    for number in range(n_starts):
        try:
            result = run(*start(), model, control, start=number)
        except IllDefinedCovarianceError as error:
            failures.append(error)
            continue
        if best is None or result.lower_bound > best.lower_bound:
            best = result
        if result.stopped:
            break
    if best is None:
        raise failures[0]
    return best
