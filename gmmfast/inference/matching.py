"""Which component of one mixture is which of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.parameters import Floats


def assignment(costs: ArrayLike) -> NDArray[np.int64]:
    """Assign each row of a square matrix a column of its own, at the smallest total cost.

    The Hungarian algorithm: rows are added one at a time, each by the shortest augmenting path in
    reduced costs ``costs[i, j] - u[i] - v[j]``. It takes ``O(K^3)`` operations.

    Parameters
    ----------
    costs : array-like of shape (K, K)
        Finite costs.

    Returns
    -------
    ndarray of int of shape (K,)
        Column of each row.

    Raises
    ------
    ValueError
        If the matrix is not square, or not finite.

    References
    ----------
    Kuhn, H. W. (1955). The Hungarian method for the assignment problem. Naval Research Logistics
    Quarterly 2, 83-97.

    Jonker, R., Volgenant, A. (1987). A shortest augmenting path algorithm for dense and sparse
    linear assignment problems. Computing 38, 325-340.

    Examples
    --------
    >>> from gmmfast.inference import assignment
    >>> assignment([[1, 2], [1, 9]])
    array([1, 0])
    """
    matrix = np.asarray(costs, np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise ValueError(
            f"costs must be a square matrix of finite numbers; got shape {matrix.shape}. Pass one "
            "row and one column per component."
        )
    K = len(matrix)
    u, v = np.zeros(K), np.zeros(K + 1)  # column K is where a path begins
    row_of = np.full(K + 1, -1)
    for i in range(K):
        row_of[K], j = i, K
        distance, before = np.full(K, np.inf), np.full(K, K)
        is_seen = np.zeros(K + 1, np.bool_)
        while row_of[j] >= 0:  # up to a column without a row
            is_seen[j] = True
            row, free = row_of[j], ~is_seen[:K]
            reduced = matrix[row] - u[row] - v[:K]
            nearer = free & (reduced < distance)
            distance[nearer], before[nearer] = reduced[nearer], j
            j = int(np.where(free, distance, np.inf).argmin())
            step = distance[j]
            u[row_of[is_seen]] += step
            v[is_seen] -= step
            distance[free] -= step
        while j != K:
            row_of[j], j = row_of[before[j]], int(before[j])
    columns = np.empty(K, np.int64)
    columns[row_of[:K]] = np.arange(K)
    return columns


def matched(means: Floats, fitted: Floats, scales: Floats) -> NDArray[np.int64]:
    """Return the component of each mixture that stands for each fitted one.

    Squared distances of the means, in units of the scales, have the smallest sum. Where the nearest
    components all differ, these are they, and no assignment has to be computed.

    Parameters
    ----------
    means : ndarray of shape (B, K, d)
        Means of B mixtures.
    fitted : ndarray of shape (K, d)
        Means of the fitted one.
    scales : ndarray of shape (d,)
        Positive.

    Returns
    -------
    ndarray of int of shape (B, K)
    """
    K = len(fitted)
    residuals = (fitted[:, None] - means[:, None]) / scales  # (B, fitted, own, d)
    costs = np.einsum("bijd,bijd->bij", residuals, residuals)
    order: NDArray[np.int64] = costs.argmin(axis=2)
    differ = (np.sort(order, axis=1) == np.arange(K)).all(axis=1)
    for b in np.flatnonzero(~differ):
        order[b] = assignment(costs[b])
    return order
