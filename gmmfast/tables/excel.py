"""Sheets of Excel and OpenDocument files; their libraries are imported only for these."""

import datetime
import importlib
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.free_memory import rows_of
from gmmfast.tables.base import HEAD, SHEET, EmptyTableError, Piece, Reading, is_missing_cell
from gmmfast.tables.dialect import Dialect, decimal_of
from gmmfast.tables.records import Record, Records

CELL = 8  # bytes per cell, for estimates: a sheet is held in memory while it is read
MOST_ROWS = (1 << 20) - 1  # of an .xlsx sheet, below the names of the columns
MOST_COLUMNS = 1 << 14  # and of columns
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,10})(?:\.[0-9]+)?")  # text; longer ones are codes
EXACT = 10**15  # whole numbers from here on are text: a cell keeps 15 digits


class ExcelFile(Records):
    """A sheet of a spreadsheet file; the first that is no cover, unless the user names another.

    Cells that hold text are read as in a text file with decimal points.
    """

    unit = "row"

    def __init__(self, path: Path, asked: list[str], reading: Reading) -> None:
        book = _book(path)
        names: list[str] = book.sheet_names
        if reading.sheet is not None and reading.sheet not in names:
            raise ValueError(
                f"{path}: there is no sheet {reading.sheet!r}; the sheets are {', '.join(names)}."
            )
        sheet, self._rows = _first_table(book, names if reading.sheet is None else [reading.sheet])
        columns = itertools.zip_longest(*self._rows[1:HEAD])
        texts = [[c.strip() for c in column if isinstance(c, str)] for column in columns]
        self._decimal = reading.decimal or decimal_of(texts, ";")
        head = list(self._records(0, HEAD))
        try:
            super().__init__(path, head, Dialect(";", self._decimal), asked, reading)
        except EmptyTableError as error:
            if len(names) == 1:
                raise
            text = f"{error} Sheet {sheet!r} of {len(names)} is read. {SHEET}"
            raise EmptyTableError(text, error.names) from None
        if reading.sheet is None and len(names) > 1:
            self.notes.insert(0, f"{path}: sheet {sheet!r} of {len(names)} is read. {SHEET}")

    @property
    def n_bytes(self) -> float:
        """Size of all cells as numbers."""
        return float(CELL * len(self._rows) * len(self.names))

    def pieces(
        self, picked: list[int], n_rows: int | None = None, kept: Sequence[int] = ()
    ) -> Iterator[Piece]:
        """Yield some rows at a time; ValueError names the first cell that is no number."""
        step = n_rows or rows_of(len(picked), np.dtype(np.float64))
        for start in range(self.first - 1, len(self._rows), step):
            piece = self.numbers(self._records(start, start + step), picked, kept)
            if len(piece.values):
                yield piece

    def _records(self, start: int, stop: int) -> Iterator[Record]:
        """Number and cells of the rows that are not empty."""
        for number, row in enumerate(self._rows[start:stop], start + 1):
            cells = [_text(cell, self._decimal) for cell in row]
            if any(cells):
                yield number, cells


def _first_table(book: Any, names: Sequence[str]) -> tuple[str, list[list[Any]]]:
    """Return the first sheet that is no cover, or the first sheet."""
    first: list[list[Any]] = []
    for name in names:
        rows: list[list[Any]] = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        if not _is_cover(rows):
            return name, rows
        first = first or rows
    return names[0], first


def _is_cover(rows: list[list[Any]]) -> bool:
    """Whether a sheet has no number below its first row; one row is a header, or a title."""
    filled = [[cell for cell in row if cell != ""] for row in rows]
    first, *below = [row for row in filled if row] or [[]]
    is_header = len(first) > 1 and not below
    return not is_header and not any(map(_is_number, itertools.chain(*below)))


def _is_number(cell: Any) -> bool:
    if isinstance(cell, str):
        return any(Dialect(";", mark).number(cell) is not None for mark in ".,")
    return isinstance(cell, int | float)


def _book(path: Path) -> Any:
    try:
        calamine: Any = importlib.import_module("python_calamine")
    except ImportError:
        raise ImportError(
            f"{path}: reading {path.suffix} files needs python-calamine, which is not installed. "
            'Install it with: pip install "gmmfast[excel]", or save the sheet as CSV.'
        ) from None
    try:
        return calamine.CalamineWorkbook.from_path(str(path))
    except calamine.PasswordError:
        raise ValueError(f"{path}: the file is locked by a password. Save it without.") from None
    except (calamine.CalamineError, OSError):
        raise ValueError(
            f"{path}: a {path.suffix} file is required; this one is damaged or something else. "
            "Write it again."
        ) from None


def _text(cell: Any, decimal: str) -> str:
    """Return a cell as text; numbers have the decimal mark of the cells of text."""
    if isinstance(cell, bool):
        return str(int(cell))
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, float):
        return repr(cell).replace(".", decimal)
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell).strip()


def excel_writer(path: Path) -> Any:
    """Return the library that writes .xlsx files, or raise ImportError."""
    try:
        return importlib.import_module("xlsxwriter")
    except ImportError:
        raise ImportError(
            f"{path}: writing .xlsx files needs xlsxwriter, which is not installed. "
            'Install it with: pip install "gmmfast[excel]", or write .csv.'
        ) from None


def write_excel(file: IO[bytes], pieces: Iterable[Mapping[str, NDArray[Any] | list[Any]]]) -> None:
    """Write columns as the only sheet of an .xlsx file; text is never a formula or a link."""
    options = {"constant_memory": True}
    with excel_writer(Path(file.name)).Workbook(file, options) as book:
        sheet, count = book.add_worksheet(), 0
        for columns in pieces:
            if len(columns) > MOST_COLUMNS:
                raise ValueError(
                    f"an .xlsx file holds at most {MOST_COLUMNS} columns. Write .csv or .parquet."
                )
            if not count:
                _write_cells(sheet, 0, columns)
            cells = [
                _as_numbers(c) if isinstance(c, list) else c.tolist() for c in columns.values()
            ]
            for row in zip(*cells, strict=True):
                count += 1
                if count > MOST_ROWS:
                    raise ValueError(
                        f"an .xlsx file holds at most {MOST_ROWS} rows. Write .csv or .parquet."
                    )
                _write_cells(sheet, count, row)


def _as_numbers(cells: list[Any]) -> list[Any]:
    """Return a column of text as numbers, if all its cells are; codes such as 007 stay text."""
    there = [cell for cell in cells if not (isinstance(cell, str) and is_missing_cell(cell))]
    if not (there and all(isinstance(cell, str) and _NUMBER.fullmatch(cell) for cell in there)):
        return cells
    return [None if is_missing_cell(cell) else float(cell) for cell in cells]


def _write_cells(sheet: Any, row: int, cells: Iterable[Any]) -> None:
    """Write a row; cells that are missing stay empty."""
    for column, cell in enumerate(cells):
        if cell is None or cell != cell:
            continue
        is_number = isinstance(cell, int | float) and math.isfinite(cell)
        if is_number and (isinstance(cell, float) or abs(cell) < EXACT):
            sheet.write_number(row, column, cell)
        elif sheet.write_string(row, column, str(cell)):  # a code of failure
            raise ValueError(
                f"an .xlsx cell holds at most 32767 characters; row {row} has more in column "
                f"{column + 1}. Write .csv or .parquet."
            )
