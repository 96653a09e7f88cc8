"""One EM pass over packed rows: E step and the M step's sums, fused, tile by tile in cache."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import DTypeLike

from gmmfast.kernels.compiling import allocating_kernel, entry_kernel, kernel, parallel_kernel
from gmmfast.kernels.density import log_densities, log_sum_exp
from gmmfast.kernels.moments import add_second_moments, is_pooled, weight_responsibilities
from gmmfast.kernels.packing import gather, gather_weights
from gmmfast.kernels.simd import fma, lanes, load, splat, store, total
from gmmfast.kernels.tiles import TILE, aligned, make_work

STRIDE = 11  # coprime to 1, 2, 4, 8, 16, ... 64: every shard has its turn


def negligible(
    n_components: int, log_weight_spread: float = 0.0, dtype: DTypeLike = np.float64
) -> float:
    """Log density, relative to a row's best, below which a component is lost in rounding.

    K components add less than ``eps / (2 K)`` of the density each, with the eps of the type that
    rows are computed in. If row weights differ, a heavy row may still matter to a component of
    light rows.
    """
    return math.log(float(np.finfo(dtype).eps) / 2 / n_components) - log_weight_spread


@kernel
def weighted_sum(
    row_weight,  # in (TILE,)
    values,  # in (TILE,)
):
    """``sum_p w_p v_p``."""
    s = splat(0.0, values)
    for p in range(0, TILE, lanes(values)):
        s = fma(load(row_weight, (p,)), load(values, (p,)), s)
    return total(s)


@kernel
def add_tile(
    tile,  # in (d, TILE)
    row_weight,  # in (TILE,)
    density,  # in: Density
    separation,  # in: Separation
    means,  # in (K, d): moments are taken about them
    cut,  # in
    guess,  # in: likely owner of the tile
    work,  # scratch
    mass,  # in, out (K,)
    first,  # in, out (K, d)
    scatter,  # in, out (K, d, d), (1, d, d) or (K, d)
    scores,  # in, out (K, q, d + 1) of factor analyzers, else unused
    tail_sums,  # in, out (2, K) of t components, else unused
):
    """E step of one tile, and its share of the sums.

    Returns the owner component, and the sums of the mixture's and the best log density.
    """
    n_active = log_densities(tile, density, separation, guess, cut, work)
    log_sum_exp(n_active, work)
    log_likelihood = weighted_sum(row_weight, work.log_density)
    best = weighted_sum(row_weight, work.best)
    n_active, owner = weight_responsibilities(
        row_weight, n_active, guess, density.tails, work, mass, first, scatter, scores, tail_sums
    )
    add_second_moments(
        tile, n_active, means, owner, density.whitening, work.scores, work, first, scatter, scores
    )
    return owner, log_likelihood, best


@kernel
def clear(
    mass,  # out (K,)
    tail_sums,  # out (2, K) or (2, 0)
    scatter,  # out: if it is pooled
    means,  # in (K, d)
):
    """Clear the sums of a shard; a component's own moments are cleared when it gets mass."""
    mass[:] = 0.0
    tail_sums[:] = 0.0
    if is_pooled(scatter, means):
        scatter[:] = 0.0


