"""The prior of a variational fit: its defaults follow from the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gmmfast.data.given import check_prior_covariance, check_prior_mean
from gmmfast.models.conjugate import ConjugatePrior
from gmmfast.parameters import Floats, Scatter
from gmmfast.rows import Rows
from gmmfast.rows.dependence import covariance_of


def conjugate_prior(
    params: Mapping[str, Any], n_features: int, rows: Rows | None = None
) -> ConjugatePrior:
    """Return the prior that the parameters of an estimator describe.

    Parameters
    ----------
    params : mapping
        Of `BayesianGaussianMixture`.
    n_features : int
        d.
    rows : Rows, optional
        The data, which are needed if a mean or a covariance is None.

    Raises
    ------
    ValueError
        If a parameter does not go with the number of features.
    """
    d, covariance_type = n_features, params["covariance_type"]
    concentration = params["weight_concentration_prior"]
    if concentration is None:
        concentration = 1 / params["n_components"]
    mean_precision = params["mean_precision_prior"]
    mean, degrees = params["mean_prior"], params["degrees_of_freedom_prior"]
    if mean is not None:
        mean = check_prior_mean(mean, d)
    elif rows is not None:
        mean = rows.mean
    if degrees is not None and not degrees > d - 1:
        raise ValueError(
            f"The parameter 'degrees_of_freedom_prior' should be greater than {d - 1}, but got "
            f"{degrees:.3f}. Use {d}, the number of features, or more."
        )
    covariance = params["covariance_prior"]
    if covariance is not None:
        covariance = check_prior_covariance(covariance, covariance_type, d)
    elif rows is not None:
        covariance = _spread(rows, covariance_type)
    return ConjugatePrior(
        float(concentration),
        params["weight_concentration_prior_type"] == "dirichlet_process",
        1.0 if mean_precision is None else float(mean_precision),
        mean,
        float(d if degrees is None else degrees),
        covariance,
    )


def _spread(rows: Rows, covariance_type: str) -> Floats:
    """Return the covariance of the rows with the divisor n - 1, in a structure."""
    is_matrix = covariance_type in ("full", "tied")
    covariance = covariance_of(rows, Scatter.FULL if is_matrix else Scatter.DIAGONAL)
    correction = rows.weight / max(rows.weight - 1, 0.5 * rows.weight)  # weights may sum to one
    spread = covariance * correction
    return np.asarray(spread.mean()) if covariance_type == "spherical" else spread
