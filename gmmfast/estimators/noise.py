"""Noise as users describe it, for the model of a fit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.errors import warn
from gmmfast.files.attributes import NOISE
from gmmfast.models import Noise
from gmmfast.parameters import Parameters
from gmmfast.rows import MemoryRows, Rows
from gmmfast.rows.incomplete import no_place_in_noise
from gmmfast.rows.volume import region_of

MOST = 0.95  # weight beyond which noise is no longer what is left over
SHARE = 0.05  # of the rows, where the user does not say


def noise_of(noise: Any, volume: float | None, rows: Rows, n_components: int) -> Noise | None:
    """Return the noise of a fit to rows; None without.

    Parameters
    ----------
    noise : None, bool, float or array-like of shape (n,)
        Of the constructor.
    volume : float or None
        Its `noise_volume`.
    rows : Rows
        The data.
    n_components : int
        K, or the smallest one.

    Raises
    ------
    ValueError
        If labels are not of the rows, or the rows have no volume.
    """
    if noise is None or (isinstance(noise, bool | np.bool_) and not noise):
        if volume is not None:
            raise ValueError(
                f"noise_volume is the volume of the noise, and there is none; got noise={noise} "
                f"and noise_volume={volume}. Set noise=True, or leave noise_volume out."
            )
        return None
    if rows.lack_values:
        raise no_place_in_noise()
    share, labels = SHARE if isinstance(noise, bool | np.bool_) else noise, None
    if not np.isscalar(noise):
        labels = _checked(noise, rows, n_components)
        share = float(rows.sample_weight[labels].sum() / rows.weight)  # type: ignore[attr-defined]
    region = region_of(rows, volume)
    return Noise(-region.log_volume, float(share), labels, region.box)


def _checked(noise: Any, rows: Rows, n_components: int) -> NDArray[np.bool_]:
    """Return a first guess of the rows that are noise."""
    if not isinstance(rows, MemoryRows):
        raise ValueError(
            "Labels in noise= need rows in memory; got rows that are read in pieces or lie on a "
            "cluster. Give noise=True or a share."
        )
    labels, n = np.asarray(noise), len(rows.array)
    if labels.shape != (n,) or labels.dtype != bool:
        raise ValueError(
            f"Labels in noise= must be bool, of shape ({n},), one per row; got {labels.dtype} of "
            f"shape {labels.shape}. True marks a row that is noise."
        )
    present = rows.sample_weight > 0
    n_noise, n_others = int(labels[present].sum()), int((~labels[present]).sum())
    if not n_noise or n_others < n_components:
        raise ValueError(
            f"Labels in noise= must mark at least one row of positive weight, and leave "
            f"{n_components} for the components; got {n_noise} and {n_others}."
        )
    return labels


def set_noise(mixture: Any, noise: Noise | None, begun: Noise | None) -> None:
    """Set the attributes of the noise, or none.

    Parameters
    ----------
    mixture : GaussianMixture
        To be changed.
    noise : Noise or None
        Fitted.
    begun : Noise or None
        That the fit has begun with; without a box the fit goes on with the mixture's own.
    """
    weight, volume, box = NOISE
    earlier = {name: vars(mixture).pop(name, None) for name in NOISE}
    if noise is None:
        return
    own = math.exp(-noise.log_density)
    setattr(mixture, weight, noise.share)
    setattr(mixture, volume, own)
    if begun is not None and begun.box is not None:
        setattr(mixture, box, begun.box)
    elif earlier[box] is not None and math.isclose(own, earlier[volume]):
        setattr(mixture, box, earlier[box])


def warn_of_noise(mixture: Parameters) -> None:
    """Warn if most of the weight is noise, as where its volume is in other units."""
    if mixture.noise is not None and mixture.noise[0] > MOST:
        warn(
            f"Noise has {100 * mixture.noise[0]:.0f} % of the weight, the components the rest. Its "
            "volume may be too small: noise_volume is in the units of the data; None takes that of "
            "a box around all rows."
        )
