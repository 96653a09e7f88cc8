"""Partitions of the rows for every K, from one hierarchical tree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.linkage import cut_tree, ward_tree
from gmmfast.kernels.threads import slices
from gmmfast.parameters import Floats


class Tree:
    """Ward's tree of some rows.

    Parameters
    ----------
    points : ndarray of shape (n, d)
        Rows, scaled to make distances meaningful.
    weights : ndarray of shape (n,)
        Positive row weights.

    References
    ----------
    Ward, J. H. (1963). Hierarchical grouping to optimize an objective function. JASA 58, 236-244.

    Murtagh, F. (1983). A survey of recent advances in hierarchical clustering algorithms. The
    Computer Journal 26(4), 354-359, section 3: nearest-neighbor chains.
    """

    def __init__(self, points: Floats, weights: Floats) -> None:
        n = len(points)
        self._n = n
        kept, gone = np.empty(n - 1, np.int64), np.empty(n - 1, np.int64)
        cost = np.empty(n - 1)
        chain = np.empty(n, np.int64)
        state = (weights.copy(), np.array(points, order="C"), chain, kept, gone, cost)
        length = merged = 0
        for part in slices(3 * n, points.size):  # an upper bound of the steps
            length, merged = ward_tree(*state, length, merged, part.stop - part.start)
        order = cost.argsort(kind="stable")
        self._kept, self._gone = kept[order], gone[order]

    def labels(self, n_clusters: int) -> NDArray[np.int64]:
        """Return the partition into `n_clusters` (n,), numbered from zero."""
        roots = np.empty(self._n, np.int64)
        cut_tree(self._n - n_clusters, self._kept, self._gone, roots)
        return np.unique(roots, return_inverse=True)[1]


def trees(points: Floats, weights: Floats) -> list[Tree]:
    """Return the trees of the standardized and of the whitened rows."""
    largest = np.abs(points).max()
    points = points / (largest if largest > 0 else 1.0)  # avoids overflow of squares
    return [Tree(scaled(points, weights), weights) for scaled in (standardized, whitened)]


def whitened(points: Floats, weights: Floats) -> Floats:
    """Return the rows in uncorrelated coordinates of unit variance.

    Directions without variance are left out. Of fewer rows than columns, from their products.
    """
    is_wide = len(points) < points.shape[1]
    if is_wide:
        residuals, roots = centered(points, weights), np.sqrt(weights / weights.sum())
        points = residuals @ (residuals * roots[:, None]).T
        covariance = points * roots[:, None]
    else:
        covariance = covariance_of(points, weights)
    values, vectors = np.linalg.eigh(covariance)
    present = values > 1e-12 * max(values[-1], np.finfo(float).tiny)
    scales = values[present] if is_wide else np.sqrt(values[present])
    return np.asarray(points @ (vectors[:, present] / scales))


def standardized(points: Floats, weights: Floats) -> Floats:
    """Return the rows with features scaled to unit variance; constant features are left out."""
    variances = weights @ centered(points, weights) ** 2 / weights.sum()
    present = variances > 0
    return np.asarray(points[:, present] / np.sqrt(variances[present]))


def covariance_of(points: Floats, weights: Floats) -> Floats:
    """Return the covariance matrix (d, d) of weighted rows."""
    residuals = centered(points, weights)
    return np.asarray((residuals * weights[:, None]).T @ residuals / weights.sum())


def centered(points: Floats, weights: Floats) -> Floats:
    """Return rows about their weighted mean."""
    return np.asarray(points - weights @ points / weights.sum())
