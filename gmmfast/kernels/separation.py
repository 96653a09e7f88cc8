"""Separation of components: bounds that avoid most of the E step's triangular products.

Let z be the mean of component o in the coordinates of k, ``factor_k @ (mean_o - mean_k)``, and u
its direction. Then ``|factor_k @ (x - mean_k)| >= |z| + u @ factor_k @ (x - mean_o)`` for every x:
d multiplications instead of d^2 / 2, and tight for rows that o owns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import allocating_kernel, kernel
from gmmfast.kernels.density import TILE, aligned, subtract, triangle_row
from gmmfast.kernels.simd import fma, lanes, load, splat, store

LARGEST = 1 << 22  # values of the table; 32 MB
ROWS_PER_COMPONENT = 64  # with fewer, the table costs as much as a component's distances
SMALLEST = 8  # features; with fewer a row of the triangle costs no more than the bound


class Separation(NamedTuple):
    """Table of the bound's terms for owner o and component k; both empty if there is none."""

    gaps: NDArray  # (K, K): [o, k] = |z|
    directions: NDArray  # (K, K, d): [o, k] = factor_k.T @ u


def separate(means: NDArray, factors: NDArray, n_rows: int) -> Separation:
    """Return the table, or an empty one if it does not pay."""
    separation = new_separation(means, factors, n_rows)
    fill_separation(factors, means, separation)
    return separation


def new_separation(means: NDArray, factors: NDArray, n_rows: int) -> Separation:
    """Allocate the table; an empty one for diagonals, few features, or few rows."""
    K, d = means.shape
    few = n_rows < ROWS_PER_COMPONENT * K
    if factors.ndim == 2 or d < SMALLEST or few or K * K * d > LARGEST:
        return no_separation(means)
    return Separation(np.empty((K, K), means.dtype), np.empty((K, K, d), means.dtype))


def no_separation(means: NDArray) -> Separation:
    """Return an empty table: only full distances are used."""
    return Separation(np.empty((0, 0), means.dtype), np.empty((0, 0, means.shape[1]), means.dtype))


@allocating_kernel
def fill_separation(
    factors,  # in (K, d, d), or (K, d): no table
    means,  # in (K, d)
    separation,  # out, where it is not empty
):
    """Fill the table."""
    if factors.ndim == 3 and separation.gaps.size > 0:
        K, d = means.shape
        n_tiles = (K + TILE - 1) // TILE
        owners = aligned(n_tiles * d, means[0]).reshape(n_tiles, d, TILE)
        for o in range(n_tiles * TILE):
            for j in range(d):
                owners[o // TILE, j, o % TILE] = means[o % K, j]
        fill(owners, means, factors, aligned(2 * d + 1, means[0]), separation)


@kernel
def fill(
    owners,  # in (n_tiles, d, TILE): means, padded
    means,  # in (K, d)
    factors,  # in (K, d, d), lower
    work,  # scratch (2 d + 1, TILE)
    separation,  # out
):
    """Fill the table, a tile of owners at a time."""
    K, d = means.shape
    residual, z, gap = work[:d], work[d : 2 * d], work[2 * d]
    for k in range(K):
        for t in range(owners.shape[0]):
            subtract(owners[t], means[k], residual)
            n = min(TILE, K - t * TILE)
            whiten_owners(n, factors[k], residual, z, gap)
            for q in range(n):
                o = t * TILE + q
                known = 0 < gap[q] < np.inf  # else the bound is zero, and prunes nothing
                separation.gaps[o, k] = np.sqrt(gap[q]) if known else 0.0
                for j in range(d):
                    u = residual[j, q] / separation.gaps[o, k] if known else 0.0
                    separation.directions[o, k, j] = u


@kernel
def whiten_owners(
    n,  # in: owners in the tile
    factor,  # in (d, d), lower
    residual,  # in, out (d, TILE) mean_o - mean_k -> factor.T @ z
    z,  # scratch (d, TILE) factor @ (mean_o - mean_k)
    square,  # out (TILE,) |z|^2
):
    """Owners' means in the coordinates of one component."""
    d = residual.shape[0]
    for p in range(0, n, lanes(z)):
        store(square, (p,), splat(0.0, z))
    for r in range(d):
        for p in range(0, n, lanes(z)):
            a = triangle_row(factor, r, residual, p)
            store(z, (r, p), a)
            store(square, (p,), fma(a, a, load(square, (p,))))
    for j in range(d):
        for p in range(0, n, lanes(z)):
            a = splat(0.0, z)
            for r in range(j, d):
                a = fma(splat(factor[r, j], z), load(z, (r, p)), a)
            store(residual, (j, p), a)
