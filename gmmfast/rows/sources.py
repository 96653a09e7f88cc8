"""Data read chunk by chunk, each time from the beginning."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.arrays import require_length
from gmmfast.data.constraints import integer
from gmmfast.data.dask import is_dask, partitions_of
from gmmfast.data.frames import column_names, from_frame, with_columns
from gmmfast.data.free_memory import rows_of
from gmmfast.data.validation import check_rows, check_sample_weight
from gmmfast.tables import (
    Paths,
    Reading,
    Table,
    choose_columns,
    default_names,
    read_pieces,
    require_distinct,
)
from gmmfast.tables.base import Watch, unwatched

MOST_ROWS = 1 << 31  # per chunk: the limit of file readers
END = object()  # sentinel after the last piece
# Tables or user data, of a given number of rows; whether all have been read and checked before, and
# whether values may be missing
Pieces = Callable[[int | None, bool, bool], Iterator[Any]]
Pieced: TypeAlias = tuple[NDArray[Any], Any, list[str] | None]  # rows, weights, names


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows."""

    X: NDArray[Any]  # (m, d) float64 or float32
    weights: NDArray[np.float64] | None  # (m,)
    first: int  # number of its first row
    rows: NDArray[np.int64] | None = None  # (m,) numbers in the file, from 1, if some are left out
    kept: Mapping[str, list[Any]] = field(default_factory=dict)  # columns as they are


class Chunks:
    """Rows in chunks; see `chunks`.

    Iterating reads all of them from the beginning.

    Attributes
    ----------
    names : list of str or None
        Names of the columns, if any.
    n_rows : int or None
        Number of rows, once all have been read.
    path : Path or None
        The file or folder, if any.
    notes : list of str
        Choices in reading an ambiguous file, as in `gmmfast.tables.Table`.
    watch : callable
        Is called with the number of rows read so far in a pass, and with 0 at its end.
    """

    def __init__(
        self,
        what: str,
        pieces: Pieces,
        names: list[str] | None,
        columns: Sequence[str] | None,
        weight_column: str | None,
        chunk_rows: int | None,
    ) -> None:
        self._what, self._pieces = what, pieces
        self._columns = None if columns is None else list(columns)
        self._weight_column, self._chunk_rows = weight_column, chunk_rows
        self.names = names
        self.n_rows: int | None = None
        self.path: Path | None = None
        self.notes: list[str] = []
        self.watch: Watch = unwatched

    def __iter__(self) -> Iterator[Chunk]:
        """Read all rows; ValueError or OSError names the row of a failure."""
        return self.read()

    def read(self, *, may_miss: bool = False) -> Iterator[Chunk]:
        """Read all rows as by iterating; `may_miss` says whether values may be missing."""
        return self._read(are_checked=False, may_miss=may_miss)

    def again(self) -> Iterator[Chunk]:
        """Read all rows again, without checking their values."""
        return self._read(are_checked=True, may_miss=True)

    def _read(self, are_checked: bool, may_miss: bool) -> Iterator[Chunk]:
        try:
            yield from self._checked(are_checked, may_miss)
        finally:
            self.watch(0)

    def _checked(self, are_checked: bool, may_miss: bool) -> Iterator[Chunk]:
        first, width = 0, None
        pieces = self._pieces(self._chunk_rows, are_checked, may_miss)
        for number in itertools.count():
            try:
                piece = next(pieces, END)
                if piece is END:
                    self.n_rows = first
                    return
                if not _length(piece):
                    continue
                chunk = self._chunk(piece, first, are_checked, may_miss)
            except (ValueError, TypeError, OSError) as error:
                kind = OSError if isinstance(error, OSError) else ValueError
                is_placed = str(error).startswith(self._what)  # by the file reader
                place = f"{self._what}, chunk {number}, from row {first} on: "
                raise kind(f"{'' if is_placed else place}{error}") from error
            if width is not None and chunk.X.shape[1] != width:
                raise ValueError(
                    f"{self._what}, from row {first} on: every chunk must have as many columns as "
                    f"the first, {width}; got {chunk.X.shape[1]}."
                )
            width = chunk.X.shape[1]
            self.watch(first + len(chunk.X))
            yield chunk
            first += len(chunk.X)

    def _chunk(self, piece: Any, first: int, are_checked: bool, may_miss: bool) -> Chunk:
        rows, kept = None, {}
        if isinstance(piece, Table):
            names = None if self.names is None else piece.names
            X, weights, rows, kept = piece.values, piece.weights, piece.rows, piece.kept
        else:
            X, weights, names = self._of_rows(piece, first, are_checked, may_miss)
        if self.names is None:
            self.names = names
        elif names is not None and names != self.names:
            raise ValueError(
                f"every chunk must have the columns {', '.join(self.names)}, in this order; got "
                f"{', '.join(names)}. Choose them with columns=."
            )
        weights = check_sample_weight(weights, len(X), are_all=False, first=first)
        return Chunk(X, weights, first, rows, kept)

    def _of_rows(self, piece: Any, first: int, are_checked: bool, may_miss: bool) -> Pieced:
        """Rows, weights and names of a piece that is no table."""
        weights, names = None, self._columns
        if isinstance(piece, tuple):
            piece, weights = piece
        if column_names(piece) is None:
            piece, _ = check_rows(piece, are_finite=True, first=first, is_missing_allowed=may_miss)
        if self._weight_column is not None:
            if weights is not None:
                raise ValueError("the rows come with weights; got a weight_column= too.")
            weights = _picked(piece, [self._weight_column])[:, 0]
            names = names or [n for n in _names_of(piece) if n != self._weight_column]
        if names is not None:
            piece = _picked(piece, names)
        X, own = check_rows(
            piece,
            are_finite=are_checked,
            first=first,
            columns=names,
            is_missing_allowed=may_miss,
        )
        return X, weights, names or own


