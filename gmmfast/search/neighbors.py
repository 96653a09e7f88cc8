"""Neighbors of a candidate, and the partitions that they suggest to it.

A neighbor has the same K and another model, or the same model and one component more or less.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gmmfast.parameters import Parameters
from gmmfast.rows import MemoryRows
from gmmfast.rows.evaluation import labels_of, responsibilities_of
from gmmfast.search.candidates import Candidate, CandidateFit
from gmmfast.search.starts import Labels

OTHER_MODELS = 3  # with the same K: the likeliest
MERGES = 3  # pairs of components to merge


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


def splits(points: MemoryRows, parameters: Parameters) -> list[Labels]:
    """Return the partitions in which one component is cut in two, across its longest axis.

    Parameters
    ----------
    points : MemoryRows
        Rows to label.
    parameters : Parameters
        A mixture with one component less.

    Returns
    -------
    list of ndarray of shape (n,)
        One for each component of at least two rows.
    """
    labels = labels_of(points, parameters)[points.sample_weight > 0]
    present, weights = points.present()
    K = len(parameters.weights)
    found = []
    for k in range(K):
        own = np.flatnonzero(labels == k)
        if own.size < 2:
            continue
        residuals = present[own] - np.average(present[own], axis=0, weights=weights[own])
        longest = np.linalg.eigh((residuals * weights[own, None]).T @ residuals)[1][:, -1]
        cut = labels.copy()
        cut[own[residuals @ longest > 0]] = K
        found.append(points.of_all(cut))
    return found


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
    resp = responsibilities_of(points, parameters)
    labels, last = resp.argmax(axis=1), resp.shape[1] - 1
    first, second = np.triu_indices(last + 1, 1)
    shared = np.einsum("n,nk,nk->k", points.sample_weight, resp[:, first], resp[:, second])
    found = []
    for pair in np.argsort(-shared, kind="stable")[:MERGES]:
        one = np.where(labels == second[pair], first[pair], labels)
        found.append(np.where(one == last, second[pair], one))
    return found
