"""k-means on packed rows: seeds (k-means++), and passes of Lloyd's algorithm."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import entry_kernel, kernel
from gmmfast.kernels.density import TILE
from gmmfast.kernels.simd import any_reaches, fma, lanes, load, splat, store, total, where_above

BLOCK = 16  # features between tests for distances above the bound
PARTITION, SEEDS, PASSES, NEXT_TILE = range(4)  # in `place`, the progress of `seek`


class Seeking(NamedTuple):
    """Scratch of `seek`."""

    nearest: NDArray  # (n_tiles, TILE) squared distance to the nearest seed
    distances: NDArray  # (C, n_tiles, TILE) the same with each candidate row as another seed
    cumulated: NDArray  # (n_tiles, TILE)
    mass: NDArray  # (K,) of the rows nearest to each center
    sums: NDArray  # (K, d) of these rows
    found: NDArray  # (TILE,)


@kernel
def add_square(
    x,  # in (d, TILE)
    j,  # in: feature
    p,  # in: first row of the vector
    center,  # in (d,)
    s,  # in: a sum for each of the rows
):
    """``s + (x - center)^2`` of one feature."""
    v = load(x, (j, p)) - splat(center[j], x)
    return fma(v, v, s)


@kernel
def squared_distance(
    x,  # in (d, TILE)
    p,  # in: first row of the vector
    center,  # in (d,)
    bound,  # in: the largest distance of interest, for each of the rows
):
    """``|x - center|^2`` for a vector of rows; if all exceed `bound`, any value above it.

    Four independent sums hide the latency of additions.
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
    """Distances to the nearest center once this one is added; return their weighted sum."""
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
    cumulated,  # in (n_tiles, TILE): cumulative weights of the draw
):
    """Number of the row at quantile `u` of the cumulative weights."""
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


@kernel
def add_seed(
    k,  # in: number of the seed
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    u,  # in (C,): uniform random numbers of the draws; the first seed uses one
    work,  # in, out: the distance of each row to the nearest seed
    seed,  # out (d,)
):
    """k-means++: the best of C rows drawn by squared distance from earlier seeds."""
    nearest, cumulated = work.nearest, work.cumulated
    total_chance = 0.0
    for t in range(tiles.shape[0]):
        for p in range(TILE):
            if k == 0:
                nearest[t, p] = np.inf
            distance = 1.0 if k == 0 else np.float64(nearest[t, p])
            total_chance += np.float64(row_weights[t, p]) * distance
            cumulated[t, p] = total_chance
    best, smallest = 0, np.inf
    for c in range(1 if k == 0 else u.size):
        row = drawn_row(u[c], cumulated)
        for j in range(seed.size):
            seed[j] = tiles[row // TILE, j, row % TILE]
        potential = reach(tiles, row_weights, seed, nearest, work.distances[c])
        if potential < smallest:
            best, smallest = c, potential
    row = drawn_row(u[best], cumulated)
    for j in range(seed.size):
        seed[j] = tiles[row // TILE, j, row % TILE]
    for t in range(tiles.shape[0]):
        for p in range(TILE):
            nearest[t, p] = work.distances[best, t, p]


@kernel
def find_nearest(
    x,  # in (d, TILE)
    centers,  # in (K, d)
    labels,  # out (TILE,): the nearest center of each row, the first of ties
):
    """Find the nearest center of each row of a tile."""
    for p in range(0, TILE, lanes(x)):
        best, label = splat(np.inf, x), splat(0.0, x)
        for k in range(centers.shape[0]):
            new = squared_distance(x, p, centers[k], best)
            label = where_above(best, new, splat(k, x), label)
            best = where_above(best, new, new, best)
        store(labels, (p,), label)


@kernel
def label_tile(
    x,  # in (d, TILE)
    centers,  # in (K, d)
    found,  # scratch (TILE,)
    labels,  # out (TILE,): nearest centers
):
    """Label the rows of a tile with the nearest center."""
    find_nearest(x, centers, found)
    for p in range(TILE):
        labels[p] = np.int32(found[p])


@kernel
def add_nearest(
    t,  # in: number of the tile; the first one begins a pass
    x,  # in (d, TILE)
    row_weight,  # in (TILE,)
    centers,  # in (K, d)
    work,  # in, out: sums and masses of the centers
):
    """Add each row of a tile to the sums of its nearest center."""
    if t == 0:
        work.mass[:] = 0.0
        work.sums[:] = 0.0
    find_nearest(x, centers, work.found)
    for p in range(TILE):
        k = np.int64(work.found[p])
        work.mass[k] += row_weight[p]
        for j in range(centers.shape[1]):
            work.sums[k, j] += row_weight[p] * x[j, p]


@kernel
def move_to_means(
    mass,  # in (K,)
    sums,  # in (K, d)
    centers,  # in, out (K, d): each becomes the mean of its rows, or stays if it has none
):
    """End a pass of Lloyd's algorithm; return the sum of squared movements of the centers."""
    moved = 0.0
    for k in range(centers.shape[0]):
        if mass[k] > 0:
            for j in range(centers.shape[1]):
                mean = sums[k, j] / mass[k]
                moved += (mean - centers[k, j]) * (mean - centers[k, j])
                centers[k, j] = mean
    return moved


@entry_kernel
def seek(
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    u,  # in (P, S, C): uniform random numbers of the draws of the first S seeds
    n_passes,  # in: of Lloyd's algorithm, at most
    tolerance,  # in: sum of squared movements at which the passes end
    budget,  # in: multiplications after which to return
    place,  # in, out (4,): partition, its seeds and passes so far, and the next tile
    work,  # in, out: Seeking
    centers,  # in, out (P, K, d)
    labels,  # out (P, n_tiles, TILE): nearest centers
):
    """Find P partitions: seeds, Lloyd passes, labels; return whether all are done."""
    spent = 0
    while place[PARTITION] < u.shape[0] and spent < budget:
        own = centers[place[PARTITION]]
        if place[SEEDS] < u.shape[1]:
            k = place[SEEDS]
            add_seed(k, tiles, row_weights, u[place[PARTITION], k], work, own[k])
            place[SEEDS] += 1
            spent += tiles.size * u.shape[2]
            continue
        t = place[NEXT_TILE]
        if place[PASSES] < n_passes:
            add_nearest(t, tiles[t], row_weights[t], own, work)
        else:
            label_tile(tiles[t], own, work.found, labels[place[PARTITION], t])
        spent += TILE * own.size
        place[NEXT_TILE] += 1
        if place[NEXT_TILE] < tiles.shape[0]:
            continue
        place[NEXT_TILE] = 0
        if place[PASSES] >= n_passes:
            place[PARTITION] += 1
            place[SEEDS] = place[PASSES] = 0
        elif move_to_means(work.mass, work.sums, own) <= tolerance:
            place[PASSES] = n_passes
        else:
            place[PASSES] += 1
    return place[PARTITION] == u.shape[0]
