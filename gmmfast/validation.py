"""Input is checked here, once, at the public door, in scikit-learn's sentences."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.errors import warn
from gmmfast.frames import from_frame

Floats = NDArray[np.float64]
Random = np.random.Generator | np.random.RandomState

BLOCK = 1 << 18  # values: what a scan for NaN looks at in one go

# ----------------------------------------------------------------------------------- the rows


def check_rows(
    X: Any, *, name: str = "GaussianMixture", min_rows: int = 1, are_finite: bool = False
) -> tuple[NDArray[Any], list[str] | None]:
    """Turn what the user calls X into a finite float array, with column names where it has them.

    Parameters
    ----------
    X : array-like or frame of shape (n, d)
        float64 and float32 arrays of any memory order are not copied.
    name : str
        Estimator that asks, for the message.
    min_rows : int
        Rows that it needs.
    are_finite : bool
        Whether all values are known to be finite.

    Returns
    -------
    X : ndarray of shape (n, d)
        float32 if it was, else float64.
    names : list of str or None
        Column names of a frame.

    Raises
    ------
    TypeError
        If X is sparse, or some of its column names are strings and some are not.
    ValueError
        If X is not two-dimensional, not numeric, empty, or not finite.
    """
    _refuse_sparse(X, "X")
    frame = from_frame(X)
    values, names = (X, None) if frame is None else frame
    array = _floats(values, "X")
    _require_2d(array, values, name)
    rows, columns = array.shape
    if rows < min_rows:
        raise ValueError(
            f"Found array with {rows} sample(s) (shape={array.shape}) while a minimum of "
            f"{min_rows} is required by {name}."
        )
    if columns < 1:
        raise ValueError(
            f"Found array with {columns} feature(s) (shape={array.shape}) while a minimum of 1 is "
            f"required by {name}."
        )
    what = None if are_finite else _non_finite(array)
    if what == "NaN":
        raise ValueError(
            f"Input X contains NaN.\n{name} does not accept missing values encoded as NaN "
            "natively. Drop the rows that have them, or impute them first."
        )
    if what is not None:
        raise ValueError(f"Input X contains {what}. Drop or correct those rows.")
    return array, names


def _refuse_sparse(X: Any, name: str) -> None:
    matrix = hasattr(X, "toarray") and hasattr(X, "nnz")
    # pandas has `sparse` where all columns are, also where there are none
    frame = hasattr(getattr(X, "sparse", None), "to_coo") and len(getattr(X, "columns", ())) > 0
    if matrix or frame:
        raise TypeError(
            f"Sparse data was passed for {name}, but dense data is required. Use '.toarray()' to "
            "convert to a dense numpy array." + " For a frame, use X.sparse.to_dense()." * frame
        )


def _floats(values: Any, name: str) -> NDArray[Any]:
    """Return values as float64, or float32 where they are."""
    _refuse_sparse(values, name)
    if isinstance(values, np.matrix):
        raise TypeError(
            "np.matrix is not supported. Please convert to a numpy array with np.asarray. For more "
            "information see: https://numpy.org/doc/stable/reference/generated/numpy.matrix.html"
        )
    if isinstance(values, Iterator):
        raise TypeError(
            f"{name} must be an array; got the iterator {type(values).__name__}. Make a list of "
            "it, or pass gmmfast.chunks of an object that can be iterated over again and again."
        )
    array = np.asarray(values)
    if np.iscomplexobj(array):
        raise ValueError(f"Complex data not supported\n{array}\n")
    if array.dtype == np.float32:
        return array
    if array.dtype.kind in "mM":
        raise ValueError(f"{name} must hold numbers; got dates. Convert them to numbers first.")
    floats = np.asarray(values if array.dtype.kind in "SU" else array, np.float64)
    if array.dtype.kind in "SU":  # digits only: any other text has just raised NumPy's sentence
        raise ValueError(
            "dtype='numeric' is not compatible with arrays of bytes/strings.Convert your data to "
            f"numeric values explicitly instead. {name} must hold numbers; use astype(float)."
        )
    return floats


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


def _non_finite(array: NDArray[Any]) -> str | None:
    """Say what an array holds that is not finite, or None.

    A block's sum is finite unless one of its values is not, or it overflows.
    """
    flat = array.reshape(-1, order="A") if array.flags.forc else array  # in memory's order: a view
    step = max(1, BLOCK // max(1, math.prod(flat.shape[1:])))
    for start in range(0, len(flat), step):
        block = flat[start : start + step]
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(block.sum()):
                continue
        if np.isnan(block).any():
            return "NaN"
        if np.isinf(block).any():
            return f"infinity or a value too large for {array.dtype!r}"
    return None


def check_sample_weight(sample_weight: Any, n_rows: int, *, are_all: bool = True) -> Floats | None:
    """Return row weights as float64 (n,); None stays None, a number is every row's weight.

    Parameters
    ----------
    sample_weight : array-like of shape (n,), float or None
        Finite, not negative, not all zero.
    n_rows : int
        n.
    are_all : bool
        Whether there are no other rows; else these may all have weight zero.

    Returns
    -------
    ndarray of shape (n,) or None

    Raises
    ------
    ValueError
        Otherwise.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, numbers.Number):
        sample_weight = np.full(n_rows, sample_weight)
    weights = _floats(sample_weight, "sample_weight").astype(np.float64, copy=False)
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar, got {weights.ndim}D array. Expected "
            f"either a scalar value or a 1D array of length {n_rows}."
        )
    if len(weights) != n_rows:
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(n_rows,)}!")
    what = _non_finite(weights)
    if what is not None:
        raise ValueError(f"Input sample_weight contains {what}. Drop or correct those rows.")
    if are_all and not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    if weights.min(initial=0.0) < 0:
        raise ValueError(
            "Negative values in data passed to `sample_weight`. Weights count repetitions; use 0 "
            "to leave a row out."
        )
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not np.isfinite(total):
        raise ValueError("The sum of `sample_weight` must be finite. Divide by the largest weight.")
    return weights


