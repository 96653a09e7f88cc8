"""k-means on packed rows, which the starts of a fit come from."""

from __future__ import annotations

import math

import numpy as np

from gmmfast.kernels.density import TILE
from gmmfast.kernels.kmeans import add_seeds, move_centers
from gmmfast.kernels.options import slices
from gmmfast.parameters import Floats
from gmmfast.rows import MemoryRows

Random = np.random.Generator | np.random.RandomState

LLOYD_PASSES = 100
LLOYD_TOLERANCE = 1e-4  # of the mean variance: scikit-learn's


def plus_plus(points: MemoryRows, n_components: int, rng: Random) -> Floats:
    """Seeds, each drawn in proportion to the squared distance from those before it.

    Of ``2 + log K`` rows that are drawn, the nearest to all rows becomes the seed.

    Parameters
    ----------
    points : MemoryRows
        All of them are used.
    n_components : int
        K.
    rng : Generator or RandomState
        Draws the seeds.

    Returns
    -------
    ndarray of shape (K, d)
        Relative to the center of `points`.

    References
    ----------
    Arthur, D., Vassilvitskii, S. (2007). k-means++: the advantages of careful seeding. SODA,
    section 2.2; the several draws: section 4 (there without a bound).
    """
    tiles, row_weights, _ = points.packed
    n_draws = 2 + int(math.log(n_components))
    u = np.ones((n_components, n_draws))
    u[0, 0] = rng.uniform()
    u[1:] = rng.uniform(size=(n_components - 1, n_draws))
    seeds = np.empty((n_components, points.n_features), tiles.dtype)
    nearest = np.full(row_weights.shape, np.inf, tiles.dtype)
    distances = np.empty((n_draws, *row_weights.shape), tiles.dtype)
    cumulated = np.empty(row_weights.shape)
    for part in slices(n_components, TILE * len(tiles) * n_draws * points.n_features):
        add_seeds(
            part.start, part.stop, tiles, row_weights, u, nearest, distances, cumulated, seeds
        )
    return seeds.astype(np.float64)


def lloyd(points: MemoryRows, centers: Floats) -> Floats:
    """k-means: move each center to the mean of the rows nearest to it, until they stand still.

    Parameters
    ----------
    points : MemoryRows
        All of them are used, in every pass.
    centers : ndarray of shape (K, d)
        Where to start, relative to the center of `points`.

    Returns
    -------
    ndarray of shape (K, d)
        Centers.

    References
    ----------
    Lloyd, S. (1982). Least squares quantization in PCM. IEEE Trans. Information Theory 28(2),
    129-137, section II.
    """
    tiles, row_weights, _ = points.packed
    centers = np.array(centers, tiles.dtype, order="C")  # a copy: passes move it
    mass, sums = np.empty(len(centers)), np.empty(centers.shape)
    nearest, place = np.empty(TILE, tiles.dtype), np.zeros(1, np.int64)
    tolerance = LLOYD_TOLERANCE * float(points.variances.mean())
    for part in slices(LLOYD_PASSES * len(tiles), TILE * centers.size):
        budget = part.stop - part.start
        if move_centers(tiles, row_weights, tolerance, budget, mass, sums, nearest, place, centers):
            break
    return centers.astype(np.float64)
