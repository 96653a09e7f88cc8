"""``gmmfast predict``, ``score`` and ``sample``."""

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.cli.data import Data, announce_compilation, feature_names, note, read_for
from gmmfast.cli.streams import require_output, write_output
from gmmfast.estimators.mixture import GaussianMixture, load
from gmmfast.rows.sources import Chunk


def predict(arguments: argparse.Namespace) -> None:
    """Write components, their probabilities and log densities."""
    model, data = _open(arguments)
    n_all = arguments.probabilities
    write_output((_assignments(model, part, n_all) for part in data.parts()), arguments)


def _assignments(model: GaussianMixture, part: Chunk, with_all: bool) -> dict[str, Any]:
    probabilities = model.predict_proba(part.X)
    columns = {
        "component": probabilities.argmax(axis=1),
        "probability": probabilities.max(axis=1),
        "log_density": model.score_samples(part.X),
    }
    if with_all:
        columns |= {f"probability_{k}": column for k, column in enumerate(probabilities.T)}
    return _beside(part, columns)


def score(arguments: argparse.Namespace) -> None:
    """Write log densities, and mark outliers."""
    model, data = _open(arguments)
    scored = ((part, model.score_samples(part.X)) for part in data.parts())
    if arguments.outliers is None:
        write_output((_beside(part, {"log_density": d}) for part, d in scored), arguments)
        return
    parts = list(scored)  # a quantile needs all of them
    densities = np.concatenate([density for _, density in parts])
    count = max(1, round(arguments.outliers * len(densities)))
    cut = np.partition(densities, count - 1)[count - 1]
    pieces = (
        _beside(part, {"log_density": density, "outlier": (density <= cut).astype(np.int8)})
        for part, density in parts
    )
    write_output(pieces, arguments)
    flagged = np.count_nonzero(densities <= cut)
    note(f"{flagged} of {len(densities)} rows have a log density of {cut:.5g} or less")


def _beside(part: Chunk, found: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return numbers of rows, columns that are kept, and results, under distinct names."""
    numbers = part.rows
    if numbers is None:
        numbers = np.arange(part.first + 1, part.first + 1 + len(part.X))
    columns: dict[str, Any] = {"row": numbers}
    for name, cells in [*part.kept.items(), *found.items()]:
        while name in columns:
            name += "_"
        columns[name] = cells
    return columns


def sample(arguments: argparse.Namespace) -> None:
    """Write rows drawn from a model."""
    require_output(arguments)
    model = load(arguments.model).set_params(random_state=arguments.seed)
    rows, labels = model.sample(arguments.rows)
    names = feature_names(model) or [f"x{j + 1}" for j in range(rows.shape[1])]
    columns: dict[str, NDArray[Any]] = {name: rows[:, j] for j, name in enumerate(names)}
    if arguments.labels:
        name = "component"
        while name in columns:
            name += "_"
        columns[name] = labels
    write_output([columns], arguments)


def _open(arguments: argparse.Namespace) -> tuple[GaussianMixture, Data]:
    """Open the model and the rows to apply it to."""
    require_output(arguments)
    model = load(arguments.model)
    data = read_for(model, arguments)
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_  # the columns are in order: an array needs no names
    announce_compilation()
    return model, data
