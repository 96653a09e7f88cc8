"""Where the data live: whatever offers the sums of an EM pass over its rows."""

from gmmfast.rows.base import Hints, Rows
from gmmfast.rows.memory import MemoryRows

__all__ = ["Hints", "MemoryRows", "Rows"]
