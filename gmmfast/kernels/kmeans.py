"""k-means on packed rows: seeds (k-means++), and passes of Lloyd's algorithm."""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.density import TILE
from gmmfast.kernels.options import entry_kernel, kernel
from gmmfast.kernels.simd import any_reaches, fma, lanes, load, splat, store, total, where_above

BLOCK = 16  # features after which a distance may be known to be too large


@kernel
def add_square(
    x,  # in (d, TILE)
    j,  # in: which feature
    p,  # in: the first of a vector of rows
    center,  # in (d,)
    s,  # in: for each of the rows
):
    """``s + (x - center)^2`` of one feature."""
    v = load(x, (j, p)) - splat(center[j], x)
    return fma(v, v, s)


@kernel
def squared_distance(
    x,  # in (d, TILE)
    p,  # in: the first of a vector of rows
    center,  # in (d,)
    bound,  # in: for each of the rows, the distance from which on nobody asks
):
    """``|x - center|^2`` for a vector of rows; where all are above `bound`, anything above it.

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
            a = add_square(x, j, p, center, a)
            b = add_square(x, j + 1, p, center, b)
            c = add_square(x, j + 2, p, center, c)
            e = add_square(x, j + 3, p, center, e)
        if not any_reaches(bound, (a + b) + (c + e)):
            return (a + b) + (c + e)
    for j in range(whole, d):
        a = add_square(x, j, p, center, a)
    return (a + b) + (c + e)


@kernel
def reach(
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    center,  # in (d,)
    nearest,  # in (n_tiles, TILE) squared distance to the nearest center so far
    out,  # out (n_tiles, TILE) the same with this center added
):
    """What a center would make of the distances to the nearest one; their weighted sum."""
    potential = 0.0
    for t in range(tiles.shape[0]):
        s = splat(0.0, out)
        for p in range(0, TILE, lanes(out)):
            old = load(nearest, (t, p))
            new = squared_distance(tiles[t], p, center, old)
            new = where_above(new, old, old, new)
            store(out, (t, p), new)
            s = fma(load(row_weights, (t, p)), new, s)
        potential += total(s)
    return potential


@kernel
def drawn_row(
    u,  # in: between 0 and 1
    cumulated,  # in (n_tiles, TILE): chances, added up
):
    """Number of the row at a share of the sum of chances."""
    n = cumulated.size
    low, high = 0, n - 1
    target = u * cumulated[(n - 1) // TILE, (n - 1) % TILE]
    while low < high:
        middle = (low + high) // 2
        if cumulated[middle // TILE, middle % TILE] > target:
            high = middle
        else:
            low = middle + 1
    return low


@entry_kernel
def add_seeds(
    begin,  # in: the first seed to draw
    end,  # in: the first not to draw any more
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    u,  # in (K, C): what the draws follow from; only one of the first seed's is used
    nearest,  # in, out (n_tiles, TILE) squared distance to the nearest seed; first infinite
    distances,  # scratch (C, n_tiles, TILE)
    cumulated,  # scratch (n_tiles, TILE)
    seeds,  # out (K, d)
):
    """k-means++: of C rows drawn by their distance from earlier seeds, the one nearest to all."""
    for k in range(begin, end):
        total_chance = 0.0
        for t in range(tiles.shape[0]):
            for p in range(TILE):
                distance = 1.0 if k == 0 else np.float64(nearest[t, p])
                total_chance += np.float64(row_weights[t, p]) * distance
                cumulated[t, p] = total_chance
        best, lowest = 0, np.inf
        for c in range(1 if k == 0 else u.shape[1]):
            row = drawn_row(u[k, c], cumulated)
            for j in range(seeds.shape[1]):
                seeds[k, j] = tiles[row // TILE, j, row % TILE]
            potential = reach(tiles, row_weights, seeds[k], nearest, distances[c])
            if potential < lowest:
                best, lowest = c, potential
        row = drawn_row(u[k, best], cumulated)
        for j in range(seeds.shape[1]):
            seeds[k, j] = tiles[row // TILE, j, row % TILE]
        for t in range(tiles.shape[0]):
            for p in range(TILE):
                nearest[t, p] = distances[best, t, p]


@kernel
def find_nearest(
    x,  # in (d, TILE)
    centers,  # in (K, d)
    labels,  # out (TILE,): the nearest center of each row, the first of equals
):
    """Which center is nearest to each row of a tile."""
    for p in range(0, TILE, lanes(x)):
        best, label = splat(np.inf, x), splat(0.0, x)
        for k in range(centers.shape[0]):
            new = squared_distance(x, p, centers[k], best)
            label = where_above(best, new, splat(k, x), label)
            best = where_above(best, new, new, best)
        store(labels, (p,), label)


@entry_kernel
def label_pass(
    tiles,  # in (n_tiles, d, TILE)
    centers,  # in (K, d)
    nearest,  # scratch (TILE,)
    labels,  # out (n_tiles, TILE): which center is nearest
):
    """Label all rows with the nearest center."""
    for t in range(tiles.shape[0]):
        find_nearest(tiles[t], centers, nearest)
        for p in range(TILE):
            labels[t, p] = np.int32(nearest[p])


@kernel
def add_nearest(
    x,  # in (d, TILE)
    row_weight,  # in (TILE,)
    centers,  # in (K, d)
    nearest,  # scratch (TILE,)
    mass,  # in, out (K,)
    sums,  # in, out (K, d)
):
    """Add each row of a tile to the sums of its nearest center."""
    find_nearest(x, centers, nearest)
    for p in range(TILE):
        k = int(nearest[p])
        mass[k] += row_weight[p]
        for j in range(centers.shape[1]):
            sums[k, j] += row_weight[p] * x[j, p]


@kernel
def move_to_means(
    mass,  # in (K,)
    sums,  # in (K, d)
    centers,  # in, out (K, d): each becomes the mean of its rows; one without stays where it is
):
    """End a pass of Lloyd's algorithm: by how much the centers moved, squared and summed."""
    moved = 0.0
    for k in range(centers.shape[0]):
        if mass[k] > 0:
            for j in range(centers.shape[1]):
                mean = sums[k, j] / mass[k]
                moved += (mean - centers[k, j]) ** 2
                centers[k, j] = mean
    return moved


@entry_kernel
def move_centers(
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    tolerance,  # in: squared and summed movement with which the passes end
    budget,  # in: tiles to look at in this call
    mass,  # scratch (K,)
    sums,  # scratch (K, d)
    nearest,  # scratch (TILE,)
    place,  # in, out (1,): the next tile
    centers,  # in, out (K, d)
):
    """Passes of Lloyd's algorithm; whether the centers stand still."""
    for _ in range(budget):
        t = place[0]
        if t == 0:
            mass[:] = 0.0
            sums[:] = 0.0
        add_nearest(tiles[t], row_weights[t], centers, nearest, mass, sums)
        place[0] = (t + 1) % tiles.shape[0]
        if place[0] == 0 and move_to_means(mass, sums, centers) <= tolerance:
            return True
    return False
