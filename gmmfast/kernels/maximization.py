"""The M step: from sufficient statistics to the maximum likelihood mixture."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.cholesky import LEAST_VARIANCE, factorize, triangle_of
from gmmfast.kernels.compiling import called_kernel, entry_kernel, invoke, kernel
from gmmfast.kernels.degrees import count_of
from gmmfast.kernels.families import Family, FamilyWork

FINE, SHARED = -1, -2  # or the first component whose covariance is not positive definite
ALMOST_NONE = 1e-100  # mass of an empty component: it follows the others and `reg_covar`
NORMALIZER, DIVERGENCE = 0, 1  # of a posterior, after the rows of the components


class Mixture(NamedTuple):
    """A mixture. A whitening belongs to ``covariances[0]``."""

    weights: NDArray  # (K,)
    means: NDArray  # (K, d), relative to the rows' center
    covariances: NDArray  # (K, d, d), (1, d, d) where all are equal, or variances (K, d)
    log_dets: NDArray  # (K,)
    factors: NDArray  # (K, d, d) lower inverse Cholesky factors, or (K, d) 1 / standard deviation
    whitening: NDArray  # (1, d, d) lower inverse Cholesky factor, applied first; or (0, d, d)
    noise: NDArray  # (2,): weight of the uniform component, and its log density; or (0,)
    degrees: NDArray  # (K,): degrees of freedom of t components, or (0,)
    posterior: NDArray  # (K + 2,) of a posterior, or (0,): rows of the components, its log
    # normalizer, and minus its divergence from the prior, both in nats
    loadings: NDArray  # (K, q, d) of factor analyzers, whose noise is in covariances and factors;
    # or (0, 0, 0)
    filters: NDArray  # (K, d + q, 4 + 3 q) of factor analyzers, as in `kernels.filters`


class Totals(NamedTuple):
    """Sums of a pass over all rows, as in `gmmfast.parameters.SufficientStatistics`.

    In t components, r in mass and moments is times the expected latent weight u.
    """

    log_likelihood: NDArray  # (1,) sum of w log p
    best: NDArray  # (1,) sum of w times the log density of the likeliest component alone
    reference: NDArray  # (K, d): moments are taken about it
    mass: NDArray  # (K,) sum of w r
    first: NDArray  # (K, d) sum of w r (x - reference)
    scatter: NDArray  # (K, d, d) or (1, d, d), symmetric, or (K, d)
    tails: NDArray  # (2, K) of t components: sums of w r, and w r log u or NaN; or (2, 0)
    scores: NDArray  # (K, q, d + 1) of factor analyzers: sums of w r f (x - reference), and last of
    # w r f, where f are the expected factors; or (0, 0, 0)


class PriorTerms(NamedTuple):
    """Conjugate prior, as rows that each component has seen before: in the unit of the weights."""

    is_present: bool
    mean: NDArray  # (d,) of the means, relative to the rows' center
    shrinkage: float  # rows at `mean`
    scatter: NDArray  # (d, d), or (1, d) of independent features
    mass: float  # rows that the scatter is of
    mass_alone: float  # the same for a component without rows, so that its covariance is finite
    concentration: float  # rows that count for the weight alone


class Fixed(NamedTuple):
    """Parameters that stay as they are: their values, and NaN where a component's are free."""

    is_present: bool
    weights: NDArray  # (K,)
    means: NDArray  # (K, d), relative to the rows' center
    covariances: NDArray  # as in Mixture


class Posterior(NamedTuple):
    """How a mixture stands for the posterior of its parameters (variational Bayes)."""

    expect: Any  # address of `kernels.variational.expect`, or 0
    is_process: bool  # whether weights are sticks of a Dirichlet process
    unit: float  # rows per unit of the row weights


class StepRule(NamedTuple):
    """A family of covariances, their regularization, tails, a prior, and what stays as it is."""

    family: Family
    constrain: Any  # address of the family's kernel in `kernels.families`
    reg_covar: float  # added to the diagonal of every component's covariance
    least_mass: float  # below which a component is empty
    weight: float  # of all rows: what the components leave of it is noise
    move_degrees: Any  # address of `kernels.degrees.move_degrees`, or 0
    degrees: float  # of freedom of t components: given, or to begin with
    estimate: int  # `GIVEN`, `COMMON_DEGREES` or `OWN_DEGREES` of `kernels.degrees`
    prior: PriorTerms
    fixed: Fixed
    posterior: Posterior
    move_loadings: Any  # address of `kernels.loadings.move_loadings`, or 0


