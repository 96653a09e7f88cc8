"""What all kinds of files share: suffixes, columns, and the rules for a cell."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gmmfast.errors import MissingValuesError

Floats: TypeAlias = NDArray[np.floating[Any]]
Watch: TypeAlias = Callable[[int], None]  # is called with each number of rows that are read

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")  # of text
EXCEL_SUFFIXES = (".xlsx", ".xlsm", ".xls", ".ods")
ARROW_SUFFIXES = (".parquet", ".feather", ".arrow")
READ_SUFFIXES = (*TEXT_SUFFIXES, ".npy", *ARROW_SUFFIXES, *EXCEL_SUFFIXES)
WRITE_SUFFIXES = (*TEXT_SUFFIXES, ".npy", ".parquet", ".xlsx")

MISSING = frozenset(
    [
        "",
        "-",
        "--",
        "---",
        "–",
        "—",
        "?",
        ".",
        "…",
        "na",
        "n/a",
        "n.a.",
        "k.a.",
        "nan",
        "<na>",
        "\\n",
    ]
    + ["null", "none", "nil", "missing", "#n/a", "#na", "#nv", "#value!", "#div/0!", "#null!"]
    + ["n.v.", "#n/v", "#ref!", "#name?", "#num!", "#bezug!", "#wert!", "#zahl!"]
)
HEAD = 200  # rows from which all is found out that a file does not say
CURRENCY = "[$€£¥₹₽₩₺₪₫฿]|kr|zł|Kč|EUR|USD|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|AUD|CAD"
_DASH = re.compile(rf"(?:{CURRENCY}|%)?\s*[-–—]+\s*(?:{CURRENCY}|%)?")  # a zero of accountants
CORRECT = "Correct it, delete the row, or leave the column out with --exclude (exclude= in Python)."
# How to read a file otherwise, at the end of notes: other front ends have their own words.
AS_ROW = "If it is a row, use --no-header (header=False in Python)."
AS_HEADER = "If it holds the names of the columns, use --header (header=True in Python)."
AS_DATA = "To use it, name it in --columns (columns= in Python)."
LEAVE_OUT = "To leave it out, use --exclude (exclude= in Python)."
DROP = "or leave the rows out with --drop-missing (drop_missing=True in Python)"
DIALECT = "To change that, use --delimiter, --decimal or --encoding (the same names in Python)."
DECIMAL = "If that is wrong, use --decimal (decimal= in Python)."
SHEET = "To read another one, use --sheet (sheet= in Python)."
KEEP = "or fit what is known with --missing marginalize (missing_values= in Python)"
_FILL = f"Fill the cells, {DROP}, {KEEP}."


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How to read a file, where the file itself does not say; None finds out.

    Attributes
    ----------
    header : bool or None
        Whether the first line of text, or row of a sheet, holds the names of the columns.
    delimiter, decimal : str or None
        Of text: the character between cells, and the decimal mark.
    encoding : str or None
        Of text, as Python names it.
    sheet : str or None
        Name of the sheet of a spreadsheet; None is the first with rows of numbers.
    """

    header: bool | None = None
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    sheet: str | None = None

    def __post_init__(self) -> None:
        if self.header is not None and not isinstance(self.header, bool):  # as pandas takes it
            raise TypeError(
                "header must be True (the first line holds the names of the columns), False (it is "
                f"a row) or None (detected); got {self.header!r}."
            )
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise ValueError(
                "--delimiter (delimiter= in Python) must be one character, a blank for white "
                f"space; got {self.delimiter!r}."
            )
        if self.decimal not in (None, ".", ","):
            raise ValueError(
                f"--decimal (decimal= in Python) must be . or a comma; got {self.decimal!r}."
            )
        if self.decimal is not None and self.decimal == self.delimiter:
            raise ValueError(
                "--decimal and --delimiter must be two characters; got a comma for both."
            )


class EmptyTableError(ValueError):
    """A file has no rows; `names` are its columns, none if it is empty."""

    def __init__(self, message: str, names: Sequence[str]) -> None:
        super().__init__(message)
        self.names = list(names)


