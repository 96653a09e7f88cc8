"""Rows with missing values, pattern by pattern: packing, the E pass, and evaluation.

A pattern is the rows that lack the same features. A pass takes the density of the observed ones,
sums over these rows as ever, and lifts the sums to whole rows (`gmmfast.kernels.lifting`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from gmmfast.kernels.compiling import allocating_kernel, entry_kernel, kernel, parallel_kernel
from gmmfast.kernels.density import log_densities, log_sum_exp
from gmmfast.kernels.evaluation import write_labels, write_log_density, write_resp
from gmmfast.kernels.expectation import STRIDE, add_tile, clear
from gmmfast.kernels.lifting import density_of, lift, make_scratch, work_in
from gmmfast.kernels.moments import is_pooled
from gmmfast.kernels.tiles import TILE, Work, aligned, make_work


class Tiles(NamedTuple):
    """Packed rows of all patterns, one pattern after the other."""

    values: NDArray  # (m, TILE): a tile is as many lines as its pattern has observed features
    row_weights: NDArray  # (n_tiles, TILE), zero in the padding
    lines: NDArray  # (n_tiles,): the first line of each tile
    patterns: NDArray  # (n_tiles,): the pattern of each tile
    first_rows: NDArray  # (n_tiles + 1,): where the rows of each tile begin in their order
    features: NDArray  # (P, d): the observed features of each pattern, then the missing ones
    counts: NDArray  # (P,): observed features


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


@kernel
def work_for(
    o,  # in: features
    work,  # in: Work for at least so many features
):
    """Views of the scratch of a tile."""
    return Work(
        work.whitened[:o], work.owned[:o], work.residual[:o], work.weighted[:o], work.resp,
        work.distance, work.best, work.log_density, work.inverse, work.active, work.latent,
        work.logs, None,
    )  # fmt: skip


@kernel
def add_piece(
    begin,  # in: first tile
    end,  # in: all are of one pattern
    tiles,  # in: Tiles
    whole,  # in: Whole
    separation,  # in: an empty Separation
    about,  # in (K, d)
    cut,  # in
    guesses,  # in, out (n_tiles,)
    scratch,  # scratch
    work,  # scratch
    mass,  # in, out (K,)
    first,  # in, out (K, d)
    scatter,  # in, out (K, d, d), (1, d, d) or (K, d)
    scores,  # unused: rows with gaps have no factor analyzers
    tail_sums,  # in, out (2, K) or (2, 0)
):
    """E pass over tiles of one pattern; return the sums of the mixture's and best log density."""
    q = tiles.patterns[begin]
    o, features, (K, d) = tiles.counts[q], tiles.features[q], whole.means.shape
    known = work_in(scratch, whole.covariances, K, d, o)
    density = density_of(features, o, whole, whole.covariances, known)
    for k in range(K):
        for a in range(o):
            known.about[k, a] = about[k, features[a]]
    own_scatter = known.scatter
    if is_pooled(scatter, first):
        own_scatter = own_scatter[:1]
    clear(known.mass, known.tail_sums, own_scatter, known.first)
    own_work, log_likelihood, best = work_for(o, work), 0.0, 0.0
    for t in range(begin, end):
        tile = tiles.values[tiles.lines[t] : tiles.lines[t] + o]
        guesses[t], of_mixture, of_best = add_tile(
            tile, tiles.row_weights[t], density, separation, known.about, cut, guesses[t], own_work,
            known.mass, known.first, own_scatter, scores, known.tail_sums,
        )  # fmt: skip
        log_likelihood += of_mixture
        best += of_best
    lift(
        features, o, whole, whole.covariances, about, density.factors, known,
        mass, first, scatter, tail_sums,
    )  # fmt: skip
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
    whole,  # in: Whole
    separation,  # in: an empty Separation
    about,  # in (K, d): moments are taken about it
    cut,  # in
    guesses,  # in, out (n_tiles,): likely owner of each tile
    sums,  # out: Sums, at s
):
    """EM sums of one shard."""
    scratch = make_scratch(whole)
    work = make_work(whole.weights.size, aligned(about.shape[1], about[0]), scratch.tails, None)
    mass, first, scatter, tail_sums = sums.mass[s], sums.first[s], sums.scatter[s], sums.tails[s]
    clear(mass, tail_sums, scatter, about)
    log_likelihood = best = 0.0
    n_tiles = tiles.patterns.size
    begin, last = s * n_tiles // n_shards, (s + 1) * n_tiles // n_shards
    while begin < last:
        end = end_of_piece(begin, last, tiles.patterns)
        of_mixture, of_best = add_piece(
            begin, end, tiles, whole, separation, about, cut, guesses,
            scratch, work, mass, first, scatter, sums.scores[s], tail_sums,
        )  # fmt: skip
        log_likelihood += of_mixture
        best += of_best
        begin = end
    sums.log_likelihood[s], sums.best[s] = log_likelihood, best


