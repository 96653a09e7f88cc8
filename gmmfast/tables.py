"""Data as people keep it: CSV, NumPy, Parquet and Arrow files.

Everything here ends in a plain 2-D array with column names; pyarrow is imported only for its files.
"""

import contextlib
import csv
import difflib
import importlib
import itertools
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gmmfast.frames import from_arrow

__all__ = ["Table", "column_names", "read_table", "write_csv", "write_table"]

Floats: TypeAlias = NDArray[np.floating[Any]]

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
ARROW_SUFFIXES = (".parquet", ".feather", ".arrow")
READ_SUFFIXES = (*TEXT_SUFFIXES, ".npy", *ARROW_SUFFIXES)
WRITE_SUFFIXES = (*TEXT_SUFFIXES, ".npy")

_DELIMITERS = ("\t", ";", ",")  # a comma may be a decimal comma, so it is tried last
_SNIFF_LINES = 50
_MISSING = frozenset({"", "-", "?", "na", "n/a", "#n/a", "nan", "null", "none", "missing"})
CHOOSE = "Choose the numeric columns with --columns (columns= in Python)."
_FILL = "gmmfast does not fit missing values: fill the cell or drop the row."


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of numbers with their names.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_columns)
        float64, or float32 where every column of the file is float32.
    names : list of str
        One name a column; ``x1, x2, ...`` where the file holds none.
    has_names : bool
        Whether the names come from the file.
    weights : ndarray of shape (n_rows,) or None
        The weight column, when one was asked for. It is not among `values`.
    """

    values: Floats
    names: list[str]
    has_names: bool = True
    weights: Floats | None = None


class Source(Protocol):
    """A file that has been opened far enough to know its columns."""

    path: Path
    names: list[str]
    has_names: bool

    @property
    def n_bytes(self) -> float:
        """Memory that all columns take once they are read, roughly."""
        ...

    def read(self, picked: list[int]) -> Floats:
        """Return the picked columns, in that order, all finite."""
        ...


def read_table(
    path: str | os.PathLike[str],
    columns: Sequence[str] | None = None,
    weight_column: str | None = None,
) -> Table:
    r"""Read the numeric columns of a file.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv`` or ``.txt`` (separated by comma, semicolon or tab, which is found out;
        UTF-8), ``.npy`` (2-D), or ``.parquet``, ``.feather``, ``.arrow`` (pyarrow, the extra
        ``[io]``). The first line of a text file is a header when none of its cells is a number,
        or when it has text and holds all the names in `columns`.
    columns : sequence of str, optional
        The columns to read, in this order. By default all but the weight column.
    weight_column : str, optional
        A column that holds the weight of each row.

    Returns
    -------
    Table
        Finite numbers only.

    Raises
    ------
    OSError
        The file is missing, is a directory or cannot be read.
    ValueError
        The content cannot be used: empty, ragged, not a number, missing values, an unknown column.
    ImportError
        A Parquet or Arrow file, and pyarrow is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "data.csv")
    ...     _ = path.write_text("id;height;mass\nA;1.8;80\nB;1.6;55\n")
    ...     table = read_table(path, columns=["mass", "height"])
    >>> table.values
    array([[80. ,  1.8],
           [55. ,  1.6]])
    """
    source, names = choose_columns(path, columns, weight_column)
    if weight_column is None:
        return Table(source.read(_pick(source, names)), names, source.has_names)
    values = source.read(_pick(source, [*names, weight_column]))
    return Table(
        np.ascontiguousarray(values[:, :-1]), names, source.has_names, values[:, -1].copy()
    )


def choose_columns(
    path: str | os.PathLike[str], columns: Sequence[str] | None, weight_column: str | None
) -> tuple["Source", list[str]]:
    """Open a file and name the columns to read; parameters and errors as of `read_table`."""
    path = Path(path)
    asked = [*columns] if columns is not None else []
    if weight_column is not None:
        asked.append(weight_column)
    source = open_file(path, asked)
    if columns is None:
        names = [name for name in source.names if name != weight_column]
    else:
        names = list(columns)
        if not names:
            raise ValueError("columns must name at least one column; got none.")
    if not names:
        raise ValueError(f"{path}: no column is left beside the weight column {weight_column!r}.")
    _pick(source, names if weight_column is None else [*names, weight_column])
    return source, names


def column_names(path: str | os.PathLike[str], expected: Sequence[str] = ()) -> list[str] | None:
    """Names of the columns of a file, or None where it holds none.

    Parameters
    ----------
    path : path
        As for :func:`read_table`.
    expected : sequence of str
        Names that decide whether a first line with text and numbers is a header.

    Returns
    -------
    list of str or None
    """
    source = open_file(Path(path), list(expected))
    return source.names if source.has_names else None


def require_suffix(path: Path, suffixes: Sequence[str]) -> None:
    """Raise ValueError unless `path` ends in one of `suffixes`."""
    if path.suffix.lower() not in suffixes:
        got = repr(path.suffix) if path.suffix else "none"
        raise ValueError(
            f"{path}: the file suffix must be one of {', '.join(suffixes)}; got {got}."
        )


def open_file(path: Path, asked: list[str]) -> Source:
    """Open a file far enough to know its columns; an error says why it cannot be used."""
    require_suffix(path, READ_SUFFIXES)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: a file is required; this is a directory.")
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file.")
    suffix = path.suffix.lower()
    if suffix in TEXT_SUFFIXES:
        return _TextFile(path, asked)
    return _NpyFile(path) if suffix == ".npy" else _ArrowFile(path)


def _pick(source: Source, names: list[str]) -> list[int]:
    """Position of each name among the columns, where it must be once."""
    path, positions = source.path, {name: i for i, name in enumerate(source.names)}
    counts = Counter(source.names)
    for name, count in Counter(names).items():
        if name not in positions:
            more = f" and {len(source.names) - 20} more" if len(source.names) > 20 else ""
            shown = ", ".join(source.names[:20]) + more
            close = difflib.get_close_matches(name, source.names, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{path}: there is no column {name!r}; the columns are {shown}.{hint}")
        if not name:
            raise ValueError(
                f"{path}: every column must have a name; column {positions[name] + 1} has none. "
                "Name it, or choose the columns with --columns (columns= in Python)."
            )
        if counts[name] > 1:
            raise ValueError(
                f"{path}: column names must be distinct; {name!r} appears {counts[name]} times. "
                "Rename them."
            )
        if count > 1:
            raise ValueError(f"A column can be used once; {name!r} is asked for {count} times.")
    return [positions[name] for name in names]


def default_names(count: int) -> list[str]:
    """Names of columns that have none."""
    return [f"x{i}" for i in range(1, count + 1)]


def _require_finite(path: Path, values: Floats, names: list[str]) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        row, column = np.unravel_index(int(np.argmin(finite)), finite.shape)
        where = f"{path}, row {row + 1}, column {names[column]!r}"
        raise ValueError(_unusable(where, str(values[row, column])))


def _unusable(where: str, cell: str) -> str:
    """Error text for one cell that is no finite number."""
    text = cell.strip()
    if not text:
        return f"{where}: every cell must hold a number; this one is empty. {_FILL}"
    shown = repr(text if len(text) <= 40 else text[:37] + "...")
    if text.lower() in _MISSING:
        return f"{where}: every cell must hold a number; got {shown}. {_FILL}"
    if _number(text) is not None:
        return f"{where}: every number must be finite; got {shown}. Correct it or drop the row."
    return f"{where}: every cell must be a number; got {shown}. {CHOOSE}"


def _number(cell: str) -> float | None:
    """Value of a cell, by the rules of numpy.loadtxt: no underscores, no foreign digits."""
    if "_" in cell or not cell.isascii():
        return None
    try:
        return float(cell)
    except ValueError:
        return None


class _TextFile:
    """A CSV or TSV file: where its data begins, its delimiter and its columns."""

    def __init__(self, path: Path, asked: list[str]) -> None:
        self.path = path
        with self._explained():
            self.delimiter = self._sniff()
            first, second = itertools.islice(itertools.chain(self._records(), [None, None]), 2)
        if first is None:
            raise ValueError(f"{path}: a table needs at least one row; the file is empty.")
        line, cells = first
        names = [cell.strip() for cell in cells]
        mixed = any(_number(name) is not None for name in names)
        words = any(name and _number(name) is None for name in names)
        self.has_names = words and (not mixed or (bool(asked) and set(asked) <= set(names)))
        self.names = names if self.has_names else default_names(len(names))
        if self.has_names:
            if second is None:
                raise ValueError(
                    f"{path}: a table needs at least one row below the header line; got none."
                )
            line = second[0]
        self.first_line = line

    @property
    def n_bytes(self) -> float:
        return self.path.stat().st_size  # a number of eight bytes takes about as many characters

    def read(self, picked: list[int]) -> NDArray[np.float64]:
        with self._explained():
            try:
                values = self._parse(picked)
            except ValueError:
                return self._parse_with_care(picked)
            return values if np.isfinite(values).all() else self._parse_with_care(picked)

    def _parse(self, picked: list[int]) -> NDArray[np.float64]:
        """Parse at the speed of compiled code; any fault is a ValueError that names no cell."""
        count = len(self.names)
        whole = picked == list(range(count))
        # Columns that are not wanted are read as one character each: the row lengths are checked.
        wanted = set(picked)
        kinds = [(f"c{i}", "f8" if i in wanted else "U1") for i in range(count)]
        rows: NDArray[Any] = np.loadtxt(
            os.path.abspath(self.path),
            dtype=np.float64 if whole else np.dtype(kinds),
            comments=None,
            delimiter=self.delimiter,
            skiprows=self.first_line - 1,
            ndmin=2 if whole else 1,
            encoding="utf-8-sig",
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

    def _parse_with_care(self, picked: list[int]) -> NDArray[np.float64]:
        """Parse cell by cell, to name the first one that is at fault."""
        rows = []
        for line, cells in self._records(self.first_line):
            if len(cells) != len(self.names):
                like = "the header line" if self.has_names else f"line {self.first_line}"
                raise ValueError(
                    f"{self.path}, line {line}: every row must have {len(self.names)} cells, "
                    f"as {like} has; got {len(cells)}. Correct the row."
                )
            row = [_number(cells[i].strip()) for i in picked]
            for i, value in zip(picked, row, strict=True):
                if value is None or not math.isfinite(value):
                    where = f"{self.path}, line {line}, column {self.names[i]!r}"
                    raise ValueError(_unusable(where, cells[i]))
            rows.append(row)
        return np.array(rows, dtype=np.float64)

    def _records(self, start: int = 1) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each record from line `start` on; blank lines are left out."""
        with self._text() as file:
            reader = csv.reader(itertools.islice(file, start - 1, None), delimiter=self.delimiter)
            line = start
            for cells in reader:
                if any(cell and not cell.isspace() for cell in cells) or len(cells) > 1:
                    yield line, cells
                line = start + reader.line_num

    def _sniff(self) -> str:
        """Return the delimiter that splits the first lines into equally many cells."""
        with self._text() as file:
            lines = (line for line in file if not line.isspace())
            sample = list(itertools.islice(lines, _SNIFF_LINES))
        widths = {}
        for delimiter in _DELIMITERS:
            records = [len(cells) for cells in csv.reader(sample, delimiter=delimiter)]
            widths[delimiter] = records or [1]
        for delimiter, records in widths.items():
            if records[0] > 1 and len(set(records)) == 1:
                return delimiter
        return max(reversed(_DELIMITERS), key=lambda delimiter: widths[delimiter][0])

    def _text(self) -> IO[str]:
        return open(self.path, encoding="utf-8-sig", newline="")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            raise ValueError(
                f"{self.path}: the text must be UTF-8; got byte {byte:#04x}. Save it as CSV UTF-8."
            ) from None
        except csv.Error as error:
            raise ValueError(f"{self.path}: the file must be CSV text; got: {error}.") from None