Source: TypeAlias = "Chunks | os.PathLike[str]"  # and paths as strings


def chunks(
    data: Any,
    *,
    columns: Sequence[str] | None = None,
    weight_column: str | None = None,
    sample_weight: NDArray[Any] | None = None,
    chunk_rows: int | None = None,
    exclude: Sequence[str] = (),
    keep: Sequence[str] = (),
    drop_missing: bool = False,
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
) -> Chunks:
    """Wrap data that need not fit in memory, for `GaussianMixture.fit` and similar methods.

    Parameters
    ----------
    data : path, list of paths, array or iterable
        Files that `gmmfast.tables.read_table` reads: one, several, a folder or a pattern such as
        ``"data/*.csv"``, read in the order of their names; a 2-D array that can be sliced by rows,
        such as a ``numpy.memmap`` or a zarr array; a Dask array or frame; or an iterable that
        restarts each time and yields 2-D arrays, frames, or pairs of rows and weights.
    columns : sequence of str, optional
        Columns to use, in this order; all columns of numbers by default. Columns of arrays are x1,
        x2, ...
    weight_column : str, optional
        Column with the weight of each row.
    sample_weight : ndarray of shape (n,), optional
        Weight of each row of an array.
    chunk_rows : int, optional
        Rows per chunk; by default chunks have 2 MB. An iterable makes its own.
    keep : sequence of str, optional
        Columns of files that chunks bring along as they are, in `kept`.
    exclude, drop_missing, header, delimiter, decimal, encoding, sheet
        Of files, as in `gmmfast.tables.read_table`.

    Returns
    -------
    Chunks
        Iterable; each iteration reads from the beginning.

    Raises
    ------
    TypeError
        If `data` is none of these, or an iterator, which ends after one pass.
    ValueError, OSError
        If a file cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from gmmfast import GaussianMixture, chunks
    >>> X = np.random.default_rng(0).normal(size=(1000, 2))
    >>> rows = chunks(X, chunk_rows=100)
    >>> GaussianMixture(1).fit(rows).weights_
    array([1.])
    """
    reading = Reading(
        header=header, delimiter=delimiter, decimal=decimal, encoding=encoding, sheet=sheet
    )
    of_files: dict[str, Any] = {"exclude": exclude, "keep": keep, "drop_missing": drop_missing}
    given = [name for name, value in of_files.items() if value]
    given += [name for name, value in vars(reading).items() if value is not None]
    if isinstance(data, Chunks):
        options = (columns, weight_column, sample_weight, chunk_rows)
        if given or any(option is not None for option in options):
            raise ValueError("Chunks take no more options: give all in the first call of chunks.")
        return data
    if isinstance(columns, str) or any(not isinstance(name, str) for name in columns or ()):
        raise TypeError(f"columns must be a list of names; got {columns!r}.")
    require_distinct([*(columns or ()), *([weight_column] if weight_column else [])])
    if weight_column is not None and sample_weight is not None:
        raise ValueError("Give either weight_column= or sample_weight=; got both.")
    if chunk_rows is not None:
        if not integer(1).allows(chunk_rows):
            raise ValueError(f"chunk_rows must be {integer(1).description}; got {chunk_rows!r}.")
        chunk_rows = min(int(chunk_rows), MOST_ROWS)
    what, names = f"the {type(data).__name__}", None if columns is None else list(columns)
    notes: list[str] = []
    if _are_paths(data) and sample_weight is None:
        what = str(data) if isinstance(data, str | os.PathLike) else str(data[0])
        make, names, notes = _of_files(data, columns, weight_column, reading=reading, **of_files)
    elif given:
        raise ValueError(f"{given[0]}= is for files. Leave it out.")
    else:
        make = _pieces_of(data, sample_weight)
    found = Chunks(what, make, names, columns, weight_column, chunk_rows)
    found.path, found.notes = path_of(data), notes
    return found


