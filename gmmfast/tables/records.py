"""What text and spreadsheets share: records of cells, the first of which may be a header."""

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.tables.base import (
    AS_HEADER,
    AS_ROW,
    DECIMAL,
    EmptyTableError,
    Piece,
    Reading,
    TableFile,
    default_names,
    free_name,
    is_missing_cell,
    not_a_number,
    plain_number,
)
from gmmfast.tables.dialect import Dialect, Row, are_months, share_of_numbers
from gmmfast.tables.header import count_index, is_header, is_name, title_length

Record = tuple[int, list[str]]  # number of the line, and its cells

NUMERIC = 0.1  # share of numbers from which on a column is one of numbers
_PADDED = re.compile(r"0[0-9]+")


class Records(TableFile):
    """A table of cells of text: where its data begins, its columns, and the numbers in them.

    Parameters
    ----------
    path : Path
        The file.
    head : list of (int, list of str)
        Its first records.
    dialect : Dialect
        How cells write numbers.
    asked : list of str
        Names of columns that are wanted.
    reading : Reading
        Its `header` decides whether the first record holds the names of the columns.
    is_quoted : bool
        Whether all cells of the first record are in quotes, and of no other.
    """

    unit = "line"

    def __init__(
        self,
        path: Path,
        head: list[Record],
        dialect: Dialect,
        asked: list[str],
        reading: Reading,
        is_quoted: bool = False,
    ) -> None:
        self.path, self.dialect, self.notes = path, dialect, list[str]()
        lines, records = [line for line, _ in head], [_stripped(cells) for _, cells in head]
        if not records:
            text = f"{path}: a table needs at least one row; the file is empty."
            raise EmptyTableError(text, [])
        above = title_length(records, dialect) if reading.header is not False else 0
        self._note_title(records[:above])
        lines, (first, *below) = lines[above:], records[above:]
        first = _as_wide(first, below, reading.header)
        rows = [row for row in below if len(row) == len(first)]
        n_index = count_index(first, rows) if reading.header is not False else 0
        names = _named(first, n_index)
        self.has_names = self._is_header(first, rows, n_index, asked, reading, is_quoted)
        if self.has_names and not below:
            raise EmptyTableError(
                f"{path}: a table needs at least one row below the header line; got none.", names
            )
        self.first = lines[1] if self.has_names else lines[0]
        self.names = names if self.has_names else default_names(len(first))
        self.index = names[:n_index] if self.has_names else []
        data = rows if self.has_names else [first, *rows]
        columns = [[row[j] for row in data] for j in range(len(first))]
        by_name = list(zip(self.names, columns, strict=True))
        self.empty = [name for name, c in by_name if c and all(map(is_missing_cell, c))]
        self.text = [name for name, c in by_name if name not in self.empty and _is_text(c, dialect)]
        self.signs = {name: _sign(cells, dialect) for name, cells in by_name}
        self.padded = [name for name, cells in by_name if _is_padded(cells)]
        if reading.header is None:
            self._note_first(first, n_index)

    def numbers(self, records: Iterable[Record], picked: list[int], kept: Sequence[int]) -> Piece:
        """Parse cell by cell; ValueError names the first cell at fault."""
        rows, lines, cells = [], [], [list[Any]() for _ in kept]
        for line, record in records:
            self._require_width(line, record)
            rows.append([self._number(line, i, record[i]) for i in picked])
            lines.append(line)
            for column, i in zip(cells, kept, strict=True):
                column.append(record[i].strip())
        values: NDArray[np.float64] = np.array(rows, np.float64).reshape(-1, len(picked))
        return Piece(values, cells, lines)

    def _number(self, line: int, column: int, cell: str) -> float:
        """Return the number in a cell, NaN if it is missing."""
        if is_missing_cell(cell):
            return math.nan
        value, sign = self.dialect.amount(cell)
        where = f"{self.path}, {self.unit} {line}, column {self.names[column]!r}"
        if sign and sign != self.signs[self.names[column]]:
            known = self.signs[self.names[column]] or "no sign"
            raise ValueError(
                f"{where}: the numbers of a column must have one unit; got {cell.strip()!r} where "
                f"those above have {known}. Convert them to one unit."
            )
        if value is None or not math.isfinite(value):
            text = not_a_number(where, cell)
            if any(mark in cell for mark in ".,") and self._is_number_otherwise(cell):
                text += f" The decimal mark is read as {self.dialect.decimal!r}. {DECIMAL}"
            if line == self.first and not self.has_names and is_name(cell.strip()):
                text += f" {AS_HEADER}"
            raise ValueError(text)
        return value

    def _is_number_otherwise(self, cell: str) -> bool:
        delimiter = self.dialect.delimiter
        others = (Dialect(delimiter, ".", ","), Dialect(delimiter, ",", "."))
        return any(dialect.number(cell) is not None for dialect in others)

    def _require_width(self, line: int, record: list[str]) -> None:
        if len(record) != len(self.names):
            like = "the header line" if self.has_names else f"{self.unit} {self.first}"
            raise ValueError(
                f"{self.path}, {self.unit} {line}: every row must have {len(self.names)} cells, "
                f"as {like} has; got {len(record)}. Correct the row, or delete it if it is a "
                "footnote or a total."
            )

    def _is_header(
        self,
        first: Row,
        rows: list[Row],
        n_index: int,
        asked: list[str],
        reading: Reading,
        is_quoted: bool,
    ) -> bool:
        if reading.header is not None:
            return reading.header
        kept = [row[n_index:] for row in rows]
        wanted = [name for name in asked if name not in _named(first, n_index)[:n_index]]
        return is_header(first[n_index:], kept, wanted, is_quoted, self.dialect)

    def _note_title(self, above: list[Row]) -> None:
        """Say which lines are left out, because they stand above the names of the columns."""
        if not above:
            return
        text = " ".join(cell for row in above for cell in row if cell)
        shown = text if len(text) <= 60 else text[:57] + "..."
        is_one = len(above) == 1
        which = f"the first {self.unit}" if is_one else f"the first {len(above)} {self.unit}s"
        self.note(
            f"{which} ({shown}) {'stands' if is_one else 'stand'} above the names of the columns, "
            f"and {'is' if is_one else 'are'} left out. {AS_ROW}"
        )

    def _note_first(self, first: Row, n_index: int) -> None:
        """Say what could be read otherwise."""
        numbers = [cell for cell in first if self.dialect.number(cell) is not None]
        are_all = len(numbers) == len(first) - n_index
        shown = self.dialect.delimiter.join(first[:4]) + ", ..." * (len(first) > 4)
        line = f"the first {self.unit} ({shown if len(shown) <= 60 else shown[:57] + '...'})"
        if self.has_names and numbers:
            self.note(f"{line} is read as the names of the columns. {AS_ROW}")
        elif are_all:
            self.note(f"{line} is read as a row of numbers. {AS_HEADER}")

    def note(self, text: str) -> None:
        """Add a note on how the file is read."""
        self.notes.append(f"{self.path}: {text}")


