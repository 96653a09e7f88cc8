"""Replicates of rows, drawn in blocks, and the fits to them in threads."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from gmmfast.data.validation import check_random_state
from gmmfast.em import Control
from gmmfast.em.observers import Deadline
from gmmfast.em.replicates import Refitting
from gmmfast.estimators.beginning import model_for
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.kernels.threads import thread_count
from gmmfast.models import Model
from gmmfast.models.base import square_roots
from gmmfast.parameters import Floats, Parameters
from gmmfast.rows import MemoryRows
from gmmfast.search.threads import in_threads

TOL = 1e-4  # nats of all rows: a replicate moves them by about half a nat per parameter. With 1e-5
# per row, standard errors of 40,000 rows in two overlapping groups were an eighth of the right ones
MAX_ITER = 1000
BLOCK = 1 << 17  # values that a block of replicates draws, at most (1 MB),
LARGEST = 32  # and replicates: a block per thread and turn

Result = TypeVar("Result")


def refitting_of(mixture: GaussianMixture, rows: MemoryRows) -> tuple[Refitting, Model]:
    """Return the fits to replicates of rows, from a fitted mixture, and its model."""
    model = model_for(mixture, rows)
    tol = min(mixture.tol, TOL / rows.n_rows)
    control = Control(tol, max(mixture.max_iter, MAX_ITER), "auto")
    start = model.adapted(mixture._parameters(rows.center))
    return Refitting(rows, start, model, control), model


def in_blocks(
    fit: Callable[[Any, int], Result],
    n_replicates: int,
    n_values: int,
    random_state: Any,
    n_jobs: int | None,
) -> list[Result]:
    """Call ``fit(rng, count)`` for blocks of replicates, in threads.

    Each block has a generator of its own, and its size follows from the shapes, so the results do
    not depend on the number of threads.

    Parameters
    ----------
    fit : callable
        Draws and fits so many replicates.
    n_replicates : int
        Replicates in all.
    n_values : int
        Values that one replicate draws.
    random_state : int, RandomState, Generator or None
        Source of the seeds.
    n_jobs : int or None
        Threads.
    """
    size = max(1, min(LARGEST, BLOCK // n_values))
    counts = [min(size, n_replicates - i) for i in range(0, n_replicates, size)]
    entropy = int.from_bytes(check_random_state(random_state).bytes(16), "little")
    seeds = np.random.SeedSequence(entropy).spawn(len(counts))

    def work(block: int) -> Result:
        return fit(np.random.default_rng(seeds[block]), counts[block])

    threads = thread_count(n_jobs)
    return list(in_threads(work, range(len(counts)), 1, threads, Deadline(math.inf)))


def counted(rng: np.random.Generator, n_replicates: int, n_rows: int) -> Floats:
    """Draw rows with replacement: how often each one is drawn, (n_replicates, n_rows)."""
    drawn = rng.integers(n_rows, size=(n_replicates, n_rows))
    drawn += n_rows * np.arange(n_replicates)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=drawn.size)
    return counts.reshape(drawn.shape).astype(np.float64)


class Drawing:
    """Draws rows from a mixture, for many replicates at once.

    Parameters
    ----------
    parameters : Parameters
        The mixture, relative to the center of the rows.
    model : Model
        Its covariance model.
    box : ndarray of shape (d + 1, d), optional
        A corner of the volume of the noise, relative to the same center, and its edges.
    """

    def __init__(self, parameters: Parameters, model: Model, box: Floats | None) -> None:
        shape, own = parameters.means.shape, parameters
        self._roots = square_roots(model.matrices(own.covariances, *shape))
        self._weights, self._means, self._degrees = own.weights, own.means, own.degrees
        self._box = box

    def rows(self, rng: np.random.Generator, n_replicates: int, n_rows: int) -> Floats:
        """Return rows (n_replicates, n_rows, d) about the center, in the order of components."""
        K, d = self._means.shape
        shares = np.append(self._weights, max(0.0, 1 - self._weights.sum()))
        counts = rng.multinomial(n_rows, shares / shares.sum(), size=n_replicates)
        labels = np.tile(np.arange(K + 1), n_replicates).repeat(counts.ravel())
        z = rng.standard_normal((labels.size, d))
        X = np.empty_like(z)
        for k in range(K):
            own = labels == k
            if self._degrees is not None:
                latent = rng.chisquare(self._degrees[k], own.sum()) / self._degrees[k]
                z[own] /= np.sqrt(latent)[:, None]
            X[own] = z[own] @ self._roots[k].T + self._means[k]
        own = labels == K
        if self._box is not None:
            corner, edges = self._box[0], self._box[1:]
            X[own] = corner + rng.uniform(size=(int(own.sum()), d)) @ edges
        return X.reshape(n_replicates, n_rows, d)


def drawing_of(
    mixture: GaussianMixture, refitting: Refitting, model: Model, center: Floats
) -> Drawing:
    """Return the draws from the mixture that replicates start from."""
    box = getattr(mixture, "noise_box_", None)
    if box is not None:
        box = np.concatenate([box[:1] - center, box[1:]])
    return Drawing(refitting.parameters, model, box)
