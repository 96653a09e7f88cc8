"""The means of the components, feature by feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gmmfast.plotting.descriptions import with_shared
from gmmfast.plotting.style import axes_of, draw_legend, look
from gmmfast.plotting.view import Pictured, View

WIDTH = 0.5  # of the bars of all components at one feature
LONG = 36  # characters of all names; more are written at a slant


@with_shared
def plot_profile(
    mixture: Pictured, *, features: Sequence[int | str] | None = None, ax: Any = None
) -> Any:
    """Draw the means of the components, standardized, with a bar of one standard deviation.

    Zero is the mean of the mixture as a whole and one its standard deviation, so that features of
    different units can be compared: ``(means - m) / s`` with ``m = sum_k weights_k means_k`` and
    ``s^2 = sum_k weights_k (variances_k + (means_k - m)^2)``. Of t components, whose variances may
    be infinite, squared scales stand in for variances.

    Parameters
    ----------
    $mixture
    features : sequence of int or str, optional
        Features to show, by number or column name, in this order; all by default.
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
    >>> from gmmfast.plotting import plot_profile
    >>> mixture = GaussianMixture(2, random_state=0).fit(load_customers().data)
    >>> plot_profile(mixture).get_ylabel()
    'standardized mean'
    """
    view = View.of(mixture, None, features)
    means, deviations = view.mixture.means, view.mixture.deviations
    ax = axes_of(ax)
    shares = view.mixture.weights[:, None] / view.mixture.weights.sum()  # noise has the rest
    residuals = means - (shares * means).sum(axis=0)
    scale = np.sqrt((shares * (deviations**2 + residuals**2)).sum(axis=0))
    places, K = np.arange(len(scale)), len(means)
    ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    for k, entry in enumerate(view.entries):
        ax.errorbar(
            places + WIDTH * ((k + 0.5) / K - 0.5), residuals[k] / scale, deviations[k] / scale,
            label=entry, markersize=5, linewidth=1.2, elinewidth=0.8, capsize=2, **look(k),
        )  # fmt: skip
    is_long = sum(map(len, view.names)) > LONG
    slant = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if is_long else {}
    ax.set_xticks(places, view.names, **slant)
    ax.set_ylabel("standardized mean")
    ax.set_title(view.title)
    draw_legend(ax, beside=True)
    return ax
