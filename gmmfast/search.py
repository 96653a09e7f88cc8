"""The fits of a search over K and covariance models, all over the same rows."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from gmmfast import criteria, em
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.hierarchy import Tree, standardized, whitened
from gmmfast.initialization import Random, Start, likeliest, lloyd, plus_plus
from gmmfast.models import MODELS, Model
from gmmfast.parameters import Floats
from gmmfast.rows import MemoryRows

LARGEST_SAMPLE = 4096  # rows that starts are sought on: a tree takes the square of their number


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
    """

    def __init__(self, rows: MemoryRows, rng: Random) -> None:
        self._rows, self._rng = rows, rng
        self._points = rows.all_or_sample(LARGEST_SAMPLE, rng)
        self._present, self._weights = self._points.present()
        self._trees = [
            Tree(scaled(self._present, self._weights), self._weights)
            for scaled in (standardized, whitened)
        ]
        self._partitions: dict[int, list[tuple[MemoryRows, Floats]]] = {}

    def best(self, model: Model, n_components: int) -> Start:
        """Return rows sorted for speed, and the likeliest parameters to start a model from."""
        if self._rows.n_rows < n_components:
            raise TooFewRowsError
        tries = [
            partial(_after_m_step, *partition, model)
            for partition in self._partitions_into(n_components)
        ]
        arranged, parameters = likeliest(tries, model)
        if self._points is not self._rows:
            arranged = self._rows.arrange(self._rows.labels(parameters))
        return arranged, parameters

    def _partitions_into(self, n_components: int) -> list[tuple[MemoryRows, Floats]]:
        """Rows sorted by each partition, and the means of its parts."""
        if n_components not in self._partitions:
            points = self._points
            labels = [points.of_all(tree.labels(n_components)) for tree in self._trees]
            labels.append(points.nearest(lloyd(points, plus_plus(points, n_components, self._rng))))
            self._partitions[n_components] = [
                (points.arrange(own), points.means_of(own, n_components)) for own in labels
            ]
        return self._partitions[n_components]


def _after_m_step(rows: MemoryRows, means: Floats, model: Model) -> Start:
    return rows, model.maximization(rows.partition(means, model.scatter))


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
    """

    rows: MemoryRows
    folds: list[tuple[MemoryRows, MemoryRows]]
    reg_covar: float
    control: em.Control
    rng: Random

    def fits(self, candidates: Iterable[Candidate]) -> Iterator[Fit]:
        """Fit one candidate after the other. One that fails says why, and the next has its turn."""
        starts = Starts(self.rows, self.rng)
        of_folds = [Starts(seen, self.rng) for seen, _ in self.folds]
        for candidate in candidates:
            begin = time.perf_counter()
            model = MODELS[candidate.covariance_type](self.reg_covar)
            try:
                found = self._criteria(model, self._fit(starts, model, candidate.n_components))
                found["cv"] = self._cross_validated(of_folds, model, candidate.n_components)
                failure = ""
            except (IllDefinedCovarianceError, TooFewRowsError) as error:
                found, failure = {}, reason(error)
            seconds = time.perf_counter() - begin
            yield Fit(candidate, seconds, failure, **found)

    def _fit(self, starts: Starts, model: Model, n_components: int) -> em.EMResult:
        rows, parameters = starts.best(model, n_components)
        return em.run(rows, parameters, model, self.control)

    def _criteria(self, model: Model, result: em.EMResult) -> dict[str, Any]:
        rows, parameters = self.rows, result.parameters
        statistics = rows.expectation(parameters, model.scatter)
        n_parameters = model.n_parameters(*parameters.means.shape)
        bic = criteria.bic(statistics.log_likelihood, n_parameters, rows.weight)
        return {
            "result": result,
            "log_likelihood": statistics.log_likelihood,
            "bic": bic,
            "aic": criteria.aic(statistics.log_likelihood, n_parameters),
            "icl": criteria.icl(bic, rows.certainties(parameters), rows.sample_weight),
            "degenerate": bool(model.degenerate(parameters, statistics).any()),
        }

    def _cross_validated(self, starts: list[Starts], model: Model, n_components: int) -> float:
        total = weight = 0.0
        for own, (_, held_out) in zip(starts, self.folds, strict=True):
            parameters = self._fit(own, model, n_components).parameters
            total += held_out.expectation(parameters, model.scatter).log_likelihood
            weight += held_out.weight
        return -total / weight if weight else math.nan


class TooFewRowsError(Exception):
    """There are fewer rows than components."""


def reason(error: Exception) -> str:
    """Return in a few words why a candidate has no mixture."""
    if isinstance(error, IllDefinedCovarianceError):
        return "a covariance is not positive definite"
    return "fewer rows than components"