class StepWork(NamedTuple):
    """Scratch of an M step; the next one starts from `family`."""

    is_first: NDArray  # (1,): 1 if the family has no earlier state
    mass: NDArray  # (K,)
    scatter: NDArray  # as in Totals
    upper: NDArray  # (d, d), or for factor analyzers as in `kernels.loadings.scratch_shape`
    family: FamilyWork


@kernel
def move_means(
    rule,  # in: StepRule
    totals,  # in: Totals
    mixture,  # in, out: weights and means
    mass,  # out (K,): in t components without latent weights
):
    """New weights and means; an empty component keeps its mean, and gets weight zero."""
    total = 0.0
    for k in range(mass.size):
        count = count_of(totals, k)
        mass[k] = 0.0 if count < rule.least_mass else count
        total += mass[k]
    if mixture.noise.size > 0:
        mixture.noise[0] = max(rule.weight - total, 0.0) / rule.weight
        total = max(rule.weight, total)
    for k in range(mass.size):
        mixture.weights[k] = mass[k] / total
        if mass[k] == 0:
            mass[k] = ALMOST_NONE
            continue
        for j in range(mixture.means.shape[1]):
            mixture.means[k, j] = totals.reference[k, j] + totals.first[k, j] / totals.mass[k]


@kernel
def move_scatter(
    totals,  # in: Totals
    weights,  # in (K,)
    means,  # in (K, d)
    mass,  # in (K,): of `move_means`
    reg_covar,  # in
    scatter,  # out, of the shape of the totals'
):
    """Second moments about the means, and ``mass * reg_covar`` on the diagonal.

    With ``s = mean - reference`` and ``h = f - m s / 2``: ``S - s h^T - h s^T``.
    """
    K, d = means.shape
    scatter[:] = 0.0
    for k in range(K):
        to = min(k, scatter.shape[0] - 1)
        own = 1.0 if weights[k] > 0 else 0.0  # an empty component adds nothing
        for i in range(d):
            s = means[k, i] - totals.reference[k, i]
            h = totals.first[k, i] - 0.5 * totals.mass[k] * s
            if scatter.ndim == 2:
                moments = totals.scatter[k, i] - 2 * s * h
                scatter[k, i] = own * moments + mass[k] * reg_covar
            else:
                if k < totals.scatter.shape[0] and (own > 0 or scatter.shape[0] < K):
                    for j in range(i + 1):
                        scatter[to, i, j] += totals.scatter[k, i, j]
                for j in range(i + 1):
                    t = means[k, j] - totals.reference[k, j]
                    g = totals.first[k, j] - 0.5 * totals.mass[k] * t
                    scatter[to, i, j] -= own * (s * g + h * t)
                scatter[to, i, i] += mass[k] * reg_covar
    if scatter.ndim == 3:
        for k in range(scatter.shape[0]):
            for i in range(d):
                for j in range(i):
                    scatter[k, j, i] = scatter[k, i, j]


@kernel
def add_prior(
    rule,  # in: StepRule
    own_mass,  # in (K,): of the totals
    mixture,  # in, out: weights and means
    mass,  # in, out (K,): of `move_means`
    scatter,  # in, out: second moments about the means, of the shape of the totals'
):
    """From the most likely to the most probable mixture (Fraley & Raftery 2007, section 2)."""
    prior, reg_covar, weights, means = rule.prior, rule.reg_covar, mixture.weights, mixture.means
    (K, d), total = means.shape, 0.0
    if mixture.noise.size > 0:  # it has no prior
        mixture.noise[0] *= rule.weight
        total = mixture.noise[0]
    for k in range(K):
        n, m = (mass[k], own_mass[k]) if weights[k] > 0 else (0.0, 0.0)
        share = prior.shrinkage / (m + prior.shrinkage) if prior.shrinkage > 0 else 0.0
        pull = m * share
        if rule.fixed.is_present and not np.isnan(rule.fixed.means[k, 0]):
            share, pull = 0.0, prior.shrinkage
        to = min(k, scatter.shape[0] - 1)
        mass[k] += prior.mass if n > 0 else prior.mass_alone
        for i in range(d):
            s = prior.mean[i] - means[k, i]
            if scatter.ndim == 2:
                scatter[k, i] += pull * s * s + prior.scatter[0, i] + prior.mass * reg_covar
                continue
            for j in range(d):
                t = prior.mean[j] - means[k, j]
                scatter[to, i, j] += pull * (s * t) + prior.scatter[i, j]
            scatter[to, i, i] += prior.mass * reg_covar
        for i in range(d):
            means[k, i] += share * (prior.mean[i] - means[k, i])
        if mixture.posterior.size > 0:
            mixture.posterior[k] = n * rule.posterior.unit
        weights[k] = n + prior.concentration
        total += weights[k]
    for k in range(K):
        weights[k] /= total
    if mixture.noise.size > 0:
        mixture.noise[0] /= total


