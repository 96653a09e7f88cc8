"""EM steps extrapolated by Anderson's method once EM has settled into its linear rate.

The fixed point is sought in the space of the expected sufficient statistics: an affine combination
of them preserves the moments of the data, and the M step turns it into a valid mixture. A leap is
rejected unless it is at least as likely as plain EM's step: a step whose expected complete
log-likelihood rises by q gains ``(1 + rate) q``, to second order, hence less than ``2 q``.

Sources: Anderson (1965), Iterative procedures for nonlinear integral equations, JACM 12, 547-560,
section 4; Henderson & Varadhan (2019), Damped Anderson acceleration with restarts and monotonicity
control for accelerating EM and EM-like algorithms, JCGS 28(4), 834-846, section 3; Nguyen, Chen &
Chacon (2020), for the space of statistics.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.cholesky import factorize
from gmmfast.kernels.compiling import addressed_kernel, invoke, kernel
from gmmfast.kernels.loop import GAIN, LOWER_BOUND, ON_TRIAL, copy_flat, step
from gmmfast.kernels.maximization import FINE, Totals, penalty
from gmmfast.kernels.statistics import (
    are_semidefinite,
    expected,
    read_statistics,
    sum_of_counts,
    write_scales,
    write_statistics,
)

MEMORY = 5  # points and images that a leap extrapolates from
RATES = 3  # of convergence that must agree for EM to count as settled,
SETTLED = 0.1  # and by how much they may differ
LONGEST_PAUSE = 8  # EM steps after a rejected leap; the pause doubles up to this
RIDGE = 1e-10  # relative, of the least-squares problem: late steps are nearly equal
HAS_INPUTS, N_POINTS, N_GAINS, IS_SETTLED, PAUSE, WAIT = range(ON_TRIAL + 1, 7)
N_COUNTS = 7  # in Fit.leap_counts


class Leap(NamedTuple):
    """Memory and scratch of an accelerated fit; statistics are vectors (m,)."""

    reference: NDArray  # (K, d): the statistics are taken about it
    inputs: NDArray  # (m,): the M step makes the current mixture from it
    points: NDArray  # (M, m)
    images: NDArray  # (M, m): the points after an EM step
    gains: NDArray  # (RATES + 1,) of EM steps, until they have settled
    fallback: NDArray  # of the size of Fit.flat: plain EM's mixture
    required: NDArray  # (1,) lower bound that the leap on trial must reach
    totals: Totals  # scratch: extrapolated
    scales: NDArray  # (m,) scratch
    system: NDArray  # (1, M - 1, M - 1) scratch, of the least-squares problem
    upper: NDArray  # (M - 1, M - 1) scratch
    factor: NDArray  # (1, M - 1, M - 1) scratch
    log_det: NDArray  # (1,) scratch
    shares: NDArray  # (2, M - 1) scratch


def leap_size(n_components, n_features, n_scatter, n_tails, n_flat):
    """Return the size of `Fit.leap`, given the sizes of its scatter, tails and mixture."""
    kd, q = n_components * n_features, MEMORY - 1
    m = n_tails + n_components + kd + n_scatter
    scratch = 2 + 2 * kd + n_components + n_scatter + n_tails + m + 3 * q * q + 1 + 2 * q
    return kd + m + 2 * MEMORY * m + RATES + 1 + n_flat + 1 + scratch


def leap_in(memory, reference, scatter, n_tails, n_flat):
    """Return views of `Fit.leap`, for totals of given shapes."""
    (K, d), s, q = reference.shape, scatter.size, MEMORY - 1
    m, i = n_tails + K + K * d + s, K * d
    about = memory[:i].reshape(K, d)
    inputs, i = memory[i : i + m], i + m
    points, i = memory[i : i + MEMORY * m].reshape(MEMORY, m), i + MEMORY * m
    images, i = memory[i : i + MEMORY * m].reshape(MEMORY, m), i + MEMORY * m
    gains, i = memory[i : i + RATES + 1], i + RATES + 1
    fallback, i = memory[i : i + n_flat], i + n_flat
    required, i = memory[i : i + 1], i + 1
    log_likelihood, best, i = memory[i : i + 1], memory[i + 1 : i + 2], i + 2
    from_means, i = memory[i : i + K * d].reshape(K, d), i + K * d
    own_mass, i = memory[i : i + K], i + K
    first, i = memory[i : i + K * d].reshape(K, d), i + K * d
    second, i = memory[i : i + s].reshape(scatter.shape), i + s
    tails, i = memory[i : i + n_tails].reshape(2, n_tails // 2), i + n_tails
    none = memory[:0].reshape(0, 0, 0)  # factor analyzers are not extrapolated
    scales, i = memory[i : i + m], i + m
    system, i = memory[i : i + q * q].reshape(1, q, q), i + q * q
    upper, i = memory[i : i + q * q].reshape(q, q), i + q * q
    factor, i = memory[i : i + q * q].reshape(1, q, q), i + q * q
    log_det, i = memory[i : i + 1], i + 1
    totals = Totals(log_likelihood, best, from_means, own_mass, first, second, tails, none)
    return Leap(
        about, inputs, points, images, gains, fallback, required, totals, scales, system, upper,
        factor, log_det, memory[i : i + 2 * q].reshape(2, q),
    )  # fmt: skip


_leap_in = kernel(leap_in)


@kernel
def fall_back(
    fit,  # in, out: Fit
):
    """Replace a leap that no pass has tested by the result of plain EM's last step."""
    totals = fit.totals
    leap = _leap_in(
        fit.leap, totals.reference, totals.scatter, totals.tails.size, fit.flat.size
    )  # fmt: skip
    copy_flat(leap.fallback, fit.flat)


