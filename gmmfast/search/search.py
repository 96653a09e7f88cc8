"""The search over K and covariance models: fits of all candidates over the same rows."""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from gmmfast.data.constraints import CovarianceType, Criterion, GivenPrior
from gmmfast.em.kmeans import Random
from gmmfast.em.loop import Control, EMResult, Status
from gmmfast.em.noise import left_out
from gmmfast.em.observers import Deadline
from gmmfast.em.prior import PriorOfRows
from gmmfast.em.trials import SAME, n_rounds
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.kernels.threads import require_somebody
from gmmfast.models import Model, Noise, Tails, model_of
from gmmfast.parameters import Scatter
from gmmfast.rows import IncompleteRows, MemoryRows, Rows
from gmmfast.search.candidates import SINGULAR, TOO_FEW, Candidate, CandidateFit
from gmmfast.search.fitting import FIRST, Fitting, Progress, Samples
from gmmfast.search.folds import Fold
from gmmfast.search.measures import Measures
from gmmfast.search.neighbors import best_split, neighbors_of, partitions_from
from gmmfast.search.race import Contender, Race
from gmmfast.search.scope import PATIENCE
from gmmfast.search.starts import Starts
from gmmfast.search.store import Store
from gmmfast.search.threads import in_threads
from gmmfast.search.twins import as_twin, twins_of

LEADERS = 3  # candidates that are fitted again,
ROUNDS = 5  # at most so often
TASK = 7  # fits that a thread takes over together
RACED = ("bic", "icl")  # criteria for which fits may be left; AIC chooses large models, whose EM is
# slow: of overlapping components one was left after 6 passes that gained most in the next 400
TINY = 1 << 26  # multiplications of a fit, at most: up to 30 ms. Python takes as long as such fits,
# so two threads take 10 to 30 % more time than the caller's (benchmarks/classify.py)
MANY = 200_000  # rows; more occupy all threads in one fit, and copies of them take memory

