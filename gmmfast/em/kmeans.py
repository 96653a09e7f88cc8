"""k-means on packed rows, which the starts of a fit come from."""

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
LLOYD_TOLERANCE = 1e-4  # of the mean variance: scikit-learn's


class Partition(NamedTuple):
    """Rows divided into K parts."""

    labels: NDArray[np.int32]  # (n_tiles, TILE) of packed rows that are not sorted
    means: Floats  # (K, d) of the parts, or near them


def k_means(points: MemoryRows, n_components: int, rng: Random, count: int = 1) -> list[Partition]:
    """Partitions by k-means: seeds by k-means++, then passes until the centers stand still.

    Parameters
    ----------
    points : MemoryRows
        All of them are used, in every pass.
    n_components : int
        K.
    rng : Generator or RandomState
        Draws the seeds.
    count : int, default=1
        Partitions, each from seeds of its own.

    References
    ----------
    Lloyd, S. (1982). Least squares quantization in PCM. IEEE Trans. Information Theory 28(2),
    129-137, section II.
    """
    draws = _draws(n_components, rng, count)
    return _sought(points, draws, _no_centers(points, n_components, count), LLOYD_PASSES)


def plus_plus(
    points: MemoryRows, n_components: int, rng: Random, count: int = 1
) -> list[Partition]:
    """Partitions around seeds, each drawn by the squared distance from those before it.

    Of ``2 + log K`` rows that are drawn, the nearest to all rows becomes the seed.

    Parameters
    ----------
    points, n_components, rng, count
        As for `k_means`.

    References
    ----------
    Arthur, D., Vassilvitskii, S. (2007). k-means++: the advantages of careful seeding. SODA,
    section 2.2; the several draws: section 4 (there without a bound).
    """
    draws = _draws(n_components, rng, count)
    return _sought(points, draws, _no_centers(points, n_components, count), 0)


def partition_around(points: MemoryRows, centers: Floats) -> Partition:
    """Give each row to the nearest center, the first of equals.

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


def _draws(n_components: int, rng: Random, count: int) -> Floats:
    """Return what seeds are drawn by (count, K, C)."""
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
