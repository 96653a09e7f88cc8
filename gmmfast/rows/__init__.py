"""Rows in memory, in chunks or on a cluster: each computes the sums of an EM pass."""

from gmmfast.rows.base import EMRows, Hints, Origin, Rows, RowsInMemory
from gmmfast.rows.chunks import ChunkRows
from gmmfast.rows.cluster import ClusterRows
from gmmfast.rows.extent import center_near
from gmmfast.rows.incomplete import IncompleteRows
from gmmfast.rows.memory import MemoryRows
from gmmfast.rows.opening import open_rows
from gmmfast.rows.trimmed import TrimmedRows, trimmed

__all__ = [
    "ChunkRows",
    "ClusterRows",
    "EMRows",
    "Hints",
    "IncompleteRows",
    "RowsInMemory",
    "MemoryRows",
    "Origin",
    "Rows",
    "TrimmedRows",
    "center_near",
    "open_rows",
    "trimmed",
]
