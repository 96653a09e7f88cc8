"""Tiles of 64 rows, and the scratch that their E step takes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import allocating_kernel

CACHE_LINE = 64  # bytes
TILE = 64  # rows; two arrays (d, TILE) fill a 32 KiB cache at d = 32


class Work(NamedTuple):
    """Scratch of one tile."""

    whitened: NDArray  # (d, TILE)
    owned: NDArray  # (d, TILE) x - mean of the component that probably owns the tile
    residual: NDArray  # (d, TILE) x - mean
    weighted: NDArray  # (d, TILE) responsibility * residual
    resp: NDArray  # (K + 1, TILE) log densities of the active components, then responsibilities
    distance: NDArray  # (TILE,) squared Mahalanobis distance, or its terms so far
    best: NDArray  # (TILE,) largest log density
    log_density: NDArray  # (TILE,) of the mixture
    inverse: NDArray  # (TILE,) 1 / sum of `resp`: normalizes the responsibilities
    active: NDArray  # (K + 1,) components that were not skipped, in the order of `resp`; K is noise
    latent: NDArray | None  # (K + 1, TILE) expected latent weights of the rows in t components,
    logs: NDArray | None  # (K + 1, TILE) and log(1 + squared distance / nu), in the order of `resp`
    scores: NDArray | None  # (K, q, TILE) expected factors of factor analyzers, by component


@allocating_kernel
def aligned(
    n,  # in
    like,  # in (m,)
):
    """Allocate an array (n, TILE), aligned to cache lines.

    A vector across two lines takes two loads; a pass over unaligned arrays takes 1.4 times as long.
    """
    line = CACHE_LINE // like.itemsize
    values = np.empty(n * TILE + line, like.dtype)
    skipped = -(values.ctypes.data // like.itemsize) % line
    return values[skipped : skipped + n * TILE].reshape(n, TILE)


@allocating_kernel
def make_work(
    n_components,  # in
    x,  # in (d, TILE): example of shape and element type
    tails,  # in: of a Density
    filters,  # in: of a Density
):
    """Allocate the scratch of one tile; once per shard, not per tile."""
    d, like = x.shape[0], x[0]
    rows = aligned(4, like)
    if tails is None:
        latent, logs = None, None
    else:
        latent, logs = aligned(n_components + 1, like), aligned(n_components + 1, like)
    if filters is None:
        scores = None
    else:
        q = filters.shape[1] - d
        scores = aligned(n_components * q, like).reshape(n_components, q, TILE)
    return Work(
        aligned(d, like), aligned(d, like), aligned(d, like), aligned(d, like),
        aligned(n_components + 1, like),
        rows[0], rows[1], rows[2], rows[3],
        np.empty(n_components + 1, np.int64), latent, logs, scores,
    )  # fmt: skip
