"""Densities, responsibilities and labels of rows in the caller's array; densities of tiles."""

from __future__ import annotations

import numpy as np
from numba import prange

from gmmfast.kernels.compiling import allocating_kernel, kernel, parallel_kernel
from gmmfast.kernels.density import log_densities, log_sum_exp
from gmmfast.kernels.packing import gather
from gmmfast.kernels.simd import lanes, load, maximum, splat, store, where_above
from gmmfast.kernels.tiles import TILE, aligned, make_work


@kernel
def write_log_density(
    log_density,  # out (n,) or (0,)
    start,  # in: first row of the tile
    count,  # in: number of its rows
    work,  # in: log_density
):
    """Mixture log density of the tile's rows, unless the output is empty."""
    if log_density.size > 0:
        for p in range(count):
            log_density[start + p] = work.log_density[p]


@kernel
def write_resp(
    resp,  # out (n, K) or (0, 1)
    start,  # in: first row of the tile
    count,  # in: number of its rows
    n_active,  # in
    work,  # in: active, resp, inverse
):
    """Responsibilities of the tile's rows, unless the output is empty."""
    if resp.size > 0:
        for p in range(count):
            resp[start + p, :] = 0.0
            for a in range(n_active):
                resp[start + p, work.active[a]] = work.resp[a, p] * work.inverse[p]


@kernel
def write_labels(
    labels,  # out (n,) or (0,)
    start,  # in: first row of the tile
    count,  # in: number of its rows
    n_active,  # in
    work,  # in: active, resp; inverse is scratch
):
    """Likeliest component of the tile's rows, the first of ties, unless the output is empty."""
    if labels.size > 0:
        for p in range(0, TILE, lanes(work.best)):
            largest, winner = load(work.resp, (0, p)), splat(work.active[0], work.best)
            for a in range(1, n_active):  # in the order of the components
                r = load(work.resp, (a, p))
                winner = where_above(r, largest, splat(work.active[a], work.best), winner)
                largest = maximum(r, largest)
            store(work.inverse, (p,), winner)
        for p in range(count):
            labels[start + p] = int(work.inverse[p])


@kernel
def evaluate_shard(
    s,  # in: number of the shard
    n_shards,  # in: shard s takes tiles s, s + n_shards, ...
    X,  # in (n, d)
    center,  # in (d,) float64
    density,  # in: Density, about the center
    separation,  # in: Separation
    cut,  # in
    tile,  # scratch (d, TILE)
    work,  # scratch
    log_density,  # out (n,) or (0,)
    resp,  # out (n, K) or (0, 1)
    labels,  # out (n,) or (0,): labels need no normalized densities
):
    """Evaluate the rows of one shard."""
    n, guess = X.shape[0], np.int64(0)  # rows are unsorted: any component may own a tile
    for start in range(s * TILE, n, n_shards * TILE):
        count = min(TILE, n - start)
        gather(X, center, None, start, tile)
        n_active = log_densities(tile, density, separation, guess, cut, work)
        write_labels(labels, start, count, n_active, work)
        if log_density.size > 0 or resp.size > 0:
            log_sum_exp(n_active, work)
        write_log_density(log_density, start, count, work)
        write_resp(resp, start, count, n_active, work)


@allocating_kernel
def evaluate_shards(
    begin, end, n_shards, X, center, density, separation, cut,
    like,  # in (1, TILE): example of the element type to compute in
    log_density, resp, labels,
):  # fmt: skip
    """Shards, one after the other."""
    tile = aligned(X.shape[1], like[0])
    work = make_work(density.constants.size, tile, density.tails, density.filters)
    for s in range(begin, end):
        evaluate_shard(
            s, n_shards, X, center, density, separation, cut, tile, work,
            log_density, resp, labels,
        )  # fmt: skip


@parallel_kernel
def evaluate(
    begin, end, n_shards, X, center, density, separation, cut, like, log_density, resp, labels
):
    """Shards, in parallel."""
    for s in prange(begin, end):
        tile = aligned(X.shape[1], like[0])
        work = make_work(density.constants.size, tile, density.tails, density.filters)
        evaluate_shard(
            np.int64(s), n_shards, X, center, density, separation, cut, tile, work,
            log_density, resp, labels,
        )  # fmt: skip


@kernel
def measure_shard(
    s,  # in: number of the shard
    n_shards,  # in: each takes neighboring tiles
    tiles,  # in (n_tiles, d, TILE)
    density,  # in: Density
    separation,  # in: Separation
    cut,  # in
    guesses,  # in (n_tiles,): likely owner of each tile
    work,  # scratch
    log_density,  # out (n_tiles, TILE)
):
    """Mixture log densities of the packed rows of one shard."""
    n_tiles = tiles.shape[0]
    for t in range(s * n_tiles // n_shards, (s + 1) * n_tiles // n_shards):
        n_active = log_densities(tiles[t], density, separation, guesses[t], cut, work)
        log_sum_exp(n_active, work)
        for p in range(0, TILE, lanes(work.log_density)):
            store(log_density[t], (p,), load(work.log_density, (p,)))


@allocating_kernel
def measure_shards(begin, end, n_shards, tiles, density, separation, cut, guesses, log_density):
    """Shards, one after the other."""
    work = make_work(density.constants.size, tiles[0], density.tails, density.filters)
    for s in range(begin, end):
        measure_shard(s, n_shards, tiles, density, separation, cut, guesses, work, log_density)


@parallel_kernel
def measure(begin, end, n_shards, tiles, density, separation, cut, guesses, log_density):
    """Shards, in parallel."""
    for s in prange(begin, end):
        work = make_work(density.constants.size, tiles[0], density.tails, density.filters)
        measure_shard(
            np.int64(s), n_shards, tiles, density, separation, cut, guesses, work, log_density
        )
