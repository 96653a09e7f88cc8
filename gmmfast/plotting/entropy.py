"""The entropies of a merging, from which a number of clusters is read."""

from __future__ import annotations

from typing import Any

import numpy as np

from gmmfast.analysis.merging import Merging
from gmmfast.plotting.descriptions import with_shared
from gmmfast.plotting.style import axes_of, look


def require_merging(merging: Any, function: str) -> None:
    """Raise TypeError if a picture of clusters is asked for anything but a merging."""
    if not isinstance(merging, Merging):
        raise TypeError(
            f"{function} needs the result of gmmfast.analysis.merge_components; got "
            f"{type(merging).__name__}."
        )


@with_shared
def plot_entropy(merging: Merging, ax: Any = None) -> Any:
    """Draw the entropy of 1 to K clusters, and the two lines whose meeting is the elbow.

    Where the curve is flat, joining clusters hardly makes the assignment of rows clearer; where it
    is steep, clusters overlap and are joined first. The number of clusters that was chosen is
    ringed. The dashed lines are absent with fewer than three components.

    Parameters
    ----------
    $merging
    $ax

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If `merging` is anything else.

    References
    ----------
    Baudry, J.-P., Raftery, A. E., Celeux, G., Lo, K., Gottardo, R. (2010). Combining mixture
    components for clustering. JCGS 19(2), 332-353, section 4: the entropy plot.

    Examples
    --------
    >>> from gmmfast import GaussianMixture
    >>> from gmmfast.analysis import merge_components
    >>> from gmmfast.datasets import load_customers
    >>> from gmmfast.plotting import plot_entropy
    >>> X = load_customers().data
    >>> mixture = GaussianMixture(4, random_state=0).fit(X)
    >>> plot_entropy(merge_components(mixture, X)).get_xlabel()
    'number of clusters'
    """
    require_merging(merging, "plot_entropy")
    ax = axes_of(ax)
    counts = np.arange(1, len(merging.entropies) + 1)
    elbow = merging.elbow
    if elbow is not None:
        split = elbow.n_clusters
        for (slope, height), part in zip(
            elbow.lines, (counts[:split], counts[split - 1 :]), strict=True
        ):
            ax.plot(part, slope * part + height, "--", color="0.6", linewidth=1)
    ax.plot(counts, merging.entropies, linewidth=1, markersize=4, **look(0))
    chosen = merging.n_clusters
    ax.plot(
        chosen, merging.entropies[chosen - 1], "o", markersize=13, markerfacecolor="none",
        markeredgecolor="black", zorder=3,
    )  # fmt: skip
    ax.set_xticks(counts)
    ax.set_xlabel("number of clusters")
    ax.set_ylabel("entropy (nats)")
    ax.set_title(
        f"{chosen} cluster{'s' * (chosen > 1)} of {counts[-1]} component{'s' * (len(counts) > 1)}"
    )
    return ax
