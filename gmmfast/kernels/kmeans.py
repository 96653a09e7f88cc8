"""k-means on packed rows: seeds (k-means++), and passes of Lloyd's algorithm.

Many centers are bounded: of a row x and a center r near it, ``|x - c| >= |r - c| - |x - r|``, so
that c needs no distance to x if ``|r - c|`` exceeds ``|x - r|`` and the distance of interest. Rows
are sorted by their nearest seed, so that the rows of a vector have one such r, the reference.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import called_kernel, entry_kernel, kernel
from gmmfast.kernels.simd import any_reaches, fma, lanes, load, splat, store, total, where_above
from gmmfast.kernels.tiles import TILE

BLOCK = 16  # features between tests for distances above the bound
SEEDS, PASSES, NEXT_TILE, REFERENCES = range(4)  # in `place`, the progress of `seek`


class Bounds(NamedTuple):
    """What bounds distances; arrays are empty where none are bounded.

    Entries of a vector of rows are at its first row.
    """

    packed: NDArray  # (K / TILE, d, TILE) the centers, padded
    apart: NDArray  # (C, K / TILE, TILE) squared distances of C points from the centers
    current: NDArray  # (1,) the center that apart[0] is of, in Lloyd's algorithm
    reference: NDArray  # (n_tiles, TILE) number of the seed that a vector of rows refers to
    reach: NDArray  # (n_tiles, TILE) largest distance of the vector's rows from it
    limit: NDArray  # (n_tiles, TILE) squared: seeds farther from it are no row's nearest
    held: NDArray  # (n_tiles,) weighted sum of `nearest`
    slack: NDArray  # (2,) a factor and a term that cover the rounding of squared distances


class Seeking(NamedTuple):
    """Scratch of `seek`."""

    nearest: NDArray  # (n_tiles, TILE) squared distance to the nearest seed
    distances: NDArray  # (C, n_tiles, TILE) the same with each candidate row as another seed
    drawn: NDArray  # (C, d) the candidate rows
    potentials: NDArray  # (C,) weighted sums of `distances`
    cumulated: NDArray  # (n_tiles, TILE)
    mass: NDArray  # (K,) of the rows nearest to each center
    sums: NDArray  # (K, d) of these rows
    found: NDArray  # (TILE,)
    near: NDArray  # (K,) numbers of the centers that a vector of rows needs: at first, of all
    bounds: Bounds


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
def largest(
    v,  # in: a vector of rows
    found,  # scratch (TILE,)
):
    """The largest lane of a vector of squares."""
    store(found, (0,), v)
    most = 0.0
    for p in range(lanes(found)):
        most = max(most, np.float64(found[p]))
    return most


@kernel
def pack_centers(
    count,  # in: how many
    centers,  # in (K, d)
    packed,  # out (K / TILE, d, TILE)
):
    """Pack the first centers, so that the lanes of a vector are centers; the last is repeated."""
    for q in range(packed.shape[0] * TILE):
        for j in range(centers.shape[1]):
            packed[q // TILE, j, q % TILE] = centers[min(q, count - 1), j]


@called_kernel
def set_apart(
    center,  # in (d,)
    count,  # in: how many of the packed centers
    packed,  # in (K / TILE, d, TILE)
    apart,  # out (K / TILE, TILE): squared distances
):
    """Distances of a point from the first centers."""
    for q in range(0, count, lanes(apart)):
        t, p = q // TILE, q % TILE
        no_bound = splat(np.inf, apart)
        store(apart, (t, p), squared_distance(packed[t], p, center, no_bound))


@kernel
def is_reached(
    t,  # in: tile
    p,  # in: first row of the vector
    n_references,  # in: seeds that vectors may refer to; 0: no bounds yet
    apart,  # in (K / TILE, TILE): squared distances of a new seed from them
    bounds,  # in: Bounds
):
    """Whether a new seed can be nearest to a row of the vector (after Raff 2021)."""
    if n_references == 0:
        return True
    r = bounds.reference[t, p]
    return apart[r // TILE, r % TILE] <= bounds.limit[t, p]


@kernel
def is_tile_reached(t, n_references, apart, bounds):
    """Whether `is_reached` holds for a vector of the tile."""
    for p in range(0, TILE, lanes(apart)):
        if is_reached(t, p, n_references, apart, bounds):
            return True
    return False


@kernel
def bound_tile(
    t,  # in: tile
    row_weight,  # in (TILE,)
    nearest,  # in (n_tiles, TILE)
    found,  # scratch (TILE,)
    bounds,  # in, out: limit, held
):
    """Set the limits of a tile's vectors from their distances to the nearest seed."""
    s = splat(0.0, found)
    for p in range(0, TILE, lanes(found)):
        v = load(nearest, (t, p))
        within = bounds.reach[t, p] + np.sqrt(largest(v, found))
        bounds.limit[t, p] = bounds.slack[0] * within * within + bounds.slack[1]
        s = fma(load(row_weight, (p,)), v, s)
    bounds.held[t] = total(s)


