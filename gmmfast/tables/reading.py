"""The numeric columns of a file, by name."""

import difflib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.frames import is_missing
from gmmfast.tables.arrow import ArrowFile
from gmmfast.tables.base import (
    AS_DATA,
    MISSING,
    READ_SUFFIXES,
    TEXT_SUFFIXES,
    Floats,
    Table,
    TableFile,
    number,
    require_suffix,
)
from gmmfast.tables.npy import NpyFile
from gmmfast.tables.text import TextFile


def read_table(
    path: str | os.PathLike[str],
    columns: Sequence[str] | None = None,
    weight_column: str | None = None,
    *,
    header: bool | None = None,
    label_column: str | None = None,
) -> Table:
    r"""Read the numeric columns of a file.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv`` or ``.txt`` (separated by comma, semicolon or tab, which is detected;
        UTF-8), ``.npy`` (2-D), or ``.parquet``, ``.feather``, ``.arrow`` (pyarrow, the extra
        ``[io]``).
    columns : sequence of str, optional
        The columns to read, in this order. By default all but the weight column, the label column
        and an index of the rows: index columns that pandas or Dask wrote, and the first column of a
        text file if it has no name in the header and holds distinct whole numbers or text. That
        column is called ``index``.
    weight_column : str, optional
        The column with the weight of each row.
    header : bool, optional
        Whether the first line of a text file holds the names of the columns. By default it does
        where it holds all the names in `columns`; where none of its cells is a number; and where
        it looks like names that are numbers: ``0, 1, ..., d - 1`` or ``1, 2, ..., d``, distinct
        whole numbers above numbers none of which is whole, years (1800 to 2100) above numbers
        none of which is a year, or cells in quotes above cells without. `Table.notes` says what
        was decided of a line of numbers.
    label_column : str, optional
        A column of text or numbers with the group of each row.

    Returns
    -------
    Table
        Finite numbers only.

    Raises
    ------
    OSError
        If the file is missing, is a directory or cannot be read.
    ValueError
        If the content cannot be used: empty, ragged, not numeric, missing values or labels, unknown
        columns.
    ImportError
        If the file is Parquet or Arrow and pyarrow is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "data.csv")
    ...     _ = path.write_text("id;height;mass\nA;1.8;80\nB;1.6;55\n")
    ...     table = read_table(path, columns=["mass", "height"])
    >>> table.values
    array([[80. ,  1.8],
           [55. ,  1.6]])
    """
    choice = choose_columns(path, columns, weight_column, header, label_column)
    table = choice.table(choice.source.read(choice.picked))
    return table if choice.label is None else replace(table, labels=_labels(choice))


def read_pieces(
    path: str | os.PathLike[str],
    columns: Sequence[str] | None = None,
    weight_column: str | None = None,
    n_rows: int | None = None,
    *,
    header: bool | None = None,
) -> Iterator[Table]:
    """Read the numeric columns of a file, some rows at a time.

    Parameters
    ----------
    path, columns, weight_column, header
        As for :func:`read_table`.
    n_rows : int, optional
        Rows per piece.

    Yields
    ------
    Table
        Numbers, finite or not.
    """
    choice = choose_columns(path, columns, weight_column, header)
    for values in choice.source.pieces(choice.picked, n_rows):
        yield choice.table(values)


@dataclass(frozen=True)
class Choice:
    """An open file, and the columns to read."""

    source: TableFile
    names: list[str]
    picked: list[int]  # positions of the columns, and last of the weights, if there are any
    notes: list[str]  # as of `Table`
    label: int | None = None  # position of the labels

    def table(self, values: Floats) -> Table:
        """Return a table of the columns that were picked; arrays lie in memory as `values` does."""
        has_names = self.source.has_names
        if len(self.picked) == len(self.names):
            return Table(values, self.names, has_names, notes=self.notes)
        weights = values[:, -1].copy()
        return Table(values[:, :-1].copy("K"), self.names, has_names, weights, notes=self.notes)


