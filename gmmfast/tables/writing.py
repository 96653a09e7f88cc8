"""Columns into text, NumPy, Parquet and spreadsheet files, some rows at a time."""

import bz2
import contextlib
import csv
import gzip
import io
import lzma
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.paths import naming, require_folder
from gmmfast.tables.arrow import pyarrow_for, write_parquet
from gmmfast.tables.base import (
    ARROW_SUFFIXES,
    EXCEL_SUFFIXES,
    TEXT_SUFFIXES,
    WRITE_SUFFIXES,
    require_suffix,
)
from gmmfast.tables.excel import excel_writer, write_excel
from gmmfast.tables.opening import kind_of

Column: TypeAlias = NDArray[Any] | list[Any]
PACKERS: dict[str, Callable[[IO[bytes]], Any]] = {
    "": contextlib.nullcontext,
    ".gz": lambda file: gzip.GzipFile("", "wb", fileobj=file, mtime=0),  # without name and time
    ".bz2": lambda file: bz2.open(file, "wb"),
    ".xz": lambda file: lzma.open(file, "wb"),
}


def write_table(path: str | os.PathLike[str], pieces: Iterable[Mapping[str, Column]]) -> None:
    """Write columns to a file, all or nothing.

    The file appears under its name only when it is complete, so a run that fails leaves an earlier
    file as it was.

    Parameters
    ----------
    path : path
        ``.csv`` or ``.txt`` (commas), ``.tsv`` (tabs), these also compressed (``.csv.gz``,
        ``.csv.bz2``, ``.csv.xz``), ``.npy`` (one 2-D array of the columns'
        common type, without the names), ``.parquet`` (pyarrow, the extra ``[io]``), or ``.xlsx``
        (xlsxwriter, the extra ``[excel]``; up to 1,048,575 rows).
    pieces : iterable of mapping of str to ndarray of shape (m,) or list
        The columns by name, in order, some rows at a time. They may come from the file itself,
        which is replaced once all have been read.

    Raises
    ------
    OSError
        If the folder is missing, or the file cannot be written.
    ValueError
        If the suffix is none of the above, or the file cannot hold the rows.
    ImportError
        If the file needs pyarrow or xlsxwriter, and that is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "labels.csv")
    ...     write_table(path, [{"row": np.array([1, 2]), "label": np.array([0, 1])}])
    ...     print(path.read_text(), end="")
    row,label
    1,0
    2,1
    """
    path = Path(path)
    require_writable(path, WRITE_SUFFIXES)
    target = path.resolve()  # through a symbolic link, which stays
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with naming(path, part):
            _write(part, *kind_of(target), pieces)
            os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _write(
    part: Path, suffix: str, compression: str, pieces: Iterable[Mapping[str, Column]]
) -> None:
    if suffix in TEXT_SUFFIXES:
        with (
            open(part, "xb") as file,
            PACKERS[compression](file) as packed,
            io.TextIOWrapper(packed, encoding="utf-8", newline="") as text,
        ):
            write_csv(text, pieces, "\t" if suffix == ".tsv" else ",")
    else:
        with open(part, "xb") as file:
            WRITERS[suffix](file, pieces)


def _write_npy(file: IO[bytes], pieces: Iterable[Mapping[str, Column]]) -> None:
    """Write rows behind a header which leaves room for their number."""
    count, columns = 0, 0
    header: dict[str, Any] = {}
    for piece in pieces:
        rows = np.column_stack(list(piece.values()))
        if rows.dtype.kind not in "fiub":
            raise ValueError(
                "a .npy file holds numbers; got a column of text. Write .csv or .parquet instead."
            )
        if not header:
            header = np.lib.format.header_data_from_array_1_0(rows)
            np.lib.format.write_array_header_1_0(file, header)
        file.write(np.ascontiguousarray(rows).tobytes())
        count += len(rows)
        columns = rows.shape[1]
    file.seek(0)
    np.lib.format.write_array_header_1_0(file, header | {"shape": (count, columns)})


WRITERS = {".npy": _write_npy, ".parquet": write_parquet, ".xlsx": write_excel}


def require_writable(path: Path, suffixes: Sequence[str]) -> None:
    """Raise before a long run if writing `path` after it would fail."""
    suffix, compression = kind_of(path)
    if not (compression in PACKERS and suffix in TEXT_SUFFIXES and suffix in suffixes):
        require_suffix(path, suffixes)
    if path.suffix.lower() in ARROW_SUFFIXES:
        pyarrow_for(path, "writing")
    if path.suffix.lower() in EXCEL_SUFFIXES:
        excel_writer(path)
    require_folder(path)


def write_csv(
    stream: IO[str], pieces: Iterable[Mapping[str, Column]], delimiter: str = ","
) -> None:
    """Write columns as CSV text; numbers read back to the same bits.

    Parameters
    ----------
    stream : text file
        Opened for writing.
    pieces : iterable of mapping of str to ndarray of shape (m,) or list
        The columns by name, in order, some rows at a time.
    delimiter : str
        One character.
    """
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    block = 65536  # rows: Python numbers take 4 times the memory of the array
    for number, columns in enumerate(pieces):
        if number == 0:
            writer.writerow(columns)
        arrays = list(columns.values())
        for start in range(0, max((len(array) for array in arrays), default=0), block):
            cells = [_cells(array[start : start + block]) for array in arrays]
            writer.writerows(zip(*cells, strict=True))


def _cells(column: NDArray[Any] | list[Any]) -> list[Any]:
    """Return Python values, whose text is the shortest that reads back the same."""
    if isinstance(column, list):
        return column
    if column.dtype == np.float32:
        return [str(value) for value in column]
    cells: list[Any] = column.tolist()
    return cells
