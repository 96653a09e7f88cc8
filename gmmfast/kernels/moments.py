"""The M step's sums of one tile: mass, first and second moments about the current means."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.compiling import kernel
from gmmfast.kernels.distances import LOG_LATENT, subtract
from gmmfast.kernels.filters import add_scores
from gmmfast.kernels.products import add_four_by_two, add_one
from gmmfast.kernels.simd import fma, lanes, load, splat, store, total
from gmmfast.kernels.tiles import TILE


class Sums(NamedTuple):
    """Accumulators, in float64; the first axis is the shard.

    In t components, responsibilities r in mass and moments are times the expected latent weight u.
    Moments of a component without mass are not read; they are cleared when it gets mass. So the
    cost of a shard depends only on the components that it meets.
    """

    log_likelihood: NDArray  # (shards,) sum of w log p
    best: NDArray  # (shards,) sum of w times the log density of the likeliest component alone
    mass: NDArray  # (shards, K) sum of w r
    first: NDArray  # (shards, K, d) sum of w r (x - mean)
    scatter: NDArray  # (shards, K, d, d) or pooled (shards, 1, d, d), lower; or (shards, K, d)
    tails: NDArray  # (shards, 2, K) of t components: sums of w r, and w r log u; or (shards, 2, 0)
    scores: NDArray  # (shards, K, q, d + 1) of factor analyzers: sums of w r f (x - mean), and last
    # of w r f, where f are the expected factors; or (shards, 0, 0, 0)


def make_sums(
    n_shards: int,
    n_components: int,
    n_features: int,
    scatter: tuple[int, ...],
    has_tails: bool = False,
    n_factors: int = 0,
) -> Sums:
    """Allocate accumulators; `scatter` is the shape of one shard's second moments."""
    scores = (n_components, n_factors, n_features + 1) if n_factors else (0, 0, 0)
    return Sums(
        np.zeros(n_shards),
        np.zeros(n_shards),
        np.zeros((n_shards, n_components)),
        np.zeros((n_shards, n_components, n_features)),
        np.zeros((n_shards, *scatter)),  # unused parts take no memory
        np.zeros((n_shards, 2, n_components if has_tails else 0)),
        np.zeros((n_shards, *scores)),
    )


@kernel
def is_pooled(
    scatter,  # in (K, d, d) or (1, d, d)
    means,  # in (K, d)
):
    """Whether one matrix serves all components; a single component's own needs no pooling."""
    return scatter.shape[0] < means.shape[0]


@kernel
def add_outer(
    u,  # in (d, TILE)
    v,  # in (d, TILE)
    scatter,  # in, out (d, d): scatter[i, j] += sum_p u[i, p] v[j, p] for j <= i; the rest is dirty
):
    """Lower triangle of ``u @ v.T``, in blocks of four rows by two columns."""
    d = u.shape[0]
    whole = d - d % 4
    for i in range(0, whole, 4):
        for j in range(0, i + 4, 2):
            add_four_by_two(u, i, v, j, scatter)
    for i in range(whole, d):
        for j in range(i + 1):
            add_one(u, i, v, j, scatter)


@kernel
def weigh(
    x,  # in (d, TILE)
    mean,  # in (d,)
    resp,  # in (K, TILE), times the row weights
    a,  # in: row of resp
    residual,  # out (d, TILE) x - mean
    weighted,  # out (d, TILE) resp[a] * (x - mean)
    first,  # in, out (d,) += sum of weighted
):
    """Residuals from one mean, and their weighted sums."""
    for j in range(x.shape[0]):
        m = splat(mean[j], x)
        s = splat(0.0, x)
        for p in range(0, TILE, lanes(x)):
            v = load(x, (j, p)) - m
            w = load(resp, (a, p)) * v
            store(residual, (j, p), v)
            store(weighted, (j, p), w)
            s = s + w
        first[j] += total(s)


@kernel
def add_diagonal(
    x,  # in (d, TILE)
    mean,  # in (d,)
    resp,  # in (K, TILE), times the row weights
    a,  # in: row of resp
    weighted,  # out (d, TILE) resp[a] * (x - mean), or None
    first,  # in, out (d,) += sum of resp[a] (x - mean)
    scatter,  # in, out (d,) += sum of resp[a] (x - mean)^2
):
    """First moments and the diagonal of the second ones."""
    for j in range(x.shape[0]):
        m = splat(mean[j], x)
        s = splat(0.0, x)
        t = s
        for p in range(0, TILE, lanes(x)):
            v = load(x, (j, p)) - m
            w = load(resp, (a, p)) * v
            if weighted is not None:
                store(weighted, (j, p), w)
            s = s + w
            t = fma(w, v, t)
        first[j] += total(s)
        scatter[j] += total(t)


