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
from gmmfast.partitions import is_dask, partitions_of
from gmmfast.tables import ARROW_SUFFIXES, choose_columns, default_names, open_file
from gmmfast.validation import check_rows, check_sample_weight

CHUNK_BYTES = 1 << 21  # of a chunk, where nothing else is asked for: it stays in the cache
BATCH = 4  # chunks that are decoded at once of Parquet files, which costs less a row

Pieces = Callable[[int | None], Iterator[Any]]  # of so many rows: arrays, frames, or with weights


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
                if not len(piece[0] if isinstance(piece, tuple) else piece):
                    continue
                chunk = self._chunk(piece, first, are_finite)
            except (ValueError, TypeError, OSError) as error:
                kind = OSError if isinstance(error, OSError) else ValueError
                raise kind(f"{self._what}, from row {first} on: {error}") from error
            if width is not None and chunk.X.shape[1] != width:
                raise ValueError(
                    f"{self._what}, from row {first} on: every chunk must have as many columns as "
                    f"the first, {width}; got {chunk.X.shape[1]}."
                )
            width = chunk.X.shape[1]
            yield chunk
            first += len(chunk.X)

    def _chunk(self, piece: Any, first: int, are_finite: bool) -> Chunk:
        weights = None
        if isinstance(piece, tuple):
            piece, weights = piece
        if self._weight_column is not None:
            piece, weights = self._without_weights(*_named(piece))
        elif self._columns is not None:
            piece = _picked(*_named(piece), self._columns)
        X, names = check_rows(piece, name="a fit", are_finite=are_finite)
        if self.names is None:
            self.names = names
        elif names is not None and names != self.names:
            raise ValueError(
                f"every chunk must have the columns {', '.join(self.names)}, in this order; got "
                f"{', '.join(names)}. Choose them with columns=."
            )
        return Chunk(X, check_sample_weight(weights, len(X), are_all=False), first)

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
        A file (``.npy``, or with the extra ``[io]`` ``.parquet``, ``.feather``, ``.arrow``), or a
        folder of Parquet files, which are read in the order of their names; a 2-D array that can
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


def rows_of(n_columns: int, dtype: np.dtype[Any]) -> int:
    """Return how many rows make a chunk."""
    return max(1, CHUNK_BYTES // (max(dtype.itemsize, 4) * max(n_columns, 1)))


def files_of(path: Path) -> list[Path]:
    """Return the files of a folder, in the order of their names; a file alone."""
    if not path.is_dir():
        return [path]
    paths = sorted(path.glob("*.parquet"))
    if not paths:
        raise ValueError(f"{path}: the folder must hold .parquet files; got none.")
    return paths


def _of_path(path: Path, columns: Sequence[str] | None, weight_column: str | None) -> Pieces:
    paths = files_of(path)
    for each in paths:
        if each.suffix.lower() not in (".npy", *ARROW_SUFFIXES):
            raise ValueError(
                f"{each}: a file that is read in pieces must be .npy, {', '.join(ARROW_SUFFIXES)}; "
                f"got {each.suffix!r}. Read others with gmmfast.tables.read_table."
            )
        choose_columns(each, columns, weight_column)
    wanted = None if columns is None else [*columns, *([weight_column] if weight_column else [])]

    def pieces(rows: int | None) -> Iterator[Any]:
        for each in paths:
            if each.suffix.lower() == ".npy":
                yield from _npy_pieces(each, rows)
            else:
                yield from _arrow_pieces(each, rows, wanted)

    return pieces


def _npy_pieces(path: Path, rows: int | None) -> Iterator[NDArray[Any]]:
    """Read an array without mapping it, so that memory holds a piece at a time."""
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        (n, d), is_fortran, dtype = read_header(file)
        if is_fortran:
            yield from _slices(np.load(path, mmap_mode="r"), rows)
            return
        step = rows or rows_of(d, dtype)
        for start in range(0, n, step):
            count = min(step, n - start)
            piece = np.fromfile(file, dtype, count * d)
            if piece.size < count * d:
                raise ValueError(f"the file ends after row {start + piece.size // d}")
            yield piece.reshape(count, d)


def _arrow_pieces(path: Path, rows: int | None, columns: list[str] | None) -> Iterator[Any]:
    """Read record batches."""
    source: Any = open_file(path, columns or [])
    if path.suffix.lower() == ".parquet":
        step = rows or BATCH * rows_of(len(columns or source.names), np.dtype(np.float64))
        yield from source.file.iter_batches(step, columns=columns)
        return
    file = source.file
    count = getattr(file, "num_record_batches", None)
    batches = iter(file) if count is None else (file.get_batch(i) for i in range(count))
    for batch in batches:
        step = rows or rows_of(batch.num_columns, np.dtype(np.float64))
        for start in range(0, batch.num_rows, step):
            piece = batch.slice(start, step)
            yield piece if columns is None else piece.select(columns)


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
