"""k-means on packed rows, for the starts of a fit."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.density import TILE
from gmmfast.kernels.kmeans import Seeking, seek
from gmmfast.kernels.threads import SLICE, require_somebody
from gmmfast.parameters import Floats
from gmmfast.rows import MemoryRows

Random = np.random.Generator | np.random.RandomState

LLOYD_PASSES = 100
LLOYD_TOLERANCE = 1e-4  # relative to the mean variance, as in scikit-learn


class Partition(NamedTuple):
    """Rows divided into K parts."""

    labels: NDArray[np.int32]  # (n_tiles, TILE) of packed rows that are not sorted
    means: Floats  # (K, d) of the parts, exact or approximate


def k_means(points: MemoryRows, n_components: int, rng: Random, count: int = 1) -> list[Partition]:
    """Return partitions by k-means: k-means++ seeds, then passes until the centers converge.

    Parameters
    ----------
    points : MemoryRows
        Every pass uses all rows.
    n_components : int
        K.
    rng : Generator or RandomState
        Draws the seeds.
    count : int, default=1
        Runs, each from its own seeds; runs that end at the same centers give one partition.

    References
    ----------
    Lloyd, S. (1982). Least squares quantization in PCM. IEEE Trans. Information Theory 28(2),
    129-137, section II.
    """
    draws = _draws(n_components, rng, count)
    found: dict[bytes, Partition] = {}
    for own in _sought(points, draws, _no_centers(points, n_components, count), LLOYD_PASSES):
        found.setdefault(own.means[np.lexsort(own.means.T)].tobytes(), own)
    return list(found.values())


def plus_plus(
    points: MemoryRows, n_components: int, rng: Random, count: int = 1
) -> list[Partition]:
    """Return partitions around k-means++ seeds.

    Each seed is the best of ``2 + log K`` candidate rows, drawn by squared distance from earlier
    seeds: the candidate with the smallest sum of squared distances to all rows.

    Parameters
    ----------
    points, n_components, rng, count
        As in `k_means`.

    References
    ----------
    Arthur, D., Vassilvitskii, S. (2007). k-means++: the advantages of careful seeding. SODA,
    section 2.2; several candidates per seed: section 4 (there without a bound).
    """
    draws = _draws(n_components, rng, count)
    return _sought(points, draws, _no_centers(points, n_components, count), 0)


def partition_around(points: MemoryRows, centers: Floats) -> Partition:
    """Assign each row to the nearest center, the first of ties.

    Parameters
    ----------
    points : MemoryRows
        The rows.
    centers : ndarray of shape (K, d)
        Relative to the center of `points`.
    """
    own = np.array(centers[None], points.dtype, order="C")
    labels = _sought(points, np.empty((1, 0, 0)), own, 0)[0].labels
    return Partition(labels, centers)


def partition_of(points: MemoryRows, labels: NDArray[np.int64], n_components: int) -> Partition:
    """Divide rows by their labels (n,)."""
    return Partition(points.tiled(labels), points.means_of(labels, n_components))


def _draws(n_components: int, rng: Random, count: int) -> Floats:
    """Return the random numbers that seeds are drawn with (count, K, C)."""
    u = np.ones((count, n_components, 2 + int(math.log(n_components))))
    for own in u:
        own[0, 0] = rng.uniform()
        own[1:] = rng.uniform(size=own[1:].shape)
    return u


def _no_centers(points: MemoryRows, n_components: int, count: int) -> NDArray[Any]:
    return np.empty((count, n_components, points.n_features), points.dtype)


def _sought(
    points: MemoryRows, draws: Floats, centers: NDArray[Any], n_passes: int
) -> list[Partition]:
    """Seek partitions; see `gmmfast.kernels.kmeans.seek`."""
    tiles, row_weights, _ = points.packed
    shape, (count, K, d) = row_weights.shape, centers.shape
    work = Seeking(
        np.empty(shape, tiles.dtype), np.empty((draws.shape[2], *shape), tiles.dtype),
        np.empty(shape), np.empty(K), np.empty((K, d)), np.empty(TILE, tiles.dtype),
    )  # fmt: skip
    labels, place = np.empty((count, *shape), np.int32), np.zeros(4, np.int64)
    tolerance = LLOYD_TOLERANCE * float(points.variances.mean()) if n_passes else 0.0
    args = tiles, row_weights, draws, n_passes, tolerance, SLICE, place, work, centers, labels
    while not seek(*args):
        require_somebody()
    return list(map(Partition, labels, centers.astype(np.float64)))
