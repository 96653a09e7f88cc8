"""What the EM loop asks of data, wherever they live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from gmmfast.kernels.moments import Sums
from gmmfast.parameters import Floats, Parameters, Scatter, SufficientStatistics

if TYPE_CHECKING:
    from gmmfast.rows.memory import MemoryRows


@dataclass
class Hints:
    """Scratch of one fit, never shared: the likely component of each tile, and accumulators."""

    guesses: NDArray[np.int64]
    sums: Sums | None = None


class Rows(Protocol):
    """Immutable rows, shared freely by restarts, searches and threads.

    Row weights stand for repetitions; rows of weight zero are as good as absent.
    """

    n_rows: int  # rows of positive weight
    n_features: int
    weight: float  # sum of the row weights
    centre: Floats  # (d,); parameters are relative to it

    def expectation(
        self, parameters: Parameters, scatter: Scatter, hints: Hints | None = None
    ) -> SufficientStatistics:
        """E step: one pass over the rows."""
        ...

    def hints(self) -> Hints:
        """Return new scratch for one fit."""
        ...

    def arranged_for(self, parameters: Parameters) -> Rows:
        """Return the same rows in an order in which passes near some parameters are cheap."""
        ...

    def all_or_sample(self, n: int, rng: np.random.Generator | np.random.RandomState) -> MemoryRows:
        """All rows, packed in memory, where there are no more than `n`; else a sample of `n`."""
        ...
