"""Which columns and rows of a file are used."""

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.frames import is_missing
from gmmfast.tables.base import (
    AS_DATA,
    HEAD,
    LEAVE_OUT,
    Floats,
    Piece,
    Reading,
    Table,
    TableFile,
    Watch,
    is_missing_cell,
    listed,
    missing_values,
    plain_number,
    require_no_infinity,
    unwatched,
)
from gmmfast.tables.files import FIND_OUT, Paths, open_file
from gmmfast.tables.oddities import odd_columns, total_row
from gmmfast.tables.several import SeveralFiles


@dataclass(frozen=True)
class Choice:
    """An open file, and the columns to read.

    Attributes
    ----------
    source : TableFile
        The file, or several as one.
    names : list of str
        Columns of numbers.
    aside : list of str
        The weight column or none, and columns that are kept as they are.
    has_weights : bool
        Whether the first of `aside` is the weight column.
    is_asked : bool
        Whether the user has named the columns.
    label : str or None
        Column of labels, one of `aside`.
    drop_missing : bool
        Whether rows with missing values are left out; otherwise they are an error,
    keep_missing : bool
        unless missing values are read as NaN.
    file_notes : list of str
        Notes on the file as such, and on an index of the rows.
    left_out : list of str
        Columns without numbers, which are left out.
    """

    source: TableFile
    names: list[str]
    aside: list[str]
    has_weights: bool
    is_asked: bool
    label: str | None
    drop_missing: bool
    keep_missing: bool
    file_notes: list[str]
    left_out: list[str]

    @property
    def notes(self) -> list[str]:
        """Notes as of `Table`."""
        if not self.left_out:
            return list(self.file_notes)
        which, verb = ("column", "is") if len(self.left_out) == 1 else ("columns", "are")
        what = "without numbers in the first rows" if self.source.empty else "without numbers"
        text = f"the {which} {what} ({listed(self.left_out)}) {verb} left out."
        return [*self.file_notes, f"{self.source.path}: {text}"]

    def table(self, watch: Watch = unwatched) -> Table:
        """Read all rows; `watch` is called with each number of rows that are read.

        Raises
        ------
        ValueError
            If a cell cannot be used, or rows have missing values and are not to be left out.
        """
        piece = self.source.read(self._picked, self._kept, watch)
        self._require_labels(piece)
        gaps = self._gaps(piece)
        if gaps.any() and not self.drop_missing:
            raise self._missing([piece], 0)
        if gaps.all():
            raise ValueError(
                f"{self.source.path}: a table needs at least one row without missing values; got "
                "none. Choose other columns with --columns (columns= in Python)."
            )
        notes = self.notes
        if gaps.any():
            verbs = ("has", "is") if gaps.sum() == 1 else ("have", "are")
            notes.append(
                f"{self.source.path}: {gaps.sum()} of {len(gaps)} rows {verbs[0]} missing values, "
                f"and {verbs[1]} left out."
            )
        table = self._table(piece, gaps, 0, notes)
        notes += self._oddities(table.values)
        row, sums = total_row(table.values, table.names)
        if sums:
            number = row + 1 if table.rows is None else table.rows[row]
            notes.append(
                f"{self.source.path}: row {number} holds the sum of those above "
                f"({listed(sums)}), and is read as data. Delete it if it is a total."
            )
        return table

    def first_oddities(self) -> list[str]:
        """Read the first rows, for notes on columns that look like ids, dates and the like."""
        piece = next(self.source.pieces(self._picked, HEAD), None)
        if piece is None:
            return []
        return self._oddities(piece.values[:HEAD, : len(self.names)], " in the first rows")

    def _oddities(self, values: Floats, where: str = "") -> list[str]:
        if self.is_asked:
            return []
        found = odd_columns(values, self.names, self.source.padded)
        return [
            f"{self.source.path}: {'column' if len(which) == 1 else 'each of the columns'} "
            f"{listed(which)} {text}{where}, and is read as data. {LEAVE_OUT}"
            for text, which in found.items()
        ]

    def tables(self, n_rows: int | None = None, *, is_checked: bool = False) -> Iterator[Table]:
        """Read some rows at a time; errors as of `table`, unless all have been checked before."""
        pieces, first = self.source.pieces(self._picked, n_rows, self._kept), 0
        for piece in pieces:
            is_known = is_checked and not self.drop_missing
            gaps = np.zeros(len(piece.values), np.bool_) if is_known else self._gaps(piece)
            if gaps.any() and not self.drop_missing:
                raise self._missing(_and(piece, pieces), first)
            yield self._table(piece, gaps, first, self.notes)
            first += len(piece.values)

    @property
    def _numeric(self) -> list[str]:
        return [*self.names, *self.aside[: self.has_weights]]

    @property
    def _picked(self) -> list[int]:
        return [self.source.names.index(name) for name in self._numeric]

    @property
    def _kept(self) -> list[int]:
        return [self.source.names.index(name) for name in self.aside[self.has_weights :]]

    def _absent(self, piece: Piece) -> NDArray[np.bool_]:
        """Whether each value is missing that must not be (m, n_numeric)."""
        absent: NDArray[np.bool_] = np.isnan(piece.values)
        if self.keep_missing and not self.drop_missing:
            absent[:, : len(self.names)] = False
        return absent

    def _gaps(self, piece: Piece) -> NDArray[np.bool_]:
        """Whether each row has a missing value, or no label (m,)."""
        gaps: NDArray[np.bool_] = np.asarray(self._absent(piece).any(axis=1))
        if self.label is not None:
            gaps |= np.array([is_gap(cell) for cell in self._labels(piece)], bool)
        return gaps

    def _labels(self, piece: Piece) -> list[Any]:
        return piece.kept[self.aside[self.has_weights :].index(self.label or "")]

    def _require_labels(self, piece: Piece) -> None:
        if self.label is None or self.drop_missing:
            return
        for row, cell in enumerate(self._labels(piece), 1):
            if is_gap(cell):
                raise ValueError(
                    f"{self.source.path}, row {row}, column {self.label!r}: every row needs a "
                    f"label; got {cell!r}. Label the row or drop it."
                )

    def _missing(self, pieces: Iterable[Piece], first: int) -> ValueError:
        """Count missing values from the row `first` on, in all pieces that are left."""
        counts, n, total, place = np.zeros(len(self._numeric), np.int64), 0, first, ""
        for piece in pieces:
            absent = self._absent(piece)
            gaps: NDArray[np.bool_] = np.asarray(absent.any(axis=1))
            if gaps.any() and not place:
                at = int(gaps.argmax())
                place = f"row {total + at + 1}"
                if piece.lines is not None and piece.lines[at]:
                    place = f"{self.source.unit} {piece.lines[at]}"
            counts += absent.sum(axis=0)
            n, total = n + int(gaps.sum()), total + len(gaps)
        by_column = dict(zip(self._numeric, counts.tolist(), strict=True))
        return missing_values(self.source.path, by_column, n, total, place)

    def _table(self, piece: Piece, gaps: NDArray[np.bool_], first: int, notes: list[str]) -> Table:
        """Return a table of the rows without gaps; arrays keep the order of the piece."""
        values, kept = piece.values, piece.kept
        rows = np.arange(first + 1, first + 1 + len(gaps))
        if gaps.any():
            values, rows = values[~gaps], rows[~gaps]
            kept = [[c for c, gap in zip(cells, gaps, strict=True) if not gap] for cells in kept]
        require_no_infinity(self.source.path, values, self._numeric, rows)
        weights = None
        if self.has_weights:
            weights, values = values[:, -1].copy(), values[:, :-1].copy("K")
        cells = dict(zip(self.aside[self.has_weights :], kept, strict=True))
        labels = None if self.label is None else _labels_of(cells.pop(self.label))
        return Table(
            values,
            self.names,
            self.source.has_names,
            weights,
            labels,
            rows if self.drop_missing else None,
            cells,
            notes,
        )


