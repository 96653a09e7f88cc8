"""Rows that the commands work on, and what they say on the way."""

import argparse
import contextlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.datasets import EXAMPLES
from gmmfast.kernels.options import is_cached
from gmmfast.mixture import GaussianMixture
from gmmfast.tables import Table, column_names, read_table

Array = NDArray[np.floating[Any]]


def read(arguments: argparse.Namespace, weight_column: str | None = None) -> Table:
    """Read the table that `data`, `--example`, `--columns` and `--weight-column` name."""
    columns: list[str] | None = arguments.columns
    path = data_path(arguments)
    if path is not None:
        return read_table(path, columns, weight_column)
    example = EXAMPLES[arguments.example]()
    names = example.feature_names
    picked = names if columns is None else columns
    for name in picked:
        if name not in names:
            raise ValueError(f"There is no column {name!r}; the columns are {', '.join(names)}.")
    if weight_column is not None:
        raise ValueError("--weight-column needs a data file; the examples have no weights.")
    return Table(example.data[:, [names.index(name) for name in picked]], picked)


def data_path(arguments: argparse.Namespace) -> Path | None:
    """Path of the data file, None for an example."""
    path: Path | None = arguments.data
    if (path is None) == (arguments.example is None):
        given = "neither" if path is None else "both"
        raise ValueError(f"Name a data file or an --example, one of the two; got {given}.")
    return path


def source(arguments: argparse.Namespace) -> str:
    """Return where the rows come from, for messages."""
    return str(arguments.data or arguments.example)


def read_for(model: GaussianMixture, arguments: argparse.Namespace) -> Array:
    """Rows in the order of the model's features: by name where both have names."""
    expected = feature_names(model)
    if arguments.columns is None and expected:
        path = data_path(arguments)
        there = read(arguments).names if path is None else column_names(path, expected)
        if there is not None:
            missing = [name for name in expected if name not in there]
            if missing:
                raise ValueError(
                    f"{source(arguments)}: the model needs the columns {', '.join(expected)}; "
                    f"missing: {', '.join(missing)}. "
                    "Rename the columns, or choose others with --columns."
                )
            arguments.columns = expected
    values = read(arguments).values
    n_features = model.means_.shape[1]
    if values.shape[1] != n_features:
        raise ValueError(
            f"{source(arguments)}: the model was fitted to {n_features} columns; "
            f"got {values.shape[1]}. Choose the columns with --columns."
        )
    return values


def feature_names(model: GaussianMixture) -> list[str]:
    """Names of the model's features; empty where it has none."""
    return [str(name) for name in getattr(model, "feature_names_in_", ())]


# Messages


def note(text: str) -> None:
    """Tell something on stderr, in one line."""
    print(f"gmmfast: note: {' '.join(text.split())}", file=sys.stderr)


def announce_compilation(kernels: str = "expectation", seconds: int = 20) -> None:
    """Say that kernels will be compiled, where they have not been yet."""
    if not is_cached(kernels):
        note(f"compiling once for this machine, which can take {seconds} seconds ...")


@contextlib.contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Tell warnings in one line each, without a place in the source."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        note(text)
