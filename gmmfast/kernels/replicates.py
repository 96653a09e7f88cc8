"""Fits of one mixture to many replicates of its rows, each from the same start, in one call."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.anderson import fall_back
from gmmfast.kernels.compiling import entry_kernel, invoke, kernel
from gmmfast.kernels.loop import (
    BROKEN,
    EXPECT,
    FAILED,
    FIRST_BOUND,
    GAIN,
    HAS_BEFORE,
    LOWER_BOUND,
    N_PASSES,
    ON_TRIAL,
    STATUS,
    UNDER_WAY,
    copy_flat,
)
from gmmfast.kernels.maximization import FINE
from gmmfast.kernels.tiles import TILE
from gmmfast.kernels.trials import has_collapsed

SOUND, COLLAPSED, BROKEN_OFF = range(3)  # outcomes of a fit


class Replicates(NamedTuple):
    """Replicates of rows, and the outcome of a fit to each of them."""

    X: NDArray  # (B, n, d) in the order of the packed rows; or (0, n, d) for the rows as they are
    weights: NDArray  # (B, n): row weights
    order: NDArray  # (n,): the index in `weights` of each packed row
    found: NDArray  # (B, m): the mixtures
    log_likelihoods: NDArray  # (B,)
    outcomes: NDArray  # (B,)


class Refit(NamedTuple):
    """How each replicate is fitted."""

    start: NDArray  # (m,): the mixture to begin with
    guesses: NDArray  # (n_tiles,): likely owner of each tile, to begin with
    iterate: Any  # address of `kernels.loop.iterate`
    last: int  # pass to stop after
    floors: NDArray  # (2,): as in `kernels.trials.has_collapsed`, like the next one
    small: float


@kernel
def load_replicate(
    replicates,  # in: Replicates
    b,  # in
    rows,  # out: Pass
):
    """Write the rows and the weights of a replicate into the tiles."""
    for i in range(replicates.order.size):
        tile, place = i // TILE, i % TILE
        rows.row_weights[tile, place] = replicates.weights[b, replicates.order[i]]
        if replicates.X.shape[0] > 0:
            for j in range(replicates.X.shape[2]):
                rows.tiles[tile, j, place] = replicates.X[b, i, j]


@kernel
def begin(
    refit,  # in: Refit
    rows,  # out: Pass
    fit,  # out: Fit
):
    """Restart a fit, without a trace of the replicate before."""
    copy_flat(refit.start, fit.flat)
    copy_flat(refit.guesses, rows.guesses)
    fit.numbers[LOWER_BOUND], fit.numbers[FIRST_BOUND] = -np.inf, 0.0
    fit.numbers[GAIN], fit.work.is_first[0] = np.inf, 0
    fit.counts[N_PASSES], fit.counts[STATUS] = 0, UNDER_WAY
    fit.counts[BROKEN], fit.counts[HAS_BEFORE] = FINE, 0
    fit.leap_counts[:] = 0


@entry_kernel
def fit_replicates(
    rule,  # in: Rule
    refit,  # in: Refit
    rows,  # scratch: Pass
    stop,  # in (1,): another thread sets it to end the fits
    fit,  # scratch: Fit
    replicates,  # in, out: Replicates
):
    """Fit all replicates, and take a last E pass of each, for the likelihood of its mixture."""
    mixture = fit.mixture
    for b in range(replicates.weights.shape[0]):
        load_replicate(replicates, b, rows)
        begin(refit, rows, fit)
        invoke(refit.iterate, (rule, rows, fit, refit.last, stop))
        if stop[0] != 0:
            return 0
        if fit.leap_counts[ON_TRIAL] != 0:
            fall_back(fit)
        is_cut_off = fit.counts[STATUS] == UNDER_WAY and fit.counts[N_PASSES] < refit.last
        replicates.outcomes[b] = SOUND
        if fit.counts[STATUS] == FAILED or is_cut_off:  # cut off: rounding wants another layout
            replicates.outcomes[b] = BROKEN_OFF
            continue
        invoke(refit.iterate, (rule, rows, fit, np.int64(EXPECT), stop))
        copy_flat(fit.flat, replicates.found[b])
        replicates.log_likelihoods[b] = fit.totals.log_likelihood[0]
        if has_collapsed(
            mixture.weights, mixture.factors, mixture.whitening, refit.small, refit.floors,
            fit.work.upper,
        ):  # fmt: skip
            replicates.outcomes[b] = COLLAPSED
    return 0
