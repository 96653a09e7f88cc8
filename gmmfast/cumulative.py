"""Cumulative distribution functions, and their inverses by bisection.

SciPy has them too; these need only NumPy and the error function of Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gmmfast.tails import log_normalizer

Floats = NDArray[np.float64]

NEARLY_NORMAL = 3e4  # degrees of freedom from which on an expansion is as good as the fraction
FARTHEST = 1e150  # whose square is finite
TINY = 1e-300  # in place of zero in a continued fraction

_erfc = np.vectorize(math.erfc, otypes=[np.float64])
_log_gamma = np.vectorize(math.lgamma, otypes=[np.float64])


def normal_cdf(z: Floats) -> Floats:
    """Probability that a standard normal variable is at most z.

    ``erfc(-z / sqrt(2)) / 2``, which keeps its digits far below the mean.

    Examples
    --------
    >>> normal_cdf(np.array([0.0, -10.0]))
    array([5.00000000e-01, 7.61985302e-24])
    """
    return np.asarray(0.5 * _erfc(-np.asarray(z) / math.sqrt(2)))


def t_cdf(z: Floats, degrees: float) -> Floats:
    """Probability that a variable of Student's t distribution is at most z.

    By the continued fraction of the incomplete beta function (DLMF 8.17.22); with many degrees of
    freedom by the expansion of Fisher (1925) about the normal distribution. Both to about 1e-13.

    References
    ----------
    Fisher, R. A. (1925). Expansion of "Student's" integral in powers of 1/n. Metron 5, 109-120.

    Examples
    --------
    >>> t_cdf(np.array([0.0, 1.0]), 1.0)  # Cauchy's distribution
    array([0.5 , 0.75])
    """
    if degrees > NEARLY_NORMAL:
        return _nearly_normal_cdf(np.clip(z, -40.0, 40.0), degrees)
    is_infinite, z = np.isinf(z), np.clip(z, -FARTHEST, FARTHEST)
    ratio = z**2 / degrees
    logs = log_normalizer(degrees, 1) - 0.5 * (degrees + 1) * np.log1p(ratio)
    with np.errstate(divide="ignore"):
        height = np.exp(logs + np.log(abs(z)))  # of the density, times its place
    half, inside = 0.5 * degrees, ratio / (1 + ratio)
    is_far = 1 / (1 + ratio) < (half + 1) / (half + 2.5)
    far = height / degrees * _beta_fraction(np.where(is_far, 1 / (1 + ratio), 0.0), half, 0.5)
    near = height * _beta_fraction(np.where(is_far, 0.0, inside), 0.5, half)
    below = np.where(is_infinite, 0.0, np.where(is_far, far, 0.5 - near))  # of -abs(z)
    return np.where(z > 0, 1 - below, below)


def _nearly_normal_cdf(z: Floats, degrees: float) -> Floats:
    first = z * (z**2 + 1) / (4 * degrees)
    second = z * (3 * z**6 - 7 * z**4 - 5 * z**2 - 3) / (96 * degrees**2)
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    return np.asarray(normal_cdf(z) - density * (first + second))


def _beta_fraction(x: Floats, a: float, b: float) -> Floats:
    """Continued fraction of the incomplete beta function, for ``x < (a + 1) / (a + b + 2)``.

    By the modified method of Lentz; about ``sqrt(max(a, b))`` steps.
    """
    upper, lower = np.ones_like(x), 1 / (1 - (a + b) / (a + 1) * x)
    value, change, step = lower.copy(), np.full_like(x, np.inf), 0
    while (abs(change - 1) > 1e-15).any() and step < 10_000:
        step += 1
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        change = np.ones_like(x)
        for term in (even, odd):
            lower, upper = 1 + term * lower, 1 + term / upper
            lower = 1 / np.where(lower == 0, TINY, lower)
            upper = np.where(upper == 0, TINY, upper)
            change *= lower * upper
        value *= change
    return value


def chi_square_cdf(x: Floats, n_features: int) -> Floats:
    """Probability that the sum of d squared standard normal variables is at most x.

    One minus the finite sum of DLMF 8.4.10 for even d, and of 8.4.14 with an error function for
    odd d.

    Examples
    --------
    >>> chi_square_cdf(np.array([1.0, 9.0]), 1).round(4)  # within one and three deviations
    array([0.6827, 0.9973])
    """
    half = 0.5 * np.asarray(x, np.float64)[..., None]
    powers = np.arange(0.5 * (n_features % 2), 0.5 * n_features)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = powers * np.log(half) - half - _log_gamma(powers + 1)
    terms = np.exp(np.where(half > 0, logs, np.where(powers > 0, -np.inf, 0.0)))
    above = terms.sum(axis=-1)
    if n_features % 2:
        above += _erfc(np.sqrt(half[..., 0]))
    return np.asarray(1 - above)


def inverse(rising: Callable[[Floats], Floats], q: Floats, center: float, scale: float) -> Floats:
    """Where a cumulative distribution function reaches shares q, by bisection.

    The brackets grow from ``center - scale`` to ``center + scale``. The result is right to the last
    digits of its size or of `scale`.

    Examples
    --------
    >>> inverse(normal_cdf, np.array([0.9, 0.975]), 0.0, 1.0).round(6)
    array([1.281552, 1.959964])
    """
    reach = np.full(q.shape, scale)
    with np.errstate(over="ignore"):
        while (short := (rising(center - reach) > q) | (rising(center + reach) < q)).any():
            reach[short] *= 2
    low, high = center - reach, center + reach
    while (high - low > 4e-16 * np.maximum(scale, np.maximum(abs(low), abs(high)))).any():
        middle = low + (high - low) / 2
        is_below = rising(middle) < q
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return np.asarray(low + (high - low) / 2)
