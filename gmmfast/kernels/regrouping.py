"""k-means beyond its local optima: parts of a partition merged, and others cut in two.

Lloyd's passes move each center a little: two centers in one cluster stay there, and so does one
between two clusters. Where a cut lowers the sum of squares by more than a merger raises it, both
together lower it (Kaukoranta, Fränti, Nevalainen 1998: iterative splitting and merging).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import entry_kernel, kernel
from gmmfast.kernels.density import TILE
from gmmfast.kernels.linkage import nearest_neighbor

CUT_PASSES = 3  # of k-means with two centers in each part
FREE, CUT, JOINING, JOINED = range(4)  # fate of a part


class Regrouping(NamedTuple):
    """Scratch of `regroup`: parts, and two halves of each."""

    mass: NDArray  # (K,)
    means: NDArray  # (K, d)
    squares: NDArray  # (K, d): by feature, about the centers
    half: NDArray  # (n_tiles, TILE): 0 or 1, for each row
    half_mass: NDArray  # (2, K)
    half_means: NDArray  # (2, K, d)
    sums: NDArray  # (2, K, d)
    gains: NDArray  # (K,): by how much a cut lowers the sum of squares
    costs: NDArray  # (K,): by how much the cheapest merger raises it
    partners: NDArray  # (K,): part of that merger; of a cut part, the number of its second half
    fates: NDArray  # (K,)


@kernel
def find_means(
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    labels,  # in (n_tiles, TILE)
    centers,  # in (K, d): near the means
    work,  # out: mass, means, squares
):
    """Mass and mean of each part, and the squares of its features about its center."""
    mass, means, squares = work.mass, work.means, work.squares
    mass[:] = 0.0
    means[:] = 0.0
    squares[:] = 0.0
    for t in range(tiles.shape[0]):
        for p in range(TILE):
            k, w = labels[t, p], np.float64(row_weights[t, p])
            mass[k] += w
            for j in range(centers.shape[1]):
                residual = np.float64(tiles[t, j, p]) - np.float64(centers[k, j])
                means[k, j] += w * residual
                squares[k, j] += w * residual * residual
    for k in range(mass.size):
        for j in range(centers.shape[1]):
            moved = means[k, j] / mass[k] if mass[k] > 0 else 0.0
            means[k, j] = np.float64(centers[k, j]) + moved


@kernel
def begin_halves(
    work,  # in: mass, means, squares; out: half_means
):
    """Two centers in each part: its mean, moved both ways along the widest feature."""
    K, d = work.means.shape
    for k in range(K):
        widest = 0
        for j in range(d):
            work.half_means[0, k, j] = work.half_means[1, k, j] = work.means[k, j]
            if work.squares[k, j] > work.squares[k, widest]:
                widest = j
        if work.mass[k] > 0:
            deviation = np.sqrt(work.squares[k, widest] / work.mass[k])
            work.half_means[0, k, widest] -= deviation
            work.half_means[1, k, widest] += deviation


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
def improve_halves(
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    labels,  # in (n_tiles, TILE)
    work,  # in, out: half, half_mass, half_means
):
    """A pass of k-means with two centers in each part."""
    work.half_mass[:] = 0.0
    work.sums[:] = 0.0
    for t in range(tiles.shape[0]):
        for p in range(TILE):
            k, w = labels[t, p], np.float64(row_weights[t, p])
            h = nearer_half(tiles[t], p, work.half_means[0, k], work.half_means[1, k])
            work.half[t, p] = h
            work.half_mass[h, k] += w
            for j in range(work.means.shape[1]):
                work.sums[h, k, j] += w * np.float64(tiles[t, j, p])
    for h in range(2):
        for k in range(work.mass.size):
            for j in range(work.means.shape[1]):
                if work.half_mass[h, k] > 0:
                    work.half_means[h, k, j] = work.sums[h, k, j] / work.half_mass[h, k]


@kernel
def weigh(
    least_mass,  # in: of a half
    work,  # in, out: gains, costs, partners, fates
):
    """What the sum of squares gains by a cut of each part, and loses by its cheapest merger."""
    for k in range(work.mass.size):
        one, other = work.half_mass[0, k], work.half_mass[1, k]
        work.gains[k], work.fates[k] = 0.0, FREE
        if min(one, other) >= least_mass:
            square = 0.0
            for j in range(work.means.shape[1]):
                difference = work.half_means[0, k, j] - work.half_means[1, k, j]
                square += difference * difference
            work.gains[k] = square * one * other / (one + other)
        work.partners[k], work.costs[k] = nearest_neighbor(k, -1, work.mass, work.means)


@kernel
def next_move(
    work,  # in
):
    """The free part that gains most by a cut, and the free part with the cheapest merger.

    -1 for none; the first of ties.
    """
    cut, joining = -1, -1
    for k in range(work.mass.size):
        best = work.gains[cut] if cut >= 0 else 0.0
        if work.fates[k] == FREE and work.gains[k] > best:
            cut = k
    for k in range(work.mass.size):
        partner = work.partners[k]
        if cut < 0 or partner < 0 or k == cut or partner == cut:
            continue
        is_free = work.fates[k] == FREE and work.fates[partner] == FREE
        if is_free and (joining < 0 or work.costs[k] < work.costs[joining]):
            joining = k
    return cut, joining


@kernel
def move(
    cut,  # in: the part to be cut
    joining,  # in: the part that joins its partner; the second half takes its number
    work,  # in, out: partners, fates
    centers,  # in, out (K, d): means of the parts
):
    """Merge two parts, and cut a third one."""
    joined = work.partners[joining]
    share = work.mass[joining] / (work.mass[joining] + work.mass[joined])
    for j in range(centers.shape[1]):
        centers[joined, j] += share * (work.means[joining, j] - work.means[joined, j])
        centers[cut, j] = work.half_means[0, cut, j]
        centers[joining, j] = work.half_means[1, cut, j]
    work.fates[cut], work.fates[joining], work.fates[joined] = CUT, JOINING, JOINED
    work.partners[cut] = joining


@kernel
def relabel(
    work,  # in: half, partners, fates
    labels,  # in, out (n_tiles, TILE)
):
    """Label the rows of parts that have moved."""
    for t in range(labels.shape[0]):
        for p in range(TILE):
            k = labels[t, p]
            fate = work.fates[k]
            if fate == JOINING or (fate == CUT and work.half[t, p] == 1):
                labels[t, p] = work.partners[k]


@entry_kernel
def regroup(
    tiles,  # in (n_tiles, d, TILE)
    row_weights,  # in (n_tiles, TILE)
    least_mass,  # in: of a half
    work,  # scratch: Regrouping
    centers,  # in, out (K, d): near the means of the parts
    labels,  # in, out (n_tiles, TILE)
):
    """Merge and cut parts, each once at most; return the part of the sum of squares gained."""
    find_means(tiles, row_weights, labels, centers, work)
    begin_halves(work)
    for _ in range(CUT_PASSES):
        improve_halves(tiles, row_weights, labels, work)
    weigh(least_mass, work)
    gained, square = 0.0, 0.0
    for k in range(centers.shape[0]):
        for j in range(centers.shape[1]):
            centers[k, j] = work.means[k, j]
            square += work.squares[k, j]
    while True:
        cut, joining = next_move(work)
        if joining < 0 or not work.gains[cut] > work.costs[joining]:
            break
        gained += work.gains[cut] - work.costs[joining]
        move(cut, joining, work, centers)
    relabel(work, labels)
    return gained / square if square > 0 else 0.0
