"""Where the candidates of a search start from: partitions of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from gmmfast.em.kmeans import Partition, Random, k_means, partition_of
from gmmfast.em.noise import first_guess, labels_of_all, without
from gmmfast.em.starts import SMALLEST_SAMPLE
from gmmfast.em.trees import trees
from gmmfast.models import Noise
from gmmfast.rows import MemoryRows, Rows

Labels = NDArray[np.int64]  # (n,)

FACTOR = 4  # by which samples grow: each is at most a quarter of the rows,
LARGEST_SAMPLE = 65536  # and of this size


class Starts:
    """Partitions of the rows for each K, made once.

    Ward's trees of the standardized and of the whitened rows, and k-means. Each model tries all of
    them for a few EM passes.

    Parameters
    ----------
    rows : Rows
        The data.
    rng : Generator or RandomState
        Draws samples of many rows, and the seeds of k-means.
    noise : Noise, optional
        Rows that count as noise are in no part.

    Attributes
    ----------
    samples : list of RowsInMemory
        The rows alone; or samples, each larger one begins with the rows of a smaller one.
    held_out : list of RowsInMemory
        For each sample, as many rows drawn apart from it; empty without samples.
    points : MemoryRows
        The first of the samples, filled in where values are missing.
    clean : MemoryRows
        Those that are not noise to begin with.
    choices : dict of int to list of Partition
        The partitions by K.
    """

    def __init__(self, rows: Rows, rng: Random, noise: Noise | None = None) -> None:
        self._rng = rng
        sizes = [SMALLEST_SAMPLE]
        while sizes[-1] < LARGEST_SAMPLE and FACTOR**2 * sizes[-1] <= rows.n_rows:
            sizes.append(FACTOR * sizes[-1])
        self.samples, self.held_out = [rows.all_or_sample(sizes[-1], rng)], []
        if rows.n_rows > SMALLEST_SAMPLE:
            both = self.samples[0], rows.all_or_sample(sizes[-1], rng)
            self.samples, self.held_out = ([s.part(slice(m)) for m in sizes] for s in both)
        self.points = self.samples[0].filled(rng)
        self._is_noise = first_guess(self.points, 1, noise, rng)
        self.clean: MemoryRows = without(self.points, self._is_noise)
        self._trees = trees(*self.clean.present())
        self.choices: dict[int, list[Partition]] = {}

    def make(self, counts: Iterable[int], is_late: Callable[[], bool] = lambda: False) -> None:
        """Make the partitions for some K.

        Parameters
        ----------
        counts : iterable of int
            Each K; more than there are points are left out.
        is_late : callable
            Whether there is no time left for any K but the first.
        """
        points = self.clean
        for k in sorted({k for k in counts if k <= points.n_rows}):
            if self.choices and is_late():
                break
            labels = [points.of_all(tree.labels(k)) for tree in self._trees]
            found = k_means(points, k, self._rng).labels
            labels.append(points.of_all(found.ravel()[: points.n_rows]))
            self.choices[k] = self.choice(self._of_points(labels), k)

    def of_one(self) -> list[Partition]:
        """Return the partition for one component."""
        whole = np.zeros(len(self.clean.array), np.int64)
        return self.choice(self._of_points([whole]), 1)

    def _of_points(self, partitions: Sequence[Labels]) -> list[Labels]:
        """Return partitions of the rows that are not noise as partitions of all points."""
        if self.clean is self.points:
            return list(partitions)
        return [labels_of_all(own, self._is_noise) for own in partitions]

    def choice(self, partitions: Sequence[Labels], n_components: int) -> list[Partition]:
        """Return the partitions of the sample to choose among, without duplicates."""
        return [partition_of(self.points, own, n_components) for own in different(partitions)]


def different(partitions: Sequence[Labels]) -> list[Labels]:
    """Return the partitions, without mere renumberings of an earlier one."""
    found: dict[bytes, Labels] = {}
    for labels in partitions:
        first = np.full(labels.max() + 2, len(labels))  # rows where labels appear; -1 comes last
        first[labels[::-1]] = np.arange(len(labels))[::-1]
        found.setdefault(first[labels].tobytes(), labels)
    return list(found.values())
