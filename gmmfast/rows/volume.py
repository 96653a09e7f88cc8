"""The region of the data, over which noise is uniform."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gmmfast.parameters import Floats
from gmmfast.rows.base import Rows
from gmmfast.rows.dependence import covariance_of

FLAT = 1e-10  # of the longest edge: a shorter one along a principal axis is rounding
LARGEST = 700.0  # of the logarithm of a volume, so that the volume is a float


class Region(NamedTuple):
    """A box, and its volume."""

    log_volume: float
    box: Floats  # (d + 1, d): a corner, and the edges that begin there


def region_of(rows: Rows, volume: float | None) -> Region:
    """Return the box of the data along the features or the principal axes, as mclust's ``hypvol``.

    The smaller of the two; that along the features where the rows are flat along a principal axis.

    Parameters
    ----------
    rows : Rows
        The data.
    volume : float or None
        Volume to which the box is scaled.

    Raises
    ------
    ValueError
        If the volume is zero, or no float can hold it.

    References
    ----------
    Banfield, J. D., Raftery, A. E. (1993). Model-based Gaussian and non-Gaussian clustering.
    Biometrics 49(3), 803-821, section 3: noise with a density of one over the volume.
    """
    axes = np.stack([np.eye(rows.n_features), np.linalg.eigh(covariance_of(rows))[1]])
    low, high = rows.extremes(np.hstack(list(axes)))
    lows, highs = low.reshape(2, -1), high.reshape(2, -1)
    with np.errstate(divide="ignore"):
        log_volumes = np.log(highs - lows).sum(axis=1)
    along = (highs - lows)[1]
    if not along.min() > FLAT * along.max():
        log_volumes[1] = math.inf
    least = int(log_volumes.argmin())
    log_volume, own = float(log_volumes[least]), axes[least].T
    corner, edges = rows.center + lows[least] @ own, (highs - lows)[least, :, None] * own
    if volume is not None:
        if math.isfinite(log_volume):
            scale = math.exp((math.log(volume) - log_volume) / rows.n_features)
            corner, edges = corner + (1 - scale) / 2 * edges.sum(axis=0), scale * edges
        log_volume = math.log(volume)
    if not abs(log_volume) < LARGEST:
        is_flat = log_volume == -math.inf
        reason = "is zero: a column is constant" if is_flat else "is too large or small for a float"
        raise ValueError(
            f"Noise needs the volume of the data, which {reason}. Leave out such columns, rescale "
            "them, or give noise_volume."
        )
    return Region(log_volume, np.vstack([corner, edges]))
