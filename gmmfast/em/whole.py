"""Whole fits to few rows in compiled calls: trials of starts, EM from the best, a last E pass."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.em.kmeans import Partition
from gmmfast.em.loop import Control, EMResult, Status
from gmmfast.em.state import (
    BLOCK,
    ill_defined,
    load_start,
    new_fit,
    new_trials,
    require_definite,
    restarted,
    rule_of,
    with_leap,
)
from gmmfast.em.trials import TRIAL, are_few, trial_rule_of
from gmmfast.kernels.compiling import address_of
from gmmfast.kernels.loop import CONVERGED, LOWER_BOUND, ROUNDED, STATUS, Fit, Rule
from gmmfast.kernels.maximization import FINE, Totals
from gmmfast.kernels.passes import Pass
from gmmfast.kernels.threads import END, current_pace, current_stop, require_somebody, team
from gmmfast.kernels.trials import UNFINISHED, TrialRule, Trials, seek_start
from gmmfast.kernels.whole import (
    FITTING,
    PAUSED,
    PHASE,
    SEEKING,
    STUCK,
    Paused,
    WholeRule,
    fit_whole,
)
from gmmfast.models import Model
from gmmfast.models.step import parameters_from, state_shapes, statistics_from
from gmmfast.parameters import Floats, Scatter
from gmmfast.rows import Hints, MemoryRows
from gmmfast.rows.passes import kind_of, parallel, work_of_loop
from gmmfast.rows.trials import arguments

TRIALS = 3  # that a bench has room for, at least
KEPT = 1 << 26  # bytes of benches, about
ENDS = {CONVERGED: Status.CONVERGED, ROUNDED: Status.ROUNDED}


class Rest(NamedTuple):
    """Copies of what a paused fit goes on from."""

    n_components: int
    arrays: list[NDArray[Any]]  # of the fit
    lower_bounds: list[float]


class Stage(NamedTuple):
    """What a fit has come to."""

    result: EMResult  # with the statistics of its mixture
    rest: Rest | None  # of a paused fit; None at the end


class Bench(NamedTuple):
    """Arrays for fits of the same shapes, one after the other, and addresses of their kernels."""

    fit: Fit
    hints: Hints
    trials: Trials
    paused: Paused
    rows: Pass
    trial_rule: TrialRule
    seek: int  # address
    work: int  # multiplications of a pass

    @property
    def n_bytes(self) -> int:
        """Bytes of its largest arrays."""
        trials, fit = self.trials, self.fit
        return int(
            trials.labels.nbytes
            + trials.states.found.nbytes
            + 4 * fit.flat.nbytes
            + fit.leap.nbytes
        )

    def moving(self) -> list[NDArray[Any]]:
        """Return the arrays that a paused fit goes on from."""
        fit = self.fit
        return [*self.paused, fit.before, fit.numbers, fit.counts, fit.leap, fit.leap_counts]


class WholeFits:
    """Fits to the same few rows, each in compiled calls; any thread may fit.

    Parameters
    ----------
    rows : MemoryRows
        The data, unsorted.
    control : Control
        Tolerance, iterations, acceleration. There are no observers: a fit ends early only if its
        thread's stop says so.
    """

    def __init__(self, rows: MemoryRows, control: Control) -> None:
        self._rows, self._control = rows, control
        self._floors: dict[Scatter, Floats] = {}
        self._rules: dict[Model, tuple[Rule, Rule]] = {}  # of trials and of EM
        self._free: dict[Hashable, list[Bench]] = {}  # benches that nobody uses
        self._n_bytes = 0  # of all benches, about

    def are_possible(self, model: Model, n_components: int) -> bool:
        """Whether passes and M steps are short enough: from the shapes alone."""
        rows = self._rows
        is_short = are_few(model, rows.n_rows, n_components, rows.n_features)
        is_one_model = model.of_starts is model  # one call cannot change it after the trials
        is_packed = rows.dtype == np.float64 and not rows.are_worth_sorting(n_components)
        return is_short and is_one_model and is_packed

    def begin(self, model: Model, ways: Sequence[Partition], pause: int) -> Stage | None:
        """Fit from the likeliest partition, until the fit ends or so many passes are done.

        Parameters
        ----------
        model : Model
            The covariance model.
        ways : sequence of Partition
            Partitions to try.
        pause : int
            Passes after which to pause.

        Returns
        -------
        Stage or None
            None if compiled calls cannot fit these rows.

        Raises
        ------
        IllDefinedCovarianceError
            If a covariance is not positive definite.
        """
        with self._bench(model, len(ways[0].means), len(ways)) as bench:
            states = bench.trials.states
            states.numbers[...], states.counts[...], states.failed[...] = -np.inf, 0, UNFINISHED
            states.is_sound[...], bench.trials.is_chosen[...] = 1, 0
            for p, way in enumerate(ways):
                load_start(model, self._rows, way, bench.fit, bench.trials, p)
            bench.hints.guesses[...] = self._rows.packed.labels[:, 0]
            restarted(bench.fit)
            stage = self._run(model, bench, np.zeros(3, np.int64), [], pause)
        if stage is None:
            _require_sound(states.failed[: len(ways)], bench.fit)
        return stage

    def go_on(self, model: Model, rest: Rest, pause: int) -> Stage | None:
        """Go on with a paused fit; parameters, result and errors as in `begin`."""
        with self._bench(model, rest.n_components, 1) as bench:
            for array, kept in zip(bench.moving(), rest.arrays, strict=True):
                array[...] = kept
            bench.fit.flat[...], bench.hints.guesses[...] = bench.paused
            bench.fit.work.is_first[0] = 0
            place = np.array([0, 0, FITTING])
            stage = self._run(model, bench, place, list(rest.lower_bounds), pause)
        if stage is None:
            require_definite(bench.fit)
        return stage

    @contextmanager
    def _bench(self, model: Model, n_components: int, count: int) -> Iterator[Bench]:
        """Lend a bench for models of these shapes, and at least so many trials."""
        count = max(count, TRIALS)
        shapes = state_shapes(model, n_components, self._rows.n_features)
        key = (*shapes, model.scatter, count)
        try:
            bench = self._free[key].pop()
        except (KeyError, IndexError):
            if self._n_bytes > KEPT:
                self._free, self._n_bytes = {}, 0
            bench = self._new_bench(model, n_components, count)
            self._n_bytes += bench.n_bytes
        yield bench  # after an error it is lost
        self._free.setdefault(key, []).append(bench)

    def _new_bench(self, model: Model, n_components: int, count: int) -> Bench:
        rows, control = self._rows, self._control
        fit = new_fit(model, rows, n_components, -math.inf)
        if control.is_accelerated:
            fit = with_leap(fit)
        hints, trials = rows.hints(), new_trials(fit, rows, count)
        trying, _ = self._rules_of(model, fit)
        floors = self._floors_of(model)
        trial_rule = trial_rule_of(model, rows.n_rows, rows.variances, floors, 0)
        seeking = arguments(rows, trying, trial_rule, fit, hints, trials)
        _, own, trial_rule, *_ = seeking
        density, mixture, scatter = own.density, fit.mixture, fit.totals.scatter
        kinds = mixture.covariances.ndim, mixture.factors.ndim, scatter.ndim
        seek = address_of(seek_start, (*kinds, *kind_of(density)), *seeking)
        work = work_of_loop(rows.n_rows, fit)
        paused = Paused(np.empty_like(fit.flat), np.empty_like(hints.guesses))
        return Bench(fit, hints, trials, paused, own, trial_rule, seek, work)

    def _floors_of(self, model: Model) -> Floats:
        if model.scatter not in self._floors:
            self._floors[model.scatter] = model.floors(self._rows.total(model.scatter))
        return self._floors[model.scatter]

    def _run(
        self,
        model: Model,
        bench: Bench,
        place: NDArray[np.int64],
        lower_bounds: list[float],
        pause: int,
    ) -> Stage | None:
        rows, fit, stop = self._rows, bench.fit, current_stop()
        trying, em = self._rules_of(model, fit)
        whole = WholeRule(em, pause, self._control.max_iter, bench.seek)
        n_passes = min(BLOCK, rows.passes_at_once(fit))
        rest = bench.trial_rule, n_passes, stop, place, fit, bench.trials, bench.paused
        while place[PHASE] in (SEEKING, FITTING):
            require_somebody()
            with team(rows.n_jobs, bench.rows.n_shards, bench.work) as count:
                is_alone = count == 1 or current_pace().is_alone
                own = bench.rows if is_alone else parallel(bench.rows)
                fit_whole(whole, trying, own, *rest)
            if place[PHASE] != SEEKING:
                n_done = len(lower_bounds)
                bounds = (fit.bounds[i % BLOCK] for i in range(n_done, fit.n_passes))
                lower_bounds += map(float, bounds)
        require_somebody()  # else the fit may have been cut off
        return self._stage(model, bench, place, lower_bounds)

    def _rules_of(self, model: Model, fit: Fit) -> tuple[Rule, Rule]:
        """Return the rules of trials and of EM, which do not depend on K."""
        if model not in self._rules:
            rows, control = self._rows, self._control
            self._rules[model] = (
                rule_of(model, rows, fit, TRIAL.tol, TRIAL.share, False),
                rule_of(model, rows, fit, control.tol, control.share, control.is_accelerated),
            )
        return self._rules[model]

    def _stage(
        self, model: Model, bench: Bench, place: NDArray[np.int64], lower_bounds: list[float]
    ) -> Stage | None:
        if place[PHASE] == STUCK:
            return None
        fit, rows, rest = bench.fit, self._rows, None
        if place[PHASE] == PAUSED:
            kept = [array.copy() for array in bench.moving()]
            rest = Rest(len(fit.shifts), kept, lower_bounds)
        totals = Totals(*(own.copy() for own in fit.totals))
        statistics = statistics_from(totals, rows.weight, rows.n_rows, rows.weight_unit)
        parameters = parameters_from(model, fit.mixture)
        degenerate = np.zeros(len(fit.shifts), np.bool_)
        if not bench.trials.states.is_sound[-1]:
            degenerate = model.degenerate(parameters, statistics)
        stopped = bool(current_stop()[0] == END)
        result = EMResult(
            parameters, lower_bounds, self._status(fit, rest is not None, stopped),
            float(fit.numbers[LOWER_BOUND]), statistics, stopped, degenerate,
        )  # fmt: skip
        return Stage(result, rest)

    def _status(self, fit: Fit, is_paused: bool, stopped: bool) -> Status:
        if is_paused:
            return Status.UNDER_WAY
        ended = ENDS.get(int(fit.counts[STATUS]))
        return ended or (Status.STOPPED if stopped else Status.MAX_ITER)


def _require_sound(failed: NDArray[np.int64], fit: Fit) -> None:
    """Raise IllDefinedCovarianceError if all trials have failed, or the fit from the best one."""
    if FINE in failed:
        require_definite(fit)
    elif UNFINISHED not in failed:
        raise ill_defined(int(failed[-1]))
