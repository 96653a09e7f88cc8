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

UNFINISHED = -3  # a start that has not begun, or needs rows in another layout


class Trials(NamedTuple):
    """Starts from P partitions, and their outcome."""

    labels: NDArray  # in (P, n_tiles, TILE): the partitions
    means: NDArray  # in, out (P, K, d): of their parts, exact or approximate
    sums: Sums  # scratch: of one shard
    found: NDArray  # out (P, m): the mixtures after the passes
    numbers: NDArray  # out (P, 3): `Fit.numbers`, where the first M step succeeded
    counts: NDArray  # out (P, 4): `Fit.counts`, likewise
    failed: NDArray  # in, out (P,): FINE, UNFINISHED (as before), SHARED or the failed component


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


@entry_kernel
def try_partitions(
    rule,  # in: Rule
    rows,  # in, out: Pass
    chosen,  # in (C,): the trials that go on
    last,  # in: pass to stop after
    stop,  # in (1,): another thread sets it to end the fit
    divide,  # in: address of `divide`
    iterate,  # in: address of `kernels.loop.iterate`
    fit,  # scratch: Fit
    trials,  # in, out: Trials
):
    """EM from each chosen partition, or from where its trial has stopped before."""
    labels, means, failed = trials.labels, trials.means, trials.failed
    for c in range(chosen.size):
        p = chosen[c]
        if stop[0] != 0 and (c > 0 or failed[p] == FINE):
            break
        if failed[p] == FINE:
            copy_flat(trials.found[p], fit.flat)
            copy_flat(trials.numbers[p], fit.numbers)
            copy_flat(trials.counts[p], fit.counts)
            fit.counts[HAS_BEFORE] = 0  # the mixture before is another trial's
        else:
            parts = rows.tiles, rows.row_weights, labels[p]
            invoke(divide, (*parts, trials.sums, fit.shifts, means[p], fit.totals))
            begin_anew(fit)
            failed[p] = invoke(rule.maximize, (rule.step, fit.totals, fit.mixture, fit.work))
            if failed[p] != FINE:
                continue
        invoke(iterate, (rule, rows, fit, last, stop))
        failed[p] = fit.counts[BROKEN]
        if fit.counts[STATUS] == UNDER_WAY and fit.counts[N_PASSES] < last and stop[0] == 0:
            failed[p] = UNFINISHED
        copy_flat(fit.flat, trials.found[p])
        copy_flat(fit.numbers, trials.numbers[p])
        copy_flat(fit.counts, trials.counts[p])
    return 0
