"""Checks of the user's input, made once, in scikit-learn's wording."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

from gmmfast.data.arrays import NonFinite, Place, first_non_finite, refuse_sparse, to_floats
from gmmfast.data.frames import column_names, from_frame
from gmmfast.errors import warn

Floats = NDArray[np.float64]
Random = np.random.Generator | np.random.RandomState

MARGINALIZING = "GaussianMixture", "GaussianMixtureIC"  # estimators with missing_values=
LIGHTEST, HEAVIEST = 1e-250, 1e250  # sums of weights: scatter in their unit keeps its digits

# ----------------------------------------------------------------------------------- the rows


def check_rows(
    X: Any,
    *,
    name: str = "GaussianMixture",
    min_rows: int = 1,
    are_finite: bool = False,
    first: int = 0,
    columns: Sequence[str] | None = None,
    is_missing_allowed: bool = False,
) -> tuple[NDArray[Any], list[str] | None]:
    """Turn X into an array of finite floats, and its column names if it has any.

    Parameters
    ----------
    X : array-like or frame of shape (n, d)
        float64 and float32 arrays of any memory order are not copied.
    name : str
        Name of the estimator, for messages.
    min_rows : int
        Number of rows that the estimator needs.
    are_finite : bool
        Whether all values are known to be finite.
    first : int
        Number of the first row, for messages.
    columns : sequence of str, optional
        Names of the columns of an array, for messages.
    is_missing_allowed : bool
        Whether values may be missing: NaN, or masked.

    Returns
    -------
    X : ndarray of shape (n, d)
        float32 if it was, else float64. NaN where a value is missing.
    names : list of str or None
        Column names of a frame.

    Raises
    ------
    TypeError
        If X is sparse or not an array, has units, or has both strings and others as column names.
    ValueError
        If X is not two-dimensional, not numeric, empty, masked, or not finite.
    """
    refuse_sparse(X, "X")
    if is_missing_allowed and isinstance(X, np.ma.MaskedArray):
        X = np.where(np.ma.getmaskarray(X), np.nan, np.ma.getdata(X))
    frame = from_frame(X)
    values, names = (X, None) if frame is None else frame
    place = Place(first, column_names(X) or columns)
    array = to_floats(values, "X", place)
    _require_2d(array, values, name)
    n_rows, n_features = array.shape
    if n_rows < min_rows:
        raise ValueError(
            f"Found array with {n_rows} sample(s) (shape={array.shape}) while a minimum of "
            f"{min_rows} is required by {name}."
        )
    if n_features < 1:
        raise ValueError(
            f"Found array with {n_features} feature(s) (shape={array.shape}) while a minimum of 1 "
            f"is required by {name}."
        )
    found = None if are_finite else first_non_finite(array, is_missing_allowed)
    if found is not None:
        raise _not_finite(found, "X", place, name)
    return array, names


def _not_finite(found: NonFinite, what: str, place: Place, owner: str = "") -> ValueError:
    sentence, remedy = f"Input {what} contains {found.what}.", "Drop or correct those rows."
    if owner and found.what == "NaN":
        sentence += f"\n{owner} does not accept missing values encoded as NaN natively."
        remedy = "Drop the rows that have them, or impute them first."
        if owner.removesuffix(".partial_fit") in MARGINALIZING:
            remedy = f"{remedy[:-1]}, or set missing_values='marginalize'."
    return ValueError(f"{sentence} The first is in {place.of(found.where)}. {remedy}")


def _require_2d(array: NDArray[Any], values: Any, name: str) -> None:
    if array.ndim == 2:
        return
    if array.ndim > 2:
        raise ValueError(
            f"Found array with dim {array.ndim}, while dim <= 2 is required by {name}. X must have "
            f"shape (n_samples, n_features); got {array.shape}."
        )
    if hasattr(values, "iloc"):
        raise ValueError(
            f"Expected a 2-dimensional container but got {type(values)} instead. Pass a DataFrame "
            "containing a single row (i.e. single sample) or a single column (i.e. single feature) "
            "instead."
        )
    kind = "scalar" if array.ndim == 0 else "1D"
    raise ValueError(
        f"Expected 2D array, got {kind} array instead:\narray={array}.\nReshape your data either "
        "using array.reshape(-1, 1) if your data has a single feature or array.reshape(1, -1) if "
        "it contains a single sample."
    )


def check_targets(y: Any, n_rows: int, name: str) -> tuple[NDArray[Any], list[str] | None]:
    """Turn the targets of a regression into an array of finite floats, and their names.

    Parameters
    ----------
    y : array-like, column or frame of shape (n,) or (n, t)
        Targets.
    n_rows : int
        n.
    name : str
        Name of the estimator, for messages.

    Returns
    -------
    y : ndarray of shape (n,) or (n, t)
        float32 if it was, else float64.
    names : list of str or None
        Names of the columns, where they have any.

    Raises
    ------
    TypeError, ValueError
        If there are none, or they are anything else.
    """
    if y is None:
        raise ValueError(
            f"This {name} estimator requires y to be passed, but the target y is None."
        )
    frame = from_frame(y)
    values, names = (y, None) if frame is None else frame
    array = to_floats(values, "y", Place(0, names))
    if array.ndim not in (1, 2) or array.ndim == 2 and not array.shape[1]:
        raise ValueError(
            f"y should be a 1d array, or have one column per target; got shape {array.shape}."
        )
    if len(array) != n_rows:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: {[n_rows, len(array)]}. "
            "y needs one value per row of X."
        )
    found = first_non_finite(array)
    if found is not None:
        raise _not_finite(found, "y", Place(0, names))
    own = getattr(y, "name", None)
    return array, [own] if isinstance(own, str) and array.ndim == 1 else names


def check_sample_weight(
    sample_weight: Any, n_rows: int, *, are_all: bool = True, first: int = 0
) -> Floats | None:
    """Return row weights as float64 (n,); None stays None, a number is every row's weight.

    Parameters
    ----------
    sample_weight : array-like of shape (n,), float or None
        Finite, not negative, not all zero.
    n_rows : int
        n.
    are_all : bool
        Whether these are all rows; otherwise all their weights may be zero.
    first : int
        Number of the first row, for messages.

    Returns
    -------
    ndarray of shape (n,) or None

    Raises
    ------
    ValueError
        If they are anything else.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, numbers.Number):
        sample_weight = np.full(n_rows, sample_weight)
    place = Place(first)
    weights = to_floats(sample_weight, "sample_weight", place).astype(np.float64, copy=False)
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar, got {weights.ndim}D array. Expected "
            f"either a scalar value or a 1D array of length {n_rows}."
        )
    if len(weights) != n_rows:
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(n_rows,)}!")
    found = first_non_finite(weights)
    if found is not None:
        raise _not_finite(found, "sample_weight", place)
    if are_all and not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    if weights.min(initial=0.0) < 0:
        raise ValueError(
            "Negative values in data passed to `sample_weight`. Weights count repetitions; use 0 "
            "to leave a row out."
        )
    with np.errstate(over="ignore"):
        total = float(weights.sum())
    if total > HEAVIEST or are_all:
        require_total_weight(total)
    return weights


