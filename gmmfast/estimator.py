"""scikit-learn's conventions, without scikit-learn: it is imported only when it calls."""

from __future__ import annotations

import inspect
import reprlib
from typing import Any, Self

import numpy as np

from gmmfast.errors import not_fitted_error_class

UNCHANGED = "$UNCHANGED$"  # scikit-learn's default of a metadata request


class Estimator:
    """Parameters are the constructor's arguments; attributes of a fit end in an underscore."""

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return sorted(name for name in inspect.signature(cls).parameters)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of the constructor.

        Parameters
        ----------
        deep : bool, default=True
            Present for scikit-learn's conventions; there are no nested estimators.

        Returns
        -------
        dict
            Values by name.
        """
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the constructor.

        Parameters
        ----------
        **params
            Values by name.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no parameter of that name.
        """
        names = self._parameter_names()
        for name in params:
            if name not in names:
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {self}. "
                    f"Valid parameters are: {names!r}."
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        signature = inspect.signature(type(self)).parameters
        changed = (
            f"{name}={reprlib.repr(value)}"
            for name, value in self.get_params().items()
            if not _same(value, signature[name].default)
        )
        return f"{type(self).__name__}({', '.join(changed)})"

    # ------------------------------------------------------------------------------- fitted

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "weights_")

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise not_fitted_error_class()(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with "
                "appropriate arguments before using this estimator."
            )

    # --------------------------------------------------------------- called by scikit-learn

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type="density_estimator",
            target_tags=TargetTags(required=False),
            transformer_tags=None,
            classifier_tags=None,
            regressor_tags=None,
            input_tags=InputTags(),
        )

    def get_metadata_routing(self) -> Any:
        """Return which metadata `fit` and `score` ask for, as scikit-learn's MetadataRequest."""
        from sklearn.utils.metadata_routing import MetadataRequest

        request = MetadataRequest(owner=self)
        for method in ("fit", "score"):
            alias = getattr(self, "_requests", {}).get(method)
            getattr(request, method).add_request(param="sample_weight", alias=alias)
        return request

    def set_fit_request(self, *, sample_weight: bool | str | None = UNCHANGED) -> Self:
        """Ask scikit-learn's metadata routing for sample weights in `fit`.

        Parameters
        ----------
        sample_weight : bool, str or None
            True asks for them, False does not, None raises if they are given, a string is the
            name by which they are given.

        Returns
        -------
        self
        """
        return self._set_request("fit", sample_weight)

    def set_score_request(self, *, sample_weight: bool | str | None = UNCHANGED) -> Self:
        """Ask scikit-learn's metadata routing for sample weights in `score`.

        Parameters
        ----------
        sample_weight : bool, str or None
            As in `set_fit_request`.

        Returns
        -------
        self
        """
        return self._set_request("score", sample_weight)

    def _set_request(self, method: str, alias: bool | str | None) -> Self:
        if alias != UNCHANGED:
            self._requests = {**getattr(self, "_requests", {}), method: alias}
        return self

    def __sklearn_clone__(self) -> Self:
        from sklearn.base import _clone_parametrized

        copy: Self = _clone_parametrized(self)
        if hasattr(self, "_requests"):
            copy._requests = dict(self._requests)
        return copy


def _same(value: Any, default: Any) -> bool:
    if isinstance(value, np.ndarray) or isinstance(default, np.ndarray):
        return False
    return bool(value is default or (type(value) is type(default) and value == default))
