"""The criteria of a candidate, from what its fit has come to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gmmfast import criteria
from gmmfast.data.constraints import CovarianceType, Criterion
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.models import Model
from gmmfast.parameters import Parameters
from gmmfast.rows import Rows
from gmmfast.search.candidates import Candidate
from gmmfast.search.fitting import Fitting, Progress


class Measures:
    """Computes the criteria of candidates.

    Parameters
    ----------
    criterion : str
        Criterion to minimize; "nec" and "cv" are computed only if they are it.
    models : mapping of str to Model
        The covariance models by name.
    fitting : Fitting
        Fits to all rows.
    folds : sequence of (Fitting, Rows)
        For cross-validation: fits to the rows that are seen, and the rows that are held out.
    """

    def __init__(
        self,
        criterion: Criterion,
        models: Mapping[CovarianceType, Model],
        fitting: Fitting,
        folds: Sequence[tuple[Fitting, Rows]],
    ) -> None:
        self._criterion, self._models = criterion, models
        self._fitting, self._folds = fitting, folds
        self._of_one: dict[str, float] = {}  # log-likelihoods of one component, by model

    def of(self, candidate: Candidate, progress: Progress) -> dict[str, Any]:
        """Return the fields of a `CandidateFit`, except its time and cross-validation."""
        result, log_likelihood = progress.result, progress.log_likelihood
        rows, (K, covariance_type) = self._fitting.rows, candidate
        model = self._models[covariance_type]
        n_parameters = model.n_parameters(K, rows.n_features)
        bic = criteria.bic(log_likelihood, n_parameters, rows.weight)
        return {
            "result": result,
            "log_likelihood": log_likelihood,
            "bic": bic,
            "aic": criteria.aic(log_likelihood, n_parameters),
            "aicc": criteria.aicc(log_likelihood, n_parameters, rows.weight),
            "icl": criteria.icl(bic, progress.doubt),
            "nec": self._normalized_entropy(candidate, result.parameters, log_likelihood),
            "degenerate": bool(result.degenerate.any()),
            "finished": progress.rest is None,
        }

    def _normalized_entropy(
        self, candidate: Candidate, mixture: Parameters, log_likelihood: float
    ) -> float:
        if self._criterion != "nec":
            return math.nan
        K, name = candidate
        if K == 1:
            return 1.0
        if name not in self._of_one:
            self._of_one[name] = self._log_likelihood_of_one(self._models[name])
        entropy = self._fitting.rows.entropy(mixture)
        return criteria.nec(entropy, log_likelihood, self._of_one[name])

    def _log_likelihood_of_one(self, model: Model) -> float:
        """Return the log-likelihood of one component; NaN if it has no covariance."""
        try:
            return self._fitting.complete(model, self._fitting.starts.of_one()).log_likelihood
        except IllDefinedCovarianceError:
            return math.nan

    def cross_validated(self, candidate: Candidate) -> float:
        """Return minus the mean log density of held-out rows; NaN without folds."""
        K, name = candidate
        model, total, weight = self._models[name], 0.0, 0.0
        for fitting, held_out in self._folds:
            mixture = fitting.complete(model, fitting.starts.choices[K]).result.parameters
            total += held_out.expectation(mixture, model.scatter).log_likelihood
            weight += held_out.weight
        return -total / weight if weight else math.nan