def check_values(values: Any, name: str) -> Floats:
    """Turn numbers of any shape into float64; an error names the first that is none."""
    return to_floats(values, name).astype(np.float64, copy=False)


def check_shares(shares: Any, name: str, *, has_ends: bool = True) -> Floats:
    """Turn shares of any shape into float64.

    Parameters
    ----------
    shares : float or array-like
        From 0 to 1.
    name : str
        Their name, for messages.
    has_ends : bool
        Whether 0 and 1 are allowed.

    Raises
    ------
    TypeError, ValueError
        If they are anything else.
    """
    array = check_values(shares, name)
    is_inside = (array >= 0) & (array <= 1) if has_ends else (array > 0) & (array < 1)
    if not is_inside.all():
        excluded = "" if has_ends else ", both excluded"
        raise ValueError(f"{name} must lie between 0 and 1{excluded}; got {shares!r}.")
    return array


def require_total_weight(total: float) -> None:
    """Raise ValueError unless sums over rows of this total weight neither over- nor underflow."""
    if not LIGHTEST <= total <= HEAVIEST:
        raise ValueError(
            f"The sum of `sample_weight` must be between {LIGHTEST:g} and {HEAVIEST:g}; got "
            f"{total:g}. Divide all weights by the largest: a fit depends on their ratios alone."
        )


