"""Data that are read piece by piece, each time from the beginning."""

from __future__ import annotations

import numbers
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gmmfast.frames import from_frame
from gmmfast.memory import rows_of
from gmmfast.partitions import is_dask, partitions_of
from gmmfast.tables import Table, choose_columns, default_names, read_pieces, require_finite
from gmmfast.validation import check_rows, check_sample_weight

Pieces = Callable[[int | None], Iterator[Any]]  # of so many rows: tables, or what people pass
Pieced: TypeAlias = tuple[NDArray[Any], Any, list[str] | None]  # rows, weights, names


@dataclass(frozen=True)
class Chunk:
    """Some rows that follow each other."""

    X: NDArray[Any]  # (m, d) float64 or float32
    weights: NDArray[np.float64] | None  # (m,)
    first: int  # number of its first row


class Chunks:
    """Rows in pieces; see `chunks`.

    Iterating reads all of them from the beginning.

    Attributes
    ----------
    names : list of str or None
        Columns, where they have names.
    n_rows : int or None
        Rows, once all have been read.
    """

    def __init__(
        self,
        what: str,
        pieces: Pieces,
        columns: Sequence[str] | None,
        weight_column: str | None,
        chunk_rows: int | None,
    ) -> None:
        self._what, self._pieces = what, pieces
        self._columns = None if columns is None else list(columns)
        self._weight_column, self._chunk_rows = weight_column, chunk_rows
        self.names: list[str] | None = self._columns
        self.n_rows: int | None = None

    def __iter__(self) -> Iterator[Chunk]:
        """Read all rows; ValueError or OSError tells at which one it failed."""
        return self._read(are_finite=False)

    def again(self) -> Iterator[Chunk]:
        """Read all rows once more, without a look at whether they are finite."""
        return self._read(are_finite=True)

    def _read(self, are_finite: bool) -> Iterator[Chunk]:
        first, width = 0, None
        pieces = self._pieces(self._chunk_rows)
        while True:
            try:
                piece = next(pieces, None)
                if piece is None:
                    self.n_rows = first
                    return
                if not _length(piece):
                    continue
                chunk = self._chunk(piece, first, are_finite)
            except (ValueError, TypeError, OSError) as error:
                kind = OSError if isinstance(error, OSError) else ValueError
                is_placed = str(error).startswith(self._what)  # by what reads files
                place = "" if is_placed else f"{self._what}, from row {first} on: "
                raise kind(f"{place}{error}") from error
            if width is not None and chunk.X.shape[1] != width:
                raise ValueError(
                    f"{self._what}, from row {first} on: every chunk must have as many columns as "
                    f"the first, {width}; got {chunk.X.shape[1]}."
                )
            width = chunk.X.shape[1]
            yield chunk
            first += len(chunk.X)

    def _chunk(self, piece: Any, first: int, are_finite: bool) -> Chunk:
        if isinstance(piece, Table):
            X, weights, names = self._of_table(piece, first, are_finite)
        else:
            X, weights, names = self._of_rows(piece, are_finite)
        if self.names is None:
            self.names = names
        elif names is not None and names != self.names:
            raise ValueError(
                f"every chunk must have the columns {', '.join(self.names)}, in this order; got "
                f"{', '.join(names)}. Choose them with columns=."
            )
        return Chunk(X, check_sample_weight(weights, len(X), are_all=False), first)

    def _of_table(self, table: Table, first: int, are_finite: bool) -> Pieced:
        """Rows, weights and names of a piece of a file, whose columns have been chosen."""
        if not are_finite:
            require_finite(self._what, table.values, table.names, first)
        are_named = table.has_names or self._columns or self._weight_column
        return table.values, table.weights, table.names if are_named else None

    def _of_rows(self, piece: Any, are_finite: bool) -> Pieced:
        """Rows, weights and names of a piece of anything else."""
        weights = None
        if isinstance(piece, tuple):
            piece, weights = piece
        if self._weight_column is not None:
            piece, weights = self._without_weights(*_named(piece))
        elif self._columns is not None:
            piece = _picked(*_named(piece), self._columns)
        X, names = check_rows(piece, name="a fit", are_finite=are_finite)
        return X, weights, names

    def _without_weights(
        self, values: NDArray[Any], names: list[str]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        assert self._weight_column is not None
        weights = _picked(values, names, [self._weight_column])[:, 0]
        kept = self._columns or [name for name in names if name != self._weight_column]
        self.names = kept
        return _picked(values, names, kept), weights


Source: TypeAlias = "Chunks | os.PathLike[str]"  # and paths as strings


def chunks(
    data: Any,
    *,
    columns: Sequence[str] | None = None,
    weight_column: str | None = None,
    sample_weight: NDArray[Any] | None = None,
    chunk_rows: int | None = None,
) -> Chunks:
    """Wrap data that need not fit in memory, for `GaussianMixture.fit` and its like.

    Parameters
    ----------
    data : path, array or iterable
        A file that `gmmfast.tables.read_table` knows (text, ``.npy``, or with the extra ``[io]``
        ``.parquet``, ``.feather``, ``.arrow``), or a folder of Parquet files, also in folders
        inside it, which are read in the order of their names; a 2-D array that can
        be sliced by rows, such as a ``numpy.memmap`` or a zarr array; a Dask array or frame; or
        anything that can be iterated over again and again and yields 2-D arrays, frames, or pairs
        of rows and weights.
    columns : sequence of str, optional
        Columns to use, in this order; all by default. Those of arrays are x1, x2, ...
    weight_column : str, optional
        Column with the weight of each row.
    sample_weight : ndarray of shape (n,), optional
        Weight of each row of an array.
    chunk_rows : int, optional
        Rows of a chunk; by default as many as make 2 MB. An iterable makes its own.

    Returns
    -------
    Chunks
        Iterable; each time it reads from the beginning.

    Raises
    ------
    TypeError
        If `data` is none of that, or an iterator, which ends after one pass.
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
    if isinstance(data, Chunks):
        return data
    if isinstance(columns, str):
        raise TypeError(f"columns must be a list of names; got the string {columns!r}.")
    if chunk_rows is not None and not (
        isinstance(chunk_rows, numbers.Integral) and int(chunk_rows) >= 1
    ):
        raise ValueError(f"chunk_rows must be an int in the range [1, inf); got {chunk_rows!r}.")
    make = _pieces_of(data, columns, weight_column, sample_weight)
    what = str(data) if isinstance(data, str | os.PathLike) else f"the {type(data).__name__}"
    return Chunks(what, make, columns, weight_column, chunk_rows)


def is_source(data: Any) -> bool:
    """Whether data are read in pieces: what `chunks` makes, paths, and zarr arrays."""
    if isinstance(data, Chunks | str | os.PathLike):
        return True
    kind = type(data)
    return kind.__module__.partition(".")[0] == "zarr" and len(getattr(data, "shape", ())) == 2


def _pieces_of(
    data: Any,
    columns: Sequence[str] | None,
    weight_column: str | None,
    sample_weight: NDArray[Any] | None,
) -> Pieces:
    is_array = len(getattr(data, "shape", ())) == 2 and hasattr(data, "__getitem__")
    if is_dask(data):
        data = partitions_of(data, sample_weight)
    elif is_array and from_frame(data) is None:
        return lambda rows: _slices(data, rows, sample_weight)
    elif sample_weight is not None:
        raise ValueError(
            "sample_weight goes with arrays and Dask's collections; weights of files are in a "
            "weight_column=, and those of an iterable come in pairs of rows and weights."
        )
    if isinstance(data, str | os.PathLike):
        return _of_path(Path(data), columns, weight_column)
    if isinstance(data, Iterator):
        raise TypeError(
            "An iterator ends after one pass, and a fit needs many: pass an object whose __iter__ "
            "starts anew, or a list."
        )
    if isinstance(data, Iterable) and from_frame(data) is None:
        return lambda rows: iter(data)
    raise TypeError(
        "chunks needs a path, a 2-D array that can be sliced by rows, or an iterable of 2-D arrays "
        f"or frames; got {type(data).__name__}."
    )


def _slices(array: Any, rows: int | None, weights: NDArray[Any] | None = None) -> Iterator[Any]:
    n, d = array.shape
    if weights is not None and len(weights) != n:
        raise ValueError(f"sample_weight must have the length of the data, {n}; got {len(weights)}")
    step = rows or rows_of(d, np.dtype(array.dtype))
    for start in range(0, n, step):
        part = slice(start, start + step)
        X = np.asarray(array[part])
        yield X if weights is None else (X, weights[part])


def files_of(path: Path) -> list[Path]:
    """Return the Parquet files of a folder and the folders in it, by name; a file alone."""
    if not path.is_dir():
        return [path]
    paths = [found for found in sorted(path.rglob("*.parquet")) if found.is_file()]
    hidden = (".", "_")  # what writers leave behind
    paths = [p for p in paths if not any(s.startswith(hidden) for s in p.relative_to(path).parts)]
    if not paths:
        raise ValueError(f"{path}: the folder must hold .parquet files; got none.")
    return paths


def _of_path(path: Path, columns: Sequence[str] | None, weight_column: str | None) -> Pieces:
    paths = files_of(path)
    for each in paths:
        choose_columns(each, columns, weight_column)  # raises where it cannot be used

    def pieces(rows: int | None) -> Iterator[Any]:
        for each in paths:
            yield from read_pieces(each, columns, weight_column, rows)

    return pieces


def _length(piece: Any) -> int:
    rows = piece[0] if isinstance(piece, tuple) else piece
    return len(rows.values if isinstance(rows, Table) else rows)


def _named(piece: Any) -> tuple[NDArray[Any], list[str]]:
    """Values and names of a frame, or of an array, whose columns are x1, x2, ..."""
    values, names = from_frame(piece) or (np.asarray(piece), None)
    return values, names or default_names(values.shape[1])


def _picked(values: NDArray[Any], names: list[str], wanted: list[str]) -> NDArray[Any]:
    if wanted == names:
        return values
    for name in wanted:
        if name not in names:
            raise ValueError(f"there is no column {name!r}; the columns are {names}.")
    return values[:, [names.index(name) for name in wanted]]
