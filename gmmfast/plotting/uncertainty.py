"""How clearly rows belong to one component."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gmmfast.plotting.components import name_axes
from gmmfast.plotting.marginals import Marginal, Pictured, Shown, mixture_of, one_or_two
from gmmfast.plotting.style import axes_of, draw_legend, look, share, title_of

LARGEST = 0.5  # uncertainty with a color of its own: between two components there is no more


def plot_uncertainty(
    mixture: Pictured,
    X: ArrayLike,
    *,
    features: Sequence[int | str] = (0, 1),
    ax: Any = None,
) -> Any:
    """Draw rows by their uncertainty: one minus the probability of their likeliest component.

    Symbols tell the components. Of one feature, the vertical axis is the uncertainty.

    Parameters
    ----------
    mixture : GaussianMixture or GaussianMixtureIC
        Fitted.
    X : array-like of shape (n, d)
        Rows to show; of more than 5000, an even sample.
    features : pair of int or str, default=(0, 1)
        Features to show, by number or column name; or one. The uncertainty is of all features.
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
    >>> from gmmfast.plotting import plot_uncertainty
    >>> X = load_customers().data
    >>> ax = plot_uncertainty(GaussianMixture(2, random_state=0).fit(X), X)
    >>> len(ax.get_legend().texts)
    2
    """
    fitted = mixture_of(mixture)
    indices = one_or_two(fitted, features)
    marginal, shown = Marginal.of(fitted, indices), Shown.of(fitted, X, indices)
    ax = axes_of(ax)
    places = shown.drawn
    if len(indices) == 1:
        places = np.column_stack([places, shown.uncertainty])
    sizes = 10 + 30 * np.minimum(shown.uncertainty / LARGEST, 1)
    for k in range(len(marginal.weights)):
        own = np.flatnonzero(shown.labels == k)
        own = own[np.argsort(shown.uncertainty[own], kind="stable")]  # the least certain on top
        points = ax.scatter(
            *places[own].T, s=sizes[own], c=shown.uncertainty[own], cmap="cividis_r", vmin=0,
            vmax=LARGEST, marker=look(k)["marker"], edgecolors="0.25", linewidths=0.3,
        )  # fmt: skip
        entry = {"linestyle": "", "color": "0.5", "markersize": 5, "marker": look(k)["marker"]}
        ax.plot([], [], label=share(fitted, k), **entry)
    if len(indices) == 2:
        extend = "max" if len(marginal.weights) > 2 else "neither"
        ax.figure.colorbar(points, ax=ax, extend=extend, label="uncertainty")
    name_axes(ax, marginal, "uncertainty")
    ax.set_title(title_of(fitted))
    draw_legend(ax, beside=len(indices) == 1)
    return ax
