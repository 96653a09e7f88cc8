"""``gmmfast predict``, ``score`` and ``sample``."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.cli.data import Array, announce_compilation, feature_names, note, read_for
from gmmfast.mixture import GaussianMixture
from gmmfast.persistence import load
from gmmfast.tables import WRITE_SUFFIXES, require_writable, write_csv, write_table


def predict(arguments: argparse.Namespace) -> None:
    """Write labels and probabilities."""
    model, values = _open(arguments)
    columns: dict[str, NDArray[Any]] = {"label": model.predict(values)}
    probabilities = model.predict_proba(values)
    for k in range(probabilities.shape[1]):
        columns[f"probability_{k}"] = probabilities[:, k]
    _write(columns, arguments.out)


def score(arguments: argparse.Namespace) -> None:
    """Write log densities, and which rows are outliers."""
    model, values = _open(arguments)
    densities = model.score_samples(values)
    columns: dict[str, NDArray[Any]] = {
        "row": np.arange(1, len(densities) + 1),
        "log_density": densities,
    }
    message = None
    if arguments.outliers is not None:
        count = max(1, round(arguments.outliers * len(densities)))
        cut = np.partition(densities, count - 1)[count - 1]
        flagged = densities <= cut
        columns["outlier"] = flagged.astype(np.int8)
        message = (
            f"{flagged.sum()} of {len(densities)} rows have a log density of {cut:.5g} or less"
        )
    _write(columns, arguments.out)
    if message is not None:
        note(message)


def sample(arguments: argparse.Namespace) -> None:
    """Write rows that a model draws."""
    if arguments.out is not None:
        require_writable(arguments.out, WRITE_SUFFIXES)
    model = load(arguments.model).set_params(random_state=arguments.seed)
    rows, labels = model.sample(arguments.rows)
    names = feature_names(model) or [f"x{j + 1}" for j in range(rows.shape[1])]
    columns: dict[str, NDArray[Any]] = {name: rows[:, j] for j, name in enumerate(names)}
    if arguments.labels:
        name = "component"
        while name in columns:
            name += "_"
        columns[name] = labels
    _write(columns, arguments.out)


def _open(arguments: argparse.Namespace) -> tuple[GaussianMixture, Array]:
    """Model and rows of a command that applies one to the other."""
    if arguments.out is not None:
        require_writable(arguments.out, WRITE_SUFFIXES)
    model = load(arguments.model)
    values = read_for(model, arguments)
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_  # the columns are in order: an array needs no names
    announce_compilation()
    return model, values


def _write(columns: Mapping[str, NDArray[Any]], out: Path | None) -> None:
    if out is None:
        write_csv(sys.stdout, columns)
    else:
        write_table(out, columns)
