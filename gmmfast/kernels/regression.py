"""Features of rows predicted from their other features, by the conditional mixture of each row.

Given what is known of a row, the targets are a mixture: a component has its responsibility as
weight, its mean is linear in what is known, and its variance is constant (Sung 2004, section 2.3).
The variance of the mixture is summed about its mean: no square of a mean is subtracted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from gmmfast.kernels.compiling import allocating_kernel, kernel, parallel_kernel
from gmmfast.kernels.density import log_densities, relative_densities
from gmmfast.kernels.packing import gather
from gmmfast.kernels.simd import fma, lanes, load, splat, store, where_above
from gmmfast.kernels.tiles import TILE, aligned, make_work


class Lines(NamedTuple):
    """The targets given what is known, of each component: linear, with a constant variance."""

    known: NDArray  # (K, o) means of the known features, about the center of the rows
    means: NDArray  # (K, t) means of the targets
    slopes: NDArray  # (K, t, o)
    variances: NDArray  # (K, t) of the targets; of t components, where the expected weight is one


@kernel
def gather_rows(
    X,  # in (n, o)
    center,  # in (o,)
    start,  # in: first row of the tile
    tile,  # out (o, TILE): rows about the center, padded with the last row
):
    """Gather rows as `gather` does; ten times as fast at o = 1 where the tile is full.

    Indices of a view that begin at zero need no test for negative ones, and become vectors.
    """
    if start + TILE > X.shape[0]:
        gather(X, center, None, start, tile)
        return
    rows = X[start : start + TILE]
    for j in range(tile.shape[0]):
        for p in range(TILE):
            tile[j, p] = rows[p, j] - center[j]


@kernel
def scatter_rows(
    tile,  # in (t, TILE)
    rows,  # out (m, t): the first columns of the tile
):
    """Write a tile to rows."""
    for j in range(rows.shape[1]):
        for p in range(rows.shape[0]):
            rows[p, j] = tile[j, p]


@kernel
def weigh(
    n_active,  # in
    work,  # in: best; in, out: resp, log densities -> relative ones; out: inverse
):
    """Relative densities of the tile's rows, and the factor that makes them responsibilities.

    `log_sum_exp` without the log density, which nobody needs here.
    """
    for p in range(0, TILE, lanes(work.best)):
        relative_densities(n_active, p, work)


@kernel
def along_line(
    x,  # in (o, TILE)
    p,  # in: first row of the vector
    lines,  # in: Lines
    k,  # in: component
    j,  # in: target
):
    """A target on the line of a component."""
    value = splat(lines.means[k, j], x)
    for b in range(x.shape[0]):
        residual = load(x, (b, p)) - splat(lines.known[k, b], x)
        value = fma(splat(lines.slopes[k, j, b], x), residual, value)
    return value


@kernel
def variance_of(
    variance,  # in
    latent,  # in (K + 1, TILE) expected latent weights of t components, or None
    a,  # in: place of the component
    p,  # in: first row of the vector
    like,  # in: example of the element type
):
    """Variance of a target in rows: t components are wider, the farther a row is from them."""
    if latent is None:
        return splat(variance, like)
    return splat(variance, like) / load(latent, (a, p))


@kernel
def put_means(
    x,  # in (o, TILE)
    n_active,  # in
    lines,  # in: Lines
    work,  # in: active, resp, inverse
    means,  # out (t, TILE)
):
    """Conditional means of the targets of a tile.

    Sums over components stay in registers, and are normalized once: predictions take 0.77 to 0.89
    of the time of adding normalized terms in memory, one component after the other.
    """
    for j in range(means.shape[0]):
        for p in range(0, TILE, lanes(x)):
            total = splat(0.0, x)
            for a in range(n_active):
                k = work.active[a]
                value = along_line(x, p, lines, k, j)
                total = fma(load(work.resp, (a, p)), value, total)
            store(means, (j, p), total * load(work.inverse, (p,)))


@kernel
def put_deviations(
    x,  # in (o, TILE)
    n_active,  # in
    lines,  # in: Lines
    work,  # in: active, resp, inverse, latent
    means,  # in (t, TILE)
    deviations,  # out (t, TILE)
):
    """Conditional standard deviations of a tile's targets, within and between the components."""
    zero = splat(0.0, x)
    for j in range(means.shape[0]):
        for p in range(0, TILE, lanes(x)):
            mean, total = load(means, (j, p)), zero
            for a in range(n_active):
                k = work.active[a]
                value = along_line(x, p, lines, k, j)
                between, r = value - mean, load(work.resp, (a, p))
                within = variance_of(lines.variances[k, j], work.latent, a, p, x)
                square = fma(between, between, within)  # within may be infinite
                total = total + where_above(r, zero, r * square, zero)
            store(deviations, (j, p), total * load(work.inverse, (p,)))
        for p in range(TILE):
            deviations[j, p] = np.sqrt(deviations[j, p])


@kernel
def predict_shard(
    s,  # in: number of the shard
    n_shards,  # in: shard s takes tiles s, s + n_shards, ...
    X,  # in (n, o)
    center,  # in (o,)
    density,  # in: Density of the known features, about the center
    separation,  # in: an empty Separation
    lines,  # in: Lines
    tile,  # scratch (o, TILE)
    work,  # scratch
    moments,  # scratch (2 t, TILE)
    means,  # out (n, t)
    deviations,  # out (n, t) or (0, t)
):
    """Conditional means and standard deviations of the targets, of the rows of one shard."""
    (n, t), guess = means.shape, np.int64(0)  # rows are unsorted: any component may own a tile
    for start in range(s * TILE, n, n_shards * TILE):
        end = min(start + TILE, n)
        gather_rows(X, center, start, tile)
        n_active = log_densities(tile, density, separation, guess, -np.inf, work)
        weigh(n_active, work)
        put_means(tile, n_active, lines, work, moments[:t])
        scatter_rows(moments[:t], means[start:end])
        if deviations.shape[0] > 0:
            put_deviations(tile, n_active, lines, work, moments[:t], moments[t:])
            scatter_rows(moments[t:], deviations[start:end])


@allocating_kernel
def predict_shards(
    begin, end, n_shards, X, center, density, separation, lines, means, deviations
):  # fmt: skip
    """Shards, one after the other."""
    tile = aligned(X.shape[1], center)
    work = make_work(density.constants.size, tile, density.tails, density.filters)
    moments = aligned(2 * means.shape[1], center)
    for s in range(begin, end):
        predict_shard(
            s, n_shards, X, center, density, separation, lines, tile, work, moments,
            means, deviations,
        )  # fmt: skip


@parallel_kernel
def predict(begin, end, n_shards, X, center, density, separation, lines, means, deviations):
    """Shards, in parallel."""
    for s in prange(begin, end):
        tile = aligned(X.shape[1], center)
        work = make_work(density.constants.size, tile, density.tails, density.filters)
        moments = aligned(2 * means.shape[1], center)
        predict_shard(
            np.int64(s), n_shards, X, center, density, separation, lines, tile, work, moments,
            means, deviations,
        )  # fmt: skip
