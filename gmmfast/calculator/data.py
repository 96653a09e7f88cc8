"""Uploads of the page, files and pasted text, into a table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.datasets import EXAMPLES
from gmmfast.errors import MissingValuesError
from gmmfast.tables import (
    AS_DATA,
    AS_HEADER,
    AS_ROW,
    CORRECT,
    DECIMAL,
    DIALECT,
    DROP,
    KEEP,
    LEAVE_OUT,
    READ_SUFFIXES,
    SHEET,
    TEXT_SUFFIXES,
    Reading,
    Table,
    choose_columns,
    kind_of,
)
from gmmfast.tables.base import TableFile, is_missing_cell
from gmmfast.tables.dialect import DELIMITERS, Dialect
from gmmfast.tables.files import open_file
from gmmfast.tables.opening import open_bytes
from gmmfast.tables.text import TextFile

PREVIEW = 200  # rows to show on the page
BLOCK = 1 << 12  # rows to write at once
MEGABYTE = 1 << 20
LARGEST_TABLE = 512 * MEGABYTE  # once it is decoded: a small file may hold a large table
MOST_COLUMNS = 10_000
DIALECTS = (Dialect(",", ".", ","), Dialect(";", ",", "."))  # of numbers, English and other
TYPED = Reading(header=True, delimiter=",")  # as the page writes rows that are typed into it
REMEDIES = {  # on the page, which has no options and no Python
    ", or choose the columns with --columns (columns= in Python)": "",
    "Choose other columns with --columns (columns= in Python).": (
        "Fill cells there, or delete columns, and load it again."
    ),
    AS_ROW: "If it is a row, put a line of names above it.",
    AS_HEADER: "If it holds the names of the columns, begin them with letters.",
    AS_DATA: "To use it, give it a name.",
    LEAVE_OUT: "To leave it out, untick it.",
    DECIMAL: "If that is wrong, write decimal points and no other marks.",
    DIALECT: "If that is wrong, write decimal points, commas between cells, and names above them.",
    DROP: "or leave these rows out",
    KEEP: "or use what is known of them",
    SHEET: "To use another one, save it as a file of its own.",
}
IN_FILE = "Correct it there, and load it again."  # what to do about a cell
IN_TABLE = "Correct it, or untick the column."


@dataclass(frozen=True)
class Origin:
    """The origin of rows."""

    source: str  # a file name, or its substitute
    names: list[str]  # columns of numbers
    has_names: bool  # whether the data came with them
    drop_missing: bool  # whether rows with missing values were left out
    keep_missing: bool = False  # whether missing values are NaN


@dataclass(frozen=True)
class Loaded:
    """A table, and notes on it for the page."""

    source: str
    table: Table
    left_out: list[str]  # columns without numbers
    notes: list[str]  # how it was read, where it could be read otherwise
    order: list[str]  # all its columns that have a name of their own
    names: list[str]  # all its columns
    drop_missing: bool = False  # whether rows with missing values were left out
    keep_missing: bool = False  # whether missing values are NaN
    file: Path | None = None  # the upload, for columns that are not used
    reading: Reading = Reading()  # how the upload was read
    codes: Sequence[str] = ()  # columns whose numbers begin with zeros
    decimal: str | None = None  # the decimal mark of its text, if that is beyond doubt

    @property
    def origin(self) -> Origin:
        """The origin of the table."""
        table = self.table
        how = self.drop_missing, self.keep_missing
        return Origin(self.source, table.names, table.has_names, *how)

    def summary(self) -> dict[str, Any]:
        """Return the preview for the page: names, size, first rows."""
        return {
            "source": self.source,
            "columns": self.table.names,
            "n_rows": len(self.table.values),
            "rows": known(self.table.values[:PREVIEW]),
            "is_whole": self._is_whole,
            "left_out": self.left_out,
            "notes": self.notes,
        }

    @property
    def _is_whole(self) -> bool:
        """Whether the preview has all cells."""
        is_short = len(self.table.values) <= PREVIEW
        is_as_sent = not (self.drop_missing or self.keep_missing)
        return is_short and is_as_sent and self.names == self.table.names


def known(values: NDArray[Any]) -> list[Any]:
    """Return numbers as lists, with None where a value is missing."""
    found = values.astype(object)
    found[np.isnan(values)] = None
    return list(found.tolist())


def example(name: str) -> Loaded:
    """Return one of the bundled data sets."""
    if name not in EXAMPLES:
        raise ValueError(f"There is no example {name!r}; there are {', '.join(EXAMPLES)}.")
    dataset = EXAMPLES[name]()
    table = Table(dataset.data, dataset.feature_names)
    return Loaded(name, table, [], [], order=table.names, names=table.names)


def read_upload(
    path: Path,
    name: str,
    *,
    typed: bool = False,
    pasted: bool = False,
    aside: Sequence[str] = (),
    drop_missing: bool = False,
    keep_missing: bool = False,
) -> Loaded:
    """Read an upload.

    Parameters
    ----------
    path : Path
        Its file, with the suffix of its kind.
    name : str
        Its name for the user.
    typed : bool
        Whether all columns but `aside` must be numbers, and rows are known by their number below
        the header.
    pasted : bool
        Whether it was pasted, so that tabs are between cells if there are any.
    aside : sequence of str
        Columns of typed rows that are not read as numbers.
    drop_missing : bool
        Whether rows with missing values are left out; otherwise they are an error,
    keep_missing : bool
        unless missing values are read as NaN.

    Raises
    ------
    ValueError
        If it cannot be used; the message names the line and the column at fault.
    """
    with explained(path, name, IN_TABLE if typed else IN_FILE, _in_rows if typed else str):
        if kind_of(path)[0] in TEXT_SUFFIXES:
            require_few_cells(path)
        columns = None
        reading = TYPED if typed else Reading(delimiter=between_cells(path) if pasted else None)
        if typed:
            names = open_file(path, [], reading).names
            columns = [column for column in names if column not in aside]
        gaps: dict[str, Any] = {"drop_missing": drop_missing, "keep_missing": keep_missing}
        choice = choose_columns(path, columns, reading=reading, **gaps)
        source = choice.source
        _require_small(source)
        table = choice.table()
    notes = ([] if typed else choice.file_notes) + table.notes[len(choice.notes) :]
    shown = [in_words_of_the_page(note, path, name) for note in notes]
    order, note = _with_distinct_names(source)
    shown += [f"{name}: {note}"] if note else []
    return Loaded(
        name,
        table,
        choice.left_out,
        shown,
        order,
        source.names,
        drop_missing,
        keep_missing,
        path,
        reading,
        source.padded,
        source.dialect.decimal if isinstance(source, TextFile) and not source.is_open else None,
    )


def between_cells(path: Path, *, may_be_column: bool = True) -> str | None:
    """Return what is between pasted cells, if that is known: tabs, as spreadsheets copy cells.

    They also copy one column so, without a tab. Its decimal commas, or commas between thousands,
    separate no cells: each line is a number.
    """
    are_numbers = dict.fromkeys(DIALECTS, may_be_column)
    with open_bytes(path) as file:
        for line in file:
            text = line.decode("utf-8", "replace").strip(" \r\n")
            if "\t" in text:
                return "\t"
            for dialect in DIALECTS:
                is_cell = is_missing_cell(text) or dialect.number(text) is not None
                are_numbers[dialect] = are_numbers[dialect] and is_cell
    return "\t" if any(are_numbers.values()) else None


def _with_distinct_names(source: TableFile) -> tuple[list[str], str]:
    """Return the names that one column has, and a note on the columns without such a name."""
    counts = Counter(source.names)
    distinct = [name for name, count in counts.items() if name and count == 1]
    if "" not in source.text:  # what stands behind the last comma of each line is no column
        del counts[""]
    n_others = counts.total() - len(distinct)
    if not n_others:
        return distinct, ""
    which = "1 column has" if n_others == 1 else f"{n_others} columns have"
    return distinct, (
        f"{which} an empty or repeated name, and will be missing from the rows with components. "
        "To keep such columns, name each differently."
    )


def columns_beside(
    loaded: Loaded, used: Sequence[str]
) -> Iterator[tuple[NDArray[np.int64], dict[str, list[Any]]]]:
    """Yield numbers of rows, and their cells of the columns that are not used, as in the file.

    Raises
    ------
    ValueError
        If these columns hold too much text: a small compressed file may hold a lot.
    """
    aside = [name for name in loaded.order if name not in used]
    if loaded.file is None or not (aside or loaded.drop_missing):
        n_rows = len(loaded.table.values)
        for start in range(0, n_rows, BLOCK):
            yield np.arange(start, min(start + BLOCK, n_rows)) + 1, {}
        return
    columns = loaded.table.names if loaded.reading is TYPED else None
    gaps: dict[str, Any] = {
        "drop_missing": loaded.drop_missing,
        "keep_missing": loaded.keep_missing,
    }
    choice = choose_columns(loaded.file, columns, reading=loaded.reading, **gaps)
    size, n_rows = 0, 0
    for table in replace(choice, aside=aside).tables(BLOCK):
        cells = (cell for column in table.kept.values() for cell in column)
        size += sum(len(cell) for cell in cells if isinstance(cell, str))
        if size > LARGEST_TABLE:
            raise ValueError(
                f"{loaded.source}: columns of text must take at most {LARGEST_TABLE // MEGABYTE} "
                "MB in a download. Use gmmfast predict --keep-all."
            )
        count = len(table.values)
        in_order = np.arange(n_rows + 1, n_rows + 1 + count)
        yield in_order if table.rows is None else table.rows, table.kept
        n_rows += count


@contextmanager
def explained(
    path: Path, name: str, remedy: str, in_words: Callable[[str], str] = str
) -> Iterator[None]:
    """Say what is wrong with an upload in the words of the page; `remedy` is for a wrong cell."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        text = str(error).replace(CORRECT, remedy)
        message = in_words(in_words_of_the_page(text, path, name))
        if isinstance(error, MissingValuesError):
            raise MissingValuesError(message, error.n_rows) from None
        raise ValueError(message) from None


