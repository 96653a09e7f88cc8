"""Rows with missing values: the pass over each pattern's observed features, lifted to whole rows.

A pattern is the rows that lack the same features. Given the observed features o of a row and a
component, the missing ones m are normal with mean ``mean_m + B (x_o - mean_o)`` and covariance C,
where ``B = Sigma_mo Sigma_oo^-1`` and ``C = Sigma_mm - B Sigma_om``. So the expected moments of
whole rows follow from the moments of the observed features, once per pattern (Ghahramani & Jordan
1994; Little & Rubin 2019, section 11.2).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from gmmfast.kernels.cholesky import factorize
from gmmfast.kernels.compiling import allocating_kernel, entry_kernel, kernel, parallel_kernel
from gmmfast.kernels.density import TILE, Work, aligned, log_densities, log_sum_exp, make_work
from gmmfast.kernels.evaluation import write_labels, write_log_density, write_resp
from gmmfast.kernels.expectation import STRIDE, add_tile, clear
from gmmfast.kernels.moments import is_pooled
from gmmfast.kernels.passes import LOG_TWO_PI
from gmmfast.parameters import Density


class Tiles(NamedTuple):
    """Packed rows of all patterns, one pattern after the other."""

    values: NDArray  # (m, TILE): a tile is as many lines as its pattern has observed features
    row_weights: NDArray  # (n_tiles, TILE), zero in the padding
    lines: NDArray  # (n_tiles,): the first line of each tile
    patterns: NDArray  # (n_tiles,): the pattern of each tile
    first_rows: NDArray  # (n_tiles + 1,): where the rows of each tile begin in their order
    features: NDArray  # (P, d): the observed features of each pattern, then the missing ones
    counts: NDArray  # (P,): observed features


class Scratch(NamedTuple):
    """Memory of a `PatternWork`, for a pattern of any size."""

    of_means: NDArray  # (3 K d,)
    of_matrices: NDArray  # (3 K d d,), or (3 K d,) where features are independent
    of_components: NDArray  # (3 K + 1,)
    of_missing: NDArray  # (5 d d,)
    of_features: NDArray  # (2 d,)


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


# ------------------------------------------------------------------------------------------ packing


@entry_kernel
def pack_patterns(
    X,  # in (n, d)
    center,  # in (d,)
    weights,  # in (n,)
    order,  # in (m,): rows by pattern
    tiles,  # in: the rest; out: values, row_weights
):
    """Pack the observed features of the rows about the center."""
    for t in range(tiles.patterns.size):
        q, line = tiles.patterns[t], tiles.lines[t]
        first, count = tiles.first_rows[t], tiles.first_rows[t + 1] - tiles.first_rows[t]
        for p in range(TILE):
            i = order[first + min(p, count - 1)]
            tiles.row_weights[t, p] = weights[i] if p < count else 0.0
            for a in range(tiles.counts[q]):
                j = tiles.features[q, a]
                tiles.values[line + a, p] = X[i, j] - center[j]


# ------------------------------------------------------------------------------------------ scratch


@allocating_kernel
def make_scratch(
    covariances,  # in (K, d, d), (1, d, d) or (K, d)
    means,  # in (K, d)
):
    """Allocate scratch."""
    K, d = means.shape
    size = K * d * d if covariances.ndim == 3 else K * d
    scratch = Scratch(
        np.empty(3 * K * d), np.empty(3 * size), np.empty(3 * K + 1), np.empty(5 * d * d),
        np.empty(2 * d),
    )  # fmt: skip
    scratch.of_components[3 * K] = -np.inf
    return scratch


@kernel
def work_in(
    scratch,  # in: Scratch
    covariances,  # in (K, d, d), (1, d, d) or (K, d)
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
    )


@kernel
def work_for(
    o,  # in: features
    work,  # in: Work for at least so many features
):
    """Views of the scratch of a tile."""
    return Work(
        work.whitened[:o], work.owned[:o], work.residual[:o], work.weighted[:o], work.resp,
        work.distance, work.best, work.log_density, work.inverse, work.active,
    )  # fmt: skip


# ---------------------------------------------------------------------------------------- a pattern


@kernel
def density_of(
    features,  # in (d,): the observed ones first
    o,  # in: how many of them are observed
    weights,  # in (K,)
    means,  # in (K, d)
    covariances,  # in (K, d, d), (1, d, d) or (K, d)
    known,  # out: constants, means, factors; scratch
):
    """Density of the observed features; constants are NaN if a covariance is singular."""
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
    for k in range(K):
        constant = -np.inf
        if weights[k] > 0:
            constant = np.log(weights[k]) - 0.5 * (known.log_dets[k] + o * LOG_TWO_PI)
        known.constants[k] = constant if failed < 0 else np.nan
    return Density(known.constants, own, factors, None, known.noise)


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
    first,  # in (o,): of the pattern
    known,  # in: rest, offsets, moved
    scatter,  # in, out (d, d), lower
):
    """Second moments of the missing features beyond those of ``B x``."""
    o = first.size
    for c in range(features.size - o):
        j, offset = features[o + c], known.offsets[c]
        for a in range(o):
            add_lower(j, features[a], offset * first[a], scatter)
        for e in range(c + 1):
            other = known.offsets[e]
            own = mass * (known.rest[c, e] + offset * other)
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
    means,  # in (K, d)
    covariances,  # in (K, d, d), (1, d, d) or (K, d)
    about,  # in (K, d)
    factors,  # in (K, o, o) or (K, o)
    known,  # in: sums of the pattern; scratch
    mass,  # in, out (K,)
    first,  # in, out (K, d)
    scatter,  # in, out (K, d, d), (1, d, d) or (K, d)
):
    """Add the expected sums of whole rows, from the sums of what is observed."""
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
        if covariances.ndim == 2:
            lift_means(features, k, own_mass, own_first[k], means, about, known, False, first[k])
            for a in range(o):
                scatter[k, features[a]] += own_scatter[k, a]
            for c in range(d - o):
                j, offset = features[o + c], known.offsets[c]
                scatter[k, j] += own_mass * (covariances[k, j] + offset * offset)
        else:
            if covariances.shape[0] > 1 or not is_regressed:
                regress(
                    features, o, factors[k], covariances[min(k, covariances.shape[0] - 1)], known
                )
                is_regressed = True
            lift_means(features, k, own_mass, own_first[k], means, about, known, True, first[k])
            to = 0 if pooled else k
            lift_offsets(features, own_mass, own_first[k], known, scatter[to])
            if not pooled:
                lift_scatter(features, own_scatter[k], known, scatter[to])
    if covariances.ndim == 3 and pooled and is_regressed:
        lift_scatter(features, own_scatter[0], known, scatter[0])


@entry_kernel
def regress_all(
    features,  # in (d,): the observed ones first
    o,  # in: how many of them are observed
    weights,  # in (K,)
    means,  # in (K, d)
    covariances,  # in (K, d, d) or (1, d, d)
    scratch,  # scratch
    slopes,  # out (K, d - o, o)
    rests,  # out (K, d - o, d - o)
):
    """Regressions of the missing features on the observed ones; return 1 if they fail."""
    K, d = means.shape
    known = work_in(scratch, covariances, K, d, o)
    density = density_of(features, o, weights, means, covariances, known)
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


# ---------------------------------------------------------------------------------------- the pass


@kernel
def add_piece(
    begin,  # in: first tile
    end,  # in: all are of one pattern
    tiles,  # in: Tiles
    weights,  # in (K,)
    means,  # in (K, d)
    covariances,  # in (K, d, d), (1, d, d) or (K, d)
    separation,  # in: an empty Separation
    about,  # in (K, d)
    cut,  # in
    guesses,  # in, out (n_tiles,)
    scratch,  # scratch
    work,  # scratch
    mass,  # in, out (K,)
    first,  # in, out (K, d)
    scatter,  # in, out (K, d, d), (1, d, d) or (K, d)
):
    """E pass over tiles of one pattern; return the sums of the mixture's and best log density."""
    q = tiles.patterns[begin]
    o, features, (K, d) = tiles.counts[q], tiles.features[q], means.shape
    known = work_in(scratch, covariances, K, d, o)
    density = density_of(features, o, weights, means, covariances, known)
    for k in range(K):
        for a in range(o):
            known.about[k, a] = about[k, features[a]]
    own_scatter = known.scatter
    if is_pooled(scatter, first):
        own_scatter = own_scatter[:1]
    clear(known.mass, own_scatter, known.first)
    own_work, log_likelihood, best = work_for(o, work), 0.0, 0.0
    for t in range(begin, end):
        tile = tiles.values[tiles.lines[t] : tiles.lines[t] + o]
        guesses[t], of_mixture, of_best = add_tile(
            tile, tiles.row_weights[t], density, separation, known.about, cut, guesses[t], own_work,
            known.mass, known.first, own_scatter,
        )  # fmt: skip
        log_likelihood += of_mixture
        best += of_best
    lift(features, o, means, covariances, about, density.factors, known, mass, first, scatter)
    if np.isnan(known.constants[0]):
        return np.nan, np.nan
    return log_likelihood, best


