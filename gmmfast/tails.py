"""Terms of the multivariate t distribution that depend only on its degrees of freedom.

A row of a t distribution is normal with covariance ``scale / u``, where the latent weight u is
gamma distributed with mean one (Peel & McLachlan 2000). With many degrees of freedom it
is the normal distribution: the terms below keep all digits there, where gamma functions cancel.
Each is one function without calls of others, so that kernels can be compiled from it.

References
----------
Peel, D., McLachlan, G. J. (2000). Robust mixture modelling using the t distribution. Statistics and
Computing 10, 339-348.
"""

from __future__ import annotations

import math

LOG_TWO_PI = math.log(2 * math.pi)
LARGE = 16.0  # from here on, asymptotic series have all digits of float64


def log_normalizer(degrees: float, n_features: int) -> float:
    """Log density of a t distribution with unit scale at its mean, in nats.

    ``log Gamma((nu + d) / 2) - log Gamma(nu / 2) - d / 2 log(nu pi)``.

    Examples
    --------
    >>> round(log_normalizer(1.0, 1) + math.log(math.pi), 12)  # Cauchy's distribution
    0.0
    """
    half, low, rest = 0.5 * n_features, 0.5 * degrees, 0.0
    while low < LARGE:
        rest -= math.log1p(half / low)
        low += 1
    high = low + half
    rest += half * math.log(2 * low / degrees)
    for y, sign in ((low, -1), (high, 1)):  # Stirling's series
        square = 1 / (y * y)
        rest += sign / y * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))
    return rest + (high - 0.5) * math.log1p(half / low) - half - half * LOG_TWO_PI


def log_less_digamma(y: float) -> tuple[float, float]:
    """``log y - digamma(y)`` and its derivative, for y > 0.

    Examples
    --------
    >>> value, slope = log_less_digamma(1.0)
    >>> round(value, 12), round(slope, 12)  # Euler's constant, and 1 - pi^2 / 6
    (0.577215664902, -0.644934066848)
    """
    value = slope = 0.0
    while y < LARGE:
        value += 1 / y - math.log1p(1 / y)
        slope -= 1 / (y * y * (y + 1))
        y += 1
    square = 1 / (y * y)
    even = 1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240))
    odd = 1 / 6 - square * (1 / 30 - square * (1 / 42 - square / 30))
    return value + 0.5 / y + square * even, slope - 0.5 * square - square / y * odd
