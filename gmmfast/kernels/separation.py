"""Separation of components: bounds that avoid most of the E step's triangular products.

Let z be the mean of component o in the coordinates of k, ``factor_k @ (mean_o - mean_k)``, and u
its direction. Then ``|factor_k @ (x - mean_k)| >= |z| + u @ factor_k @ (x - mean_o)`` for every x:
d multiplications instead of d^2 / 2, and tight for rows that o owns. With ``y = factor_o @ (x -
mean_o)`` the last term is ``(factor_o.T^-1 @ factor_k.T @ u) @ y``, at least ``-spread |y|``: one
test for all rows of a tile, by the largest of their distances from its owner.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import allocating_kernel, entry_kernel, kernel
from gmmfast.kernels.density import TILE, aligned, triangle_row
from gmmfast.kernels.simd import fma, lanes, load, splat, store
from gmmfast.parameters import Density

LARGEST = 1 << 22  # values of a table; 32 MB. Larger ones are made shard by shard
ROWS_PER_COMPONENT = 64  # with fewer, the table costs as much as a component's distances
FEW = 16  # components; with fewer a table of no directions does not pay
SMALLEST = 8  # features; with fewer a row of the triangle costs no more than a direction
ROUNDING = 1.01  # of the spread, which is solved for


class Separation(NamedTuple):
    """Terms of the bounds for some owners, here o, and all components, here k."""

    slots: NDArray  # (K,): an owner's place in the arrays below, or -1
    owners: NDArray  # (S,)
    gaps: NDArray  # (S, K): [o, k] = |z|
    spreads: NDArray  # (S, K): [o, k] = |factor_o.T^-1 @ factor_k.T @ u|
    directions: NDArray  # (S, K, d): [o, k] = factor_k.T @ u; or (1, 1, d), unused
    factors: NDArray  # (d, d, TILE) or (d, 1, TILE): scratch
    work: NDArray  # (3 d + 2, TILE): scratch


@allocating_kernel
def no_separation(
    means,  # in (K, d)
):
    """Return an empty table: only distances are used."""
    K, d = means.shape
    nothing = np.zeros((1, 1), means.dtype)
    return Separation(
        np.full(K, -1), np.zeros(0, np.int64), nothing, nothing,
        np.zeros((1, 1, d), means.dtype), aligned(0, means[0]).reshape(0, 1, TILE),
        aligned(0, means[0]),
    )  # fmt: skip


@allocating_kernel
def new_separation(
    n_owners,  # in: at most
    n_rows,  # in: of a pass over all K components
    means,  # in (K, d)
    factors,  # in (K, d, d), or (K, d)
):
    """Allocate a table; an empty one where it does not pay: few rows, or few features."""
    K, d = means.shape
    are_kept = factors.ndim == 3 and d >= SMALLEST
    if n_rows < ROWS_PER_COMPONENT * K or not (are_kept or K >= FEW):
        return no_separation(means)
    S = min(n_owners, K, max(LARGEST // (K * d), 1))
    if S == 0:
        return no_separation(means)
    directions = (S, K, d) if are_kept else (1, 1, d)
    columns = d if factors.ndim == 3 else 1
    return Separation(
        np.full(K, -1), np.zeros(S, np.int64),
        np.zeros((S, K), means.dtype), np.zeros((S, K), means.dtype),
        np.zeros(directions, means.dtype),
        aligned(d * columns, means[0]).reshape(d, columns, TILE), aligned(3 * d + 2, means[0]),
    )  # fmt: skip


def separation_for(density: Density, n_rows: int) -> Separation:
    """Allocate a table of all pairs; an empty one where it is too large or does not pay."""
    K, d = density.means.shape
    n_owners = K if K * K * d <= LARGEST else 0
    table: Separation = new_separation(n_owners, n_rows, density.means, density.factors)
    return table


def separated(density: Density, n_rows: int) -> Separation:
    """Return the table of all pairs."""
    table = separation_for(density, n_rows)
    separate(np.arange(table.owners.size), density, table)
    return table


@allocating_kernel
def own_separation(
    n_tiles,  # in
    n_shards,  # in
    density,  # in: gmmfast.parameters.Density
):
    """Allocate a table for the owners of one shard; an empty one where all shards share one."""
    K, d = density.means.shape
    n_owners = n_tiles // n_shards + 1 if K * K * d > LARGEST else 0
    return new_separation(n_owners, n_tiles * TILE, density.means, density.factors)


@allocating_kernel
def separate_all(
    density,  # in: gmmfast.parameters.Density
    separation,  # out
):
    """Fill a table of all pairs."""
    separate(np.arange(separation.owners.size), density, separation)


@kernel
def has_directions(separation):
    """Whether a table holds directions."""
    return separation.directions.shape[1] == separation.slots.size


@entry_kernel
def separate(
    guesses,  # in (n_tiles,): likely owners
    density,  # in: gmmfast.parameters.Density
    separation,  # out
):
    """Fill a table for the owners of some tiles, as many as it holds."""
    slots, owners = separation.slots, separation.owners
    slots[:] = -1
    n_owners = 0
    for t in range(guesses.size):
        o = guesses[t]
        if n_owners < owners.size and slots[o] < 0 and density.constants[o] > -np.inf:
            slots[o] = n_owners
            owners[n_owners] = o
            n_owners += 1
    for begin in range(0, n_owners, TILE):
        fill(begin, min(begin + TILE, n_owners), density, separation)


@kernel
def fill(
    begin,  # in: the first of at most TILE owners
    end,  # in
    density,  # in: gmmfast.parameters.Density
    separation,  # out
):
    """Fill the table for some owners."""
    means, factors, work = density.means, density.factors, separation.work
    (K, d), n = means.shape, end - begin
    own, residual, z = work[:d], work[d : 2 * d], work[2 * d : 3 * d]
    square, spread = work[3 * d], work[3 * d + 1]
    keeps_directions = has_directions(separation)
    for q in range(-(-n // lanes(work)) * lanes(work)):  # whole vectors
        o = separation.owners[min(begin + q, end - 1)]
        pack_owner(factors[o], q, separation.factors)
        for j in range(d):
            own[j, q] = means[o, j]
    for k in range(K):
        whiten_owners(n, own, means[k], factors[k], residual, z, square)
        for q in range(n):
            known = 0 < square[q] < np.inf  # else the bounds are zero, and prune nothing
            gap = np.sqrt(square[q]) if known else 0.0
            separation.gaps[begin + q, k] = gap
            for j in range(d):
                residual[j, q] = residual[j, q] / gap if known else 0.0
            if keeps_directions:
                for j in range(d):
                    separation.directions[begin + q, k, j] = residual[j, q]
        solve_transposed(n, separation.factors, residual, spread)
        for q in range(n):
            separation.spreads[begin + q, k] = ROUNDING * np.sqrt(spread[q])


@kernel
def whiten_owners(
    n,  # in: owners in the tile
    own,  # in (d, TILE): their means
    mean,  # in (d,): of component k
    factor,  # in (d, d), lower, or (d,)
    residual,  # out (d, TILE) factor.T @ z; at first mean_o - mean_k
    z,  # scratch (d, TILE) factor @ (mean_o - mean_k)
    square,  # out (TILE,) |z|^2
):
    """Owners' means in the coordinates of one component."""
    d = residual.shape[0]
    for p in range(0, n, lanes(z)):
        store(square, (p,), splat(0.0, z))
    for r in range(d):
        for p in range(0, n, lanes(z)):
            store(residual, (r, p), load(own, (r, p)) - splat(mean[r], z))
            if factor.ndim == 1:
                a = splat(factor[r], z) * load(residual, (r, p))
                store(residual, (r, p), splat(factor[r], z) * a)
            else:
                a = triangle_row(factor, r, residual, p)
                store(z, (r, p), a)
            store(square, (p,), fma(a, a, load(square, (p,))))
    if factor.ndim == 2:
        for j in range(d):
            for p in range(0, n, lanes(z)):
                a = splat(0.0, z)
                for r in range(j, d):
                    a = fma(splat(factor[r, j], z), load(z, (r, p)), a)
                store(residual, (j, p), a)