def _and(piece: Piece, rest: Iterator[Piece]) -> Iterator[Piece]:
    yield piece
    yield from rest


def is_gap(cell: Any) -> bool:
    """Whether a cell of text or a number is missing."""
    return (isinstance(cell, str) and is_missing_cell(cell)) or is_missing(cell) or cell != cell


def _labels_of(cells: list[Any]) -> NDArray[Any]:
    """Return labels: numbers if all cells are, else text."""
    numbers = [plain_number(cell) if isinstance(cell, str) else None for cell in cells]
    return np.array(cells if None in numbers else numbers)


def choose_columns(
    path: Paths,
    columns: Sequence[str] | None = None,
    weight_column: str | None = None,
    *,
    label_column: str | None = None,
    exclude: Sequence[str] = (),
    keep: Sequence[str] = (),
    drop_missing: bool = False,
    keep_missing: bool = False,
    reading: Reading = FIND_OUT,
) -> Choice:
    """Open a file or several, and name the columns to read.

    Parameters and errors are as in `read_table`. `keep` names columns that are read as they
    are: text or numbers.
    """
    weights = [] if weight_column is None else [weight_column]
    others = list(dict.fromkeys([*keep, *([] if label_column is None else [label_column])]))
    if columns is not None and not columns:
        raise ValueError("columns must name at least one column; got none.")
    source = open_file(path, [*(columns or ()), *weights, *others, *exclude], reading)
    left_out: list[str] = []
    aside = [*weights, *([] if label_column is None else [label_column]), *exclude]
    if columns is None:
        names, left_out = _usable(source, aside)
    else:
        names = [name for name in columns if name not in exclude]
    if not names:
        raise _nothing_left(source, aside)
    _require_once(source, [*names, *weights])
    _require_once(source, exclude)
    _require_once(source, others)
    if label_column is not None:
        require_distinct([*names, *weights, label_column])
    if isinstance(source, SeveralFiles):
        used = list(dict.fromkeys([*names, *weights, *others]))
        source.require_columns(used, no_others=columns is None and not exclude)
    notes = list(source.notes)
    index = [name for name in source.index if name not in aside]
    if columns is None and index:
        text = f"the index of the rows ({listed(index)}) is left out. {AS_DATA}"
        notes.append(f"{source.path}: {text}")
    return Choice(
        source,
        names,
        [*weights, *others],
        bool(weights),
        columns is not None,
        label_column,
        drop_missing,
        keep_missing,
        notes,
        left_out,
    )