class _NpyFile:
    """A 2-D array saved by numpy.save, mapped and never unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            array = np.lib.format.open_memmap(path, mode="r")
        except (ValueError, EOFError) as error:
            if "Python objects" in str(error):
                raise ValueError(
                    f"{path}: the array must hold plain numbers; got Python objects, "
                    "which gmmfast never unpickles. Save it as float64."
                ) from None
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
            raise ValueError(
                f"{path}: the array must have at least one row and column; got {array.shape}."
            )
        self.array = array
        self.names = default_names(array.shape[1])
        self.has_names = False

    @property
    def n_bytes(self) -> float:
        return float(self.array.size * max(self.array.itemsize, 4))

    def read(self, picked: list[int]) -> Floats:
        dtype = np.float32 if self.array.dtype == np.float32 else np.float64
        whole = picked == list(range(len(self.names)))
        values: Floats = np.array(self.array if whole else self.array[:, picked], dtype=dtype)
        _require_finite(self.path, values, [self.names[i] for i in picked])
        return values


class _ArrowFile:
    """A Parquet, Feather or Arrow IPC file, read by pyarrow."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.arrow = importlib.import_module("pyarrow")
            parquet = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise ImportError(
                f"{path}: reading {path.suffix} files needs pyarrow, which is not installed. "
                'Install it with: pip install "gmmfast[io]"'
            ) from None
        self.has_names = True
        with self._explained():
            if path.suffix.lower() == ".parquet":
                self.file = parquet.ParquetFile(path)
                self.names = list(self.file.schema_arrow.names)
            else:
                self.file = self._open_ipc()
                self.names = list(self.file.schema.names)

    @property
    def n_bytes(self) -> float:
        if self.path.suffix.lower() == ".parquet":
            return float(8 * self.file.metadata.num_rows * len(self.names))
        return self.path.stat().st_size

    def read(self, picked: list[int]) -> Floats:
        names = [self.names[i] for i in picked]
        with self._explained():
            if self.path.suffix.lower() == ".parquet":
                table = self.file.read(columns=names)
            else:
                table = self.file.read_all()
        if table.num_rows == 0:
            raise ValueError(f"{self.path}: a table needs at least one row; got none.")
        try:
            values = from_arrow(self.arrow, table.select(names))
        except ValueError as error:
            raise ValueError(f"{self.path}: {error} {CHOOSE}") from None
        _require_finite(self.path, values, names)
        return values

    def _open_ipc(self) -> Any:
        ipc = self.arrow.ipc
        try:
            return ipc.open_file(self.arrow.memory_map(str(self.path)))
        except self.arrow.ArrowInvalid:
            return ipc.open_stream(self.arrow.memory_map(str(self.path)))

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (self.arrow.ArrowException, OSError):
            raise ValueError(
                f"{self.path}: a {self.path.suffix} file is required; "
                "this one is damaged or something else. Write it again."
            ) from None


