"""The M step of factor analyzers, from the moments of features and expected factors."""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.cholesky import LEAST_VARIANCE
from gmmfast.kernels.compiling import addressed_kernel, kernel
from gmmfast.kernels.filters import set_filter
from gmmfast.kernels.maximization import FINE, SHARED
from gmmfast.kernels.variances import COMMON

LEAST_SHARE = 1e-9  # of a feature's variance that is noise: less would be lost in rounding


def scratch_shape(n_factors: int, n_features: int) -> tuple[int, int]:
    """Return the shape of the scratch of `move_loadings`."""
    return 3 * n_factors + 2, max(n_factors, n_features)


@kernel
def set_regression(
    loading,  # in (q, d)
    variances,  # in (d,): of the noise
    root,  # in (q, q): of the covariance of the factors given a row
    regression,  # out (q, d): expected factors are regression @ (x - mean)
):
    """Regression of the factors on the features, ``root @ root.T @ loading / variances``."""
    q, d = loading.shape
    for j in range(d):
        for a in range(q):
            regression[a, j] = 0.0
        for i in range(q):
            along = 0.0
            for b in range(q):
                along += root[b, i] * loading[b, j]
            for a in range(q):
                regression[a, j] += root[a, i] * along / variances[j]


@kernel
def solve(
    matrix,  # in (q, q) positive definite; out: its Cholesky factor
    right,  # in (q, d); out: matrix^-1 @ right
):
    """Solve equations with one positive definite matrix."""
    q, d = matrix.shape[0], right.shape[1]
    for a in range(q):
        for i in range(a):
            for b in range(a, q):
                matrix[b, a] -= matrix[b, i] * matrix[a, i]
        pivot = np.sqrt(matrix[a, a])
        for b in range(a, q):
            matrix[b, a] /= pivot
    for a in range(q):
        for i in range(a):
            for j in range(d):
                right[a, j] -= matrix[a, i] * right[i, j]
        for j in range(d):
            right[a, j] /= matrix[a, a]
    for a in range(q - 1, -1, -1):
        for i in range(a + 1, q):
            for j in range(d):
                right[a, j] -= matrix[i, a] * right[i, j]
        for j in range(d):
            right[a, j] /= matrix[a, a]


@kernel
def move_component(
    k,  # in: component
    reg_covar,  # in
    totals,  # in: Totals
    scatter,  # in (K, d): about the new means, and regularized
    mass,  # in (K,)
    mixture,  # in: new means; in, out: loadings and covariances
    root,  # in (q, q): of the covariance of the factors given a row
    scratch,  # scratch: of `scratch_shape`
):
    """New loadings and noise (Ghahramani & Hinton 1996, equations 5 and 6, about the new mean).

    With B the regression of the factors, S the scatter and V the covariance of the factors given a
    row: ``S B.T (V + B S B.T)^-1``, and the noise is the diagonal of ``S - loadings B S``. The
    expected factors were those about the old mean; about the new one, rows have none on average.
    """
    q, d = mixture.loadings.shape[1:]
    regression, moments = scratch[:q, :d], scratch[q : 2 * q, :d]
    matrix = scratch[2 * q : 3 * q, :q]
    loading, variances = mixture.loadings[k], mixture.covariances[k]
    set_regression(loading, variances, root, regression)
    for a in range(q):
        for j in range(d):
            shift = mixture.means[k, j] - totals.reference[k, j]
            moment = totals.scores[k, a, j] - shift * totals.scores[k, a, d]
            moments[a, j] = moment / mass[k] + reg_covar * regression[a, j]
    for a in range(q):
        for b in range(a + 1):
            value = 0.0
            for i in range(q):
                value += root[a, i] * root[b, i]
            for j in range(d):
                value += 0.5 * (regression[a, j] * moments[b, j] + regression[b, j] * moments[a, j])
            matrix[a, b] = value
    for a in range(q):
        for j in range(d):
            loading[a, j] = moments[a, j]
    solve(matrix, loading)
    for j in range(d):
        explained = 0.0
        for a in range(q):
            explained += loading[a, j] * moments[a, j]
        variance = scatter[k, j] / mass[k]
        variances[j] = max(variance - explained, max(reg_covar, LEAST_SHARE * variance))


@kernel
def pool_specific(
    mass,  # in (K,)
    covariances,  # in, out (K, d)
):
    """Replace the variances of the noise by their mean over the rows."""
    total = mass.sum()
    for j in range(covariances.shape[1]):
        pooled = 0.0
        for k in range(mass.size):
            pooled += mass[k] / total * covariances[k, j]
        for k in range(mass.size):
            covariances[k, j] = pooled


@addressed_kernel
def move_loadings(
    family,  # in: Family; its shape says whether the noise is common
    reg_covar,  # in
    totals,  # in: Totals
    scatter,  # in (K, d): about the new means, and regularized
    mass,  # in (K,)
    mixture,  # in: new weights and means; in, out: loadings and noise; out: filters and the rest
    scratch,  # scratch: of `scratch_shape`
):
    """New loadings, noise and filters; return FINE, SHARED or the failed component.

    An empty component gets no loadings, and the noise ``reg_covar``.
    """
    (K, d), q = mixture.means.shape, mixture.loadings.shape[1]
    for k in range(K):
        if mixture.weights[k] > 0:
            root = mixture.filters[k, d:, :q]
            move_component(k, reg_covar, totals, scatter, mass, mixture, root, scratch)
        else:
            mixture.loadings[k] = 0.0
            for j in range(d):
                mixture.covariances[k, j] = scatter[k, j] / mass[k]
    is_common = family.shape == COMMON
    if is_common:
        pool_specific(mass, mixture.covariances)
    for k in range(K):
        for j in range(d):
            variance = mixture.covariances[k, j]
            if not LEAST_VARIANCE < variance < np.inf:
                return SHARED if is_common else k
            mixture.factors[k, j] = 1 / np.sqrt(variance)
        log_det = set_filter(
            mixture.loadings[k], mixture.covariances[k], mixture.filters[k], scratch[3 * q :, :q]
        )
        if not np.isfinite(log_det):
            return k
        mixture.log_dets[k] = log_det
    return FINE
