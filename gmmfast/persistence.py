"""Fitted mixtures in files: ``.npz`` arrays and a JSON manifest, no pickle."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast import archive
from gmmfast.archive import found_under, kept_parameters, plain, require, under
from gmmfast.constraints import check_constructor
from gmmfast.given import check_weights_init
from gmmfast.mixture import GaussianMixture
from gmmfast.stepwise import Stream
from gmmfast.validation import check_feature_names

PROGRAM = "gmmfast model"
FACTS: dict[str, Any] = {  # and what they are of a mixture whose attributes were set by hand
    "converged_": False,
    "stop_reason_": "Not fitted.",
    "n_iter_": 0,
    "lower_bound_": -np.inf,
    "lower_bounds_": [],
    "n_samples_seen_": 0.0,
}
STREAM = "stream_"  # begins the names of what partial_fit goes on from


def save(mixture: GaussianMixture, path: str | os.PathLike[str]) -> None:
    """Write a fitted mixture to a file.

    Parameters
    ----------
    mixture : GaussianMixture
        Fitted. Parameters that are arrays or random generators (`weights_init`, `random_state`,
        ...) belong to the fit and are not kept; an int `random_state` is.
    path : path-like
        Written to a temporary file beside it and then put in its place, so that a failure loses
        nothing.

    Examples
    --------
    >>> import tempfile, pathlib, gmmfast
    >>> mixture = gmmfast.GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.npz"
    >>> mixture.save(path)
    >>> gmmfast.load(path).means_
    array([[0.]])
    """
    mixture._check_fitted()
    names = getattr(mixture, "feature_names_in_", None)
    manifest = {
        "parameters": kept_parameters(mixture),
        "facts": {name: plain(getattr(mixture, name, default)) for name, default in FACTS.items()},
        "feature_names": None if names is None else list(names),
    }
    sound = np.zeros(len(mixture.weights_), bool)
    arrays: dict[str, Any] = {name: getattr(mixture, name, sound) for name in _shapes(mixture)}
    if mixture._stream is not None:
        arrays |= under(STREAM, mixture._stream.to_arrays())
    archive.write(path, PROGRAM, manifest, arrays)


def load(path: str | os.PathLike[str]) -> GaussianMixture:
    """Read a mixture that `save` wrote; everything in the file is checked.

    Parameters
    ----------
    path : path-like
        File.

    Returns
    -------
    GaussianMixture

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is not a gmmfast model, is damaged, or is of a later format.
    """
    return archive.read(
        path, PROGRAM, _rebuild, "Models are written by save() or gmmfast fit --out."
    )


def _shapes(mixture: GaussianMixture) -> dict[str, tuple[int, ...]]:
    """What the arrays of a fitted mixture are called, and their shapes."""
    K, d = mixture.means_.shape
    structure = mixture._model().covariance_shape(K, d)
    return {
        "weights_": (K,),
        "means_": (K, d),
        "covariances_": structure,
        "precisions_": structure,
        "precisions_cholesky_": structure,
        "degenerate_": (K,),
    }


def _rebuild(manifest: dict[str, Any], contents: archive.Arrays) -> GaussianMixture:
    require(isinstance(manifest["facts"], dict), "the manifest is incomplete")
    mixture = GaussianMixture(**manifest["parameters"])
    check_constructor(mixture)
    require(contents["means_"].ndim == 2, "means_ is not a matrix")
    mixture.means_ = contents["means_"]
    for name, shape in _shapes(mixture).items():
        setattr(mixture, name, _array(contents, name, shape))
    K, d = mixture.means_.shape
    require(K == mixture.n_components, f"{K} means, but n_components={mixture.n_components}")
    check_weights_init(mixture.weights_, K)
    _require_positive(mixture)
    mixture.n_features_in_, mixture._learnt_type = d, mixture.covariance_type
    if manifest["feature_names"] is not None:
        names = check_feature_names(manifest["feature_names"], d)
        mixture.feature_names_in_ = np.asarray(names, object)
    for name, default in FACTS.items():
        value = manifest["facts"][name]
        kind = type(default)
        require(type(value) is kind, f"{name} is not of type {kind.__name__}")
        setattr(mixture, name, value)
    require(
        all(type(bound) is float for bound in mixture.lower_bounds_), "lower_bounds_ are not floats"
    )
    stream = found_under(STREAM, contents)
    if stream:
        mixture._stream = _rebuild_stream(stream, mixture)
    return mixture


def _rebuild_stream(arrays: archive.Arrays, mixture: GaussianMixture) -> Stream:
    K, d = mixture.means_.shape
    shapes: dict[str, tuple[int, ...]] = {
        "reference": (K, d),
        "mass": (K,),
        "first": (K, d),
        "scatter": mixture._model().scatter.shape(K, d),
    }
    for name, array in arrays.items():
        is_number = name == "n_rows" or array.dtype == np.float64
        shape = shapes.get(name, ())
        require(is_number and array.shape == shape, f"{STREAM}{name} is not of the shape {shape}")
        require(bool(np.isfinite(array).all()), f"{STREAM}{name} is not finite")
    return Stream.from_arrays(arrays)


def _require_positive(mixture: GaussianMixture) -> None:
    """Refuse matrices that are no covariances, precisions or triangles."""
    is_matrix = mixture.covariance_type not in ("diag", "spherical")
    for name in ("covariances_", "precisions_", "precisions_cholesky_"):
        values = getattr(mixture, name)
        diagonal = np.diagonal(values, axis1=-2, axis2=-1) if is_matrix else values
        require(bool((diagonal > 0).all()), f"{name} is not positive")
        if is_matrix and name == "precisions_cholesky_":
            require(not np.tril(values, -1).any(), f"{name} is not upper triangular")
        elif is_matrix:
            tolerance = 1e-4 * np.abs(values).max()  # float32 rounds the halves differently
            symmetric = np.allclose(values, values.swapaxes(-1, -2), rtol=0, atol=tolerance)
            require(symmetric, f"{name} is not symmetric")


def _array(contents: archive.Arrays, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    array = contents[name]
    require(isinstance(array, np.ndarray), f"{name} is not an array")
    kind = np.dtype(bool) if name == "degenerate_" else contents["means_"].dtype
    usual = kind in (np.dtype(bool), np.dtype(np.float32), np.dtype(np.float64))
    require(usual and array.dtype == kind, f"{name} is of type {array.dtype}")
    require(array.shape == shape, f"{name} has the shape {array.shape} instead of {shape}")
    require(bool(np.isfinite(array).all()), f"{name} holds values that are not finite")
    return array