def _are_paths(data: Any) -> bool:
    """Whether data are a path or a list of paths."""
    kinds = (str, os.PathLike)
    if isinstance(data, list | tuple):
        return bool(data) and all(isinstance(each, kinds) for each in data)
    return isinstance(data, kinds)


def path_of(data: Any) -> Path | None:
    """Return the file or folder that data are read from, if known."""
    if isinstance(data, Chunks):
        return data.path
    path = data.filename if isinstance(data, np.memmap) else data
    return Path(path) if isinstance(path, str | os.PathLike) else None


def is_source(data: Any) -> bool:
    """Whether data are read in chunks: results of `chunks`, paths, and zarr arrays."""
    if isinstance(data, Chunks | str | os.PathLike):
        return True
    kind = type(data)
    return kind.__module__.partition(".")[0] == "zarr" and len(getattr(data, "shape", ())) == 2


def is_elsewhere(data: Any) -> bool:
    """Whether data are read in chunks, or on a cluster."""
    return is_dask(data) or is_source(data)


def _pieces_of(data: Any, sample_weight: NDArray[Any] | None) -> Pieces:
    is_array = len(getattr(data, "shape", ())) == 2 and hasattr(data, "__getitem__")
    if is_dask(data):
        data = partitions_of(data, sample_weight)
    elif is_array and from_frame(data) is None:
        return lambda rows, *_: _slices(data, rows, sample_weight)
    elif sample_weight is not None:
        raise ValueError(
            "sample_weight goes with arrays and Dask's collections; weights of files are in a "
            "weight_column=, and an iterable yields pairs of rows and weights."
        )
    if isinstance(data, Iterator):
        raise TypeError(
            "An iterator ends after one pass, and a fit needs many: pass an object whose __iter__ "
            "starts anew, or a list."
        )
    is_bag = isinstance(data, bytes | Mapping | Set)  # of items that are not chunks
    if isinstance(data, Iterable) and not is_bag and from_frame(data) is None:
        return lambda rows, *_: iter(data)
    is_lazy = hasattr(data, "collect")
    remedy = "Pass what its collect() returns" if is_lazy else "Fit data in memory directly"
    raise TypeError(
        "chunks needs a path, a 2-D array that can be sliced by rows, or an iterable of 2-D arrays "
        f"or frames; got {type(data).__name__}. {remedy}."
    )


def _slices(array: Any, rows: int | None, weights: NDArray[Any] | None = None) -> Iterator[Any]:
    n, d = array.shape
    if weights is not None and require_length(weights) != n:
        raise ValueError(f"sample_weight must have the length of the data, {n}; got {len(weights)}")
    step = rows or rows_of(d, np.dtype(array.dtype))
    for start in range(0, n, step):
        part = slice(start, start + step)
        yield array[part] if weights is None else (array[part], weights[part])


def _of_files(
    path: Paths, columns: Sequence[str] | None, weight_column: str | None, **options: Any
) -> tuple[Pieces, list[str] | None, list[str]]:
    """Pieces of files, the names of their columns, if any, and notes.

    Options are as for `choose_columns` and `read_pieces`.
    """
    choice = choose_columns(path, columns, weight_column, **options)
    names, has_names = choice.names, choice.source.has_names

    def pieces(rows: int | None, are_checked: bool, may_miss: bool) -> Iterator[Any]:
        own = {"is_checked": are_checked, "keep_missing": may_miss, **options}
        return read_pieces(path, names, weight_column, rows, **own)

    return pieces, names if has_names or columns or weight_column else None, choice.notes


def _length(piece: Any) -> int:
    """Number of rows of a piece; TypeError if it cannot have rows."""
    if isinstance(piece, Table):
        return len(piece.values)
    if isinstance(piece, tuple):
        if len(piece) != 2:
            raise TypeError(
                "a tuple must be a pair of rows and weights; got one of length "
                f"{len(piece)}. Make an array of rows."
            )
        piece = piece[0]
    return require_length(piece)


def _names_of(piece: Any) -> list[Any]:
    """Names of the columns of a frame, or x1, x2, ... for an array."""
    return column_names(piece) or default_names(piece.shape[1])


def _picked(piece: Any, wanted: list[str]) -> NDArray[Any]:
    """Some columns of a frame or an array."""
    names = _names_of(piece)
    for name in wanted:
        if name not in names:
            raise ValueError(f"there is no column {name!r}; the columns are {names}.")
    if column_names(piece) is None:
        return np.asarray(piece[:, [names.index(name) for name in wanted]])
    values, _ = from_frame(with_columns(piece, wanted)) or (np.empty((0, 0)), None)
    return values
