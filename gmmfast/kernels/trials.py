"""Starts on few rows: an M step from each partition and a few passes, in one call."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import allocating_kernel, entry_kernel, invoke, kernel
from gmmfast.kernels.density import make_work
from gmmfast.kernels.expectation import add_memberships, clear
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
from gmmfast.kernels.moments import Sums
from gmmfast.kernels.passes import EPS, LOST_FLOAT64, collect_shards, move_far

UNFINISHED = -3  # a start that needs rows in another layout


class Trials(NamedTuple):
    """Starts from P partitions, and their outcome."""

    labels: NDArray  # in (P, n_tiles, TILE): the partitions
    means: NDArray  # in, out (P, K, d): of their parts, exact or approximate
    sums: Sums  # scratch: of one shard
    found: NDArray  # out (P, m): the mixtures after the passes
    numbers: NDArray  # out (P, 3): their `Fit.numbers`
    counts: NDArray  # out (P, 4): their `Fit.counts`
    failed: NDArray  # out (P,): FINE, UNFINISHED, SHARED or the failed component


@allocating_kernel
def divide(
    tiles,  # in (n_tiles, d, TILE) float64
    row_weights,  # in (n_tiles, TILE)
    labels,  # in (n_tiles, TILE): a partition
    sums,  # scratch: of one shard
    shifts,  # scratch (K, d)
    means,  # in, out (K, d): moments are taken about them; moved nearer if far away
    totals,  # out
):
    """Statistics of a partition for the M step."""
    work = make_work(means.shape[0], tiles[0])
    for turn in range(2):
        clear(sums.mass[0], sums.scatter[0], means)
        sums.log_likelihood[0] = sums.best[0] = 0.0
        add_memberships(tiles, row_weights, labels, means, work, sums)
        collect_shards(sums, means, totals.scatter, totals)
        if turn == 1 or not move_far(LOST_FLOAT64, EPS, totals, totals.scatter, shifts):
            break
        for k in range(means.shape[0]):
            for j in range(means.shape[1]):
                means[k, j] += shifts[k, j]
    return 0


@kernel
def begin_anew(
    fit,  # in, out: Fit, with the totals of memberships
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
def run_trial(
    p,  # in: number of the trial
    last,  # in: pass to stop after
    rule, rows, stop, iterate,  # in: as in `try_partitions`
    fit,  # in, out: Fit, at the trial's state
    trials,  # out: Trials
):  # fmt: skip
    """Iterate from the trial's state, and save where this leads."""
    invoke(iterate, (rule, rows, fit, last, stop))
    trials.failed[p] = fit.counts[BROKEN]
    if fit.counts[STATUS] == UNDER_WAY and fit.counts[N_PASSES] < last and stop[0] == 0:
        trials.failed[p] = UNFINISHED
    copy_flat(fit.flat, trials.found[p])
    copy_flat(fit.numbers, trials.numbers[p])
    copy_flat(fit.counts, trials.counts[p])


@entry_kernel
def try_partitions(
    rule,  # in: Rule
    rows,  # in, out: Pass
    early,  # in: passes of every trial, at most,
    finalists,  # in: and of so many, the likeliest by then,
    last,  # in: this many
    stop,  # in (1,): another thread sets it to end the fit
    divide,  # in: address of `divide`
    iterate,  # in: address of `kernels.loop.iterate`
    fit,  # scratch: Fit
    trials,  # in, out: Trials
):
    """EM from each partition, for a few passes."""
    labels, means, failed = trials.labels, trials.means, trials.failed
    for p in range(labels.shape[0]):
        trials.numbers[p, LOWER_BOUND], failed[p] = -np.inf, UNFINISHED
        if p > 0 and stop[0] != 0:
            continue
        invoke(
            divide,
            (
                rows.tiles, rows.row_weights, labels[p], trials.sums, fit.shifts, means[p],
                fit.totals,
            ),
        )  # fmt: skip
        begin_anew(fit)
        failed[p] = invoke(rule.maximize, (rule.step, fit.totals, fit.mixture, fit.work))
        if failed[p] == FINE:
            run_trial(p, early, rule, rows, stop, iterate, fit, trials)
    for _ in range(finalists):
        best = -1
        for p in range(labels.shape[0]):
            is_under_way = failed[p] == FINE and trials.counts[p, STATUS] == UNDER_WAY
            if is_under_way and trials.counts[p, N_PASSES] == early < last:
                bound = trials.numbers[p, LOWER_BOUND]
                if best < 0 or bound > trials.numbers[best, LOWER_BOUND]:
                    best = p
        if best < 0 or stop[0] != 0:
            break
        copy_flat(trials.found[best], fit.flat)
        copy_flat(trials.numbers[best], fit.numbers)
        copy_flat(trials.counts[best], fit.counts)
        run_trial(best, last, rule, rows, stop, iterate, fit, trials)
    return 0
