"""Mixtures that are made from parameters, not fitted."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from gmmfast.data.validation import check_features
from gmmfast.errors import IllDefinedCovarianceError
from gmmfast.files.attributes import FACTS
from gmmfast.models import FactorAnalyzers
from gmmfast.parameters import Floats


def set_parameters(
    mixture: Any,
    weights: Floats,
    means: Floats,
    covariances: Floats,
    degrees: Floats | None,
    names: list[str] | None,
    loadings: Floats | None = None,
) -> None:
    """Set the attributes of a mixture that has its constructor's parameters only.

    Parameters
    ----------
    mixture : GaussianMixture
        To be changed.
    weights : ndarray of shape (K,)
        Their sum is one.
    means : ndarray of shape (K, d)
        Means.
    covariances : ndarray
        In the structure of its `covariance_type`; with loadings, the specific variances (K, d).
    degrees : ndarray of shape (K,) or None
        Degrees of freedom of t components.
    names : list of str or None
        Column names.
    loadings : ndarray of shape (K, d, q), optional
        Of factor analyzers.

    Raises
    ------
    ValueError
        If a covariance is not positive definite.
    """
    model = mixture._model()
    try:
        if isinstance(model, FactorAnalyzers) and loadings is not None:
            own = covariances, loadings.swapaxes(1, 2)
            parameters = model.of_loadings(weights, means, *own)
        else:
            parameters = model.of_covariances(weights, means, covariances)
    except IllDefinedCovarianceError as error:
        raise error.of_given() from None
    parameters = replace(parameters, degrees=degrees)
    mixture._set_parameters(parameters, model, means, np.dtype(np.float64))
    vars(mixture).update(deepcopy(FACTS), stop_reason_="Made from parameters, not fitted.")
    check_features(mixture, names, means.shape[1], reset=True)


def structured(matrices: Floats, kind: str) -> Floats:
    """Return matrices (K, d, d), which have it, in the structure of a covariance type."""
    if kind == "tied":
        return np.array(matrices[0])
    if kind not in ("diag", "spherical"):
        return matrices
    variances = np.einsum("kjj->kj", matrices)
    return np.array(variances if kind == "diag" else variances[:, 0])
