"""Rows packed into tiles, and the shards in which threads work on them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.packing import pack, pack_shards
from gmmfast.kernels.threads import MAX_SHARDS, run_shards
from gmmfast.kernels.tiles import TILE, aligned
from gmmfast.parameters import Floats

WORK_PER_SHARD = 1 << 15  # multiplications, about ten microseconds: the cost of waking a thread
ROWS_PER_SHARD = 512  # fewer do not pay for an accumulator, which is cleared and added
ACCUMULATORS = 1 << 26  # bytes that the sums of all shards may take


class Packed(NamedTuple):
    """Rows in tiles, feature-major, relative to the center."""

    tiles: NDArray[Any]  # (n_tiles, d, TILE)
    row_weights: NDArray[Any]  # (n_tiles, TILE), zero in the padding of the last tile
    labels: NDArray[np.int32]  # (n_tiles, TILE), sort key of the rows

    def in_type(self, dtype: np.dtype[Any]) -> Packed:
        """Return a copy in another element type, with the same labels."""
        n_tiles, d, _ = self.tiles.shape
        tiles = aligned(n_tiles * d, np.empty(0, dtype)).reshape(n_tiles, d, TILE)
        tiles[...] = self.tiles
        return Packed(tiles, self.row_weights.astype(dtype), self.labels)


def packed_rows(
    X: NDArray[Any],
    center: Floats,
    weights: Floats | None,
    order: NDArray[np.int64],
    labels: NDArray[np.int32],
    n_jobs: int | None,
) -> Packed:
    """Pack rows in an order.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The rows.
    center : ndarray of shape (d,)
        Subtracted from each row.
    weights : ndarray of shape (n,), optional
        Row weights.
    order : ndarray of shape (m,)
        Indices of the rows to pack.
    labels : ndarray of shape (m,)
        Their labels, in this order.
    n_jobs : int or None
        Threads.
    """
    (n, d), n_tiles, like = X.shape, -(-order.size // TILE), np.empty(0, X.dtype)
    tiles = aligned(n_tiles * d, like).reshape(n_tiles, d, TILE)
    row_weights = aligned(n_tiles, like)
    rows = (X, center, weights, order, tiles, row_weights)
    run_shards(pack, pack_shards, n_jobs, shard_count(n, d), X.size, *rows)
    padding = n_tiles * TILE - order.size
    labels = np.concatenate([labels, np.repeat(labels[-1:], padding)])
    return Packed(tiles, row_weights, labels.reshape(n_tiles, TILE))


def shard_count(n_rows: int, work: int, accumulator: int = 0) -> int:
    """Return the number of shards for rows that take `work` multiplications each.

    Each is worth waking a thread, all accumulators together take at most ACCUMULATORS bytes,
    and 2, 4 or 8 threads share the shards evenly. The number of threads has no influence.

    Parameters
    ----------
    n_rows : int
        Rows to divide.
    work : int
        Multiplications per row.
    accumulator : int, default=0
        Bytes of the sums of a shard.
    """
    count = min(n_rows // max(ROWS_PER_SHARD, WORK_PER_SHARD // work), MAX_SHARDS)
    if accumulator:
        count = min(count, ACCUMULATORS // accumulator)
    if count < 8:
        return 1 << max(count.bit_length() - 1, 0)
    return count - count % 8
