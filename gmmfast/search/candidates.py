"""Candidates of a search, and what has come of their fits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from gmmfast.data.constraints import CovarianceType
from gmmfast.em.loop import EMResult, Status
from gmmfast.parameters import Floats, Parameters

TOO_FEW = "fewer rows than components"
SINGULAR = "a covariance is not positive definite"  # why there is no mixture


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
    finished : bool
        Whether the fit went on to its end, or until the search was ended. If not, another candidate
        was better: likelihood and criteria are as of its last pass, or what its fit to a sample
        lets expect.
    is_stopped : bool
        Whether the end of the search has stopped it.
    mixture : Parameters
        The fitted `weights`, `means` and `covariances`. A callback gets them for X itself; inside
        the search, means are relative to the center of the rows.
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
    finished: bool = True

    @property
    def has_ended(self) -> bool:
        """Whether the fit does not go on."""
        return self.result is None or self.result.status is not Status.UNDER_WAY

    @property
    def is_stopped(self) -> bool:
        """Whether the end of the search has stopped it."""
        return self.result is not None and self.result.status is Status.STOPPED

    @property
    def mixture(self) -> Parameters:
        """The fitted parameters."""
        assert self.result is not None
        return self.result.parameters

    def moved(self, shift: Floats) -> Self:
        """Return the fit for rows shifted by a vector (d,)."""
        result = self.result
        if result is None or not shift.any():
            return self
        statistics = None if result.statistics is None else result.statistics.moved(shift)
        parameters = result.parameters.moved(shift)
        return replace(self, result=replace(result, parameters=parameters, statistics=statistics))