def write_table(path: str | os.PathLike[str], pieces: Iterable[Mapping[str, NDArray[Any]]]) -> None:
    """Write columns to a file, all or nothing.

    The file appears under its name only when it is complete, so a run that fails leaves what was
    there before.

    Parameters
    ----------
    path : path
        ``.csv`` or ``.txt`` (commas), ``.tsv`` (tabs), or ``.npy`` (one 2-D array of the columns'
        common type, without the names).
    pieces : iterable of mapping of str to ndarray of shape (m,)
        The columns by name, in order, some rows at a time.

    Raises
    ------
    OSError
        The folder is missing, or the file cannot be written.
    ValueError
        The suffix is none of the above.
    """
    path = Path(path)
    require_writable(path, WRITE_SUFFIXES)
    target = path.resolve()  # through a symbolic link, which stays
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if target.suffix.lower() == ".npy":
            with open(part, "xb") as file:
                _write_npy(file, pieces)
        else:
            delimiter = "\t" if target.suffix.lower() == ".tsv" else ","
            with open(part, "x", encoding="utf-8", newline="") as text:
                write_csv(text, pieces, delimiter)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _write_npy(file: IO[bytes], pieces: Iterable[Mapping[str, NDArray[Any]]]) -> None:
    """Write rows behind a header which leaves room for their number."""
    count, columns = 0, 0
    header: dict[str, Any] = {}
    for piece in pieces:
        rows = np.column_stack(list(piece.values()))
        if not header:
            header = np.lib.format.header_data_from_array_1_0(rows)
            np.lib.format.write_array_header_1_0(file, header)
        file.write(np.ascontiguousarray(rows).tobytes())
        count += len(rows)
        columns = rows.shape[1]
    file.seek(0)
    np.lib.format.write_array_header_1_0(file, header | {"shape": (count, columns)})


def require_writable(path: Path, suffixes: Sequence[str]) -> None:
    """Raise before a long run what would make writing `path` fail after it."""
    require_suffix(path, suffixes)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: the output must be a file; this is a directory.")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {path.parent} must exist. Create it first.")


def write_csv(
    stream: IO[str], pieces: Iterable[Mapping[str, NDArray[Any]]], delimiter: str = ","
) -> None:
    """Write columns as CSV text; numbers read back to the same bits.

    Parameters
    ----------
    stream : text file
        Opened for writing.
    pieces : iterable of mapping of str to ndarray of shape (m,)
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


def _cells(column: NDArray[Any]) -> list[Any]:
    """Python values whose text is the shortest that reads back the same."""
    if column.dtype == np.float32:
        return [str(value) for value in column]
    cells: list[Any] = column.tolist()
    return cells