@kernel
def keep_means(
    fixed,  # in: Fixed
    means,  # in, out (K, d)
):
    """Put fixed means back."""
    for k in range(means.shape[0]):
        if not np.isnan(fixed.means[k, 0]):
            for j in range(means.shape[1]):
                means[k, j] = fixed.means[k, j]


@kernel
def keep_weights(
    fixed,  # in: Fixed
    weights,  # in, out (K,)
    noise,  # in, out: weight and log density of the noise, or (0,)
):
    """Put fixed weights back; the others, and noise, share what is left in proportion."""
    left, total, n_free = 1.0, 0.0, 0
    if noise.size > 0:
        total = noise[0]
    for k in range(weights.size):
        if np.isnan(fixed.weights[k]):
            total += weights[k]
            n_free += 1
        else:
            left -= fixed.weights[k]
    for k in range(weights.size):
        if not np.isnan(fixed.weights[k]):
            weights[k] = fixed.weights[k]
        else:
            share = weights[k] / total if total > 0 else 1 / n_free
            weights[k] = max(left, 0.0) * share
    if noise.size > 0 and total > 0:
        noise[0] = max(left, 0.0) * noise[0] / total


@kernel
def keep_covariances(
    fixed,  # in (K, d, d), (1, d, d) or (K, d)
    covariances,  # in, out, of the same shape
):
    """Put fixed covariances back."""
    for k in range(fixed.shape[0]):
        for i in range(fixed.shape[1]):
            if fixed.ndim == 2:
                if not np.isnan(fixed[k, 0]):
                    covariances[k, i] = fixed[k, i]
            elif not np.isnan(fixed[k, 0, 0]):
                for j in range(fixed.shape[2]):
                    covariances[k, i, j] = fixed[k, i, j]


@called_kernel
def penalty(
    rule,  # in: StepRule
    mixture,  # in: Mixture
    row,  # scratch (d,)
):
    """What the objective has besides the log-likelihood, in the unit of the row weights.

    The log density of a prior, or minus the divergence of a posterior from it.
    """
    if mixture.posterior.size > 0:
        return mixture.posterior[mixture.weights.size + DIVERGENCE] / rule.posterior.unit
    if rule.prior.is_present:
        return log_prior(rule.prior, mixture, row)
    return 0.0


@kernel
def log_prior(
    prior,  # in: PriorTerms
    mixture,  # in: Mixture
    row,  # scratch (d,)
):
    """Log density of the prior, up to a constant, in the unit of the row weights."""
    total = 0.0
    for k in range(mixture.weights.size):
        squares = squares_of_prior(prior, mixture, mixture.factors, k, 0.0, row)
        total -= 0.5 * (prior.mass * mixture.log_dets[k] + squares)
        if prior.concentration > 0 and mixture.weights[k] > 0:  # zero only where given so
            total += prior.concentration * np.log(mixture.weights[k])
    return total


@kernel
def squares_of_prior(
    prior,  # in: PriorTerms
    mixture,  # in: Mixture
    factors,  # in: of the mixture
    k,  # in: component
    spare,  # in: variance besides the scatter of the prior
    row,  # scratch (d,)
):
    """Trace of the precision of a component times the prior's scatter about its mean.

    For row r of the triangle u: u @ scatter @ u, and u @ (mean - prior.mean).
    """
    d, total = mixture.means.shape[1], 0.0
    has_matrix = prior.scatter.shape[0] == d  # for d = 1 both forms are one
    is_diagonal = factors.ndim == 2 and mixture.whitening.shape[0] == 0
    for r in range(d):
        begin = r if is_diagonal else 0
        along = 0.0
        for j in range(begin, r + 1):
            row[j] = 0.0
        for i in range(begin, r + 1):
            u = triangle_of(factors, mixture.whitening, k, r, i)
            along += u * (mixture.means[k, i] - prior.mean[i])
            total += spare * u * u
            if has_matrix:
                for j in range(begin, r + 1):
                    row[j] += u * prior.scatter[i, j]
            else:
                row[i] += u * prior.scatter[0, i]
        for j in range(begin, r + 1):
            total += triangle_of(factors, mixture.whitening, k, r, j) * row[j]
        total += prior.shrinkage * along * along
    return total


