"""Distribution of quadratic forms in normal variables, by an integral in the complex plane.

The distribution function is an integral of the moment generating function along a line in the
complex plane. On the real axis, as Imhof (1961) and Davies (1980) have it, its integrand decays
slowly and oscillates. Here the path is a hyperbola through the saddlepoint of the integrand
(Rice 1980), on which it falls like an exponential, so that the trapezoidal rule converges
geometrically: some 100 points are right to 1e-15, and to 12 digits of small probabilities.

References
----------
Imhof, J. P. (1961). Computing the distribution of quadratic forms in normal variables. Biometrika
48, 419-426.
Rice, S. O. (1980). Distribution of quadratic forms in normal random variables: evaluation by
numerical integration. SIAM J. Sci. Stat. Comput. 1(4), 438-448.
"""

from __future__ import annotations

import numpy as np

from gmmfast.cumulative import normal_cdf
from gmmfast.parameters import Floats

ROUNDING = 1e-13  # curvatures and thresholds below it are zero
STEP = 1 / 16  # of the trapezoidal rule: halving it changes no result by more than 1e-15
LAST = 40.0  # of the path's parameter, at most: 1e17 widths of the saddle away
BEND = 0.35  # slope of the asymptotes; steeper ones make nearly normal forms oscillate
GONE = 45.0  # nats below the saddle: the rest of the path adds nothing
CLIMB = 3.0  # nats above the saddle that cost a digit
FARTHEST = 1e90  # of saddlepoints


def share_below(curvatures: Floats, slopes: Floats, thresholds: Floats) -> Floats:
    """Probability that ``sum_l a_l z_l^2 + b_l z_l`` is at most c, z being standard normal.

    Parameters
    ----------
    curvatures, slopes : ndarray of shape (P, d)
        a and b of each form.
    thresholds : ndarray of shape (P,)
        c of each form.

    Returns
    -------
    ndarray of shape (P,)
        One half where a form is constantly at its threshold.

    Examples
    --------
    >>> share_below(np.ones((1, 2)), np.zeros((1, 2)), np.ones(1))  # 1 - exp(-1 / 2)
    array([0.39346934])
    """
    a = np.where(abs(curvatures) > ROUNDING, curvatures, 0.0)
    found = np.empty(len(a))
    is_linear = ~a.any(axis=1)
    spread = np.linalg.norm(slopes[is_linear], axis=1)
    c = np.where(abs(thresholds) > ROUNDING, thresholds, 0.0)[is_linear]
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(spread > 0, c / spread, np.where(c == 0, 0.0, np.copysign(np.inf, c)))
    found[is_linear] = normal_cdf(z)
    others = ~is_linear
    found[others] = _share_by_path(a[others], slopes[others], thresholds[others])
    return found


def _share_by_path(a: Floats, b: Floats, c: Floats) -> Floats:
    """Probability of forms with some curvature: the smaller tail, or one minus it."""
    side = np.where(c > a.sum(axis=1), 1.0, -1.0)
    saddle = side * _saddles(a * side[:, None], b, c * side)
    tail = np.zeros(len(a))
    # far away, or at a pole but for rounding, the tail is less than exp(-1e12)
    is_near = (abs(saddle) < FARTHEST) & (2 * a * saddle[:, None] < 1 - ROUNDING).all(axis=1)
    tail[is_near] = _integrals(a[is_near], b[is_near], c[is_near], saddle[is_near])
    return np.clip(np.where(side > 0, 1 - tail, 0.0 - tail), 0.0, 1.0)


def _saddles(a: Floats, b: Floats, c: Floats) -> Floats:
    """Where ``log E exp(s Q) - s c - log s`` is least for s > 0; infinite where it falls forever.

    Q is the form, and c at least its mean. By bisection: any nearby point serves as well.
    """
    largest = np.maximum(a.max(axis=1), 0)
    with np.errstate(divide="ignore"):
        last = 1 / (2 * largest)  # the moments of exp(s Q) are finite below it
    low = np.zeros(len(a))
    high = np.minimum(last, 1 / np.sqrt((2 * a**2 + b**2).sum(axis=1)))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        while (short := (high < last) & (high < FARTHEST) & (_slope(a, b, c, high) < 0)).any():
            high[short] = np.minimum(2 * high[short], last[short])
        for _ in range(60):
            middle = (low + high) / 2
            is_below = _slope(a, b, c, middle) < 0
            low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return np.asarray((low + high) / 2)


def _slope(a: Floats, b: Floats, c: Floats, s: Floats) -> Floats:
    t = s[:, None]
    left = 1 - 2 * a * t
    return np.asarray((a / left + b**2 * t * (1 - a * t) / left**2).sum(axis=1) - c - 1 / s)


def _integrals(a: Floats, b: Floats, c: Floats, saddle: Floats) -> Floats:
    """Integrals along a hyperbola through each saddle, which bends where the integrand decays."""
    t = saddle[:, None]
    left = 1 - 2 * a * t
    width = 1 / np.sqrt((2 * (a / left) ** 2 + b**2 / left**3).sum(axis=1) + 1 / saddle**2)
    found, best = np.zeros(len(a)), np.full(len(a), np.inf)
    for bend in (BEND, -BEND):
        value, cost = _along_path(a, b, c, saddle, width, bend)
        found = np.where(cost < best, value, found)
        best = np.minimum(cost, best)
    return found


def _along_path(
    a: Floats, b: Floats, c: Floats, saddle: Floats, width: Floats, bend: float
) -> tuple[Floats, Floats]:
    """Integral along one hyperbola, and its points: infinite where the integrand climbs."""
    u = np.arange(0.0, LAST, STEP)
    total, points = np.zeros(len(a)), np.zeros(len(a))
    going, start = np.arange(len(a)), np.zeros(0)
    for first in range(0, len(u), 64):
        part = u[first : first + 64]
        path = 1j * np.sinh(part) + bend * (np.cosh(part) - 1)
        turn = 1j * np.cosh(part) + bend * np.sinh(part)
        s = saddle[going, None] + width[going, None] * path
        logs = _log_integrand(a[going], b[going], c[going], s) + np.log(width[going, None] * turn)
        start = logs[:, 0].real if not first else start
        height = logs.real - start[:, None]
        is_on = np.logical_and.accumulate(height > -GONE, axis=1)
        climbs = (is_on & (height > CLIMB)).any(axis=1)  # bends the wrong way
        is_on &= ~climbs[:, None]
        points[going] += np.where(climbs, np.inf, is_on.sum(axis=1))
        terms = np.exp(np.where(is_on, logs, -np.inf)).imag
        total[going] += terms.sum(axis=1) - (terms[:, 0] / 2 if not first else 0.0)
        going, start = going[is_on[:, -1]], start[is_on[:, -1]]
        if not len(going):
            break
    return total * STEP / np.pi, points


def _log_integrand(a: Floats, b: Floats, c: Floats, s: Floats) -> Floats:
    """``log E exp(s Q) - s c - log s`` at points (P, m) of the complex plane."""
    logs = -s * c[:, None] - np.log(s)
    for own_a, own_b in zip(a.T[:, :, None], b.T[:, :, None], strict=True):
        left = 1 - 2 * own_a * s
        logs += (own_b * s) ** 2 / (2 * left) - 0.5 * np.log(left)
    return logs