@kernel
def add_weighted_residuals(
    x,  # in (d, TILE)
    mean,  # in (d,)
    resp,  # in (K, TILE), times the row weights
    a,  # in: row of resp
    about,  # in (d,): the mean of the component that owns the tile
    pooled,  # in, out (d, TILE) += resp[a] (x - mean)
    first,  # in, out (d,) += sum of resp[a] (x - mean)
    scatter,  # in, out (d, d), lower: += sum of resp[a] (x - mean) (about - mean).T
):
    """First moments, and the residuals of all components added up row by row."""
    for j in range(x.shape[0]):
        m = splat(mean[j], x)
        s = splat(0.0, x)
        for p in range(0, TILE, lanes(x)):
            w = load(resp, (a, p)) * (load(x, (j, p)) - m)
            store(pooled, (j, p), load(pooled, (j, p)) + w)
            s = s + w
        moment = total(s)
        first[j] += moment
        for i in range(j + 1):
            scatter[j, i] += moment * (about[i] - mean[i])


@kernel
def add_second_moments(
    x,  # in (d, TILE)
    n_active,  # in
    means,  # in (K, d)
    owner,  # in: the component with the largest share of the tile
    whitening,  # in (d, d), or None: then sums over components may be inexact
    expected,  # in (K, q, TILE): expected factors of factor analyzers, or None
    work,  # in: resp (times the row weights), active; scratch
    first,  # in, out (K, d)
    scatter,  # in, out (K, d, d), (1, d, d) or (K, d)
    scores,  # in, out (K, q, d + 1) of factor analyzers
):
    """Moments about the means; the shape of `scatter` selects the second moments.

    The pooled ones need one outer product per tile instead of one per component, because
    ``sum_k r_k (x - m_k) (x - m_k)^T`` is ``(sum_k r_k (x - m_k)) (x - m)^T`` and
    ``sum_k (r_k (x - m_k)) (m - m_k)^T``, for any m: here the mean of the tile's owner. This
    cancels where whitened rows do: for means many standard deviations apart.
    """
    if expected is not None:
        for a in range(n_active):
            k = work.active[a]
            add_diagonal(x, means[k], work.resp, a, work.weighted, first[k], scatter[k])
            add_scores(work.weighted, work.resp, a, expected[k], scores[k])
    elif scatter.ndim == 2:
        for a in range(n_active):
            k = work.active[a]
            add_diagonal(x, means[k], work.resp, a, None, first[k], scatter[k])
    elif is_pooled(scatter, means) and whitening is not None:
        for j in range(x.shape[0]):
            for p in range(0, TILE, lanes(x)):
                store(work.weighted, (j, p), splat(0.0, x))
        for a in range(n_active):
            k = work.active[a]
            add_weighted_residuals(
                x, means[k], work.resp, a, means[owner], work.weighted, first[k], scatter[0]
            )
        subtract(x, means[owner], work.residual)
        add_outer(work.weighted, work.residual, scatter[0])
    else:
        for a in range(n_active):
            k = work.active[a]
            weigh(x, means[k], work.resp, a, work.residual, work.weighted, first[k])
            add_outer(work.weighted, work.residual, scatter[min(k, scatter.shape[0] - 1)])


@kernel
def weigh_rows(
    row_weight,  # in (TILE,)
    latent,  # in: of the Work
    a,  # in: row of resp
    kept,  # in: the row of resp to write
    work,  # in: inverse, logs; in, out: resp
):
    """Responsibilities times row weights, and times latent weights of t components.

    Returns the sums of the first product, of the result, and of the first product times `logs`.
    """
    s = splat(0.0, work.resp)
    if latent is None:
        for p in range(0, TILE, lanes(work.resp)):
            r = load(work.resp, (a, p)) * (load(work.inverse, (p,)) * load(row_weight, (p,)))
            store(work.resp, (kept, p), r)
            s = s + r
        share = total(s)
        return share, share, 0.0
    t, logged = s, s
    for p in range(0, TILE, lanes(work.resp)):
        r = load(work.resp, (a, p)) * (load(work.inverse, (p,)) * load(row_weight, (p,)))
        weighted = r * load(latent, (a, p))
        store(work.resp, (kept, p), weighted)
        s = s + r
        t = t + weighted
        logged = fma(r, load(work.logs, (a, p)), logged)
    return total(s), total(t), total(logged)


@kernel
def weight_responsibilities(
    row_weight,  # in (TILE,)
    n_active,  # in
    guess,  # in: owner to return if no component has mass
    tails,  # in: of the Density
    work,  # in, out: resp *= inverse * row_weight, active; components without mass are dropped
    mass,  # in, out (K,) += sum of resp
    first,  # out (K, d): cleared for components that had no mass before
    scatter,  # out: likewise
    scores,  # out (K, q, d + 1) of factor analyzers: likewise
    tail_sums,  # in, out (2, K) of t components
):
    """Weights of the rows in the moments of each component, and their sums; noise has no moments.

    Returns the number of components left, and the component with the largest share of the tile.
    """
    kept, largest = 0, 0.0
    for a in range(n_active):
        if work.active[a] == mass.size:
            continue
        share, weight, logged = weigh_rows(row_weight, work.latent, a, kept, work)
        if share > 0:
            k = work.active[a]
            if mass[k] == 0:
                first[k] = 0.0
                if not is_pooled(scatter, first):
                    scatter[k] = 0.0
                if scores.size > 0:
                    scores[k] = 0.0
            mass[k] += weight
            if tails is not None:
                tail_sums[0, k] += share
                tail_sums[1, k] += tails[k, LOG_LATENT] * share - logged
            work.active[kept] = k
            kept += 1
            if share > largest:
                largest, guess = share, k
    return kept, guess