@entry_kernel
def refer(
    tiles,  # in (n_tiles, d, TILE): rows sorted by nearest seed
    row_weights,  # in (n_tiles, TILE)
    centers,  # in (K, d)
    labels,  # in (n_tiles, TILE): nearest seeds
    place,  # in, out: of `seek`; all seeds so far become references
    work,  # in, out: Seeking
):
    """Let each vector of rows refer to the seed nearest to its first row."""
    bounds = work.bounds
    place[REFERENCES] = place[SEEDS]
    pack_centers(place[SEEDS], centers, bounds.packed)
    for t in range(tiles.shape[0]):
        for p in range(0, TILE, lanes(tiles)):
            r = labels[t, p]
            v = squared_distance(tiles[t], p, centers[r], splat(np.inf, tiles))
            bounds.reference[t, p] = r
            bounds.reach[t, p] = np.sqrt(largest(v, work.found))
        bound_tile(t, row_weights[t], work.nearest, work.found, bounds)


@kernel
def reach(
    t,  # in: tile
    x,  # in (d, TILE)
    row_weight,  # in (TILE,)
    seed,  # in (d,): a new one
    nearest,  # in (n_tiles, TILE): squared distance to the nearest seed so far
    n_references,  # in: as in `is_reached`, and what follows
    apart,
    bounds,
    out,  # out (n_tiles, TILE): the same with the new seed, in tiles that it reaches
):
    """Distances of a tile to the nearest seed; return their weighted sum."""
    if not is_tile_reached(t, n_references, apart, bounds):
        return bounds.held[t]
    s = splat(0.0, out)
    for p in range(0, TILE, lanes(out)):
        new = load(nearest, (t, p))
        if is_reached(t, p, n_references, apart, bounds):
            old = new
            new = squared_distance(x, p, seed, old)
            new = where_above(new, old, old, new)
        store(out, (t, p), new)
        s = fma(load(row_weight, (p,)), new, s)
    return np.float64(total(s))


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
def copy_row(
    row,  # in
    tiles,  # in (n_tiles, d, TILE)
    seed,  # out (d,)
):
    """Copy a row out of its tile."""
    for j in range(seed.size):
        seed[j] = tiles[row // TILE, j, row % TILE]


@kernel
def add_seed(
    k,  # in: number of the seed
    n_references,  # in: 0: no bounds yet
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    u,  # in (C,): uniform random numbers of the draws; the first seed uses one
    work,  # in, out: the distance of each row to the nearest seed
    seed,  # out (d,)
    labels,  # in, out (n_tiles, TILE): nearest seeds
):
    """k-means++: the best of C rows drawn by squared distance from earlier seeds."""
    nearest, cumulated, bounds = work.nearest, work.cumulated, work.bounds
    total_chance = 0.0
    for t in range(tiles.shape[0]):
        for p in range(TILE):
            if k == 0:
                nearest[t, p] = np.inf
                labels[t, p] = 0
            distance = 1.0 if k == 0 else np.float64(nearest[t, p])
            total_chance += np.float64(row_weights[t, p]) * distance
            cumulated[t, p] = total_chance
    n_drawn = 1 if k == 0 else u.size
    for c in range(n_drawn):
        copy_row(drawn_row(u[c], cumulated), tiles, work.drawn[c])
        set_apart(work.drawn[c], n_references, bounds.packed, bounds.apart[c])
        work.potentials[c] = 0.0
    for t in range(tiles.shape[0]):  # all candidates while the tile is in the cache
        for c in range(n_drawn):
            work.potentials[c] += reach(
                t, tiles[t], row_weights[t], work.drawn[c], nearest,
                n_references, bounds.apart[c], bounds, work.distances[c],
            )  # fmt: skip
    best, smallest = 0, np.inf
    for c in range(n_drawn):
        if work.potentials[c] < smallest:
            best, smallest = c, work.potentials[c]
    copy_row(drawn_row(u[best], cumulated), tiles, seed)
    for t in range(tiles.shape[0]):
        if not is_tile_reached(t, n_references, bounds.apart[best], bounds):
            continue
        for p in range(TILE):
            if work.distances[best, t, p] < nearest[t, p]:
                nearest[t, p] = work.distances[best, t, p]
                labels[t, p] = k
        if n_references > 0:
            bound_tile(t, row_weights[t], nearest, work.found, bounds)


@kernel
def find_near(
    x,  # in (d, TILE)
    p,  # in: first row of the vector
    reference,  # in: a center near its rows
    centers,  # in (K, d)
    work,  # in, out: Seeking
):
    """List the centers that can be nearest to a row of the vector; return their number.

    These are no farther from the reference than twice the farthest row (Phillips 2002).
    """
    bounds = work.bounds
    if bounds.packed.size == 0:
        return centers.shape[0]
    apart = bounds.apart[0]
    if bounds.current[0] != reference:
        bounds.current[0] = reference
        set_apart(centers[reference], centers.shape[0], bounds.packed, apart)
    v = squared_distance(x, p, centers[reference], splat(np.inf, x))
    limit = 4.0 * bounds.slack[0] * largest(v, work.found) + bounds.slack[1]
    n = 0
    for k in range(centers.shape[0]):
        work.near[n] = k
        n += apart[k // TILE, k % TILE] <= limit
    return n


@kernel
def label_tile(
    x,  # in (d, TILE)
    centers,  # in (K, d)
    work,  # in, out: Seeking
    labels,  # in, out (TILE,): centers near the rows -> the nearest ones, the first of ties
):
    """Label the rows of a tile with the nearest center."""
    for p in range(0, TILE, lanes(x)):
        n_near = find_near(x, p, labels[p], centers, work)
        best, label = splat(np.inf, x), splat(0.0, x)
        for i in range(n_near):
            k = work.near[i]
            new = squared_distance(x, p, centers[k], best)
            label = where_above(best, new, splat(k, x), label)
            best = where_above(best, new, new, best)
        store(work.found, (0,), label)
        for q in range(lanes(x)):
            labels[p + q] = np.int32(work.found[q])


@kernel
def add_nearest(
    t,  # in: number of the tile; the first one begins a pass
    x,  # in (d, TILE)
    row_weight,  # in (TILE,)
    labels,  # in (TILE,)
    work,  # in, out: sums and masses of the centers
):
    """Add each row of a tile to the sums of its nearest center."""
    if t == 0:
        work.mass[:] = 0.0
        work.sums[:] = 0.0
    for p in range(TILE):
        k = labels[p]
        work.mass[k] += row_weight[p]
        for j in range(x.shape[0]):
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
    u,  # in (K, C): uniform random numbers of the draws of the seeds
    n_seeds,  # in: seeds after which to return
    n_passes,  # in: of Lloyd's algorithm, at most
    tolerance,  # in: sum of squared movements at which the passes end
    budget,  # in: multiplications after which to return
    place,  # in, out (4,): seeds and passes so far, the next tile, and references
    work,  # in, out: Seeking
    centers,  # in, out (K, d)
    labels,  # in, out (n_tiles, TILE): nearest centers
):
    """Find a partition: seeds, then Lloyd passes; return whether all are done."""
    spent, bounds = 0, work.bounds
    while spent < budget:
        k, t = place[SEEDS], place[NEXT_TILE]
        if k < n_seeds:
            add_seed(k, place[REFERENCES], tiles, row_weights, u[k], work, centers[k], labels)
            place[SEEDS] += 1
            spent += tiles.size * u.shape[1]
            continue
        if n_passes == 0 or place[PASSES] > n_passes:
            return True
        if place[PASSES] > 0:  # at first, the seeds' own labels are known
            if t == 0 and bounds.packed.size > 0:
                pack_centers(centers.shape[0], centers, bounds.packed)
                bounds.current[0] = -1
            label_tile(tiles[t], centers, work, labels[t])
            spent += TILE * centers.size
        if place[PASSES] < n_passes:
            add_nearest(t, tiles[t], row_weights[t], labels[t], work)
            spent += TILE * centers.shape[1]
        place[NEXT_TILE] += 1
        if place[NEXT_TILE] < tiles.shape[0]:
            continue
        place[NEXT_TILE] = 0
        has_converged = False
        if place[PASSES] < n_passes:
            has_converged = move_to_means(work.mass, work.sums, centers) <= tolerance
        place[PASSES] = n_passes if has_converged else place[PASSES] + 1
    return False
