"""Fitted mixtures in files: ``.npz`` arrays and a JSON manifest, no pickle."""

from __future__ import annotations

import os
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.constraints import MIXTURE, check_constructor, require_columns
from gmmfast.data.factors import require_possible
from gmmfast.data.given import check_weights_init
from gmmfast.data.validation import check_feature_names
from gmmfast.em.stepwise import Stream
from gmmfast.files import archive
from gmmfast.files.archive import (
    Form,
    Found,
    Header,
    found_under,
    kept_parameters,
    plain,
    require,
    under,
)
from gmmfast.files.attributes import (
    COVARIANCES,
    DEGREES,
    FACTS,
    LOADINGS,
    NOISE,
    PARAMETERS,
    QUANTILES,
    parameters_of,
)
from gmmfast.models import Model
from gmmfast.quantiles import GRID

Mixture = TypeVar("Mixture")

STREAM = "stream_"  # begins the names of the arrays from which partial_fit goes on
BLOCK = 1 << 20  # values of the matrices that are checked at once
DIGITS = 64  # units in the last place by which a covariance and its factor may differ


def save(mixture: Any, path: str | os.PathLike[str], kind: type[Any]) -> None:
    """Write a fitted mixture, as `GaussianMixture.save`; `load` will make a `kind` of the file."""
    archive.write(path, form_of(kind), *contents_of(mixture))


def contents_of(mixture: Any) -> tuple[dict[str, Any], archive.Arrays]:
    """Return the manifest and the arrays of a fitted mixture."""
    mixture._check_fitted()
    names = getattr(mixture, "feature_names_in_", None)
    manifest = {
        "parameters": kept_parameters(mixture),
        "facts": {name: plain(getattr(mixture, name, default)) for name, default in FACTS.items()},
        "feature_names": None if names is None else list(names),
        "n_features": plain(getattr(mixture, "n_features_in_", None)),
    }
    present = [name for name in parameters_of(mixture) if hasattr(mixture, name)]
    arrays = {name: np.asarray(getattr(mixture, name)) for name in present}
    sound = np.zeros(arrays["weights_"].shape, bool)
    arrays["degenerate_"] = np.asarray(getattr(mixture, "degenerate_", sound))
    for name in (QUANTILES, *NOISE, DEGREES):
        if hasattr(mixture, name):
            arrays[name] = np.asarray(getattr(mixture, name))
    if mixture._stream is not None:
        arrays |= under(STREAM, mixture._stream.to_arrays())
    return manifest, arrays


def load(path: str | os.PathLike[str], kind: type[Mixture]) -> Mixture:
    """Read a mixture that `save` wrote, as an object of a class; see `gmmfast.load`."""
    return archive.read(path, form_of(kind))


def _layout(kind: type[Any], manifest: dict[str, Any], found: Found) -> dict[str, Header]:
    """Arrays of a file: what follows from the parameters, and from the columns of the means."""
    unknown = sorted(set(manifest["parameters"]) - set(MIXTURE))
    require(not unknown, f"GaussianMixture has no parameter {', '.join(unknown)}")
    mixture = kind(**manifest["parameters"])
    check_constructor(mixture)
    shape, dtype, K = found["means_"].shape, found["means_"].dtype, mixture.n_components
    require(dtype in (np.dtype(np.float32), np.dtype(np.float64)), f"means_ is of type {dtype}")
    require(len(shape) == 2 and 0 not in shape, f"means_ is not a matrix: its shape is {shape}")
    require(shape[0] == K, f"{shape[0]} means, but n_components={K}")
    d = shape[1]
    require_columns([mixture.covariance_type], d)
    named = manifest["n_features"]  # None: attributes were set by hand
    require(named in (None, d), f"{d} columns of means_, but n_features_in_={named}")
    model = mixture._model()
    forms: dict[str, tuple[int, ...]] = dict.fromkeys(COVARIANCES, model.covariance_shape(K, d))
    if model.n_factors:
        require_possible(vars(mixture), [mixture.covariance_type], d)
        forms = dict(zip(LOADINGS, [(K, d, model.n_factors), (K, d)], strict=True))
    expected = {
        "weights_": Header((K,), dtype),
        "means_": Header((K, d), dtype),
        **{name: Header(shape, dtype) for name, shape in forms.items()},
        "degenerate_": Header((K,), np.dtype(bool)),
    }
    if QUANTILES in found:
        expected[QUANTILES] = Header(GRID.shape, np.dtype(float))
    if any(name in found for name in NOISE):
        shapes: list[tuple[int, ...]] = [(), (), (d + 1, d)]
        own = (Header(shape, np.dtype(float)) for shape in shapes)
        expected |= dict(zip(NOISE, own, strict=True))
        if NOISE[2] not in found:  # of a resumed fit that has not gone on
            del expected[NOISE[2]]
    if DEGREES in found:
        expected[DEGREES] = Header((K,), np.dtype(float))
    if any(name.startswith(STREAM) for name in found):
        stream = _stream_layout(mixture._model(), K, d)
        if DEGREES in found:
            stream[f"{STREAM}tails"] = Header((2, K), np.dtype(float))
        expected |= stream
    return expected


