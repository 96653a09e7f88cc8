"""How clearly rows belong to one component."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gmmfast.plotting.descriptions import with_shared
from gmmfast.plotting.style import axes_of, finish, look
from gmmfast.plotting.view import Pictured, View

LARGEST = 0.5  # uncertainty with a color of its own: between two components there is no more


@with_shared
def plot_uncertainty(
    mixture: Pictured,
    X: ArrayLike,
    *,
    features: Sequence[int | str] = (0, 1),
    ax: Any = None,
) -> Any:
    """Draw rows by their uncertainty: one minus the probability of their likeliest component.

    Symbols tell the components, and the uncertainty is always that of all features. Of one
    feature, the vertical axis is the uncertainty. Rows of noise are left out.

    Parameters
    ----------
    $mixture
    X : array-like of shape (n, d)
        Rows to show; of more than 5000, an even sample.
    $features
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
    >>> from gmmfast.plotting import plot_uncertainty
    >>> X = load_customers().data
    >>> ax = plot_uncertainty(GaussianMixture(2, random_state=0).fit(X), X)
    >>> len(ax.get_legend().texts)
    2
    """
    view = View.of_one_or_two(mixture, X, features)
    assert view.shown is not None
    places, uncertainty, is_line = view.shown.drawn, view.shown.uncertainty, len(view.names) == 1
    ax = axes_of(ax)
    if is_line:
        places = np.column_stack([places, uncertainty])
    sizes = 10 + 30 * np.minimum(uncertainty / LARGEST, 1)
    for k, entry in enumerate(view.entries):
        own = np.flatnonzero(view.shown.labels == k)
        own = own[np.argsort(uncertainty[own], kind="stable")]  # the least certain on top
        marker = look(k)["marker"]
        points = ax.scatter(
            *places[own].T, s=sizes[own], c=uncertainty[own], cmap="cividis_r", vmin=0,
            vmax=LARGEST, marker=marker, edgecolors="0.25", linewidths=0.3,
        )  # fmt: skip
        ax.plot([], [], label=entry, linestyle="", color="0.5", markersize=5, marker=marker)
    if not is_line:
        extend = "max" if len(view.entries) > 2 else "neither"
        ax.figure.colorbar(points, ax=ax, extend=extend, label="uncertainty")
    return finish(ax, view, "uncertainty", beside=is_line)
