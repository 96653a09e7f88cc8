"""The race of a search: which candidates can still win, and are worth more passes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from gmmfast.data.constraints import Criterion
from gmmfast.em.trials import Trial
from gmmfast.search.candidates import CandidateFit
from gmmfast.search.fitting import Progress

FIRST = 6  # passes before candidates are compared; doubled each time
MARGIN = 10.0  # a candidate is left if its criterion cannot come so near the best one
SAFETY = 4.0  # factor on what the linear rate lets expect: a fit may be on a plateau
FASTEST, SLOWEST = 0.7, 0.98  # rates that are believed
RECENT = 8  # passes that a rate is taken from, at most
ERRORS = 3.0  # standard errors of a difference, on a sample
HEAT = 4  # candidates that go on from a sample to all rows before the next decision


class Contender(NamedTuple):
    """A candidate, and how far its fit has come."""

    fit: CandidateFit
    progress: Progress | None = None  # None if there is no mixture

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing left to fit."""
        return self.progress is None or self.progress.rest is None

    @property
    def is_sampled(self) -> bool:
        """Whether it has been fitted to a sample only."""
        return self.progress is not None and isinstance(self.progress.rest, Trial)


class Race:
    """Decides which candidates go on.

    Parameters
    ----------
    criterion : str
        Criterion to minimize: it must follow from the likelihood.
    weight : float
        Sum of the row weights.
    """

    def __init__(self, criterion: Criterion, weight: float) -> None:
        self._criterion, self._weight = criterion, weight
        self._best: Contender | None = None  # that has ended

    def note(self, contender: Contender) -> None:
        """Note a candidate whose fit has ended."""
        if self._value(contender) < self._value(self._best):
            self._best = contender

    def heat(self, waiting: Sequence[Contender]) -> list[Contender]:
        """Return the candidates that go on, of those that wait; the others cannot win.

        Decisions depend on the values alone, not on time or threads.
        """
        sure = [each for each in waiting if not each.is_sampled]
        least = min([self._value(self._best), *map(self._value, sure)])
        promises = [(self._promise(each), i) for i, each in enumerate(waiting)]
        likely = sorted(pair for pair in promises if pair[0] <= least + MARGIN)
        sampled = [i for _, i in likely if waiting[i].is_sampled]
        return [waiting[i] for i in sampled[:HEAT]] or [waiting[i] for _, i in likely]

    def _value(self, contender: Contender | None) -> float:
        """Return the criterion that a candidate has for sure; infinity if it is not sound."""
        if contender is None or contender.fit.degenerate:
            return math.inf
        value = float(getattr(contender.fit, self._criterion))
        return math.inf if math.isnan(value) else value

    def _promise(self, contender: Contender) -> float:
        """Return what the criterion of a candidate may fall to; infinity if it has collapsed."""
        fit, progress, best = contender.fit, contender.progress, self._best
        if fit.degenerate or progress is None:
            return math.inf
        value = fit.bic if self._criterion == "icl" else getattr(fit, self._criterion)
        gain = SAFETY * missing(progress.result.lower_bounds)
        if progress.sample is not None and best is not None and best.progress is not None:
            reference = best.progress.sample
            assert reference is not None
            differences = progress.sample.log_densities - reference.log_densities
            gain += ERRORS * float(differences.std()) / math.sqrt(differences.size)
            value -= 2 * (best.progress.log_likelihood - reference.log_likelihood)
        return float(value) - 2 * self._weight * gain


def missing(lower_bounds: Sequence[float]) -> float:
    """Return what a fit will gain until it converges, in nats per row, by its linear rate.

    EM's gains shrink by a constant factor in the end (Dempster, Laird & Rubin 1977, section 3.3).
    """
    n = min(len(lower_bounds) // 3, RECENT)
    if n == 0:
        return math.inf
    last, middle, first = (lower_bounds[-1 - i * n] for i in range(3))
    gain, before = max(last - middle, 0.0), middle - first
    rate = min(max(gain / before if before > 0 else 1.0, FASTEST), SLOWEST)
    return gain * rate / (1 - rate)
