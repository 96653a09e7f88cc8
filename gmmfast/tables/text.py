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

from gmmfast.memory import rows_of
from gmmfast.tables.base import default_names, number, unusable

_DELIMITERS = ("\t", ";", ",")  # a comma may be a decimal comma, so it is tried last
_SNIFF_LINES = 50


class TextFile:
    """A CSV or TSV file: where its data begins, its delimiter and its columns."""

    def __init__(self, path: Path, asked: list[str]) -> None:
        self.path = path
        with self._explained():
            self.delimiter = self._sniff()
            with self._text() as file:
                records = itertools.chain(self._records(file, 1), [None, None])
                first, second = itertools.islice(records, 2)
        if first is None:
            raise ValueError(f"{path}: a table needs at least one row; the file is empty.")
        line, cells = first
        names = [cell.strip() for cell in cells]
        mixed = any(number(name) is not None for name in names)
        words = any(name and number(name) is None for name in names)
        self.has_names = (words and not mixed) or (bool(asked) and set(asked) <= set(names))
        self.names = names if self.has_names else default_names(len(names))
        if self.has_names:
            if second is None:
                raise ValueError(
                    f"{path}: a table needs at least one row below the header line; got none."
                )
            line = second[0]
        self.first_line = line

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
        """Parse cell by cell, to name the first one that is at fault."""
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
                    raise ValueError(unusable(where, cells[i]))
            rows.append(row)
        return np.array(rows, dtype=np.float64)

    def _records(self, lines: Iterable[str], first: int) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each record; blank lines are left out."""
        reader = csv.reader(lines, delimiter=self.delimiter)
        line = first
        for cells in reader:
            if any(cell and not cell.isspace() for cell in cells) or len(cells) > 1:
                yield line, cells
            line = first + reader.line_num

    def _sniff(self) -> str:
        """Return the delimiter that splits the first lines into equally many cells."""
        with self._text() as file:
            lines = (line for line in file if not line.isspace())
            sample = list(itertools.islice(lines, _SNIFF_LINES))
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
