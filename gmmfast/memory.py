"""How much memory there is, and what is too large for it."""

from __future__ import annotations

import math
import os
from pathlib import Path

PART = 4  # data that would take more than one in so many bytes of what is free are large


def free() -> float:
    """Return the bytes that programs may still use; infinity where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * float(line.split()[1])
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError, AttributeError):
        return math.inf


def is_large(n_bytes: float) -> bool:
    """Whether data are better read in pieces than kept: a fit makes a copy, and needs room."""
    return PART * n_bytes > free()
