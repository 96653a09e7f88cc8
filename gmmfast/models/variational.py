"""Conjugate priors of variational Bayes, as what the M step of a model adds."""

from __future__ import annotations

from copy import copy
from typing import NamedTuple

import numpy as np

from gmmfast.kernels.maximization import PriorTerms
from gmmfast.models.base import Model
from gmmfast.models.step import Variational
from gmmfast.parameters import Floats, Scatter


class ConjugatePrior(NamedTuple):
    """Prior of weights, means and precisions (Bishop 2006, equations 10.39 and 10.40)."""

    concentration: float  # of a component's weight, or of the Dirichlet process
    is_process: bool  # whether weights are sticks of a Dirichlet process (Blei & Jordan 2006)
    mean_precision: float  # rows that the prior mean counts for
    mean: Floats  # (d,), relative to the rows' center
    degrees: float  # of freedom of the precisions
    covariance: Floats  # (d, d), (d,) or (): inverse of the Wishart distribution's scale matrix

    def concentrations(self, rows: Floats) -> Floats | tuple[Floats, Floats]:
        """Return the posterior of the weights, given the rows of the components (K,).

        Parameters (K,) of a Dirichlet distribution; or two (K,) of a beta distribution per stick:
        what a component takes, and what it leaves to those behind.
        """
        if not self.is_process:
            return self.concentration + rows
        behind = np.append(np.cumsum(rows[:0:-1])[::-1], 0.0)
        return 1 + rows, self.concentration + behind

    def degrees_of_freedom(self, rows: Floats, is_tied: bool) -> Floats:
        """Return the posterior's degrees of freedom (K,), or one number of tied covariances."""
        return self.degrees + (np.asarray(rows.mean()) if is_tied else rows)


def with_posterior(model: Model, prior: ConjugatePrior, weight: float) -> Model:
    """Return a model whose mixtures stand for posteriors, for rows of a total weight.

    `reg_covar` is added per row, as in scikit-learn, and not for the prior.
    """
    d, own, per = len(prior.mean), copy(model), 1 / weight
    of_prior = prior.degrees * model.reg_covar
    if model.scatter is Scatter.DIAGONAL:
        scatter = np.full(d, prior.covariance)[None] - of_prior
    else:
        scatter = prior.covariance - of_prior * np.eye(d)
    own.prior = PriorTerms(
        True,
        np.ascontiguousarray(prior.mean, np.float64),
        per * prior.mean_precision,
        np.ascontiguousarray(per * scatter),
        per * prior.degrees,
        per * prior.degrees,
        per * prior.concentration,
    )
    own.variational = Variational(weight, prior.is_process)
    return own