@kernel
def pack_owner(
    factor,  # in (d, d), lower, or (d,)
    q,  # in: column
    packed,  # out (d, d, TILE) or (d, 1, TILE), at q: the factor; pivots are inverted
):
    """One owner's factor, in a column beside the other owners."""
    d = factor.shape[0]
    for r in range(d):
        if factor.ndim == 1:
            packed[r, 0, q] = 1 / factor[r]
        else:
            for j in range(r):
                packed[r, j, q] = factor[r, j]
            packed[r, r, q] = 1 / factor[r, r]


@kernel
def solve_transposed(
    n,  # in: owners in the tile
    packed,  # in: factors of the owners
    directions,  # in, out (d, TILE): -> factor.T^-1 @ direction, of each owner
    square,  # out (TILE,): |factor.T^-1 @ direction|^2
):
    """Directions in the coordinates in which the owners have unit covariance."""
    d = directions.shape[0]
    for p in range(0, n, lanes(directions)):
        s = splat(0.0, directions)
        for r in range(d - 1, -1, -1):
            v = load(directions, (r, p)) * load(packed, (r, min(r, packed.shape[1] - 1), p))
            s = fma(v, v, s)
            for j in range(min(r, packed.shape[1] - 1)):
                w = load(directions, (j, p)) - v * load(packed, (r, j, p))
                store(directions, (j, p), w)
        store(square, (p,), s)
