"""Rows into tiles: feature-major, in the order of their components, about a centre."""

from __future__ import annotations

import numpy as np
from numba import prange

from gmmfast.kernels.density import TILE
from gmmfast.kernels.options import kernel, parallel_kernel


@kernel
def pack_shard(
    s,  # in: which shard
    n_shards,  # in: shard s takes tiles s, s + n_shards, ...
    X,  # in (n, d)
    centre,  # in (d,) float64
    sample_weight,  # in (n,) float64, or None: all one
    order,  # in (m,): the rows to pack
    tiles,  # out (n_tiles, d, TILE): the last tile is filled up with the last row
    row_weights,  # out (n_tiles, TILE): zero where a tile is filled up
):
    """Pack the tiles of one shard."""
    m = order.size
    for t in range(s, tiles.shape[0], n_shards):
        for p in range(TILE):
            q = t * TILE + p
            i = order[min(q, m - 1)]
            for j in range(X.shape[1]):
                tiles[t, j, p] = X[i, j] - centre[j]
            if q >= m:
                row_weights[t, p] = 0.0
            elif sample_weight is None:
                row_weights[t, p] = 1.0
            else:
                row_weights[t, p] = sample_weight[i]


@kernel
def pack_shards(n_shards, X, centre, sample_weight, order, tiles, row_weights):
    """All shards, one after the other."""
    for s in range(n_shards):
        pack_shard(s, n_shards, X, centre, sample_weight, order, tiles, row_weights)


@parallel_kernel
def pack(n_shards, X, centre, sample_weight, order, tiles, row_weights):
    """All shards, in parallel."""
    for s in prange(n_shards):
        pack_shard(np.int64(s), n_shards, X, centre, sample_weight, order, tiles, row_weights)
