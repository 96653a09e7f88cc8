"""The E step of one tile: log densities of its rows, pruned, and what follows from them.

A tile is ``x (d, TILE)``: feature-major, so that the lanes of a vector are rows. A component is
given up as soon as it cannot matter to any row of the tile. That is exact: its log density,
``constant - |factor @ (x - mean)|^2 / 2``, only falls as rows of the triangle are added.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.options import allocating_kernel, kernel
from gmmfast.kernels.simd import (
    any_reaches,
    exp,
    fma,
    lanes,
    load,
    log,
    maximum,
    splat,
    store,
    total,
)

TILE = 64  # rows; a tile and its residuals stay in the 32 KiB L1 cache up to d = 32


class Work(NamedTuple):
    """Scratch of one tile."""

    whitened: NDArray  # (d, TILE)
    residual: NDArray  # (d, TILE) x - mean
    weighted: NDArray  # (d, TILE) responsibility * residual
    resp: NDArray  # (K, TILE) log densities of the active components, then their responsibilities
    distance: NDArray  # (TILE,) squared Mahalanobis distance, or as far as it is known
    best: NDArray  # (TILE,) largest log density
    log_density: NDArray  # (TILE,) of the mixture
    active: NDArray  # (K,) components that were not given up, in the order of `resp`


@allocating_kernel
def make_work(
    n_components,  # in
    x,  # in (d, TILE): a tile of the shape and element type to come
):
    """Allocate the scratch of one tile; once a shard, not once a tile."""
    row = x[0]
    return Work(
        np.empty_like(x), np.empty_like(x), np.empty_like(x),
        np.empty((n_components, TILE), x.dtype),
        np.empty_like(row), np.empty_like(row), np.empty_like(row),
        np.empty(n_components, np.int64),
    )  # fmt: skip


@kernel
def triangle_row(
    x,  # in (d, TILE)
    factor,  # in (d, d), lower
    r,  # in: which row of the factor
    out,  # out (d, TILE): out[r] = factor[r] @ x
):
    """One row of a triangular product."""
    for p in range(0, TILE, lanes(x)):
        a = splat(0.0, x)
        for j in range(r + 1):
            a = fma(splat(factor[r, j], x), load(x, (j, p)), a)
        store(out, (r, p), a)


@kernel
def whiten(
    x,  # in (d, TILE)
    whitening,  # in (d, d) lower, or None
    out,  # scratch (d, TILE)
):
    """``whitening @ x``, or `x` itself where there is nothing to whiten with."""
    if whitening is None:
        return x
    for r in range(x.shape[0]):
        triangle_row(x, whitening, r, out)
    return out


@kernel
def add_one_square(
    x,  # in (d, TILE)
    mean,  # in (d,)
    factor,  # in (d, d), lower
    r,  # in: which row of the factor
    residual,  # in, out (d, TILE): x - mean, rows below r; row r is added
    distance,  # in, out (TILE,)
):
    """``distance += (factor[r] @ (x - mean)) ** 2``."""
    for p in range(0, TILE, lanes(x)):
        store(residual, (r, p), load(x, (r, p)) - splat(mean[r], x))
        a = splat(0.0, x)
        for j in range(r + 1):
            a = fma(splat(factor[r, j], x), load(residual, (j, p)), a)
        store(distance, (p,), fma(a, a, load(distance, (p,))))


@kernel
def add_two_squares(
    x,  # in (d, TILE)
    mean,  # in (d,)
    factor,  # in (d, d), lower
    r,  # in: the first of two rows of the factor
    residual,  # in, out (d, TILE): x - mean, rows below r; rows r and r + 1 are added
    distance,  # in, out (TILE,)
):
    """``distance += |factor[r : r + 2] @ (x - mean)|^2``.

    Two rows by two vectors: eight registers accumulate, as many as it takes to keep two FMA units
    of four cycles busy.
    """
    step = lanes(x)
    for p in range(0, TILE, step):
        store(residual, (r, p), load(x, (r, p)) - splat(mean[r], x))
        store(residual, (r + 1, p), load(x, (r + 1, p)) - splat(mean[r + 1], x))
    for p in range(0, TILE, 2 * step):
        a0 = splat(0.0, x)
        a1 = a0
        b0 = a0
        b1 = a0
        for j in range(r + 2):
            v0 = load(residual, (j, p))
            v1 = load(residual, (j, p + step))
            f = splat(factor[r, j], x)
            g = splat(factor[r + 1, j], x)
            a0 = fma(f, v0, a0)
            a1 = fma(f, v1, a1)
            b0 = fma(g, v0, b0)
            b1 = fma(g, v1, b1)
        store(distance, (p,), fma(b0, b0, fma(a0, a0, load(distance, (p,)))))
        store(distance, (p + step,), fma(b1, b1, fma(a1, a1, load(distance, (p + step,)))))


@kernel
def add_scaled_square(
    x,  # in (d, TILE)
    mean,  # in (d,)
    scales,  # in (d,) 1 / standard deviation
    j,  # in: which feature
    distance,  # in, out (TILE,)
):
    """``distance += ((x[j] - mean[j]) * scales[j]) ** 2``."""
    m, s = splat(mean[j], x), splat(scales[j], x)
    for p in range(0, TILE, lanes(x)):
        z = (load(x, (j, p)) - m) * s
        store(distance, (p,), fma(z, z, load(distance, (p,))))


@kernel
def can_matter(
    constant,  # in
    distance,  # in (TILE,): a lower bound of the squared distance
    best,  # in (TILE,)
    cut,  # in: how far below the best a log density is negligible
):
    """Whether some row's log density can still be within `cut` of its best."""
    c, limit, half = splat(constant, best), splat(cut, best), splat(-0.5, best)
    for p in range(0, TILE, lanes(best)):
        if any_reaches(fma(half, load(distance, (p,)), c) - load(best, (p,)), limit):
            return True
    return False


