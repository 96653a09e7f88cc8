"""The best candidate of a search so far, in words."""

from __future__ import annotations

import math

from gmmfast.data.constraints import Criterion
from gmmfast.search.candidates import Candidate, CandidateFit


class Best:
    """Watches candidates; as a string, the best of them.

    Parameters
    ----------
    criterion : str
        Criterion to rank by.
    """

    def __init__(self, criterion: Criterion) -> None:
        self._criterion = criterion
        self._value = math.inf
        self._candidate: Candidate | None = None

    def add(self, fit: CandidateFit) -> None:
        """Note a candidate; of a fit that was left before its end the criterion is not known."""
        value = float(getattr(fit, self._criterion))
        if value < self._value and fit.finished and not fit.degenerate:
            self._value, self._candidate = value, fit.candidate

    def __str__(self) -> str:
        if self._candidate is None:
            return "none ranked yet"
        value = decimals(self._criterion, self._value)
        return f"best {named(self._candidate)}, {self._criterion.upper()} {value}"


def decimals(criterion: Criterion, value: float) -> str:
    """Return the value of a criterion as text."""
    return f"{value:.{5 if criterion in ('nec', 'cv') else 2}f}"


def named(candidate: Candidate) -> str:
    """Return a candidate as text."""
    return f"{candidate.covariance_type} K={candidate.n_components}"