def choose_columns(
    path: str | os.PathLike[str],
    columns: Sequence[str] | None,
    weight_column: str | None,
    header: bool | None = None,
    label_column: str | None = None,
) -> Choice:
    """Open a file and name the columns to read; parameters and errors as of `read_table`."""
    path = Path(path)
    weights = [] if weight_column is None else [weight_column]
    aside = weights if label_column is None else [*weights, label_column]
    source = open_file(path, [*(columns or []), *aside], header)
    notes = list(source.notes)
    if columns is None:
        index = [name for name in source.index if name not in aside]
        names = [name for name in source.names if name not in [*index, *aside]]
        notes += [_left_out(path, index)] if index else []
    else:
        names = list(columns)
        if not names:
            raise ValueError("columns must name at least one column; got none.")
    if not names:
        which = " and ".join(map(repr, aside))
        raise ValueError(f"{path}: no column is left beside the weight or label column {which}.")
    picked = _pick(source, [*names, *aside])
    label = None if label_column is None else picked.pop()
    return Choice(source, names, picked, notes, label)


def _labels(choice: Choice) -> NDArray[Any]:
    """Read the label column: numbers if all cells are, else text."""
    assert choice.label is not None
    cells = choice.source.cells(choice.label)
    for row, cell in enumerate(cells, 1):
        is_empty = isinstance(cell, str) and cell.lower() in MISSING
        if is_empty or is_missing(cell) or cell != cell:
            name = choice.source.names[choice.label]
            raise ValueError(
                f"{choice.source.path}, row {row}, column {name!r}: every row needs a label; got "
                f"{cell!r}. Label the row or drop it."
            )
    numbers = [number(cell) if isinstance(cell, str) else None for cell in cells]
    return np.array(cells if None in numbers else numbers)


def _left_out(path: Path, index: list[str]) -> str:
    return f"{path}: the index of the rows ({', '.join(map(repr, index))}) is left out. {AS_DATA}"


def column_names(
    path: str | os.PathLike[str], expected: Sequence[str] = (), *, header: bool | None = None
) -> list[str] | None:
    """Return the names of a file's columns, or None if it holds none.

    Parameters
    ----------
    path, header
        As for :func:`read_table`.
    expected : sequence of str
        Names that decide whether a first line with numbers is a header. An index of the rows is
        left out where they do not name it.

    Returns
    -------
    list of str or None
    """
    source = open_file(Path(path), list(expected), header)
    if not source.has_names:
        return None
    return [name for name in source.names if name not in source.index or name in expected]


def open_file(path: Path, asked: list[str], header: bool | None = None) -> TableFile:
    """Open a file far enough to know its columns; an error says why it cannot be read."""
    require_header(header)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: a file is required; this is a directory.")
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file.")
    require_suffix(path, READ_SUFFIXES)
    suffix = path.suffix.lower()
    if suffix in TEXT_SUFFIXES:
        return TextFile(path, asked, header)
    if header is not None:
        raise ValueError(
            f"{path}: --header and --no-header (header= in Python) are for text files; a {suffix} "
            "file says itself whether its columns have names. Leave the option out."
        )
    return NpyFile(path) if suffix == ".npy" else ArrowFile(path)


def require_header(header: object) -> None:
    """Raise TypeError unless `header` is True, False or None; pandas takes other values."""
    if header is not None and not isinstance(header, bool):
        raise TypeError(
            "header must be True (the first line holds the names of the columns), False (it is a "
            f"row) or None (detected); got {header!r}."
        )


def require_distinct(names: Sequence[str]) -> None:
    """Raise ValueError if a column is asked for twice."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"A column can be used once; {name!r} is asked for {count} times.")


def _pick(source: TableFile, names: list[str]) -> list[int]:
    """Return the position of each name among the columns, which must hold it exactly once."""
    path, positions = source.path, {name: i for i, name in enumerate(source.names)}
    counts = Counter(source.names)
    for name in names:
        if name not in positions:
            more = f" and {len(source.names) - 20} more" if len(source.names) > 20 else ""
            shown = ", ".join(source.names[:20]) + more
            close = difflib.get_close_matches(name, source.names, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{path}: there is no column {name!r}; the columns are {shown}.{hint}")
        if not name:
            raise ValueError(
                f"{path}: every column must have a name; column {positions[name] + 1} has none. "
                "Name it, or choose the columns with --columns (columns= in Python)."
            )
        if counts[name] > 1:
            raise ValueError(
                f"{path}: column names must be distinct; {name!r} appears {counts[name]} times. "
                "Rename them."
            )
    require_distinct(names)
    return [positions[name] for name in names]
