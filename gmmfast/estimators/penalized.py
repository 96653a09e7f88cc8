"""Criteria of a fitted mixture, its likelihood with a penalty for its parameters; its summary."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gmmfast import criteria
from gmmfast.data.given import require_family
from gmmfast.estimators.fitted import FittedMixture
from gmmfast.estimators.mapping import map_rows
from gmmfast.rows.evaluation import certainties_of
from gmmfast.rows.sources import Source, is_elsewhere


class PenalizedMixture(FittedMixture):
    """Methods of `GaussianMixture` that compare it with others on some rows."""

    def bic(self, X: ArrayLike | Source, sample_weight: ArrayLike | None = None) -> float:
        """Bayesian information criterion on some rows; see `gmmfast.criteria.bic`.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            The rows.
        sample_weight : array-like of shape (n,), optional
            Row weights; n is their sum.

        Returns
        -------
        float
            Lower is better.
        """
        log_likelihood, weight = self._log_likelihood(X, sample_weight)
        return criteria.bic(log_likelihood, self._n_parameters(), weight)

    def aic(self, X: ArrayLike | Source, sample_weight: ArrayLike | None = None) -> float:
        """Akaike information criterion on some rows; see `gmmfast.criteria.aic`.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            The rows.
        sample_weight : array-like of shape (n,), optional
            Row weights.

        Returns
        -------
        float
            Lower is better.
        """
        log_likelihood, _ = self._log_likelihood(X, sample_weight)
        return criteria.aic(log_likelihood, self._n_parameters())

    def aicc(self, X: ArrayLike | Source, sample_weight: ArrayLike | None = None) -> float:
        """Akaike information criterion for few rows; see `gmmfast.criteria.aicc`.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            The rows.
        sample_weight : array-like of shape (n,), optional
            Row weights.

        Returns
        -------
        float
            Lower is better; infinite unless there are at least two rows more than parameters.
        """
        log_likelihood, weight = self._log_likelihood(X, sample_weight)
        return criteria.aicc(log_likelihood, self._n_parameters(), weight)

    def icl(self, X: ArrayLike | Source, sample_weight: ArrayLike | None = None) -> float:
        """Integrated completed likelihood on some rows; see `gmmfast.criteria.icl`.

        Parameters
        ----------
        X : array-like or frame of shape (n, d)
            The rows.
        sample_weight : array-like of shape (n,), optional
            Row weights.

        Returns
        -------
        float
            Lower is better; exceeds BIC by more, the less clearly rows are assigned.
        """
        if is_elsewhere(X):
            statistics = self._statistics(X, sample_weight)
            bic = criteria.bic(statistics.log_likelihood, self._n_parameters(), statistics.weight)
            return criteria.icl(bic, statistics.doubt)
        largest = map_rows(self, X, certainties_of)
        weights = self._weights(X, sample_weight, len(largest))
        if self.trim:
            weights = self._kept(X, sample_weight, self.score_samples(X))
        weights = np.ones(len(largest)) if weights is None else weights
        return criteria.icl(self.bic(X, sample_weight), criteria.doubt(largest, weights))

    def _n_parameters(self) -> int:
        _, means, *covariances = self._attributes(*self._covariances())
        for given in covariances:
            require_family(given, self.covariance_type)  # else there are more parameters
        return self._model().n_parameters(*means.shape)
