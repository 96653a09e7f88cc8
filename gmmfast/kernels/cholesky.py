"""Covariance matrices into what the E step divides by: inverse Cholesky factors."""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.options import kernel


@kernel
def invert_cholesky(
    covariances,  # in (K, d, d)
    upper,  # scratch (d, d)
    factors,  # out (K, d, d), lower: factor @ covariance @ factor.T = 1
    log_dets,  # out (K,) log determinants of the covariances
):
    """Factorise all matrices; returns the first that is not positive definite, or -1.

    Inner loops run along rows, so that the compiler can use vectors. A pivot that has lost all
    its digits counts as not positive.
    """
    K, d, _ = covariances.shape
    for k in range(K):
        factor = factors[k]
        log_det = 0.0
        factor[:] = 0.0
        for i in range(d):
            for j in range(i, d):
                upper[i, j] = covariances[k, i, j]
        for i in range(d):
            pivot = upper[i, i]
            if not pivot > np.finfo(np.float64).eps * covariances[k, i, i]:
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
        log_dets[k] = log_det
    return -1
