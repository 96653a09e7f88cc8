"""Checks of parameters that users give, for a start or to `from_parameters`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gmmfast.data.arrays import Place, first_non_finite, to_floats
from gmmfast.data.constraints import ONE_COLUMN, SKLEARN_TYPES
from gmmfast.data.frames import from_frame

Floats = NDArray[np.float64]

DIGIT_ROUNDING = 5e-4  # of a responsibility, of a float32 or of three printed digits,
MOST_ROUNDING = 0.05  # and at most this of the sum over a row
ROUNDING = 1e-6  # relative, of a covariance's entries: 17 times float32's, or 7 printed digits


def _require_shape(
    values: NDArray[Any], shape: tuple[int, ...], name: str, meaning: str = ""
) -> None:
    if values.shape != shape:
        raise ValueError(
            f"The parameter '{name}' should have the shape of {shape}, but got {values.shape}"
            + (f". That is {meaning}." if meaning else "")
        )


def given_array(values: Any, name: str) -> NDArray[Any]:
    """Return an array or a frame as floats, finite or not, of any shape."""
    frame = from_frame(values)
    return to_floats(values if frame is None else frame[0], name)


def _given(values: Any, shape: tuple[int, ...], name: str, meaning: str = "") -> NDArray[Any]:
    array = given_array(values, name)
    _require_shape(array, shape, name, meaning)
    found = first_non_finite(array)
    if found is not None:
        raise ValueError(
            f"Input contains {found.what}. The parameter '{name}' must be finite; the first value "
            f"that is not is in {Place().of(found.where)}."
        )
    return array


def check_weights_init(weights: ArrayLike, n_components: int) -> Floats:
    """Return mixing weights (K,): within [0, 1], with sum one."""
    array = _given(weights, (n_components,), "weights", "one number per component")
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
    meaning = "one row per component and one column per feature"
    array = _given(means, (n_components, n_features), "means", meaning)
    return array.astype(np.float64, copy=False)


def check_memberships(
    memberships: Any, n_rows: int, n_components: int, source: str = "'init_params'"
) -> NDArray[Any]:
    """Return the memberships that a user gives to start from.

    Parameters
    ----------
    memberships : array-like of shape (n,) or (n, K)
        Labels, integers from 0 to K - 1; or responsibilities, whose sum over a row is one, to
        `DIGIT_ROUNDING` per component. They are divided by that sum.
    n_rows : int
        n, with the rows of weight zero.
    n_components : int
        K.
    source : str, default="'init_params'"
        What they are, for messages.

    Returns
    -------
    ndarray of shape (n,) of int64, or of shape (n, K) of floats

    Raises
    ------
    TypeError, ValueError
        If they are anything else.
    """
    if str(getattr(memberships, "dtype", "")) == "category":  # pandas' names of groups
        memberships = np.asarray(memberships)
    try:
        array = given_array(memberships, source.strip("'"))
    except (TypeError, ValueError):
        cells = np.asarray(memberships, object)
        text = next((cell for cell in cells.flat if isinstance(cell, str | bytes)), None)
        if text is None or cells.ndim != 1:
            raise
        raise _wrong_labels(source, cells, n_components, repr(text)) from None
    shapes = (n_rows,), (n_rows, n_components)
    if array.shape not in shapes:
        advice = "Arrays fit the rows and n_components of one fit; use a callable for several."
        if array.shape == (n_rows, 1):
            advice = "Use labels.ravel()."
        raise ValueError(
            f"{source[0].upper()}{source[1:]} should have the shape of {shapes[0]} for labels or "
            f"{shapes[1]} for responsibilities, but got {array.shape}. {advice}"
        )
    if array.ndim == 1:
        return _checked_labels(array, n_components, source)
    return _checked_responsibilities(array, source)


def _checked_labels(labels: NDArray[Any], n_components: int, source: str) -> NDArray[np.int64]:
    with np.errstate(invalid="ignore"):
        known = (labels >= 0) & (labels < n_components) & (labels == np.floor(labels))
    if not known.all():
        row = int(known.argmin())
        got = f"{labels[row]:g} in {Place().of((row,))}"
        raise _wrong_labels(source, labels, n_components, got)
    return labels.astype(np.int64)


def _wrong_labels(source: str, labels: NDArray[Any], n_components: int, got: str) -> ValueError:
    """Return the error for labels (n,) of which one is no component."""
    different = len({label for label in labels.tolist() if label == label})  # without NaN
    remedy = "Labels of any kind become integers by np.unique(labels, return_inverse=True)[1]."
    if different > n_components:
        remedy = f"There are {different} different labels: set n_components={different}. {remedy}"
    return ValueError(
        f"Labels in {source} must be integers from 0 to {n_components - 1}, one for each of the "
        f"{n_components} components; got {got}. {remedy}"
    )


def _checked_responsibilities(resp: NDArray[Any], source: str) -> NDArray[Any]:
    sums, count = resp.sum(axis=1, dtype=np.float64), max(2, resp.shape[1])
    rounding = min(DIGIT_ROUNDING * count, MOST_ROUNDING) * (1 + 1e-9)
    fine = (resp.min(axis=1) >= 0) & (np.abs(sums - 1) <= rounding)
    if not fine.all():
        row = int(fine.argmin())
        raise ValueError(
            f"Responsibilities in {source} must be non-negative, with sum 1 in each row; got "
            f"the sum {sums[row]:g} and the smallest value {resp[row].min():g} in "
            f"{Place().of((row,))}. Divide each row by its sum."
        )
    return np.asarray(resp / sums.astype(resp.dtype)[:, None])


def check_covariances(
    covariances: ArrayLike, covariance_type: str, n_components: int, n_features: int
) -> Floats:
    """Return covariances of a model: positive (definite), and within its family."""
    args = (covariances, covariance_type, n_components, n_features)
    array = check_precisions_init(*args, name="covariance")
    require_family(array, covariance_type)
    return array


def check_precisions_init(
    precisions: ArrayLike,
    covariance_type: str,
    n_components: int,
    n_features: int,
    name: str = "precision",
) -> Floats:
    """Return precisions, or covariances, in the structure of a type: positive (definite).

    As a start they need not satisfy the constraint of the type.
    """
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
    return _definite(array, label)


def _definite(array: Floats, label: str) -> Floats:
    """Return matrices (d, d) or (K, d, d) after a check: symmetric and positive definite."""
    matrices = array.reshape(-1, *array.shape[-2:])
    turned = matrices.swapaxes(1, 2)
    sizes = np.abs(matrices).max(axis=(1, 2), keepdims=True)
    symmetric = np.abs(matrices - turned) <= 1e-8 * sizes + 1e-5 * np.abs(turned)
    smallest = np.linalg.eigvalsh(matrices)[:, 0].min()
    if not symmetric.all() or smallest <= 0:
        got = f"the smallest eigenvalue {smallest:g}. Increase the diagonal."
        if not symmetric.all():
            got = "a matrix that is not symmetric. Use (A + A.T) / 2."
        raise ValueError(f"'{label}' should be symmetric, positive-definite; got {got}")
    return array


def check_prior_mean(mean: ArrayLike, n_features: int) -> Floats:
    """Return the mean (d,) of a prior."""
    return _given(mean, (n_features,), "mean_prior").astype(np.float64, copy=False)


def check_prior_covariance(covariance: ArrayLike, covariance_type: str, n_features: int) -> Floats:
    """Return the covariance of a prior: (d, d) positive definite, variances (d,) or one ()."""
    name, d = "covariance_prior", n_features
    if covariance_type in ("full", "tied"):
        return _definite(_given(covariance, (d, d), name).astype(np.float64, copy=False), name)
    array = _given(covariance, (d,) if covariance_type == "diag" else (), name)
    if (array <= 0).any():
        raise ValueError(f"'{name}' should be positive; got {array.min():g}. Give variances.")
    return array.astype(np.float64, copy=False)


# ------------------------------------------------------------------------- families of models


def require_family(covariances: Floats, covariance_type: str) -> None:
    """Raise ValueError unless covariances are of the model that mclust's code names.

    A covariance is ``volume * axes @ diag(shape) @ axes.T``; the code says which of the three all
    components share (Celeux & Govaert 1995, table 1). Entries may be off by `ROUNDING`, as after a
    float32 fit. For scikit-learn's types, the shape of the array is enough.

    Parameters
    ----------
    covariances : ndarray of shape (K, d, d), or in the structure of another type
        Positive definite, but for rounding.
    covariance_type : str
        Any covariance type.
    """
    if covariance_type in SKLEARN_TYPES:
        return
    free = "V" if covariance_type in ONE_COLUMN else "VVV"
    with np.errstate(all="ignore"):  # positive definiteness is not checked here
        for rule, excess in _rules(covariances, covariance_type):
            if excess.max() > 1:
                raise ValueError(
                    f"Covariances of the model {covariance_type} must have {rule}; "
                    f"component {int(excess.argmax())} violates this. Correct it, or use "
                    f"covariance_type={free!r}, which allows all covariances."
                )


def _rules(covariances: Floats, code: str) -> Iterator[tuple[str, Floats]]:
    """Yield each rule of a code, and by how many tolerances the components (K,) violate it."""
    volume, shape, axes = tuple(ONE_COLUMN.get(code, code))
    d = covariances.shape[-1]
    variances = np.einsum("kii->ki", covariances)
    sizes = variances.sum(axis=1)
    if axes == "I":
        rest = _correlations(covariances) - np.eye(d)
        yield "zeros off the diagonal", _largest(rest) / ROUNDING
    if shape == "I":
        rest = variances / variances[:, :1] - 1
        yield "equal variances of all features", _largest(rest) / (2 * ROUNDING)
    elif shape == "E" and axes == "V":  # the largest eigenvalues correspond, whatever their axes
        spectra = np.linalg.eigvalsh(covariances / sizes[:, None, None])
        yield "eigenvalues in common proportions", _largest(spectra - spectra[0]) / (d * ROUNDING)
    elif shape == "E":
        unit = np.sqrt(variances[0] / sizes[0])
        scaled = covariances / (sizes[:, None, None] * unit[:, None] * unit)
        yield "one matrix in common, up to a factor", _largest(scaled - scaled[0]) / (4 * ROUNDING)
    elif axes == "E":
        yield "common eigenvectors", _turns(covariances)
    if volume == "E" and shape != "V":
        yield "equal volumes", _largest(sizes[:, None] / sizes[0] - 1) / (2 * ROUNDING)
    elif volume == "E":
        log_dets, tolerances = _log_determinants(covariances)
        rest = np.abs(log_dets - log_dets[0])
        yield "equal volumes (determinants)", rest / (tolerances + tolerances[0])


def _largest(stack: Floats) -> Floats:
    """Largest absolute value of each array of a stack."""
    return np.asarray(np.abs(stack).reshape(len(stack), -1).max(axis=1))


def _correlations(covariances: Floats) -> Floats:
    deviations = np.sqrt(np.einsum("kii->ki", covariances))
    return np.asarray(covariances / (deviations[:, :, None] * deviations[:, None, :]))


def _turns(covariances: Floats) -> Floats:
    """Return how far the components (K,) are from common eigenvectors, that is, from commuting.

    A multiple of the unit matrix changes no commutator. It is subtracted, so that almost round
    matrices are judged by the same measure.
    """
    S = covariances / np.linalg.norm(covariances, axis=(1, 2), keepdims=True)
    S = S - np.einsum("kii->k", S)[:, None, None] / S.shape[1] * np.eye(S.shape[1])
    sizes = np.linalg.norm(S, axis=(1, 2))
    excess = np.zeros(len(S))
    for own, size in zip(S, sizes, strict=True):
        turns = np.linalg.norm(S @ own - own @ S, axis=(1, 2))
        tolerances = 2 * ROUNDING * (sizes + size + ROUNDING)  # of rounding either matrix
        excess = np.maximum(excess, turns / tolerances)
    return excess


def _log_determinants(covariances: Floats) -> tuple[Floats, Floats]:
    """Return log determinants (K,), and how much rounding the entries changes them."""
    correlations = _correlations(covariances)
    values, vectors = np.linalg.eigh(correlations)
    inverses = (vectors / values[:, None]) @ vectors.swapaxes(-1, -2)
    changes = ROUNDING * np.abs(inverses * correlations).sum(axis=(1, 2))
    log_dets = np.log(np.einsum("kii->ki", covariances)).sum(axis=1) + np.log(values).sum(axis=1)
    return log_dets, np.where(values[:, 0] > 0, changes, np.inf)
