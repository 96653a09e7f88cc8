"""Where the candidates of a search start from: partitions of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast import small
from gmmfast.hierarchy import covariance_of, trees
from gmmfast.initialization import (
    SMALLEST_SAMPLE,
    Random,
    after_m_step,
    likeliest,
    lloyd,
    plus_plus,
)
from gmmfast.models import Model
from gmmfast.parameters import Floats, Parameters, Scatter
from gmmfast.rows import MemoryRows, Rows

Labels = NDArray[np.int64]  # (n,)

MERGES = 3  # pairs of components that are tried as one


@dataclass(frozen=True)
class Choice:
    """Partitions into K parts, of which a model takes the likeliest."""

    labels: Sequence[Labels]
    packed: small.Partitions


class Starts:
    """Partitions of the rows, made once for each K.

    Ward's trees of the standardised and of the whitened rows, and k-means. Each model tries all of
    them for a few EM passes.

    Parameters
    ----------
    rows : Rows
        The data.
    rng : Generator or RandomState
        Draws a sample of many rows, and the seeds of k-means.
    counts : iterable of int
        All K that will be asked for.
    is_late : callable
        Whether there is no time for other K than the smallest.
    """

    def __init__(
        self,
        rows: Rows,
        rng: Random,
        counts: Iterable[int],
        is_late: Callable[[], bool] = lambda: False,
    ) -> None:
        self._rows = rows
        self.points = points = rows.all_or_sample(SMALLEST_SAMPLE, rng)
        present, weights = points.present()
        hierarchies = trees(present, weights)
        self.floors = smallest_variances(present, weights)
        self.choices: dict[int, Choice] = {}
        for k in sorted({k for k in counts if k <= points.n_rows}):
            if self.choices and is_late():
                break
            labels = [points.of_all(tree.labels(k)) for tree in hierarchies]
            labels.append(points.nearest(lloyd(points, plus_plus(points, k, rng))))
            self.choices[k] = self.choice(labels, k)

    def choice(self, partitions: Sequence[Labels], n_components: int) -> Choice:
        """Return partitions of the sample to choose among, without those that are the same."""
        labels = different(partitions)
        packed = small.Partitions(
            np.stack([self.points.tiled(own) for own in labels]),
            np.stack([self.points.means_of(own, n_components) for own in labels]),
        )
        return Choice(labels, packed)

    def best(self, model: Model, n_components: int, choice: Choice) -> tuple[Rows, Parameters]:
        """Return rows sorted for speed, and the likeliest parameters to start a model from."""
        tries = [
            partial(after_m_step, self.points, own, n_components, model) for own in choice.labels
        ]
        arranged, parameters = likeliest(tries, model)
        if self.points is self._rows:
            return arranged, parameters
        return self._rows.arranged_for(parameters), parameters


def different(partitions: Sequence[Labels]) -> list[Labels]:
    """Return partitions without those that differ from an earlier one in the labels alone."""
    found: dict[bytes, Labels] = {}
    for labels in partitions:
        _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
        by_appearance = first.argsort().argsort()[inverse]
        found.setdefault(by_appearance.tobytes(), labels)
    return list(found.values())


class Floors(NamedTuple):
    """The smallest variance of all rows: what a collapsed component is compared with."""

    in_any_direction: float
    of_a_feature: float

    def of(self, model: Model) -> float:
        """Return the one that counts for a model."""
        is_diagonal = model.scatter is Scatter.DIAGONAL
        return self.of_a_feature if is_diagonal else self.in_any_direction


def smallest_variances(points: Floats, weights: Floats) -> Floors:
    """Return the smallest variances of rows."""
    with np.errstate(all="ignore"):  # where squares do not exist, no fit will
        covariance = covariance_of(points, weights)
    if not np.isfinite(covariance).all():
        return Floors(0.0, 0.0)
    least = max(float(np.linalg.eigvalsh(covariance)[0]), 0.0)
    return Floors(least, float(covariance.diagonal().min()))


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
        One for each component; there a cut leaves rows on both sides.
    """
    labels = points.labels(parameters)[points.sample_weight > 0]
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
    """Return the partitions in which two components are one: those that share most rows.

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
    resp = points.responsibilities(parameters)
    labels, last = resp.argmax(axis=1), resp.shape[1] - 1
    first, second = np.triu_indices(last + 1, 1)
    shared = np.einsum("n,nk,nk->k", points.sample_weight, resp[:, first], resp[:, second])
    found = []
    for pair in np.argsort(-shared, kind="stable")[:MERGES]:
        one = np.where(labels == second[pair], first[pair], labels)
        found.append(np.where(one == last, second[pair], one))
    return found
