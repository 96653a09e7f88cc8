"""Tables in text, NumPy, Parquet, Arrow and spreadsheet files.

Reading gives a plain 2-D array with column names.
"""

from gmmfast.tables.base import (
    ARROW_SUFFIXES,
    AS_DATA,
    AS_HEADER,
    AS_ROW,
    COMPRESSIONS,
    CORRECT,
    DECIMAL,
    DIALECT,
    DROP,
    KEEP,
    LEAVE_OUT,
    READ_SUFFIXES,
    SHEET,
    TEXT_SUFFIXES,
    WRITE_SUFFIXES,
    EmptyTableError,
    Reading,
    Table,
    default_names,
)
from gmmfast.tables.choosing import choose_columns, require_distinct
from gmmfast.tables.files import Paths
from gmmfast.tables.opening import kind_of
from gmmfast.tables.reading import column_names, read_pieces, read_table
from gmmfast.tables.several import files_of
from gmmfast.tables.writing import require_writable, write_csv, write_table

__all__ = [
    "ARROW_SUFFIXES",
    "AS_DATA",
    "AS_HEADER",
    "AS_ROW",
    "CORRECT",
    "COMPRESSIONS",
    "DECIMAL",
    "DIALECT",
    "DROP",
    "KEEP",
    "LEAVE_OUT",
    "READ_SUFFIXES",
    "SHEET",
    "TEXT_SUFFIXES",
    "WRITE_SUFFIXES",
    "EmptyTableError",
    "Paths",
    "Reading",
    "Table",
    "choose_columns",
    "column_names",
    "default_names",
    "files_of",
    "kind_of",
    "read_pieces",
    "read_table",
    "require_distinct",
    "require_writable",
    "write_csv",
    "write_table",
]
