"""The means of the components, feature by feature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gmmfast.plotting.marginals import Marginal, Pictured, feature_indices, mixture_of
from gmmfast.plotting.style import axes_of, draw_legend, look, share, title_of

WIDTH = 0.5  # of the bars of all components at one feature
LONG = 36  # characters of all names; more are written at a slant


def plot_profile(
    mixture: Pictured, *, features: Sequence[int | str] | None = None, ax: Any = None
) -> Any:
    """Draw the means of the components, standardized, with a bar of one standard deviation.

    Zero is the mean of the mixture as a whole and one its standard deviation, so that features of
    different units can be compared: ``(means - m) / s`` with ``m = sum_k weights_k means_k`` and
    ``s^2 = sum_k weights_k (variances_k + (means_k - m)^2)``.

    Parameters
    ----------
    mixture : GaussianMixture or GaussianMixtureIC
        Fitted.
    features : sequence of int or str, optional
        Features to show, by number or column name, in this order; all by default.
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
        If `mixture` is neither a mixture nor a search.

    Examples
    --------
    >>> from gmmfast import GaussianMixture
    >>> from gmmfast.datasets import load_customers
    >>> from gmmfast.plotting import plot_profile
    >>> mixture = GaussianMixture(2, random_state=0).fit(load_customers().data)
    >>> plot_profile(mixture).get_ylabel()
    'standardized mean'
    """
    fitted = mixture_of(mixture)
    chosen = range(fitted.means_.shape[1]) if features is None else features
    marginal = Marginal.of(fitted, feature_indices(fitted, chosen))
    ax = axes_of(ax)
    shares = marginal.weights[:, None]
    center = (shares * marginal.means).sum(axis=0)
    residuals = marginal.means - center
    scale = np.sqrt((shares * (marginal.deviations**2 + residuals**2)).sum(axis=0))
    places, K = np.arange(len(scale)), len(residuals)
    ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    for k in range(K):
        ax.errorbar(
            places + WIDTH * ((k + 0.5) / K - 0.5), residuals[k] / scale,
            marginal.deviations[k] / scale, label=share(fitted, k), markersize=5, linewidth=1.2,
            elinewidth=0.8, capsize=2, **look(k),
        )  # fmt: skip
    is_long = sum(map(len, marginal.names)) > LONG
    slant = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if is_long else {}
    ax.set_xticks(places, marginal.names, **slant)
    ax.set_ylabel("standardized mean")
    ax.set_title(title_of(fitted))
    draw_legend(ax, beside=True)
    return ax
