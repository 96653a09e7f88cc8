"""Clusters that are several components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike

from gmmfast.analysis.merging import Merging
from gmmfast.plotting.components import SIGMAS, draw_curves, draw_ellipses
from gmmfast.plotting.descriptions import with_shared
from gmmfast.plotting.entropy import require_merging
from gmmfast.plotting.style import axes_of, finish
from gmmfast.plotting.view import View


@with_shared
def plot_clusters(
    merging: Merging,
    X: ArrayLike | None = None,
    *,
    n_clusters: int | None = None,
    features: Sequence[int | str] = (0, 1),
    sigmas: Sequence[float] = SIGMAS,
    ax: Any = None,
) -> Any:
    """Draw components in the colors of their clusters, over the rows or as densities.

    As `plot_mixture`, but rows and ellipses have the color of a cluster, and of one feature the
    curves are the densities of clusters.

    Parameters
    ----------
    $merging
    $X
    n_clusters : int, optional
        Number of clusters; by default that of the merging.
    $features
    $sigmas
    $ax

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If there is no such feature, or no such number of clusters.
    TypeError
        If `merging` is anything else, or `X` is a source or a Dask collection.

    Examples
    --------
    >>> from gmmfast import GaussianMixture
    >>> from gmmfast.analysis import merge_components
    >>> from gmmfast.datasets import load_customers
    >>> from gmmfast.plotting import plot_clusters
    >>> X = load_customers().data
    >>> merging = merge_components(GaussianMixture(4, random_state=0).fit(X), X)
    >>> plot_clusters(merging, X, n_clusters=2).get_title()
    '2 clusters of 4 components'
    """
    require_merging(merging, "plot_clusters")
    clusters = merging.membership(n_clusters)
    view = View.of_one_or_two(merging.mixture, X, features, clusters)
    n, ax = len(view.entries), axes_of(ax)
    view = replace(view, title=f"{n} cluster{'s' * (n > 1)} of {len(clusters)} components")
    (draw_curves if len(view.names) == 1 else draw_ellipses)(ax, view, sigmas)
    return finish(ax, view, "density", legend="cluster")
