"""Claims: one process compiles a kernel, and others that share the cache wait for it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Hashable
from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # no POSIX: processes that start together each compile everything
    fcntl = None

N_BYTES = 1 << 31  # offsets of locks; network file systems allow no larger ones
PATIENCE = 60.0  # seconds; the slowest kernel takes 10. Whoever has it longer has been stopped
TICK = 0.02  # seconds between attempts


class Claims:
    """Locks of single bytes of one file, one byte for each claim.

    The system ends the claims of a process that ends, however it ends. A process can take its own
    claim again.

    Parameters
    ----------
    folder : str
        Existing folder; the file is made on first use.
    """

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "claims")
        self._file = -1  # never closed: closing any descriptor of a file drops all its locks

    def take(self, what: Hashable, patience: float = PATIENCE) -> bool:
        """Take a claim as soon as no other process has it; return whether this one has it now.

        It does not after `patience` seconds, or where the file system has no locks.
        """
        end = time.monotonic() + patience
        while fcntl is not None:
            try:
                if self._file < 0:
                    self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(what))
                return True
            except (BlockingIOError, PermissionError):  # another process has it
                if time.monotonic() >= end:
                    return False
            except OSError:
                return False
            time.sleep(TICK)
        return False

    def give_back(self, what: Hashable) -> None:
        """End a claim."""
        self._unlock(1, _byte(what))

    def give_all_back(self) -> None:
        """End all claims of this process."""
        self._unlock(0, 0)

    def _unlock(self, count: int, start: int) -> None:
        if fcntl is not None and self._file >= 0:
            with contextlib.suppress(OSError):  # no locks here
                fcntl.lockf(self._file, fcntl.LOCK_UN, count, start)


def _byte(what: Hashable) -> int:
    return int.from_bytes(hashlib.sha256(repr(what).encode()).digest()[:8], "big") % N_BYTES
