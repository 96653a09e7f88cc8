"""Free memory, data that are too large for it, and the rows of a chunk."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

PART = 4  # data are large if they take more than this part of the free memory: one in so many bytes
CHUNK_BYTES = 1 << 21  # of a chunk, by default: it stays in the cache

GROUPS = Path("/sys/fs/cgroup")  # control groups of version 2


def free() -> float:
    """Return the bytes that programs may still use; infinity where the system does not say."""
    return min(_of_machine(), _of_groups())


def _of_machine() -> float:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * float(line.split()[1])
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError, AttributeError):
        return math.inf


def _of_groups() -> float:
    """Bytes that the limits of this process's control groups leave, such as a container's."""
    own = _own_group()
    return min(_left_of(GROUPS.joinpath(*own[:depth])) for depth in range(len(own) + 1))


def _own_group() -> list[str]:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    paths = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
    return paths[0].split("/") if paths else []


def _left_of(group: Path) -> float:
    try:
        statistics = (group / "memory.stat").read_text().split()
        cached = float(statistics[statistics.index("inactive_file") + 1])  # is given back
        limit, used = ((group / f"memory.{name}").read_text() for name in ("max", "current"))
        return float(limit) - float(used) + cached
    except (OSError, ValueError):  # "max" is no number: there is no limit
        return math.inf


def is_large(n_bytes: float) -> bool:
    """Whether data should be read in pieces: a fit needs room for a copy of them."""
    return PART * n_bytes > free()


def rows_of(n_columns: int, dtype: np.dtype[Any]) -> int:
    """Return the number of rows per chunk."""
    return max(1, CHUNK_BYTES // (max(dtype.itemsize, 4) * max(n_columns, 1)))
