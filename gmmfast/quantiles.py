"""Quantiles of log densities: cuts below which rows are outliers of a mixture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_ROWS = 1 << 14  # more rows are sampled: the quantile of 0.01 is right to 0.0008
# 0, 1 to 9 times 1e-4, 1e-3 and 1e-2, and 0.1 to 1 in steps of 0.05
GRID: Floats = np.concatenate(
    [[0.0], *(np.arange(1, 10) / unit for unit in (1e4, 1e3, 1e2)), np.arange(2, 21) / 20]
)


def quantiles(values: NDArray[Any], weights: Floats) -> Floats:
    """Quantiles of weighted values at the shares of `GRID`.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Log densities, in nats.
    weights : ndarray of shape (n,)
        Non-negative, some positive. A weight of 2 counts as two rows.

    Returns
    -------
    ndarray of shape (47,)
        For each share q the first value with which more than q of the weight is reached, so that
        at most q lies below it; halfway from the value before where that reaches q exactly.

    Examples
    --------
    >>> import numpy as np
    >>> at_10_percent = GRID.tolist().index(0.1)
    >>> quantiles(np.arange(100.0), np.ones(100))[at_10_percent]
    np.float64(9.5)
    """
    if (weights == weights[0]).all():  # NumPy sorts values several times as fast as it finds orders
        ordered, reached = np.sort(values), np.arange(1.0, len(values) + 1)
    else:
        order = np.argsort(values)
        order = order[weights[order] > 0]
        ordered, reached = values[order], np.cumsum(weights[order])
    reached /= reached[-1]
    last = len(ordered) - 1
    before = np.minimum(np.searchsorted(reached, GRID, side="left"), last)
    after = np.minimum(np.searchsorted(reached, GRID, side="right"), last)
    return np.asarray((ordered[before].astype(np.float64) + ordered[after]) / 2)
