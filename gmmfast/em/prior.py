"""Priors of fits: their defaults follow from the rows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gmmfast.data.prior import Prior
from gmmfast.models import Model
from gmmfast.models.prior import Moments
from gmmfast.parameters import Floats, Scatter
from gmmfast.rows import Rows
from gmmfast.rows.dependence import covariance_of
from gmmfast.rows.incomplete import IncompleteRows


class PriorOfRows:
    """A prior for fits to the same rows.

    Parameters
    ----------
    prior : Prior, "mclust" or None
        As given to an estimator; "mclust" is a `Prior` with the defaults.
    rows : Rows
        The data.
    models : iterable of Model
        Kinds of models that will be fitted.
    """

    def __init__(self, prior: Prior | str | None, rows: Rows, models: Iterable[Model]) -> None:
        self._prior = Prior() if isinstance(prior, str) else prior
        self._moments: Moments | None = None
        if self._prior is not None:
            covariance = np.zeros(0)
            if self._prior.scale is None:
                are_diagonal = all(model.scatter is Scatter.DIAGONAL for model in models)
                covariance = _covariance_of(rows, are_diagonal)
            mean = rows.mean - rows.center
            self._moments = Moments(mean, covariance, rows.weight, rows.center)

    def of(self, model: Model, n_components: int) -> Model:
        """Return a model with this prior; the same one if there is none.

        Raises
        ------
        ValueError
            If the prior is not one of so many features.
        """
        if self._prior is None or self._moments is None:
            return model
        return model.with_prior(self._prior, n_components, self._moments)


def _covariance_of(rows: Rows, are_diagonal: bool) -> Floats:
    """Return the covariance of the rows, as far as models need it."""
    if isinstance(rows, IncompleteRows):
        return rows.covariance
    return covariance_of(rows, Scatter.DIAGONAL if are_diagonal else Scatter.FULL)
