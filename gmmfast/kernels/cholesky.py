"""Inverse Cholesky factors of covariance matrices, for the E step."""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.compiling import entry_kernel, kernel

EPS = np.finfo(np.float64).eps
LEAST_VARIANCE = 1e-305  # inverses of smaller variances may overflow


@kernel
def factorize(
    covariances,  # in (K, d, d)
    upper,  # scratch (d, d)
    factors,  # out (K, d, d), lower: factor @ covariance @ factor.T = 1
    log_dets,  # out (K,) log determinants of the covariances
):
    """Factorize all matrices; return the first that is singular to rounding, or -1.

    A matrix is, in any units, if some feature has less than ``10 d eps`` of its variance left given
    all others. For feature j that share is ``1 / (C[j, j] C^-1[j, j])``; a pivot gives the same
    given only the features before it. Inner loops run along rows, so that the compiler can
    vectorize them.
    """
    K, d, _ = covariances.shape
    least = 10 * d * EPS
    for k in range(K):
        factor = factors[k]
        log_det = 0.0
        factor[:] = 0.0
        for i in range(d):
            for j in range(i, d):
                upper[i, j] = covariances[k, i, j]
        for i in range(d):
            pivot = upper[i, i]
            if not pivot > max(least * covariances[k, i, i], LEAST_VARIANCE):
                return k
            log_det += np.log(pivot)
            scale = 1.0 / np.sqrt(pivot)
            for j in range(i, d):
                upper[i, j] *= scale
            for r in range(i + 1, d):
                u = upper[i, r]
                for j in range(r, d):
                    upper[r, j] -= u * upper[i, j]
            # covariance = upper.T @ upper; row i of its lower inverse, by forward substitution
            factor[i, i] = 1.0
            for r in range(i):
                u = upper[r, i]
                for j in range(r + 1):
                    factor[i, j] -= u * factor[r, j]
            for j in range(i + 1):
                factor[i, j] *= scale
        for j in range(d):
            precision = 0.0
            for i in range(j, d):
                precision += factor[i, j] * factor[i, j]
            if not least * precision * covariances[k, j, j] < 1:
                return k
        log_dets[k] = log_det
    return -1


@entry_kernel
def invert_cholesky(covariances, upper, factors, log_dets):
    """Factorize, for Python."""
    return factorize(covariances, upper, factors, log_dets)


@kernel
def triangle_of(
    factors,  # in (K, d, d) lower inverse Cholesky factors, or (K, d)
    whitening,  # in (1, d, d) lower, or (0, d, d)
    k,  # in: component
    r,  # in: row
    i,  # in: column, at most `r`
):
    """Entry of the lower inverse Cholesky factor of a covariance."""
    if factors.ndim == 3:
        return factors[k, r, i]
    if whitening.shape[0] > 0:
        return factors[k, r] * whitening[0, r, i]
    return factors[k, r] if i == r else 0.0
