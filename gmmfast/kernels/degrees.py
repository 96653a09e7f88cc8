"""Degrees of freedom of t components: their part of the M step."""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.compiling import addressed_kernel, called_kernel, kernel
from gmmfast.tails import log_less_digamma

# how many are estimated: none, one, or one per component
GIVEN, COMMON_DEGREES, OWN_DEGREES = range(3)
FEWEST, MOST = 1.0, 1000.0  # degrees of freedom that an estimate may have
TURNS, SAME = 50, 1e-14  # of the search for a root, and the relative change that ends it

_log_less_digamma = called_kernel(log_less_digamma)


@kernel
def count_of(
    totals,  # in: Totals
    k,  # in: component
):
    """Sum of the responsibilities: of t components without their latent weights."""
    if totals.tails.size > 0:
        return totals.tails[0, k]
    return totals.mass[k]


@called_kernel
def solve_degrees(
    surplus,  # in: mean of u - log u - 1, over the rows of a component
):
    """Degrees of freedom nu that make ``log(nu / 2) - digamma(nu / 2)`` equal to the surplus.

    The reciprocal of the left side lies between nu / 2 and nu and is nearly a line: Newton's steps
    toward that of the surplus converge in a few turns.
    """
    if not surplus > 1 / MOST:  # no root below
        return MOST
    low, high = 0.5 / surplus, 1 / surplus
    half = low
    for _ in range(TURNS):
        value, slope = _log_less_digamma(half)
        change = (1 / surplus - 1 / value) * value * value / -slope
        before, half = half, min(max(half + change, low), high)
        if abs(half - before) <= SAME * half:
            break
    return min(max(2 * half, FEWEST), MOST)


@addressed_kernel
def move_degrees(
    begin,  # in: degrees of freedom that are given, or to begin with
    estimate,  # in: GIVEN, COMMON_DEGREES or OWN_DEGREES
    least_mass,  # in: below which a component is empty
    totals,  # in: Totals
    degrees,  # in, out (K,)
):
    """New degrees of freedom (Peel & McLachlan 2000), or those to begin with.

    They are the most likely ones, given the latent weights, whatever the other parameters: so this
    is part of the same M step. Empty components keep theirs. Where none are estimated, or nothing
    is known of the latent weights, they are those to begin with.
    """
    all_counts, all_surplus = 0.0, 0.0
    for k in range(degrees.size):
        count = totals.tails[0, k]
        surplus = totals.mass[k] - totals.tails[1, k] - count
        if estimate == GIVEN or np.isnan(surplus):
            degrees[k] = begin
        elif estimate == OWN_DEGREES and count >= least_mass:
            degrees[k] = solve_degrees(surplus / count)
        all_counts, all_surplus = all_counts + count, all_surplus + surplus
    if estimate == COMMON_DEGREES and not np.isnan(all_surplus) and all_counts > 0:
        common = solve_degrees(all_surplus / all_counts)
        for k in range(degrees.size):
            degrees[k] = common
    return 0
