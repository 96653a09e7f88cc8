"""How a candidate is fitted: in stages, so that hopeless ones can be left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gmmfast.em.kmeans import Partition
from gmmfast.em.loop import Control, Course, EMResult, Status
from gmmfast.em.prior import PriorOfRows
from gmmfast.em.starts import on_all
from gmmfast.em.trials import Trial, likeliest
from gmmfast.em.whole import Rest, WholeFits
from gmmfast.kernels.anderson import MEMORY
from gmmfast.models import Model
from gmmfast.parameters import Floats, Parameters, SufficientStatistics
from gmmfast.rows import Rows
from gmmfast.rows.evaluation import log_densities_of
from gmmfast.search.starts import Starts

SAMPLE_PASSES = 50  # EM passes over a sample, at most,
SAMPLE_TOL = 1e-5  # which end once one gains less, in nats per row
FIRST = 6  # passes before candidates are compared; doubled each time
KEPT = 1 << 24  # bytes of a paused fit, about, so that a hundred candidates keep less than 2 GB
ERRORS = 3.0  # standard errors of a difference on a sample
FASTEST, SLOWEST = 0.7, 0.98  # rates of convergence that are believed,
RECENT = 8  # of so many passes, at most


class Sample(NamedTuple):
    """What a sample says about a fit to all rows."""

    log_likelihood: float  # to be expected of all rows
    missing: float  # nats per row that EM may still gain: what the second half of its passes gained
    log_densities: Floats  # (m,) of its rows, and of as many others


Samples = tuple[Sample, ...]  # by their size


class Progress(NamedTuple):
    """What a fit has come to."""

    result: EMResult
    log_likelihood: float  # of all rows
    doubt: float  # as in `SufficientStatistics`
    rest: Rest | Course | Trial | None  # what it goes on from; None at the end
    samples: Samples = ()  # that the fit has begun on


class Fitting:
    """Fits of models to the same rows, from partitions of them or of a sample.

    Parameters
    ----------
    rows : Rows
        The data.
    starts : Starts
        Their partitions.
    control : Control
        Tolerance, iterations, acceleration, and a deadline as the only observer.
    prior : PriorOfRows
        Of all models, which are given without it.
    """

    def __init__(self, rows: Rows, starts: Starts, control: Control, prior: PriorOfRows) -> None:
        self.rows, self.starts, self._control, self._prior = rows, starts, control, prior
        self._with_prior: dict[tuple[Model, int], Model] = {}
        self._whole = WholeFits(starts.points, control) if starts.points is rows else None

    def is_small(self, model: Model, n_components: int) -> bool:
        """Whether what a paused fit goes on from may be kept for all candidates."""
        K, d = n_components, self.rows.n_features
        n_scatter = math.prod(model.scatter.shape(K, d))
        return 8 * (MEMORY + 3) * 2 * (K + K * d + n_scatter) <= KEPT

    def with_prior(self, model: Model, n_components: int) -> Model:
        """Return a model with the prior: the same object each time, as `WholeFits` needs it."""
        key = model, n_components
        if key not in self._with_prior:
            self._with_prior[key] = self._prior.of(model, n_components)
        return self._with_prior[key]

    def begin(self, model: Model, ways: Sequence[Partition]) -> Progress:
        """Begin a fit from the likeliest partition, and pause: after the first sample, if any.

        Parameters
        ----------
        model : Model
            The covariance model.
        ways : sequence of Partition
            Partitions of the rows or the sample.

        Raises
        ------
        IllDefinedCovarianceError
            If a covariance is not positive definite.
        """
        model = self.with_prior(model, len(ways[0].means))
        if self.starts.held_out:
            return self._on_sample(model, likeliest(self.starts.points, model, ways))
        return self._on_few(model, ways, min(FIRST, self._control.max_iter))

    def complete(self, model: Model, ways: Sequence[Partition]) -> Progress:
        """Fit from the likeliest partition to the end; parameters and errors as in `begin`."""
        model = self.with_prior(model, len(ways[0].means))
        if not self.starts.held_out:
            return self._on_few(model, ways, self._control.max_iter)
        trial = likeliest(self.starts.points, model, ways)
        done: Samples = ()
        while len(done) < len(self.starts.samples):
            begun = self._on_sample(model, trial, done)
            assert isinstance(begun.rest, Trial)
            trial, done = begun.rest, begun.samples
        return self._on_all(model, trial, self._control.max_iter)._replace(samples=done)

    def _on_few(self, model: Model, ways: Sequence[Partition], pause: int) -> Progress:
        """Fit to rows without samples, until so many passes are done."""
        whole = self._whole
        if whole is not None and whole.are_possible(model, len(ways[0].means)):
            stage = whole.begin(model, ways, pause)
            if stage is not None:
                return _of_stage(stage.result, stage.rest)
        return self._on_all(model, likeliest(self.starts.points, model, ways), pause)

    def go_on(self, model: Model, progress: Progress, pause: int) -> Progress:
        """Go on with a fit that has paused, after the last sample with all rows.

        A sample is fitted in one call; all rows, up to pass `pause`.
        """
        rest, done = progress.rest, progress.samples
        model = self.with_prior(model, len(progress.result.parameters.weights))
        if isinstance(rest, Trial):
            if len(done) < len(self.starts.samples):
                return self._on_sample(model, rest, done)
            return self._on_all(model, rest, pause)._replace(samples=done)
        if isinstance(rest, Course):
            return self._of_course(rest, pause)._replace(samples=done)
        assert rest is not None and self._whole is not None
        stage = self._whole.go_on(model, rest, pause)
        if stage is not None:
            return _of_stage(stage.result, stage.rest)
        ways = self.starts.choices[rest.n_components]
        return self._on_all(
            model, likeliest(self.starts.points, model, ways), self._control.max_iter
        )

    def refined(
        self, model: Model, ways: Sequence[Partition], n_rounds: int, mixture: Parameters
    ) -> Progress | None:
        """Fit from the likeliest partition after rounds of moves, to the end.

        Return None if a sample says that this is not likelier than a mixture.
        """
        model = self.with_prior(model, len(ways[0].means))
        trial = likeliest(self.starts.points, model, ways, n_rounds)
        if self.starts.held_out:
            progress = self._on_sample(model, trial)
            rest, own = progress.rest, progress.samples[0].log_densities
            differences = own - self._log_densities(0, mixture)
            if differences.mean() < ERRORS * differences.std() / math.sqrt(differences.size):
                return None
            assert isinstance(rest, Trial)
            trial = rest
        return self._on_all(model, trial, self._control.max_iter)

    def _log_densities(self, which: int, mixture: Parameters) -> Floats:
        """Return the log densities of a sample's rows and of as many others."""
        both = self.starts.samples[which], self.starts.held_out[which]
        return np.concatenate([log_densities_of(rows, mixture) for rows in both])

    def _on_sample(self, model: Model, trial: Trial, done: Samples = ()) -> Progress:
        """EM on the next sample, and what its outcome lets expect of all rows.

        The best mixture of all rows, with p parameters, is less likely than this one on the m rows
        of the sample, and more likely on m rows drawn apart from it, by about p / 2m nats per row
        each (Akaike 1974, section 5): so the mean over both says how likely it is.
        """
        control, starts, rows = self._control, self.starts, self.rows
        points = starts.samples[len(done)]
        arranged, begin, hints = on_all(points, model, trial)
        assert not isinstance(begin, Parameters)
        passes, tol = min(control.max_iter, SAMPLE_PASSES), max(control.tol, SAMPLE_TOL)
        limits = Control(tol, passes, control.acceleration)
        course, means = Course(arranged, begin, model, limits, hints=hints), []
        for pause in (passes // 2, passes):
            course.complete(pause)
            result, statistics = course.measured()
            log_densities = self._log_densities(len(done), result.parameters)
            means.append(float(log_densities.mean()))
        log_likelihood = rows.weight * means[1]
        sample = Sample(log_likelihood, max(means[1] - means[0], 0.0), log_densities)
        doubt = rows.weight / points.weight * statistics.doubt
        result = replace(result, status=Status.UNDER_WAY)
        trial = Trial(starts.points, begin)  # without a sorted copy of the sample
        return Progress(result, log_likelihood, doubt, trial, (*done, sample))

    def _on_all(self, model: Model, trial: Trial, pause: int) -> Progress:
        arranged, begin, hints = on_all(self.rows, model, trial)
        return self._of_course(Course(arranged, begin, model, self._control, hints=hints), pause)

    def _of_course(self, course: Course, pause: int) -> Progress:
        course.complete(pause)
        result, statistics = course.measured()
        rest = course if result.status is Status.UNDER_WAY else None
        return _of(result, statistics, rest)


def _of_stage(result: EMResult, rest: Rest | None) -> Progress:
    assert result.statistics is not None
    return _of(result, result.statistics, rest)


def _of(result: EMResult, statistics: SufficientStatistics, rest: Rest | Course | None) -> Progress:
    return Progress(result, statistics.log_likelihood, statistics.doubt, rest)


def missing(lower_bounds: Sequence[float]) -> float:
    """Return what a fit will gain until it converges, in nats per row, by its linear rate.

    EM's gains shrink by a constant factor in the end (Dempster, Laird & Rubin 1977, section 3.3).
    """
    n = max(1, min(len(lower_bounds) // 3, RECENT))
    if len(lower_bounds) <= n:
        return math.inf
    gain, rate = max(lower_bounds[-1] - lower_bounds[-1 - n], 0.0), SLOWEST
    if len(lower_bounds) > 2 * n and lower_bounds[-1 - n] > lower_bounds[-1 - 2 * n]:
        rate = gain / (lower_bounds[-1 - n] - lower_bounds[-1 - 2 * n])
    rate = min(max(rate, FASTEST), SLOWEST)
    return gain * rate / (1 - rate)
