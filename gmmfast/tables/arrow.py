"""Parquet, Feather and Arrow files; pyarrow is imported only for these."""

import contextlib
import importlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gmmfast.data.frames import from_arrow
from gmmfast.data.free_memory import rows_of
from gmmfast.tables.base import EmptyTableError, Piece, TableFile, Watch, unwatched
from gmmfast.tables.ipc import decoded_size

_INDEX = re.compile(r"__index_level_[0-9]+__|__null_dask_index__")  # one without a name
BATCH = 4  # chunks that are decoded at once of Parquet files, which costs less per row


def pyarrow_for(path: Path, doing: str) -> tuple[Any, Any]:
    """Import pyarrow and its Parquet module; ImportError says which file needs them."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ImportError(
            f"{path}: {doing} {path.suffix} files needs pyarrow, which is not installed. "
            'Install it with: pip install "gmmfast[io]"'
        ) from None


class ArrowFile(TableFile):
    """A Parquet, Feather or Arrow IPC file, read by pyarrow."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.arrow, parquet = pyarrow_for(path, "reading")
        self.has_names = True
        with self._explained():
            if path.suffix.lower() == ".parquet":
                self.file = parquet.ParquetFile(path)
                self.schema = self.file.schema_arrow
            else:
                self.file = self._open_ipc()
                self.schema = self.file.schema
        self.names = list(self.schema.names)
        if not self._has_rows():
            raise EmptyTableError(f"{path}: a table needs at least one row; got none.", self.names)
        self.index = _index_of(self.schema)
        self.text = self._text_columns()
        self.empty: list[str] = []
        self.notes: list[str] = []

    @property
    def n_bytes(self) -> float:
        """Size with all columns of numbers as float64; of IPC data at least all decoded buffers."""
        n_columns = len(self.names) - len(self.text)
        if self.path.suffix.lower() == ".parquet":
            facts = self.file.metadata
            groups = sum(facts.row_group(i).num_rows for i in range(facts.num_row_groups))
            return float(8 * max(facts.num_rows, groups) * n_columns)
        n_rows, n_bytes = self._decoded_size()
        return float(max(8 * n_rows * n_columns, n_bytes))

    def _has_rows(self) -> bool:
        if self.path.suffix.lower() == ".parquet":
            return bool(self.file.metadata.num_rows)
        return self._decoded_size()[0] > 0

    def _decoded_size(self) -> tuple[int, int]:
        """Return the number of rows of IPC data, and the bytes of their buffers."""
        with self._explained():
            return decoded_size(memoryview(self.arrow.memory_map(str(self.path)).read_buffer()))

    def _text_columns(self) -> list[str]:
        """Return the names of the columns that do not hold numbers; no row is read."""
        empty, found = self.schema.empty_table(), []
        for i, name in enumerate(self.names):
            try:
                from_arrow(self.arrow, empty.select([i]))
            except ValueError:
                found.append(name)
        return found

    def read(self, picked: list[int], kept: Sequence[int] = (), watch: Watch = unwatched) -> Piece:
        """Return the picked columns; ValueError names the first that cannot be used."""
        with self._explained():
            names = [self.names[i] for i in dict.fromkeys([*picked, *kept])]
            if self.path.suffix.lower() == ".parquet":
                table = self.file.read(columns=names)
            else:
                table = self._open_ipc().read_all().select(names)  # a stream is read once
        watch(table.num_rows)
        return self._piece(table, picked, kept)

    def pieces(
        self, picked: list[int], n_rows: int | None = None, kept: Sequence[int] = ()
    ) -> Iterator[Piece]:
        """Yield the picked columns, some rows at a time."""
        names = [self.names[i] for i in dict.fromkeys([*picked, *kept])]
        for batch in self._batches(names, n_rows):
            yield self._piece(batch, picked, kept)

    def _piece(self, table: Any, picked: list[int], kept: Sequence[int]) -> Piece:
        try:
            values = from_arrow(self.arrow, table.select([self.names[i] for i in picked]))
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None
        return Piece(values, [table.column(self.names[i]).to_pylist() for i in kept])

    def _batches(self, names: list[str], n_rows: int | None) -> Iterator[Any]:
        step = rows_of(len(names), np.dtype(np.float64))
        if self.path.suffix.lower() == ".parquet":
            yield from self.file.iter_batches(n_rows or BATCH * step, columns=names)
            return
        for batch in self._record_batches():
            for start in range(0, batch.num_rows, n_rows or step):
                yield batch.slice(start, n_rows or step)

    def _record_batches(self) -> Iterator[Any]:
        file = self._open_ipc()  # a stream is read once, so that each pass opens its own
        count = getattr(file, "num_record_batches", None)  # a stream does not say
        yield from file if count is None else map(file.get_batch, range(count))

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
        except MemoryError:
            raise
        except (self.arrow.ArrowException, OSError):
            raise ValueError(
                f"{self.path}: a {self.path.suffix} file is required; "
                "this one is damaged or something else. Write it again."
            ) from None


def _index_of(schema: Any) -> list[str]:
    """Return the columns that pandas or Dask wrote as an index, if there are others."""
    found: Any = None
    with contextlib.suppress(ValueError, AttributeError):  # text that anyone may have written
        found = schema.pandas_metadata.get("index_columns")
    found = found if isinstance(found, list) else []
    index = [name for name in schema.names if name in found or _INDEX.fullmatch(name)]
    return index if len(index) < len(schema.names) else []


def write_parquet(
    file: IO[bytes], pieces: Iterable[Mapping[str, NDArray[Any] | list[Any]]]
) -> None:
    """Write columns as Parquet, one row group per piece."""
    arrow, parquet = pyarrow_for(Path(file.name), "writing")
    with contextlib.ExitStack() as stack:
        writer = None
        for columns in pieces:
            table = arrow.table(dict(columns))
            if writer is None:
                writer = stack.enter_context(parquet.ParquetWriter(file, table.schema))
            writer.write_table(table)
