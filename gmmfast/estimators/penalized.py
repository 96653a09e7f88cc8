"""Criteria of a fitted mixture, its likelihood with a penalty for its parameters; its summary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from gmmfast import criteria
from gmmfast.data.given import require_family
from gmmfast.estimators.fitted import FittedMixture
from gmmfast.estimators.mapping import map_rows
from gmmfast.reporting.outcome import described, feature_names, scored, whole
from gmmfast.reporting.report import PYTHON, Summary, fit_as_text
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

    def summary(
        self, X: ArrayLike | Source | None = None, sample_weight: ArrayLike | None = None
    ) -> Summary:
        """Return the parameters, and how the fit went, as text.

        Parameters
        ----------
        X : array-like or frame of shape (n, d), optional
            Rows whose log-likelihood, BIC and AIC to add; without them the lower bound of the fit
            is shown.
        sample_weight : array-like of shape (n,), optional
            Row weights.

        Returns
        -------
        str
            A notebook shows it as it is printed.

        Examples
        --------
        >>> from gmmfast import GaussianMixture
        >>> mixture = GaussianMixture.from_parameters(
        ...     [0.25, 0.75], [[0.0], [5.0]], [1.0, 2.0], covariance_type="spherical"
        ... )
        >>> print(mixture.summary([[0.1], [4.0], [5.5]]))
        GaussianMixture: 3 rows, 1 column; 2 components, spherical covariance
        <BLANKLINE>
        component  weight  feature 0
        0          0.2500     0
        1          0.7500     5.0000
        <BLANKLINE>
        component  variance      sd
        0            1.0000  1.0000
        1            2.0000  1.4142
        <BLANKLINE>
        log-likelihood  -5.72  (-1.9079 per row)
        BIC             16.94  (lower is better)
        AIC             21.45  (lower is better)
        iterations          0
        stopped         Made from parameters, not fitted.
        """
        self._check_fitted()
        report = described(self, feature_names(self))
        if X is not None:
            log_likelihood, weight = self._log_likelihood(X, sample_weight)
            report = replace(report, total_weight=weight, n_rows=whole(weight / (1 - self.trim)))
            report = scored(report, log_likelihood, self._n_parameters())
        return fit_as_text(report, PYTHON)

    def _n_parameters(self) -> int:
        _, means, *covariances = self._attributes(*self._covariances())
        for given in covariances:
            require_family(given, self.covariance_type)  # else there are more parameters
        return self._model().n_parameters(*means.shape)