@kernel
def squared_distance(
    x,  # in (d, TILE)
    mean,  # in (d,)
    factor,  # in (d, d) lower, or (d,)
    constant,  # in
    best,  # in (TILE,)
    cut,  # in
    residual,  # scratch (d, TILE)
    distance,  # out (TILE,) |factor @ (x - mean)|^2
):
    """Squared Mahalanobis distances; False, early, where the component cannot matter."""
    d = x.shape[0]
    for p in range(0, TILE, lanes(x)):
        store(distance, (p,), splat(0.0, x))
    if factor.ndim == 1:
        for j in range(d):
            add_scaled_square(x, mean, factor, j, distance)
            if j % 4 == 1 and not can_matter(constant, distance, best, cut):
                return False
        return True
    for r in range(0, d - 1, 2):
        add_two_squares(x, mean, factor, r, residual, distance)
        if not can_matter(constant, distance, best, cut):
            return False
    if d % 2:
        add_one_square(x, mean, factor, d - 1, residual, distance)
    return True


@kernel
def log_densities(
    x,  # in (d, TILE)
    density,  # in: gmmfast.parameters.Density
    guess,  # in: the component that probably owns the tile; the others stop against it
    cut,  # in
    work,  # out: best (TILE,), active and resp[:n_active] = log weighted densities
):
    """Log weighted densities of the components that matter to the tile; returns their number."""
    y = whiten(x, density.whitening, work.whitened)
    lowest = splat(np.finfo(x.dtype).min / 2, x)  # stands for -inf: far rows stay finite
    for p in range(0, TILE, lanes(x)):
        store(work.best, (p,), splat(-np.inf, x))  # so that the first one always matters
    n_active = 0
    for turn in range(density.constants.size):
        k = guess if turn == 0 else (0 if turn == guess else turn)
        constant = density.constants[k]
        if constant == -np.inf or not squared_distance(
            y, density.means[k], density.factors[k], constant, work.best, cut,
            work.residual, work.distance,
        ):  # fmt: skip
            continue
        for p in range(0, TILE, lanes(x)):
            v = fma(splat(-0.5, x), load(work.distance, (p,)), splat(constant, x))
            v = maximum(v, lowest)
            store(work.resp, (n_active, p), v)
            store(work.best, (p,), maximum(v, load(work.best, (p,))))
        work.active[n_active] = k
        n_active += 1
    return n_active


@kernel
def normalize(
    n_active,  # in
    work,  # in, out: resp[:n_active] log weighted densities -> responsibilities; out: log_density
):
    """Log-sum-exp over the active components."""
    resp, best, log_density = work.resp, work.best, work.log_density
    for p in range(0, TILE, lanes(best)):
        peak = load(best, (p,))
        s = splat(0.0, best)
        for a in range(n_active):
            e = exp(load(resp, (a, p)) - peak)
            store(resp, (a, p), e)
            s = s + e
        store(log_density, (p,), peak + log(s))
        inverse = splat(1.0, best) / s
        for a in range(n_active):
            store(resp, (a, p), load(resp, (a, p)) * inverse)


@kernel
def heaviest(
    n_active,  # in
    work,  # in: resp, active
):
    """The component with the largest share of the tile."""
    largest, winner = -1.0, 0
    for a in range(n_active):
        s = splat(0.0, work.resp)
        for p in range(0, TILE, lanes(work.resp)):
            s = s + load(work.resp, (a, p))
        share = total(s)
        if share > largest:
            largest, winner = share, work.active[a]
    return winner
