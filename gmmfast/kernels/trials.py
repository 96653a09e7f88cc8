"""Starts on few rows: trials of partitions in stages, then rounds of moves from the best."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import called_kernel, entry_kernel, invoke, kernel
from gmmfast.kernels.loop import (
    BROKEN,
    GAIN,
    HAS_BEFORE,
    LOWER_BOUND,
    N_PASSES,
    STATUS,
    UNDER_WAY,
    copy_flat,
)
from gmmfast.kernels.maximization import FINE
from gmmfast.kernels.passes import prepare_pass

UNFINISHED = -3  # a trial that has not begun, or needs rows in another layout
LAST, SURVIVORS = range(2)  # of a stage
STAGE, ROUND = range(2)  # in `place`, the progress of `seek_start`


class States(NamedTuple):
    """States of up to P trials, and after them of the best one so far."""

    found: NDArray  # (P + 1, m): the mixtures
    numbers: NDArray  # (P + 1, 3): `Fit.numbers`
    counts: NDArray  # (P + 1, 4): `Fit.counts`
    failed: NDArray  # (P + 1,): FINE, UNFINISHED, SHARED or the failed component
    is_sound: NDArray  # (P + 1,): 1 if no component has collapsed, else 0


class Trials(NamedTuple):
    """Trials of a round."""

    labels: NDArray  # in (P, n_tiles, TILE): partitions to start from
    means: NDArray  # in, out (P, K, d): of their parts, exact or approximate
    states: States  # in, out
    is_chosen: NDArray  # in, out (P,): 1 if a trial goes on, else 0


class TrialRule(NamedTuple):
    """How trials are compared and moves made."""

    stages: NDArray  # (S, 2): pass to stop after, and how many trials then go on
    ahead: float  # trials are compared by their likelihood so many passes ahead, at the last gain
    same: float  # nats per row: smaller gains may be rounding
    worth: float  # nats per row: a smaller gain ends the rounds
    n_rounds: int  # of moves, at most
    floors: NDArray  # (2,): smallest variances of components of few and of many rows, or negative
    small: float  # weight below which a component has few rows
    scales: NDArray  # (d,): 1 / standard deviations of the features
    least_rows: int  # of a half of a component
    divide: Any  # address of `kernels.partitions.divide`
    iterate: Any  # address of `kernels.loop.iterate`
    propose: Any  # address of `kernels.moves.propose`


@kernel
def begin_anew(
    fit,  # in, out: Fit, with the totals of a partition
):
    """Reset a fit to start from its totals."""
    fit.counts[STATUS] = UNDER_WAY
    fit.counts[N_PASSES] = fit.counts[HAS_BEFORE] = 0
    fit.numbers[LOWER_BOUND], fit.numbers[GAIN] = -np.inf, np.inf
    fit.work.is_first[0], fit.counts[BROKEN] = 1, FINE
    for k in range(fit.mixture.means.shape[0]):
        for j in range(fit.mixture.means.shape[1]):
            fit.mixture.means[k, j] = fit.totals.reference[k, j]


@kernel
def load_state(
    states,  # in: States
    p,  # in: trial
    fit,  # out: Fit
):
    """Go on with a trial."""
    copy_flat(states.found[p], fit.flat)
    copy_flat(states.numbers[p], fit.numbers)
    copy_flat(states.counts[p], fit.counts)
    fit.counts[HAS_BEFORE] = 0  # the mixture before is another trial's
    fit.work.is_first[0] = 0


@kernel
def is_below(
    factor,  # in (d, d): lower inverse Cholesky factor of a covariance
    scale,  # in: of the factor
    variance,  # in
    scratch,  # scratch (d, d)
):
    """Whether a covariance has a smaller variance in some direction.

    If not, ``I - variance * factor @ factor.T`` has a Cholesky factor. For most covariances the
    trace of the product decides.
    """
    d, square = factor.shape[0], 0.0
    root = scale * np.sqrt(variance)
    for i in range(d):
        for j in range(i + 1):
            square += (root * factor[i, j]) * (root * factor[i, j])
    if square < 1:
        return False
    for i in range(d):
        for j in range(i + 1):
            left = 1.0 if i == j else 0.0
            for m in range(j + 1):
                left -= (root * factor[i, m]) * (root * factor[j, m])
            for m in range(j):
                left -= scratch[i, m] * scratch[j, m]
            if i > j:
                scratch[i, j] = left / scratch[j, j]
            elif left > 0:
                scratch[i, i] = np.sqrt(left)
            else:
                return True
    return False


@called_kernel
def has_collapsed(
    weights,  # in (K,): of a Mixture, like the next two
    factors,  # in (K, d, d) lower, or (K, d)
    whitening,  # in (1, d, d) lower, or (0, d, d)
    small,  # in: weight below which a component has few rows
    floors,  # in (2,): smallest variances of components of few and of many rows; negative: none
    scratch,  # scratch (d, d)
):
    """Whether a component has collapsed, as `gmmfast.models.Model.collapsed` says."""
    if floors[0] < 0:
        return False
    for k in range(weights.size):
        floor = floors[0 if weights[k] < small else 1]
        if weights[k] == 0:
            return True
        if factors.ndim == 3:
            if is_below(factors[k], 1.0, floor, scratch):
                return True
        elif whitening.shape[0] > 0:
            if is_below(whitening[0], factors[k, 0], floor, scratch):
                return True
        else:
            for j in range(factors.shape[1]):
                if not floor * factors[k, j] * factors[k, j] < 1:
                    return True
    return False


@kernel
def go_on(
    rule,  # in: Rule
    rows,  # in, out: Pass
    trial_rule,  # in: TrialRule
    last,  # in: pass to stop after
    stop,  # in (1,): another thread sets it to end the fit
    fit,  # scratch: Fit
    trials,  # in, out: Trials
):
    """EM from the partition of each chosen trial, or from where it has stopped; return passes."""
    states, kept, mixture = trials.states, trials.labels.shape[0], fit.mixture
    n_passes, n_begun = 0, 1 if states.failed[kept] == FINE else 0
    for p in range(kept):
        if not trials.is_chosen[p]:
            continue
        if stop[0] != 0 and (n_begun > 0 or states.counts[p, N_PASSES] > 0):
            break
        n_begun += 1
        if states.failed[p] == FINE:
            load_state(states, p, fit)
        else:
            parts = rows.tiles, rows.row_weights, trials.labels[p]
            invoke(trial_rule.divide, (*parts, fit.shifts, trials.means[p], fit.totals))
            begin_anew(fit)
            states.failed[p] = invoke(rule.maximize, (rule.step, fit.totals, mixture, fit.work))
        if states.failed[p] != FINE:
            continue
        n_passes -= fit.counts[N_PASSES]
        invoke(trial_rule.iterate, (rule, rows, fit, last, stop))
        n_passes += fit.counts[N_PASSES]
        states.failed[p] = fit.counts[BROKEN]
        if fit.counts[STATUS] == UNDER_WAY and fit.counts[N_PASSES] < last and stop[0] == 0:
            states.failed[p] = UNFINISHED  # it is left out, unless all are
        is_out = has_collapsed(
            mixture.weights, mixture.factors, mixture.whitening, trial_rule.small,
            trial_rule.floors, fit.work.upper,
        )  # fmt: skip
        copy_flat(fit.flat, states.found[p])
        copy_flat(fit.numbers, states.numbers[p])
        copy_flat(fit.counts, states.counts[p])
        states.is_sound[p] = 0 if is_out else 1
    return n_passes


@called_kernel
def is_before(
    states,  # in: States
    p,  # in
    q,  # in
    ahead,  # in: passes at the last one's gain
    same,  # in: nats per row
):
    """Whether trial p ranks before trial q: sound ones first, then by likelihood."""
    if states.is_sound[p] != states.is_sound[q]:
        return states.is_sound[p] == 1
    one, other = states.numbers[p], states.numbers[q]
    gained = ahead * (one[GAIN] - other[GAIN]) if ahead > 0 else 0.0
    return one[LOWER_BOUND] - other[LOWER_BOUND] + gained > same


@called_kernel
def choose(
    count,  # in: how many go on, at most
    ahead,  # in: passes at the last one's gain
    states,  # in: States
    is_chosen,  # in, out (P,)
):
    """Choose the trials that go on: the first of ties."""
    candidate = 2
    for p in range(is_chosen.size):
        is_under_way = states.failed[p] == FINE and states.counts[p, STATUS] == UNDER_WAY
        is_chosen[p] = candidate if is_chosen[p] and is_under_way else 0
    for _ in range(count):
        best = -1
        for p in range(is_chosen.size):
            is_better = best < 0 or is_before(states, p, best, ahead, 0.0)
            if is_chosen[p] == candidate and is_better:
                best = p
        if best >= 0:
            is_chosen[best] = 1
    for p in range(is_chosen.size):
        is_chosen[p] = 1 if is_chosen[p] == 1 else 0


@called_kernel
def keep_best(
    same,  # in: nats per row: smaller gains may be rounding
    worth,  # in: nats per row: a smaller gain ends the rounds
    states,  # in, out: States
):
    """Keep the best trial of a round if it beats the best one so far; return whether to go on."""
    kept, best = states.failed.size - 1, -1
    for p in range(kept):
        if states.failed[p] == FINE and (best < 0 or is_before(states, p, best, 0.0, same)):
            best = p
    is_first = states.failed[kept] != FINE
    if best < 0 or not (is_first or is_before(states, best, kept, 0.0, same)):
        return False
    gain = states.numbers[best, LOWER_BOUND] - states.numbers[kept, LOWER_BOUND]
    is_worth = is_first or states.is_sound[best] != states.is_sound[kept] or gain >= worth
    copy_flat(states.found[best], states.found[kept])
    copy_flat(states.numbers[best], states.numbers[kept])
    copy_flat(states.counts[best], states.counts[kept])
    states.failed[kept], states.is_sound[kept] = FINE, states.is_sound[best]
    return is_worth


@kernel
def begin_round(
    rows,  # in, out: Pass
    trial_rule,  # in: TrialRule
    fit,  # scratch: Fit
    trials,  # in, out: Trials
):
    """Make moves from the best mixture so far; return whether there are any."""
    kept = trials.labels.shape[0]
    load_state(trials.states, kept, fit)
    prepare_pass(rows, fit.mixture)
    n = invoke(
        trial_rule.propose,
        (
            rows.tiles, rows.row_weights, rows.density, rows.separation, rows.guesses,
            fit.mixture.means, trial_rule.scales, trial_rule.least_rows, trials.labels,
            trials.means,
        ),
    )  # fmt: skip
    for p in range(kept):
        trials.states.failed[p] = UNFINISHED
        trials.is_chosen[p] = 1 if p < n else 0
    return n > 0


@entry_kernel
def seek_start(
    rule,  # in: Rule
    rows,  # in, out: Pass
    trial_rule,  # in: TrialRule
    n_passes,  # in: after which to pause
    stop,  # in (1,): another thread sets it to end the fit
    place,  # in, out (2,): STAGE of the round, ROUND
    fit,  # scratch: Fit
    trials,  # in, out: Trials
):
    """Try partitions, then moves from the best, for as long as that pays.

    Returns 1 at the end, and 0 if there is more to do: call again.
    """
    stages, done = trial_rule.stages, 0
    while True:
        if place[STAGE] == stages.shape[0] or (stop[0] != 0 and place[STAGE] > 0):
            may_go_on = keep_best(trial_rule.same, trial_rule.worth, trials.states)
            if not may_go_on or stop[0] != 0 or place[ROUND] == trial_rule.n_rounds:
                return 1
            if not begin_round(rows, trial_rule, fit, trials):
                return 1
            place[STAGE], place[ROUND] = 0, place[ROUND] + 1
        if done >= n_passes:
            return 0
        if place[STAGE] > 0:
            count = stages[place[STAGE] - 1, SURVIVORS]
            choose(count, trial_rule.ahead, trials.states, trials.is_chosen)
        last = stages[place[STAGE], LAST]
        done += go_on(rule, rows, trial_rule, last, stop, fit, trials)
        place[STAGE] += 1
