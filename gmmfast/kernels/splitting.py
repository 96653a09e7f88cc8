"""k-means beyond its local optima: parts of a partition are split in two, and others merged.

Lloyd's passes move each center a little: two centers in one cluster stay there, and so does one
between two clusters. Where a split lowers the sum of squares by more than a merger raises it, both
together lower it (Kaukoranta, Franti, Nevalainen 1998).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import entry_kernel, kernel
from gmmfast.kernels.linkage import merge_cost, nearest_neighbor
from gmmfast.kernels.tiles import TILE

HALVES_PASSES = 3  # of k-means with two centers in each part
PASS, NEXT_TILE = range(2)  # in `place`, the progress of `split_and_merge`


class Parts(NamedTuple):
    """Scratch of `split_and_merge`: the parts, and two halves of each."""

    mass: NDArray  # (K,)
    means: NDArray  # (K, d)
    squares: NDArray  # (K, d): by feature, about the centers
    half: NDArray  # (n_tiles, TILE): 0 or 1, for each row
    half_mass: NDArray  # (K, 2)
    half_means: NDArray  # (K, 2, d)
    sums: NDArray  # (K, 2, d)
    gains: NDArray  # (K,): by how much a split lowers the sum of squares
    costs: NDArray  # (K,): by how much the cheapest merger raises it
    partners: NDArray  # (K,): the part to merge with; of a part without rows, itself
    is_free: NDArray  # (K,): 1 if the part is neither split nor merged, else 0
    new_labels: NDArray  # (K, 2): of the rows of each half


@kernel
def add_to_means(
    t,  # in: tile; the first one begins
    x,  # in (d, TILE)
    row_weight,  # in (TILE,)
    labels,  # in (TILE,)
    centers,  # in (K, d): near the means
    parts,  # in, out: mass, squares; means: sums of residuals
):
    """Add the rows of a tile to the mass and moments of their parts."""
    if t == 0:
        parts.mass[:] = 0.0
        parts.means[:] = 0.0
        parts.squares[:] = 0.0
    for p in range(TILE):
        k, w = labels[p], np.float64(row_weight[p])
        parts.mass[k] += w
        for j in range(centers.shape[1]):
            residual = np.float64(x[j, p]) - np.float64(centers[k, j])
            parts.means[k, j] += w * residual
            parts.squares[k, j] += w * residual * residual


@kernel
def begin_halves(
    centers,  # in (K, d): near the means
    parts,  # in: mass, squares; in, out: means, sums of residuals -> means; out: half_means
):
    """Two centers in each part: its mean, moved both ways along the widest feature."""
    K, d = parts.means.shape
    for k in range(K):
        widest, mass = 0, parts.mass[k]
        for j in range(d):
            moved = parts.means[k, j] / mass if mass > 0 else 0.0
            parts.means[k, j] = np.float64(centers[k, j]) + moved
            parts.half_means[k, 0, j] = parts.half_means[k, 1, j] = parts.means[k, j]
            if parts.squares[k, j] > parts.squares[k, widest]:
                widest = j
        if mass > 0:
            deviation = np.sqrt(parts.squares[k, widest] / mass)
            parts.half_means[k, 0, widest] -= deviation
            parts.half_means[k, 1, widest] += deviation


@kernel
def nearer_half(
    x,  # in (d, TILE)
    p,  # in: the row
    first,  # in (d,)
    second,  # in (d,)
):
    """1 if a row is nearer to the second center, else 0: by the side of the plane between them."""
    side = 0.0
    for j in range(first.size):
        middle = 0.5 * (first[j] + second[j])
        side += (np.float64(x[j, p]) - middle) * (second[j] - first[j])
    return 1 if side > 0 else 0


@kernel
def add_to_halves(
    t,  # in: tile; the first one begins a pass
    x,  # in (d, TILE)
    row_weight,  # in (TILE,)
    labels,  # in (TILE,)
    parts,  # in: half_means; in, out: half, half_mass, sums
):
    """Assign each row of a tile to a half of its part, and add it to the sums of that half."""
    if t == 0:
        parts.half_mass[:] = 0.0
        parts.sums[:] = 0.0
    for p in range(TILE):
        k, w = labels[p], np.float64(row_weight[p])
        h = nearer_half(x, p, parts.half_means[k, 0], parts.half_means[k, 1])
        parts.half[t, p] = h
        parts.half_mass[k, h] += w
        for j in range(x.shape[0]):
            parts.sums[k, h, j] += w * np.float64(x[j, p])


@kernel
def move_halves(
    parts,  # in: half_mass, sums; in, out: half_means
):
    """End a pass of k-means: each center becomes the mean of its rows, or stays if it has none."""
    for k in range(parts.mass.size):
        for h in range(2):
            for j in range(parts.means.shape[1]):
                if parts.half_mass[k, h] > 0:
                    parts.half_means[k, h, j] = parts.sums[k, h, j] / parts.half_mass[k, h]


@kernel
def find_gains(
    least_mass,  # in: of a half
    parts,  # in: mass, means, half_mass, half_means; out: the rest
):
    """Decrease of the sum of squares by a split of each part, increase by its cheapest merger."""
    for k in range(parts.mass.size):
        parts.gains[k], parts.costs[k] = 0.0, 0.0
        parts.partners[k], parts.is_free[k] = k, 1
        parts.new_labels[k, 0] = parts.new_labels[k, 1] = k
        if min(parts.half_mass[k, 0], parts.half_mass[k, 1]) >= least_mass:
            parts.gains[k] = merge_cost(0, 1, parts.half_mass[k], parts.half_means[k])
        if parts.mass[k] > 0:
            partner, cost = nearest_neighbor(k, -1, parts.mass, parts.means)
            parts.partners[k], parts.costs[k] = partner, cost


@kernel
def next_pair(
    parts,  # in
):
    """The free part that gains most by a split, and the free part with the cheapest merger.

    -1 for none; the first of ties. The split part takes no part in the merger.
    """
    split, merged = -1, -1
    for k in range(parts.mass.size):
        best = parts.gains[split] if split >= 0 else 0.0
        if parts.is_free[k] and parts.gains[k] > best:
            split = k
    for k in range(parts.mass.size):
        partner = parts.partners[k]
        if split < 0 or partner < 0 or k == split or partner == split:
            continue
        is_free = parts.is_free[k] and parts.is_free[partner]
        if is_free and (merged < 0 or parts.costs[k] < parts.costs[merged]):
            merged = k
    return split, merged


@kernel
def apply_pair(
    split,  # in: the part to split; its second half takes the number of
    merged,  # in: the part that joins its partner, if it has rows
    parts,  # in, out: is_free, new_labels
    centers,  # in, out (K, d): means of the parts
):
    """Split one part, and merge two others."""
    partner = parts.partners[merged]
    if partner != merged:
        share = parts.mass[merged] / (parts.mass[merged] + parts.mass[partner])
        for j in range(centers.shape[1]):
            centers[partner, j] += share * (parts.means[merged, j] - parts.means[partner, j])
        parts.new_labels[merged, 0] = parts.new_labels[merged, 1] = partner
    for j in range(centers.shape[1]):
        centers[split, j] = parts.half_means[split, 0, j]
        centers[merged, j] = parts.half_means[split, 1, j]
    parts.new_labels[split, 1] = merged
    parts.is_free[split] = parts.is_free[merged] = parts.is_free[partner] = 0


@kernel
def apply_pairs(
    parts,  # in, out
    centers,  # in, out (K, d): near the means -> means
    labels,  # in, out (n_tiles, TILE)
):
    """Split and merge parts, each once at most; return the relative decrease of the squares."""
    decrease, square = 0.0, 0.0
    for k in range(centers.shape[0]):
        for j in range(centers.shape[1]):
            centers[k, j] = parts.means[k, j]
            square += parts.squares[k, j]
    while True:
        split, merged = next_pair(parts)
        if merged < 0 or not parts.gains[split] > parts.costs[merged]:
            break
        decrease += parts.gains[split] - parts.costs[merged]
        apply_pair(split, merged, parts, centers)
    for t in range(labels.shape[0]):
        for p in range(TILE):
            labels[t, p] = parts.new_labels[labels[t, p], parts.half[t, p]]
    return decrease / square if square > 0 else 0.0


@entry_kernel
def split_and_merge(
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    least_mass,  # in: of a half
    budget,  # in: multiplications after which to return
    place,  # in, out (2,): passes so far, and the next tile
    parts,  # scratch: Parts
    centers,  # in, out (K, d): near the means of the parts
    labels,  # in, out (n_tiles, TILE)
):
    """Split and merge parts; return the relative decrease of the sum of squares.

    -1 if that is not done yet: call again.
    """
    spent, n_tiles = 0, tiles.shape[0]
    while place[PASS] <= HALVES_PASSES:
        if spent >= budget:
            return -1.0
        t = place[NEXT_TILE]
        if place[PASS] == 0:
            add_to_means(t, tiles[t], row_weights[t], labels[t], centers, parts)
        else:
            add_to_halves(t, tiles[t], row_weights[t], labels[t], parts)
        spent += tiles[t].size
        place[NEXT_TILE] += 1
        if place[NEXT_TILE] < n_tiles:
            continue
        if place[PASS] == 0:
            begin_halves(centers, parts)
        else:
            move_halves(parts)
        place[NEXT_TILE], place[PASS] = 0, place[PASS] + 1
    find_gains(least_mass, parts)
    return apply_pairs(parts, centers, labels)