def _stream_layout(model: Model, K: int, d: int) -> dict[str, Header]:
    shapes: dict[str, tuple[int, ...]] = {
        "reference": (K, d),
        "mass": (K,),
        "first": (K, d),
        "scatter": model.scatter.shape(K, d),
        **dict.fromkeys(("log_likelihood", "doubt", "weight", "seen"), ()),
    }
    layout = {STREAM + name: Header(shape, np.dtype(float)) for name, shape in shapes.items()}
    return {**layout, f"{STREAM}n_rows": Header((), np.dtype(int))}


def _rebuild(kind: type[Any], manifest: dict[str, Any], contents: archive.Arrays) -> Any:
    mixture = kind(**manifest["parameters"])
    for name, array in contents.items():
        require(bool(np.isfinite(array).all()), f"{name} holds values that are not finite")
    own = [name for name in (*PARAMETERS, *LOADINGS) if name in contents]
    for name in (*own, "degenerate_"):
        setattr(mixture, name, contents[name])
    K, d = mixture.means_.shape
    weights = mixture.weights_
    if NOISE[0] in contents:
        require(bool(contents[NOISE[1]] > 0), f"{NOISE[1]} is not positive")
        for name in NOISE[:2]:
            setattr(mixture, name, contents[name].item())
        if NOISE[2] in contents:
            setattr(mixture, NOISE[2], contents[NOISE[2]])
        weights = np.append(weights, weights.dtype.type(mixture.noise_weight_))
    if DEGREES in contents:
        require(bool((contents[DEGREES] > 0).all()), f"{DEGREES} are not positive")
        setattr(mixture, DEGREES, contents[DEGREES])
    check_weights_init(weights, len(weights))
    _require_matrices(mixture)
    mixture.n_features_in_, mixture._learned_type = d, mixture.covariance_type
    if manifest["feature_names"] is not None:
        names = check_feature_names(manifest["feature_names"], d)
        mixture.feature_names_in_ = np.asarray(names, object)
    require(isinstance(manifest["facts"], dict), "the manifest is incomplete")
    for name, default in FACTS.items():
        value = manifest["facts"][name]
        wanted = type(default)
        require(type(value) is wanted, f"{name} is not of type {wanted.__name__}")
        setattr(mixture, name, value)
    require(
        all(type(bound) is float for bound in mixture.lower_bounds_), "lower_bounds_ are not floats"
    )
    if QUANTILES in contents:
        rises = bool((np.diff(contents[QUANTILES]) >= 0).all())
        require(rises, f"{QUANTILES} do not rise")
        setattr(mixture, QUANTILES, contents[QUANTILES])
    stream = found_under(STREAM, contents)
    if stream:
        mixture._stream = Stream.from_arrays(stream)
    return mixture