@kernel
def end_of_piece(
    begin,  # in: tile
    end,  # in: of the shard
    patterns,  # in (n_tiles,)
):
    """Number of the first tile of another pattern, or the end of the shard."""
    t = begin + 1
    while t < end and patterns[t] == patterns[begin]:
        t += 1
    return t


@allocating_kernel
def patterns_shard(
    s,  # in: number of the shard
    n_shards,  # in: each takes neighboring tiles
    tiles,  # in: Tiles
    weights,  # in (K,)
    means,  # in (K, d)
    covariances,  # in (K, d, d), (1, d, d) or (K, d)
    separation,  # in: an empty Separation
    about,  # in (K, d): moments are taken about it
    cut,  # in
    guesses,  # in, out (n_tiles,): likely owner of each tile
    sums,  # out: Sums, at s
):
    """EM sums of one shard."""
    scratch = make_scratch(covariances, means)
    work = make_work(weights.size, aligned(means.shape[1], about[0]))
    mass, first, scatter = sums.mass[s], sums.first[s], sums.scatter[s]
    clear(mass, scatter, means)
    log_likelihood = best = 0.0
    n_tiles = tiles.patterns.size
    begin, last = s * n_tiles // n_shards, (s + 1) * n_tiles // n_shards
    while begin < last:
        end = end_of_piece(begin, last, tiles.patterns)
        of_mixture, of_best = add_piece(
            begin, end, tiles, weights, means, covariances, separation, about, cut, guesses,
            scratch, work, mass, first, scatter,
        )  # fmt: skip
        log_likelihood += of_mixture
        best += of_best
        begin = end
    sums.log_likelihood[s], sums.best[s] = log_likelihood, best


