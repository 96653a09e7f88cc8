"""The race of a search: which candidates can still win, and are worth more passes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from gmmfast.data.constraints import Criterion
from gmmfast.em.loop import Status
from gmmfast.em.trials import Trial
from gmmfast.search.candidates import CandidateFit
from gmmfast.search.fitting import ERRORS, Progress, missing

MARGIN = 10.0  # a candidate is left if its criterion cannot come so near the best one
SAFETY = 4.0  # factor on what the linear rate lets expect: a fit may be on a plateau


class Contender(NamedTuple):
    """A candidate, and how far its fit has come."""

    fit: CandidateFit
    progress: Progress | None = None  # None if there is no mixture
    n_heats: int = 0  # in which it has gone on

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing left to fit."""
        return self.progress is None or self.progress.rest is None

    @property
    def is_sampled(self) -> bool:
        """Whether it has been fitted to samples only."""
        return self.progress is not None and isinstance(self.progress.rest, Trial)

    @property
    def n_samples(self) -> int:
        """Number of samples that it has been fitted to."""
        return 0 if self.progress is None else len(self.progress.samples)


class Race:
    """Decides which candidates go on; by values alone, not by time or threads.

    Parameters
    ----------
    criterion : str
        Criterion to minimize: it must follow from the likelihood.
    weight : float
        Sum of the row weights.
    n_samples : int
        Samples that fits begin on, if they do.
    n_at_once : int
        Candidates that go on from the last sample to all rows before the next decision.
    """

    def __init__(self, criterion: Criterion, weight: float, n_samples: int, n_at_once: int) -> None:
        self._criterion, self._weight = criterion, weight
        self._n_samples, self._n_at_once = n_samples, n_at_once
        self._best: Contender | None = None  # that has ended

    def note(self, contender: Contender) -> None:
        """Note a candidate whose fit has ended."""
        if self._value(contender) < self._value(self._best):
            self._best = contender

    def least(self, waiting: Sequence[Contender], n_samples: int) -> float:
        """Return the lowest criterion of candidates that have ended, or seen so many samples."""
        far = [each for each in waiting if each.n_samples >= n_samples or not each.is_sampled]
        return min(map(self._value, [self._best, *far]))

    def heat(self, waiting: Sequence[Contender], is_last: bool) -> list[Contender]:
        """Return the waiting candidates that go on; no other can win.

        Parameters
        ----------
        waiting : sequence of Contender
            Candidates whose fits have paused.
        is_last : bool
            Whether candidates may go on from the last sample to all rows.
        """
        if any(each.is_sampled for each in waiting):
            return self._heat_of_samples(waiting, is_last)
        least = min(map(self._value, [self._best, *waiting]))
        outlooks = [self._outlook(each) for each in waiting]
        return [
            waiting[i] for i, (value, gain) in enumerate(outlooks) if value - gain <= least + MARGIN
        ]

    def _heat_of_samples(self, waiting: Sequence[Contender], is_last: bool) -> list[Contender]:
        """All that may win go on to the next sample; a few at a time go from the last to all rows.

        They are compared with the best candidate that has ended, or may be expected to be the best.
        """
        leader = self._best or min(waiting, key=lambda each: (-each.n_samples, self._value(each)))
        most = self._value(leader) + MARGIN
        outlooks = [(*self._outlook(each, leader), i) for i, each in enumerate(waiting)]
        likely = [waiting[i] for value, gain, i in sorted(outlooks) if value - gain <= most]
        fewest = min((each.n_samples for each in likely), default=self._n_samples)
        if fewest == self._n_samples:
            return likely[: self._n_at_once] if is_last else []
        return [each for each in likely if each.n_samples == fewest]

    def threshold(self) -> float:
        """Return the criterion that a candidate must be able to reach, to win."""
        return self._value(self._best) + MARGIN

    def may_win(self, contender: Contender, threshold: float) -> bool:
        """Whether the criterion of a fit may still come to a threshold."""
        value, gain = self._outlook(contender)
        return value - gain <= threshold

    def outdone(self, contender: Contender) -> Contender:
        """Return the end of a candidate that is left on all rows."""
        fit, progress = self.left(contender, Status.OUTDONE), contender.progress
        assert progress is not None
        return contender._replace(fit=fit, progress=progress._replace(rest=None))

    def left(self, contender: Contender, status: Status) -> CandidateFit:
        """Return the fit of a candidate that goes on no more.

        A fit that is stopped counts as finished unless it is sampled. What a sample lets expect is
        corrected by what the same sample says of the best candidate, and all rows do not.
        """
        fit, result = contender.fit, contender.fit.result
        assert result is not None
        if not contender.is_sampled:
            is_stopped = status is Status.STOPPED
            return replace(fit, result=replace(result, status=status), finished=is_stopped)
        more = 0.0 if self._best is None else _beyond(self._best, contender.n_samples)
        found = {name: getattr(fit, name) - 2 * more for name in ("bic", "aic", "aicc", "icl")}
        found["log_likelihood"] = fit.log_likelihood + more
        return replace(fit, result=replace(result, status=status), finished=False, **found)

    def _value(self, contender: Contender | None) -> float:
        """Return the criterion of a candidate; infinity if it is not sound."""
        if contender is None or contender.fit.degenerate:
            return math.inf
        value = float(getattr(contender.fit, self._criterion))
        return math.inf if math.isnan(value) else value

    def _outlook(
        self, contender: Contender, leader: Contender | None = None
    ) -> tuple[float, float]:
        """Return the criterion to expect of a candidate, and by how much it may still be lower."""
        fit, progress = contender.fit, contender.progress
        if fit.degenerate or progress is None:
            return math.inf, 0.0
        value = float(fit.bic if self._criterion == "icl" else getattr(fit, self._criterion))
        if not contender.is_sampled:
            return value, 2 * self._weight * SAFETY * missing(progress.result.lower_bounds)
        assert leader is not None and leader.progress is not None
        own, others = progress.samples[-1], leader.progress.samples[contender.n_samples - 1]
        value -= 2 * _beyond(leader, contender.n_samples)
        differences = own.log_densities - others.log_densities
        error = float(differences.std()) / math.sqrt(differences.size)
        return value, 2 * self._weight * (own.missing + ERRORS * error)


def _beyond(leader: Contender, n_samples: int) -> float:
    """Return how much likelier the leader's fit is than the last of so many samples says."""
    assert leader.progress is not None
    sample = leader.progress.samples[n_samples - 1]
    return leader.progress.log_likelihood - sample.log_likelihood
