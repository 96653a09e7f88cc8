"""Fitted mixtures as dictionaries of plain values, for JSON: the contents of a model file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gmmfast.files.archive import damaged, kind_of, rebuilt, require
from gmmfast.files.attributes import FACTS, LOADINGS, PARAMETERS
from gmmfast.files.model import contents_of, form_of

Mixture = TypeVar("Mixture")

TYPES = {"degenerate_": bool, "stream_n_rows": int}  # of arrays that are not floats


def to_dict(mixture: Any, kind: type[Any]) -> dict[str, Any]:
    """See `GaussianMixture.to_dict`; `from_dict` will make a `kind` of the result."""
    manifest, arrays = contents_of(mixture)
    facts = {name: _finite(value) for name, value in manifest.pop("facts").items()}
    dtype = arrays["means_"].dtype.name
    plain = {name: array.tolist() for name, array in arrays.items()}
    return {**kind_of(form_of(kind)), **manifest, "dtype": dtype, "facts": facts, "arrays": plain}


def from_dict(document: Mapping[str, Any], kind: type[Mixture]) -> Mixture:
    """Make a mixture, as an object of a class; see `gmmfast.from_dict`."""
    form = form_of(kind)
    try:
        require(isinstance(document, Mapping), f"it is a {type(document).__name__}")
        manifest = {name: document[name] for name in document if name != "arrays"}
        manifest["facts"] = {name: _fact(name, value) for name, value in document["facts"].items()}
        require(document["dtype"] in ("float32", "float64"), "its dtype is unknown")
        dtype = np.dtype(document["dtype"])
        arrays = {name: _array(name, own, dtype) for name, own in document["arrays"].items()}
        return rebuilt(form, json.dumps(manifest).encode(), arrays)
    except Exception as error:  # values can be anything
        raise damaged("The dictionary", form, error) from None


def _array(name: str, values: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.asarray(values, dtype if name in (*PARAMETERS, *LOADINGS) else TYPES.get(name, float))


def _finite(value: Any) -> Any:
    """Return None for infinity, which JSON does not have."""
    return None if isinstance(value, float) and math.isinf(value) else value


def _fact(name: str, value: Any) -> Any:
    """Return a fact in its type: other languages write 2.0 as 2."""
    if not isinstance(FACTS.get(name), float | list):
        return value
    if name == "lower_bound_" and value is None:
        return FACTS[name]
    return [float(item) for item in value] if isinstance(value, list) else float(value)