@kernel
def em_shard(
    s,  # in: number of the shard
    n_shards,  # in: each takes neighboring tiles: few components, in sorted rows
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    density,  # in: Density
    separation,  # in: Separation
    means,  # in (K, d): moments are taken about them
    cut,  # in
    guesses,  # in, out (n_tiles,): likely owner of each tile
    work,  # scratch
    sums,  # out: Sums, at s
):
    """EM sums of one shard."""
    n_tiles = tiles.shape[0]
    log_likelihood = best = 0.0
    mass, first, scatter, tail_sums = sums.mass[s], sums.first[s], sums.scatter[s], sums.tails[s]
    scores = sums.scores[s]
    clear(mass, tail_sums, scatter, means)
    for t in range(s * n_tiles // n_shards, (s + 1) * n_tiles // n_shards):
        guesses[t], of_mixture, of_best = add_tile(
            tiles[t], row_weights[t], density, separation, means, cut, guesses[t], work,
            mass, first, scatter, scores, tail_sums,
        )  # fmt: skip
        log_likelihood += of_mixture
        best += of_best
    sums.log_likelihood[s], sums.best[s] = log_likelihood, best


@allocating_kernel
def em_shards(
    begin, end, n_shards, tiles, row_weights, density, separation, means, cut, guesses, sums
):
    """Shards, one after the other."""
    work = make_work(means.shape[0], tiles[0], density.tails, density.filters)
    for i in range(begin, end):
        s = i * STRIDE % n_shards
        em_shard(
            s, n_shards, tiles, row_weights, density, separation, means, cut, guesses, work, sums
        )
    return 0


@parallel_kernel
def em_pass(
    begin, end, n_shards, tiles, row_weights, density, separation, means, cut, guesses, sums
):
    """Shards, in parallel.

    A thread's neighboring indices are shards from all over the rows, expensive and cheap.
    """
    for i in prange(begin, end):
        s = np.int64(i * STRIDE % n_shards)
        work = make_work(means.shape[0], tiles[0], density.tails, density.filters)
        em_shard(
            s, n_shards, tiles, row_weights, density, separation, means, cut, guesses, work, sums
        )
    return 0


@kernel
def em_gathered(
    X,  # in (n, d)
    center,  # in (d,) float64
    sample_weight,  # in (n,) float64, or None: all one
    order,  # in (m,): the rows to take; best sorted by component
    density,  # in: Density, about the center
    separation,  # in: Separation
    means,  # in (K, d): moments are taken about them
    cut,  # in
    tile,  # scratch (d, TILE)
    row_weight,  # scratch (TILE,)
    work,  # scratch
    sums,  # out: Sums of one shard
):
    """EM sums of unpacked rows; each tile is gathered when needed."""
    log_likelihood = best = 0.0
    guess = np.int64(0)
    mass, first, scatter, tail_sums = sums.mass[0], sums.first[0], sums.scatter[0], sums.tails[0]
    scores = sums.scores[0]
    clear(mass, tail_sums, scatter, means)
    for start in range(0, order.size, TILE):
        gather(X, center, order, start, tile)
        gather_weights(sample_weight, order, start, row_weight)
        guess, of_mixture, of_best = add_tile(
            tile, row_weight, density, separation, means, cut, guess, work,
            mass, first, scatter, scores, tail_sums,
        )  # fmt: skip
        log_likelihood += of_mixture
        best += of_best
    sums.log_likelihood[0], sums.best[0] = log_likelihood, best


@allocating_kernel
def em_rows(X, center, sample_weight, order, density, separation, means, cut, sums):
    """One pass over unpacked rows, in one thread."""
    tile, row_weight = aligned(X.shape[1], means[0]), aligned(1, means[0])[0]
    work = make_work(means.shape[0], tile, density.tails, density.filters)
    em_gathered(
        X, center, sample_weight, order, density, separation, means, cut,
        tile, row_weight, work, sums,
    )  # fmt: skip


@kernel
def set_resp(
    resp,  # in (K, TILE): responsibilities
    work,  # out: active, resp, inverse
):
    """Set given responsibilities; return the number of components."""
    for p in range(0, TILE, lanes(work.resp)):
        store(work.inverse, (p,), splat(1.0, work.resp))
    for k in range(resp.shape[0]):
        work.active[k] = k
        for p in range(0, TILE, lanes(resp)):
            store(work.resp, (k, p), load(resp, (k, p)))
    return resp.shape[0]


@entry_kernel
def add_resp(
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    resp,  # in (n_tiles, K, TILE): responsibilities
    means,  # in (K, d)
    work,  # scratch
    sums,  # in, out: Sums of one shard
):
    """The M step's sums for given responsibilities."""
    guess = np.int64(0)
    for t in range(tiles.shape[0]):
        n_active = set_resp(resp[t], work)
        n_active, owner = weight_responsibilities(
            row_weights[t], n_active, guess, None, work,
            sums.mass[0], sums.first[0], sums.scatter[0], sums.scores[0], sums.tails[0],
        )  # fmt: skip
        add_second_moments(
            tiles[t], n_active, means, owner, None, None, work, sums.first[0], sums.scatter[0],
            sums.scores[0],
        )  # fmt: skip