def _require_matrices(mixture: Any) -> None:
    """Refuse matrices that are not covariances, precisions and triangles, or that contradict."""
    if hasattr(mixture, LOADINGS[0]):
        require(bool((mixture.specific_variances_ > 0).all()), f"{LOADINGS[1]} are not positive")
        return
    given = [np.asarray(getattr(mixture, name)) for name in COVARIANCES]
    if mixture.covariance_type in ("diag", "spherical"):  # as matrices of one row
        given = [values.reshape(-1, 1, 1) for values in given]
    matrices = [values[None] if values.ndim == 2 else values for values in given]
    count, d, _ = matrices[0].shape
    step = max(1, BLOCK // d**2)
    for start in range(0, count, step):
        covariances, precisions, triangles = (a[start : start + step] for a in matrices)
        _require_symmetric("covariances_", covariances)
        _require_symmetric("precisions_", precisions)
        _require_positive("precisions_cholesky_", triangles)
        upper = not np.tril(triangles, -1).any()
        require(upper, "precisions_cholesky_ is not upper triangular")
        _require_inverses(covariances, precisions, triangles)


def _require_symmetric(name: str, matrices: NDArray[Any]) -> None:
    _require_positive(name, matrices)
    # float32 rounds the halves differently
    tolerance = 1e-4 * np.abs(matrices).max(axis=(1, 2), keepdims=True)
    difference = np.abs(matrices - matrices.swapaxes(1, 2))
    require(bool((difference <= tolerance).all()), f"{name} is not symmetric")


def _require_positive(name: str, matrices: NDArray[Any]) -> None:
    require(bool((np.einsum("kii->ki", matrices) > 0).all()), f"{name} is not positive")


def _require_inverses(
    covariances: NDArray[Any], precisions: NDArray[Any], triangles: NDArray[Any]
) -> None:
    """Refuse matrices (m, d, d) whose product with a vector shows that they do not belong together.

    With v the standard deviations, ``triangle @ triangle.T @ v`` is ``precision @ v``, and
    ``covariance @ precision @ v`` is v, up to rounding.
    """
    deviations = np.sqrt(np.einsum("kii->ki", covariances, dtype=np.float64))
    roots = np.sqrt(np.einsum("kii->ki", precisions, dtype=np.float64))
    with np.errstate(all="ignore"):
        product = np.einsum("kji,kj->ki", triangles, deviations)
        product = np.einsum("kij,kj->ki", triangles, product)
        scale = (deviations * roots).sum(axis=1, keepdims=True)  # large where columns are alike
        lost = _rounding(covariances, precisions) * scale
        of_precisions = np.einsum("kij,kj->ki", precisions, deviations) - product
        of_covariances = np.einsum("kij,kj->ki", covariances, product) - deviations
        room = lost * (scale + (deviations * np.abs(product)).sum(axis=1, keepdims=True) / scale)
        same = (np.abs(of_precisions) <= lost * roots).all()
        inverse = (np.abs(of_covariances) <= room * deviations).all()
    require(bool(same), "precisions_ and precisions_cholesky_ contradict each other")
    require(bool(inverse), "covariances_ and precisions_cholesky_ contradict each other")


def _rounding(*matrices: NDArray[Any]) -> NDArray[np.float64]:
    """Relative error (m, 1) of matrices (m, d, d), some of whose values may be subnormal."""
    limits = np.finfo(matrices[0].dtype)
    smallest = [np.einsum("kii->ki", a, dtype=np.float64).min(axis=1) for a in matrices]
    error = DIGITS * (float(limits.eps) + float(limits.smallest_subnormal) / np.minimum(*smallest))
    return np.asarray(error[:, None])


def form_of(kind: type[Mixture]) -> Form[Mixture]:
    """Return the form of the files of a class."""
    return Form(
        program="gmmfast model",
        versions=(2, 3),  # files of 2 have no quantiles
        source="Models are written by save() or gmmfast fit --out.",
        remedy="Fit again, on rescaled columns where values are not finite, or make the mixture "
        "with GaussianMixture.from_parameters",
        layout=partial(_layout, kind),
        rebuild=partial(_rebuild, kind),
    )
