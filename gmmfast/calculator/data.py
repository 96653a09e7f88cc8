"""Rows that a page sends: files and pasted text, into a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gmmfast.datasets import EXAMPLES
from gmmfast.tables import (
    AS_DATA,
    AS_HEADER,
    AS_ROW,
    CHOOSE,
    LEAVE_OUT,
    READ_SUFFIXES,
    TEXT_SUFFIXES,
    Table,
    choose_columns,
    column_names,
    read_table,
)

PREVIEW = 200  # rows that a page shows
REMEDIES = {  # what to do about data, on a page that has no options and no Python
    CHOOSE: "Correct it, or take the column out.",
    AS_ROW: "If it is a row, put a line of names above it.",
    AS_HEADER: "If it holds the names of the columns, begin them with letters.",
    AS_DATA: "To use it, give it a name.",
    LEAVE_OUT: "To leave it out, untick it.",
}


@dataclass(frozen=True)
class Origin:
    """Where rows come from."""

    source: str  # a file name, or what takes its place
    names: list[str]  # columns of numbers
    has_names: bool  # whether the data came with them
    left_out: list[str]  # columns of text


@dataclass(frozen=True)
class Loaded:
    """A table, and what a page says of it."""

    source: str
    table: Table
    left_out: list[str]
    notes: list[str]  # how it was read, where it could be read otherwise

    @property
    def origin(self) -> Origin:
        """Where it comes from."""
        return Origin(self.source, self.table.names, self.table.has_names, self.left_out)

    def summary(self) -> dict[str, Any]:
        """Return what the page shows: names, size, first rows."""
        return {
            "source": self.source,
            "columns": self.table.names,
            "n_rows": len(self.table.values),
            "rows": self.table.values[:PREVIEW].tolist(),
            "left_out": self.left_out,
            "notes": self.notes,
        }


def example(name: str) -> Loaded:
    """Return one of the bundled data sets."""
    if name not in EXAMPLES:
        raise ValueError(f"There is no example {name!r}; there are {', '.join(EXAMPLES)}.")
    dataset = EXAMPLES[name]()
    return Loaded(name, Table(dataset.data, dataset.feature_names), [], [])


def read_upload(
    path: Path, name: str, wanted: Sequence[str] | None = None, *, typed: bool = False
) -> Loaded:
    """Read what was uploaded.

    Parameters
    ----------
    path : Path
        Where it lies, with the suffix of its kind.
    name : str
        What the user calls it.
    wanted : sequence of str, optional
        Columns to read, by name where the file has names; by default all of numbers.
    typed : bool
        Whether all columns are wanted, and rows are known by their number below the header.

    Raises
    ------
    ValueError
        If it cannot be used; the message names the line and the column at fault.
    """
    try:
        columns: list[str] | None = None
        left_out: list[str] = []
        if typed:
            columns = choose_columns(path, None, None, header=True).source.names
            return Loaded(name, read_table(path, columns, header=True), left_out, [])
        if wanted is not None and column_names(path, wanted) is not None:
            return Loaded(name, read_table(path, list(wanted)), left_out, [])
        choice = choose_columns(path, None, None)
        if choice.source.has_names:
            columns, left_out = _numeric(path, choice.names)
        notes = [_in_words_of_the_page(note, path, name) for note in choice.notes]
        return Loaded(name, read_table(path, columns), left_out, notes)
    except (ValueError, OSError, ImportError) as error:
        message = _in_words_of_the_page(str(error), path, name)
        if typed:
            message = re.sub(r"^.*?, line (\d+)", lambda m: f"Row {int(m[1]) - 1}", message)
        raise ValueError(message) from None


def _in_words_of_the_page(text: str, path: Path, name: str) -> str:
    for ours, remedy in REMEDIES.items():
        text = text.replace(ours, remedy)
    return text.replace(str(path), name)


def suffix_of(name: str) -> str:
    """Return the ending of a file name, which says its kind; ValueError for an unknown one."""
    suffix = Path(name).suffix.lower()
    if suffix not in READ_SUFFIXES:
        raise ValueError(f"{name}: the file must end in {', '.join(READ_SUFFIXES)}.")
    return suffix


def _numeric(path: Path, names: list[str]) -> tuple[list[str] | None, list[str]]:
    """Columns of numbers, of a text file those that begin with one, None for all; the others."""
    if path.suffix in TEXT_SUFFIXES:
        head = path.with_name(f"head-{path.name}")
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            head.write_text("".join(line for _, line in zip(range(2), file, strict=False)), "utf-8")
        text = [name for name in names if _is_text(head, name, header=True)]
        head.unlink()
    else:
        text = [name for name in names if _is_text(path, name)]
    if len(text) in (0, len(names)):
        return None, []
    return [name for name in names if name not in text], text


def _is_text(path: Path, name: str, header: bool | None = None) -> bool:
    """Whether a column is of something else than numbers; a missing number is a fault instead."""
    try:
        read_table(path, [name], header=header)
    except ValueError as error:
        return CHOOSE in str(error)
    return False
