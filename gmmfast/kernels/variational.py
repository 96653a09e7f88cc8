"""Variational Bayes: mixtures that stand for the posterior of their parameters.

The M step with a conjugate prior makes the posterior of means and covariances. An E pass with the
expected log densities is that of a mixture with other constants (Bishop 2006, equations 10.64 to
10.66), so weights and log determinants of such a mixture hold the expectations. Constants that
depend only on the prior are left out of all bounds, as in scikit-learn.

References
----------
Bishop, C. M. (2006). Pattern Recognition and Machine Learning, section 10.2.

Blei, D. M., Jordan, M. I. (2006). Variational inference for Dirichlet process mixtures. Bayesian
Analysis 1(1), 121-143.
"""

from __future__ import annotations

import math

import numpy as np

from gmmfast.kernels.compiling import addressed_kernel, called_kernel, kernel
from gmmfast.kernels.loop import GAIN, LOWER_BOUND, step
from gmmfast.kernels.maximization import DIVERGENCE, FINE, NORMALIZER, squares_of_prior
from gmmfast.kernels.statistics import expected
from gmmfast.tails import LOG_TWO_PI, log_less_digamma

LEAST_WEIGHT = 1e-300  # of a component at the end of a long stick; its expected log is exact

_log_less_digamma = called_kernel(log_less_digamma)


@kernel
def digamma(
    y,  # in: positive
):
    """Derivative of the log of the gamma function."""
    value, _ = _log_less_digamma(y)
    return math.log(y) - value


@kernel
def expect_weights(
    prior,  # in: concentration of a component, in rows
    mixture,  # in: rows of the components; out: weights; in, out: log_dets
):
    """Posterior of a Dirichlet distribution (equation 10.58); return its log normalizer.

    The expected log weights go to the log determinants.
    """
    rows, K = mixture.posterior, mixture.weights.size
    total, normalizer = 0.0, 0.0
    for k in range(K):
        total += prior + rows[k]
    of_all = digamma(total)
    for k in range(K):
        own = prior + rows[k]
        mixture.weights[k] = own / total
        mixture.log_dets[k] -= 2 * (digamma(own) - of_all - np.log(mixture.weights[k]))
        normalizer += math.lgamma(own)
    return normalizer - math.lgamma(total)


@kernel
def expect_sticks(
    prior,  # in: concentration of the process, in rows
    mixture,  # in: rows of the components; out: weights; in, out: log_dets
):
    """Posterior of broken sticks (Blei & Jordan 2006, section 3.2); return its log normalizer.

    The expected log weights go to the log determinants.
    """
    rows, later, K = mixture.posterior, mixture.weights, mixture.weights.size
    later[K - 1] = 0.0
    for k in range(K - 1, 0, -1):  # summed from the end, where rows may be few
        later[k - 1] = later[k] + rows[k]
    normalizer, total = 0.0, 0.0
    left, log_left = 1.0, 0.0  # of the stick: its expected length, and the expected log of it
    for k in range(K):
        taken, kept = 1 + rows[k], prior + later[k]
        of_both = digamma(taken + kept)
        mixture.weights[k] = max(left * taken / (taken + kept), LEAST_WEIGHT)
        total += mixture.weights[k]
        log_weight = log_left + digamma(taken) - of_both
        mixture.log_dets[k] -= 2 * (log_weight - np.log(mixture.weights[k]))
        left *= kept / (taken + kept)
        log_left += digamma(kept) - of_both
        normalizer += math.lgamma(taken) + math.lgamma(kept) - math.lgamma(taken + kept)
    for k in range(K):
        mixture.weights[k] /= total
        mixture.log_dets[k] -= 2 * np.log(total)
    return normalizer


