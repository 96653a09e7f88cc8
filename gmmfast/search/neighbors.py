"""Neighbors of a candidate, and the partitions that they suggest to it.

A neighbor has the same K and another model, or the same model and one component more or less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gmmfast.em.kmeans import partition_of
from gmmfast.em.trials import likeliest
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.models import Model
from gmmfast.models.step import parameters_in
from gmmfast.parameters import Floats, Parameters
from gmmfast.rows import MemoryRows
from gmmfast.rows.evaluation import labels_of, responsibilities_of
from gmmfast.search.candidates import Candidate, CandidateFit
from gmmfast.search.starts import Labels

OTHER_MODELS = 3  # with the same K: the likeliest
MERGES = 3  # pairs of components to merge
SPLITS = 4  # components to cut, where a solution with one component fewer is a start


def neighbors_of(candidate: Candidate, fits: Sequence[CandidateFit]) -> list[CandidateFit]:
    """Return the neighbors that suggest partitions to a candidate, among fits with a mixture."""
    K, name = candidate
    like = [fit for fit in fits if fit.candidate.n_components == K and fit.candidate != candidate]
    like.sort(key=lambda fit: -fit.log_likelihood)
    next_to = [Candidate(K - 1, name), Candidate(K + 1, name)]
    return like[:OTHER_MODELS] + [fit for fit in fits if fit.candidate in next_to]


def partitions_from(
    neighbors: Sequence[CandidateFit], n_components: int, points: MemoryRows
) -> list[Labels]:
    """Return the partitions of rows (n,) that neighbors suggest for K components."""
    found: list[Labels] = []
    for fit in neighbors:
        more = fit.candidate.n_components - n_components
        if more == 0:
            found.append(labels_of(points, fit.mixture))
        else:
            found += (splits if more < 0 else merges)(points, fit.mixture)
    return found


def best_split(points: MemoryRows, mixture: Parameters, model: Model) -> Labels | None:
    """Return the partition after a few EM passes from the likeliest split; None if all fail."""
    K = len(mixture.weights) + 1
    ways = [partition_of(points, labels, K) for labels in splits(points, mixture)[:SPLITS]]
    if not ways:
        return None
    try:
        fit = likeliest(points, model, ways).fit
    except IllDefinedCovarianceError:
        return None
    return labels_of(points, parameters_in(model, fit.mixture))


def splits(points: MemoryRows, parameters: Parameters) -> list[Labels]:
    """Return the partitions in which one component is cut in two, across its longest axis.

    Those whose halves are heaviest and narrowest come first: by the log-likelihood that two normal
    distributions along the axis gain over one, if they share a variance.

    Parameters
    ----------
    points : MemoryRows
        Rows to label.
    parameters : Parameters
        A mixture with one component fewer.

    Returns
    -------
    list of ndarray of shape (n,)
        One for each component of at least two rows.
    """
    labels = labels_of(points, parameters)[points.sample_weight > 0]
    present, weights = points.present()
    K = len(parameters.weights)
    found: list[tuple[float, int, Labels]] = []
    for k in range(K):
        own = np.flatnonzero(labels == k)
        if own.size < 2:
            continue
        mass = weights[own]
        residuals = present[own] - np.average(present[own], axis=0, weights=mass)
        longest = np.linalg.eigh((residuals * mass[:, None]).T @ residuals)[1][:, -1]
        along = residuals @ longest
        beyond = along > 0
        cut = labels.copy()
        cut[own[beyond]] = K
        found.append((-_gain(along, mass, beyond), len(found), points.of_all(cut)))
    return [cut for *_, cut in sorted(found)]


def _gain(along: Floats, mass: Floats, beyond: NDArray[np.bool_]) -> float:
    """Return what two normal distributions of rows along an axis gain over one, in nats."""
    sides = [part for part in (beyond, ~beyond) if part.any()]
    within = sum(mass[s] @ (along[s] - np.average(along[s], weights=mass[s])) ** 2 for s in sides)
    whole = mass @ along**2
    if within > 0:
        return float(mass.sum() * np.log(whole / within) / 2)
    return math.inf if whole > 0 else 0.0


def merges(points: MemoryRows, parameters: Parameters) -> list[Labels]:
    """Return the partitions that merge two components, for the pairs that share most rows.

    Parameters
    ----------
    points : MemoryRows
        Rows to label.
    parameters : Parameters
        A mixture with one component more.

    Returns
    -------
    list of ndarray of shape (n,)

    References
    ----------
    Ueda, N., Nakano, R., Ghahramani, Z., Hinton, G. E. (2000). SMEM algorithm for mixture models.
    Neural Computation 12, 2109-2128, section 3: what two components share is the inner product of
    their responsibilities.
    """
    resp, last = responsibilities_of(points, parameters), len(parameters.weights) - 1
    labels = resp.argmax(axis=1)
    labels[labels > last] = -1  # noise
    first, second = np.triu_indices(last + 1, 1)
    shared = np.einsum("n,nk,nk->k", points.sample_weight, resp[:, first], resp[:, second])
    found = []
    for pair in np.argsort(-shared, kind="stable")[:MERGES]:
        one = np.where(labels == second[pair], first[pair], labels)
        found.append(np.where(one == last, second[pair], one))
    return found
