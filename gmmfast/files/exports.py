"""Fitted mixtures for other programs: bytes of JSON, ONNX and scikit-learn (skops) files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gmmfast.files.attributes import PARAMETERS
from gmmfast.files.sklearn import to_sklearn
from gmmfast.reporting.json_text import json_object


def as_json(mixture: Any) -> bytes:
    """Return the dictionary of `to_dict` as JSON, one member per line."""
    return f"{json_object(mixture.to_dict())}\n".encode()


def as_skops(mixture: Any) -> bytes:
    """Return a fitted scikit-learn mixture as `skops.io.load` reads it, without pickle."""
    try:
        import skops.io
    except ImportError:
        raise _missing("sklearn", "skops", "sklearn") from None
    content: bytes = skops.io.dumps(to_sklearn(mixture))
    return content


def as_onnx(mixture: Any) -> bytes:
    """Return an ONNX graph of float64 rows `X` (n, d).

    Its outputs are `label` (n, 1), `probabilities` (n, K) and `score_samples` (n, 1).
    """
    try:
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import DoubleTensorType
    except ImportError:
        raise _missing("onnx", "skl2onnx", "onnx") from None
    model = to_sklearn(mixture)
    for name in PARAMETERS:
        setattr(model, name, np.asarray(getattr(model, name), np.float64))
    rows = [("X", DoubleTensorType([None, model.means_.shape[1]]))]
    options = {id(model): {"score_samples": True}}
    content: bytes = to_onnx(model, initial_types=rows, options=options).SerializeToString()
    return content


def _missing(to: str, package: str, extra: str) -> ImportError:
    return ImportError(
        f"--to {to} needs {package}; install it with: pip install 'gmmfast[{extra}]'"
    )


# by the name of --to: the function, and the suffix of its files
EXPORTS: dict[str, tuple[Callable[[Any], bytes], str]] = {
    "json": (as_json, ".json"),
    "onnx": (as_onnx, ".onnx"),
    "sklearn": (as_skops, ".skops"),
}
