"""How far one mixture is from another: the Kullback-Leibler divergence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gmmfast.analysis.accepted import Analyzed, mixture_of, require_no_noise
from gmmfast.data.constraints import DENSE, MOST, check_parameters, integer
from gmmfast.data.validation import check_random_state
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.marginals import Mixture
from gmmfast.parameters import Floats

SETTLED = 1e-12  # nats, relative: the bound is iterated until it falls by less
LONGEST = 10_000  # iterations of the bound
DRAWN = {**DENSE, "n_samples": integer(2, MOST)}  # a standard error takes two


@dataclass(frozen=True)
class Divergence:
    """A Kullback-Leibler divergence, estimated in three ways, in nats.

    Attributes
    ----------
    value : float
        By Monte Carlo: the mean of ``log a(x) - log b(x)`` over rows drawn from a.
    standard_error : float
        Of `value`: the standard deviation of the terms over the root of their number.
    variational : float
        Variational approximation, in closed form; no bound. NaN with t components.
    upper_bound : float
        Variational upper bound. NaN with t components.
    """

    value: float
    standard_error: float
    variational: float
    upper_bound: float


def kl_divergence(
    a: Analyzed, b: Analyzed, *, n_samples: int = 100_000, random_state: Any = None
) -> Divergence:
    """Kullback-Leibler divergence ``E_a log(a(x) / b(x))`` of mixture b from mixture a.

    It has no closed form. Monte Carlo is unbiased, and its error known; the variational
    approximation and bound need no chance, and are exact where each mixture has one component.

    Parameters
    ----------
    a, b : GaussianMixture or GaussianMixtureIC
        Fitted, of the same features and without noise; of a search, its best candidate.
    n_samples : int, default=100_000
        Rows to draw from `a`, at least 2.
    random_state : int, RandomState, Generator or None, default=None
        Source of the draws.

    Returns
    -------
    Divergence

    Raises
    ------
    ValueError
        If the mixtures have different features, or noise, or `n_samples` is less than 2.

    Notes
    -----
    With t components Monte Carlo serves alone. If `a` has heavy tails and `b` is Gaussian, the mean
    converges slowly; with 2 degrees of freedom or fewer the divergence is infinite, which no
    finite sample shows.

    References
    ----------
    Hershey, J. R., Olsen, P. A. (2007). Approximating the Kullback Leibler divergence between
    Gaussian mixture models. ICASSP 2007, IV-317-320, section 2: Monte Carlo; section 7: the
    variational approximation, ``sum_a pi_a log(sum_a' pi_a' exp(-KL(a, a')) / sum_b omega_b
    exp(-KL(a, b)))``; section 8: the variational upper bound.

    Examples
    --------
    >>> from gmmfast import GaussianMixture
    >>> from gmmfast.analysis import kl_divergence
    >>> a = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    >>> b = GaussianMixture.from_parameters([1.0], [[1.0]], [[[1.0]]])
    >>> found = kl_divergence(a, b, random_state=0)
    >>> round(found.variational, 6), abs(found.value - 0.5) < 4 * found.standard_error
    (0.5, True)
    """
    name = "kl_divergence"
    given = {"n_samples": n_samples, "random_state": random_state}
    check_parameters(name, given, DRAWN)
    first, second = mixture_of(a, name), mixture_of(b, name)
    require_no_noise(first, name)
    require_no_noise(second, name)
    _require_same_features(first, second)
    rows = first._drawn(n_samples, check_random_state(random_state))
    terms = first._log_densities(rows) - second._log_densities(rows)
    error = float(terms.std(ddof=1)) / math.sqrt(n_samples)
    own, other = _present(first._components()), _present(second._components())
    if own.degrees is not None or other.degrees is not None:
        return Divergence(float(terms.mean()), error, math.nan, math.nan)
    approximate, bound = _variational(own, other), _upper_bound(own, other)
    return Divergence(float(terms.mean()), error, approximate, bound)


def _require_same_features(a: GaussianMixture, b: GaussianMixture) -> None:
    features = [len(mixture.means_[0]) for mixture in (a, b)]
    if features[0] != features[1]:
        raise ValueError(
            f"kl_divergence needs mixtures of the same features; got {features[0]} and "
            f"{features[1]} features."
        )
    names = [list(getattr(mixture, "feature_names_in_", [])) for mixture in (a, b)]
    if all(names) and names[0] != names[1]:
        raise ValueError(
            f"kl_divergence needs mixtures of the same features; got {names[0]} and {names[1]}. "
            "Fit both to the same columns in the same order."
        )


def _present(mixture: Mixture) -> Mixture:
    """Return the components of positive weight."""
    kept = mixture.weights > 0
    degrees = None if mixture.degrees is None else mixture.degrees[kept]
    weights, means, covariances = mixture.weights, mixture.means, mixture.covariances
    return Mixture(weights[kept], means[kept], covariances[kept], degrees)


def _between_components(a: Mixture, b: Mixture) -> Floats:
    """Divergences (K, L) between Gaussian components, in closed form.

    ``(trace(B^-1 A) + |m|^2 - d - log det(B^-1 A)) / 2``, from the singular values s of one
    Cholesky factor whitened by the other: ``sum s^2 - 1 - log s^2``.
    """
    found = np.empty((len(a.weights), len(b.weights)))
    factors = np.linalg.cholesky(a.covariances)
    for j, factor in enumerate(np.linalg.cholesky(b.covariances)):
        s = np.linalg.svd(np.linalg.solve(factor, factors), compute_uv=False)
        shifts = np.linalg.solve(factor, (a.means - b.means[j]).T)
        parts = (s - 1) * (s + 1) - 2 * np.log(s)
        found[:, j] = 0.5 * (parts.sum(axis=1) + (shifts**2).sum(axis=0))
    return found


def _variational(a: Mixture, b: Mixture) -> float:
    """Hershey & Olsen 2007, section 7."""
    near = _log_mean_exp(a.weights, _between_components(a, a))
    far = _log_mean_exp(b.weights, _between_components(a, b))
    return float(a.weights @ (near - far))


def _log_mean_exp(weights: Floats, divergences: Floats) -> Floats:
    """``log sum_k weights_k exp(-divergences_ik)`` for each i."""
    logs = np.log(weights) - divergences
    return np.asarray(np.logaddexp.reduce(logs, axis=1))


def _upper_bound(a: Mixture, b: Mixture) -> float:
    """Hershey & Olsen 2007, section 8, by turns from ``phi = psi = pi_a omega_b``.

    Components are cut into parts, phi (K, L) of a and psi (K, L) of b, and part is compared with
    part: ``sum phi (log(phi / psi) + KL(a, b))``, which each turn lowers.
    """
    divergences, last = _between_components(a, b), math.inf
    log_a, log_b = np.log(a.weights)[:, None], np.log(b.weights)[None]
    log_phi = log_a + log_b
    for _ in range(LONGEST):
        log_psi = log_b + log_phi - np.logaddexp.reduce(log_phi, axis=0)
        log_parts = log_psi - divergences
        log_phi = log_a + log_parts - np.logaddexp.reduce(log_parts, axis=1)[:, None]
        is_part = log_phi > -np.inf  # others count as zero, whatever their divergence
        gaps = np.subtract(log_phi, log_psi, out=np.zeros_like(log_phi), where=is_part)
        own = np.where(is_part, divergences, 0.0)
        bound = float((np.exp(log_phi) * (gaps + own)).sum())
        if not last - bound > SETTLED * max(1.0, abs(bound)):
            break
        last = bound
    return bound
