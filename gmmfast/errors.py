"""Warnings and errors; sentences that scikit-learn's users know come first."""

from __future__ import annotations

import sys
import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


class ConvergenceWarning(UserWarning):
    """EM ended before it had converged."""


class CollapsedComponentWarning(UserWarning):
    """A component has collapsed, so that the likelihood of the fit is meaningless."""


class NotFittedError(ValueError, AttributeError):
    """A method needs a fitted estimator."""


class InvalidParameterError(ValueError, TypeError):
    """A parameter of the constructor is of the wrong type or out of range."""


class EmptyComponentError(ValueError):
    """A component has no rows of positive weight to start from."""


class MissingValuesError(ValueError):
    """Rows of a file have missing values.

    Parameters
    ----------
    message : str
        Text of the error.
    n_rows : int
        Number of these rows.
    """

    def __init__(self, message: str, n_rows: int) -> None:
        self.n_rows = n_rows
        super().__init__(message, n_rows)

    def __str__(self) -> str:
        return str(self.args[0])


class IllDefinedCovarianceError(ValueError):
    """A covariance is not positive definite.

    Parameters
    ----------
    component : int or None
        Its index; None is the covariance that all components share.
    iteration : int
        EM iteration; 0 is the start.
    reg_covar : float, optional
        Value that the fit added to the diagonals.
    is_float32 : bool
        Whether the rows are float32.
    remedy : str
        Advice if the rows themselves are at fault.
    is_single : bool
        Whether there is one component, so that scikit-learn's advice to take fewer does not apply.
    """

    def __init__(
        self,
        component: int | None,
        iteration: int = 0,
        reg_covar: float | None = None,
        is_float32: bool = False,
        remedy: str = "",
        is_single: bool = False,
    ) -> None:
        self.component, self.iteration = component, iteration
        super().__init__(component, iteration, reg_covar, is_float32, remedy, is_single)

    def __str__(self) -> str:
        _, iteration, reg_covar, is_float32, remedy, is_single = self.args
        sentence = (
            "Fitting the mixture model failed because some components have ill-defined empirical "
            "covariance"
        )
        when = f"in iteration {iteration}" if iteration else "at the start"
        fault = f"The {self._which()} is not positive definite {when}"
        if is_single:
            return f"{sentence}. {fault}. {remedy}"
        sentence += (
            " (for instance caused by singleton or collapsed samples). Try to decrease the number "
            "of components, increase reg_covar, or scale the input data."
        )
        if is_float32:
            sentence += (
                " The numerical accuracy can also be improved by passing float64 data instead of "
                "float32."
            )
        if remedy:
            return f"{sentence} {fault}. {remedy}"
        now = "" if reg_covar is None else f" (now {reg_covar:g})"
        return (
            f"{sentence} {fault}: raise reg_covar{now}, lower n_components, or standardize the "
            "columns."
        )

    def at(self, iteration: int) -> Self:
        """Return the same error with its iteration."""
        return type(self)(self.component, iteration, *self.args[2:])

    def of_given(self) -> ValueError:
        """Return the error for a covariance that the user gave."""
        return ValueError(
            f"The {self._which()} must be positive definite, and not singular to rounding. Leave "
            "out features that follow from others, add to its diagonal, or rescale the features."
        )

    def _which(self) -> str:
        shared = self.component is None
        return "shared covariance" if shared else f"covariance of component {self.component}"

    def during_fit(self, reg_covar: float, is_float32: bool, remedy: str, is_single: bool) -> Self:
        """Return the same error with the facts of the fit."""
        own = (self.component, self.iteration)
        return type(self)(*own, reg_covar, is_float32, remedy, is_single)


def collapsed_components(degenerate: NDArray[np.bool_], reg_covar: float) -> str:
    """Return the warning of a fit with collapsed components (K,)."""
    which = np.flatnonzero(degenerate).tolist()
    noun, verb = ("Component", "has") if len(which) == 1 else ("Components", "have")
    return (
        f"{noun} {', '.join(map(str, which))} {verb} collapsed, without rows or without spread in "
        "some direction: the likelihood of this fit is meaningless. Lower n_components, leave out "
        f"columns that follow from others, or raise reg_covar (now {reg_covar:g}). 'degenerate_' "
        "marks such components."
    )


def _loaded(name: str, ours: type[Any]) -> type[Any]:
    """scikit-learn's class where scikit-learn is loaded, so that its users can catch it."""
    theirs = sys.modules.get("sklearn.exceptions")
    return ours if theirs is None else getattr(theirs, name)


def convergence_warning_class() -> type[Warning]:
    """Return scikit-learn's ConvergenceWarning where scikit-learn is loaded, else ours."""
    return _loaded("ConvergenceWarning", ConvergenceWarning)


def conversion_warning_class() -> type[Warning]:
    """Return scikit-learn's DataConversionWarning where scikit-learn is loaded."""
    return _loaded("DataConversionWarning", UserWarning)


def not_fitted_error_class() -> type[Exception]:
    """Return scikit-learn's NotFittedError where scikit-learn is loaded, else ours."""
    return _loaded("NotFittedError", NotFittedError)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line that called into gmmfast, at any depth of calls inside it.

    Parameters
    ----------
    message : str
        Text of the warning.
    category : type of Warning
        Its class.
    """
    level, frame = 1, sys._getframe(1)
    while frame.f_globals.get("__name__", "").split(".")[0] == "gmmfast" and frame.f_back:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level + 1)
