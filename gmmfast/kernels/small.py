"""A whole fit of few rows in one call, where a pass costs less than to ask for it.

The passes are those of `kernels.expectation`, the M steps those of `kernels.families`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.cholesky import LEAST_VARIANCE, invert_cholesky
from gmmfast.kernels.density import Work
from gmmfast.kernels.expectation import add_memberships, em_shard
from gmmfast.kernels.families import FamilyWork, constrain
from gmmfast.kernels.moments import Sums
from gmmfast.kernels.options import called_kernel, kernel
from gmmfast.kernels.separation import Separation
from gmmfast.kernels.variances import fill_variances
from gmmfast.parameters import Density

CONVERGED, ROUNDED, NOT_YET, NOT_POSITIVE, EMPTY = 0, 1, 2, 3, 4  # how a fit ended
LOG_TWO_PI = np.log(2 * np.pi)


class FewRows(NamedTuple):
    """Packed rows, and what is constant during a fit."""

    tiles: NDArray  # (n_tiles, d, TILE)
    row_weights: NDArray  # (n_tiles, TILE)
    separation: Separation  # of nothing
    cut: float  # how far below the best a log density is negligible
    scale: float  # of a sum over rows, to the mean of a row
    least: float  # mass below which a component is empty
    reg_covar: float  # added to the diagonal of every component's covariance
    stop: NDArray  # (1,): another thread sets it to end the fit after the present pass


class Floors(NamedTuple):
    """Variances at which a component counts as collapsed; see `gmmfast.models.Model.degenerate`."""

    of_few: float  # of one with few rows
    of_many: float  # of one with many
    few: float  # weight below which a component has few rows


class State(NamedTuple):
    """A mixture, whose arrays are all in one; and scratch."""

    flat: NDArray  # (m,): all of the following
    weights: NDArray  # (K,)
    covariances: NDArray  # (K, d, d), or (K, d)
    log_dets: NDArray  # (K,)
    density: Density
    family: FamilyWork  # of which `axes` is in `flat`
    scatter: NDArray  # scratch, of the shape of the covariances
    sums: Sums  # of one shard
    work: Work  # of one tile
    guesses: NDArray  # (n_tiles,)


@kernel
def set_scatter(
    second,  # in (K, d, d) lower, or (K, d): moments about the means before
    shifts,  # in (K, d): of the means since
    mass,  # in (K,)
    reg_covar,  # in
    scatter,  # out, of the same shape: about the means, and regularised
):
    """``S - m s s^T``: moments about the new means are the least of all."""
    K, d = shifts.shape
    for k in range(K):
        for i in range(d):
            if scatter.ndim == 2:
                own = second[k, i] - mass[k] * shifts[k, i] ** 2
                scatter[k, i] = own + mass[k] * reg_covar
            else:
                for j in range(i + 1):
                    own = second[k, i, j] - mass[k] * shifts[k, i] * shifts[k, j]
                    scatter[k, i, j] = scatter[k, j, i] = own
                scatter[k, i, i] += mass[k] * reg_covar


@kernel
def set_factors(
    covariances,  # in (K, d, d), or variances (K, d)
    upper,  # scratch (d, d)
    factors,  # out, of the same shape
    log_dets,  # out (K,)
):
    """Inverse Cholesky factors, or 1 / standard deviations; whether all are positive definite."""
    if covariances.ndim == 3:
        return invert_cholesky(covariances, upper, factors, log_dets) < 0
    for k in range(covariances.shape[0]):
        log_dets[k] = 0.0
        for j in range(covariances.shape[1]):
            variance = covariances[k, j]
            if not LEAST_VARIANCE < variance < np.inf:
                return False
            factors[k, j] = 1 / np.sqrt(variance)
            log_dets[k] += np.log(variance)
    return True


@called_kernel
def expect(
    rows,  # in: FewRows
    state,  # in: the mixture; out: sums about its means
):
    """E step."""
    em_shard(
        0, 1, rows.tiles, rows.row_weights, state.density, rows.separation,
        state.density.means, rows.cut, state.guesses, state.work, state.sums,
    )  # fmt: skip


@called_kernel
def maximize(
    rows,  # in: FewRows
    family,  # in: Family
    is_first,  # in: whether no step came before
    second,  # in: second moments about the means, of the sums in `state`
    scatter,  # scratch, of the shape of the covariances
    covariances,  # out
    factors,  # out
    state,  # in: sums about the means; out: the mixture
):
    """M step; NOT_YET, or why there is none."""
    mass, shifts, density = state.sums.mass[0], state.sums.first[0], state.density
    K, d = shifts.shape
    total = 0.0
    for k in range(K):
        if not mass[k] > rows.least:
            return EMPTY
        total += mass[k]
    for k in range(K):
        state.weights[k] = mass[k] / total
        for j in range(d):
            shifts[k, j] /= mass[k]
            density.means[k, j] += shifts[k, j]
    set_scatter(second, shifts, mass, rows.reg_covar, scatter)
    if covariances.ndim == 2:
        fill_variances(family.own_volumes, family.shape, scatter, mass, is_first, covariances)
    else:
        constrain(family, is_first, scatter, mass, state.family, covariances)
    if not set_factors(covariances, state.family.one[0], factors, state.log_dets):
        return NOT_POSITIVE
    for k in range(K):
        normaliser = 0.5 * (state.log_dets[k] + d * LOG_TWO_PI)
        density.constants[k] = np.log(state.weights[k]) - normaliser
    return NOT_YET


@kernel
def is_sound(
    floors,  # in: Floors
    weights,  # in (K,)
    factors,  # in (K, d, d) lower, or (K, d)
):
    """Whether no component has a direction of so little variance; sure to a factor of d."""
    for k in range(factors.shape[0]):
        floor = floors.of_few if weights[k] < floors.few else floors.of_many
        largest = 0.0
        for i in range(factors.shape[1]):
            if factors.ndim == 2:
                largest = max(largest, factors[k, i] ** 2)
            else:
                for j in range(i + 1):
                    largest += factors[k, i, j] ** 2
        if not largest * floor < 1:
            return False
    return True


@kernel
def has_settled(
    bounds,  # in
    i,  # in: the last of them
    tol,  # in: gain of a pass with which a fit ends
    share,  # in: likewise, of all that has been gained; 0: whatever that is
):
    """Whether a pass has gained too little to go on."""
    if i < 1:
        return False
    gain = bounds[i] - bounds[i - 1]
    return abs(gain) < tol or (share > 0 and gain <= share * (bounds[i] - bounds[0]))


@called_kernel
def start_from(
    rows,  # in: FewRows
    labels,  # in (n_tiles, TILE): a partition
    means,  # in (K, d): of its labels
    family,  # in: Family
    state,  # out: the mixture
):
    """M step of a partition; NOT_YET, or why there is none."""
    set_means(means, state)
    add_memberships(
        rows.tiles, rows.row_weights, labels, state.density.means, state.work, state.sums
    )
    return maximize(
        rows, family, True, state.sums.scatter[0], state.scatter, state.covariances,
        state.density.factors, state,
    )  # fmt: skip


@called_kernel
def climb(
    rows,  # in: FewRows
    family,  # in: Family
    tol,  # in: as in `has_settled`
    share,  # in: as in `has_settled`
    fall,  # in: relative fall of the likelihood that ends a fit: only rounding causes one
    before,  # scratch, of the size of state.flat
    state,  # in, out: the mixture
    bounds,  # out: mean log-likelihood before each M step; as many passes at the most
):
    """EM until a pass gains too little: how it ended, and its passes."""
    status, i = NOT_YET, 0
    while status == NOT_YET and i < bounds.size and not (i > 0 and rows.stop[0]):
        expect(rows, state)
        bounds[i] = state.sums.log_likelihood[0] * rows.scale
        if i > 0 and rows.reg_covar == 0 and bounds[i] < bounds[i - 1] - fall * abs(bounds[i - 1]):
            copy_flat(before, state.flat)
            return ROUNDED, i
        copy_flat(state.flat, before)
        status = maximize(
            rows, family, False, state.sums.scatter[0], state.scatter, state.covariances,
            state.density.factors, state,
        )  # fmt: skip
        if status == NOT_YET and has_settled(bounds, i, tol, share):
            status = CONVERGED
        i += 1
    return status, i


@called_kernel
def fit_few(
    rows,  # in: FewRows
    labels,  # in (P, n_tiles, TILE): partitions to start from
    means,  # in (P, K, d): of their labels
    family,  # in: Family
    floors,  # in: Floors
    share,  # in: of what a trial has gained; a pass that gains less is its last
    tol,  # in: gain of a pass, in nats a row, with which the fit ends
    same,  # in: what is less may be rounding, and the first of equals is kept
    fall,  # in: relative fall of the likelihood that ends a fit: only rounding causes one
    before,  # scratch, of the size of state.flat
    best,  # scratch, of the size of state.flat
    trial,  # scratch: mean log-likelihoods of a trial, which may have as many passes
    state,  # scratch; out: the mixture, and the sums of one more E step
    bounds,  # out: mean log-likelihoods of the fit, which may have as many passes
):
    """EM from the likeliest partition after a few passes.

    Returns how it ended, its passes, and whether no component has collapsed.
    """
    failure, found, found_sound, highest = NOT_POSITIVE, False, False, -np.inf
    for t in range(labels.shape[0]):
        if found and rows.stop[0]:
            break
        n_passes, status = 0, start_from(rows, labels[t], means[t], family, state)
        if status == NOT_YET:
            status, n_passes = climb(rows, family, 0.0, share, fall, before, state, trial)
        if status == NOT_POSITIVE or status == EMPTY:
            failure = max(failure, status)  # EMPTY, which may be mended, rather than NOT_POSITIVE
            continue
        sound, bound = is_sound(floors, state.weights, state.density.factors), trial[n_passes - 1]
        is_better = bound - same > highest if sound == found_sound else sound
        if not found or is_better:
            found, found_sound, highest = True, sound, bound
            copy_flat(state.flat, best)
    if not found:
        return failure, 0, False
    copy_flat(best, state.flat)
    status, n_passes = climb(rows, family, tol, 0.0, fall, before, state, bounds)
    if status < NOT_POSITIVE:
        expect(rows, state)
    return status, n_passes, is_sound(floors, state.weights, state.density.factors)


@kernel
def set_means(
    means,  # in (K, d)
    state,  # out: the means; no mass
):
    """Prepare for the sums of a partition."""
    for k in range(means.shape[0]):
        state.sums.mass[0, k] = 0.0
        for j in range(means.shape[1]):
            state.density.means[k, j] = means[k, j]


@kernel
def copy_flat(
    source,  # in (m,)
    out,  # out (m,)
):
    """Copy a mixture."""
    for i in range(source.size):
        out[i] = source[i]
