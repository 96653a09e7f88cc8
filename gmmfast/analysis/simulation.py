"""Mixtures of known difficulty, for benchmarks."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from gmmfast.analysis.overlapping import Comparisons, Overlap
from gmmfast.data.constraints import (
    MOST,
    RANDOM,
    Constraint,
    SklearnModel,
    check_parameters,
    fraction,
    integer,
    one_of,
)
from gmmfast.data.validation import check_random_state
from gmmfast.estimators.made import structured
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.parameters import Floats

ATTEMPTS = 100  # draws of components, if their overlap stays below the target at any scale
CLOSE = 1e-8  # relative, of the overlap to its target
MOST_STEPS = 100
WIDEST = 80.0  # doublings of the covariances: then only their shapes and the weights count

_SHARE = fraction("(0.0, 1.0)", lambda value: 0 < value < 1)
_WEIGHT = fraction("(0.0, 1.0]", lambda value: 0 < value <= 1)


def _or_none(constraint: Constraint) -> Constraint:
    return Constraint(
        f"{constraint.description} or None", lambda value: value is None or constraint.allows(value)
    )


SIMULATION = {
    "n_components": integer(2, MOST),
    "n_features": integer(1, MOST),
    "average_overlap": _or_none(_SHARE),
    "max_overlap": _or_none(_SHARE),
    "covariance_type": one_of("full", "tied", "diag", "spherical"),
    "eccentricity": fraction("[0.0, 1.0)", lambda value: 0 <= value < 1),
    "min_weight": _or_none(_WEIGHT),
    "random_state": RANDOM,
}


def simulate(
    n_components: int,
    n_features: int,
    *,
    average_overlap: float | None = None,
    max_overlap: float | None = None,
    covariance_type: SklearnModel = "full",
    eccentricity: float = 0.9,
    min_weight: float | None = None,
    random_state: Any = None,
) -> GaussianMixture:
    """Make a random mixture whose components overlap by a given amount.

    Means are uniform in the unit cube and covariances follow a Wishart distribution; then all
    covariances are multiplied by one number, so that the overlap (`gmmfast.analysis.overlap`) is
    what it should be. Overlaps of 0.001 make clusters that are clear, 0.05 clusters that blend.

    Parameters
    ----------
    n_components : int
        K, at least 2.
    n_features : int
        d.
    average_overlap, max_overlap : float, optional
        Overlap of two components, on average over all pairs or at most, in (0, 1). Exactly one of
        them is needed.
    covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
        Structure of the covariances.
    eccentricity : float, default=0.9
        Largest ``sqrt(1 - smallest / largest)`` of the eigenvalues of a covariance, in [0, 1).
    min_weight : float, optional
        Smallest mixing weight, up to ``1 / K``; by default all weights are equal.
    random_state : int, RandomState, Generator or None, default=None
        Source of the parameters, and of the mixture's `sample`.

    Returns
    -------
    GaussianMixture
        Made from parameters; its `sample` draws rows and their components.

    Raises
    ------
    ValueError
        If a parameter is out of range, or no draw reaches the overlap at any scale.

    References
    ----------
    Maitra, R., Melnykov, V. (2010). Simulating data to study performance of finite mixture modeling
    and clustering algorithms. JCGS 19(2), 354-376, section 2.2: the algorithm.
    Melnykov, V., Chen, W.-C., Maitra, R. (2012). MixSim: an R package for simulating data to study
    performance of clustering algorithms. Journal of Statistical Software 51(12): its options.

    Examples
    --------
    >>> from gmmfast.analysis import overlap, simulate
    >>> mixture = simulate(4, 3, average_overlap=0.01, random_state=0)
    >>> round(overlap(mixture).average, 6)
    0.01
    >>> X, y = mixture.sample(500)
    """
    given = {
        "n_components": n_components, "n_features": n_features, "average_overlap": average_overlap,
        "max_overlap": max_overlap, "covariance_type": covariance_type,
        "eccentricity": eccentricity, "min_weight": min_weight, "random_state": random_state,
    }  # fmt: skip
    check_parameters("simulate", given, SIMULATION)
    if (average_overlap is None) == (max_overlap is None):
        raise ValueError(
            "simulate needs either average_overlap or max_overlap; got "
            f"average_overlap={average_overlap!r} and max_overlap={max_overlap!r}."
        )
    K, d, least = int(n_components), int(n_features), min_weight
    if least is not None and least * K > 1 + 1e-12:
        raise ValueError(f"min_weight must be at most 1 / n_components = {1 / K:g}; got {least!r}.")
    rng, target = check_random_state(random_state), float(average_overlap or max_overlap or 0)
    for _ in range(ATTEMPTS):
        weights, means = _weights(K, least, rng), rng.uniform(size=(K, d))
        covariances = _covariances(K, d, covariance_type, float(eccentricity), rng)
        reached = partial(
            _reached, Comparisons.of(weights, means, covariances), max_overlap is None
        )
        scale = _scale(reached, target)
        if scale is not None:
            own = structured(covariances * scale, covariance_type)
            return GaussianMixture.from_parameters(
                weights, means, own, covariance_type=covariance_type, random_state=random_state
            )
    raise ValueError(
        f"None of {ATTEMPTS} draws of components reaches an overlap of {target:g} at any scale. "
        "Ask for less, or for weights and covariances that differ less (min_weight, eccentricity)."
    )


def _reached(pairs: Comparisons, is_average: bool, scale: float) -> float:
    found = Overlap.of(pairs.probabilities(scale))
    return found.average if is_average else found.maximum


def _scale(overlap_at: Callable[[float], float], target: float) -> float | None:
    """Return the factor of all covariances at which the overlap is the target, if there is any.

    By the Illinois method on the logarithm of the overlap, as a function of doublings.
    """

    def excess(doublings: float) -> float:
        found = overlap_at(2.0**doublings)
        return math.log(found / target) if found > 0 else -math.inf

    if excess(WIDEST) <= 0:
        return None
    low, high, step = 0.0, 0.0, 2.0
    below = above = excess(0.0)
    while below > 0:
        low, high, above = low - step, low, below
        below, step = excess(low), 2 * step
    while above < 0:
        low, high, below = high, high + step, above
        above, step = excess(high), 2 * step
    last = 0.0
    for _ in range(MOST_STEPS):
        middle = (low + high) / 2
        if -math.inf < below < above:
            middle = (low * above - high * below) / (above - below)
        found = excess(middle)
        if abs(found) < CLOSE:
            break
        if found < 0:
            low, below = middle, found
            above /= 2 if last < 0 else 1  # an end that stays twice counts half
        else:
            high, above = middle, found
            below /= 2 if last > 0 else 1
        last = found
    return float(2.0**middle)


def _weights(K: int, least: float | None, rng: Any) -> Floats:
    """Draw mixing weights: the least, and shares of the rest from a uniform Dirichlet."""
    if least is None:
        return np.full(K, 1 / K)
    weights = least + max(0.0, 1 - K * least) * rng.dirichlet(np.ones(K))
    return np.asarray(weights / weights.sum())


def _covariances(K: int, d: int, covariance_type: str, eccentricity: float, rng: Any) -> Floats:
    """Draw full covariances (K, d, d) of a structure, of bounded eccentricity."""
    if covariance_type == "spherical":
        return np.asarray(rng.chisquare(d + 1, size=K)[:, None, None] * np.eye(d))
    n = 1 if covariance_type == "tied" else K
    roots = rng.standard_normal(size=(n, d, d + 1))
    if covariance_type == "diag":
        values, axes = (roots**2).sum(axis=2), np.tile(np.eye(d), (n, 1, 1))
    else:
        values, axes = np.linalg.eigh(roots @ roots.transpose(0, 2, 1))
    values = np.maximum(values, values.max(axis=1, keepdims=True) * (1 - eccentricity**2))
    full = (axes * values[:, None, :]) @ axes.transpose(0, 2, 1)
    return np.asarray(np.tile((full + full.transpose(0, 2, 1)) / 2, (K // n, 1, 1)))
