"""Models of variational fits: the conjugate prior, as what the M step adds."""

from __future__ import annotations

from copy import copy

import numpy as np

from gmmfast.kernels.maximization import PriorTerms
from gmmfast.models.base import Model
from gmmfast.models.conjugate import ConjugatePrior
from gmmfast.models.step import Variational
from gmmfast.parameters import Floats, Scatter


def with_posterior(model: Model, prior: ConjugatePrior, center: Floats, weight: float) -> Model:
    """Return a model whose mixtures stand for posteriors, for rows of a center and total weight.

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
        np.ascontiguousarray(prior.mean - center, np.float64),
        per * prior.mean_precision,
        np.ascontiguousarray(per * scatter),
        per * prior.degrees,
        per * prior.degrees,
        per * prior.concentration,
    )
    own.variational = Variational(weight, prior)
    return own