T = TypeVar("T")  # argument
R = TypeVar("R")  # result


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
    exhaustive : bool
        Whether all fits go on to their end, also where another candidate is better.
    folds : list of (Rows, Rows)
        For cross-validation: rows to fit to, and rows that are held out, about the same center.
    reg_covar : float
        Added to the diagonal of every component's covariance, before the family's constraint.
    covariance_ratio : float or None
        Bound of the ratio of variances along any axis, over all components.
    noise : Noise or None
        A uniform component of all candidates.
    prior : Prior, "mclust" or None
        Of all candidates.
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
    store : Store
        Outcomes of earlier runs of this search, and a place for others.
    """

    counts: Iterable[int]
    covariance_types: Sequence[CovarianceType]
    patience: int | None
    rows: Rows
    criterion: Criterion
    exhaustive: bool
    folds: list[Fold]
    reg_covar: float
    covariance_ratio: float | None
    noise: Noise | None
    tails: Tails | None
    prior: GivenPrior | None
    is_singular: bool
    control: Control
    rng: Random
    n_threads: int
    deadline: Deadline
    store: Store
    candidates: list[Candidate] = field(init=False, default_factory=list)  # that were begun
    known: dict[Candidate, CandidateFit] = field(init=False, default_factory=dict)  # so far
    is_complete: bool = field(init=False, default=False)  # no candidate is left to try
    _models: dict[CovarianceType, Model] = field(init=False)
    _starts: list[Starts] = field(init=False)  # of all rows, and of each fold
    _fitting: Fitting = field(init=False)
    _measures: Measures = field(init=False)
    _race: Race = field(init=False)
    _waiting: list[Contender] = field(init=False, default_factory=list)  # whose fits have paused
    _twins: dict[CovarianceType, list[CovarianceType]] = field(init=False)

    def __post_init__(self) -> None:
        self._models = {
            name: model_of(name, self.reg_covar, self.covariance_ratio, self.noise, self.tails)
            for name in self.covariance_types
        }
        self._twins = twins_of(self.covariance_types, self.rows.n_features)
        if self.prior is not None:  # which differs between models of one component
            self._twins = {name: [] for name in self.covariance_types}

    def fits(self) -> Generator[CandidateFit]:
        """Fit the candidates, the smallest K first; all, or until the patience ends.

        A fit is yielded each time it has come further; its status is `Status.UNDER_WAY` unless it
        has ended. A candidate that fails records why, and the search goes on. Once the deadline has
        passed, the remaining candidates may be left out.
        """
        is_tiny = self._are_tiny([Candidate(1, name) for name in self.covariance_types])
        (self._starts,) = self._each(operator.call, [self._make_starts], is_tiny=is_tiny)
        all_rows = [self.rows, *(seen for seen, _ in self.folds)]
        pairs = zip(all_rows, self._starts, strict=True)
        self._fitting, *fittings = (self._fitting_of(*pair) for pair in pairs)
        folds = list(zip(fittings, (held_out for _, held_out in self.folds), strict=True))
        self._measures = Measures(self.criterion, self._models, self._fitting, folds)
        heat = 1 if self.rows.n_rows > MANY else 2
        self._race = Race(self.criterion, self.rows.weight, len(self._starts[0].samples), heat)
        most = min(starts.clean.n_rows for starts in self._starts)
        if self.patience is not None:
            yield from self._upward(most)
        elif self._starts[0].held_out:
            yield from self._one_by_one(most)
        else:
            yield from self._group(list(self.counts), most)
            self.is_complete = True
        yield from self._heats(is_last=True)
        status = Status.STOPPED if self.deadline.passed() else Status.OUTDONE
        left = [self._race.left(contender, status) for contender in self._waiting]
        for fit in left:
            self._keep(fit)
        for fit in left:
            yield from self._with_twins(fit)
        self.is_complete &= not self.deadline.passed()

    def _fitting_of(self, rows: Rows, starts: Starts) -> Fitting:
        prior = PriorOfRows(self.prior, rows, self._models.values())
        return Fitting(rows, starts, self.control, prior)

    def _upward(self, most: int) -> Iterator[CandidateFit]:
        """Fit all models with more and more components, until the patience ends."""
        least, vain = math.inf, 0
        for K in self.counts:
            yield from self._next_group(K, most)
            yield from self._heats(is_last=False)
            now = self._race.least(self._waiting, len(self._starts[0].samples))
            least, vain = min(now, least), 0 if now < least else vain + 1
            self.is_complete = vain == self.patience or K >= most
            if self.is_complete or self.deadline.passed():
                return
        self.is_complete = True

    def _one_by_one(self, most: int) -> Iterator[CandidateFit]:
        """Fit all models with each number of components; those that hardly win together."""
        counts, least, vain = iter(self.counts), math.inf, 0
        for K in counts:
            yield from self._next_group(K, most)
            now = self._race.least(self._waiting, 1)
            least, vain = min(now, least), 0 if now < least else vain + 1
            if self.deadline.passed() or vain == PATIENCE:
                break
        others = list(counts)
        list(self._each(self._make_partitions, [others]))
        if not self.deadline.passed():
            yield from self._group(others, most)
            self.is_complete = True

    def _next_group(self, n_components: int, most: int) -> Iterator[CandidateFit]:
        list(self._each(self._make_next_partitions, [n_components]))
        yield from self._group([n_components], most)

    def _make_starts(self) -> list[Starts]:
        """Make the partitions of all rows and of each fold, in one thread and in this order.

        Those that wait for solutions with fewer components are made later.
        """
        found, noise = list[Starts](), left_out(self.noise, self.tails)
        for rows in [self.rows, *(seen for seen, _ in self.folds)]:
            found.append(Starts(rows, self.rng, noise))
            noise = noise and noise._replace(labels=None)  # labels are of all rows
            if self.patience is None and not found[0].held_out:
                found[-1].make(self.counts, self.deadline.passed)
        return found

    def _make_partitions(self, counts: Sequence[int]) -> None:
        for starts in self._starts:
            starts.make(counts, self.deadline.passed)

    def _make_next_partitions(self, n_components: int) -> None:
        """Make the partitions for K; with many rows also one from the best solution with K - 1."""
        for starts in self._starts:
            starts.make([n_components])
        first, fits = self._starts[0], self.known.values()
        others = [fit for fit in fits if fit.candidate.n_components == n_components - 1]
        sound = [fit for fit in others if fit.result is not None and not fit.degenerate]
        if first.held_out and sound and n_components in first.choices:
            best = min(sound, key=lambda fit: fit.bic)
            model = self._models[best.candidate.covariance_type]
            model = self._fitting.with_prior(model, n_components)
            found = best_split(first.points, best.mixture, model)
            if found is not None:
                first.choices[n_components] += first.choice([found], n_components)

    def _may_pause(self, candidate: Candidate) -> bool:
        """Whether the fit of a candidate may be left before its end."""
        if self.exhaustive or self.criterion not in RACED:
            return False
        model = self._models[candidate.covariance_type]
        return self._fitting.is_small(model, candidate.n_components)

    def _are_tiny(self, candidates: Sequence[Candidate]) -> bool:
        """Whether fits are so short that threads would only wait for each other's Python.

        Ctrl-C may interrupt this thread, but not the writing of a checkpoint.
        """
        n, d = self.rows.n_rows, self.rows.n_features
        works = (self._models[name].pass_work(n, K, d) for K, name in candidates)
        is_tiny = self.control.max_iter * max(works, default=0) <= TINY
        return is_tiny and not self.store.is_written

    def _group(self, counts: Sequence[int], most: int) -> Iterator[CandidateFit]:
        """Fit all models with each of these numbers of components, as far as is worth it."""
        self.candidates += [Candidate(K, name) for K in counts for name in self.covariance_types]
        own = {K: list(self._twins) if K == 1 else self.covariance_types for K in counts}
        group = [Candidate(K, name) for K in counts for name in own[K]]
        is_short = all(map(self._may_pause, group))
        is_tiny = is_short and self._are_tiny(group)
        at_once = 1 if self._starts[0].held_out else TASK
        opened = partial(self._opened, most)
        for contender in self._each(opened, group, at_once, is_short, is_tiny):
            yield from self._noted(contender)

    def _heats(self, is_last: bool) -> Iterator[CandidateFit]:
        """Go on with the candidates that may win; from samples to all rows in the last heats."""
        while not self.deadline.passed():
            going = self._race.heat(self._waiting, is_last)
            if not going:
                break
            candidates = [each.fit.candidate for each in going]
            self._waiting = [w for w in self._waiting if w.fit.candidate not in candidates]
            is_short = going[0].is_sampled and going[0].n_samples < len(self._starts[0].samples)
            gone_on = partial(self._gone_on, self._race.threshold())
            is_tiny = self._are_tiny(candidates)
            for contender in self._each(gone_on, going, is_short=is_short, is_tiny=is_tiny):
                yield from self._noted(contender)

    def _noted(self, contender: Contender) -> Iterator[CandidateFit]:
        """Note how far a fit has come."""
        if contender.has_ended:
            self._race.note(contender)
            self._keep(contender.fit)
        else:
            self._waiting.append(contender)
            self._keep(self._race.left(contender, Status.STOPPED))  # if the search ends now
        yield from self._with_twins(contender.fit)

    def _keep(self, fit: CandidateFit) -> None:
        self.known |= {each.candidate: each for each in self._with_twins(fit)}

    def _with_twins(self, fit: CandidateFit) -> list[CandidateFit]:
        """Return a fit, and the others that it stands for."""
        K, name = fit.candidate
        others = self._twins[name] if K == 1 else []
        return [fit, *(as_twin(fit, other, self._models[other]) for other in others)]

    def _each(
        self,
        function: Callable[[T], R],
        arguments: Sequence[T],
        at_once: int = 1,
        is_short: bool = False,
        is_tiny: bool = False,
    ) -> Iterator[R]:
        """Call a function with each argument, in threads, while this one waits for Ctrl-C.

        Unless the calls are short, rows that are not in memory are read by this thread, as their
        source may require, and very many rows occupy all threads in one call. This thread also
        makes tiny calls.
        """
        is_in_memory = isinstance(self.rows, MemoryRows | IncompleteRows)
        if (is_short or is_in_memory) and not is_tiny:
            n_threads = self.n_threads if is_short or self.rows.n_rows <= MANY else 1
            yield from in_threads(function, arguments, at_once, n_threads, self.deadline)
            return
        for i, argument in enumerate(arguments):
            if i and self.deadline.passed():
                return
            yield function(argument)

    # ------------------------------------------------------------------------------ candidates

    def _opened(self, most: int, candidate: Candidate) -> Contender:
        return self._kept(0, candidate, (), partial(self._open, most, candidate))

    def _gone_on(self, threshold: float, contender: Contender) -> Contender:
        progress, number = contender.progress, contender.n_heats + 1
        assert progress is not None
        go_on = partial(self._go_on, threshold, contender)
        kept = self._kept(number, contender.fit.candidate, progress.samples, go_on)
        return kept._replace(n_heats=number)

    def _kept(
        self, number: int, candidate: Candidate, samples: Samples, fit: Callable[[], Contender]
    ) -> Contender:
        """Return a known end of a fit, or fit now and keep the end.

        A fit that pauses is not kept, but fitted again. What ends while the deadline passes may
        have been cut off.
        """
        known = self.store.get(number, candidate)
        if known is not None:
            result = known.result
            if result is None:
                return Contender(known)
            return Contender(known, Progress(result, known.log_likelihood, math.nan, None, samples))
        contender = fit()
        require_somebody()  # else it may have been cut off
        if contender.has_ended and not self.deadline.passed():
            self.store.put(number, contender.fit)
        return contender

    def _open(self, most: int, candidate: Candidate) -> Contender:
        """Begin the fit of a candidate; complete it unless there is a race."""
        begin = time.perf_counter()
        K, covariance_type = candidate
        model = self._models[covariance_type]
        failure = ""
        if most < K:
            failure = TOO_FEW
        elif self.is_singular and model.scatter is not Scatter.DIAGONAL:
            failure = SINGULAR
        if failure:
            return Contender(CandidateFit(candidate, time.perf_counter() - begin, failure))
        choice = self._starts[0].choices[K]
        fit = self._fitting.begin if self._may_pause(candidate) else self._fitting.complete
        return self._contender(candidate, begin, lambda: fit(model, choice))

    def _go_on(self, threshold: float, contender: Contender) -> Contender:
        """Go on with a fit, from the last sample to all rows as long as it may win.

        While it waited, it would keep a sorted copy of the rows.
        """
        found = self._one_step(contender)
        while contender.is_sampled and not (found.is_sampled or found.has_ended):
            if not self._race.may_win(found, threshold):
                return self._race.outdone(found)
            found = self._one_step(found)
        return found

    def _one_step(self, contender: Contender) -> Contender:
        """Go on with a fit: over the next sample, or for as many passes as it has had."""
        begin = time.perf_counter() - contender.fit.seconds
        candidate, progress = contender.fit.candidate, contender.progress
        assert progress is not None
        pause = FIRST if contender.is_sampled else 2 * len(progress.result.lower_bounds)
        model, last = self._models[candidate.covariance_type], min(pause, self.control.max_iter)
        go_on = partial(self._fitting.go_on, model, progress, last)
        return self._contender(candidate, begin, go_on)

    def _contender(
        self, candidate: Candidate, begin: float, fitted: Callable[[], Progress]
    ) -> Contender:
        try:
            progress = fitted()
            found = self._measures.of(candidate, progress)
            found["cv"] = self._measures.cross_validated(candidate)
            fit = CandidateFit(candidate, time.perf_counter() - begin, **found)
            return Contender(fit, progress)
        except IllDefinedCovarianceError:
            return Contender(CandidateFit(candidate, time.perf_counter() - begin, SINGULAR))

    # --------------------------------------------------------------------------------- neighbors

    def improve(self) -> None:
        """Fit the best candidates again, from their neighbors' partitions and from moves.

        The likelier fit is kept, and its neighbors follow, until nothing improves.
        """
        tried: list[list[EMResult | None]] = []  # of each leader and its neighbors
        for number in range(1, ROUNDS + 1):
            fits = self.known.values()
            sound = [fit for fit in fits if fit.result is not None and not fit.degenerate]
            sound = [fit for fit in sound if not math.isnan(getattr(fit, self.criterion))]
            sound.sort(key=lambda fit: float(getattr(fit, self.criterion)))
            is_sampled = bool(self._starts[0].held_out)  # of others the likelihood is an estimate
            leaders = [fit for fit in sound if fit.finished or not is_sampled][:LEADERS]
            if is_sampled:  # merging their components may lead to more than the samples did
                smaller = [Candidate(K - 1, name) for K, name in (fit.candidate for fit in leaders)]
                leaders += [f for f in sound if f.candidate in smaller and not f.finished]
            todo = []
            for fit in leaders:
                if self._has_one_optimum(fit.candidate):
                    continue
                neighbors = neighbors_of(fit.candidate, sound)
                own = [each.result for each in [fit, *neighbors]]
                if not any(all(map(operator.is_, own, other)) for other in tried):
                    tried.append(own)
                    todo.append((fit, neighbors))
            is_tiny = self._are_tiny([fit.candidate for fit, _ in todo])
            fitted = self._each(partial(self._again_or_known, number), todo, is_tiny=is_tiny)
            again = {fit.candidate: fit for fit in fitted}
            self.known |= again
            if self.deadline.passed() or all(again[fit.candidate] is fit for fit, _ in todo):
                break

    def _has_one_optimum(self, candidate: Candidate) -> bool:
        """Whether all partitions lead to the same mixture: that of the rows' moments."""
        return candidate.n_components == 1 and self.noise is None and self.tails is None

    def settle(self) -> None:
        """Where a search ends while all fits are on samples, measure the best one on all rows."""
        sound = [fit for fit in self.known.values() if fit.result and not fit.degenerate]
        if not sound or any(fit.finished for fit in sound):
            return
        fit = min(sound, key=lambda fit: float(getattr(fit, self.criterion)))
        assert fit.result is not None
        scatter = self._models[fit.candidate.covariance_type].scatter
        statistics = self.rows.expectation(fit.mixture, scatter)
        progress = Progress(fit.result, statistics.log_likelihood, statistics.doubt, None)
        self._keep(replace(fit, **self._measures.of(fit.candidate, progress)))

    def _again_or_known(
        self, number: int, leader: tuple[CandidateFit, list[CandidateFit]]
    ) -> CandidateFit:
        fit = leader[0]
        known = self.store.get(-number, fit.candidate)
        if known is None:
            known = self._again(leader)
            require_somebody()
            if not self.deadline.passed():
                self.store.put(-number, known)
        return fit if known.log_likelihood == fit.log_likelihood else known

    def _again(self, leader: tuple[CandidateFit, list[CandidateFit]]) -> CandidateFit:
        """Fit a leader from its neighbors' partitions; return the likelier fit."""
        begin, (fit, neighbors) = time.perf_counter(), leader
        K, covariance_type = fit.candidate
        model, starts = self._models[covariance_type], self._starts[0]
        partitions = partitions_from([fit, *neighbors], K, starts.points)
        rounds = n_rounds(model, starts.points.n_rows, K, self.rows.n_features)
        try:
            ways = starts.choice(partitions, K)
            progress = self._fitting.refined(model, ways, rounds, fit.mixture)
        except IllDefinedCovarianceError:
            return fit
        if progress is None:
            return fit
        found, least = self._measures.of(fit.candidate, progress), SAME * self.rows.weight
        least += fit.log_likelihood
        if found["degenerate"] or not found["log_likelihood"] > least:
            return fit
        return replace(fit, seconds=fit.seconds + time.perf_counter() - begin, **found)
