"""A bound on the ratio of the largest variance along any axis to the smallest, of all components.

The likelihood of a mixture has no upper bound: it grows forever as a component shrinks onto a few
rows. Where the ratio of eigenvalues is bounded, so is the likelihood (Hathaway 1985).
"""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.compiling import addressed_kernel, kernel
from gmmfast.kernels.families import compose, divide_by_mass, find_own_axes
from gmmfast.kernels.variances import fill_variances, own_variances


@kernel
def slope(
    least,  # in: smallest variance to allow
    ratio,  # in
    mass,  # in (K,)
    variances,  # in (K, d): unbounded
):
    """Derivative of twice the loss of log-likelihood by ``log(least)``; it never falls.

    A variance v that is moved to s costs ``mass (log s + v / s)``.
    """
    K, d = variances.shape
    total = 0.0
    for k in range(K):
        for j in range(d):
            if variances[k, j] < least:
                total += mass[k] * (1 - variances[k, j] / least)
            elif variances[k, j] / ratio > least:  # exactly as its end in `best_least`
                total += mass[k] * (1 - variances[k, j] / (ratio * least))
    return total


@kernel
def best_least(
    ratio,  # in
    mass,  # in (K,)
    variances,  # in (K, d): unbounded; their ratio is too large
):
    """Smallest variance to allow: where the slope is zero.

    Between two of the values ``v`` and ``v / ratio`` that enclose it, the same variances are moved,
    and it is a mean of theirs. Each value inside the interval so far makes it smaller.
    """
    K, d = variances.shape
    low, high = 0.0, np.inf
    for k in range(K):
        for j in range(d):
            for end in (variances[k, j], variances[k, j] / ratio):
                if low < end < high:
                    if slope(end, ratio, mass, variances) > 0:
                        high = end
                    else:
                        low = end
    total = moved = 0.0
    for k in range(K):
        for j in range(d):
            if variances[k, j] <= low:
                total += mass[k] * variances[k, j]
                moved += mass[k]
            elif variances[k, j] / ratio >= high:
                total += mass[k] * variances[k, j] / ratio
                moved += mass[k]
    return total / moved


@kernel
def bound_ratio(
    ratio,  # in: at least 1
    mass,  # in (K,)
    variances,  # in, out (K, d): along the axes, unbounded -> bounded
):
    """Move variances into the best interval ``[s, ratio s]``; return whether any was outside.

    The result maximizes the likelihood (Fritz, Garcia-Escudero & Mayo-Iscar 2013).
    """
    smallest, largest = np.inf, 0.0
    for k in range(variances.shape[0]):
        for j in range(variances.shape[1]):
            smallest, largest = min(smallest, variances[k, j]), max(largest, variances[k, j])
    if not largest > ratio * smallest:
        return False
    least = best_least(ratio, mass, variances)
    for k in range(variances.shape[0]):
        for j in range(variances.shape[1]):
            variances[k, j] = min(max(variances[k, j], least), ratio * least)
    return True


@addressed_kernel
def bounded_variances(
    family,  # in: Family
    is_first,  # in: whether to ignore earlier variances
    scatter,  # in (K, d)
    mass,  # in (K,)
    work,  # scratch: FamilyWork
    covariances,  # in, out (K, d)
):
    """VII and VVI of bounded ratio: the axes are the features'."""
    fill_variances(family.own_volumes, family.shape, scatter, mass, is_first, covariances)
    bound_ratio(family.ratio, mass, covariances)
    return 0


@addressed_kernel
def bounded_matrices(
    family,  # in: Family
    is_first,  # in: whether to search for axes; else start from the earlier ones
    scatter,  # in (K, d, d)
    mass,  # in (K,)
    work,  # scratch; in, out: own axes
    covariances,  # out (K, d, d)
):
    """VVV of bounded ratio: each component keeps its axes."""
    find_own_axes(is_first, scatter, work)
    own_variances(work.spread, mass, work.variances)
    if bound_ratio(family.ratio, mass, work.variances):
        for k in range(scatter.shape[0]):
            compose(work.own_axes[k], work.variances[k], covariances[k])
    else:
        divide_by_mass(scatter, mass, covariances)
    return 0