def _usable(source: TableFile, aside: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the columns of numbers, and those without that are left out."""
    others = [name for name in source.names if name not in [*aside, *source.index]]
    without = [*source.text, *source.empty]
    left_out = [name for name in others if name and name in without]
    return [name for name in others if name not in without], left_out


def _nothing_left(source: TableFile, aside: list[str]) -> ValueError:
    if source.text or source.empty:
        return ValueError(
            f"{source.path}: a table needs at least one column of numbers; the columns "
            f"{listed([*source.text, *source.empty])} hold none. Turn their cells into numbers."
        )
    which = " and ".join(map(repr, aside))
    return ValueError(f"{source.path}: no column is left beside {which}.")


def require_distinct(names: Sequence[str]) -> None:
    """Raise ValueError if a column is asked for twice."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"A column can be used once; {name!r} is asked for {count} times.")


def _require_once(source: TableFile, names: Sequence[str]) -> None:
    """Raise ValueError unless the file has each of these columns exactly once."""
    path, counts = source.path, Counter(source.names)
    for name in names:
        if name not in counts:
            more = f" and {len(source.names) - 20} more" if len(source.names) > 20 else ""
            shown = ", ".join(source.names[:20]) + more
            close = difflib.get_close_matches(name, source.names, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{path}: there is no column {name!r}; the columns are {shown}.{hint}")
        if not name:
            raise ValueError(
                f"{path}: every column must have a name; column {source.names.index(name) + 1} has "
                "none. Name it, or choose the columns with --columns (columns= in Python)."
            )
        if counts[name] > 1:
            raise ValueError(
                f"{path}: column names must be distinct; {name!r} appears {counts[name]} times. "
                "Rename them."
            )
    require_distinct(names)
