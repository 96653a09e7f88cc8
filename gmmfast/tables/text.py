"""CSV and TSV files."""

import contextlib
import csv
import itertools
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.free_memory import rows_of
from gmmfast.tables.base import AS_HEADER, AS_ROW, LEAVE_OUT, default_names, number, unusable
from gmmfast.tables.header import Row, count_index, counts_rows, is_header, is_name

_DELIMITERS = ("\t", ";", ",")  # a comma may be a decimal comma, so it is tried last
_SNIFF_LINES = 50


class TextFile:
    """A CSV or TSV file: where its data begins, its delimiter and its columns.

    Parameters
    ----------
    path : Path
        The file.
    asked : list of str
        Names of columns that are wanted.
    header : bool or None
        Whether the first line holds the names of the columns; None finds out.
    """

    def __init__(self, path: Path, asked: list[str], header: bool | None = None) -> None:
        self.path = path
        with self._explained():
            head = self._head()
            self.delimiter = self._sniff(head)
            records = list(self._records(head, 1))
        if not records:
            raise ValueError(f"{path}: a table needs at least one row; the file is empty.")
        lines = [line for line, _ in records]
        first, *below = [[cell.strip() for cell in cells] for _, cells in records]
        rows = [row for row in below if len(row) == len(first)]
        n_index = count_index(first, rows) if header is not False else 0
        names = _named(first, n_index)
        if header is None:
            kept = [row[n_index:] for row in rows]
            wanted = [name for name in asked if name not in names[:n_index]]
            is_quoted = _is_quoted(head, lines, [first, *below])
            self.has_names = is_header(first[n_index:], kept, wanted, is_quoted)
        else:
            self.has_names = header
        if self.has_names and not below:
            raise ValueError(
                f"{path}: a table needs at least one row below the header line; got none."
            )
        self.first_line = lines[1] if self.has_names else lines[0]
        self.names = names if self.has_names else default_names(len(first))
        self.index = names[:n_index] if self.has_names else []
        self.notes = []
        if header is None:
            self.notes = self._notes(first, n_index, [first, *rows], is_asked=bool(asked))

    @property
    def n_bytes(self) -> float:
        """Size of the file: a number of eight bytes takes about as many characters."""
        return self.path.stat().st_size

    def read(self, picked: list[int]) -> NDArray[np.float64]:
        """Return the picked columns; ValueError names the first cell that is no number."""
        return np.concatenate(list(self.pieces(picked, None)))

    def pieces(self, picked: list[int], n_rows: int | None) -> Iterator[NDArray[np.float64]]:
        """Yield some rows at a time; errors as of `read`."""
        step, first = n_rows or rows_of(len(picked), np.dtype(np.float64)), self.first_line
        with self._explained(), self._text() as file:
            rest = itertools.islice(file, first - 1, None)
            while lines := list(itertools.islice(rest, step)):
                is_open = sum(text.count('"') for text in lines) % 2
                while is_open and (more := next(rest, None)):  # a cell in quotes goes on there
                    lines.append(more)
                    is_open ^= more.count('"') % 2
                if not all(text.isspace() for text in lines):
                    yield self._checked(lines, first, picked)
                first += len(lines)

    def cells(self, column: int) -> list[Any]:
        """Return the text of a column whose rows `read` has checked."""
        with self._explained(), self._text() as file:
            lines = itertools.islice(file, self.first_line - 1, None)
            return [cells[column].strip() for _, cells in self._records(lines, self.first_line)]

    def _checked(self, lines: list[str], first: int, picked: list[int]) -> NDArray[np.float64]:
        """Parse lines, of which the first is number `first`, into finite numbers."""
        try:
            values = self._parse(lines, picked)
        except ValueError:
            values = np.full(1, np.nan)
        return values if np.isfinite(values).all() else self._parse_with_care(lines, first, picked)

    def _parse(self, lines: list[str], picked: list[int]) -> NDArray[np.float64]:
        """Parse at the speed of compiled code; any fault is a ValueError that names no cell."""
        count = len(self.names)
        whole = picked == list(range(count))
        # Columns that are not wanted are read as one character each: the row lengths are checked.
        wanted = set(picked)
        kinds = [(f"c{i}", "f8" if i in wanted else "U1") for i in range(count)]
        rows: NDArray[Any] = np.loadtxt(
            lines,
            dtype=np.float64 if whole else np.dtype(kinds),
            comments=None,
            delimiter=self.delimiter,
            ndmin=2 if whole else 1,
            quotechar='"',
        )
        if whole:
            if rows.shape[1] != count:
                raise ValueError("the rows are not as long as the header line")
            return rows
        values = np.empty((len(rows), len(picked)))
        for j, i in enumerate(picked):
            values[:, j] = rows[f"c{i}"]
        return values

    def _parse_with_care(
        self, lines: list[str], first: int, picked: list[int]
    ) -> NDArray[np.float64]:
        """Parse cell by cell, to name the first cell at fault."""
        rows = []
        for line, cells in self._records(lines, first):
            if len(cells) != len(self.names):
                like = "the header line" if self.has_names else f"line {self.first_line}"
                raise ValueError(
                    f"{self.path}, line {line}: every row must have {len(self.names)} cells, "
                    f"as {like} has; got {len(cells)}. Correct the row."
                )
            row = [number(cells[i].strip()) for i in picked]
            for i, value in zip(picked, row, strict=True):
                if value is None or not math.isfinite(value):
                    where = f"{self.path}, line {line}, column {self.names[i]!r}"
                    text, cell = unusable(where, cells[i]), cells[i].strip()
                    is_first = line == self.first_line and not self.has_names
                    if is_first and (not cell or is_name(cell)):
                        text = f"{text} {AS_HEADER}"
                    raise ValueError(text)
            rows.append(row)
        return np.array(rows, dtype=np.float64).reshape(-1, len(picked))

    def _records(self, lines: Iterable[str], first: int) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each record; blank lines are left out."""
        reader = csv.reader(lines, delimiter=self.delimiter)
        line = first
        for cells in reader:
            if any(cell and not cell.isspace() for cell in cells) or len(cells) > 1:
                yield line, cells
            line = first + reader.line_num

    def _notes(self, first: Row, n_index: int, rows: list[Row], *, is_asked: bool) -> list[str]:
        """What could be read otherwise."""
        numbers = [cell for cell in first if number(cell) is not None]
        are_all = len(numbers) == len(first) - n_index
        shown = self.delimiter.join(first[:4]) + ", ..." * (len(first) > 4)
        line = f"{self.path}: the first line ({shown if len(shown) <= 60 else shown[:57] + '...'})"
        notes = []
        if self.has_names and numbers:
            notes.append(f"{line} is read as the names of the columns. {AS_ROW}")
        elif are_all:
            notes.append(f"{line} is read as a row of numbers. {AS_HEADER}")
        if not (self.has_names or is_asked) and counts_rows(rows):
            notes.append(
                f"{self.path}: column 'x1' counts the rows, and is read as data. {LEAVE_OUT}"
            )
        return notes

    def _head(self) -> list[str]:
        """Return the first lines, with the blank ones among them."""
        head, count = [], 0
        with self._text() as file:
            for line in file:
                head.append(line)
                count += not line.isspace()
                if count == _SNIFF_LINES:
                    break
        return head

    def _sniff(self, head: list[str]) -> str:
        """Return the delimiter that splits the first lines into equally many cells."""
        sample = [line for line in head if not line.isspace()]
        widths = {}
        for delimiter in _DELIMITERS:
            records = [len(cells) for cells in csv.reader(sample, delimiter=delimiter)]
            widths[delimiter] = records or [1]
        for delimiter, records in widths.items():
            if records[0] > 1 and len(set(records)) == 1:
                return delimiter
        return max(reversed(_DELIMITERS), key=lambda delimiter: widths[delimiter][0])

    def _text(self) -> IO[str]:
        return open(self.path, encoding="utf-8-sig", newline="")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            raise ValueError(
                f"{self.path}: the text must be UTF-8; got byte {byte:#04x}. Save it as CSV UTF-8."
            ) from None
        except csv.Error as error:
            raise ValueError(f"{self.path}: the file must be CSV text; got: {error}.") from None


def _named(cells: Row, n_index: int) -> Row:
    """Names of columns from the cells of a header; an index without a name is called "index"."""
    names = list(cells)
    for j in range(n_index):
        if not names[j]:
            name = "index"
            while name in names:
                name += "_"
            names[j] = name
    return names


def _is_quoted(head: list[str], lines: list[int], records: list[Row]) -> bool:
    """Whether all cells of the first record are in quotes, and of no other."""
    ends = [line - 1 for line in lines[1:]] + [len(head)]
    texts = ["".join(head[line - 1 : end]) for line, end in zip(lines, ends, strict=True)]
    first, *others = [
        all(f'"{cell}"' in text for cell in cells)
        for text, cells in zip(texts, records, strict=True)
    ]
    return first and bool(others) and not any(others)