@allocating_kernel
def sum_patterns(begin, end, n_shards, tiles, whole, separation, about, cut, guesses, sums):
    """Shards, one after the other."""
    for i in range(begin, end):
        patterns_shard(
            i * STRIDE % n_shards, n_shards, tiles, whole, separation,
            about, cut, guesses, sums,
        )  # fmt: skip


@parallel_kernel
def patterns_pass(begin, end, n_shards, tiles, whole, separation, about, cut, guesses, sums):
    """Shards, in parallel."""
    for i in prange(begin, end):
        patterns_shard(
            np.int64(i * STRIDE % n_shards), n_shards, tiles, whole,
            separation, about, cut, guesses, sums,
        )  # fmt: skip


@kernel
def evaluate_piece(
    begin,  # in: first tile
    end,  # in: all are of one pattern
    tiles,  # in: Tiles
    whole,  # in: Whole
    separation,  # in: an empty Separation
    cut,  # in
    scratch,  # scratch
    work,  # scratch
    log_density,  # out (m,) or (0,), by pattern, like the outputs below
    resp,  # out (m, K) or (0, 1)
    labels,  # out (m,) or (0,): labels need no normalized densities
):
    """Evaluate what is known of the rows of tiles of one pattern."""
    q, guess, (K, d) = tiles.patterns[begin], np.int64(0), whole.means.shape
    o = tiles.counts[q]
    known, own_work = work_in(scratch, whole.covariances, K, d, o), work_for(o, work)
    density = density_of(tiles.features[q], o, whole, whole.covariances, known)
    for t in range(begin, end):
        tile = tiles.values[tiles.lines[t] : tiles.lines[t] + o]
        first, count = tiles.first_rows[t], tiles.first_rows[t + 1] - tiles.first_rows[t]
        n_active = log_densities(tile, density, separation, guess, cut, own_work)
        write_labels(labels, first, count, n_active, own_work)
        if log_density.size > 0 or resp.size > 0:
            log_sum_exp(n_active, own_work)
        write_log_density(log_density, first, count, own_work)
        write_resp(resp, first, count, n_active, own_work)


@allocating_kernel
def evaluate_patterns_shard(
    s,  # in: number of the shard
    n_shards,  # in: each takes neighboring tiles
    tiles,  # in: Tiles
    whole,  # in: Whole
    separation,  # in: an empty Separation
    cut,  # in
    log_density,  # out (m,) or (0,), by pattern, like the outputs below
    resp,  # out (m, K) or (0, 1)
    labels,  # out (m,) or (0,)
):
    """Evaluate what is known of the rows of one shard."""
    scratch, d = make_scratch(whole), whole.means.shape[1]
    work = make_work(whole.weights.size, aligned(d, whole.means[0]), scratch.tails, None)
    n_tiles = tiles.patterns.size
    begin, last = s * n_tiles // n_shards, (s + 1) * n_tiles // n_shards
    while begin < last:
        end = end_of_piece(begin, last, tiles.patterns)
        evaluate_piece(
            begin, end, tiles, whole, separation, cut, scratch, work,
            log_density, resp, labels,
        )  # fmt: skip
        begin = end


@allocating_kernel
def evaluate_patterns_shards(
    begin, end, n_shards, tiles, whole, separation, cut,
    log_density, resp, labels,
):  # fmt: skip
    """Shards, one after the other."""
    for s in range(begin, end):
        evaluate_patterns_shard(
            s, n_shards, tiles, whole, separation, cut,
            log_density, resp, labels,
        )  # fmt: skip


@parallel_kernel
def evaluate_patterns(
    begin, end, n_shards, tiles, whole, separation, cut,
    log_density, resp, labels,
):  # fmt: skip
    """Shards, in parallel."""
    for s in prange(begin, end):
        evaluate_patterns_shard(
            np.int64(s), n_shards, tiles, whole, separation, cut,
            log_density, resp, labels,
        )  # fmt: skip
