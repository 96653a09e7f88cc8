"""Squared Mahalanobis distances of one tile from one component, left early if they are too large.

``|factor @ (x - mean)|^2`` only grows as rows of the triangle are added, or features of a filter.
"""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.compiling import kernel
from gmmfast.kernels.filters import BLOCK, take_four, take_one
from gmmfast.kernels.simd import any_reaches, fma, lanes, load, splat, store
from gmmfast.kernels.tiles import TILE

DEGREES, LOG_LATENT = range(2)  # columns of `Density.tails`


@kernel
def subtract(
    x,  # in (d, TILE)
    mean,  # in (d,)
    residual,  # out (d, TILE)
):
    """``x - mean``."""
    for j in range(x.shape[0]):
        m = splat(mean[j], x)
        for p in range(0, TILE, lanes(x)):
            store(residual, (j, p), load(x, (j, p)) - m)


@kernel
def triangle_row(
    factor,  # in (d, d), lower
    r,  # in: its row
    x,  # in (d, TILE)
    p,  # in: first row of the vector
):
    """``factor[r] @ x`` for a vector of rows."""
    a = splat(0.0, x)
    for j in range(r + 1):
        a = fma(splat(factor[r, j], x), load(x, (j, p)), a)
    return a


@kernel
def whiten(
    x,  # in (d, TILE)
    whitening,  # in (d, d) lower, or None
    out,  # scratch (d, TILE)
):
    """``whitening @ x``, or `x` itself without a whitening."""
    if whitening is None:
        return x
    for r in range(x.shape[0]):
        for p in range(0, TILE, lanes(x)):
            store(out, (r, p), triangle_row(whitening, r, x, p))
    return out


@kernel
def add_four_squares(
    residual,  # in (d, TILE)
    factor,  # in (d, d), lower
    r,  # in: the first of four rows of the factor
    distance,  # in, out (TILE,)
):
    """``distance += |factor[r : r + 4] @ residual|^2``.

    Four rows by a vector: eight accumulators keep two FMA units with a latency of four cycles
    busy. Entries right of the diagonal are zero.
    """
    for p in range(0, TILE, lanes(residual)):
        a = splat(0.0, residual)
        b = a
        c = a
        e = a
        for j in range(r + 4):
            v = load(residual, (j, p))
            a = fma(splat(factor[r, j], residual), v, a)
            b = fma(splat(factor[r + 1, j], residual), v, b)
            c = fma(splat(factor[r + 2, j], residual), v, c)
            e = fma(splat(factor[r + 3, j], residual), v, e)
        s = fma(a, a, load(distance, (p,)))
        store(distance, (p,), fma(e, e, fma(c, c, fma(b, b, s))))


@kernel
def add_last_squares(
    residual,  # in (d, TILE)
    factor,  # in (d, d), lower
    begin,  # in: first remaining row of the factor
    distance,  # in, out (TILE,)
):
    """``distance += |factor[begin:] @ residual|^2``, two rows of the factor at a time.

    Entries right of the diagonal are zero.
    """
    d = residual.shape[0]
    for r in range(begin, d - 1, 2):
        for p in range(0, TILE, lanes(residual)):
            a = splat(0.0, residual)
            b = a
            for j in range(r + 2):
                v = load(residual, (j, p))
                a = fma(splat(factor[r, j], residual), v, a)
                b = fma(splat(factor[r + 1, j], residual), v, b)
            store(distance, (p,), fma(b, b, fma(a, a, load(distance, (p,)))))
    if (d - begin) % 2 == 1:
        for p in range(0, TILE, lanes(residual)):
            a = triangle_row(factor, d - 1, residual, p)
            store(distance, (p,), fma(a, a, load(distance, (p,))))


@kernel
def add_four_scaled_squares(
    x,  # in (d, TILE)
    mean,  # in (d,)
    scales,  # in (d,) 1 / standard deviation
    j,  # in: the first of four features
    distance,  # in, out (TILE,)
):
    """``distance += |(x - mean) * scales|^2`` over four features."""
    m0, m1 = splat(mean[j], x), splat(mean[j + 1], x)
    m2, m3 = splat(mean[j + 2], x), splat(mean[j + 3], x)
    s0, s1 = splat(scales[j], x), splat(scales[j + 1], x)
    s2, s3 = splat(scales[j + 2], x), splat(scales[j + 3], x)
    for p in range(0, TILE, lanes(x)):
        a = (load(x, (j, p)) - m0) * s0
        b = (load(x, (j + 1, p)) - m1) * s1
        c = (load(x, (j + 2, p)) - m2) * s2
        e = (load(x, (j + 3, p)) - m3) * s3
        s = fma(a, a, load(distance, (p,)))
        store(distance, (p,), fma(e, e, fma(c, c, fma(b, b, s))))