class Piece(NamedTuple):
    """Some rows of a file."""

    values: Floats  # (m, n_picked); NaN where a cell is missing
    kept: list[list[Any]]  # cells of columns that are kept as they are, column by column
    lines: Sequence[int] | None = None  # in the text, if known


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
    rows : ndarray of shape (n_rows,) or None
        Number of each row in the file, from 1, where rows were left out; None is all rows.
    kept : dict of str to list
        Columns that are kept as they are, text or numbers, by name.
    notes : list of str
        How the file was read where it could be read otherwise: the dialect of text, whether the
        first line is a header, and columns and rows that were left out. One sentence each, and
        how to change it.
    """

    values: Floats
    names: list[str]
    has_names: bool = True
    weights: Floats | None = None
    labels: NDArray[Any] | None = None
    rows: NDArray[np.int64] | None = None
    kept: dict[str, list[Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def unwatched(n_rows: int) -> None:
    """Nothing to do: the `Watch` of whoever shows no progress."""


class TableFile(ABC):
    """A file that has been opened far enough to know its columns."""

    unit: ClassVar[str] = "row"  # what the numbers of `Piece.lines` count

    path: Path
    names: list[str]
    has_names: bool
    index: list[str]  # names of columns that number or label the rows
    text: list[str]  # names of columns that do not hold numbers
    empty: list[str]  # names of columns without a value in the first rows
    signs: Mapping[str, str] = MappingProxyType({})  # currency or % beside numbers, by column
    padded: Sequence[str] = ()  # names of columns whose numbers begin with zeros
    notes: list[str]  # as of `Table`, on the file as such

    @property
    @abstractmethod
    def n_bytes(self) -> float:
        """Approximate memory of all columns once they are read."""

    @abstractmethod
    def pieces(
        self, picked: list[int], n_rows: int | None = None, kept: Sequence[int] = ()
    ) -> Iterator[Piece]:
        """Yield the picked columns as numbers, in that order, and others as they are."""

    def read(self, picked: list[int], kept: Sequence[int] = (), watch: Watch = unwatched) -> Piece:
        """Return the same of all rows."""
        pieces = []
        for piece in self.pieces(picked, None, kept):
            pieces.append(piece)
            watch(len(piece.values))
        return joined(pieces, len(picked), len(kept))


def joined(pieces: Sequence[Piece], n_picked: int, n_kept: int) -> Piece:
    """Return pieces one below the other."""
    if len(pieces) == 1:
        return pieces[0]
    values = [piece.values for piece in pieces] or [np.empty((0, n_picked))]
    cells = [[cell for piece in pieces for cell in piece.kept[i]] for i in range(n_kept)]
    lines = None
    if any(piece.lines is not None for piece in pieces):
        lines = [line for piece in pieces for line in piece.lines or [0] * len(piece.values)]
    return Piece(np.concatenate(values), cells, lines)


def listed(names: Sequence[str]) -> str:
    """Return up to eight names, in quotes."""
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(map(repr, names[:8])) + more


def require_suffix(path: Path, suffixes: Sequence[str]) -> None:
    """Raise ValueError unless `path` ends in one of `suffixes`."""
    if path.suffix.lower() not in suffixes:
        got = repr(path.suffix) if path.suffix else "none"
        raise ValueError(
            f"{path}: the file suffix must be one of {', '.join(suffixes)}; got {got}."
        )


def free_name(name: str, taken: Container[str]) -> str:
    """Return a name that is not taken, with as many underscores behind it as that needs."""
    while name in taken:
        name += "_"
    return name


def default_names(count: int) -> list[str]:
    """Return names for columns without names."""
    return [f"x{i}" for i in range(1, count + 1)]


def require_no_infinity(
    path: object, values: Floats, names: list[str], rows: NDArray[np.int64]
) -> None:
    """Raise ValueError that names the first infinite value; `rows` are the numbers of the rows."""
    infinite = np.isinf(values)
    if infinite.any():
        row, column = np.unravel_index(int(np.argmax(infinite)), infinite.shape)
        where = f"{path}, row {rows[row]}, column {names[column]!r}"
        raise ValueError(not_a_number(where, str(values[row, column])))


def not_a_number(where: str, cell: str) -> str:
    """Return the error for one cell that is neither a finite number nor missing."""
    text = cell.strip()
    shown = repr(text if len(text) <= 40 else text[:37] + "...")
    value = plain_number(text)
    if value is not None and not math.isfinite(value):
        return f"{where}: every number must be finite; got {shown}. Correct it or drop the row."
    return f"{where}: every cell must be a number; got {shown}. {CORRECT}"


def missing_values(
    path: object, counts: Mapping[str, int], n: int, of: int, first: str
) -> MissingValuesError:
    """Return the error for `n` of `of` rows with missing values; `counts` is by column."""
    shown = [f"{name}: {count}" for name, count in counts.items() if count]
    more = f" and {len(shown) - 6} more columns" if len(shown) > 6 else ""
    have = "has" if n == 1 else "have"
    text = (
        f"{path}: {n} of {of} rows {have} missing values ({', '.join(shown[:6])}{more}), first in "
        f"{first}. {_FILL}"
    )
    return MissingValuesError(text, n)


def is_missing_cell(cell: str) -> bool:
    """Whether a cell of text says that its value is missing, such as ``NA`` and ``- €``."""
    text = cell.strip()
    return text.lower() in MISSING or _DASH.fullmatch(text) is not None


def plain_number(cell: str) -> float | None:
    """Return the value of a cell by numpy.loadtxt's rules: no underscores, only ASCII digits."""
    if "_" in cell or not cell.isascii():
        return None
    try:
        return float(cell)
    except ValueError:
        return None
