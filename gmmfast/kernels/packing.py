"""Packing of rows into tiles: feature-major, sorted by component, about a center."""

from __future__ import annotations

import numpy as np
from numba import prange

from gmmfast.kernels.compiling import entry_kernel, kernel, parallel_kernel
from gmmfast.kernels.tiles import TILE


@kernel
def gather(
    X,  # in (n, d)
    center,  # in (d,) float64
    order,  # in (m,): the rows to take, or None: all of them
    start,  # in: index of the first of them
    tile,  # out (d, TILE): rows about the center, padded with the last row
):
    """Gather rows into a tile."""
    m = X.shape[0] if order is None else order.size
    for p in range(TILE):
        q = min(start + p, m - 1)
        i = q if order is None else order[q]
        for j in range(X.shape[1]):
            tile[j, p] = X[i, j] - center[j]


@kernel
def gather_weights(
    sample_weight,  # in (n,) float64, or None: all one
    order,  # in (m,): the rows to take
    start,  # in: index of the first of them
    row_weight,  # out (TILE,): zero in the padding
):
    """Weights of the rows of a tile."""
    for p in range(TILE):
        q = start + p
        if q >= order.size:
            row_weight[p] = 0.0
        elif sample_weight is None:
            row_weight[p] = 1.0
        else:
            row_weight[p] = sample_weight[order[q]]


@kernel
def pack_shard(
    s,  # in: number of the shard
    n_shards,  # in: shard s takes tiles s, s + n_shards, ...
    X,  # in (n, d)
    center,  # in (d,) float64
    sample_weight,  # in (n,) float64, or None: all one
    order,  # in (m,): the rows to pack
    tiles,  # out (n_tiles, d, TILE): the last tile is padded with the last row
    row_weights,  # out (n_tiles, TILE): zero in the padding
):
    """Pack the tiles of one shard."""
    for t in range(s, tiles.shape[0], n_shards):
        gather(X, center, order, t * TILE, tiles[t])
        gather_weights(sample_weight, order, t * TILE, row_weights[t])


@entry_kernel
def pack_shards(begin, end, n_shards, X, center, sample_weight, order, tiles, row_weights):
    """Shards, one after the other."""
    for s in range(begin, end):
        pack_shard(s, n_shards, X, center, sample_weight, order, tiles, row_weights)


@parallel_kernel
def pack(begin, end, n_shards, X, center, sample_weight, order, tiles, row_weights):
    """Shards, in parallel."""
    for s in prange(begin, end):
        pack_shard(np.int64(s), n_shards, X, center, sample_weight, order, tiles, row_weights)
