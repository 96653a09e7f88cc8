"""Rows that a model is applied to, which are pasted without a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gmmfast.calculator.data import (
    Loaded,
    between_cells,
    explained,
    in_words_of_the_page,
    require_few_cells,
)
from gmmfast.calculator.words import counted
from gmmfast.tables import Reading, choose_columns
from gmmfast.tables.files import open_file
from gmmfast.tables.text import TextFile

NEW_ROWS = "new rows"  # their name in messages
REMEDY = "Correct it, or delete the row."
_DEFAULT_NAME = re.compile(r"\bx([1-9][0-9]*)\b")


def read_new_rows(
    path: Path, loaded: Loaded, columns: Sequence[str]
) -> tuple[NDArray[Any], list[str]]:
    """Read rows for a model.

    Parameters
    ----------
    path : Path
        Their text.
    loaded : Loaded
        The data of the model, which settle what a decimal mark is where the rows leave it open.
    columns : sequence of str
        The columns of the model. Rows without names have these, or all columns of the data.

    Returns
    -------
    values : ndarray of shape (n_rows, n_columns)
        The rows.
    notes : list of str
        How they were read, where they could be read otherwise.

    Raises
    ------
    ValueError
        If they cannot be used.
    """
    given: list[str] = []  # names of their columns, by position, where they have none

    def with_names(message: str) -> str:
        return _DEFAULT_NAME.sub(lambda m: dict(enumerate(given, 1)).get(int(m[1]), m[0]), message)

    with explained(path, NEW_ROWS, REMEDY, with_names):
        require_few_cells(path)
        delimiter = between_cells(path, may_be_column=len(columns) == 1)
        source = open_file(path, list(columns), Reading(delimiter=delimiter))
        assert isinstance(source, TextFile)
        is_figure = [source.dialect.number(name) is not None for name in source.names]
        is_header = source.has_names and not (
            any(is_figure) and {*columns}.isdisjoint(source.names)
        )
        decimal = loaded.decimal if source.is_open else None
        notes = []
        if decimal and source.dialect.is_sure:  # they have marks, which are open
            mark = "points" if decimal == "." else "commas"
            notes = [f"Read with decimal {mark}, like the data."]
        reading = Reading(header=is_header, delimiter=delimiter, decimal=decimal)
        asked = list(columns)
        if not is_header:
            names = open_file(path, [], reading).names
            given = _names_of_new_rows(len(names), loaded, columns)
            asked = [names[given.index(column)] for column in columns]
        keep = loaded.keep_missing
        choice = choose_columns(path, asked, keep_missing=keep, reading=reading)
        values = choice.table().values
        for note in choice.file_notes:
            said = in_words_of_the_page(note, path, NEW_ROWS).removeprefix(f"{NEW_ROWS}: ")
            notes.append(said[:1].upper() + said[1:])
    return values, notes


def _names_of_new_rows(width: int, loaded: Loaded, columns: Sequence[str]) -> list[str]:
    """Return the names of columns that are known by their number only."""
    for names in (list(columns), loaded.names):
        if len(names) == width:
            return names
    n_all = len(loaded.names)
    needed = f"{counted(len(columns), 'column')}: {', '.join(columns)}"
    others = f", or all {n_all} columns of the data" if n_all > len(columns) else ""
    raise ValueError(f"New rows need {needed}{others}; got {width}.")
