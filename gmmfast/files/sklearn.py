"""Fitted mixtures to scikit-learn and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from gmmfast.data.constraints import MODEL_CODES

_FITTED = (
    "weights_",
    "means_",
    "covariances_",
    "precisions_",
    "precisions_cholesky_",
    "converged_",
    "n_iter_",
    "lower_bound_",
    "lower_bounds_",
    "n_features_in_",
    "feature_names_in_",
)


def to_sklearn(mixture: Any) -> Any:
    """Return a fitted ``sklearn.mixture.GaussianMixture`` with the same parameters.

    Models by mclust's codes, which scikit-learn does not know, become "full".

    Parameters
    ----------
    mixture : GaussianMixture
        Fitted.

    Returns
    -------
    sklearn.mixture.GaussianMixture

    Raises
    ------
    ImportError
        If scikit-learn is not installed.
    """
    from sklearn.mixture import GaussianMixture as SklearnMixture

    mixture._check_fitted()
    params = mixture.get_params()
    del params["n_jobs"], params["acceleration"]
    if mixture.covariance_type in MODEL_CODES:
        params["covariance_type"] = "full"
    other = SklearnMixture(**params)
    _copy(mixture, other)
    return other


def from_sklearn(cls: type[Any], mixture: Any) -> Any:
    """Return a fitted gmmfast mixture with the parameters of scikit-learn's.

    Parameters
    ----------
    cls : type
        `GaussianMixture`, or a class of one's own derived from it.
    mixture : sklearn.mixture.GaussianMixture
        Fitted.

    Returns
    -------
    GaussianMixture

    Raises
    ------
    ValueError
        If it is not fitted, or not a Gaussian mixture.
    """
    missing = [name for name in _FITTED[:5] if not hasattr(mixture, name)]
    if missing:
        raise ValueError(
            "from_sklearn needs a fitted sklearn.mixture.GaussianMixture; "
            f"got {type(mixture).__name__} without {missing[0]}. Call its fit first."
        )
    params = mixture.get_params()
    unknown = sorted(params.keys() - {*cls._parameter_names()})
    if unknown:
        raise ValueError(
            "from_sklearn needs a fitted sklearn.mixture.GaussianMixture; "
            f"got {type(mixture).__name__}, which has the parameter {unknown[0]!r}."
        )
    result = cls(**params)
    _copy(mixture, result)
    result._learned_type, result.n_samples_seen_ = result.covariance_type, 0.0
    model = result._model()
    parameters = result._parameters(np.zeros(result.means_.shape[1]))
    result.degenerate_ = model.degenerate(parameters, None)
    result.stop_reason_ = "Made from a scikit-learn mixture."
    return result


def _copy(source: Any, target: Any) -> None:
    for name in _FITTED:
        if hasattr(source, name):
            value = getattr(source, name)
            setattr(target, name, value.copy() if hasattr(value, "copy") else value)