def check_features(
    estimator: Any, names: list[str] | None, n_features: int, *, reset: bool
) -> None:
    """Set ``n_features_in_`` and ``feature_names_in_``, or hold rows against them.

    Parameters
    ----------
    estimator : Estimator
        Whose attributes.
    names : list of str or None
        Column names of the rows.
    n_features : int
        Their number of columns.
    reset : bool
        Set instead of compare.

    Raises
    ------
    ValueError
        If names or their number differ from those of the fit.
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
    """Return column names that were given as such: a different string for each feature."""
    checked = [names] if isinstance(names, str) else list(names)
    strings = [name for name in checked if isinstance(name, str)]
    if not len(set(strings)) == len(checked) == n_features:
        raise ValueError(
            f"Feature names must be {n_features} different strings, one a feature; got {checked!r}."
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


def check_random_state(seed: Any) -> Random:
    """Return the source of chance that a seed stands for.

    Parameters
    ----------
    seed : int, RandomState, Generator or None
        None is NumPy's global one.

    Returns
    -------
    RandomState or Generator

    Raises
    ------
    ValueError
        If it is something else.
    """
    if isinstance(seed, np.random.RandomState | np.random.Generator):
        return seed
    if seed is None or seed is np.random:
        return np.random.mtrand._rand
    if isinstance(seed, numbers.Integral):
        return np.random.RandomState(int(seed))
    raise ValueError(
        f"{seed!r} cannot be used to seed a numpy.random.RandomState instance; use an int, a "
        "RandomState or a Generator."
    )


# -------------------------------------------------------------------------------- given starts


def _require_shape(values: NDArray[Any], shape: tuple[int, ...], name: str) -> None:
    if values.shape != shape:
        raise ValueError(
            f"The parameter '{name}' should have the shape of {shape}, but got {values.shape}"
        )


def _given(values: Any, shape: tuple[int, ...], name: str) -> NDArray[Any]:
    frame = from_frame(values)
    array = _floats(values if frame is None else frame[0], name)
    what = _non_finite(array)
    if what is not None:
        raise ValueError(f"Input contains {what}. The parameter '{name}' must be finite.")
    _require_shape(array, shape, name)
    return array


def check_weights_init(weights: ArrayLike, n_components: int) -> Floats:
    """Return mixing weights (K,): within [0, 1], with sum one."""
    array = _given(weights, (n_components,), "weights")
    if (array < 0).any() or (array > 1).any():
        raise ValueError(
            "The parameter 'weights' should be in the range [0, 1], but got max value "
            f"{array.max():.5f}, min value {array.min():.5f}"
        )
    if abs(1 - array.sum()) > (1e-6 if array.dtype == np.float32 else 1e-8):
        raise ValueError(
            "The parameter 'weights' should be normalized, but got sum(weights) = "
            f"{array.sum():.5f}"
        )
    return array.astype(np.float64, copy=False)


def check_means_init(means: ArrayLike, n_components: int, n_features: int) -> Floats:
    """Return means (K, d)."""
    return _given(means, (n_components, n_features), "means").astype(np.float64, copy=False)


def check_precisions_init(
    precisions: ArrayLike,
    covariance_type: str,
    n_components: int,
    n_features: int,
    name: str = "precision",
) -> Floats:
    """Return precisions, or covariances, in the structure of a type: positive (definite)."""
    shape = {
        "tied": (n_features, n_features),
        "diag": (n_components, n_features),
        "spherical": (n_components,),
    }.get(covariance_type, (n_components, n_features, n_features))
    label = f"{covariance_type} {name}"
    array = _given(precisions, shape, label).astype(np.float64, copy=False)
    if covariance_type in ("diag", "spherical"):
        if (array <= 0).any():
            raise ValueError(f"'{label}' should be positive; got {array.min():g}")
        return array
    for matrix in array if array.ndim == 3 else [array]:
        symmetric = np.allclose(matrix, matrix.T, atol=1e-8 * np.abs(matrix).max())
        smallest = np.linalg.eigvalsh(matrix)[0]
        if not symmetric or smallest <= 0:
            got = f"the smallest eigenvalue {smallest:g}. Increase the diagonal."
            if not symmetric:
                got = "one that is not symmetric. Use (A + A.T) / 2."
            raise ValueError(f"'{label}' should be symmetric, positive-definite; got {got}")
    return array