def check_features(
    estimator: Any, names: list[str] | None, n_features: int, *, reset: bool
) -> None:
    """Set ``n_features_in_`` and ``feature_names_in_``, or check rows against them.

    Parameters
    ----------
    estimator : Estimator
        The estimator.
    names : list of str or None
        Column names of the rows.
    n_features : int
        Their number of columns.
    reset : bool
        Whether to set the attributes instead of comparing.

    Raises
    ------
    ValueError
        If the names or the number of columns differ from the fit.
    """
    if reset:
        estimator.n_features_in_ = n_features
        if names is not None:
            estimator.feature_names_in_ = np.asarray(names, object)
        elif hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
        return
    _compare_names(type(estimator).__name__, getattr(estimator, "feature_names_in_", None), names)
    if n_features != getattr(estimator, "n_features_in_", n_features):
        raise ValueError(
            f"X has {n_features} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )


def check_feature_names(names: Iterable[Any], n_features: int) -> list[str]:
    """Return column names after a check: a different string for each feature."""
    checked = [names] if isinstance(names, str) else list(names)
    strings = [name for name in checked if isinstance(name, str)]
    if not len(set(strings)) == len(checked) == n_features:
        raise ValueError(
            f"Feature names must be {n_features} different strings, one per feature; "
            f"got {checked!r}."
        )
    return strings


def _compare_names(estimator: str, fitted: Any, names: list[str] | None) -> None:
    if names is None and fitted is not None:
        warn(f"X does not have valid feature names, but {estimator} was fitted with feature names")
    elif names is not None and fitted is None:
        warn(f"X has feature names, but {estimator} was fitted without feature names")
    elif names is not None and list(fitted) != names:
        message = "The feature names should match those that were passed during fit.\n"
        unseen, missing = sorted({*names} - {*fitted}), sorted({*fitted} - {*names})
        if unseen:
            message += "Feature names unseen at fit time:\n" + _bullets(unseen)
        if missing:
            message += "Feature names seen at fit time, yet now missing:\n" + _bullets(missing)
        if not unseen and not missing:
            message += "Feature names must be in the same order as they were in fit.\n"
        raise ValueError(message)


def _bullets(names: list[str], most: int = 5) -> str:
    lines = [f"- {name}\n" for name in names[:most]]
    return "".join(lines) + "- ...\n" * (len(names) > most)


class _AnyState(ISeedSequence):
    """A state that costs nothing: `RandomState(seed)` asks the system for one, in 0.2 ms."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        """Return a valid state."""
        return np.ones(n_words, dtype)


_ANY_STATE: Any = _AnyState()


def check_random_state(seed: Any) -> Random:
    """Return the random generator for a seed.

    Parameters
    ----------
    seed : int, RandomState, Generator or None
        None is NumPy's global generator.

    Returns
    -------
    RandomState or Generator

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if isinstance(seed, np.random.RandomState | np.random.Generator):
        return seed
    if seed is None or seed is np.random:
        return np.random.mtrand._rand
    if isinstance(seed, numbers.Integral):
        random = np.random.RandomState(np.random.MT19937(_ANY_STATE))
        random.seed(int(seed))
        return random
    raise ValueError(
        f"{seed!r} cannot be used to seed a numpy.random.RandomState instance; use an int, a "
        "RandomState or a Generator."
    )
