"""EM for Gaussian mixtures in plain NumPy and SciPy: what every fast function is held against."""

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaln, digamma, gammaln, logsumexp, multigammaln
from scipy.stats import multivariate_normal, multivariate_t


def full_covariances(covariances, n_components, n_features):
    """Any structure as matrices (K, d, d)."""
    covariances = np.asarray(covariances)
    eye = np.eye(n_features)
    if covariances.shape == (n_components, n_features, n_features):
        return covariances
    if covariances.ndim == 1:
        return covariances[:, None, None] * eye
    return np.stack([np.diag(c) for c in covariances])


def log_prob(X, weights, means, covariances):
    """log(weight_k N(x_i | mean_k, covariance_k)), (n, K)."""
    with np.errstate(divide="ignore"):
        columns = [
            np.log(w) + multivariate_normal(m, c, allow_singular=False).logpdf(X).reshape(len(X))
            for w, m, c in zip(weights, means, covariances, strict=True)
        ]
    return np.stack(columns, axis=1)


def e_step(X, weights, means, covariances):
    """Log density (n,) and responsibilities (n, K)."""
    log_joint = log_prob(X, weights, means, covariances)
    log_density = logsumexp(log_joint, axis=1)
    return log_density, np.exp(log_joint - log_density[:, None])


def moments(X, resp, means, sample_weight):
    """Mass (K,), first (K, d) and scatter (K, d, d), both about the means."""
    r = resp * sample_weight[:, None]
    residual = X[None] - means[:, None]
    first = np.einsum("nk,knd->kd", r, residual)
    return r.sum(axis=0), first, np.einsum("nk,kni,knj->kij", r, residual, residual)


def m_step(X, resp, covariance_type, reg_covar=0.0, sample_weight=None):
    """Weights, means, and covariances as matrices."""
    n, d = X.shape
    r = resp * (np.ones(n) if sample_weight is None else sample_weight)[:, None]
    mass = r.sum(axis=0)
    means = r.T @ X / mass[:, None]
    scatter = np.stack([(r[:, k, None] * (X - m)).T @ (X - m) for k, m in enumerate(means)])
    scatter = scatter + reg_covar * mass[:, None, None] * np.eye(d)
    if covariance_type == "tied":
        covariances = np.stack([scatter.sum(axis=0) / mass.sum()] * len(mass))
    else:
        covariances = scatter / mass[:, None, None]
    if covariance_type == "diag":
        covariances = covariances * np.eye(d)
    if covariance_type == "spherical":
        variances = np.einsum("kii->k", covariances) / d
        covariances = variances[:, None, None] * np.eye(d)
    return mass / mass.sum(), means, covariances


def em(X, weights, means, covariances, covariance_type, n_iter, reg_covar=0.0, sample_weight=None):
    """Lower bounds, weights, means and covariances after some iterations."""
    w = np.ones(len(X)) if sample_weight is None else sample_weight
    lower_bounds = []
    for _ in range(n_iter):
        log_density, resp = e_step(X, weights, means, covariances)
        lower_bounds.append(w @ log_density / w.sum())
        weights, means, covariances = m_step(X, resp, covariance_type, reg_covar, w)
    return lower_bounds, weights, means, covariances


def t_step(X, weights, means, scales, degrees, sample_weight=None):
    """EM for mixtures of t distributions (Peel & McLachlan 2000), full scale matrices.

    Returns the lower bound, weights, means, scales, and the sums that the degrees follow from:
    rows (K,), and the sum of u - E[log u] - 1 of each component (K,).
    """
    (n, d), w = X.shape, 1.0 if sample_weight is None else sample_weight[:, None]
    joint = t_log_prob(X, weights, means, scales, degrees)
    log_density = logsumexp(joint, axis=1, keepdims=True)
    resp = np.exp(joint - log_density) * w
    residuals = X[:, None] - means
    distance = np.einsum("nki,kij,nkj->nk", residuals, np.linalg.inv(scales), residuals)
    latent = (degrees + d) / (degrees + distance)
    logs = digamma((degrees + d) / 2) - np.log((degrees + distance) / 2)
    count, mass = resp.sum(axis=0), (resp * latent).sum(axis=0)
    surplus = (resp * (latent - logs - 1)).sum(axis=0)
    new_means = (resp * latent).T @ X / mass[:, None]
    residuals = X[:, None] - new_means
    scatter = np.einsum("nk,nki,nkj->kij", resp * latent, residuals, residuals)
    bound = (w * log_density).sum() / (n if sample_weight is None else sample_weight.sum())
    return bound, count / count.sum(), new_means, scatter / count[:, None, None], count, surplus


def t_log_prob(X, weights, means, scales, degrees):
    """log(weight_k t(x_i | mean_k, scale_k, degrees_k)), (n, K)."""
    columns = [
        np.log(w) + multivariate_t(m, s, df=nu).logpdf(X).reshape(len(X))
        for w, m, s, nu in zip(weights, means, scales, degrees, strict=True)
    ]
    return np.stack(columns, axis=1)


def likely_degrees(surplus):
    """Degrees of freedom for a mean of u - E[log u] - 1, by bisection."""
    return 2 * brentq(lambda half: np.log(half) - digamma(half) - surplus, 1e-3, 1e6, xtol=1e-14)


def evidence_bound(mixture, X):
    """Lower bound of the evidence of a Bayesian mixture, up to a constant of its prior.

    Bishop 2006, equations 10.70 to 10.77: the log densities less the divergence of the posterior.
    """
    K, d = mixture.means_.shape
    nu, beta = np.broadcast_to(mixture.degrees_of_freedom_, K), mixture.mean_precision_
    spread = as_matrix(mixture.covariance_prior_, d)
    divergence = 0.0
    for k in range(K):
        is_tied = mixture.covariance_type == "tied"
        C = as_matrix(mixture.covariances_ if is_tied else mixture.covariances_[k], d)
        P, log_det = np.linalg.inv(C), np.linalg.slogdet(C)[1]
        expected = d * np.log(2 / nu[k]) - log_det + digamma((nu[k] - np.arange(d)) / 2).sum()
        normalizer = nu[k] / 2 * (log_det + d * np.log(nu[k] / 2)) - multigammaln(nu[k] / 2, d)
        of_posterior = normalizer + (nu[k] - d - 1) / 2 * expected - nu[k] * d / 2
        of_prior = (mixture.degrees_of_freedom_prior_ - d - 1) / 2 * expected
        divergence += of_posterior - of_prior + np.trace(spread @ P) / 2
        shift, rows = mixture.means_[k] - mixture.mean_prior_, mixture.mean_precision_prior_
        divergence += d / 2 * (np.log(beta[k]) - 1 + rows / beta[k]) + rows / 2 * shift @ P @ shift
    prior = mixture.weight_concentration_prior_
    if mixture.weight_concentration_prior_type == "dirichlet_process":
        a, b = mixture.weight_concentration_
        taken, kept = digamma(a) - digamma(a + b), digamma(b) - digamma(a + b)
        divergence += ((a - 1) * taken + (b - prior) * kept - betaln(a, b)).sum()
    else:
        a = mixture.weight_concentration_
        expected = digamma(a) - digamma(a.sum())
        divergence += gammaln(a.sum()) - gammaln(a).sum() + ((a - prior) * expected).sum()
    return mixture.score_samples(X).sum() - divergence


def as_matrix(spread, d):
    """A matrix (d, d), variances (d,) or one variance as a matrix."""
    return spread if np.ndim(spread) == 2 else np.eye(d) * spread
