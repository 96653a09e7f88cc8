"""What all kinds of files share: suffixes, columns, and the rules for a cell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
ARROW_SUFFIXES = (".parquet", ".feather", ".arrow")
READ_SUFFIXES = (*TEXT_SUFFIXES, ".npy", *ARROW_SUFFIXES)
WRITE_SUFFIXES = (*TEXT_SUFFIXES, ".npy", ".parquet")

MISSING = frozenset({"", "-", "?", "na", "n/a", "#n/a", "nan", "null", "none", "missing"})
CHOOSE = "Choose the numeric columns with --columns (columns= in Python)."
# How to read a file otherwise, at the end of notes: other front ends have their own words.
AS_ROW = "If it is a row, use --no-header (header=False in Python)."
AS_HEADER = "If it holds the names of the columns, use --header (header=True in Python)."
AS_DATA = "To use it, name it in --columns (columns= in Python)."
LEAVE_OUT = "To leave it out, choose the others with --columns (columns= in Python)."
_FILL = "gmmfast does not fit missing values: fill the cell or drop the row."


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of numbers with their names.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_columns)
        float64, or float32 where every column of the file is float32.
    names : list of str
        One name per column; ``x1, x2, ...`` where the file holds none.
    has_names : bool
        Whether the names come from the file.
    weights : ndarray of shape (n_rows,) or None
        The weight column, when one was asked for. It is not among `values`.
    labels : ndarray of shape (n_rows,) or None
        The label column, when one was asked for: numbers if all its cells are, else text. It is not
        among `values`.
    notes : list of str
        How the file was read where it could be read otherwise: whether the first line of a text
        file is a header, and columns that were left out as an index of the rows. One sentence
        each, and how to change it.
    """

    values: Floats
    names: list[str]
    has_names: bool = True
    weights: Floats | None = None
    labels: NDArray[Any] | None = None
    notes: list[str] = field(default_factory=list)


class TableFile(Protocol):
    """A file that has been opened far enough to know its columns."""

    path: Path
    names: list[str]
    has_names: bool
    index: list[str]  # names of columns that number or label the rows
    notes: list[str]  # as of `Table`, on the first line of a text file

    @property
    def n_bytes(self) -> float:
        """Approximate memory of all columns once they are read."""
        ...

    def read(self, picked: list[int]) -> Floats:
        """Return the picked columns, in that order, all finite."""
        ...

    def pieces(self, picked: list[int], n_rows: int | None) -> Iterator[Floats]:
        """Yield the picked columns, in that order, some rows at a time, finite or not."""
        ...

    def cells(self, column: int) -> list[Any]:
        """Return a column as it is, text or numbers; None or NaN where a cell is missing."""
        ...


def require_suffix(path: Path, suffixes: Sequence[str]) -> None:
    """Raise ValueError unless `path` ends in one of `suffixes`."""
    if path.suffix.lower() not in suffixes:
        got = repr(path.suffix) if path.suffix else "none"
        raise ValueError(
            f"{path}: the file suffix must be one of {', '.join(suffixes)}; got {got}."
        )


def default_names(count: int) -> list[str]:
    """Return names for columns without names."""
    return [f"x{i}" for i in range(1, count + 1)]


def require_finite(path: object, values: Floats, names: list[str], first: int = 0) -> None:
    """Raise ValueError that names the first value that is not finite, below `first` rows."""
    finite = np.isfinite(values)
    if not finite.all():
        row, column = np.unravel_index(int(np.argmin(finite)), finite.shape)
        where = f"{path}, row {first + row + 1}, column {names[column]!r}"
        raise ValueError(unusable(where, str(values[row, column])))


def unusable(where: str, cell: str) -> str:
    """Return the error for one cell that is not a finite number."""
    text = cell.strip()
    if not text:
        return f"{where}: every cell must hold a number; this one is empty. {_FILL}"
    shown = repr(text if len(text) <= 40 else text[:37] + "...")
    if text.lower() in MISSING:
        return f"{where}: every cell must hold a number; got {shown}. {_FILL}"
    if number(text) is not None:
        return f"{where}: every number must be finite; got {shown}. Correct it or drop the row."
    return f"{where}: every cell must be a number; got {shown}. {CHOOSE}"


def number(cell: str) -> float | None:
    """Return the value of a cell by numpy.loadtxt's rules: no underscores, only ASCII digits."""
    if "_" in cell or not cell.isascii():
        return None
    try:
        return float(cell)
    except ValueError:
        return None
