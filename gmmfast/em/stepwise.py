"""Stepwise EM, for rows that arrive in batches and are seen once.

An M step needs only averages over the rows, the sufficient statistics. Each batch moves them a step
toward its own averages, taken with the current parameters; an M step follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gmmfast.em.loop import EMResult, Status
from gmmfast.models import Model
from gmmfast.parameters import Parameters, Scatter, SufficientStatistics
from gmmfast.rows import Rows
from gmmfast.tails import log_less_digamma


@dataclass(frozen=True)
class Stream:
    """Summary of all rows so far."""

    averages: SufficientStatistics  # of total weight one, about means in the units of the data
    seen: float  # sum of the weights of all rows

    @classmethod
    def of(cls, statistics: SufficientStatistics) -> Self:
        """Start from the statistics of some rows."""
        return cls(statistics.times(1 / statistics.weight), statistics.weight)

    @classmethod
    def of_mixture(cls, parameters: Parameters, model: Model, seen: float) -> Self:
        """Start from a mixture: the averages whose M step returns it.

        Of t components, the latent weights have mean one.
        """
        (K, d), weights = parameters.means.shape, parameters.weights
        matrices = model.matrices(parameters.covariances, K, d) - model.reg_covar * np.eye(d)
        scatter = weights[:, None, None] * matrices
        if model.scatter is Scatter.POOLED:
            scatter = scatter.sum(axis=0, keepdims=True)
        elif model.scatter is Scatter.DIAGONAL:
            scatter = np.einsum("kii->ki", scatter)
        tails = None
        if parameters.degrees is not None:
            logs = [-log_less_digamma(0.5 * own)[0] for own in parameters.degrees.tolist()]
            tails = np.array([weights, weights * logs])
        averages = SufficientStatistics(
            log_likelihood=0.0,
            doubt=0.0,
            weight=1.0,
            n_rows=1,
            reference=parameters.means,
            mass=weights,
            first=np.zeros((K, d)),
            scatter=scatter,
            tails=tails,
        )
        return cls(averages, seen)

    def after(self, statistics: SufficientStatistics, decay: float, forgetting: float) -> Stream:
        """Return the stream updated with more rows.

        Parameters
        ----------
        statistics : SufficientStatistics
            Statistics of these rows, about means in the units of the data.
        decay : float
            The step is the share of these rows among all rows so far, to this power.
        forgetting : float
            The smallest step.
        """
        seen = self.seen + statistics.weight
        step = max((statistics.weight / seen) ** decay, forgetting)
        before = self.averages.about(statistics.reference).times(1 - step)
        return Stream(before + statistics.times(step / statistics.weight), seen)

    def step(
        self, rows: Rows, before: Parameters, model: Model, decay: float, forgetting: float
    ) -> tuple[Stream, EMResult]:
        """Take an E step with the next rows, and an M step with all rows so far.

        Parameters
        ----------
        rows : Rows
            The next rows.
        before : Parameters
            The mixture so far, in the units of the data.
        model : Model
            Its covariance model.
        decay, forgetting : float
            As in `after`.

        Returns
        -------
        Stream
            With these rows.
        EMResult
            The mixture after the step, about the center of these rows. Its lower bound is that of
            these rows before the step.
        """
        statistics = rows.expectation(before.moved(-rows.center), model.scatter)
        stream = self.after(statistics.moved(rows.center), decay, forgetting)
        after = model.maximization(stream.averages, before).moved(-rows.center)
        averages = stream.averages.moved(-rows.center)
        bound = statistics.log_likelihood / statistics.weight
        result = EMResult(
            parameters=after,
            lower_bounds=[bound],
            status=Status.STREAM,
            lower_bound=bound,
            statistics=averages,
            stopped=False,
            degenerate=model.degenerate(after, averages),
        )
        return stream, result

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fields as arrays, by name."""
        values = {**vars(self.averages), "seen": self.seen}
        present = {name: value for name, value in values.items() if value is not None}
        return {name: np.asarray(value) for name, value in present.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Make a stream from the arrays of `to_arrays`; KeyError if one is missing."""
        values: dict[str, Any] = {
            field.name: arrays[field.name] if arrays[field.name].ndim else arrays[field.name].item()
            for field in fields(SufficientStatistics)
            if field.name not in ("tails", "scores") or field.name in arrays
        }
        return cls(SufficientStatistics(**values), arrays["seen"].item())
