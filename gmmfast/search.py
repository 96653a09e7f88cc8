"""The fits of a search over K and covariance models, all over the same rows."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gmmfast import criteria, em, small
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.hierarchy import Tree, standardized, whitened
from gmmfast.initialization import Random, Start, likeliest, lloyd, plus_plus
from gmmfast.models import MODELS, Model
from gmmfast.parameters import Floats, Parameters, Scatter
from gmmfast.rows import MemoryRows

LARGEST_SAMPLE = 4096  # rows that starts are sought on: a tree takes the square of their number
SAMPLE_PASSES = 100  # EM passes over a sample at the most,
SAMPLE_TOL = 1e-4  # and the gain of one, in nats a row, that is not worth another
TASK = 7  # fits of few rows that a thread makes before it hands them over


class Candidate(NamedTuple):
    """A model to fit."""

    n_components: int
    covariance_type: str


@dataclass(frozen=True)
class Fit:
    """What became of a candidate. Criteria are NaN where there is no mixture; lower is better."""

    candidate: Candidate
    seconds: float
    failure: str = ""  # why there is no mixture; empty where there is one
    result: em.EMResult | None = None
    log_likelihood: float = math.nan  # of all rows together
    bic: float = math.nan
    aic: float = math.nan
    icl: float = math.nan
    cv: float = math.nan  # minus the mean log density of rows, each by a fit that has not seen it
    degenerate: bool = False  # a component has collapsed: the likelihood means nothing


class Verdict(NamedTuple):
    """What the rows say of a mixture."""

    log_likelihood: float  # of all of them together
    doubt: float  # see `criteria.doubt`
    sound: bool  # no component has collapsed; of few rows, False may be a false alarm


class Found(NamedTuple):
    """A fit, and what is known of it already."""

    result: em.EMResult
    verdict: Verdict | None = None


class Starts:
    """Where the candidates of a search start from.

    Rows are partitioned once for each K: by Ward's trees of the standardised and of the whitened
    rows, and by k-means. Each model tries all of them for a few EM passes.

    Parameters
    ----------
    rows : MemoryRows
        The data.
    rng : Generator or RandomState
        Draws a sample of many rows, and the seeds of k-means.
    counts : iterable of int
        All K that will be asked for.
    """

    def __init__(self, rows: MemoryRows, rng: Random, counts: Iterable[int]) -> None:
        self._rows = rows
        self.points = points = rows.all_or_sample(LARGEST_SAMPLE, rng)
        present, weights = points.present()
        trees = [Tree(scaled(present, weights), weights) for scaled in (standardized, whitened)]
        self.floors = smallest_variances(present, weights)
        self._labels: dict[int, list[NDArray[np.int64]]] = {}
        for k in sorted({k for k in counts if k <= points.n_rows}):
            labels = [points.of_all(tree.labels(k)) for tree in trees]
            labels.append(points.nearest(lloyd(points, plus_plus(points, k, rng))))
            self._labels[k] = different(labels)

    def best(self, model: Model, n_components: int) -> Start:
        """Return rows sorted for speed, and the likeliest parameters to start a model from."""
        tries = [
            partial(_after_m_step, self.points, own, n_components, model)
            for own in self._labels[n_components]
        ]
        arranged, parameters = likeliest(tries, model)
        if self.points is not self._rows:
            arranged = self._rows.arrange(self._rows.labels(parameters))
        return arranged, parameters

    @cached_property
    def partitions(self) -> dict[int, small.Partitions]:
        """All of them, of packed rows, by K."""
        return {
            k: small.Partitions(
                np.stack([self.points.tiled(own) for own in labels]),
                np.stack([self.points.means_of(own, k) for own in labels]),
            )
            for k, labels in self._labels.items()
        }


def different(partitions: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """Return partitions without those that differ from an earlier one in the labels alone."""
    found: dict[bytes, NDArray[np.int64]] = {}
    for labels in partitions:
        _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
        by_appearance = first.argsort().argsort()[inverse]
        found.setdefault(by_appearance.tobytes(), labels)
    return list(found.values())


def smallest_variances(points: Floats, weights: Floats) -> tuple[float, float]:
    """Return the smallest variance of all rows, in any direction, and of a feature."""
    covariance = (points * weights[:, None]).T @ points / weights.sum()
    return max(float(np.linalg.eigvalsh(covariance)[0]), 0.0), float(covariance.diagonal().min())


def _after_m_step(
    rows: MemoryRows, labels: NDArray[np.int64], n_components: int, model: Model
) -> Start:
    arranged, means = rows.arrange(labels), rows.means_of(labels, n_components)
    return arranged, model.maximization(arranged.partition(means, model.scatter))


@dataclass(frozen=True)
class Search:
    """What all candidates have in common.

    Parameters
    ----------
    rows : MemoryRows
        The data.
    folds : list of (MemoryRows, MemoryRows)
        For cross-validation: rows to fit to, and rows that are held out, about the same centre.
    reg_covar : float
        Added to the diagonal of every component's covariance, before the family's constraint.
    control : em.Control
        Tolerance, iterations, acceleration.
    rng : Generator or RandomState
        The only source of chance.
    n_threads : int
        Candidates to fit at the same time, where there are few rows.
    """

    rows: MemoryRows
    folds: list[tuple[MemoryRows, MemoryRows]]
    reg_covar: float
    control: em.Control
    rng: Random
    n_threads: int

    def fits(self, candidates: Sequence[Candidate]) -> Iterator[Fit]:
        """Fit the candidates, in their order. One that fails says why, and ends nothing."""
        counts = [candidate.n_components for candidate in candidates]
        starts = Starts(self.rows, self.rng, counts)
        of_folds = [Starts(seen, self.rng, counts) for seen, _ in self.folds]
        attempt = partial(self._attempt, starts, of_folds)
        if self.rows.n_rows > small.FEW or self.n_threads == 1:
            yield from map(attempt, candidates)
            return
        tasks = [candidates[i : i + TASK] for i in range(0, len(candidates), TASK)]
        pool = ThreadPoolExecutor(self.n_threads)
        try:
            for fits in pool.map(lambda task: [attempt(candidate) for candidate in task], tasks):
                yield from fits
        finally:
            pool.shutdown(cancel_futures=True)

    def _attempt(self, starts: Starts, of_folds: list[Starts], candidate: Candidate) -> Fit:
        begin = time.perf_counter()
        K, covariance_type = candidate
        model = MODELS[covariance_type](self.reg_covar)
        found: dict[str, Any] = {}
        try:
            if K > min(own.points.n_rows for own in (starts, *of_folds)):
                failure = "fewer rows than components"
            else:
                found = self._criteria(model, self._fit(self.rows, starts, model, K))
                found["cv"] = self._cross_validated(of_folds, model, K)
                failure = ""
        except IllDefinedCovarianceError:
            found, failure = {}, "a covariance is not positive definite"
        return Fit(candidate, time.perf_counter() - begin, failure, **found)

    def _fit(self, rows: MemoryRows, starts: Starts, model: Model, K: int) -> Found:
        """Fit a candidate; what few rows say of the mixture is known at once."""
        control, ahead = self.control, None
        if small.is_small(starts.points, model):
            if starts.points is not rows:  # a start is enough
                passes = min(control.max_iter, SAMPLE_PASSES)
                control = replace(control, tol=max(control.tol, SAMPLE_TOL), max_iter=passes)
            floor = starts.floors[model.scatter is Scatter.DIAGONAL]
            partitions = starts.partitions[K]
            ahead = small.fit(
                starts.points, model, partitions, control.tol, control.max_iter, floor
            )
        if ahead is None:
            return Found(em.run(*starts.best(model, K), model, self.control))
        if starts.points is not rows:
            arranged = rows.arrange(rows.labels(ahead.parameters))
            return Found(em.run(arranged, ahead.parameters, model, self.control))
        result = small.go_on(rows, model, ahead, control)
        if result.parameters is not ahead.parameters:
            return Found(result)
        return Found(result, Verdict(ahead.log_likelihood, ahead.doubt, ahead.sound))

    def _verdict(self, model: Model, parameters: Parameters) -> Verdict:
        """Pass over all rows for what a search says of a mixture."""
        statistics = self.rows.expectation(parameters, model.scatter)
        doubt = criteria.doubt(self.rows.certainties(parameters), self.rows.sample_weight)
        sound = not model.degenerate(parameters, statistics).any()
        return Verdict(statistics.log_likelihood, doubt, sound)

    def _criteria(self, model: Model, found: Found) -> dict[str, Any]:
        parameters, verdict = found.result.parameters, found.verdict
        if verdict is None or not verdict.sound:
            verdict = self._verdict(model, parameters)
        n_parameters = model.n_parameters(*parameters.means.shape)
        bic = criteria.bic(verdict.log_likelihood, n_parameters, self.rows.weight)
        return {
            "result": found.result,
            "log_likelihood": verdict.log_likelihood,
            "bic": bic,
            "aic": criteria.aic(verdict.log_likelihood, n_parameters),
            "icl": criteria.icl(bic, verdict.doubt),
            "degenerate": not verdict.sound,
        }

    def _cross_validated(self, starts: list[Starts], model: Model, K: int) -> float:
        total = weight = 0.0
        for own, (seen, held_out) in zip(starts, self.folds, strict=True):
            parameters = self._fit(seen, own, model, K).result.parameters
            total += held_out.expectation(parameters, model.scatter).log_likelihood
            weight += held_out.weight
        return -total / weight if weight else math.nan
