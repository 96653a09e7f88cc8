"""Several features of a mixture, each pair of them."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.plotting.components import draw_curves, draw_ellipses
from gmmfast.plotting.descriptions import with_shared
from gmmfast.plotting.style import SMALL, TIGHT, pyplot
from gmmfast.plotting.view import Pictured, View

MOST = 6  # features by default
SIDE = 1.8  # of a picture, in inches
ROWS = 12  # of the legend
NAME = 12  # characters on a line
TICKS = 3


@with_shared
def plot_pairs(
    mixture: Pictured,
    X: ArrayLike | None = None,
    *,
    features: Sequence[int | str] | None = None,
    sigmas: Sequence[float] = (1.0, 2.0),
    figure: Any = None,
) -> NDArray[np.object_]:
    """Draw each pair of features as ellipses over the rows, and each feature as densities.

    Rows have the color of their likeliest component.

    Parameters
    ----------
    $mixture
    $X
    features : sequence of int or str, optional
        Features to show, by number or column name, at least two; all by default, of more than six
        the first six.
    $sigmas
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; a new one by default, whose size grows with the number of features.

    Returns
    -------
    ndarray of matplotlib Axes, of shape (f, f)
        Densities on the diagonal, pairs below; the axes above it are empty.

    Raises
    ------
    ValueError
        If there is only one feature.
    $errors

    Examples
    --------
    >>> from gmmfast import GaussianMixture
    >>> from gmmfast.datasets import load_customers
    >>> from gmmfast.plotting import plot_pairs
    >>> X = load_customers().data
    >>> plot_pairs(GaussianMixture(2, random_state=0).fit(X), X).shape
    (2, 2)
    """
    view = View.of(mixture, X, features)
    n = len(view.names) if features is not None else min(len(view.names), MOST)
    if n < 2:
        raise ValueError(f"plot_pairs needs at least two features; got {n}. Use plot_mixture.")
    if figure is None:
        figure = pyplot().figure(figsize=(SIDE * n, SIDE * n), layout="constrained")
    axes: Any = figure.subplots(n, n, sharex="col", squeeze=False)
    for i, j in np.ndindex(n, n):
        if j > i:
            axes[i, j].set_axis_off()
        elif j == i:
            draw_curves(axes[i, i], view.along(i), sigmas)
        else:
            draw_ellipses(axes[i, j], view.along(j, i), sigmas)
    _name(axes, view.names[:n])
    figure.legend(
        *axes[1, 0].get_legend_handles_labels(), title="component", loc="upper right",
        bbox_to_anchor=(1.0, 0.94), frameon=False, ncols=-(-len(view.entries) // ROWS),
        **SMALL, **TIGHT,
    )  # fmt: skip
    figure.suptitle(view.title)
    return np.asarray(axes)


def _name(axes: Any, names: Sequence[str]) -> None:
    """Label the outer axes, and share the vertical ones of each line of pictures."""
    for i, name in enumerate(fill(name, NAME) for name in names):
        axes[-1, i].set_xlabel(name, fontsize="small")
        axes[-1, i].locator_params(axis="x", nbins=TICKS)
        axes[i, i].set_yticks([])
        for j in range(i):
            if j:
                axes[i, j].sharey(axes[i, 0])
            axes[i, j].tick_params(labelleft=j == 0, labelsize="small")
        axes[-1, i].tick_params(labelsize="small")
        if i:
            axes[i, 0].set_ylabel(name, fontsize="small")
            axes[i, 0].locator_params(axis="y", nbins=TICKS)
    axes[0, 0].set_ylabel("density", fontsize="small")
