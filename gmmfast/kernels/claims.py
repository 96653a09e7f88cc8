"""Claims: which of the processes that share a cache compiles a kernel, while the others wait."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Hashable
from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # no POSIX: processes that start together each compile everything
    fcntl = None

HIGHEST = 1 << 31  # byte of the file that is locked; file systems of networks know no higher ones


class Claims:
    """Locks of single bytes of one file, one byte for each claim.

    The system gives a process's locks back when it ends, however it ends. A process that asks for
    its own lock again gets it.

    Parameters
    ----------
    folder : str
        Folder of the file, which is made on first use.
    """

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "claims")
        self._file = -1  # never closed: closing any descriptor of a file drops all its locks

    def take(self, what: Hashable, waits: bool = True) -> bool:
        """Wait for a claim and take it; return whether this process has it.

        It does not if the system has no such locks, or if another has it and `waits` is false.
        """
        if fcntl is None:
            return False
        try:
            if self._file < 0:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            fcntl.lockf(self._file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB), 1, _byte(what))
        except OSError:  # taken, a file system without locks, or each waits for the other
            return False
        return True

    def give_back(self, what: Hashable) -> None:
        """End a claim."""
        if fcntl is not None and self._file >= 0:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _byte(what))

    def give_all_back(self) -> None:
        """End all claims of this process."""
        if fcntl is not None and self._file >= 0:
            fcntl.lockf(self._file, fcntl.LOCK_UN)


def _byte(what: Hashable) -> int:
    return int.from_bytes(hashlib.sha256(repr(what).encode()).digest()[:8], "big") % HIGHEST
