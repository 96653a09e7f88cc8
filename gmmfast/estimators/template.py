"""What estimators made of mixtures share: a template to copy, and rows in memory."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from numpy.typing import NDArray

from gmmfast.data.constraints import MIXTURE, SEARCH, check_constructor
from gmmfast.data.validation import check_rows
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.estimators.selection import GaussianMixtureIC
from gmmfast.parameters import Floats
from gmmfast.rows.sources import is_elsewhere

Template = GaussianMixture | GaussianMixtureIC


def copied(mixture: Any) -> Template | None:
    """Return a copy of a template that is not fitted; None stays None.

    Raises
    ------
    TypeError
        If it is anything else.
    InvalidParameterError
        If one of its parameters is out of range.
    """
    if mixture is None:
        return None
    if not isinstance(mixture, Template):
        own, module = type(mixture).__name__, type(mixture).__module__
        raise TypeError(
            "mixture must be a GaussianMixture, a GaussianMixtureIC or None; got "
            f"{own if module == 'builtins' else f'{module}.{own}'}."
        )
    check_constructor(mixture, SEARCH if isinstance(mixture, GaussianMixtureIC) else MIXTURE)
    return type(mixture)(**deepcopy(mixture.get_params(deep=False)))


def fitted(
    template: Template, X: NDArray[Any], sample_weight: Floats | None, what: str
) -> GaussianMixture:
    """Fit a template, and return its mixture; of a search, the best.

    Parameters
    ----------
    template : GaussianMixture or GaussianMixtureIC
        Of this fit alone.
    X : ndarray of shape (n, d)
        The rows.
    sample_weight : ndarray of shape (n,), optional
        Row weights.
    what : str
        What the rows are, for messages.

    Raises
    ------
    ValueError
        If they cannot be fitted; the message says what they are.
    """
    try:
        template.fit(X, sample_weight=sample_weight)
    except ValueError as error:
        raise ValueError(f"{what} cannot be fitted: {error}") from error
    return template.best_estimator_ if isinstance(template, GaussianMixtureIC) else template


def rows_in_memory(
    X: Any, name: str, remedy: str, min_rows: int = 1
) -> tuple[NDArray[Any], list[str] | None]:
    """Return checked rows, and the names of their columns.

    Parameters
    ----------
    X : array-like or frame of shape (n, d)
        The rows.
    name : str
        Name of the estimator, for messages.
    remedy : str
        What to do with rows that are elsewhere: a sentence.
    min_rows : int
        Number of rows that the estimator needs.

    Raises
    ------
    TypeError
        If X is a source or a Dask collection.
    """
    if is_elsewhere(X):
        raise TypeError(f"{name} needs rows in memory; got {type(X).__name__}. {remedy}")
    return check_rows(X, name=name, min_rows=min_rows)
