"""Dense covariances of factor analyzers, made each time they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.files.attributes import LOADINGS
from gmmfast.models import FactorAnalyzers

if TYPE_CHECKING:
    from gmmfast.estimators.fitted import FittedMixture


class Dense:
    """An attribute that fits set, except that factor analyzers compute it.

    An attribute of the instance comes first. Without one and without loadings, there is none.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, mixture: FittedMixture | None, owner: type[Any]) -> NDArray[Any]:
        if mixture is None or not hasattr(mixture, LOADINGS[0]):
            raise AttributeError(f"{owner.__name__!r} object has no attribute {self._name!r}")
        model = mixture._model()
        if not isinstance(model, FactorAnalyzers):
            raise ValueError(
                "The fitted loadings_ do not go with "
                f"covariance_type={mixture.covariance_type!r}. Call fit again, with "
                "warm_start=False."
            )
        parameters = mixture._of_loadings(model, np.zeros(mixture.means_.shape[1]))
        if self._name == "covariances_":
            found = parameters.matrices()
        else:
            found = model.precisions_cholesky(parameters)
            if self._name == "precisions_":
                found = model.precisions(found)
        return np.asarray(found, mixture.means_.dtype)
