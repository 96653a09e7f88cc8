"""Statistics of a partition: sums over the rows of each part, for the M step."""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.compiling import entry_kernel, kernel
from gmmfast.kernels.moments import is_pooled
from gmmfast.kernels.passes import EPS, LOST_FLOAT64, mirror, move_far
from gmmfast.kernels.tiles import TILE


@kernel
def add_to_part(
    x,  # in (d, TILE)
    p,  # in: the row
    row_weight,  # in
    mean,  # in (d,): moments are taken about it
    residual,  # scratch (d,)
    first,  # in, out (d,)
    scatter,  # in, out (d, d), lower, or (d,)
):
    """Add a row to the moments of its part."""
    for i in range(mean.size):
        residual[i] = x[i, p] - mean[i]
        weighted = row_weight * residual[i]
        first[i] += weighted
        if scatter.ndim == 1:
            scatter[i] += weighted * residual[i]
        else:
            for j in range(i + 1):
                scatter[i, j] += weighted * residual[j]


@kernel
def add_parts(
    tiles,  # in (n_tiles, d, TILE) float64
    row_weights,  # in (n_tiles, TILE)
    labels,  # in (n_tiles, TILE); noise is -1
    means,  # in (K, d): moments are taken about them
    residual,  # scratch (d,)
    scatter,  # out: of the totals
    totals,  # out: Totals
):
    """Mass and moments of all parts. Nothing is known of latent weights: they are one."""
    totals.log_likelihood[0] = totals.best[0] = 0.0
    totals.mass[:] = 0.0
    totals.first[:] = 0.0
    scatter[:] = 0.0
    for k in range(means.shape[0]):
        for j in range(means.shape[1]):
            totals.reference[k, j] = means[k, j]
    pooled = is_pooled(scatter, means)
    for t in range(tiles.shape[0]):
        for p in range(TILE):
            k, w = labels[t, p], row_weights[t, p]
            if w > 0 and k >= 0:  # neither in the padding nor noise
                totals.mass[k] += w
                own = scatter[0 if pooled else k]
                add_to_part(tiles[t], p, w, means[k], residual, totals.first[k], own)
    for k in range(totals.tails.shape[1]):
        totals.tails[0, k], totals.tails[1, k] = totals.mass[k], np.nan
    mirror(scatter)


@entry_kernel
def divide(
    tiles,  # in (n_tiles, d, TILE) float64
    row_weights,  # in (n_tiles, TILE)
    labels,  # in (n_tiles, TILE): a partition; noise is -1
    shifts,  # scratch (K, d)
    means,  # in, out (K, d): moments are taken about them; moved nearer if far away
    totals,  # out: Totals
):
    """Statistics of a partition for the M step."""
    for turn in range(2):
        add_parts(tiles, row_weights, labels, means, shifts[0], totals.scatter, totals)
        shifts[:] = 0.0
        if turn == 1 or not move_far(LOST_FLOAT64, EPS, totals, totals.scatter, shifts):
            break
        for k in range(means.shape[0]):
            for j in range(means.shape[1]):
                means[k, j] += shifts[k, j]
    return 0
