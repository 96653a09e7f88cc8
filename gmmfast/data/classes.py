"""Checks of what users give about classes: labels of rows, and priors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.data.validation import Floats, check_sample_weight
from gmmfast.errors import conversion_warning_class, warn

UNKNOWN = -1  # integer label of a row whose class is not known


class Labels(NamedTuple):
    """Labels of rows as numbers of classes."""

    numbers: NDArray[np.int64]  # (n,) from 0 to C - 1; -1 where the class is unknown
    classes: NDArray[Any]  # (C,) the labels, sorted


def check_labels(y: Any, n_rows: int, name: str) -> NDArray[Any]:
    """Return the labels (n,) of rows: integers, booleans or strings; whole floats stay floats.

    Parameters
    ----------
    y : array-like or column of shape (n,)
        Labels.
    n_rows : int
        n.
    name : str
        Name of the estimator, for messages.

    Raises
    ------
    ValueError
        If there are none, one is missing, or they are values of a measurement.
    """
    if y is None:
        raise ValueError(
            f"This {name} estimator requires y to be passed, but the target y is None."
        )
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        warn(
            "A column-vector y was passed when a 1d array was expected. Please change the shape "
            "of y to (n_samples,), for example using ravel().",
            conversion_warning_class(),
        )
        labels = labels.ravel()
    if labels.ndim != 1:
        raise ValueError(f"y should be a 1d array of labels, got an array of shape {labels.shape}.")
    if len(labels) != n_rows:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {[n_rows, len(labels)]}. "
            "y needs one label per row of X."
        )
    if labels.dtype == object:
        labels = _of_one_kind(labels)
    if labels.dtype.kind == "f":
        _require_whole(labels)
    elif labels.dtype.kind not in "iubUST":
        raise ValueError(
            f"Unknown label type: {labels.dtype}. Labels of classes must be integers, booleans or "
            "strings."
        )
    return labels


def _of_one_kind(labels: NDArray[Any]) -> NDArray[Any]:
    """Return objects as strings or numbers."""
    missing = next((i for i, each in enumerate(labels) if each is None or each != each), None)
    if missing is not None:
        raise ValueError(
            f"Input y contains NaN. The first is in row {missing} (counted from 0). Leave such "
            "rows out; rows of unknown class have the integer label -1."
        )
    are_strings = {isinstance(each, str) for each in labels}
    if are_strings == {True}:
        return labels.astype(str)
    if are_strings == {False}:
        return np.asarray(labels.tolist())
    raise ValueError(
        "Unknown label type: mixed. Labels must be all strings or all numbers; got both. Use "
        "strings for all classes."
    )


def _require_whole(labels: NDArray[Any]) -> None:
    finite = np.isfinite(labels)
    if not finite.all():
        what = "NaN" if np.isnan(labels).any() else "infinity"
        raise ValueError(
            f"Input y contains {what}. The first is in row {int(finite.argmin())} (counted from "
            "0). Leave such rows out; rows of unknown class have the integer label -1."
        )
    whole = labels == np.floor(labels)
    if not whole.all():
        raise ValueError(
            f"Unknown label type: continuous. Labels of classes must be integers, booleans or "
            f"strings; got {labels[int(whole.argmin())]:g} in row {int(whole.argmin())} (counted "
            "from 0). Use GaussianMixtureRegressor to predict numbers."
        )


def numbered(labels: NDArray[Any], name: str) -> Labels:
    """Return labels as numbers of classes.

    The integer -1 is a class of its own beside only one other, as in labels -1 and 1.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        From `check_labels`.
    name : str
        Name of the estimator, for messages.

    Raises
    ------
    ValueError
        If there is only one class.
    """
    classes, numbers = np.unique(labels, return_inverse=True)
    numbers = numbers.astype(np.int64)
    if classes.dtype.kind == "i" and len(classes) > 2 and classes[0] == UNKNOWN:
        classes, numbers = classes[1:], numbers - 1
    if len(classes) < 2:
        raise ValueError(
            f"{name} needs at least two classes among the rows of positive weight; got one class, "
            f"{classes[0]!s}."
        )
    return Labels(numbers, classes)


def check_priors(priors: ArrayLike | None, n_classes: int) -> Floats | None:
    """Return class priors (C,): not negative, with sum one; None stays None.

    Raises
    ------
    ValueError
        If they are anything else.
    """
    if priors is None:
        return None
    try:
        array = np.asarray(priors, np.float64)
    except (TypeError, ValueError):
        array = np.full(1, np.nan)
    fits = array.shape == (n_classes,) and np.isfinite(array).all() and (array >= 0).all()
    if not fits or abs(1 - array.sum()) > 1e-6:
        raise ValueError(
            f"priors must be {n_classes} non-negative numbers with sum 1, in the order of "
            f"classes_; got {priors!r}. Divide them by their sum, or use None, the shares of the "
            "rows."
        )
    return np.asarray(array / array.sum())


def positive(labels: NDArray[Any], sample_weight: Any) -> tuple[NDArray[np.bool_], Floats | None]:
    """Return which rows have weight (n,), and the weights of those rows."""
    weights = check_sample_weight(sample_weight, len(labels))
    if weights is None:
        return np.ones(len(labels), np.bool_), None
    kept = weights > 0
    return kept, weights[kept]


def stratified_folds(
    numbers: NDArray[np.int64], n_folds: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the fold (n,) of each row: rows of a class are spread evenly, at random.

    Parameters
    ----------
    numbers : ndarray of shape (n,)
        Class of each row.
    n_folds : int
        Number of folds.
    rng : Generator
        Draws the folds.
    """
    order = rng.permutation(len(numbers))
    order = order[np.argsort(numbers[order], kind="stable")]
    folds = np.empty(len(numbers), np.int64)
    folds[order] = np.arange(len(numbers)) % n_folds  # neighbors are of one class
    return folds
