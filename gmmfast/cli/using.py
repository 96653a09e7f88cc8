"""``gmmfast predict``, ``score`` and ``sample``."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.cli.data import (
    Array,
    Data,
    announce_compilation,
    feature_names,
    note,
    read_for,
)
from gmmfast.estimators.mixture import GaussianMixture, load
from gmmfast.tables import WRITE_SUFFIXES, require_writable, write_csv, write_table


def predict(arguments: argparse.Namespace) -> None:
    """Write labels and probabilities."""
    model, data = _open(arguments)
    _write((_assignments(model, rows) for rows, _ in data), arguments.out)


def _assignments(model: GaussianMixture, rows: Array) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {"label": model.predict(rows)}
    probabilities = model.predict_proba(rows)
    for k in range(probabilities.shape[1]):
        columns[f"probability_{k}"] = probabilities[:, k]
    return columns


def score(arguments: argparse.Namespace) -> None:
    """Write log densities, and mark outliers."""
    model, data = _open(arguments)
    parts = (model.score_samples(rows) for rows, _ in data)
    if arguments.outliers is None:
        _write(_numbered(parts), arguments.out)
        return
    densities = np.concatenate(list(parts))  # a quantile needs all of them
    count = max(1, round(arguments.outliers * len(densities)))
    cut = np.partition(densities, count - 1)[count - 1]
    flagged = densities <= cut
    columns = next(_numbered([densities])) | {"outlier": flagged.astype(np.int8)}
    _write([columns], arguments.out)
    note(f"{flagged.sum()} of {len(densities)} rows have a log density of {cut:.5g} or less")


def _numbered(parts: Iterable[NDArray[Any]]) -> Iterator[dict[str, NDArray[Any]]]:
    first = 1
    for densities in parts:
        yield {"row": np.arange(first, first + len(densities)), "log_density": densities}
        first += len(densities)


def sample(arguments: argparse.Namespace) -> None:
    """Write rows drawn from a model."""
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
    _write([columns], arguments.out)


def _open(arguments: argparse.Namespace) -> tuple[GaussianMixture, Data]:
    """Open the model and the rows to apply it to."""
    if arguments.out is not None:
        require_writable(arguments.out, WRITE_SUFFIXES)
    model = load(arguments.model)
    data = read_for(model, arguments)
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_  # the columns are in order: an array needs no names
    announce_compilation()
    return model, data


def _write(pieces: Iterable[Mapping[str, NDArray[Any]]], out: Path | None) -> None:
    if out is None:
        write_csv(sys.stdout, pieces)
    else:
        write_table(out, pieces)
