"""Input rows of the commands, and their notes on stderr."""

import argparse
import contextlib
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.cli.progress import ERASE, RowsSoFar
from gmmfast.cli.streams import shown, writes_rows
from gmmfast.cli.words import in_own_words
from gmmfast.data import free_memory as memory
from gmmfast.datasets import EXAMPLES
from gmmfast.estimators.mixture import GaussianMixture
from gmmfast.kernels.caching import on_first_miss
from gmmfast.reporting.scaling import Scaling
from gmmfast.rows.sources import Chunk, Chunks, chunks
from gmmfast.tables import (
    TEXT_SUFFIXES,
    Paths,
    Reading,
    choose_columns,
    column_names,
    kind_of,
)

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Data:
    """Input rows of a command."""

    rows: Array | Chunks  # in memory, or read in pieces
    weights: Array | None  # of rows in memory; pieces bring their own
    names: list[str]
    has_names: bool  # whether the names come from the file
    labels: NDArray[Any] | None = None  # of rows in memory
    numbers: NDArray[np.int64] | None = None  # of rows in memory, in the file, from 1
    kept: Mapping[str, list[Any]] = field(default_factory=dict)  # of rows in memory
    may_miss: bool = False  # whether values may be missing

    def parts(self) -> Iterator[Chunk]:
        """Rows, some at a time."""
        if isinstance(self.rows, Chunks):
            yield from self.rows.read(may_miss=self.may_miss)
        else:
            weights = None if self.weights is None else self.weights.astype(np.float64)
            yield Chunk(self.rows, weights, 0, self.numbers, self.kept)

    def __iter__(self) -> Iterator[tuple[Array, Array | None]]:
        """Rows and weights, some at a time."""
        return ((part.X, part.weights) for part in self.parts())

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
    *,
    may_miss: bool = False,
) -> Data:
    """Read the rows and columns that the options select, their weights and labels.

    A file that would take too much of the memory is read in pieces, and a note says so. Missing
    values are NaN if they may be, and an error otherwise.
    """
    columns: list[str] | None = arguments.columns
    path = data_path(arguments)
    if path is not None:
        return _of_file(path, arguments, weight_column, label_column, may_miss)
    example = EXAMPLES[arguments.example]()
    names = example.feature_names
    picked = [name for name in columns or names if name not in arguments.exclude]
    for name in [*picked, *arguments.exclude]:
        if name not in names:
            raise ValueError(f"There is no column {name!r}; the columns are {', '.join(names)}.")
    _require_no_options(arguments, weight_column, label_column)
    rows = example.data[:, [names.index(name) for name in picked]]
    kept = {
        name: example.data[:, names.index(name)].tolist() for name in kept_columns(arguments, names)
    }
    return Data(rows, None, picked, has_names=True, kept=kept)


def _require_no_options(
    arguments: argparse.Namespace, weight_column: str | None, label_column: str | None
) -> None:
    """Raise ValueError for an option that needs a file."""
    if weight_column is not None:
        raise ValueError("--weight-column needs a data file; the examples have no weights.")
    if label_column is not None:
        option = label_option(arguments)
        raise ValueError(f"{option} needs a data file; the examples have no column of labels.")
    for name, value in [*vars(_reading(arguments)).items(), ("id", arguments.id or None)]:
        if value is not None:
            options = "--header and --no-header need" if name == "header" else f"--{name} needs"
            raise ValueError(f"{options} a data file. Leave the option out.")


def _of_file(
    path: Paths,
    arguments: argparse.Namespace,
    weight_column: str | None,
    label_column: str | None,
    may_miss: bool,
) -> Data:
    columns, reading = arguments.columns, _reading(arguments)
    options: dict[str, Any] = {
        "exclude": [*arguments.exclude, *arguments.id],
        "drop_missing": arguments.drop_missing,
    }
    whole = {"label_column": label_column, "reading": reading, "keep_missing": may_miss, **options}
    choice = choose_columns(path, columns, weight_column, **whole)
    kept = kept_columns(arguments, [name for name in choice.source.names if name])
    if kept:
        choice = choose_columns(path, columns, weight_column, keep=kept, **whole)
    n_bytes = choice.source.n_bytes
    count = RowsSoFar(f"reading {choice.source.path}", arguments)
    if not memory.is_large(n_bytes):
        try:
            table = choice.table(count.add)
        finally:
            count.clear()
        count.end()
        for text in table.notes:
            note(text)
        numbers = table.rows
        labels = table.labels
        names = table.names, table.has_names
        return Data(table.values, table.weights, *names, labels, numbers, table.kept, may_miss)
    for text in [*choice.notes, *choice.first_oddities()]:
        note(text)
    if label_column is not None:
        instead = "Use --init, or fit to fewer rows."
        if hasattr(arguments, "target"):
            instead = "Use fewer rows."
        raise ValueError(
            f"{choice.source.path}: {label_option(arguments)} needs rows in memory; these are read "
            f"in pieces. {instead}"
        )
    size = f"{choice.source.path} would take {n_bytes / 1e9:.1f} GB of memory"
    room = f"{memory.free() / 1e9:.1f} GB are free"
    is_text = kind_of(choice.source.path)[0] in TEXT_SUFFIXES
    faster = ", which is faster from .npy or .parquet" if is_text else ""
    note(f"{size}, and {room}: it is read in pieces, once an iteration{faster}")
    pieces = chunks(
        path,
        columns=columns,
        weight_column=weight_column,
        keep=kept,
        **options,
        **vars(reading),
    )
    if not writes_rows(arguments):  # predict and score count the rows that they write
        pieces.watch = count.show
    return Data(pieces, None, choice.names, choice.source.has_names, may_miss=may_miss)


