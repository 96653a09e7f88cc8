"""Fitted mixtures to scikit-learn and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from gmmfast.data.constraints import SKLEARN_TYPES
from gmmfast.files.attributes import DEGREES, FITTED, NOISE, OURS, PARAMETERS


def to_sklearn(mixture: Any) -> Any:
    """See `GaussianMixture.to_sklearn`."""
    from sklearn.mixture import GaussianMixture as SklearnMixture

    mixture._check_fitted()
    if hasattr(mixture, NOISE[0]):
        raise ValueError(
            "scikit-learn's mixture cannot hold a uniform component. Fit without one, or keep this "
            "mixture with save()."
        )
    if hasattr(mixture, DEGREES):
        raise ValueError(
            "scikit-learn's mixture, and ONNX made of it, has Gaussian components; got t "
            "components. Fit with component='gaussian', or keep this mixture with save()."
        )
    theirs = SklearnMixture().get_params()
    params = {name: value for name, value in mixture.get_params().items() if name in theirs}
    if mixture.covariance_type not in SKLEARN_TYPES:
        params["covariance_type"] = "full"
    if not isinstance(mixture.init_params, str) or mixture.init_params == "hierarchical":
        params["init_params"] = "kmeans"
    other = SklearnMixture(**params)
    _copy(mixture, other)
    return other


def from_sklearn(cls: type[Any], mixture: Any) -> Any:
    """See `GaussianMixture.from_sklearn`; `cls` is that class, or one derived from it."""
    missing = [name for name in PARAMETERS if not hasattr(mixture, name)]
    if missing:
        raise _unusable(mixture, f" without {missing[0]}. Call its fit first.")
    params = mixture.get_params()
    unknown = sorted(params.keys() - {*cls._parameter_names()})
    if unknown:
        raise _unusable(mixture, f", which has the parameter {unknown[0]!r}.")
    result = cls(**params)
    _copy(mixture, result)
    result._learned_type, result.n_samples_seen_ = result.covariance_type, 0.0
    model = result._model()
    parameters = result._parameters(np.zeros(result.means_.shape[1]))
    result.degenerate_ = model.degenerate(parameters, None)
    result.stop_reason_ = "Made from a scikit-learn mixture."
    return result


def _unusable(mixture: Any, reason: str) -> ValueError:
    return ValueError(
        "from_sklearn needs a fitted sklearn.mixture.GaussianMixture; "
        f"got {type(mixture).__name__}{reason}"
    )


def _copy(source: Any, target: Any) -> None:
    for name in FITTED:
        if name not in OURS and hasattr(source, name):
            value = getattr(source, name)
            setattr(target, name, value.copy() if hasattr(value, "copy") else value)
