"""Densities of factor analyzers, feature by feature, in time linear in d.

A row of component k is ``mean + loadings.T @ f + noise`` with q factors f, standard normal, and
independent noise. The Woodbury identity gives the squared Mahalanobis distance as a difference of
two squares, which cancels where the noise is small, and is known only at its end. Here the features
are taken one after the other, as a filter takes measurements (Bierman 1977): each is
predicted from the expected factors given the features before it, and what the prediction misses,
over its standard deviation, is one entry of ``L^-1 (x - mean)``, with L the Cholesky factor of the
covariance. So the distance is a sum of squares, which only grows, and a component is skipped as
soon as it is negligible. After the last feature, the factors are those expected given the row,
which the M step needs.

Four features are taken at once: for residuals r of four features and factors f before them,

    innovations e = T r - H f,  factors f + G.T e,

and row j of a filter holds rows j of T, -H and G, and the loadings of feature j. Features that are
left over are taken one by one.
Below the rows of the features is a root of the covariance of the factors given a row.
"""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.compiling import entry_kernel, kernel
from gmmfast.kernels.products import add_four_by_two, add_one
from gmmfast.kernels.simd import fma, lanes, load, splat, store, total
from gmmfast.kernels.tiles import TILE

BLOCK = 4  # features at once


def filter_shape(n_components: int, n_factors: int, n_features: int) -> tuple[int, int, int]:
    """Return the shape of the filters of K components."""
    return n_components, n_features + n_factors, BLOCK + 3 * n_factors


# --------------------------------------------------------------------------------- from parameters


@kernel
def measure(
    loading,  # in (q, d)
    j,  # in: feature
    variance,  # in: of its noise
    root,  # in, out (q, q): root @ root.T is the covariance of the factors
    gain,  # out (q,): of the factors, for an innovation of one standard deviation
    along,  # scratch (q,)
):
    """Take a feature into account (Potter's square root: Bierman 1977).

    Returns its variance, given the features before it.
    """
    q = root.shape[0]
    total_variance = variance
    for i in range(q):
        v = 0.0
        for a in range(q):
            v += root[a, i] * loading[a, j]
        along[i] = v
        total_variance += v * v
    deviation = np.sqrt(total_variance)
    share = 1 / (total_variance + deviation * np.sqrt(variance))
    for a in range(q):
        shift = 0.0
        for i in range(q):
            shift += root[a, i] * along[i]
        gain[a] = shift / deviation
        for i in range(q):
            root[a, i] -= shift * share * along[i]
    return total_variance


@kernel
def set_filter(
    loading,  # in (q, d)
    variances,  # in (d,): of the noise
    filter_,  # out (d + q, BLOCK + 3 q)
    scratch,  # scratch (2, q)
):
    """Set the filter of one component; returns the log determinant of its covariance."""
    q, d = loading.shape
    whole = d - d % BLOCK
    root, gain, along = filter_[d:, :q], scratch[0], scratch[1]
    for a in range(q):
        for i in range(q):
            root[a, i] = 1.0 if a == i else 0.0
    log_det = 0.0
    for j in range(d):
        variance = measure(loading, j, variances[j], root, gain, along)
        log_det += np.log(variance)
        scale = 1 / np.sqrt(variance)
        begin = j - j % BLOCK if j < whole else j
        for i in range(BLOCK):
            filter_[j, i] = scale if i == j - begin else 0.0
        for a in range(q):
            filter_[j, BLOCK + a] = -scale * loading[a, j]
            filter_[j, BLOCK + q + a] = gain[a]
            filter_[j, BLOCK + 2 * q + a] = loading[a, j]
        for before in range(begin, j):  # innovations of the block that change the prediction
            change = 0.0
            for a in range(q):
                change += scale * loading[a, j] * filter_[before, BLOCK + q + a]
            for i in range(before - begin + 1):
                filter_[j, i] -= change * filter_[before, i]
            for a in range(q):
                filter_[j, BLOCK + a] -= change * filter_[before, BLOCK + a]
    return log_det


@entry_kernel
def set_filters(
    loadings,  # in (K, q, d)
    variances,  # in (K, d): of the noise
    filters,  # out: of `filter_shape`
    log_dets,  # out (K,)
    scratch,  # scratch (2, q)
):
    """Set the filters of all components."""
    for k in range(variances.shape[0]):
        log_dets[k] = set_filter(loadings[k], variances[k], filters[k], scratch)
    return 0