@kernel
def expect_covariances(
    degrees,  # in: degrees of freedom of the component's precision
    shrinkage,  # in: rows that its mean has seen, with the prior's
    d,  # in: features
    log_det,  # in: log determinant of the covariance
):
    """Log normalizer of a component's mean and precision, and what its log determinant gains.

    The precision has a Wishart distribution, whose mean is the inverse of the covariance.
    """
    half, log_gammas, log_precision = 0.5 * degrees, 0.0, d * math.log(2.0)
    for j in range(d):
        log_gammas += math.lgamma(half - 0.5 * j)
        log_precision += digamma(half - 0.5 * j)
    normalizer = log_gammas - half * (log_det + d * math.log(half)) - 0.5 * d * np.log(shrinkage)
    return normalizer, d * math.log(degrees) - log_precision + d / shrinkage


@kernel
def pseudo_likelihood(
    rule,  # in: StepRule
    mixture,  # in: Mixture
    k,  # in: component
    degrees,  # in: degrees of freedom of its precision
    row,  # scratch (d,)
):
    """Expected log-likelihood of the rows of a component, by its posterior alone.

    Their second moments about the mean are what the posterior has more than the prior.
    """
    prior, d = rule.prior, mixture.means.shape[1]
    spare = prior.mass * rule.reg_covar
    of_prior = squares_of_prior(prior, mixture, mixture.factors, k, spare, row)
    squares = degrees * d - rule.posterior.unit * of_prior
    constant = np.log(mixture.weights[k]) - 0.5 * (mixture.log_dets[k] + d * LOG_TWO_PI)
    return mixture.posterior[k] * constant - 0.5 * squares


@addressed_kernel
def expect(
    rule,  # in: StepRule
    mixture,  # in: after an M step; in, out: weights and log_dets; out: bounds of its posterior
    row,  # scratch (d,)
):
    """Turn a mixture into the input of variational E passes."""
    prior, posterior, unit = rule.prior, mixture.posterior, rule.posterior.unit
    (K, d), all_rows = mixture.means.shape, 0.0
    for k in range(K):
        all_rows += posterior[k]
    is_tied = mixture.covariances.ndim == 3 and mixture.covariances.shape[0] < K
    normalizer = 0.0
    for k in range(K):
        rows = all_rows / K if is_tied else posterior[k]
        degrees, shrinkage = unit * prior.mass + rows, unit * prior.shrinkage + posterior[k]
        own, gain = expect_covariances(degrees, shrinkage, d, mixture.log_dets[k])
        normalizer += own
        mixture.log_dets[k] += gain
    concentration = unit * prior.concentration
    if rule.posterior.is_process:
        normalizer += expect_sticks(concentration, mixture)
    else:
        normalizer += expect_weights(concentration, mixture)
    divergence = normalizer
    for k in range(K):
        rows = all_rows / K if is_tied else posterior[k]
        divergence -= pseudo_likelihood(rule, mixture, k, unit * prior.mass + rows, row)
    posterior[K + NORMALIZER], posterior[K + DIVERGENCE] = normalizer, divergence
    return 0


@addressed_kernel
def step_posterior(
    rule,  # in: Rule
    scale,  # in: factor from a sum over rows to their mean
    fit,  # in, out: Fit, with the totals of an E pass
    reached,  # in: lower bound of the mixture
):
    """Variational M step; the lower bound is the one after it, as in scikit-learn.

    There it is the entropy of the responsibilities plus the normalizer of the posterior.
    """
    mixture, totals, before = fit.mixture, fit.totals, fit.numbers[LOWER_BOUND]
    K, d = mixture.means.shape
    weight, row = rule.step.weight, fit.work.upper[0]
    entropy = totals.log_likelihood[0] + 0.5 * d * LOG_TWO_PI * weight
    entropy -= expected(mixture, mixture.factors, totals, totals.scatter, weight, row)
    failed = step(rule, fit, reached)
    if failed == FINE:
        normalizer = mixture.posterior[K + NORMALIZER] / rule.step.posterior.unit
        bound = scale * (entropy + normalizer)
        fit.numbers[GAIN], fit.numbers[LOWER_BOUND] = bound - before, bound
    return failed
