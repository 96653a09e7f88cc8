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

from gmmfast.kernels.compiling import allocating_kernel, kernel
from gmmfast.kernels.distances import filtered_distance, triangle_row
from gmmfast.kernels.filters import BLOCK
from gmmfast.kernels.simd import fma, lanes, load, splat, store
from gmmfast.kernels.tiles import TILE, aligned
from gmmfast.parameters import Density

LARGEST = 1 << 22  # values of a table; 32 MB
ROWS_PER_COMPONENT = 64  # with fewer, the table costs as much as a component's distances
FEW = 16  # components; with fewer a table of no directions does not pay
SMALLEST = 8  # features; with fewer a row of the triangle costs no more than a direction
ROUNDING = 1.01  # of the spread, which is solved for


class Separation(NamedTuple):
    """Table of the bounds' terms for owner o and component k; all empty if there is none."""

    gaps: NDArray  # (K, K): [o, k] = |z|
    spreads: NDArray  # (K, K): [o, k] = |factor_o.T^-1 @ factor_k.T @ u|
    directions: NDArray  # (K, K, d): [o, k] = factor_k.T @ u; or (0, 0, d)


def no_separation(means: NDArray) -> Separation:
    """Return an empty table: only distances are used."""
    nothing = np.empty((0, 0), means.dtype)
    return Separation(nothing, nothing.copy(), np.empty((0, 0, means.shape[1]), means.dtype))


def new_separation(
    means: NDArray, factors: NDArray, n_rows: int, filters: NDArray | None = None
) -> Separation:
    """Allocate the table; an empty one where it is too large or does not pay."""
    K, d = means.shape
    has_directions = (factors.ndim == 3 or filters is not None) and d >= SMALLEST
    is_worth = n_rows >= ROWS_PER_COMPONENT * K and (has_directions or K >= FEW)
    if not is_worth or K * K * d > LARGEST:
        return no_separation(means)
    directions = (K, K, d) if has_directions else (0, 0, d)
    empty = np.empty((2, K, K), means.dtype)
    return Separation(empty[0], empty[1], np.empty(directions, means.dtype))


def separated(density: Density, n_rows: int) -> Separation:
    """Return the table."""
    table = new_separation(density.means, density.factors, n_rows, density.filters)
    if table.gaps.size > 0:
        separate(density, table)
    return table


@allocating_kernel
def separate(
    density,  # in: gmmfast.parameters.Density
    separation,  # out
):
    """Fill the table."""
    K, d = density.means.shape
    columns = d if density.factors.ndim == 3 else 1
    packed = aligned(d * columns, density.means[0]).reshape(d, columns, TILE)
    work = aligned(3 * d + 2, density.means[0])
    for begin in range(0, separation.gaps.shape[0], TILE):
        fill(density.filters, begin, min(begin + TILE, K), density, packed, work, separation)
    return 0


@kernel
def fill(
    filters,  # in: of factor analyzers, or None
    begin,  # in: the first of at most TILE owners
    end,  # in
    density,  # in: gmmfast.parameters.Density
    packed,  # scratch (d, d, TILE) or (d, 1, TILE)
    work,  # scratch (3 d + 2, TILE)
    separation,  # out
):
    """Fill the table for some owners."""
    if filters is not None:
        fill_filtered(filters, begin, end, density, work, separation)
        return
    means, factors = density.means, density.factors
    (K, d), n = means.shape, end - begin
    own, residual, z = work[:d], work[d : 2 * d], work[2 * d : 3 * d]
    square, spread = work[3 * d], work[3 * d + 1]
    for q in range(-(-n // lanes(work)) * lanes(work)):  # whole vectors
        o = min(begin + q, end - 1)
        pack_owner(factors[o], q, packed)
        for j in range(d):
            own[j, q] = means[o, j]
    for k in range(K):
        whiten_owners(n, own, means[k], factors[k], residual, z, square)
        for q in range(n):
            known = 0 < square[q] < np.inf  # else the bound is zero
            gap = np.sqrt(square[q]) if known else 0.0
            separation.gaps[begin + q, k] = gap
            for j in range(d):
                residual[j, q] = residual[j, q] / gap if known else 0.0
            if separation.directions.shape[0] > 0:
                for j in range(d):
                    separation.directions[begin + q, k, j] = residual[j, q]
        solve_transposed(n, packed, residual, spread)
        for q in range(n):
            separation.spreads[begin + q, k] = ROUNDING * np.sqrt(spread[q])


@kernel
def fill_filtered(
    filters,  # in: of factor analyzers
    begin,  # in: the first of at most TILE owners
    end,  # in
    density,  # in: gmmfast.parameters.Density
    work,  # scratch (3 d + 2, TILE)
    separation,  # out
):
    """`fill` for factor analyzers.

    The inverse of a covariance times v is ``(v - loadings.T @ f) / variances``, where f are
    the expected factors given v (the Woodbury identity).
    """
    means, (K, d), n = density.means, density.means.shape, end - begin
    q = filters.shape[1] - d
    own, direction, scores = work[:d], work[d : 2 * d], work[2 * d : 2 * d + q]
    square, best = work[3 * d], work[3 * d + 1]
    for p in range(TILE):
        best[p] = -np.inf
        for j in range(d):
            own[j, p] = means[min(begin + p, end - 1), j]
    for k in range(K):
        filtered_distance(own, means[k], filters[k], 0.0, best, -np.inf, None, scores, square)
        for j in range(d):
            precision = density.factors[k, j] ** 2
            for p in range(0, TILE, lanes(work)):
                v = load(own, (j, p)) - splat(means[k, j], work)
                for a in range(q):
                    v = fma(splat(-filters[k, j, BLOCK + 2 * q + a], work), load(scores, (a, p)), v)
                store(direction, (j, p), v * splat(precision, work))
        for p in range(n):
            known = 0 < square[p] < np.inf  # else the bound is zero
            gap = np.sqrt(square[p]) if known else 0.0
            spread = spread_along(
                direction, p, filters[begin + p], density.factors[begin + p], scores
            )
            separation.gaps[begin + p, k] = gap
            separation.spreads[begin + p, k] = ROUNDING * np.sqrt(spread) / gap if known else 0.0
            if separation.directions.shape[0] > 0:
                for j in range(d):
                    separation.directions[begin + p, k, j] = direction[j, p] / gap if known else 0.0


@kernel
def spread_along(
    direction,  # in (d, TILE)
    p,  # in: column
    filter_,  # in: of a factor analyzer
    factor,  # in (d,): 1 / standard deviations of its noise
    scores,  # scratch (q, TILE)
):
    """Variance of a factor analyzer along a direction."""
    (q, _), d, spread = scores.shape, factor.size, 0.0
    for a in range(q):
        scores[a, 0] = 0.0
    for j in range(d):
        v = direction[j, p]
        spread += (v / factor[j]) ** 2
        for a in range(q):
            scores[a, 0] += v * filter_[j, BLOCK + 2 * q + a]
    for a in range(q):
        spread += scores[a, 0] ** 2
    return spread


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