@allocating_kernel
def sum_patterns(
    begin, end, n_shards, tiles, weights, means, covariances, separation, about, cut, guesses, sums
):
    """Shards, one after the other."""
    for i in range(begin, end):
        patterns_shard(
            i * STRIDE % n_shards, n_shards, tiles, weights, means, covariances, separation,
            about, cut, guesses, sums,
        )  # fmt: skip


@parallel_kernel
def patterns_pass(
    begin, end, n_shards, tiles, weights, means, covariances, separation, about, cut, guesses, sums
):
    """Shards, in parallel."""
    for i in prange(begin, end):
        patterns_shard(
            np.int64(i * STRIDE % n_shards), n_shards, tiles, weights, means, covariances,
            separation, about, cut, guesses, sums,
        )  # fmt: skip


# --------------------------------------------------------------------------------------- evaluation


@kernel
def evaluate_piece(
    begin,  # in: first tile
    end,  # in: all are of one pattern
    tiles,  # in: Tiles
    weights,  # in (K,)
    means,  # in (K, d)
    covariances,  # in (K, d, d), (1, d, d) or (K, d)
    separation,  # in: an empty Separation
    cut,  # in
    scratch,  # scratch
    work,  # scratch
    log_density,  # out (m,) or None, by pattern, like the outputs below
    resp,  # out (m, K) or None
    labels,  # out (m,) or None: labels need no normalized densities
):
    """Evaluate what is known of the rows of tiles of one pattern."""
    q, guess, (K, d) = tiles.patterns[begin], np.int64(0), means.shape
    o = tiles.counts[q]
    known, own_work = work_in(scratch, covariances, K, d, o), work_for(o, work)
    density = density_of(tiles.features[q], o, weights, means, covariances, known)
    for t in range(begin, end):
        tile = tiles.values[tiles.lines[t] : tiles.lines[t] + o]
        first, count = tiles.first_rows[t], tiles.first_rows[t + 1] - tiles.first_rows[t]
        n_active = log_densities(tile, density, separation, guess, cut, own_work)
        write_labels(labels, first, count, n_active, own_work)
        if labels is None:
            log_sum_exp(n_active, own_work)
        write_log_density(log_density, first, count, own_work)
        write_resp(resp, first, count, n_active, own_work)


@allocating_kernel
def evaluate_patterns_shard(
    s,  # in: number of the shard
    n_shards,  # in: each takes neighboring tiles
    tiles,  # in: Tiles
    weights,  # in (K,)
    means,  # in (K, d)
    covariances,  # in (K, d, d), (1, d, d) or (K, d)
    separation,  # in: an empty Separation
    cut,  # in
    log_density,  # out (m,) or None, by pattern, like the outputs below
    resp,  # out (m, K) or None
    labels,  # out (m,) or None
):
    """Evaluate what is known of the rows of one shard."""
    scratch = make_scratch(covariances, means)
    work = make_work(weights.size, aligned(means.shape[1], means[0]))
    n_tiles = tiles.patterns.size
    begin, last = s * n_tiles // n_shards, (s + 1) * n_tiles // n_shards
    while begin < last:
        end = end_of_piece(begin, last, tiles.patterns)
        evaluate_piece(
            begin, end, tiles, weights, means, covariances, separation, cut, scratch, work,
            log_density, resp, labels,
        )  # fmt: skip
        begin = end


@allocating_kernel
def evaluate_patterns_shards(
    begin, end, n_shards, tiles, weights, means, covariances, separation, cut,
    log_density, resp, labels,
):  # fmt: skip
    """Shards, one after the other."""
    for s in range(begin, end):
        evaluate_patterns_shard(
            s, n_shards, tiles, weights, means, covariances, separation, cut,
            log_density, resp, labels,
        )  # fmt: skip


@parallel_kernel
def evaluate_patterns(
    begin, end, n_shards, tiles, weights, means, covariances, separation, cut,
    log_density, resp, labels,
):  # fmt: skip
    """Shards, in parallel."""
    for s in prange(begin, end):
        evaluate_patterns_shard(
            np.int64(s), n_shards, tiles, weights, means, covariances, separation, cut,
            log_density, resp, labels,
        )  # fmt: skip
