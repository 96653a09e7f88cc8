"""The rows that count as noise before the first fit, and partitions of the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gmmfast.em.kmeans import Partition, Random, partition_of
from gmmfast.models import Noise, Tails
from gmmfast.parameters import Floats, SufficientStatistics
from gmmfast.rows import MemoryRows
from gmmfast.rows.neighbors import neighbor_distances

# times the share: a row that is noise by mistake soon returns to its component, and one far away
# that is not may attract a component
GENEROUS = 2
FAR = 0.05  # share where components have heavy tails, as of noise that is not described
NEIGHBORS = 12  # how many the distance is to, unless components have fewer rows
REFERENCES = 2048  # rows, at most, among which neighbors are sought


def left_out(noise: Noise | None, tails: Tails | None) -> Noise | None:
    """Return what starts leave out: noise; or the farthest rows, where tails are heavy.

    EM forgets outliers that a t component begins with only if they are not too far: with 5 % of the
    rows 1e4 deviations away, k-means gives them a component, which keeps them. Of what is returned
    then, only the share counts.
    """
    if noise is None and tails is not None:
        return Noise(0.0, FAR)
    return noise


def first_guess(
    points: MemoryRows, n_components: int, noise: Noise | None, rng: Random
) -> NDArray[np.bool_]:
    """Return which rows (n,) count as noise to begin with; at least K do not.

    Where the caller does not say, those farthest from their neighbors, twice as many as the share:
    clusters are dense, and noise is sparse (Byers & Raftery 1998). A first fit would not do: far
    rows attract a component of their own.

    Parameters
    ----------
    points : MemoryRows
        All rows, or a sample.
    n_components : int
        K.
    noise : Noise or None
        Its labels, or its share; None: no row is noise.
    rng : Generator or RandomState
        Draws the rows among which neighbors are sought, if there are many.

    References
    ----------
    Byers, S., Raftery, A. E. (1998). Nearest-neighbor clutter removal for estimating features in
    spatial point processes. JASA 93(442), 577-584.
    """
    guess = np.zeros(len(points.array), np.bool_)
    if noise is None:
        return guess
    if noise.labels is not None:
        return noise.labels if points.drawn is None else noise.labels[points.drawn]
    share = min(GENEROUS * noise.share, (1 + noise.share) / 2)
    count = min(max(round(share * points.n_rows), 1), points.n_rows - n_components)
    farthest = np.argsort(-_distances(points, n_components, rng), kind="stable")[:count]
    guess[np.flatnonzero(points.sample_weight)[farthest]] = True
    return guess


def _distances(points: MemoryRows, n_components: int, rng: Random) -> Floats:
    """Return the squared distance (m,) of each row of positive weight to a near neighbor.

    In units of the features' standard deviations.
    """
    X, _ = points.present()
    variances = points.variances
    X = X / np.sqrt(np.where(variances > 0, variances, 1.0))
    others = X
    if len(X) > REFERENCES:
        others = X[rng.permutation(len(X))[:REFERENCES]]
    place = min(NEIGHBORS, max(1, len(others) // (2 * n_components)), len(others) - 1)
    return neighbor_distances(X, others, place)


def without(points: MemoryRows, is_noise: NDArray[np.bool_]) -> MemoryRows:
    """Return the rows that are not noise."""
    return points.part(np.flatnonzero(~is_noise)) if is_noise.any() else points


def lifted(
    way: Partition | SufficientStatistics, points: MemoryRows, is_noise: NDArray[np.bool_]
) -> Partition | SufficientStatistics:
    """Return memberships of the rows that are not noise as memberships of all rows.

    Parameters
    ----------
    way : Partition or SufficientStatistics
        Of the rows of `without`.
    points : MemoryRows
        All rows.
    is_noise : ndarray of bool of shape (n,)
        Which are noise.
    """
    if not is_noise.any():
        return way
    if isinstance(way, SufficientStatistics):
        return replace(way, weight=points.weight, n_rows=points.n_rows)
    clean = without(points, is_noise)
    own = clean.of_all(way.labels.ravel()[: clean.n_rows])
    return partition_of(points, labels_of_all(own, is_noise), len(way.means))


def labels_of_all(labels: NDArray[np.int64], is_noise: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return labels of the rows that are not noise as labels of all rows (n,); noise is -1."""
    everywhere = np.full(len(is_noise), -1)
    everywhere[~is_noise] = labels
    return everywhere
