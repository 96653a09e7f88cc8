"""Rows of which some have a known component, as EM with partly known labels sees them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gmmfast.kernels.loop import Fit, Rule
from gmmfast.parameters import Parameters, Scatter, SufficientStatistics
from gmmfast.rows.base import Hints, e_step_here, iterate_here
from gmmfast.rows.memory import MemoryRows
from gmmfast.tails import LOG_TWO_PI


class PartlyLabeledRows:
    """Rows of unknown component, beside the moments of rows that keep theirs.

    Rows of known component count with the joint density of row and component, so that their
    responsibilities and moments are the same in each pass.

    Parameters
    ----------
    known : SufficientStatistics
        Of the rows that keep their components, with all second moments.
    unknown : MemoryRows
        The others.
    """

    weight_unit = 1.0
    arranged_by: Parameters | None = None

    def __init__(self, known: SufficientStatistics, unknown: MemoryRows) -> None:
        self._known, self._unknown = known, unknown
        self.n_rows, self.weight = known.n_rows + unknown.n_rows, known.weight + unknown.weight
        self.n_features, self.center, self.dtype = unknown.n_features, unknown.center, unknown.dtype

    def hints(self) -> Hints:
        """Return new scratch for one fit."""
        return self._unknown.hints()

    def expectation(
        self, parameters: Parameters, scatter: Scatter, hints: Hints | None = None
    ) -> SufficientStatistics:
        """E step: one pass over the rows of unknown component."""
        found = self._unknown.expectation(parameters, scatter, hints)
        own = narrowed(self._known, scatter).about(found.reference)
        joint = joint_log_likelihood(parameters, self._known)
        return replace(own, log_likelihood=joint, doubt=0.0) + found

    def iterate(self, rule: Rule, fit: Fit, last: int, hints: Hints) -> None:
        """EM passes until the fit ends or pass `last` is done."""
        while fit.is_under_way and fit.n_passes < last:
            iterate_here(self, rule, fit, hints)

    def e_step(self, rule: Rule, fit: Fit, hints: Hints) -> None:
        """E pass at the mixture of a fit, into its totals."""
        e_step_here(self, fit, hints)

    def passes_at_once(self, fit: Fit) -> int:
        """Return the number of passes between two checks for Ctrl-C."""
        return self._unknown.passes_at_once(fit)


def narrowed(statistics: SufficientStatistics, scatter: Scatter) -> SufficientStatistics:
    """Return statistics with the second moments that a model needs, from all of them."""
    moments = statistics.scatter
    if scatter is Scatter.DIAGONAL:
        return replace(statistics, scatter=np.einsum("kii->ki", moments).copy())
    if scatter is Scatter.POOLED:
        # one reference per component: the sum is of moments about different means
        return replace(statistics, scatter=moments.sum(axis=0, keepdims=True))
    return statistics


def joint_log_likelihood(parameters: Parameters, known: SufficientStatistics) -> float:
    """Log-likelihood of rows and their components, from moments alone.

    ``sum_k m_k (log w_k - log det(2 pi S_k) / 2) - trace(S_k^-1 T_k) / 2``, where ``m_k`` is the
    mass and ``T_k`` the scatter about the mean.
    """
    about, triangles = known.about(parameters.means), parameters.triangles()
    with np.errstate(divide="ignore"):
        constants = np.log(parameters.weights)
    d = parameters.means.shape[1]
    constants = constants - 0.5 * (parameters.log_dets + d * LOG_TWO_PI)
    squares = np.einsum("kij,kjl,kil->k", triangles, about.scatter, triangles, optimize=True)
    present = known.mass > 0
    return float((known.mass * constants)[present].sum() - 0.5 * squares.sum())
