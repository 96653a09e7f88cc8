"""k-means on packed rows: distances to one centre, and one pass of Lloyd's algorithm."""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.density import TILE
from gmmfast.kernels.options import kernel
from gmmfast.kernels.simd import any_reaches, fma, lanes, load, splat, store, total, where_above

BLOCK = 16  # features after which a distance may be known to be too large


@kernel
def add_square(
    x,  # in (d, TILE)
    j,  # in: which feature
    p,  # in: the first of a vector of rows
    centre,  # in (d,)
    s,  # in: for each of the rows
):
    """``s + (x - centre)^2`` of one feature."""
    v = load(x, (j, p)) - splat(centre[j], x)
    return fma(v, v, s)


@kernel
def squared_distance(
    x,  # in (d, TILE)
    p,  # in: the first of a vector of rows
    centre,  # in (d,)
    bound,  # in: for each of the rows, the distance from which on nobody asks
):
    """``|x - centre|^2`` for a vector of rows; where all are above `bound`, anything above it.

    Four sums, because one would wait for itself.
    """
    d = x.shape[0]
    whole = d - d % 4
    a = splat(0.0, x)
    b = a
    c = a
    e = a
    for begin in range(0, whole, BLOCK):
        for j in range(begin, min(begin + BLOCK, whole), 4):
            a = add_square(x, j, p, centre, a)
            b = add_square(x, j + 1, p, centre, b)
            c = add_square(x, j + 2, p, centre, c)
            e = add_square(x, j + 3, p, centre, e)
        if not any_reaches(bound, (a + b) + (c + e)):
            return (a + b) + (c + e)
    for j in range(whole, d):
        a = add_square(x, j, p, centre, a)
    return (a + b) + (c + e)


@kernel
def add_potentials(
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    centres,  # in (C, d)
    nearest,  # in (n_tiles, TILE) squared distance to the nearest centre so far
    out,  # out (C, n_tiles, TILE) the same with one of these centres added
    potentials,  # in, out (C,) += weighted sum of `out`
):
    """What each of some centres would make of the distances to the nearest one."""
    for t in range(tiles.shape[0]):
        for c in range(centres.shape[0]):
            s = splat(0.0, out)
            for p in range(0, TILE, lanes(out)):
                old = load(nearest, (t, p))
                new = squared_distance(tiles[t], p, centres[c], old)
                new = where_above(new, old, old, new)
                store(out, (c, t, p), new)
                s = fma(load(row_weights, (t, p)), new, s)
            potentials[c] += total(s)


@kernel
def find_nearest(
    x,  # in (d, TILE)
    centres,  # in (K, d)
    labels,  # out (TILE,): the nearest centre of each row, the first of equals
):
    """Which centre is nearest to each row of a tile."""
    for p in range(0, TILE, lanes(x)):
        best, label = splat(np.inf, x), splat(0.0, x)
        for k in range(centres.shape[0]):
            new = squared_distance(x, p, centres[k], best)
            label = where_above(best, new, splat(k, x), label)
            best = where_above(best, new, new, best)
        store(labels, (p,), label)


@kernel
def label_pass(
    tiles,  # in (n_tiles, d, TILE)
    centres,  # in (K, d)
    nearest,  # scratch (TILE,)
    labels,  # out (n_tiles, TILE): which centre is nearest
):
    """Label all rows with the nearest centre."""
    for t in range(tiles.shape[0]):
        find_nearest(tiles[t], centres, nearest)
        for p in range(TILE):
            labels[t, p] = int(nearest[p])


@kernel
def add_nearest(
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    centres,  # in (K, d)
    mass,  # in, out (K,)
    sums,  # in, out (K, d)
    nearest,  # scratch (TILE,)
):
    """Add each row to the sums of its nearest centre."""
    for t in range(tiles.shape[0]):
        find_nearest(tiles[t], centres, nearest)
        for p in range(TILE):
            k = int(nearest[p])
            w = row_weights[t, p]
            mass[k] += w
            for j in range(centres.shape[1]):
                sums[k, j] += w * tiles[t, j, p]


@kernel
def move_centres(
    mass,  # in (K,)
    sums,  # in (K, d)
    centres,  # in, out (K, d): each becomes the mean of its rows; one without stays where it is
):
    """End a pass of Lloyd's algorithm: by how much the centres moved, squared and summed."""
    moved = 0.0
    for k in range(centres.shape[0]):
        if mass[k] > 0:
            for j in range(centres.shape[1]):
                mean = sums[k, j] / mass[k]
                moved += (mean - centres[k, j]) ** 2
                centres[k, j] = mean
    return moved