def _is_text(cells: Row, dialect: Dialect) -> bool:
    """Whether hardly a cell is a number, with either decimal mark; otherwise text is a fault."""
    if are_months(cells):
        return True
    others = (Dialect(dialect.delimiter, ".", ","), Dialect(dialect.delimiter, ",", "."))
    readings = [share_of_numbers(cells, each) for each in (dialect, *others)]
    return bool(cells) and readings[0] < NUMERIC and max(readings) < 0.5


def _is_padded(cells: Row) -> bool:
    """Whether whole numbers begin with zeros, as postal codes and ids do."""
    return any(map(_PADDED.fullmatch, cells)) and all(
        cell.isdigit() or is_missing_cell(cell) for cell in cells
    )


def _stripped(cells: list[str]) -> Row:
    return [cell.strip() for cell in cells]


def _as_wide(first: Row, below: list[Row], header: bool | None) -> Row:
    """Add the name of the row names, which R does not write, or of cells behind the last comma."""
    wider = bool(below) and all(len(row) == len(first) + 1 for row in below)
    if header is False or not wider or any(plain_number(cell) is not None for cell in first):
        return first
    return [*first, ""] if not any(row[-1] for row in below) else ["", *first]


def _named(cells: Row, n_index: int) -> Row:
    """Names of columns from the cells of a header; an index without a name is called "index"."""
    names = list(cells)
    for j in range(n_index):
        if not names[j]:
            names[j] = free_name("index", names)
    return names


def _sign(cells: Row, dialect: Dialect) -> str:
    """Return the first sign of a column of numbers."""
    return next((sign for _, sign in map(dialect.amount, cells) if sign), "")
