"""Several features of a mixture, each pair of them."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.plotting.components import draw_curves, draw_ellipses
from gmmfast.plotting.marginals import Marginal, Pictured, Shown, feature_indices, mixture_of
from gmmfast.plotting.style import SMALL, TIGHT, pyplot, share, title_of

MOST = 6  # features by default
SIDE = 1.8  # of a picture, in inches
ROWS = 12  # of the legend
NAME = 12  # characters on a line
TICKS = 3


def plot_pairs(
    mixture: Pictured,
    X: ArrayLike | None = None,
    *,
    features: Sequence[int | str] | None = None,
    sigmas: Sequence[float] = (1.0, 2.0),
    figure: Any = None,
) -> NDArray[np.object_]:
    """Draw each pair of features as ellipses over the rows, and each feature as densities.

    Parameters
    ----------
    mixture : GaussianMixture or GaussianMixtureIC
        Fitted.
    X : array-like of shape (n, d), optional
        Rows to show, colored by component; of more than 5000, an even sample.
    features : sequence of int or str, optional
        Features to show, by number or column name, at least two; all by default, of more than six
        the first six.
    sigmas : sequence of float, default=(1, 2)
        Standard deviations of the ellipses.
    figure : matplotlib Figure or SubFigure, optional
        Where to draw; a new one by default, whose size grows with the number of features.

    Returns
    -------
    ndarray of matplotlib Axes, of shape (f, f)
        Densities on the diagonal, pairs below; the axes above it are empty.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    NotFittedError
        If the mixture has not been fitted.
    ValueError
        If there is no such feature, or only one.
    TypeError
        If `mixture` is neither a mixture nor a search, or the rows are a source or a Dask
        collection.

    Examples
    --------
    >>> from gmmfast import GaussianMixture
    >>> from gmmfast.datasets import load_customers
    >>> from gmmfast.plotting import plot_pairs
    >>> X = load_customers().data
    >>> plot_pairs(GaussianMixture(2, random_state=0).fit(X), X).shape
    (2, 2)
    """
    fitted = mixture_of(mixture)
    chosen = range(min(fitted.means_.shape[1], MOST)) if features is None else features
    indices = feature_indices(fitted, chosen)
    n = len(indices)
    if n < 2:
        raise ValueError(f"plot_pairs needs at least two features; got {n}. Use plot_mixture.")
    labels = [share(fitted, k) for k in range(len(fitted.weights_))]
    shown = None if X is None else Shown.of(fitted, X, indices)
    if figure is None:
        figure = pyplot().figure(figsize=(SIDE * n, SIDE * n), layout="constrained")
    axes: Any = figure.subplots(n, n, sharex="col", squeeze=False)
    for i, j in np.ndindex(n, n):
        ax = axes[i, j]
        if j > i:
            ax.set_axis_off()
            continue
        places = [i] if i == j else [j, i]
        marginal = Marginal.of(fitted, [indices[place] for place in places])
        own = None if shown is None else shown.of_features(places)
        (draw_curves if i == j else draw_ellipses)(ax, marginal, own, sigmas, labels)
    _name(axes, Marginal.of(fitted, indices).names)
    figure.legend(
        *axes[1, 0].get_legend_handles_labels(), title="component", loc="upper right",
        bbox_to_anchor=(1.0, 0.94), frameon=False, ncols=-(-len(labels) // ROWS), **SMALL, **TIGHT,
    )  # fmt: skip
    figure.suptitle(title_of(fitted))
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