@kernel
def set_factors(
    mixture,  # in: covariances; out: factors, log_dets, whitening
    covariances,  # in: the mixture's
    factors,  # out: the mixture's
    upper,  # scratch (d, d)
):
    """Inverse Cholesky factors; return FINE, SHARED or the failed component."""
    if covariances.ndim == 2:
        return scale_features(covariances, factors, mixture.log_dets)
    if factors.ndim == 3:
        return factorize(covariances, upper, factors, mixture.log_dets)
    return scale_whitened(covariances, mixture.whitening, upper, factors, mixture.log_dets)


@kernel
def scale_features(
    variances,  # in (K, d)
    factors,  # out (K, d): 1 / standard deviations
    log_dets,  # out (K,)
):
    """Factors of independent features."""
    for k in range(variances.shape[0]):
        log_dets[k] = 0.0
        for j in range(variances.shape[1]):
            if not LEAST_VARIANCE < variances[k, j] < np.inf:
                return k
            factors[k, j] = 1 / np.sqrt(variances[k, j])
            log_dets[k] += np.log(variances[k, j])
    return FINE


@kernel
def scale_whitened(
    covariances,  # in (K, d, d) multiples of the first, or (1, d, d)
    whitening,  # out (1, d, d): inverse Cholesky factor of the first
    upper,  # scratch (d, d)
    factors,  # out (K, d): of the whitened rows
    log_dets,  # out (K,)
):
    """One matrix that whitens the rows, and a scale per component."""
    K, d = factors.shape
    one = covariances.shape[0] == 1
    if factorize(covariances[:1], upper, whitening, log_dets[:1]) != FINE:
        return SHARED
    base, log_det = 0.0, log_dets[0]
    for j in range(d):
        base += covariances[0, j, j]
    for k in range(K):
        scale = 1.0
        if not one:
            scale = 0.0
            for j in range(d):
                if not LEAST_VARIANCE < covariances[k, j, j] < np.inf:
                    return k
                scale += covariances[k, j, j] / base
        for j in range(d):
            factors[k, j] = 1 / np.sqrt(scale)
        log_dets[k] = log_det + d * np.log(scale)
    return FINE


@entry_kernel
def maximize(
    rule,  # in: StepRule
    totals,  # in: Totals
    mixture,  # in: means of empty components; out
    work,  # in, out: StepWork
):
    """M step (Bishop 2006, equations 9.24-9.26); return FINE, SHARED or the failed component."""
    move_means(rule, totals, mixture, work.mass)
    if rule.fixed.is_present:
        keep_means(rule.fixed, mixture.means)
    move_scatter(totals, mixture.weights, mixture.means, work.mass, rule.reg_covar, work.scatter)
    if rule.prior.is_present:
        add_prior(rule, totals.mass, mixture, work.mass, work.scatter)
    if mixture.degrees.size > 0:
        own = rule.degrees, rule.estimate, rule.least_mass, totals, mixture.degrees
        invoke(rule.move_degrees, own)
    if mixture.loadings.size > 0:
        scatter = work.scatter, work.mass, mixture, work.upper
        return invoke(rule.move_loadings, (rule.family, rule.reg_covar, totals, *scatter))
    is_first = work.is_first[0] != 0
    work.is_first[0] = 0
    invoke(
        rule.constrain,
        (
            rule.family, is_first, work.scatter, work.mass, work.family,
            mixture.covariances,
        ),
    )  # fmt: skip
    if rule.fixed.is_present:
        keep_weights(rule.fixed, mixture.weights, mixture.noise)
        keep_covariances(rule.fixed.covariances, mixture.covariances)
    failed = set_factors(mixture, mixture.covariances, mixture.factors, work.upper)
    if failed == FINE and mixture.posterior.size > 0:
        invoke(rule.posterior.expect, (rule, mixture, work.upper[0]))
    return failed