def label_option(arguments: argparse.Namespace) -> str:
    """Return the command's option for a column of labels."""
    return "--target" if hasattr(arguments, "target") else "--init-labels"


def kept_columns(arguments: argparse.Namespace, names: list[str]) -> list[str]:
    """Return the columns of the data to write: ids first, then --keep, if any."""
    if not writes_rows(arguments):
        return []
    asked = names if arguments.keep_all else arguments.keep
    return list(dict.fromkeys([*arguments.id, *asked]))


def _reading(arguments: argparse.Namespace) -> Reading:
    return Reading(
        header=arguments.header,
        delimiter=arguments.delimiter,
        decimal=arguments.decimal,
        encoding=arguments.encoding,
        sheet=arguments.sheet,
    )


def data_path(arguments: argparse.Namespace) -> Paths | None:
    """Return the path of the data file, several paths, or None for an example."""
    paths: list[Path] = arguments.data
    if (not paths) == (arguments.example is None):
        given = "both" if paths else "neither"
        raise ValueError(f"Name a data file or an --example, one of the two; got {given}.")
    return (paths[0] if len(paths) == 1 else paths) if paths else None


def source(arguments: argparse.Namespace) -> str:
    """Return the origin of the rows, for messages."""
    if not arguments.data:
        return str(arguments.example)
    first, *rest = arguments.data
    return shown(f"{first}{f' and {len(rest)} more' if rest else ''}")


def read_for(
    model: GaussianMixture, arguments: argparse.Namespace, *, may_miss: bool = False
) -> Data:
    """Read rows with columns in the order of the model's features, by name if both have names.

    Values may be missing if that is said, or where the model was fitted to such rows.
    """
    may_miss = may_miss or model.missing_values == "marginalize"
    expected = feature_names(model)
    if expected and sorted(arguments.columns or []) == sorted(expected):
        arguments.columns = expected
    elif arguments.columns is None and expected:
        path = data_path(arguments)
        if path is None:
            there: list[str] | None = read(arguments, may_miss=may_miss).names
        else:
            there = column_names(path, expected, reading=_reading(arguments))
        if there is not None:
            _require_features(expected, there, arguments)
            arguments.columns = expected
    data = read(arguments, may_miss=may_miss)
    n_features = model.means_.shape[1]
    if len(data.names) != n_features:
        raise ValueError(
            f"{source(arguments)}: the model was fitted to {n_features} columns; got "
            f"{len(data.names)} ({', '.join(data.names)}). Choose the columns with --columns, and "
            "leave out --exclude and --id of the others."
        )
    return data


def require_columns(
    names: list[str], model: GaussianMixture, arguments: argparse.Namespace
) -> None:
    """Raise ValueError if a table without rows has not the columns that the command needs."""
    _require_features(arguments.columns or feature_names(model), names, arguments)
    for name in [*arguments.exclude, *kept_columns(arguments, [])]:
        if name not in names:
            raise ValueError(
                f"{source(arguments)}: there is no column {name!r}; the columns are "
                f"{', '.join(names)}."
            )


def _require_features(expected: list[str], names: list[str], arguments: argparse.Namespace) -> None:
    missing = [name for name in expected if name not in names]
    if missing:
        raise ValueError(
            f"{source(arguments)}: the model needs the columns {', '.join(expected)}; "
            f"missing: {', '.join(missing)}. Rename the columns, or choose others with --columns."
        )


def feature_names(model: GaussianMixture) -> list[str]:
    """Return the names of the model's features; empty if it has none."""
    return [str(name) for name in getattr(model, "feature_names_in_", ())]


# Messages


def note(text: str) -> None:
    """Print a note on stderr, in one line."""
    print(f"gmmfast: note: {shown(in_own_words(' '.join(text.split())))}", file=sys.stderr)


@contextlib.contextmanager
def compilation_as_note() -> Iterator[None]:
    """Say so once kernels have to be compiled."""

    def announce() -> None:
        if sys.stderr.isatty():  # a bar may be on the line
            print(ERASE, end="", file=sys.stderr)
        note("compiling code that is not in the cache, which can take a minute ...")

    with on_first_miss(announce):
        yield


@contextlib.contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Print warnings as notes, one line each, without a place in the source."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for text in dict.fromkeys(str(warning.message) for warning in caught):
        note(text)
