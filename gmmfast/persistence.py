"""Fitted mixtures in files: ``.npz`` arrays and a JSON manifest, no pickle."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.mixture import GaussianMixture

FORMAT = 1
_ARRAYS = ("weights_", "means_", "covariances_", "precisions_cholesky_")
_FACTS = {
    "converged_": bool,
    "stop_reason_": str,
    "n_iter_": int,
    "lower_bound_": float,
    "lower_bounds_": list,
}
_MAX_MANIFEST = 1 << 24  # bytes


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
    plain = (bool, int, float, str, type(None))
    manifest = {
        "format": "gmmfast model",
        "version": FORMAT,
        "parameters": {
            name: value for name, value in mixture.get_params().items() if isinstance(value, plain)
        },
        "facts": {name: getattr(mixture, name) for name in _FACTS},
        "feature_names": None if names is None else list(names),
    }
    arrays = {name: getattr(mixture, name) for name in _ARRAYS}
    arrays["degenerate_"] = mixture.degenerate_
    text = json.dumps(manifest, default=float).encode()
    buffer = io.BytesIO()
    np.savez(buffer, manifest=np.frombuffer(text, np.uint8), **arrays)
    path = Path(path).resolve()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(buffer.getvalue())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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
    path = Path(path)
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            contents = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path}: no such model file. Write one with save() or gmmfast fit --out."
        ) from None
    except (ValueError, zipfile.BadZipFile, OSError, EOFError, AttributeError) as error:
        raise ValueError(f"{path} is not a gmmfast model, or is damaged ({error}).") from None
    try:
        return _rebuild(contents)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path} is not a gmmfast model, or is damaged: {reason}.") from None


def _rebuild(contents: dict[str, NDArray[Any]]) -> GaussianMixture:
    raw = contents["manifest"]
    if raw.dtype != np.uint8 or raw.size > _MAX_MANIFEST:
        raise ValueError("the manifest is not text")
    manifest = json.loads(raw.tobytes().decode())
    if manifest["format"] != "gmmfast model":
        raise ValueError("the manifest is of another program")
    if manifest["version"] != FORMAT:
        raise ValueError(
            f"its format is {manifest['version']}, this gmmfast reads {FORMAT}; use the gmmfast "
            "that wrote it, or a later one"
        )
    names = manifest["feature_names"]
    parameters = manifest["parameters"]
    n_components = parameters.pop("n_components")
    arrays = [np.asarray(contents[name], np.float64) for name in _ARRAYS]
    for name, array in zip(_ARRAYS, arrays, strict=True):
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are not finite")
    weights, means, covariances, cholesky = arrays
    mixture = GaussianMixture.from_parameters(
        weights / weights.sum(), means, covariances, feature_names=names, **parameters
    )
    if n_components != mixture.n_components or cholesky.shape != mixture.precisions_cholesky_.shape:
        raise ValueError("its arrays do not belong together")
    dtype = contents["means_"].dtype
    for name in _ARRAYS:
        if contents[name].dtype != dtype:
            raise ValueError("its arrays are of different types")
        setattr(mixture, name, contents[name])
    mixture.precisions_ = mixture._model().precisions(mixture.precisions_cholesky_)
    mixture.degenerate_ = np.asarray(contents["degenerate_"], np.bool_).reshape(n_components)
    for name, kind in _FACTS.items():
        if not isinstance(manifest["facts"][name], kind):
            raise ValueError(f"{name} is not of type {kind.__name__}")
        setattr(mixture, name, manifest["facts"][name])
    return mixture
