"""The fits of a search over K and covariance models, all over the same rows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from gmmfast import criteria
from gmmfast.data.constraints import CovarianceType, Criterion
from gmmfast.em.kmeans import Partition, Random
from gmmfast.em.loop import Control, Course, EMResult
from gmmfast.em.observers import Deadline
from gmmfast.em.starts import on_all
from gmmfast.em.state import restarted
from gmmfast.em.trials import SAME, likeliest
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.models import MODELS, Model
from gmmfast.parameters import Parameters, Scatter
from gmmfast.rows import MemoryRows, Rows
from gmmfast.rows.evaluation import entropy_of, labels_of
from gmmfast.search.starts import Labels, Starts, merges, splits
from gmmfast.search.threads import in_threads

SAMPLE_PASSES = 100  # EM passes over a sample, at most,
SAMPLE_TOL = 1e-4  # which end once one gains less, in nats per row
LEADERS = 3  # candidates that are fitted again,
OTHER_MODELS = 3  # from the partitions of at most so many other models with the same K
TASK = 7  # fits that a thread takes over together
MANY = 200_000  # rows; more occupy all threads in one fit, and copies of them take memory

TOO_FEW = "fewer rows than components"
SINGULAR = "a covariance is not positive definite"  # why there is no mixture

T = TypeVar("T")  # argument
R = TypeVar("R")  # result


class Candidate(NamedTuple):
    """A model to fit."""

    n_components: int
    covariance_type: CovarianceType


@dataclass(frozen=True)
class CandidateFit:
    """The outcome of a candidate.

    Attributes
    ----------
    candidate : Candidate
        Its `n_components` and `covariance_type`.
    seconds : float
        Time taken.
    failure : str
        Why there is no mixture; empty where there is one.
    result : EMResult or None
        How the fit ended, and its parameters.
    log_likelihood : float
        Of all rows together, in nats. NaN where there is no mixture, as the criteria are.
    bic, aic, aicc, icl : float
        Information criteria: lower is better.
    nec : float
        Normalized entropy criterion; NaN unless it is the criterion.
    cv : float
        Minus the mean log density of rows, each by a fit that has not seen it; NaN unless it is the
        criterion.
    degenerate : bool
        Whether a component has collapsed, so that the likelihood means nothing.
    mixture : Parameters
        The fitted parameters.
    """

    candidate: Candidate
    seconds: float
    failure: str = ""
    result: EMResult | None = None
    log_likelihood: float = math.nan
    bic: float = math.nan
    aic: float = math.nan
    aicc: float = math.nan
    icl: float = math.nan
    nec: float = math.nan
    cv: float = math.nan
    degenerate: bool = False

    @property
    def mixture(self) -> Parameters:
        """The fitted parameters."""
        assert self.result is not None
        return self.result.parameters


@dataclass
class Search:
    """The data and the settings that all candidates share.

    Parameters
    ----------
    counts : iterable of int
        Numbers of components to try, rising; without an end if there is `patience`.
    covariance_types : sequence of str
        Models to try with each.
    patience : int or None
        Numbers of components in a row that do not lower the criterion, after which no larger one
        is tried.
    rows : Rows
        The data; in memory if there are at most `MANY` rows.
    criterion : str
        Criterion to minimize.
    folds : list of (MemoryRows, MemoryRows)
        For cross-validation: rows to fit to, and rows that are held out, about the same center.
    reg_covar : float
        Added to the diagonal of every component's covariance, before the family's constraint.
    is_singular : bool
        Whether the covariance matrix of the rows is singular, so that only models without
        correlations can be fitted.
    control : Control
        Tolerance, iterations, acceleration.
    rng : Generator or RandomState
        The only source of chance.
    n_threads : int
        Candidates to fit at the same time, unless there are very many rows.
    deadline : Deadline
        One of the observers of `control`. Once it has passed, running fits stop and keep their last
        parameters, and no candidate begins but the first.
    """

    counts: Iterable[int]
    covariance_types: Sequence[CovarianceType]
    patience: int | None
    rows: Rows
    criterion: Criterion
    folds: list[tuple[MemoryRows, MemoryRows]]
    reg_covar: float
    is_singular: bool
    control: Control
    rng: Random
    n_threads: int
    deadline: Deadline
    candidates: list[Candidate] = field(init=False, default_factory=list)  # that were begun
    is_complete: bool = field(init=False, default=False)  # no candidate is left to try
    _of_one: dict[str, float] = field(init=False, default_factory=dict)  # log-likelihoods by model
    _starts: Starts = field(init=False)
    _starts_of_folds: list[Starts] = field(init=False)

    def fits(self) -> Generator[CandidateFit]:
        """Fit the candidates, the smallest K first; all, or until the patience ends.

        A candidate that fails records why, and the search goes on. Once the deadline has passed,
        the remaining candidates may be left out.
        """
        counts = list(self.counts) if self.patience is None else []
        ((self._starts, *self._starts_of_folds),) = self._each(self._make_starts, [counts])
        most = min(one.points.n_rows for one in [self._starts, *self._starts_of_folds])
        if self.patience is None:
            yield from self._group(counts, most)
            self.is_complete = not self.deadline.passed()
            return
        least, vain = math.inf, 0
        for K in self.counts:
            values = [least]
            list(self._each(self._make_partitions, [[K]]))
            for fit in self._group([K], most):
                yield fit
                if not (fit.degenerate or math.isnan(getattr(fit, self.criterion))):
                    values.append(getattr(fit, self.criterion))
            vain = 0 if min(values) < least else vain + 1
            least = min(values)
            self.is_complete = vain == self.patience or K >= most
            if self.is_complete or self.deadline.passed():
                return
        self.is_complete = True

    def _group(self, counts: Sequence[int], most: int) -> Iterator[CandidateFit]:
        """Fit all models with each of these numbers of components."""
        group = [Candidate(K, name) for K in counts for name in self.covariance_types]
        self.candidates += group
        yield from self._each(partial(self._attempt, most), group, TASK)

    def _make_starts(self, counts: Sequence[int]) -> list[Starts]:
        """Make the partitions of all rows and of each fold, in one thread and in this order."""
        found = []
        for rows in [self.rows, *(seen for seen, _ in self.folds)]:
            found.append(Starts(rows, self.rng))
            found[-1].make(counts, self.deadline.passed)
        return found

    def _make_partitions(self, counts: Sequence[int]) -> None:
        for starts in [self._starts, *self._starts_of_folds]:
            starts.make(counts)

    def improved(self, fits: Sequence[CandidateFit]) -> list[CandidateFit]:
        """Fit the best candidates again, from the partitions of their neighbors.

        The likelier fit is kept. A neighbor has the same K and another model, or the same
        model and one component more or less.
        """
        sound = [fit for fit in fits if fit.result is not None and not fit.degenerate]
        leaders = sorted(sound, key=lambda fit: float(getattr(fit, self.criterion)))[:LEADERS]
        fitted = self._each(lambda fit: self._again(fit, sound), leaders)
        again = {fit.candidate: fit for fit in fitted}
        return [again.get(fit.candidate, fit) for fit in fits]

    def _each(
        self, function: Callable[[T], R], arguments: Sequence[T], at_once: int = 1
    ) -> Iterator[R]:
        """Call a function with each argument, in threads, while this one waits for Ctrl-C.

        Rows that are not in memory are read by this thread, as their source may require.
        """
        if isinstance(self.rows, MemoryRows):
            n_threads = 1 if self.rows.n_rows > MANY else self.n_threads
            yield from in_threads(function, arguments, at_once, n_threads, self.deadline)
            return
        for i, argument in enumerate(arguments):
            if i and self.deadline.passed():
                return
            yield function(argument)

    def _attempt(self, most: int, candidate: Candidate) -> CandidateFit:
        begin = time.perf_counter()
        K, covariance_type = candidate
        model = MODELS[covariance_type](self.reg_covar)
        found: dict[str, Any] = {}
        try:
            if most < K:
                failure = TOO_FEW
            elif self.is_singular and model.scatter is not Scatter.DIAGONAL:
                failure = SINGULAR
            else:
                choice = self._starts.choices[K]
                found = self._criteria(candidate, self._fit(self.rows, self._starts, model, choice))
                found["cv"] = self._cross_validated(model, K)
                failure = ""
        except IllDefinedCovarianceError:
            found, failure = {}, SINGULAR
        return CandidateFit(candidate, time.perf_counter() - begin, failure, **found)

    def _again(self, fit: CandidateFit, others: Sequence[CandidateFit]) -> CandidateFit:
        begin = time.perf_counter()
        K, covariance_type = fit.candidate
        partitions = self._from_neighbors(fit.candidate, others)
        if not partitions:
            return fit
        model, starts = MODELS[covariance_type](self.reg_covar), self._starts
        try:
            choice = starts.choice(partitions, K)
            found = self._criteria(fit.candidate, self._fit(self.rows, starts, model, choice))
        except IllDefinedCovarianceError:
            found = None
        seconds = fit.seconds + time.perf_counter() - begin
        least = fit.log_likelihood + SAME * self.rows.weight
        if found is None or found["degenerate"] or not found["log_likelihood"] > least:
            return replace(fit, seconds=seconds)
        return replace(fit, seconds=seconds, **found)

    def _from_neighbors(self, candidate: Candidate, others: Sequence[CandidateFit]) -> list[Labels]:
        K, covariance_type = candidate
        points, found = self._starts.points, []
        like = [other for other in others if other.candidate.n_components == K]
        like = [other for other in like if other.candidate.covariance_type != covariance_type]
        like.sort(key=lambda other: -other.log_likelihood)
        for other in like[:OTHER_MODELS]:
            found.append(labels_of(points, other.mixture))
        for other in others:
            if other.candidate == (K - 1, covariance_type):
                found += splits(points, other.mixture)
            elif other.candidate == (K + 1, covariance_type):
                found += merges(points, other.mixture)
        return found

    def _fit(self, rows: Rows, starts: Starts, model: Model, choice: list[Partition]) -> Course:
        """Fit a candidate, from the likeliest partition."""
        points, control = starts.points, self.control
        trial = likeliest(points, model, choice)
        if points is not rows:
            passes, tol = min(control.max_iter, SAMPLE_PASSES), max(control.tol, SAMPLE_TOL)
            restarted(trial.fit)
            Course(trial.points, trial.fit, model, Control(tol, passes)).complete()
        arranged, begin, hints = on_all(rows, points, model, trial)
        course = Course(arranged, begin, model, control, hints=hints)
        course.complete()
        return course

    def _criteria(self, candidate: Candidate, course: Course) -> dict[str, Any]:
        result, statistics = course.result(), course.statistics()
        model = MODELS[candidate.covariance_type](self.reg_covar)
        n_parameters = model.n_parameters(*result.parameters.means.shape)
        bic = criteria.bic(statistics.log_likelihood, n_parameters, self.rows.weight)
        return {
            "result": result,
            "log_likelihood": statistics.log_likelihood,
            "bic": bic,
            "aic": criteria.aic(statistics.log_likelihood, n_parameters),
            "aicc": criteria.aicc(statistics.log_likelihood, n_parameters, self.rows.weight),
            "icl": criteria.icl(bic, statistics.doubt),
            "nec": self._normalized_entropy(
                candidate, result.parameters, statistics.log_likelihood
            ),
            "degenerate": bool(result.degenerate.any()),
        }

    def _normalized_entropy(
        self, candidate: Candidate, mixture: Parameters, log_likelihood: float
    ) -> float:
        if self.criterion != "nec":
            return math.nan
        K, name = candidate
        if K == 1:
            return 1.0
        assert isinstance(self.rows, MemoryRows)
        if name not in self._of_one:
            self._of_one[name] = self._log_likelihood_of_one(MODELS[name](self.reg_covar))
        return criteria.nec(entropy_of(self.rows, mixture), log_likelihood, self._of_one[name])

    def _log_likelihood_of_one(self, model: Model) -> float:
        """Return the log-likelihood of one component; NaN if it has no covariance."""
        starts = self._starts
        whole = starts.points.of_all(np.zeros(starts.points.n_rows, np.int64))
        try:
            course = self._fit(self.rows, starts, model, starts.choice([whole], 1))
        except IllDefinedCovarianceError:
            return math.nan
        return course.statistics().log_likelihood

    def _cross_validated(self, model: Model, K: int) -> float:
        total = weight = 0.0
        for starts, (seen, held_out) in zip(self._starts_of_folds, self.folds, strict=True):
            parameters = self._fit(seen, starts, model, starts.choices[K]).result().parameters
            total += held_out.expectation(parameters, model.scatter).log_likelihood
            weight += held_out.weight
        return -total / weight if weight else math.nan
