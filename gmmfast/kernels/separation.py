"""How far components are from each other: bounds that spare most of the E step's triangles.

Let z be the mean of component o as component k sees it, ``factor_k @ (mean_o - mean_k)``, and u
its direction. Then for every row ``|factor_k @ (x - mean_k)| >= |z| + u @ factor_k @ (x - mean_o)``:
d multiplications instead of d^2 / 2, and near to the truth for rows that o owns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.options import kernel

LARGEST = 1 << 22  # values of the table; 32 MB
SMALLEST = 8  # features; with fewer a row of the triangle costs no more than the bound


class Separation(NamedTuple):
    """The bound's parts for owner o and component k; both empty where there is no such table."""

    gaps: NDArray  # (K, K): [o, k] = |z|
    directions: NDArray  # (K, K, d): [o, k] = factor_k.T @ u


def separate(means: NDArray, factors: NDArray, n_rows: int) -> Separation:
    """Return the table, unless it is no use: for diagonals, for few rows a component."""
    K, d = means.shape
    if factors.ndim == 2 or d < SMALLEST or n_rows < 64 * K or K * K * d > LARGEST:
        K = 0
    separation = Separation(np.empty((K, K), means.dtype), np.zeros((K, K, d), means.dtype))
    if K:
        fill(means, factors, np.empty((d, d), means.dtype), np.empty((2, d), means.dtype), *separation)
    return separation


@kernel
def fill(
    means,  # in (K, d)
    factors,  # in (K, d, d), lower
    upper,  # scratch (d, d)
    row,  # scratch (2, d)
    gaps,  # out (K, K)
    directions,  # in, out (K, K, d): zero before
):
    """Fill the table. Inner loops run along rows, so that the compiler can use vectors."""
    K, d = means.shape
    difference, z = row[0], row[1]
    for k in range(K):
        for i in range(d):
            for j in range(d):
                upper[j, i] = factors[k, i, j]
        for o in range(K):
            for j in range(d):
                difference[j] = means[o, j] - means[k, j]
                z[j] = 0.0
            for j in range(d):
                v = difference[j]
                for i in range(j, d):
                    z[i] += v * upper[j, i]
            square = 0.0
            for i in range(d):
                square += z[i] * z[i]
            gap = np.sqrt(square)
            gaps[o, k] = gap
            if gap > 0:
                for i in range(d):
                    u = z[i] / gap
                    for j in range(i + 1):
                        directions[o, k, j] += u * factors[k, i, j]
