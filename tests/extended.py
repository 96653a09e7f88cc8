"""EM in NumPy's extended precision (64-bit mantissa): the judge where float64 packages differ."""

import numpy as np

L = np.longdouble


def inverse_cholesky(covariance):
    """Lower inverse Cholesky factor of one matrix."""
    d = len(covariance)
    lower = np.zeros((d, d), L)
    inverse = np.zeros((d, d), L)
    for i in range(d):
        for j in range(i + 1):
            rest = covariance[i, j] - lower[i, :j] @ lower[j, :j]
            lower[i, j] = np.sqrt(rest) if i == j else rest / lower[j, j]
        unit = np.zeros(d, L)
        unit[i] = 1
        inverse[i] = (unit - lower[i, :i] @ inverse[:i]) / lower[i, i]
    return inverse


def em(X, weights, means, covariances, covariance_type, n_iter, reg_covar=0.0):
    """Lower bounds, weights, means, and covariances as matrices."""
    X, weights, means = X.astype(L), weights.astype(L), means.astype(L)
    covariances = covariances.astype(L)
    n, d = X.shape
    lower_bounds = []
    for _ in range(n_iter):
        columns = []
        for w, mean, covariance in zip(weights, means, covariances, strict=True):
            factor = inverse_cholesky(covariance)
            z = (X - mean) @ factor.T
            log_det = np.log(np.diagonal(factor)).sum()
            columns.append(
                np.log(w) - d * np.log(2 * L(np.pi)) / 2 + log_det - (z * z).sum(axis=1) / 2
            )
        joint = np.stack(columns, axis=1)
        peak = joint.max(axis=1, keepdims=True)
        total = np.exp(joint - peak).sum(axis=1, keepdims=True)
        lower_bounds.append((peak + np.log(total)).mean())
        resp = np.exp(joint - peak) / total
        mass = resp.sum(axis=0)
        means = resp.T @ X / mass[:, None]
        scatter = np.stack([(resp[:, k, None] * (X - m)).T @ (X - m) for k, m in enumerate(means)])
        covariances = scatter / mass[:, None, None]
        if covariance_type == "tied":
            covariances = np.stack([scatter.sum(axis=0) / n] * len(mass))
        elif covariance_type == "spherical":
            variances = np.einsum("kii->k", covariances) / d
            covariances = variances[:, None, None] * np.eye(d)
        if covariance_type in ("diag", "spherical"):
            covariances = covariances * np.eye(d)
        covariances = covariances + reg_covar * np.eye(d)
        weights = mass / n
    return lower_bounds, weights, means, covariances