@kernel
def add_last_scaled_squares(
    x,  # in (d, TILE)
    mean,  # in (d,)
    scales,  # in (d,) 1 / standard deviation
    begin,  # in: first remaining feature
    distance,  # in, out (TILE,)
):
    """``distance += |(x - mean) * scales|^2`` over the features from `begin` on."""
    for j in range(begin, x.shape[0]):
        m, s = splat(mean[j], x), splat(scales[j], x)
        for p in range(0, TILE, lanes(x)):
            a = (load(x, (j, p)) - m) * s
            store(distance, (p,), fma(a, a, load(distance, (p,))))


@kernel
def reach_of(
    tails,  # in: of a Density
    k,  # in: component
    d,  # in: features
    constant,  # in
    least,  # in: the smallest best log density of the tile's rows, or a lower bound
    cut,  # in: how far below the best a log density is negligible
):
    """Squared distance beyond which a t component is negligible; None for normal components."""
    if tails is None:
        return None
    degrees = tails[k, DEGREES]
    reach = degrees * np.expm1((constant - least - cut) / (0.5 * (degrees + d)))
    return np.inf if np.isnan(reach) else reach


@kernel
def can_matter(
    constant,  # in
    distance,  # in (TILE,): a lower bound of the squared distance
    best,  # in (TILE,)
    cut,  # in: how far below the best a log density is negligible
    reach,  # in: of `reach_of`
):
    """Whether some row's log density can still be within `cut` of its best."""
    if reach is not None:
        return is_any_within(reach, distance)
    c, limit, half = splat(constant, best), splat(cut, best), splat(-0.5, best)
    for p in range(0, TILE, lanes(best)):
        if any_reaches(fma(half, load(distance, (p,)), c) - load(best, (p,)), limit):
            return True
    return False


@kernel
def is_any_within(
    reach,  # in
    distance,  # in (TILE,): squared
):
    """Whether some row is within reach."""
    limit, zero = splat(reach, distance), splat(0.0, distance)
    for p in range(0, TILE, lanes(distance)):
        if any_reaches(limit - load(distance, (p,)), zero):
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
    reach,  # in: of `reach_of`
    residual,  # scratch (d, TILE)
    distance,  # out (TILE,) |factor @ (x - mean)|^2
):
    """Squared Mahalanobis distances; return False early if the component cannot matter."""
    d = x.shape[0]
    whole = d - d % 4
    for p in range(0, TILE, lanes(x)):
        store(distance, (p,), splat(0.0, x))
    if factor.ndim == 1:
        for j in range(0, whole, 4):
            add_four_scaled_squares(x, mean, factor, j, distance)
            if not can_matter(constant, distance, best, cut, reach):
                return False
        if whole < d:
            add_last_scaled_squares(x, mean, factor, whole, distance)
            return can_matter(constant, distance, best, cut, reach)
        return True
    subtract(x, mean, residual)
    for r in range(0, whole, 4):
        add_four_squares(residual, factor, r, distance)
        if not can_matter(constant, distance, best, cut, reach):
            return False
    if whole < d:
        add_last_squares(residual, factor, whole, distance)
        return can_matter(constant, distance, best, cut, reach)
    return True


@kernel
def filtered_distance(
    x,  # in (d, TILE)
    mean,  # in (d,)
    filter_,  # in: of one component
    constant,  # in
    best,  # in (TILE,)
    cut,  # in
    reach,  # in: of `reach_of`
    scores,  # out (q, TILE): expected factors
    distance,  # out (TILE,): squared
):
    """Squared Mahalanobis distances; return False early if the component cannot matter."""
    d = x.shape[0]
    whole = d - d % BLOCK
    for p in range(0, TILE, lanes(x)):
        store(distance, (p,), splat(0.0, x))
        for a in range(scores.shape[0]):
            store(scores, (a, p), splat(0.0, x))
    for j in range(0, whole, BLOCK):
        take_four(x, mean, filter_, j, scores, distance)
        if not can_matter(constant, distance, best, cut, reach):
            return False
    for j in range(whole, d):
        take_one(x, mean, filter_, j, scores, distance)
    return can_matter(constant, distance, best, cut, reach)


@kernel
def distance_of(
    filters,  # in (K, d + q, BLOCK + 3 q) of factor analyzers, or None
    scores,  # out (K, q, TILE) of factor analyzers, or None: expected factors, at k
    k,  # in: component
    x,  # in (d, TILE)
    density,  # in: Density
    cut,  # in
    reach,  # in: of `reach_of`
    work,  # in: best; out: distance; scratch
):
    """Squared Mahalanobis distances; return False early if the component cannot matter."""
    mean, constant = density.means[k], density.constants[k]
    if filters is None:
        return squared_distance(
            x, mean, density.factors[k], constant, work.best, cut, reach, work.residual,
            work.distance,
        )  # fmt: skip
    return filtered_distance(
        x, mean, filters[k], constant, work.best, cut, reach, scores[k], work.distance
    )
