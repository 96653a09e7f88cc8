"""Algebra of a pattern: the rows that lack the same features, and how their sums become whole.

Given the observed features o of a row and a component, the missing ones m are normal with mean
``mean_m + B (x_o - mean_o)`` and covariance C, where ``B = Sigma_mo Sigma_oo^-1`` and ``C =
Sigma_mm - B Sigma_om``. So the expected moments of whole rows follow from the moments of the
observed features, once per pattern (Ghahramani & Jordan 1994; Little & Rubin 2019, section 11.2).

In a t component this is so given the latent weight u of the row, and C is divided by u: in moments
times u, C counts once per row, whatever its latent weight.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.cholesky import factorize
from gmmfast.kernels.compiling import allocating_kernel, entry_kernel, kernel
from gmmfast.kernels.moments import is_pooled
from gmmfast.kernels.passes import log_normalizer_of, set_tails
from gmmfast.parameters import Density


class Whole(NamedTuple):
    """The mixture of whole rows."""

    weights: NDArray  # (K,)
    means: NDArray  # (K, d)
    covariances: NDArray  # (K, d, d), (1, d, d) or (K, d)
    degrees: NDArray | None  # (K,) degrees of freedom of t components


class Scratch(NamedTuple):
    """Memory of a `PatternWork`, for a pattern of any size."""

    of_means: NDArray  # (3 K d,)
    of_matrices: NDArray  # (3 K d d,), or (3 K d,) where features are independent
    of_components: NDArray  # (3 K + 1,)
    of_missing: NDArray  # (5 d d,)
    of_features: NDArray  # (2 d,)
    tails: NDArray | None  # (K, 2), as of a Density
    tail_sums: NDArray  # (2, K), or (2, 0)


class PatternWork(NamedTuple):
    """One pattern: its density, its sums, and the regression on the observed features."""

    constants: NDArray  # (K,)
    log_dets: NDArray  # (K,)
    mass: NDArray  # (K,)
    noise: NDArray  # (1,) minus infinity: there is none
    means: NDArray  # (K, o)
    about: NDArray  # (K, o)
    first: NDArray  # (K, o)
    factors: NDArray  # (K, o, o) or (K, o)
    scatter: NDArray  # (K, o, o) or (K, o)
    matrices: NDArray  # (K, o, o) covariances of the observed features, or (K, o) unused
    upper: NDArray  # (o, o) scratch
    halves: NDArray  # (m, o) scratch
    slopes: NDArray  # (m, o) B
    rest: NDArray  # (m, m) C, lower
    products: NDArray  # (m, o) B @ scatter
    offsets: NDArray  # (m,) mean of the missing features where the observed ones are at `about`
    moved: NDArray  # (m,) B @ first
    tails: NDArray | None  # (K, 2), as of a Density
    tail_sums: NDArray  # (2, K), or (2, 0)


@allocating_kernel
def make_tails(
    degrees,  # in (K,), or None
):
    """Allocate `Density.tails` and the sums that go with it."""
    if degrees is None:
        return None, np.empty((2, 0))
    return np.empty((degrees.size, 2)), np.empty((2, degrees.size))


@allocating_kernel
def make_scratch(
    whole,  # in: Whole
):
    """Allocate scratch."""
    K, d = whole.means.shape
    size = K * d * d if whole.covariances.ndim == 3 else K * d
    tails, tail_sums = make_tails(whole.degrees)
    scratch = Scratch(
        np.empty(3 * K * d), np.empty(3 * size), np.empty(3 * K + 1), np.empty(5 * d * d),
        np.empty(2 * d), tails, tail_sums,
    )  # fmt: skip
    scratch.of_components[3 * K] = -np.inf
    return scratch


@kernel
def work_in(
    scratch,  # in: Scratch
    covariances,  # in: of the Whole
    K,  # in
    d,  # in
    o,  # in: observed features
):
    """Views of scratch."""
    of_means, of_missing, n, m = scratch.of_means, scratch.of_missing, K * o, d - o
    shape: tuple[int, ...]
    if covariances.ndim == 3:
        shape, size = (K, o, o), K * o * o
    else:
        shape, size = (K, o), K * o
    return PatternWork(
        scratch.of_components[:K],
        scratch.of_components[K : 2 * K],
        scratch.of_components[2 * K : 3 * K],
        scratch.of_components[3 * K :],
        of_means[:n].reshape(K, o),
        of_means[n : 2 * n].reshape(K, o),
        of_means[2 * n : 3 * n].reshape(K, o),
        scratch.of_matrices[:size].reshape(shape),
        scratch.of_matrices[size : 2 * size].reshape(shape),
        scratch.of_matrices[2 * size : 3 * size].reshape(shape),
        of_missing[: o * o].reshape(o, o),
        of_missing[d * d : d * d + m * o].reshape(m, o),
        of_missing[2 * d * d : 2 * d * d + m * o].reshape(m, o),
        of_missing[3 * d * d : 3 * d * d + m * m].reshape(m, m),
        of_missing[4 * d * d : 4 * d * d + m * o].reshape(m, o),
        scratch.of_features[:m],
        scratch.of_features[d : d + m],
        scratch.tails,
        scratch.tail_sums,
    )


@kernel
def density_of(
    features,  # in (d,): the observed ones first
    o,  # in: how many of them are observed
    whole,  # in: Whole
    covariances,  # in: its own, by whose dimensions Numba chooses branches
    known,  # out: constants, means, factors; scratch
):
    """Density of the observed features; constants are NaN if a covariance is singular."""
    weights, means = whole.weights, whole.means
    K, n, failed = weights.size, covariances.shape[0], -1
    own, factors = known.means, known.factors
    for k in range(K):
        known.log_dets[k] = 0.0
        for a in range(o):
            own[k, a] = means[k, features[a]]
            if covariances.ndim == 2:
                factors[k, a] = 1 / np.sqrt(covariances[k, features[a]])
                known.log_dets[k] += np.log(covariances[k, features[a]])
    if covariances.ndim == 3:
        for k in range(n):
            for a in range(o):
                for b in range(o):
                    known.matrices[k, a, b] = covariances[k, features[a], features[b]]
        failed = factorize(known.matrices[:n], known.upper, factors[:n], known.log_dets[:n])
        for k in range(n, K):
            known.log_dets[k] = known.log_dets[0]
            for a in range(o):
                for b in range(o):
                    factors[k, a, b] = factors[0, a, b]
    set_tails(known.tails, whole.degrees, o)
    for k in range(K):
        constant = -np.inf
        if weights[k] > 0:
            constant = np.log(weights[k]) + log_normalizer_of(
                whole.degrees, k, known.log_dets[k], o
            )
        known.constants[k] = constant if failed < 0 else np.nan
    return Density(known.constants, own, factors, None, known.noise, known.tails, None)


@kernel
def regress(
    features,  # in (d,): the observed ones first
    o,  # in: how many of them are observed
    factor,  # in (o, o) lower: of the observed features
    matrix,  # in (d, d): covariance
    known,  # out: slopes, rest; scratch: halves
):
    """Regression of the missing features on the observed ones: B, and the lower triangle of C."""
    m = features.size - o
    halves, slopes, rest = known.halves, known.slopes, known.rest
    for c in range(m):
        j = features[o + c]
        for b in range(o):
            slopes[c, b] = 0.0
        for a in range(o):
            half = 0.0
            for b in range(a + 1):
                half += factor[a, b] * matrix[features[b], j]
            halves[c, a] = half
            for b in range(a + 1):
                slopes[c, b] += half * factor[a, b]
        for e in range(c + 1):
            rest[c, e] = matrix[j, features[o + e]]
            for a in range(o):
                rest[c, e] -= halves[c, a] * halves[e, a]


@kernel
def lift_means(
    features,  # in (d,): the observed ones first
    k,  # in: component
    mass,  # in: of the pattern
    first,  # in (o,): of the pattern
    means,  # in (K, d)
    about,  # in (K, d)
    known,  # in: slopes, where features are correlated; out: offsets, moved
    correlated,  # in
    out,  # in, out (d,): first moments of whole rows
):
    """First moments of whole rows: a missing feature is ``B (x - about) + offset``."""
    o = first.size
    for a in range(o):
        out[features[a]] += first[a]
    for c in range(features.size - o):
        j = features[o + c]
        offset, moved = means[k, j] - about[k, j], 0.0
        if correlated:
            for b in range(o):
                offset -= known.slopes[c, b] * (means[k, features[b]] - about[k, features[b]])
                moved += known.slopes[c, b] * first[b]
        known.offsets[c], known.moved[c] = offset, moved
        out[j] += moved + mass * offset


@kernel
def add_lower(
    i,  # in
    j,  # in
    value,  # in
    scatter,  # in, out (d, d), lower
):
    """Add to an entry of a symmetric matrix."""
    if i >= j:
        scatter[i, j] += value
    else:
        scatter[j, i] += value


@kernel
def lift_offsets(
    features,  # in (d,): the observed ones first
    mass,  # in: of the pattern
    count,  # in: of the pattern: mass without latent weights
    first,  # in (o,): of the pattern
    known,  # in: rest, offsets, moved
    scatter,  # in, out (d, d), lower
):
    """Second moments of the missing features beyond the moments of ``B x``."""
    o = first.size
    for c in range(features.size - o):
        j, offset = features[o + c], known.offsets[c]
        for a in range(o):
            add_lower(j, features[a], offset * first[a], scatter)
        for e in range(c + 1):
            other = known.offsets[e]
            own = count * known.rest[c, e] + mass * (offset * other)
            own += known.moved[c] * other + known.moved[e] * offset
            add_lower(j, features[o + e], own, scatter)


@kernel
def lift_scatter(
    features,  # in (d,): the observed ones first
    own,  # in (o, o), lower: second moments of the observed features
    known,  # in: slopes; scratch
    scatter,  # in, out (d, d), lower
):
    """Second moments S of the observed features, and ``B S`` and ``B S B^T`` of the missing."""
    o = own.shape[0]
    for a in range(o):
        for b in range(a + 1):
            add_lower(features[a], features[b], own[a, b], scatter)
    for c in range(features.size - o):
        j, slopes, product = features[o + c], known.slopes[c], known.products[c]
        for a in range(o):
            product[a] = 0.0
        for a in range(o):
            for b in range(a):
                product[a] += slopes[b] * own[a, b]
                product[b] += slopes[a] * own[a, b]
            product[a] += slopes[a] * own[a, a]
        for a in range(o):
            add_lower(j, features[a], product[a], scatter)
        for e in range(c + 1):
            square = 0.0
            for a in range(o):
                square += product[a] * known.slopes[e, a]
            add_lower(j, features[o + e], square, scatter)


@kernel
def lift(
    features,  # in (d,): the observed ones first
    o,  # in: how many of them are observed
    whole,  # in: Whole
    covariances,  # in: its own
    about,  # in (K, d)
    factors,  # in (K, o, o) or (K, o)
    known,  # in: sums of the pattern; scratch
    mass,  # in, out (K,)
    first,  # in, out (K, d)
    scatter,  # in, out (K, d, d), (1, d, d) or (K, d)
    tail_sums,  # in, out (2, K) or (2, 0)
):
    """Add the expected sums of whole rows, from the sums of what is observed."""
    means = whole.means
    K, d = means.shape
    own_first, own_scatter = known.first, known.scatter
    pooled, is_regressed = is_pooled(scatter, first), False
    for k in range(K):
        own_mass = known.mass[k]
        if own_mass == 0:
            continue
        if mass[k] == 0:
            first[k] = 0.0
            if not pooled:
                scatter[k] = 0.0
        mass[k] += own_mass
        count = own_mass
        if tail_sums.size > 0:
            count = known.tail_sums[0, k]
            tail_sums[0, k] += count
            tail_sums[1, k] += known.tail_sums[1, k]
        if covariances.ndim == 2:
            lift_means(features, k, own_mass, own_first[k], means, about, known, False, first[k])
            for a in range(o):
                scatter[k, features[a]] += own_scatter[k, a]
            for c in range(d - o):
                j, offset = features[o + c], known.offsets[c]
                scatter[k, j] += count * covariances[k, j] + own_mass * (offset * offset)
        else:
            if covariances.shape[0] > 1 or not is_regressed:
                regress(
                    features, o, factors[k], covariances[min(k, covariances.shape[0] - 1)], known
                )
                is_regressed = True
            lift_means(features, k, own_mass, own_first[k], means, about, known, True, first[k])
            to = 0 if pooled else k
            lift_offsets(features, own_mass, count, own_first[k], known, scatter[to])
            if not pooled:
                lift_scatter(features, own_scatter[k], known, scatter[to])
    if covariances.ndim == 3 and pooled and is_regressed:
        lift_scatter(features, own_scatter[0], known, scatter[0])


@entry_kernel
def regress_all(
    features,  # in (d,): the observed ones first
    o,  # in: how many of them are observed
    whole,  # in: Whole, with matrices
    scratch,  # scratch
    slopes,  # out (K, d - o, o)
    rests,  # out (K, d - o, d - o)
):
    """Regressions of the missing features on the observed ones; return 1 if they fail."""
    covariances, (K, d) = whole.covariances, whole.means.shape
    known = work_in(scratch, covariances, K, d, o)
    density = density_of(features, o, whole, covariances, known)
    if np.isnan(density.constants[0]):
        return 1
    for k in range(K):
        of = min(k, covariances.shape[0] - 1)
        regress(features, o, density.factors[k], covariances[of], known)
        for c in range(features.size - o):
            for b in range(o):
                slopes[k, c, b] = known.slopes[c, b]
            for e in range(c + 1):
                rests[k, c, e] = rests[k, e, c] = known.rest[c, e]
    return 0
