"""Statistics of partitions of packed rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.partitions import divide
from gmmfast.kernels.threads import SLICE
from gmmfast.kernels.tiles import TILE
from gmmfast.models.step import new_totals, statistics_from
from gmmfast.parameters import Floats, SufficientStatistics

if TYPE_CHECKING:
    from gmmfast.rows.packing import Packed

ROWS = 2048  # added one by one: rounding errors grow with the square root of their number


def statistics_of_parts(
    packed: Packed,
    labels: NDArray[np.int32],
    means: Floats,
    scatter: tuple[int, ...],
    unit: float,
) -> SufficientStatistics:
    """Return the statistics of a partition, without the weight and number of the rows.

    Parameters
    ----------
    packed : Packed
        The rows.
    labels : ndarray of shape (n_tiles, TILE)
        Their parts.
    means : ndarray of shape (K, d)
        Of the parts, exact or approximate; the moments are about them, or about nearer ones.
    scatter : tuple of int
        Shape of the second moments.
    unit : float
        Of the packed row weights.
    """
    (tiles, row_weights, _), (K, d) = packed, means.shape
    step, whole = max(min(SLICE // 8 // (TILE * d * d), ROWS // TILE), K // 8, 1), None
    for start in range(0, len(tiles), step):  # Ctrl-C is handled between slices
        part = slice(start, start + step)
        own = tiles[part].astype(np.float64, copy=False)
        weights = row_weights[part].astype(np.float64, copy=False)
        about, shifts = np.array(means, np.float64, order="C"), np.empty((K, d))
        totals = new_totals(about, scatter)
        divide(own, weights, labels[part], shifts, about, totals)
        found = statistics_from(totals, 0.0, 0, unit)
        whole = found if whole is None else whole + found.about(whole.reference)
    assert whole is not None
    return whole
