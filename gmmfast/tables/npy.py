"""Files of numpy.save."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from gmmfast.data.free_memory import rows_of
from gmmfast.tables.base import (
    EmptyTableError,
    Floats,
    Piece,
    TableFile,
    Watch,
    default_names,
    unwatched,
)


class NpyFile(TableFile):
    """A 2-D array saved by numpy.save, mapped and never unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            _require_whole(path)
            array = np.lib.format.open_memmap(path, mode="r")
        except (ValueError, EOFError, TokenError) as error:  # the last from Python 3.12 on
            if "Python objects" in str(error):
                raise ValueError(
                    f"{path}: the array must hold plain numbers; got Python objects, "
                    "which gmmfast never unpickles. Save it as float64."
                ) from None
            if str(path) in str(error):
                raise
            raise ValueError(
                f"{path}: an array written by numpy.save is required; "
                "this file is damaged or something else. Write it again."
            ) from None
        if array.ndim != 2:
            hint = " Use array.reshape(-1, 1) for one column." if array.ndim == 1 else ""
            raise ValueError(
                f"{path}: the array must have shape (rows, columns); got {array.shape}.{hint}"
            )
        if array.dtype.kind not in "fiub":
            raise ValueError(
                f"{path}: the array must hold real numbers; got dtype {array.dtype}. "
                "Save it as float64."
            )
        if 0 in array.shape:
            raise EmptyTableError(
                f"{path}: the array must have at least one row and column; got {array.shape}.",
                default_names(array.shape[1]),
            )
        self.array = array
        self.names = default_names(array.shape[1])
        self.has_names = False
        self.index: list[str] = []
        self.text: list[str] = []
        self.empty: list[str] = []
        self.notes: list[str] = []

    @property
    def n_bytes(self) -> float:
        """Size as float32 or float64, to which other types are converted."""
        return float(self.array.size * np.dtype(self.dtype).itemsize)

    @property
    def dtype(self) -> type[np.floating[Any]]:
        """Type of the values after reading."""
        return np.float32 if self.array.dtype == np.float32 else np.float64

    def read(self, picked: list[int], kept: Sequence[int] = (), watch: Watch = unwatched) -> Piece:
        """Return the picked columns."""
        whole = picked == list(range(len(self.names)))
        values: Floats = np.array(self.array if whole else self.array[:, picked], dtype=self.dtype)
        watch(len(values))
        return Piece(values, [self.array[:, i].tolist() for i in kept])

    def pieces(
        self, picked: list[int], n_rows: int | None = None, kept: Sequence[int] = ()
    ) -> Iterator[Piece]:
        """Yield some rows at a time: read, not mapped, so that memory holds a piece."""
        array = self.array
        n, d = array.shape
        step = n_rows or rows_of(d, array.dtype)
        whole = picked == list(range(d))
        with self.path.open("rb") as file:
            file.seek(array.offset)
            for start in range(0, n, step):
                count = min(step, n - start)
                if array.flags.c_contiguous:
                    piece = np.fromfile(file, array.dtype, count * d)
                    if piece.size < count * d:
                        raise ValueError(f"the file ends after row {start + piece.size // d}")
                    piece = piece.reshape(count, d)
                else:
                    piece = np.asarray(array[start : start + count])
                values = (piece if whole else piece[:, picked]).astype(self.dtype, copy=False)
                yield Piece(values, [piece[:, i].tolist() for i in kept])


def _require_whole(path: Path) -> None:
    """Raise ValueError if the header names a larger array than the file holds."""
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version > (2, 0):  # of structured arrays, which are no tables
            return
        read = np.lib.format.read_array_header_1_0
        shape, _, dtype = (read if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)
        if min(shape, default=0) < 0:
            raise ValueError("a length is negative")
        claimed, held = math.prod(shape) * dtype.itemsize, path.stat().st_size - file.tell()
    if claimed > held and not dtype.hasobject:
        raise ValueError(
            f"{path}: the header names an array of shape {shape} and type {dtype}, which takes "
            f"{claimed} bytes; the file holds {held}. It was cut short: copy or write it again."
        )
