"""Tables in CSV, NumPy, Parquet and Arrow files.

Reading gives a plain 2-D array with column names.
"""

from gmmfast.tables.base import (
    ARROW_SUFFIXES,
    AS_DATA,
    AS_HEADER,
    AS_ROW,
    CHOOSE,
    LEAVE_OUT,
    READ_SUFFIXES,
    TEXT_SUFFIXES,
    WRITE_SUFFIXES,
    Table,
    default_names,
    require_finite,
)
from gmmfast.tables.reading import (
    choose_columns,
    column_names,
    read_pieces,
    read_table,
    require_distinct,
)
from gmmfast.tables.writing import require_writable, write_csv, write_table

__all__ = [
    "ARROW_SUFFIXES",
    "AS_DATA",
    "AS_HEADER",
    "AS_ROW",
    "CHOOSE",
    "LEAVE_OUT",
    "READ_SUFFIXES",
    "TEXT_SUFFIXES",
    "WRITE_SUFFIXES",
    "Table",
    "choose_columns",
    "column_names",
    "default_names",
    "read_pieces",
    "read_table",
    "require_distinct",
    "require_finite",
    "require_writable",
    "write_csv",
    "write_table",
]