@kernel
def shrink_evenly(
    gains,  # in (RATES + 1,)
):
    """Whether the gains fall at a steady rate."""
    least, largest = np.inf, 0.0
    for i in range(RATES):
        if not (0 < gains[i] < np.inf and 0 < gains[i + 1] < np.inf):
            return False
        rate = gains[i + 1] / gains[i]
        least, largest = min(least, rate), max(largest, rate)
    return largest < 1 and largest - least < SETTLED


@kernel
def push(
    rows,  # in, out (M, m): the oldest is dropped
    row,  # in (m,)
    count,  # in: rows so far
):
    """Append a row."""
    if count == rows.shape[0]:
        for i in range(1, count):
            for j in range(row.size):
                rows[i - 1, j] = rows[i, j]
        count -= 1
    for j in range(row.size):
        rows[count, j] = row[j]


@kernel
def find_fixed_point(
    n,  # in: points, at least two
    leap,  # in: points, images, scales; scratch
    out,  # out (m,)
):
    """Fixed point of EM, if linear in the span of the points; return whether it was found."""
    points, images = leap.points, leap.images
    most, last, products = points.shape[0] - 1, n - 1, leap.system[0]
    shares, solution = leap.shares[0], leap.shares[1]
    products[:] = 0.0
    shares[:] = 0.0
    solution[:] = 0.0
    for p in range(out.size):
        step_of_last = leap.scales[p] * (images[last, p] - points[last, p])
        for i in range(last):
            change = (images[i + 1, p] - points[i + 1, p]) - (images[i, p] - points[i, p])
            shares[i] += change * step_of_last
            for j in range(i + 1):
                other = (images[j + 1, p] - points[j + 1, p]) - (images[j, p] - points[j, p])
                products[i, j] += leap.scales[p] * change * other
    trace = 0.0
    for i in range(last):
        trace += products[i, i]
    for i in range(most):
        products[i, i] += RIDGE * trace if i < last else trace  # of rows without a point
        for j in range(i):
            products[j, i] = products[i, j]
    if factorize(leap.system, leap.upper, leap.factor, leap.log_det) != FINE:
        return False
    for i in range(most):  # factor.T @ factor @ shares
        projected = 0.0
        for j in range(i + 1):
            projected += leap.factor[0, i, j] * shares[j]
        for j in range(i + 1):
            solution[j] += leap.factor[0, i, j] * projected
    for p in range(out.size):
        out[p] = images[last, p]
        for i in range(last):
            out[p] -= solution[i] * (images[i + 1, p] - images[i, p])
    return True


@kernel
def take_back(
    leap,  # in, out: Leap
    fit,  # in, out: Fit
):
    """Return to plain EM's step, and pause leaps."""
    counts = fit.leap_counts
    copy_flat(leap.fallback, fit.flat)
    copy_flat(leap.images[counts[N_POINTS] - 1], leap.inputs)
    counts[PAUSE] = min(max(1, 2 * counts[PAUSE]), LONGEST_PAUSE)
    counts[WAIT] = counts[PAUSE]
    fit.numbers[GAIN] = np.inf


