"""The prior of a variational fit, and what the posterior has more than it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gmmfast.parameters import Floats


class ConjugatePrior(NamedTuple):
    """Prior of weights, means and precisions (Bishop 2006, equations 10.39 and 10.40)."""

    concentration: float  # of a component's weight, or of the Dirichlet process
    is_process: bool  # whether weights are sticks of a Dirichlet process (Blei & Jordan 2006)
    mean_precision: float  # rows that the prior mean counts for
    mean: Floats  # (d,)
    degrees: float  # of freedom of the precisions
    covariance: Floats  # (d, d), (d,) or (): inverse of the Wishart distribution's scale matrix

    def concentrations(self, rows: Floats) -> Floats | tuple[Floats, Floats]:
        """Return the posterior of the weights, given the rows of the components (K,).

        Parameters (K,) of a Dirichlet distribution; or two (K,) of a beta distribution per stick:
        what a component takes, and what it leaves to the later ones.
        """
        if not self.is_process:
            return self.concentration + rows
        behind = np.append(np.cumsum(rows[:0:-1])[::-1], 0.0)
        return 1 + rows, self.concentration + behind

    def degrees_of_freedom(self, rows: Floats, is_tied: bool) -> Floats:
        """Return the posterior's degrees of freedom (K,), or one number of tied covariances."""
        return self.degrees + (np.asarray(rows.mean()) if is_tied else rows)
