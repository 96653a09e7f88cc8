"""Whole fits to few rows in one call: trials of starts, EM from the best, and a last E pass."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.anderson import fall_back
from gmmfast.kernels.compiling import called_kernel, entry_kernel, invoke
from gmmfast.kernels.loop import (
    BROKEN,
    EXPECT,
    FIRST_BOUND,
    GAIN,
    LOWER_BOUND,
    N_PASSES,
    ON_TRIAL,
    STATUS,
    UNDER_WAY,
    Rule,
    copy_flat,
)
from gmmfast.kernels.maximization import FINE
from gmmfast.kernels.trials import has_collapsed, load_state

SEEKING, FITTING, PAUSED, ENDED, STUCK = range(5)  # phases of a fit; STUCK: this loop cannot end it
PHASE = 2  # in `place`, behind the progress of `seek_start`


class WholeRule(NamedTuple):
    """How a fit goes on after its trials."""

    em: Rule
    pause: int  # pass after which to pause
    last: int  # pass to stop after
    seek: Any  # address of `kernels.trials.seek_start`


class Paused(NamedTuple):
    """What a paused fit goes on from, besides what its last E pass leaves as it was."""

    flat: NDArray  # (m,): its mixture
    guesses: NDArray  # (n_tiles,): likely owner of each tile


@called_kernel
def conclude(
    whole,  # in: the arguments of `fit_whole`
    rows,
    trial_rule,
    stop,
    place,
    fit,
    trials,
    paused,
):
    """Last E pass of a fit, or one at a pause, without a trace in what it goes on from.

    A leap that no pass has tested is replaced by the result of plain EM's last step.
    """
    kept, mixture = trials.labels.shape[0], fit.mixture
    copy_flat(fit.flat, paused.flat)
    copy_flat(rows.guesses, paused.guesses)
    if fit.leap_counts[ON_TRIAL] != 0:
        fall_back(fit)
    fit.totals.log_likelihood[0] = np.nan
    invoke(trial_rule.iterate, (whole.em, rows, fit, np.int64(EXPECT), stop))
    if np.isnan(fit.totals.log_likelihood[0]):  # the rows are needed in another layout
        place[PHASE] = STUCK
    is_out = has_collapsed(
        mixture.weights, mixture.factors, mixture.whitening, trial_rule.small,
        trial_rule.floors, fit.work.upper,
    )  # fmt: skip
    trials.states.is_sound[kept] = 0 if is_out else 1


@entry_kernel
def fit_whole(
    whole,  # in: WholeRule
    rule,  # in: Rule of the trials
    rows,  # in, out: Pass
    trial_rule,  # in: TrialRule
    n_passes,  # in: after which to return
    stop,  # in (1,): another thread sets it to end the fit
    place,  # in, out (3,): of `seek_start`, and PHASE
    fit,  # in, out: Fit
    trials,  # in, out: Trials
    paused,  # out: Paused
):
    """Go on with a fit while its phase is SEEKING or FITTING; call again until it is another.

    Where it ends or pauses, its totals belong to its mixture, and
    ``trials.states.is_sound[-1]`` says whether no component has collapsed.
    """
    kept, counts = trials.labels.shape[0], fit.counts
    if place[PHASE] == SEEKING:
        seeking = rule, rows, trial_rule, n_passes, stop, place, fit, trials
        if invoke(whole.seek, seeking) == 0:
            return 0
        if trials.states.failed[kept] != FINE:
            place[PHASE] = STUCK
            return 0
        load_state(trials.states, kept, fit)
        fit.numbers[LOWER_BOUND], fit.numbers[GAIN] = -np.inf, np.inf
        fit.numbers[FIRST_BOUND], counts[N_PASSES], counts[STATUS] = 0.0, 0, UNDER_WAY
        fit.leap_counts[:] = 0
        place[PHASE] = FITTING
    until = min(whole.last, whole.pause, counts[N_PASSES] + n_passes)
    invoke(trial_rule.iterate, (whole.em, rows, fit, until, stop))
    if counts[BROKEN] != FINE:
        place[PHASE] = STUCK
    elif counts[STATUS] != UNDER_WAY or stop[0] != 0 or counts[N_PASSES] >= whole.last:
        place[PHASE] = ENDED
    elif counts[N_PASSES] < until:  # the rows are needed in another layout
        place[PHASE] = STUCK
    elif until == whole.pause:
        place[PHASE] = PAUSED
    if place[PHASE] == PAUSED or place[PHASE] == ENDED:
        conclude(whole, rows, trial_rule, stop, place, fit, trials, paused)
    return 0
