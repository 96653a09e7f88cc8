"""CSV and TSV files."""

import contextlib
import csv
import itertools
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.tables.base import default_names, number, unusable

_DELIMITERS = ("\t", ";", ",")  # a comma may be a decimal comma, so it is tried last
_SNIFF_LINES = 50


class TextFile:
    """A CSV or TSV file: where its data begins, its delimiter and its columns."""

    def __init__(self, path: Path, asked: list[str]) -> None:
        self.path = path
        with self._explained():
            self.delimiter = self._sniff()
            first, second = itertools.islice(itertools.chain(self._records(), [None, None]), 2)
        if first is None:
            raise ValueError(f"{path}: a table needs at least one row; the file is empty.")
        line, cells = first
        names = [cell.strip() for cell in cells]
        mixed = any(number(name) is not None for name in names)
        words = any(name and number(name) is None for name in names)
        self.has_names = words and (not mixed or (bool(asked) and set(asked) <= set(names)))
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
        with self._explained():
            try:
                values = self._parse(picked)
            except ValueError:
                return self._parse_with_care(picked)
            return values if np.isfinite(values).all() else self._parse_with_care(picked)

    def _parse(self, picked: list[int]) -> NDArray[np.float64]:
        """Parse at the speed of compiled code; any fault is a ValueError that names no cell."""
        count = len(self.names)
        whole = picked == list(range(count))
        # Columns that are not wanted are read as one character each: the row lengths are checked.
        wanted = set(picked)
        kinds = [(f"c{i}", "f8" if i in wanted else "U1") for i in range(count)]
        rows: NDArray[Any] = np.loadtxt(
            os.path.abspath(self.path),
            dtype=np.float64 if whole else np.dtype(kinds),
            comments=None,
            delimiter=self.delimiter,
            skiprows=self.first_line - 1,
            ndmin=2 if whole else 1,
            encoding="utf-8-sig",
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

    def _parse_with_care(self, picked: list[int]) -> NDArray[np.float64]:
        """Parse cell by cell, to name the first one that is at fault."""
        rows = []
        for line, cells in self._records(self.first_line):
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

    def _records(self, start: int = 1) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each record from line `start` on; blank lines are left out."""
        with self._text() as file:
            reader = csv.reader(itertools.islice(file, start - 1, None), delimiter=self.delimiter)
            line = start
            for cells in reader:
                if any(cell and not cell.isspace() for cell in cells) or len(cells) > 1:
                    yield line, cells
                line = start + reader.line_num

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