def _in_rows(message: str) -> str:
    """Count rows that are typed from 1, without the file that they come in."""
    message = re.sub(r"^.*?, line (\d+)", lambda m: f"Row {int(m[1]) - 1}", message)
    return re.sub(r"first in line (\d+)", lambda m: f"first in row {int(m[1]) - 1}", message)


def in_words_of_the_page(text: str, path: Path, name: str) -> str:
    """Return a message of the reader with remedies of the page, and the name of an upload."""
    for ours, remedy in REMEDIES.items():
        text = text.replace(ours, remedy)
    return text.replace(str(path), name)


def suffix_of(name: str) -> str:
    """Return the suffix of a file name, or raise ValueError for an unknown one."""
    suffix, compression = kind_of(Path(name))
    if suffix not in READ_SUFFIXES:
        raise ValueError(f"{name}: the file must end in {', '.join(READ_SUFFIXES)}.")
    return suffix + compression


def require_few_cells(path: Path) -> None:
    """Refuse text that would become too many numbers or columns, before it is parsed."""
    delimiters = tuple(mark.encode() for mark in DELIMITERS)
    counts, n_bytes = dict.fromkeys((*delimiters, b"\n", b"\r"), 0), 0
    with open_bytes(path) as file:
        while block := file.read(MEGABYTE):
            for mark in counts:
                counts[mark] += block.count(mark)
            n_rows = 1 + max(counts[b"\n"], counts[b"\r"])
            n_bytes = 8 * (n_rows + max(counts[mark] for mark in delimiters))
            if n_bytes > 2 * LARGEST_TABLE:  # a small file may unpack without end
                break
    _require_bytes(path, n_bytes)
    with open_bytes(path) as file:
        for line in file:
            if len(line) >= MOST_COLUMNS:  # others cannot have so many cells
                records = line.split(b"\r")
                most = max(record.count(mark) for record in records for mark in delimiters)
                _require_columns(path, 1 + most)


def _require_small(source: TableFile) -> None:
    """Refuse a table that would take too much memory, judged before it is read."""
    _require_columns(source.path, len(source.names))
    _require_bytes(source.path, source.n_bytes)


def _require_bytes(path: Path, n_bytes: float) -> None:
    if n_bytes > LARGEST_TABLE:
        raise ValueError(
            f"{path}: the table must take at most {LARGEST_TABLE // MEGABYTE} MB of memory; got "
            f"{n_bytes / MEGABYTE:.0f} MB. Send fewer rows or columns, or use gmmfast fit."
        )


def _require_columns(path: Path, count: int) -> None:
    if count > MOST_COLUMNS:
        raise ValueError(
            f"{path}: the table must have at most {MOST_COLUMNS} columns; got {count}. "
            "Leave some out, or use gmmfast fit."
        )
