"""How a candidate is fitted: in stages, so that hopeless ones can be left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gmmfast.em.kmeans import Partition
from gmmfast.em.loop import Control, Course, EMResult, Status
from gmmfast.em.starts import on_all
from gmmfast.em.state import restarted
from gmmfast.em.trials import Trial, likeliest
from gmmfast.em.whole import Rest, WholeFits
from gmmfast.models import Model
from gmmfast.parameters import Floats, SufficientStatistics
from gmmfast.rows import Rows
from gmmfast.rows.evaluation import log_densities_of
from gmmfast.search.starts import Starts

SAMPLE_PASSES = 100  # EM passes over a sample, at most,
SAMPLE_TOL = 1e-5  # which end once one gains less, in nats per row


class Sample(NamedTuple):
    """What a sample says about a fit to all rows."""

    log_likelihood: float  # to be expected of all rows
    log_densities: Floats  # (m,) of the sample's rows


class Progress(NamedTuple):
    """What a fit has come to."""

    result: EMResult
    log_likelihood: float  # of all rows
    doubt: float  # as in `SufficientStatistics`
    rest: Rest | Course | Trial | None  # what it goes on from; None at the end
    sample: Sample | None = None  # of a fit that has begun on a sample


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
    """

    def __init__(self, rows: Rows, starts: Starts, control: Control) -> None:
        self._rows, self._starts, self._control = rows, starts, control
        self._whole = WholeFits(starts.points, control) if starts.points is rows else None

    def begin(self, model: Model, ways: Sequence[Partition], pause: int) -> Progress:
        """Fit from the likeliest partition, first to a sample if there is one.

        Parameters
        ----------
        model : Model
            The covariance model.
        ways : sequence of Partition
            Partitions of the rows or the sample.
        pause : int
            Passes over all rows after which to pause. A fit to a sample pauses after it, unless
            this is `max_iter`.

        Raises
        ------
        IllDefinedCovarianceError
            If a covariance is not positive definite.
        """
        whole, points = self._whole, self._starts.points
        if whole is not None and whole.are_possible(model, len(ways[0].means)):
            stage = whole.begin(model, ways, pause)
            if stage is not None:
                return _of_stage(stage.result, stage.rest)
        trial = likeliest(points, model, ways)
        if points is self._rows:
            return self._on_all(model, trial, pause)
        sampled = self._on_sample(model, trial)
        return sampled if pause < self._control.max_iter else self._on_all(model, trial, pause)

    def go_on(self, model: Model, progress: Progress, pause: int) -> Progress:
        """Go on with a fit that has paused; a fit to a sample goes on with all rows, to its end."""
        rest, last = progress.rest, self._control.max_iter
        if isinstance(rest, Trial):
            return self._on_all(model, rest, last)._replace(sample=progress.sample)
        if isinstance(rest, Course):
            return self._of_course(rest, pause)
        assert rest is not None and self._whole is not None
        stage = self._whole.go_on(model, rest, pause)
        if stage is not None:
            return _of_stage(stage.result, stage.rest)
        ways = self._starts.choices[rest.n_components]
        return self._on_all(model, likeliest(self._starts.points, model, ways), last)

    def refined(self, model: Model, ways: Sequence[Partition], n_rounds: int) -> Progress:
        """Fit from the likeliest partition after rounds of moves, to the end."""
        trial = likeliest(self._starts.points, model, ways, n_rounds)
        if self._starts.points is not self._rows:
            self._on_sample(model, trial)
        return self._on_all(model, trial, self._control.max_iter)

    def _on_sample(self, model: Model, trial: Trial) -> Progress:
        """EM on the sample, and what its outcome lets expect of all rows.

        In the mean a fit of p parameters is more likely on its own m rows than on others by p / 2m
        nats per row (Akaike 1974, section 5).
        """
        control, rows, points = self._control, self._rows, self._starts.points
        passes, tol = min(control.max_iter, SAMPLE_PASSES), max(control.tol, SAMPLE_TOL)
        restarted(trial.fit)
        course = Course(trial.points, trial.fit, model, Control(tol, passes, control.acceleration))
        course.complete()
        result, statistics = course.result(), course.statistics()
        n_parameters = model.n_parameters(*result.parameters.means.shape)
        mean = statistics.log_likelihood / points.weight
        excess = 0.5 * n_parameters * (1 / points.n_rows - 1 / rows.n_rows)
        log_densities = np.asarray(log_densities_of(points, result.parameters), np.float64)
        sample = Sample(rows.weight * (mean - excess), log_densities)
        doubt = rows.weight / points.weight * statistics.doubt
        rest = trial._replace(points=points, hints=None)  # without a sorted copy of the sample
        result = replace(result, status=Status.UNDER_WAY)
        return Progress(result, sample.log_likelihood, doubt, rest, sample)

    def _on_all(self, model: Model, trial: Trial, pause: int) -> Progress:
        arranged, begin, hints = on_all(self._rows, self._starts.points, model, trial)
        return self._of_course(Course(arranged, begin, model, self._control, hints=hints), pause)

    def _of_course(self, course: Course, pause: int) -> Progress:
        course.complete(pause)
        result, statistics = course.result(), course.statistics()
        rest = course if result.status is Status.UNDER_WAY else None
        return _of(result, statistics, rest)


def _of_stage(result: EMResult, rest: Rest | None) -> Progress:
    assert result.statistics is not None
    return _of(result, result.statistics, rest)


def _of(result: EMResult, statistics: SufficientStatistics, rest: Rest | Course | None) -> Progress:
    return Progress(result, statistics.log_likelihood, statistics.doubt, rest)
