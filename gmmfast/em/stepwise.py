"""Rows that come a few at a time and do not come again: stepwise EM.

An M step needs nothing but averages over the rows, the sufficient statistics. Each arrival moves
them a step toward its own, taken with the parameters of that moment; an M step follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gmmfast.models import Model
from gmmfast.parameters import Parameters, Scatter, SufficientStatistics


@dataclass(frozen=True)
class Stream:
    """What is remembered of all rows so far."""

    averages: SufficientStatistics  # of weight one, about means in the units of the data
    seen: float  # sum of the weights of all rows

    @classmethod
    def of(cls, statistics: SufficientStatistics) -> Self:
        """Begin with the statistics of some rows."""
        return cls(statistics.times(1 / statistics.weight), statistics.weight)

    @classmethod
    def of_mixture(cls, parameters: Parameters, model: Model, seen: float) -> Self:
        """Begin with a mixture: the averages from which an M step finds it."""
        (K, d), weights = parameters.means.shape, parameters.weights
        matrices = model.matrices(parameters.covariances, K, d) - model.reg_covar * np.eye(d)
        scatter = weights[:, None, None] * matrices
        if model.scatter is Scatter.POOLED:
            scatter = scatter.sum(axis=0, keepdims=True)
        elif model.scatter is Scatter.DIAGONAL:
            scatter = np.einsum("kii->ki", scatter)
        averages = SufficientStatistics(
            log_likelihood=0.0,
            doubt=0.0,
            weight=1.0,
            n_rows=1,
            reference=parameters.means,
            mass=weights,
            first=np.zeros((K, d)),
            scatter=scatter,
        )
        return cls(averages, seen)

    def after(self, statistics: SufficientStatistics, decay: float, forgetting: float) -> Stream:
        """Return the stream after some more rows.

        Parameters
        ----------
        statistics : SufficientStatistics
            Of these rows, about means in the units of the data.
        decay : float
            The step is the rows' share of all that were seen, to this power.
        forgetting : float
            The smallest step.
        """
        seen = self.seen + statistics.weight
        step = max((statistics.weight / seen) ** decay, forgetting)
        before = self.averages.about(statistics.reference).times(1 - step)
        return Stream(before + statistics.times(step / statistics.weight), seen)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that there is to it, by name."""
        values = {**vars(self.averages), "seen": self.seen}
        return {name: np.asarray(value) for name, value in values.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Make the stream that `to_arrays` has described; KeyError where something is missing."""
        values: dict[str, Any] = {
            field.name: arrays[field.name] if arrays[field.name].ndim else arrays[field.name].item()
            for field in fields(SufficientStatistics)
        }
        return cls(SufficientStatistics(**values), arrays["seen"].item())
