"""Places of rows within their components: neighboring rows then need the same components."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.parameters import Floats, Parameters

MANY = 64  # components; with fewer, the second sort key costs more than it gains
EXTENT = 8.0  # standard deviations; rows farther out sort alike
STEPS = 8  # of the power iteration: any long axis will do
BLOCK = 1 << 16  # values: scratch


def are_worth_places(parameters: Parameters) -> bool:
    """Whether there are many components with axes of their own."""
    return parameters.factors.ndim == 3 and len(parameters.weights) >= MANY


def places_of(
    X: NDArray[Any], center: Floats, parameters: Parameters, labels: NDArray[np.int64]
) -> NDArray[np.uint16]:
    """Return where each row lies (n,) along the longest axis of its component, from 0 to 65535.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The rows.
    center : ndarray of shape (d,)
        What the means are relative to.
    parameters : Parameters
        A mixture with a factor for each component.
    labels : ndarray of shape (n,)
        Component of each row.
    """
    covariances = np.broadcast_to(parameters.covariances, parameters.factors.shape)
    axes, deviations = longest_axes(covariances)
    axes = axes / deviations[:, None]
    means = np.einsum("kj,kj->k", parameters.means, axes)
    scale = np.iinfo(np.uint16).max / (2 * EXTENT)
    places, step = np.empty(len(labels), np.uint16), max(1, BLOCK // X.shape[1])
    for start in range(0, len(labels), step):
        part = slice(start, start + step)
        own = labels[part]
        z = np.einsum("ij,ij->i", X[part] - center, axes[own]) - means[own]
        places[part] = (np.clip(z, -EXTENT, EXTENT) + EXTENT) * scale
    return places


def longest_axes(covariances: Floats) -> tuple[Floats, Floats]:
    """Return an axis about as long as the longest one (K, d), and the deviations along it (K,)."""
    variances = np.einsum("kii->ki", covariances)
    units = variances.max(axis=1)
    covariances = covariances / units[:, None, None]  # so that squares neither over- nor underflow
    axes = np.eye(covariances.shape[1])[variances.argmax(axis=1)]
    for _ in range(STEPS):
        axes = np.einsum("kij,kj->ki", covariances, axes)
        axes /= np.sqrt(np.einsum("kj,kj->k", axes, axes))[:, None]
    deviations = np.sqrt(np.einsum("kj,kji,ki->k", axes, covariances, axes))
    return axes, np.sqrt(units) * deviations


def sorted_order(
    labels: NDArray[np.integer], places: NDArray[np.uint16] | None
) -> NDArray[np.int64]:
    """Return the order of rows by their labels (n,), then by their places (n,), if given."""
    # NumPy sorts 16-bit integers by radix, in linear time
    narrow = labels.astype(np.min_scalar_type(int(labels.max())))
    if places is None:
        return narrow.argsort(kind="stable")
    order = places.argsort(kind="stable")
    return order[narrow[order].argsort(kind="stable")]