# ------------------------------------------------------------------------------------------ E step


@kernel
def take_four(
    x,  # in (d, TILE)
    mean,  # in (d,)
    filter_,  # in: of one component
    j,  # in: the first of four features
    scores,  # in, out (q, TILE): expected factors
    distance,  # in, out (TILE,)
):
    """Take four features into account.

    Four innovations, of vectors of two registers, keep two FMA units with a latency of four cycles
    busy.
    """
    q = scores.shape[0]
    m0, m1 = splat(mean[j], x), splat(mean[j + 1], x)
    m2, m3 = splat(mean[j + 2], x), splat(mean[j + 3], x)
    for p in range(0, TILE, lanes(x)):
        r0, r1 = load(x, (j, p)) - m0, load(x, (j + 1, p)) - m1
        r2, r3 = load(x, (j + 2, p)) - m2, load(x, (j + 3, p)) - m3
        e0 = splat(filter_[j, 0], x) * r0
        e1 = fma(splat(filter_[j + 1, 1], x), r1, splat(filter_[j + 1, 0], x) * r0)
        e2 = fma(splat(filter_[j + 2, 1], x), r1, splat(filter_[j + 2, 0], x) * r0)
        e2 = fma(splat(filter_[j + 2, 2], x), r2, e2)
        e3 = fma(splat(filter_[j + 3, 1], x), r1, splat(filter_[j + 3, 0], x) * r0)
        e3 = fma(splat(filter_[j + 3, 3], x), r3, fma(splat(filter_[j + 3, 2], x), r2, e3))
        for a in range(q):
            f = load(scores, (a, p))
            e0 = fma(splat(filter_[j, BLOCK + a], x), f, e0)
            e1 = fma(splat(filter_[j + 1, BLOCK + a], x), f, e1)
            e2 = fma(splat(filter_[j + 2, BLOCK + a], x), f, e2)
            e3 = fma(splat(filter_[j + 3, BLOCK + a], x), f, e3)
        for a in range(q):
            f = fma(splat(filter_[j, BLOCK + q + a], x), e0, load(scores, (a, p)))
            f = fma(splat(filter_[j + 1, BLOCK + q + a], x), e1, f)
            f = fma(splat(filter_[j + 2, BLOCK + q + a], x), e2, f)
            store(scores, (a, p), fma(splat(filter_[j + 3, BLOCK + q + a], x), e3, f))
        s = fma(e1, e1, fma(e0, e0, load(distance, (p,))))
        store(distance, (p,), fma(e3, e3, fma(e2, e2, s)))


@kernel
def take_one(
    x,  # in (d, TILE)
    mean,  # in (d,)
    filter_,  # in: of one component
    j,  # in: feature
    scores,  # in, out (q, TILE): expected factors
    distance,  # in, out (TILE,)
):
    """Take one feature into account."""
    q = scores.shape[0]
    for p in range(0, TILE, lanes(x)):
        e = splat(filter_[j, 0], x) * (load(x, (j, p)) - splat(mean[j], x))
        for a in range(q):
            e = fma(splat(filter_[j, BLOCK + a], x), load(scores, (a, p)), e)
        for a in range(q):
            f = load(scores, (a, p))
            store(scores, (a, p), fma(splat(filter_[j, BLOCK + q + a], x), e, f))
        store(distance, (p,), fma(e, e, load(distance, (p,))))


# ---------------------------------------------------------------------------------------- M step's


@kernel
def add_scores(
    weighted,  # in (d, TILE): residuals times the rows' weights in the moments
    resp,  # in (K, TILE): these weights
    a,  # in: row of resp
    scores,  # in (q, TILE): expected factors
    sums,  # in, out (q, d + 1) += sums of weight f residual, and in the last column of weight f
):
    """First moments of the factors, and their products with the residuals."""
    q, d = scores.shape[0], weighted.shape[0]
    for i in range(q):
        s = splat(0.0, scores)
        for p in range(0, TILE, lanes(scores)):
            s = fma(load(resp, (a, p)), load(scores, (i, p)), s)
        sums[i, d] += total(s)
    whole, even = q - q % 4, d - d % 2
    for j in range(0, even, 2):
        for i in range(0, whole, 4):
            add_four_by_two(scores, i, weighted, j, sums)
    for i in range(q):
        for j in range(even if i < whole else 0, d):
            add_one(scores, i, weighted, j, sums)
