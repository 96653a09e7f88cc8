"""The components of a mixture, as ellipses or as densities of one feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gmmfast.plotting.marginals import Marginal, Pictured, Shown, mixture_of, one_or_two
from gmmfast.plotting.style import axes_of, draw_legend, look, share, title_of

SIGMAS = (1.0, 2.0, 3.0)
CURVE = 400  # points of a density


def plot_mixture(
    mixture: Pictured,
    X: ArrayLike | None = None,
    *,
    features: Sequence[int | str] = (0, 1),
    sigmas: Sequence[float] = SIGMAS,
    ax: Any = None,
) -> Any:
    """Draw components as ellipses over the rows, or for one feature as densities.

    Of more than two features the marginal distribution of two is shown. In two dimensions, the
    ellipses of 1, 2 and 3 standard deviations hold 39, 86 and 99 % of their component.

    Parameters
    ----------
    mixture : GaussianMixture or GaussianMixtureIC
        Fitted.
    X : array-like of shape (n, d), optional
        Rows to show, colored by component; of more than 5000, an even sample.
    features : pair of int or str, default=(0, 1)
        Features to show, by number or column name; one, for densities.
    sigmas : sequence of float, default=(1, 2, 3)
        Standard deviations of the ellipses.
    ax : matplotlib Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    NotFittedError
        If the mixture has not been fitted.
    ValueError
        If there is no such feature.
    TypeError
        If `mixture` is neither a mixture nor a search, or the rows are a source or a Dask
        collection.

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
    fitted = mixture_of(mixture)
    indices = one_or_two(fitted, features)
    marginal = Marginal.of(fitted, indices)
    shown = None if X is None else Shown.of(fitted, X, indices)
    ax = axes_of(ax)
    labels = [share(fitted, k) for k in range(len(marginal.weights))]
    draw = draw_curves if len(indices) == 1 else draw_ellipses
    draw(ax, marginal, shown, sigmas, labels)
    name_axes(ax, marginal, "density")
    ax.set_title(title_of(fitted))
    draw_legend(ax)
    return ax


def name_axes(ax: Any, marginal: Marginal, quantity: str) -> None:
    """Label the axes by the features; where there is one, the vertical axis by a quantity."""
    ax.set_xlabel(marginal.names[0])
    ax.set_ylabel(quantity if len(marginal.names) == 1 else marginal.names[1])


def draw_ellipses(
    ax: Any,
    marginal: Marginal,
    shown: Shown | None,
    sigmas: Sequence[float],
    labels: Sequence[str],
) -> None:
    """Draw rows of two features, and the ellipses of the components."""
    from matplotlib.patches import Ellipse

    for k, (mean, covariance) in enumerate(zip(marginal.means, marginal.covariances, strict=True)):
        style = look(k)
        own = np.empty((0, 2)) if shown is None else shown.drawn[shown.labels == k]
        if len(own):
            ax.scatter(*own.T, s=10, alpha=0.55, linewidths=0, rasterized=len(own) > 1000, **style)
        variances, axes = np.linalg.eigh(covariance)
        angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
        for sigma in sigmas:
            height, width = 2 * sigma * np.sqrt(np.maximum(variances, 0))
            outline = {"fill": False, "color": style["color"], "linewidth": 1.2}
            ax.add_patch(Ellipse(mean, width, height, angle=angle, **outline))
        ax.plot(*mean, "+", color="black", markersize=8, zorder=3)
        ax.plot([], [], linestyle="-" if sigmas else "", markersize=5, label=labels[k], **style)
    ax.autoscale_view()


def draw_curves(
    ax: Any,
    marginal: Marginal,
    shown: Shown | None,
    sigmas: Sequence[float],
    labels: Sequence[str],
) -> None:
    """Draw a histogram of one feature, the densities of the components and their sum."""
    rows = None if shown is None else shown.rows
    (x,) = marginal.grid(rows, max(sigmas, default=3.0), CURVE)
    densities = marginal.densities(x[:, None])
    if rows is not None:
        ax.hist(rows[:, 0], bins="auto", density=True, color="0.87")
    for k, (label, density) in enumerate(zip(labels, densities, strict=True)):
        places = {"markevery": [int(density.argmax())], "markersize": 5}
        ax.plot(x, density, linewidth=1.2, label=label, **places, **look(k))
    ax.plot(x, densities.sum(axis=0), color="black", linewidth=1.4, label="all")
    ax.set_ylim(bottom=0)
