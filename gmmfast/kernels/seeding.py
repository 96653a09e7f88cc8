"""k-means on packed rows: distances to one centre, and one pass of Lloyd's algorithm."""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.density import TILE
from gmmfast.kernels.options import kernel
from gmmfast.kernels.simd import fma, lanes, load, splat, store, total, where_above


@kernel
def squared_norms(
    x,  # in (d, TILE)
    centre,  # in (d,)
    out,  # out (TILE,)
):
    """``|x - centre|^2`` of each row of a tile."""
    for p in range(0, TILE, lanes(x)):
        s = splat(0.0, x)
        for j in range(x.shape[0]):
            v = load(x, (j, p)) - splat(centre[j], x)
            s = fma(v, v, s)
        store(out, (p,), s)


@kernel
def potential(
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    centre,  # in (d,)
    nearest,  # in (n_tiles, TILE) squared distance to the nearest centre so far
    out,  # out (n_tiles, TILE) the same with this centre added
):
    """Weighted sum of squared distances to the nearest centre, were `centre` one of them."""
    potential = 0.0
    for t in range(tiles.shape[0]):
        squared_norms(tiles[t], centre, out[t])
        s = splat(0.0, out)
        for p in range(0, TILE, lanes(out)):
            new, old = load(out, (t, p)), load(nearest, (t, p))
            new = where_above(new, old, old, new)
            store(out, (t, p), new)
            s = fma(load(row_weights, (t, p)), new, s)
        potential += total(s)
    return potential


@kernel
def find_nearest(
    x,  # in (d, TILE)
    centres,  # in (K, d)
    norms,  # scratch (3, TILE); out: norms[2], the nearest centre of each row, the first of equals
):
    """Which centre is nearest to each row of a tile."""
    new, best, label = norms[0], norms[1], norms[2]
    for p in range(0, TILE, lanes(norms)):
        store(best, (p,), splat(np.inf, norms))
        store(label, (p,), splat(0.0, norms))
    for k in range(centres.shape[0]):
        squared_norms(x, centres[k], new)
        for p in range(0, TILE, lanes(norms)):
            old, candidate = load(best, (p,)), load(new, (p,))
            winner = where_above(old, candidate, splat(k, norms), load(label, (p,)))
            store(label, (p,), winner)
            store(best, (p,), where_above(old, candidate, candidate, old))


@kernel
def label_pass(
    tiles,  # in (n_tiles, d, TILE)
    centres,  # in (K, d)
    norms,  # scratch (3, TILE)
    labels,  # out (n_tiles, TILE): which centre is nearest
):
    """Label all rows with the nearest centre."""
    for t in range(tiles.shape[0]):
        find_nearest(tiles[t], centres, norms)
        for p in range(TILE):
            labels[t, p] = int(norms[2, p])


@kernel
def lloyd_pass(
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    centres,  # in, out (K, d): each becomes the mean of the rows that are nearest to it
    mass,  # scratch (K,)
    sums,  # scratch (K, d)
    norms,  # scratch (3, TILE)
):
    """One pass of Lloyd's algorithm; returns by how much the centres moved, squared and summed.

    A centre without rows stays where it is.
    """
    mass[:] = 0.0
    sums[:] = 0.0
    for t in range(tiles.shape[0]):
        find_nearest(tiles[t], centres, norms)
        for p in range(TILE):
            k = int(norms[2, p])
            w = row_weights[t, p]
            mass[k] += w
            for j in range(centres.shape[1]):
                sums[k, j] += w * tiles[t, j, p]
    moved = 0.0
    for k in range(centres.shape[0]):
        if mass[k] > 0:
            for j in range(centres.shape[1]):
                mean = sums[k, j] / mass[k]
                moved += (mean - centres[k, j]) ** 2
                centres[k, j] = mean
    return moved
