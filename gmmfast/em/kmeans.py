"""k-means on packed rows, for the starts of a fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.kmeans import PASSES, SEEDS, Bounds, Seeking, refer, seek
from gmmfast.kernels.splitting import Parts, split_and_merge
from gmmfast.kernels.threads import SLICE, require_somebody
from gmmfast.kernels.tiles import TILE, aligned
from gmmfast.parameters import Floats, equal_spheres
from gmmfast.rows import MemoryRows
from gmmfast.rows.evaluation import labels_of

Random = np.random.Generator | np.random.RandomState

BOUNDED = 64  # centers: fewer are not bounded
ROWS_PER_CENTER = 16  # in the sample on which centers for many rows are sought,
FEWEST_ROWS = 8192  # and at least so many in all
SAMPLE_PASSES = 3  # Lloyd passes over that sample, at most; one less after a split
ROWS_PASSES = 3  # then over all rows
LLOYD_PASSES = 100  # where trials follow
LLOYD_TOLERANCE = 1e-4  # relative to the mean variance, as in scikit-learn
SPLITS = 5  # times that parts are split and merged, at most
WORTH = 1e-3  # relative decrease of the sum of squares: a smaller one is the last


class Partition(NamedTuple):
    """Rows divided into K parts."""

    labels: NDArray[np.int32]  # (n_tiles, TILE) of packed rows that are not sorted
    means: Floats  # (K, d) of the parts, exact or approximate


class Search(NamedTuple):
    """Arguments of `gmmfast.kernels.kmeans.seek` behind the rows."""

    draws: Floats
    n_seeds: int
    n_passes: int
    tolerance: float
    budget: int
    place: NDArray[np.int64]
    work: Seeking
    centers: NDArray[Any]
    labels: NDArray[np.int32]


def k_means(points: MemoryRows, n_components: int, rng: Random, least_rows: int = 0) -> Partition:
    """Return a partition by k-means: k-means++ seeds, then passes until the centers converge.

    Parameters
    ----------
    points : MemoryRows
        Every pass uses all rows.
    n_components : int
        K.
    rng : Generator or RandomState
        Draws the seeds.
    least_rows : int, default=0
        If positive, parts are then split in halves of at least so many rows, and others merged, as
        long as that lowers the sum of squares. A row of the smallest weight counts once, others in
        proportion. After the last split, a row's own center need not be the nearest.

    References
    ----------
    Lloyd, S. (1982). Least squares quantization in PCM. IEEE Trans. Information Theory 28(2),
    129-137, section II.
    Kaukoranta, T., Franti, P., Nevalainen, O. (1998). Iterative split-and-merge algorithm for
    vector quantization codebook generation. Optical Engineering 37(10), 2726-2732.
    """
    return _sought(points, _draws(n_components, rng), LLOYD_PASSES, least_rows)


def plus_plus(
    points: MemoryRows, n_components: int, rng: Random, count: int = 1
) -> list[Partition]:
    """Return partitions around k-means++ seeds.

    Each seed is the best of ``2 + log K`` candidate rows, drawn by squared distance from earlier
    seeds: the candidate with the smallest sum of squared distances to all rows.

    Parameters
    ----------
    points, n_components, rng
        As in `k_means`.
    count : int, default=1
        Partitions, each around its own seeds.

    References
    ----------
    Arthur, D., Vassilvitskii, S. (2007). k-means++: the advantages of careful seeding. SODA,
    section 2.2; several candidates per seed: section 4 (there without a bound).
    """
    return [_sought(points, _draws(n_components, rng), 0) for _ in range(count)]


def many_centers(
    rows: MemoryRows, n_components: int, rng: Random, n_passes: int = 0, least_rows: int = 0
) -> Floats:
    """Return centers (K, d) for many rows, sought on a sample.

    16 rows per center with ``2 + log2 K`` candidates take no more time than 32 with ``2 + log K``.
    On generated rows (d = 16, K = 1024) and image patches (d = 35) fits were as likely.

    Parameters
    ----------
    rows, n_components, rng
        As in `k_means`.
    n_passes : int, default=0
        Lloyd passes, at most; 0 gives the seeds.
    least_rows : int, default=0
        As in `k_means`, of all rows.
    """
    sample = rows.all_or_sample(max(FEWEST_ROWS, ROWS_PER_CENTER * n_components), rng)
    own = math.ceil(least_rows * sample.n_rows / rows.n_rows)
    return _sought(sample, _draws(n_components, rng, math.log2), n_passes, own).means


def improved_parts(rows: MemoryRows, centers: Floats, least_rows: int = 0) -> Partition:
    """Improve a partition by a few passes of k-means.

    Parameters
    ----------
    rows : MemoryRows
        Sorted by the nearest of the centers.
    centers : ndarray of shape (K, d)
        Relative to the center of `rows`.
    least_rows : int, default=0
        As in `k_means`.

    Returns
    -------
    Partition
        With labels of the rows as they are sorted.
    """
    tiles, row_weights, labels = rows.packed
    (K, d), dtype = centers.shape, tiles.dtype
    own, labels = np.array(centers, dtype, order="C"), labels.copy()
    work = _scratch(np.empty((0, TILE), dtype), 1, K, d)
    place, draws = np.array([K, 0, 0, 0], np.int64), np.empty((K, 1))
    search = Search(draws, K, ROWS_PASSES, 0.0, SLICE, place, work, own, labels)
    _seek(tiles, row_weights, search)
    _split_and_merge(tiles, row_weights, search, least_rows)
    return Partition(labels, own.astype(np.float64))


def partition_around(points: MemoryRows, centers: Floats) -> Partition:
    """Assign each row to the nearest center, the first of ties.

    Parameters
    ----------
    points : MemoryRows
        The rows.
    centers : ndarray of shape (K, d)
        Relative to the center of `points`.
    """
    return Partition(points.tiled(labels_of(points, equal_spheres(centers))), centers)


def partition_of(points: MemoryRows, labels: NDArray[np.int64], n_components: int) -> Partition:
    """Divide rows by their labels (n,)."""
    return Partition(points.tiled(labels), points.means_of(labels, n_components))


def _draws(n_components: int, rng: Random, log: Callable[[float], float] = math.log) -> Floats:
    """Return the random numbers that seeds are drawn with (K, C), for C = 2 + log K candidates."""
    u = np.ones((n_components, 2 + int(log(n_components))))
    u[0, 0] = rng.uniform()
    u[1:] = rng.uniform(size=u[1:].shape)
    return u


def _sought(points: MemoryRows, draws: Floats, n_passes: int, least_rows: int = 0) -> Partition:
    """Seek a partition; see `gmmfast.kernels.kmeans.seek`."""
    tiles, row_weights, _ = points.packed
    (K, C), d = draws.shape, points.n_features
    work = _scratch(np.empty(row_weights.shape, tiles.dtype), C, K, d)
    centers, labels = np.empty((K, d), tiles.dtype), np.empty(row_weights.shape, np.int32)
    tolerance = LLOYD_TOLERANCE * float(points.variances.mean()) if n_passes else 0.0
    place, order = np.zeros(4, np.int64), np.arange(labels.size)
    for n_seeds, last in _stages(K, n_passes):
        if place[SEEDS] > 0:
            by = np.lexsort((work.nearest.ravel(), labels.ravel()))
            tiles, row_weights, order = _tiles_by(by, tiles), _by(by, row_weights), order[by]
            work.nearest[...], labels[...] = _by(by, work.nearest), _by(by, labels)
            refer(tiles, row_weights, centers, labels, place, work)
        search = Search(draws, n_seeds, last, tolerance, SLICE, place, work, centers, labels)
        _seek(tiles, row_weights, search)
    _split_and_merge(tiles, row_weights, search, least_rows)
    unsorted = np.empty(labels.size, np.int32)
    unsorted[order] = labels.ravel()
    return Partition(unsorted.reshape(labels.shape), centers.astype(np.float64))


def _seek(tiles: NDArray[Any], row_weights: NDArray[Any], search: Search) -> None:
    """Complete a search."""
    while not seek(tiles, row_weights, *search):
        require_somebody()


def _split_and_merge(
    tiles: NDArray[Any], row_weights: NDArray[Any], search: Search, least_rows: int
) -> None:
    """Split and merge parts, with passes after each time, for as long as that pays."""
    centers, labels = search.centers, search.labels
    if least_rows == 0 or len(centers) < 3:  # one part to split, and two to merge
        return
    least_mass = least_rows * float(row_weights[row_weights > 0].min())
    parts = _scratch_of_parts(labels.shape, *centers.shape)
    for _ in range(SPLITS):
        place, decrease = np.zeros(2, np.int64), -1.0
        while decrease < 0:
            require_somebody()
            args = SLICE, place, parts, centers, labels
            decrease = split_and_merge(tiles, row_weights, least_mass, *args)
        if not decrease > WORTH:
            break
        search.place[PASSES] = 1  # as if these were the parts of the first pass
        _seek(tiles, row_weights, search)


def _stages(n_components: int, n_passes: int) -> list[tuple[int, int]]:
    """Return the seeds and passes after which rows are sorted: many seeds whenever they double."""
    if n_components < BOUNDED:
        return [(n_components, n_passes)]
    stages, n_seeds = [], BOUNDED // 2
    while n_seeds < n_components:
        stages.append((n_seeds, 0))
        n_seeds *= 2
    return [*stages, (n_components, 0), (n_components, n_passes)]


def _scratch(nearest: NDArray[Any], n_draws: int, n_components: int, n_features: int) -> Seeking:
    """Allocate scratch for rows with these distances to their seeds (n_tiles, TILE)."""
    dtype, shape, C, K, d = nearest.dtype, nearest.shape, n_draws, n_components, n_features
    n_packed, of_rows = (-(-K // TILE), shape) if K >= BOUNDED else (0, (0, TILE))
    precision = np.finfo(dtype)
    slack = [1 + 8 * (d + 4) * float(precision.eps), float(precision.tiny)]
    bounds = Bounds(
        np.empty((n_packed, d, TILE), dtype), np.empty((C, n_packed, TILE), dtype),
        np.zeros(1, np.int64), np.empty(of_rows, np.int32), np.empty(of_rows), np.empty(of_rows),
        np.empty(of_rows[0]), np.array(slack),
    )  # fmt: skip
    return Seeking(
        nearest, np.empty((C, *shape), dtype), np.empty((C, d), dtype), np.empty(C),
        np.empty(shape), np.empty(K), np.empty((K, d)), np.empty(TILE, dtype), np.arange(K),
        bounds,
    )  # fmt: skip


def _scratch_of_parts(shape: tuple[int, ...], n_components: int, n_features: int) -> Parts:
    """Allocate scratch to split parts of packed rows of this shape (n_tiles, TILE)."""
    K, d = n_components, n_features
    return Parts(
        np.empty(K), np.empty((K, d)), np.empty((K, d)), np.empty(shape, np.int8),
        np.empty((K, 2)), np.empty((K, 2, d)), np.empty((K, 2, d)), np.empty(K), np.empty(K),
        np.empty(K, np.int64), np.empty(K, np.int8), np.empty((K, 2), np.int64),
    )  # fmt: skip


def _by(order: NDArray[np.int64], values: NDArray[Any]) -> NDArray[Any]:
    """Return values of packed rows (n_tiles, TILE) in another order."""
    return values.ravel()[order].reshape(values.shape)


def _tiles_by(order: NDArray[np.int64], tiles: NDArray[Any]) -> NDArray[Any]:
    """Return packed rows (n_tiles, d, TILE) in another order."""
    n_tiles, d, _ = tiles.shape
    rows = tiles.transpose(0, 2, 1).reshape(-1, d)[order].reshape(n_tiles, TILE, d)
    sorted_tiles: NDArray[Any] = aligned(n_tiles * d, np.empty(0, tiles.dtype)).reshape(tiles.shape)
    sorted_tiles[...] = rows.transpose(0, 2, 1)
    return sorted_tiles
