"""Trials of starts: a few EM passes from each, then from moves of the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gmmfast.em.factors import with_loadings
from gmmfast.em.kmeans import Partition
from gmmfast.em.loop import Control, Course
from gmmfast.em.state import fit_after_m_step, ill_defined, load_start, new_fit, new_trials, rule_of
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.kernels.loop import GAIN, LOWER_BOUND, Fit
from gmmfast.kernels.maximization import FINE
from gmmfast.kernels.threads import END, current_stop
from gmmfast.kernels.trials import UNFINISHED, TrialRule
from gmmfast.models import FactorAnalyzers, Model
from gmmfast.models.base import few_rows, least_rows
from gmmfast.models.step import load_mixture, parameters_from, parameters_in
from gmmfast.parameters import Floats, SufficientStatistics
from gmmfast.rows import Hints, MemoryRows, Rows
from gmmfast.rows.trials import for_trials, run_trials

STAGES = np.array([[2, 4], [5, 2], [10, 1]])  # passes of each trial, and how many then go on
TRIAL = Control(tol=0.0, max_iter=10, share=0.01)  # ends when a pass gains at most 1 % of the total
AHEAD = 2.0  # trials are compared by their likelihood this many passes ahead, at the last gain
SAME = 1e-6  # nats per row: smaller gains may be rounding; the first of ties is kept
MOVES = 8  # tried in a round
ROUNDS = 5  # at most
BUDGET = 5 << 20  # rounds times the multiplications of a pass over the sample: about 0.1 s in all
LONGEST_STEP = 1 << 21  # multiplications of an M step, where trials are compiled
WORTH = 1e-3  # nats per row, the default `tol`: a smaller gain ends the rounds


class Trial(NamedTuple):
    """A fit to a sample after a few passes."""

    points: Rows  # in the order used by the trial
    fit: Fit
    is_sound: bool = False  # no component has collapsed; else the likelihood is meaningless
    lower_bound: float = -math.inf
    hints: Hints | None = None  # scratch that the fit can reuse

    def beats(self, other: Trial | None) -> bool:
        """Whether to prefer this trial to an earlier one."""
        if other is None or self.is_sound != other.is_sound:
            return other is None or self.is_sound
        return self.lower_bound - SAME > other.lower_bound


def n_rounds(model: Model, n_rows: int, n_components: int, n_features: int) -> int:
    """Return the number of rounds of moves on so many rows, at most: from the shapes alone."""
    if n_components == 1 or not are_few(model, n_rows, n_components, n_features):
        return 0
    return min(ROUNDS, BUDGET // model.pass_work(n_rows, n_components, n_features))


def are_few(model: Model, n_rows: int, n_components: int, n_features: int) -> bool:
    """Whether passes and M steps are short enough for trials in compiled calls."""
    work = model.pass_work(n_rows, n_components, n_features)
    return work <= BUDGET and model.step_work(n_components, n_features) <= LONGEST_STEP


def likeliest(
    points: MemoryRows,
    model: Model,
    ways: Sequence[Partition | SufficientStatistics],
    n_rounds: int = 0,
    caution: float = 1.0,
) -> Trial:
    """Return the likeliest start after a few EM passes.

    Parameters
    ----------
    points : MemoryRows
        Rows to try the starts on.
    model : Model
        The covariance model.
    ways : sequence of Partition or SufficientStatistics
        Memberships to start from.
    n_rounds : int, default=0
        Rounds of moves from the best, at most. There are none where rows are many.
    caution : float, default=1.0
        Factor on the variance below which a component of few rows counts as collapsed; not where
        each trial is a fit of its own, which has no moves.

    Raises
    ------
    IllDefinedCovarianceError
        If none leads to positive definite covariances.
    """
    if isinstance(model, FactorAnalyzers):
        begun = likeliest(points, model.of_starts, ways, n_rounds, caution)
        return _lifted(begun, model, points)
    if are_few(model, points.n_rows, _count(ways[0]), points.n_features):
        found = _likeliest_of_few(points, model, ways, n_rounds, caution)
        if found is not None:
            return found
    return _likeliest_of_many(points, model, ways)


def _lifted(begun: Trial, model: FactorAnalyzers, points: MemoryRows) -> Trial:
    """Return a trial of factor analyzers, from one of independent features."""
    begin = parameters_from(model.of_starts, begun.fit.mixture)
    fit = new_fit(model, begun.points, len(begin.weights), -math.inf)
    load_mixture(model, with_loadings(begin, model, points), fit.mixture, fit.work)
    return begun._replace(fit=fit, hints=None)


def _count(way: Partition | SufficientStatistics) -> int:
    return len(way.means if isinstance(way, Partition) else way.mass)


def _likeliest_of_few(
    points: MemoryRows,
    model: Model,
    ways: Sequence[Partition | SufficientStatistics],
    n_rounds: int,
    caution: float,
) -> Trial | None:
    """`likeliest` in compiled calls; None if the rows are needed in another layout."""
    first, K = ways[0], _count(ways[0])
    rows, order = for_trials(points, first.labels if isinstance(first, Partition) else None, K)
    fit = new_fit(model, rows, K, -math.inf)
    rule, hints = rule_of(model, rows, fit, TRIAL.tol, TRIAL.share, False), rows.hints()
    trials = new_trials(fit, rows, max(len(ways), MOVES if n_rounds else 0))
    for p, way in enumerate(ways):
        if isinstance(way, Partition) and order is not None:
            way = way._replace(labels=rows.tiled(way.labels.ravel()[order]))
        load_start(model, rows, way, fit, trials, p)
    floors = model.floors(points.total(model.scatter)) * [caution, 1.0]
    trial_rule = trial_rule_of(model, points.n_rows, points.variances, floors, n_rounds)
    run_trials(rows, rule, trial_rule, fit, hints, trials)
    found, numbers, counts, failed, is_sound = trials.states
    if failed[-1] != FINE:
        if UNFINISHED in failed[: len(ways)]:
            return None
        raise ill_defined(failed[len(ways) - 1])
    fit.flat[...], fit.numbers[...], fit.counts[...] = found[-1], numbers[-1], counts[-1]
    return Trial(rows, fit, bool(is_sound[-1]), float(numbers[-1, LOWER_BOUND]), hints)


def trial_rule_of(
    model: Model, n_rows: int, variances: Floats, floors: Floats, n_rounds: int
) -> TrialRule:
    """Return the rule of trials, without addresses.

    Parameters
    ----------
    model : Model
        The covariance model.
    n_rows : int
        Rows of positive weight.
    variances : ndarray of shape (d,)
        Of the features.
    floors : ndarray of shape (2,)
        Variances below which components of few and of many rows have collapsed.
    n_rounds : int
        Of moves.
    """
    scales = 1 / np.sqrt(np.where(variances > 0, variances, 1.0))
    least = least_rows(model, len(variances))
    small = few_rows(len(variances)) / n_rows
    ends = AHEAD, SAME, WORTH, n_rounds
    return TrialRule(STAGES, *ends, floors, small, scales, least, 0, 0, 0)


def _likeliest_of_many(
    points: MemoryRows, model: Model, ways: Sequence[Partition | SufficientStatistics]
) -> Trial:
    """`likeliest` where each trial is a fit of its own."""
    total, failure = points.total(model.scatter), None
    trials: dict[int, Trial] = {}
    chosen = list(range(len(ways)))
    for last, survivors in STAGES:
        for i in chosen:
            if trials and current_stop()[0] == END:
                break
            try:
                trial = trials.pop(i, None) or begun(points, model, ways[i])
                trials[i] = tried(trial, model, total, replace(TRIAL, max_iter=int(last)))
            except IllDefinedCovarianceError as error:
                failure = error
        under_way = [i for i in chosen if i in trials and trials[i].fit.is_under_way]
        chosen = sorted(under_way, key=lambda i: _rank(trials[i]))[:survivors]
    best: Trial | None = None
    for i in sorted(trials):
        if trials[i].beats(best):
            best = trials[i]
    if best is None:
        assert failure is not None
        raise failure
    return best


def _rank(trial: Trial) -> tuple[bool, float]:
    ahead = AHEAD * float(trial.fit.numbers[GAIN])
    return not trial.is_sound, -trial.lower_bound - ahead


def begun(points: MemoryRows, model: Model, way: Partition | SufficientStatistics) -> Trial:
    """Return a trial after the M step from given memberships."""
    if isinstance(way, Partition):
        arranged = points.arrange(way.labels, len(way.means))
        labels = way.labels if arranged is points else None
        points, way = arranged, arranged.partition(labels, way.means, model.scatter)
    return Trial(points, fit_after_m_step(model, points, way))


def tried(trial: Trial, model: Model, total: Floats, control: Control = TRIAL) -> Trial:
    """Run the first EM passes of a start, or more of them."""
    course = Course(trial.points, trial.fit, model, control)
    course.complete()
    parameters = parameters_in(model, trial.fit.mixture)
    collapsed = model.collapsed(parameters, trial.points.n_rows, total)
    return trial._replace(is_sound=not collapsed.any(), lower_bound=course.lower_bound)
