"""Sufficient statistics as coordinates: one vector, their scales, and what they are worth."""

from __future__ import annotations

import math

import numpy as np

from gmmfast.kernels.cholesky import triangle_of
from gmmfast.kernels.compiling import called_kernel, kernel
from gmmfast.kernels.degrees import count_of

NO_VARIANCE = 1e-12  # relative: smaller pivots are rounding


@kernel
def write_statistics(
    totals,  # in: Totals
    scatter,  # in: of the totals
    reference,  # in (K, d)
    vector,  # out (m,)
):
    """Sums of tails, mass, first and second moments about a reference, as one vector."""
    K, d = reference.shape
    i = 0
    for part in range(2):
        for k in range(totals.tails.shape[1]):
            vector[i] = totals.tails[part, k]
            i += 1
    for k in range(K):
        vector[i] = totals.mass[k]
        i += 1
    for k in range(K):
        for j in range(d):
            shift = reference[k, j] - totals.reference[k, j]
            vector[i] = totals.first[k, j] - totals.mass[k] * shift
            i += 1
    begin = i
    for k in range(scatter.shape[0]):
        for a in range(d):
            if scatter.ndim == 2:
                vector[i] = scatter[k, a]
                i += 1
            else:
                for b in range(d):
                    vector[i] = scatter[k, a, b]
                    i += 1
    size = (i - begin) // scatter.shape[0]
    for k in range(K):
        at = begin + min(k, scatter.shape[0] - 1) * size
        for a in range(d):
            s = reference[k, a] - totals.reference[k, a]
            h = totals.first[k, a] - 0.5 * totals.mass[k] * s
            if scatter.ndim == 2:
                vector[at + a] -= 2 * s * h
            else:
                for b in range(d):
                    t = reference[k, b] - totals.reference[k, b]
                    g = totals.first[k, b] - 0.5 * totals.mass[k] * t
                    vector[at + a * d + b] -= s * g + h * t


@kernel
def read_statistics(
    vector,  # in (m,)
    reference,  # in (K, d)
    scatter,  # out: of the totals
    totals,  # out: Totals
):
    """Inverse of `write_statistics`; return whether no mass is negative."""
    K, d = reference.shape
    positive, i = True, 0
    for part in range(2):
        for k in range(totals.tails.shape[1]):
            totals.tails[part, k] = vector[i]
            positive = positive and (part == 1 or vector[i] >= 0)
            i += 1
    for k in range(K):
        totals.mass[k] = vector[i]
        positive = positive and vector[i] >= 0
        i += 1
    for k in range(K):
        for j in range(d):
            totals.reference[k, j] = reference[k, j]
            totals.first[k, j] = vector[i]
            i += 1
    for k in range(scatter.shape[0]):
        for a in range(d):
            if scatter.ndim == 2:
                scatter[k, a] = vector[i]
                i += 1
            else:
                for b in range(d):
                    scatter[k, a, b] = vector[i]
                    i += 1
    return positive


@kernel
def are_semidefinite(
    totals,  # in: Totals
    scatter,  # in: of the totals
    left,  # scratch, of the shape of `scatter`
):
    """Whether second moments about the means are positive semidefinite, as rows make them.

    An extrapolation can leave them indefinite, which an M step with axes may take 0.1 s over.
    Gaussian elimination: each pivot is the variance that earlier features leave.
    """
    K, d = totals.first.shape
    for k in range(scatter.shape[0]):
        for i in range(d):
            if scatter.ndim == 2:
                left[k, i] = scatter[k, i]
            else:
                for j in range(i + 1):
                    left[k, i, j] = scatter[k, i, j]
    for k in range(K):
        of = min(k, scatter.shape[0] - 1)
        for i in range(d):
            mean = totals.first[k, i] / totals.mass[k] if totals.mass[k] > 0 else 0.0
            if scatter.ndim == 2:
                left[of, i] -= mean * totals.first[k, i]
            else:
                for j in range(i + 1):
                    left[of, i, j] -= mean * totals.first[k, j]
    for k in range(scatter.shape[0]):
        for j in range(d):
            pivot = left[k, j] if scatter.ndim == 2 else left[k, j, j]
            rounding = NO_VARIANCE * (scatter[k, j] if scatter.ndim == 2 else scatter[k, j, j])
            if not pivot >= -rounding:
                return False
            if scatter.ndim == 2 or pivot <= rounding:
                continue
            for i in range(j + 1, d):
                for m in range(j + 1, i + 1):
                    left[k, i, m] -= left[k, i, j] * left[k, m, j] / pivot
    return True