@kernel
def remember(
    leap,  # in, out: Leap
    fit,  # in, out: Fit, with the totals of the E pass at the mixture made of leap.inputs
):
    """Record the last EM step: its point and image."""
    counts, totals = fit.leap_counts, fit.totals
    if counts[HAS_INPUTS] == 0:
        counts[HAS_INPUTS] = 1
        for k in range(leap.reference.shape[0]):
            for j in range(leap.reference.shape[1]):
                leap.reference[k, j] = totals.reference[k, j]
        write_statistics(totals, totals.scatter, leap.reference, leap.inputs)
        return
    push(leap.points, leap.inputs, counts[N_POINTS])
    write_statistics(totals, totals.scatter, leap.reference, leap.inputs)
    push(leap.images, leap.inputs, counts[N_POINTS])
    counts[N_POINTS] = min(counts[N_POINTS] + 1, leap.points.shape[0])


@kernel
def has_settled(
    gains,  # in, out (RATES + 1,)
    fit,  # in, out: Fit
):
    """Whether EM has settled into its linear rate."""
    counts = fit.leap_counts
    if counts[IS_SETTLED] == 0:
        for i in range(RATES):
            gains[i] = gains[i + 1]
        gains[RATES] = fit.numbers[GAIN]
        counts[N_GAINS] += 1
        if counts[N_GAINS] > RATES and shrink_evenly(gains):
            counts[IS_SETTLED] = 1
    return counts[IS_SETTLED] != 0


@kernel
def expectation_of(
    rule,  # in: Rule
    fit,  # in: Fit, with the totals of an earlier E pass
):
    """What an EM step maximizes: the expected objective, as a sum over rows, up to a constant."""
    mixture = fit.mixture
    weight = rule.step.weight
    row = fit.work.upper[0]
    total = expected(mixture, mixture.factors, fit.totals, fit.totals.scatter, weight, row)
    return total + penalty(rule.step, mixture, row)


@kernel
def leap_ahead(
    rule,  # in: Rule
    scale,  # in: factor from a sum over rows to their mean
    reached,  # in: objective of the mixture before the EM step
    start,  # in: its expectation
    leap,  # in, out: Leap
    fit,  # in, out: Fit, after the EM step
):
    """Replace the EM step by a leap on trial, if possible."""
    counts, totals = fit.leap_counts, fit.totals
    write_scales(totals, totals.scatter, leap.scales)
    if not find_fixed_point(counts[N_POINTS], leap, leap.inputs):
        copy_flat(leap.images[counts[N_POINTS] - 1], leap.inputs)
        return
    ahead = leap.totals
    is_possible = read_statistics(
        leap.inputs, leap.reference, ahead.scatter, ahead
    ) and are_semidefinite(ahead, ahead.scatter, fit.work.scatter)
    if fit.mixture.noise.size > 0:
        is_possible = is_possible and sum_of_counts(ahead) <= rule.step.weight
    rise = expectation_of(rule, fit) - start
    copy_flat(fit.flat, leap.fallback)
    if is_possible:
        step_work = rule.step, ahead, fit.mixture, fit.work
        is_possible = invoke(rule.maximize, step_work) == FINE
    if is_possible:
        leap.required[0] = reached + 2 * scale * max(rise, 0.0)
        counts[ON_TRIAL] = 1
    else:
        take_back(leap, fit)


@addressed_kernel
def extrapolate(
    rule,  # in: Rule
    scale,  # in: factor from a sum over rows to their mean
    fit,  # in, out: Fit, with the totals of an E pass
    reached,  # in: objective of the mixture
):
    """EM step or leap; return FINE, SHARED or the failed component."""
    counts, totals = fit.leap_counts, fit.totals
    leap = _leap_in(fit.leap, totals.first, totals.scatter, totals.tails.size, fit.flat.size)
    was_on_trial, before = counts[ON_TRIAL] != 0, fit.numbers[LOWER_BOUND]
    counts[ON_TRIAL] = 0
    if was_on_trial and not reached >= leap.required[0]:
        take_back(leap, fit)
        return FINE
    start = expectation_of(rule, fit)
    failed = step(rule, fit, reached)
    if failed != FINE:
        return failed
    if not was_on_trial and not has_settled(leap.gains, fit):
        return FINE
    remember(leap, fit)
    if was_on_trial:
        fit.numbers[GAIN] = np.inf
        counts[PAUSE] = 0
        if reached - before < rule.tol:
            return FINE  # the next gain decides on convergence
    if counts[N_POINTS] < 2 or abs(fit.numbers[GAIN]) < rule.tol:
        return FINE
    if counts[WAIT] > 0:
        counts[WAIT] -= 1
        return FINE
    leap_ahead(rule, scale, reached, start, leap, fit)
    return FINE
