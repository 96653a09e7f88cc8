"""scikit-learn's conventions, without scikit-learn: it is imported only when it calls."""

from __future__ import annotations

import inspect
import reprlib
import sys
from functools import lru_cache
from typing import Any, Self

import numpy as np

from gmmfast.errors import not_fitted_error_class, warn
from gmmfast.version import __version__

# scikit-learn's markers of a metadata request
UNCHANGED, UNUSED, WARN = "$UNCHANGED$", "$UNUSED$", "$WARN$"

WIDTH = 80  # of a line of a representation, as scikit-learn's

_shorten = reprlib.Repr()
_shorten.maxlist = _shorten.maxtuple = 30  # as scikit-learn's
_shorten.maxstring = _shorten.maxother = 350


class Estimator:
    """Parameters are the constructor's arguments; attributes of a fit end in an underscore."""

    fit: Any

    @classmethod
    @lru_cache  # a signature takes as long as ten EM passes over few rows
    def _parameter_names(cls) -> list[str]:
        parameters = inspect.signature(cls).parameters.values()
        return sorted(p.name for p in parameters if p.kind is not p.VAR_KEYWORD)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of the constructor.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of nested estimators, as ``<name>__<parameter>``.

        Returns
        -------
        dict
            Values by name.
        """
        params: dict[str, Any] = {}
        for name in self._parameter_names():
            value = getattr(self, name)
            if deep and hasattr(value, "get_params") and not isinstance(value, type):
                params |= {f"{name}__{inner}": v for inner, v in value.get_params().items()}
            params[name] = value
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters of the constructor.

        Parameters
        ----------
        **params
            Values by name; ``<name>__<parameter>`` for a nested estimator.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no parameter of that name; none is set then.
        """
        names = self._parameter_names()
        for key in params:
            name = key.partition("__")[0]
            if name not in names:
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {self}. "
                    f"Valid parameters are: {names!r}."
                )
        nested: dict[str, dict[str, Any]] = {}
        for key, value in params.items():
            name, delimiter, inner = key.partition("__")
            if delimiter:
                nested.setdefault(name, {})[inner] = value
            else:
                setattr(self, name, value)
        for name, values in nested.items():
            getattr(self, name).set_params(**values)
        return self

    def __repr__(self) -> str:
        """Show the parameters that are not the default, folded at 80 columns."""
        signature = inspect.signature(type(self)).parameters
        head, lines = f"{type(self).__name__}(", [""]
        for name, value in self.get_params(deep=False).items():
            if _same(value, signature[name].default):
                continue
            item = f"{name}={_shorten.repr(value)},"
            if lines[-1] and len(head + lines[-1] + item) > WIDTH:
                lines.append("")
            lines[-1] += item + " "
        body = f"\n{' ' * len(head)}".join(line.rstrip() for line in lines)
        return f"{head}{body.removesuffix(',')})"

    def _repr_html_(self) -> str | None:
        """Show the parameters and the fit in a notebook, unless scikit-learn is set to text."""
        sklearn = sys.modules.get("sklearn")
        if sklearn is not None and sklearn.get_config()["display"] == "text":
            return None
        return str(_html().page_of(self))

    # ------------------------------------------------------------------------------- pickling

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_gmmfast_version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        version = state.pop("_gmmfast_version", "an unknown version")
        if version != __version__:
            warn(
                f"Trying to unpickle estimator {type(self).__name__} from gmmfast {version} with "
                f"gmmfast {__version__}. Its results may differ: fit again, or use save and "
                "gmmfast.load, which check what they read."
            )
        vars(self).update(state)

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

    def _get_params_html(self, deep: bool = True, doc_link: str = "") -> Any:
        """Show the parameters in a diagram of scikit-learn."""
        return _html().parameters_of(self)

    def _get_fitted_attr_html(self, doc_link: str = "") -> Any:
        """Show the fit in a diagram of scikit-learn."""
        return _html().fit_of(self)

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
            if alias != UNUSED:
                getattr(request, method).add_request(param="sample_weight", alias=alias)
        return request

    def set_fit_request(self, *, sample_weight: bool | str | None = UNCHANGED) -> Self:
        """Ask scikit-learn's metadata routing for sample weights in `fit`.

        Parameters
        ----------
        sample_weight : bool, str or None
            True requests them, False does not, None raises if they are passed; a string is the name
            under which they are passed.

        Returns
        -------
        self

        Raises
        ------
        RuntimeError
            If scikit-learn is loaded and its metadata routing is not enabled.
        ValueError
            If `sample_weight` is anything else.
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
        sklearn = sys.modules.get("sklearn")
        if sklearn is not None and not sklearn.get_config()["enable_metadata_routing"]:
            raise RuntimeError(
                "This method is only available when metadata routing is enabled. You can enable it "
                "using sklearn.set_config(enable_metadata_routing=True)."
            )
        is_name = isinstance(alias, str) and alias.isidentifier()
        if not is_name and alias not in (None, True, False, UNCHANGED, UNUSED, WARN):
            raise ValueError(
                "The alias you're setting for `sample_weight` should be either a valid identifier "
                f"or one of {{None, True, False}}, but given value is: `{alias}`"
            )
        if alias != UNCHANGED:
            self._requests = {**getattr(self, "_requests", {}), method: alias}
        return self

    def __sklearn_clone__(self) -> Self:
        from sklearn.base import _clone_parametrized

        copy: Self = _clone_parametrized(self)
        if hasattr(self, "_requests"):
            copy._requests = dict(self._requests)
        return copy


class LabelingEstimator(Estimator):
    """An estimator whose `predict` labels rows."""

    def fit_predict(self, X: Any, y: object = None, sample_weight: Any = None) -> Any:
        """Fit, then label the same rows; as ``fit(X, y, sample_weight).predict(X)``.

        Parameters
        ----------
        X : array-like, frame or source of shape (n, d)
            The rows.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array-like of shape (n,), optional
            Row weights.

        Returns
        -------
        ndarray of shape (n,)
            The likeliest component of each row; in pieces or lazy as by `predict`.
        """
        return self.fit(X, y, sample_weight).predict(X)


def _html() -> Any:
    """Return the module, which only notebooks need."""
    from gmmfast.reporting import html

    return html


def _same(value: Any, default: Any) -> bool:
    if isinstance(value, np.ndarray) or isinstance(default, np.ndarray):
        return False
    return bool(value is default or (type(value) is type(default) and value == default))
