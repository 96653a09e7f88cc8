"""The numeric columns of a file, by name."""

import difflib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from gmmfast.tables.arrow import ArrowFile
from gmmfast.tables.base import (
    READ_SUFFIXES,
    TEXT_SUFFIXES,
    Floats,
    Table,
    TableFile,
    require_suffix,
)
from gmmfast.tables.npy import NpyFile
from gmmfast.tables.text import TextFile


def read_table(
    path: str | os.PathLike[str],
    columns: Sequence[str] | None = None,
    weight_column: str | None = None,
) -> Table:
    r"""Read the numeric columns of a file.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv`` or ``.txt`` (separated by comma, semicolon or tab, which is found out;
        UTF-8), ``.npy`` (2-D), or ``.parquet``, ``.feather``, ``.arrow`` (pyarrow, the extra
        ``[io]``). The first line of a text file is a header when none of its cells is a number,
        or when it holds all the names in `columns`.
    columns : sequence of str, optional
        The columns to read, in this order. By default all but the weight column.
    weight_column : str, optional
        A column that holds the weight of each row.

    Returns
    -------
    Table
        Finite numbers only.

    Raises
    ------
    OSError
        The file is missing, is a directory or cannot be read.
    ValueError
        The content cannot be used: empty, ragged, not a number, missing values, an unknown column.
    ImportError
        A Parquet or Arrow file, and pyarrow is not installed.

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
    source, names = choose_columns(path, columns, weight_column)
    if weight_column is None:
        return Table(source.read(_pick(source, names)), names, source.has_names)
    values = source.read(_pick(source, [*names, weight_column]))
    return _weighted(values, names, source.has_names)


def read_pieces(
    path: str | os.PathLike[str],
    columns: Sequence[str] | None = None,
    weight_column: str | None = None,
    n_rows: int | None = None,
) -> Iterator[Table]:
    """Read the numeric columns of a file, some rows at a time.

    Parameters
    ----------
    path, columns, weight_column
        As for :func:`read_table`.
    n_rows : int, optional
        Rows of a piece.

    Yields
    ------
    Table
        Of numbers, finite or not.
    """
    source, names = choose_columns(path, columns, weight_column)
    if weight_column is None:
        for values in source.pieces(_pick(source, names), n_rows):
            yield Table(values, names, source.has_names)
        return
    for values in source.pieces(_pick(source, [*names, weight_column]), n_rows):
        yield _weighted(values, names, source.has_names)


def choose_columns(
    path: str | os.PathLike[str], columns: Sequence[str] | None, weight_column: str | None
) -> tuple[TableFile, list[str]]:
    """Open a file and name the columns to read; parameters and errors as of `read_table`."""
    path = Path(path)
    asked = [*columns] if columns is not None else []
    if weight_column is not None:
        asked.append(weight_column)
    source = open_file(path, asked)
    if columns is None:
        names = [name for name in source.names if name != weight_column]
    else:
        names = list(columns)
        if not names:
            raise ValueError("columns must name at least one column; got none.")
    if not names:
        raise ValueError(f"{path}: no column is left beside the weight column {weight_column!r}.")
    _pick(source, names if weight_column is None else [*names, weight_column])
    return source, names


def column_names(path: str | os.PathLike[str], expected: Sequence[str] = ()) -> list[str] | None:
    """Names of the columns of a file, or None where it holds none.

    Parameters
    ----------
    path : path
        As for :func:`read_table`.
    expected : sequence of str
        Names that decide whether a first line with text and numbers is a header.

    Returns
    -------
    list of str or None
    """
    source = open_file(Path(path), list(expected))
    return source.names if source.has_names else None


def open_file(path: Path, asked: list[str]) -> TableFile:
    """Open a file far enough to know its columns; an error says why it cannot be used."""
    if path.is_dir():
        raise IsADirectoryError(f"{path}: a file is required; this is a directory.")
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file.")
    require_suffix(path, READ_SUFFIXES)
    suffix = path.suffix.lower()
    if suffix in TEXT_SUFFIXES:
        return TextFile(path, asked)
    return NpyFile(path) if suffix == ".npy" else ArrowFile(path)


def require_distinct(names: Sequence[str]) -> None:
    """Raise ValueError where a column is asked for twice."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"A column can be used once; {name!r} is asked for {count} times.")


def _weighted(values: Floats, names: list[str], has_names: bool) -> Table:
    """A table whose last column is the weights; its arrays lie in memory as `values` does."""
    return Table(values[:, :-1].copy("K"), names, has_names, values[:, -1].copy())


def _pick(source: TableFile, names: list[str]) -> list[int]:
    """Position of each name among the columns, where it must be once."""
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
