"""CSV, TSV and other separated text."""

import contextlib
import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.free_memory import rows_of
from gmmfast.tables import dialect as dialects
from gmmfast.tables.base import DECIMAL, DIALECT, HEAD, Piece, Reading, is_missing_cell
from gmmfast.tables.opening import DENSITY, encoding_of, explained, kind_of, open_text
from gmmfast.tables.records import Record, Records

COMMENT = "#"  # begins a line that is no data
LONGEST = 10_000  # lines of a cell in quotes; a quote that goes on is a stray one
LONG = 1 << 18  # characters that are enough to know a dialect


class TextFile(Records):
    """A text file: its encoding, its dialect, its comments, and its columns.

    Parameters
    ----------
    path : Path
        The file.
    asked : list of str
        Names of columns that are wanted.
    reading : Reading
        What the user says of it.
    """

    def __init__(self, path: Path, asked: list[str], reading: Reading) -> None:
        self.path = path
        with explained(path, reading.encoding or ""):
            self.encoding = reading.encoding or encoding_of(path)
        with self._explained():
            head = self._head()
            lines, delimiter = _declared(head)
            self.width = 0  # no line is long enough to be a row, until the dialect is known
            self.has_comments = any(_is_data(line) for line in lines)
            there = [line for line in self._without_comments(lines) if not line.isspace()]
            self.dialect = dialects.found(there, reading.delimiter or delimiter, reading.decimal)
            records = list(self._records(self._without_comments(lines), 1))
            n_above = records[0][0] - 1 if records else 0
            widths = [len(cells) for _, cells in records]
            self.width = max(widths, key=widths.count, default=0)
            lines = ["\n"] * n_above + self._without_comments(lines[n_above:])
            records = list(self._records(lines, 1))
        above = _header_in_comment(head, records, self.dialect)
        if above is not None and reading.header is not False:
            records.insert(0, above)
        is_quoted = _is_quoted(lines, records) if above is None else False
        super().__init__(path, records, self.dialect, asked, reading, is_quoted)
        # whether other files of the same table may know better
        self.is_open = not self.dialect.is_sure or dialects.is_unclear(there, self.dialect)
        self._note_dialect(reading, there, is_declared=delimiter is not None)
        if any(map(self._is_comment, head[self.first :])):
            self.note(f"lines that begin with {COMMENT} are left out as comments.")

    @property
    def n_bytes(self) -> float:
        """Size of the text: a number of eight bytes takes about as many characters."""
        return self.path.stat().st_size * (DENSITY if kind_of(self.path)[1] else 1)

    def pieces(
        self, picked: list[int], n_rows: int | None = None, kept: Sequence[int] = ()
    ) -> Iterator[Piece]:
        """Yield some rows at a time; ValueError names the first cell that is no number."""
        step, first = n_rows or rows_of(len(picked), np.dtype(np.float64)), self.first
        with self._explained(), open_text(self.path, self.encoding) as file:
            rest = itertools.islice(file, first - 1, None)
            while lines := list(itertools.islice(rest, step)):
                is_open = sum(text.count('"') for text in lines) % 2
                for more in itertools.islice(rest, LONGEST if is_open else 0):
                    lines.append(more)  # a cell in quotes goes on there
                    if more.count('"') % 2:
                        break
                piece = self._piece(self._without_comments(lines), first, picked, kept)
                if len(piece.values):
                    yield piece
                first += len(lines)

    def _piece(self, lines: list[str], first: int, picked: list[int], kept: Sequence[int]) -> Piece:
        """Parse lines, of which the first is number `first`."""
        count = sum(not line.isspace() for line in lines)
        if count and not kept:
            with contextlib.suppress(ValueError):
                values = self._parse(lines, picked)
                # fewer rows than lines: a cell in quotes goes on in the next line
                if len(values) == count and np.isfinite(values).all():
                    return Piece(values, [])
        self._require_closed_quotes(lines, first)
        return self.numbers(self._records(lines, first), picked, kept)

    def _require_closed_quotes(self, lines: list[str], first: int) -> None:
        """Raise ValueError if a stray quote makes one cell of several rows."""
        if not any('"' in line for line in lines):
            return
        reader: Any = self.dialect.records(lines)
        begin = 0
        for _ in reader:
            whole = lines[begin : reader.line_num]
            if len(whole) > 1 and self._is_swallowing(whole):
                raise ValueError(
                    f'{self.path}, line {first + begin}: a quote (") must be closed in its own '
                    f"cell; this one goes on to line {first + reader.line_num - 1}. Remove the "
                    "quote or close it; a quote within a cell in quotes is written twice."
                )
            begin = reader.line_num

    def _is_swallowing(self, lines: list[str]) -> bool:
        """Whether lines of one record are no whole record, or hold rows."""
        try:
            list(self.dialect.records(lines, strict=True))
        except csv.Error:
            return True
        inside = [line.partition('"')[0] for line in lines[1:]]  # what follows is outside the cell
        return any(map(self._is_row, self.dialect.records(inside)))

    def _is_row(self, cells: list[str]) -> bool:
        """Whether cells are a row: all columns, with numbers or gaps where they belong."""
        aside = {*self.text, *self.empty, *self.index}
        if len(cells) != len(self.names) or len(cells) < 2:
            return False
        numeric = [c for name, c in zip(self.names, cells, strict=True) if name not in aside]
        numbers = [self.dialect.number(c) is not None for c in numeric]
        return any(numbers) and all(
            is_number or is_missing_cell(c) for c, is_number in zip(numeric, numbers, strict=True)
        )

    def _parse(self, lines: list[str], picked: list[int]) -> NDArray[np.float64]:
        """Parse at the speed of compiled code; any fault is a ValueError that names no cell."""
        if self.dialect.decimal == ",":
            if any("." in line for line in lines):
                raise ValueError("a point may separate thousands, or be in text")
            lines = [line.replace(",", ".") for line in lines]
        if not self.dialect.is_sure and any("." in line for line in lines):
            raise ValueError("a point or comma may be a decimal mark, or separate thousands")
        count = len(self.names)
        whole = picked == list(range(count))
        # Columns that are not wanted are read as one character each: the row lengths are checked.
        wanted = set(picked)
        kinds = [(f"c{i}", "f8" if i in wanted else "U1") for i in range(count)]
        rows: NDArray[Any] = np.loadtxt(
            lines,
            dtype=np.float64 if whole else np.dtype(kinds),
            comments=None,
            delimiter=None if self.dialect.delimiter == " " else self.dialect.delimiter,
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

    def _records(self, lines: Iterable[str], first: int) -> Iterator[Record]:
        """Line number and cells of each record; blank lines are left out."""
        reader: Any = self.dialect.records(lines)
        line = first
        for cells in reader:
            if any(cell and not cell.isspace() for cell in cells) or len(cells) > 1:
                yield line, cells
            line = first + reader.line_num

    def _without_comments(self, lines: list[str]) -> list[str]:
        """Make comments blank lines, which keep their numbers."""
        return ["\n" if self._is_comment(line) else line for line in lines]

    def _is_comment(self, line: str) -> bool:
        """Whether a line begins with # and has not as many cells as a row; # may begin a name."""
        if not (line.startswith(COMMENT) and self.has_comments):
            return False
        if self.width < 2:
            return True
        return all(len(cells) != self.width for cells in self.dialect.records([line]))

    def _head(self) -> list[str]:
        """Return the first lines, with the blank ones among them; fewer of very long ones."""
        head, count, size = [], 0, 0
        with open_text(self.path, self.encoding) as file:
            for line in file:
                head.append(line)
                count += not (line.isspace() or line.startswith(COMMENT))
                size += len(line)
                if count == HEAD or (count >= HEAD // 20 and size > LONG):
                    break
        return head

    def _note_dialect(self, reading: Reading, lines: list[str], *, is_declared: bool) -> None:
        """Say in one line what is unusual in the first lines, unless the user has said it."""
        dialect, unusual = self.dialect, []
        if dialect.delimiter in "| " and not (reading.delimiter or is_declared):
            unusual.append(f"{dialects.NAMES[dialect.delimiter]} between cells")
        if dialect.decimal == "," and reading.decimal is None:
            unusual.append("decimal commas")
        if dialect.thousands and reading.decimal is None:
            unusual.append("points" if dialect.thousands == "." else "commas")
            unusual[-1] += " between thousands"
        signs = sorted({sign for sign in self.signs.values() if sign})
        if signs:
            unusual.append(f"{', '.join(signs)} beside numbers, which are left out")
        if reading.encoding is None and not self.encoding.startswith("utf-8"):
            unusual.append(f"{self.encoding} text")
        if unusual:
            self.note(f"read with {', '.join(unusual)}. {DIALECT}")
        if reading.decimal is None and dialects.is_unclear(lines, dialect):
            self.note(
                f"its numbers have a {'comma' if dialect.decimal == ',' else 'point'} before three "
                f"digits, which is read as the decimal mark. {DECIMAL}"
            )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            with explained(self.path, self.encoding):
                yield
        except csv.Error as error:
            raise ValueError(f"{self.path}: the file must be CSV text; got: {error}.") from None


def _declared(head: list[str]) -> tuple[list[str], str | None]:
    """Make a first line such as ``sep=;`` blank, and return the delimiter that it names."""
    text = head[0].strip().strip('"') if head else ""
    if not (text.lower().startswith("sep=") and len(text) == 5):
        return head, None
    return ["\n", *head[1:]], text[-1]


def _is_data(line: str) -> bool:
    return not (line.isspace() or line.startswith(COMMENT))


def _header_in_comment(
    head: list[str], records: list[Record], dialect: dialects.Dialect
) -> Record | None:
    """Return names in the last comment above the data, as numpy.savetxt and others write them."""
    first = records[0] if records else (0, [])
    if not first[1] or any(dialect.number(cell) is None for cell in first[1]):
        return None
    above = [
        (number, line)
        for number, line in enumerate(head[: first[0] - 1], 1)
        if line.startswith(COMMENT)
    ]
    if not above:
        return None
    number, line = above[-1]
    for cells in dialect.records([line.lstrip(COMMENT).strip()]):
        if len(cells) == len(first[1]) and all(dialect.number(cell) is None for cell in cells):
            return number, cells
    return None


def _is_quoted(lines: list[str], records: list[Record]) -> bool:
    """Whether all cells of the first record are in quotes, and of no other."""
    if not records:
        return False
    starts = [line for line, _ in records]
    ends = [line - 1 for line in starts[1:]] + [len(lines)]
    texts = ["".join(lines[line - 1 : end]) for line, end in zip(starts, ends, strict=True)]
    marked = [
        all(f'"{cell.strip()}"' in text for cell in cells)
        for text, (_, cells) in zip(texts, records, strict=True)
    ]
    return len(marked) > 1 and marked[0] and not any(marked[1:])
