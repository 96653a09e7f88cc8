"""Products of tiles, summed over their rows."""

from __future__ import annotations

from gmmfast.kernels.compiling import kernel
from gmmfast.kernels.simd import fma, lanes, load, splat, total
from gmmfast.kernels.tiles import TILE


@kernel
def add_four_by_two(
    u,  # in (m, TILE)
    i,  # in: the first of four of its rows
    v,  # in (n, TILE)
    j,  # in: the first of two of its rows
    sums,  # in, out (m, n): sums[i : i + 4, j : j + 2] += u @ v.T
):
    """Eight sums at once: enough to keep two FMA units with a latency of four cycles busy."""
    a0 = splat(0.0, u)
    a1, b0, b1, c0, c1, e0, e1 = a0, a0, a0, a0, a0, a0, a0
    for p in range(0, TILE, lanes(u)):
        v0, v1 = load(v, (j, p)), load(v, (j + 1, p))
        w = load(u, (i, p))
        a0, a1 = fma(w, v0, a0), fma(w, v1, a1)
        w = load(u, (i + 1, p))
        b0, b1 = fma(w, v0, b0), fma(w, v1, b1)
        w = load(u, (i + 2, p))
        c0, c1 = fma(w, v0, c0), fma(w, v1, c1)
        w = load(u, (i + 3, p))
        e0, e1 = fma(w, v0, e0), fma(w, v1, e1)
    sums[i, j] += total(a0)
    sums[i, j + 1] += total(a1)
    sums[i + 1, j] += total(b0)
    sums[i + 1, j + 1] += total(b1)
    sums[i + 2, j] += total(c0)
    sums[i + 2, j + 1] += total(c1)
    sums[i + 3, j] += total(e0)
    sums[i + 3, j + 1] += total(e1)


@kernel
def add_one(
    u,  # in (m, TILE)
    i,  # in: one of its rows
    v,  # in (n, TILE)
    j,  # in: one of its rows
    sums,  # in, out (m, n): sums[i, j] += u[i] @ v[j]
):
    """One sum."""
    a = splat(0.0, u)
    for p in range(0, TILE, lanes(u)):
        a = fma(load(u, (i, p)), load(v, (j, p)), a)
    sums[i, j] += total(a)
