"""Input rows of the commands, and their notes on stderr."""

import argparse
import contextlib
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.data import free_memory as memory
from gmmfast.datasets import EXAMPLES
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.kernels.caching import is_cached
from gmmfast.reporting.scaling import Scaling
from gmmfast.rows.sources import Chunks, chunks, files_of
from gmmfast.tables import TEXT_SUFFIXES, choose_columns, column_names, read_table

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Data:
    """Input rows of a command."""

    rows: Array | Chunks  # in memory, or read in pieces
    weights: Array | None  # of rows in memory; pieces bring their own
    names: list[str]
    has_names: bool  # whether the names come from the file
    labels: NDArray[Any] | None = None  # of rows in memory

    def __iter__(self) -> Iterator[tuple[Array, Array | None]]:
        """Rows and weights, some at a time."""
        if isinstance(self.rows, Chunks):
            for chunk in self.rows:
                yield chunk.X, chunk.weights
        else:
            yield self.rows, self.weights

    def scaled(self, scaling: Scaling | None) -> Array | Chunks:
        """Return the rows in units of their standard deviation, if there is a scaling."""
        if scaling is None:
            return self.rows
        if isinstance(self.rows, Chunks):
            return chunks(_Scaled(self, scaling))
        return scaling.apply(self.rows)


@dataclass(frozen=True)
class _Scaled:
    """Rows of a source, scaled again each time."""

    data: Data
    scaling: Scaling

    def __iter__(self) -> Iterator[Any]:
        for values, weights in self.data:
            scaled = self.scaling.apply(values)
            yield scaled if weights is None else (scaled, weights)


def read(
    arguments: argparse.Namespace,
    weight_column: str | None = None,
    label_column: str | None = None,
) -> Data:
    """Read the rows that `data`, `--example` and `--columns` select, their weights and labels.

    A file that would take too much of the memory is read in pieces, and a note says so.
    """
    columns: list[str] | None = arguments.columns
    path = data_path(arguments)
    if path is not None:
        return _of_file(path, columns, weight_column, arguments.header, label_column)
    example = EXAMPLES[arguments.example]()
    names = example.feature_names
    picked = names if columns is None else columns
    for name in picked:
        if name not in names:
            raise ValueError(f"There is no column {name!r}; the columns are {', '.join(names)}.")
    if weight_column is not None:
        raise ValueError("--weight-column needs a data file; the examples have no weights.")
    if label_column is not None:
        raise ValueError("--init-labels needs a data file; the examples have no column of labels.")
    if arguments.header is not None:
        raise ValueError("--header and --no-header need a data file. Leave the option out.")
    rows = example.data[:, [names.index(name) for name in picked]]
    return Data(rows, None, picked, has_names=True)


def _of_file(
    path: Path,
    columns: list[str] | None,
    weight_column: str | None,
    header: bool | None,
    label_column: str | None,
) -> Data:
    options: dict[str, Any] = {"columns": columns, "weight_column": weight_column, "header": header}
    choice = choose_columns(files_of(path)[0], **options, label_column=label_column)
    for text in choice.notes:
        note(text)
    n_bytes = choice.source.n_bytes
    if not (path.is_dir() or memory.is_large(n_bytes)):
        table = read_table(path, **options, label_column=label_column)
        return Data(table.values, table.weights, table.names, table.has_names, table.labels)
    if label_column is not None:
        raise ValueError(
            f"{path}: --init-labels needs rows in memory; these are read in pieces. Use --init, or "
            "fit to fewer rows."
        )
    if not path.is_dir():
        size = f"{path} would take {n_bytes / 1e9:.1f} GB of memory"
        room = f"{memory.free() / 1e9:.1f} GB are free"
        is_text = path.suffix.lower() in TEXT_SUFFIXES
        faster = ", which is faster from .npy or .parquet" if is_text else ""
        note(f"{size}, and {room}: it is read in pieces, once an iteration{faster}")
    return Data(chunks(path, **options), None, choice.names, choice.source.has_names)


def data_path(arguments: argparse.Namespace) -> Path | None:
    """Return the path of the data file, or None for an example."""
    path: Path | None = arguments.data
    if (path is None) == (arguments.example is None):
        given = "neither" if path is None else "both"
        raise ValueError(f"Name a data file or an --example, one of the two; got {given}.")
    return path


def source(arguments: argparse.Namespace) -> str:
    """Return the origin of the rows, for messages."""
    return str(arguments.data or arguments.example)


def read_for(model: GaussianMixture, arguments: argparse.Namespace) -> Data:
    """Read rows with columns in the order of the model's features, by name if both have names."""
    expected = feature_names(model)
    if expected and sorted(arguments.columns or []) == sorted(expected):
        arguments.columns = expected
    elif arguments.columns is None and expected:
        path = data_path(arguments)
        if path is None:
            there: list[str] | None = read(arguments).names
        else:
            there = column_names(files_of(path)[0], expected, header=arguments.header)
        if there is not None:
            missing = [name for name in expected if name not in there]
            if missing:
                raise ValueError(
                    f"{source(arguments)}: the model needs the columns {', '.join(expected)}; "
                    f"missing: {', '.join(missing)}. "
                    "Rename the columns, or choose others with --columns."
                )
            arguments.columns = expected
    data = read(arguments)
    n_features = model.means_.shape[1]
    if len(data.names) != n_features:
        raise ValueError(
            f"{source(arguments)}: the model was fitted to {n_features} columns; "
            f"got {len(data.names)}. Choose the columns with --columns."
        )
    return data


def feature_names(model: GaussianMixture) -> list[str]:
    """Return the names of the model's features; empty if it has none."""
    return [str(name) for name in getattr(model, "feature_names_in_", ())]


# Messages


def note(text: str) -> None:
    """Print a note on stderr, in one line."""
    print(f"gmmfast: note: {' '.join(text.split())}", file=sys.stderr)


def announce_compilation(kernels: str = "expectation", seconds: int = 30) -> None:
    """Announce that kernels will be compiled, unless they have been."""
    if not is_cached(kernels):
        note(f"compiling once for this machine, which can take {seconds} seconds ...")


@contextlib.contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Print warnings as notes, one line each, without a place in the source."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        note(text)