@kernel
def write_scales(
    totals,  # in: Totals
    scatter,  # in: of the totals
    scales,  # out (m,)
):
    """Inverse squares of the scale of each statistic, which makes changes unit-free.

    The scale of a mass is its root, of a mean the standard deviation of its component, and so on.
    """
    K, d = totals.first.shape
    all_mass, i = totals.mass.sum(), 0
    for _ in range(2):
        for k in range(totals.tails.shape[1]):
            scales[i] = inverse(totals.tails[0, k])
            i += 1
    for k in range(K):
        scales[i] = inverse(totals.mass[k])
        i += 1
    for k in range(K):
        of, mass = k, totals.mass[k]
        if scatter.shape[0] < K:
            of, mass = 0, all_mass
        for a in range(d):
            spread = scatter[of, a] if scatter.ndim == 2 else scatter[of, a, a]
            scales[i] = inverse(totals.mass[k] * spread / mass)
            i += 1
    for k in range(scatter.shape[0]):
        mass = totals.mass[k] if scatter.shape[0] == K else all_mass
        for a in range(d):
            if scatter.ndim == 2:
                scales[i] = inverse(scatter[k, a] * scatter[k, a] / mass)
                i += 1
            else:
                for b in range(d):
                    scales[i] = inverse(scatter[k, a, a] * scatter[k, b, b] / mass)
                    i += 1


@kernel
def inverse(
    value,  # in
):
    """``1 / value``, or 0 if that is not a positive finite number."""
    return 1 / value if 1e-300 < value < 1e300 else 0.0


@kernel
def sum_of_counts(
    totals,  # in: Totals
):
    """Rows of all components, by responsibility."""
    total = 0.0
    for k in range(totals.mass.size):
        total += count_of(totals, k)
    return total


@kernel
def squares_about_mean(
    mixture,  # in: Mixture
    factors,  # in: of the mixture
    totals,  # in: Totals
    scatter,  # in: of the totals
    k,  # in: component
    row,  # scratch (d,)
):
    """Trace of the precision of a component times the scatter of its rows about its mean.

    Row r of the triangle u: u @ scatter @ u. Sums along a row of the scatter become vectors.
    """
    d, mass, of = mixture.means.shape[1], totals.mass[k], min(k, scatter.shape[0] - 1)
    total, share = 0.0, 1.0 if k < scatter.shape[0] else 0.0  # pooled moments count once
    for r in range(d):
        if scatter.ndim == 2:
            s = mixture.means[k, r] - totals.reference[k, r]
            h = totals.first[k, r] - 0.5 * mass * s
            u = factors[k, r]
            total += u * u * (scatter[k, r] - 2 * s * h)
            continue
        for j in range(r + 1):
            row[j] = 0.0
        for i in range(r + 1):
            u = triangle_of(factors, mixture.whitening, k, r, i)
            s = u * (mixture.means[k, i] - totals.reference[k, i])
            h = u * totals.first[k, i] - 0.5 * mass * s
            u *= share
            for j in range(r + 1):
                t = mixture.means[k, j] - totals.reference[k, j]
                g = totals.first[k, j] - 0.5 * mass * t
                row[j] += u * scatter[of, i, j] - s * g - h * t
        for j in range(r + 1):
            total += triangle_of(factors, mixture.whitening, k, r, j) * row[j]
    return total


@called_kernel
def expected(
    mixture,  # in: Mixture
    factors,  # in: of the mixture
    totals,  # in: Totals
    scatter,  # in: of the totals
    weight,  # in: of all rows
    row,  # scratch (d,)
):
    """Expected complete log-likelihood, up to a constant (Bishop 2006, 9.40).

    Latent weights of t components are part of the complete data.
    """
    total, counts = 0.0, 0.0
    for k in range(mixture.weights.size):
        mass = totals.mass[k]
        count = totals.tails[0, k] if totals.tails.size > 0 else mass
        counts += count
        if mixture.weights[k] > 0:
            total += count * np.log(mixture.weights[k])
        if mixture.degrees.size > 0:
            half = 0.5 * mixture.degrees[k]
            rise = count * (half * np.log(half) - math.lgamma(half))
            total += rise + half * (totals.tails[1, k] - mass)
        squares = squares_about_mean(mixture, factors, totals, scatter, k, row)
        total -= 0.5 * (count * mixture.log_dets[k] + squares)
    if mixture.noise.size > 0 and mixture.noise[0] > 0:
        total += max(weight - counts, 0.0) * np.log(mixture.noise[0])
    return total
