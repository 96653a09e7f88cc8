"""The components of a mixture, as ellipses or as densities of one feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.plotting.descriptions import with_shared
from gmmfast.plotting.style import axes_of, finish, look
from gmmfast.plotting.view import Pictured, View

SIGMAS = (1.0, 2.0, 3.0)
CURVE = 400  # points of a density


@with_shared
def plot_mixture(
    mixture: Pictured,
    X: ArrayLike | None = None,
    *,
    features: Sequence[int | str] = (0, 1),
    sigmas: Sequence[float] = SIGMAS,
    ax: Any = None,
) -> Any:
    """Draw components as ellipses over the rows, or for one feature as densities.

    Rows have the color of their likeliest component; rows of noise are gray crosses. Of more than
    two features the marginal distribution of two is shown. In two dimensions, the ellipses of 1, 2
    and 3 standard deviations hold 39, 86 and 99 % of their component. The ellipses of t components
    show their scale matrices, and hold less: with 4 degrees of freedom 36, 75 and 91 %.

    Parameters
    ----------
    $mixture
    $X
    $features
    $sigmas
    $ax

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    $errors

    Examples
    --------
    >>> from gmmfast import GaussianMixture
    >>> from gmmfast.datasets import load_customers
    >>> from gmmfast.plotting import plot_mixture
    >>> X = load_customers().data
    >>> ax = plot_mixture(GaussianMixture(2, random_state=0).fit(X), X)
    >>> ax.get_title()
    '2 components, full covariance'
    """
    view = View.of_one_or_two(mixture, X, features)
    ax = axes_of(ax)
    (draw_curves if len(view.names) == 1 else draw_ellipses)(ax, view, sigmas)
    return finish(ax, view, "density")


def draw_ellipses(ax: Any, view: View, sigmas: Sequence[float]) -> None:
    """Draw rows of two features, and the ellipses of the components."""
    from matplotlib.patches import Ellipse

    mixture, line = view.mixture, "-" if sigmas else ""
    for k, entry in enumerate(view.entries):
        draw_rows(ax, view, k)
        ax.plot([], [], linestyle=line, markersize=5, label=entry, **look(k))
    for k, mean, covariance in zip(view.clusters, mixture.means, mixture.covariances, strict=True):
        variances, axes = np.linalg.eigh(covariance)
        angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
        for sigma in sigmas:
            height, width = 2 * sigma * np.sqrt(np.maximum(variances, 0))
            outline = {"fill": False, "color": look(k)["color"], "linewidth": 1.2}
            ax.add_patch(Ellipse(mean, width, height, angle=angle, **outline))
        ax.plot(*mean, "+", color="black", markersize=8, zorder=3)
    if view.shown is not None and (view.shown.labels < 0).any():
        draw_noise(ax, view.shown.drawn[view.shown.labels < 0])
    ax.autoscale_view()


def draw_rows(ax: Any, view: View, k: int) -> None:
    """Draw the rows of one component, or of a cluster of several, of two features."""
    own = np.empty((0, 2)) if view.shown is None else view.shown.drawn[view.shown.labels == k]
    if len(own):
        is_raster = len(own) > 1000
        ax.scatter(*own.T, s=10, alpha=0.55, linewidths=0, rasterized=is_raster, **look(k))


def draw_noise(ax: Any, rows: NDArray[Any]) -> None:
    """Draw the rows of noise, of two features."""
    ax.scatter(*rows.T, s=14, color="0.55", marker="x", linewidths=0.8, zorder=0, label="noise")


def draw_curves(ax: Any, view: View, sigmas: Sequence[float]) -> None:
    """Draw a histogram of one feature, the densities of the components and their sum."""
    rows = None if view.shown is None else view.shown.rows
    (x,) = view.grid(max(sigmas, default=3.0), CURVE, over=rows)
    densities = view.mixture.densities(x[:, None])
    if rows is not None:
        ax.hist(rows[:, 0], bins="auto", density=True, color="0.87")
    for k, entry in enumerate(view.entries):
        density = densities[view.clusters == k].sum(axis=0)
        places = {"markevery": [int(density.argmax())], "markersize": 5}
        ax.plot(x, density, linewidth=1.2, label=entry, **places, **look(k))
    ax.plot(x, densities.sum(axis=0), color="black", linewidth=1.4, label="all")
    ax.set_ylim(bottom=0)
