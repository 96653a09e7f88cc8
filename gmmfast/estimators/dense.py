"""Dense covariances of factor analyzers, made each time they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.files.attributes import FACTORS

if TYPE_CHECKING:
    from gmmfast.estimators.fitted import FittedMixture


class Dense:
    """An attribute that fitted mixtures have of their own, and factor analyzers compute.

    The attribute of the instance comes first. Without one and without loadings, there is none.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, mixture: FittedMixture | None, owner: type[Any]) -> NDArray[Any]:
        if mixture is None or not hasattr(mixture, FACTORS[0]):
            raise AttributeError(f"{owner.__name__!r} object has no attribute {self._name!r}")
        parameters, model = mixture._parameters(np.zeros(mixture.means_.shape[1])), mixture._model()
        if self._name == "covariances_":
            found = parameters.matrices()
        else:
            found = model.precisions_cholesky(parameters)
            if self._name == "precisions_":
                found = model.precisions(found)
        return np.asarray(found, mixture.means_.dtype)
