"""The density of a mixture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gmmfast.marginals import Mixture
from gmmfast.parameters import Floats
from gmmfast.plotting.components import CURVE
from gmmfast.plotting.descriptions import with_shared
from gmmfast.plotting.style import COLORS, axes_of, finish
from gmmfast.plotting.view import Pictured, View

REGIONS = (0.25, 0.5, 0.75, 0.95)
GRID = 200  # points along an axis
REACH = 4.0  # standard deviations of each component, whose mass outside can be neglected


@with_shared
def plot_density(
    mixture: Pictured,
    X: ArrayLike | None = None,
    *,
    features: Sequence[int | str] = (0, 1),
    regions: Sequence[float] = REGIONS,
    ax: Any = None,
) -> Any:
    """Draw the density of a mixture as regions, each the smallest that holds a share of it.

    Of more than two features the marginal density of two is shown. The density of one feature is
    drawn as a curve, over its regions.

    Parameters
    ----------
    $mixture
    $X
    $features
    regions : sequence of float, default=(0.25, 0.5, 0.75, 0.95)
        Shares of the probability, between 0 and 1.
    $ax

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        If a share is not between 0 and 1.
    $errors

    References
    ----------
    Hyndman, R. J. (1996). Computing and graphing highest density regions. The American Statistician
    50(2), 120-126.

    Examples
    --------
    >>> from gmmfast import GaussianMixture
    >>> from gmmfast.datasets import load_customers
    >>> from gmmfast.plotting import plot_density
    >>> mixture = GaussianMixture(2, random_state=0).fit(load_customers().data)
    >>> [text.get_text() for text in plot_density(mixture, regions=(0.5, 0.9)).get_legend().texts]
    ['90 %', '50 %']
    """
    shares = sorted({float(share) for share in regions}, reverse=True)
    if not shares or not 0 < shares[-1] <= shares[0] < 1:
        raise ValueError(f"regions must be shares between 0 and 1; got {list(regions)}.")
    view = View.of_one_or_two(mixture, X, features)
    ax = axes_of(ax)
    (_draw_curve if len(view.names) == 1 else _draw_plane)(ax, view, shares)
    return finish(ax, view, "density", legend="probability", beside=True)


def levels_of(density: Floats, shares: Sequence[float], whole: float | None = None) -> list[float]:
    """Return the density at the edge of the smallest region that holds each share.

    Parameters
    ----------
    density : ndarray
        At the points of a regular grid.
    shares : sequence of float
        Between 0 and 1.
    whole : float, optional
        Sum of the density at the points of a grid without end; by default, that of the points.

    Returns
    -------
    list of float
    """
    falling = np.sort(density, axis=None)[::-1]
    held = np.cumsum(falling) / (falling.sum() if whole is None else whole)
    places = np.minimum(np.searchsorted(held, shares), falling.size - 1)
    return [float(level) for level in falling[places]]


def _reach(mixture: Mixture, share: float) -> float | Floats:
    """Deviations of each component to show, for the region of a share.

    The tails of t components hold more than can be neglected.
    """
    return REACH if mixture.degrees is None else np.maximum(REACH, mixture.reaches(share))


def _whole(mixture: Mixture, *axes: Floats) -> float | None:
    """Sum of a density at the points of a grid without end, where that is not nearly its own."""
    if mixture.degrees is None:
        return None
    return float(mixture.weights.sum()) / math.prod(float(axis[1] - axis[0]) for axis in axes)


def _colors(count: int) -> list[tuple[float, float, float]]:
    """Return tints of one color, the deepest last."""
    from matplotlib.colors import to_rgb

    full = np.array(to_rgb(COLORS[0]))
    return [tuple(1 - depth * (1 - full)) for depth in np.linspace(0.2, 0.9, count)]


def _draw_plane(ax: Any, view: View, shares: list[float]) -> None:
    drawn = None if view.shown is None else view.shown.drawn
    x, y = view.grid(_reach(view.mixture, shares[0]), GRID, over=drawn)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    density = view.mixture.densities(points).sum(axis=0).reshape(GRID, GRID)
    levels = levels_of(density, shares, _whole(view.mixture, x, y))
    for color, share, level in zip(_colors(len(shares)), shares, levels, strict=True):
        ax.contourf(x, y, density, [level, np.inf], colors=[color])
        ax.contour(x, y, density, [level], colors="white", linewidths=0.6)
        ax.plot([], [], "s", color=color, markersize=8, label=_percent(share))
    if drawn is not None:
        ax.scatter(*drawn.T, s=4, color="0.15", alpha=0.5, linewidths=0)


def _draw_curve(ax: Any, view: View, shares: list[float]) -> None:
    rows = None if view.shown is None else view.shown.rows
    (x,) = view.grid(_reach(view.mixture, shares[0]), CURVE, over=rows)
    density = view.mixture.densities(x[:, None]).sum(axis=0)
    levels = levels_of(density, shares, _whole(view.mixture, x))
    for color, share, level in zip(_colors(len(shares)), shares, levels, strict=True):
        inside = density >= level
        ax.fill_between(x, density, where=inside, color=color, linewidth=0, label=_percent(share))
    if rows is not None:
        ax.hist(rows[:, 0], bins="auto", density=True, histtype="step", color="0.5", linewidth=0.8)
    ax.plot(x, density, color="black", linewidth=1.2)
    ax.set_ylim(bottom=0)


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
