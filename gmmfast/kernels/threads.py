"""Threads of the kernels, and stopping them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np
from numba.core import config
from numba.core.compiler_lock import global_compiler_lock
from numpy.random import mtrand
from numpy.typing import NDArray

from gmmfast.kernels.caching import cache_folder
from gmmfast.kernels.simd import REGISTER_BYTES

MAX_SHARDS = 64
# about 0.4 ms: while another program uses the cores, each loop may wait a time slice for it
TEAM_WORK = 1 << 20
_team = threading.Lock()  # Numba's workqueue layer aborts when two threads run parallel kernels
# guards Numba's own functions, which hold locks that a fork may copy
_settings = threading.RLock()
_forked = False  # the OpenMP layer kills a forked child that runs parallel kernels


def _locks() -> tuple[Any, ...]:
    """Locks of a fit that other threads could leave locked in a forked child.

    They guard Numba's compiler, its threads, and NumPy's generator. So a fork waits for a
    compilation in another thread, or for one in another process that this thread waits for.
    """
    return global_compiler_lock, _settings, mtrand.get_bit_generator().lock


_held: list[Any] = []  # by a fork


def _before_fork() -> None:
    for lock in _locks():
        lock.acquire()
        _held.append(lock)


def _after_fork() -> None:
    held = _held[::-1]
    _held.clear()  # before the first lock is released: another thread may be waiting to fork
    for lock in held:
        lock.release()


def _in_child() -> None:
    global _forked
    _forked = True
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)


def thread_count(n_jobs: int | None) -> int:
    """Threads for `n_jobs`: None for Numba's current setting, -1 for its maximum."""
    with _settings:
        allowed = numba.get_num_threads()
    if n_jobs is None:
        return int(allowed)
    wanted = n_jobs if n_jobs > 0 else config.NUMBA_NUM_THREADS + 1 + n_jobs
    return int(min(max(wanted, 1), config.NUMBA_NUM_THREADS))


def set_thread_count(count: int) -> None:
    """Set the number of threads for this Python thread."""
    with _settings:
        numba.set_num_threads(count)


def limit_team(count: int) -> None:
    """Let loops of this Python thread use at most so many threads, whatever their `n_jobs`."""
    _own.most = count


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = thread_count(None)
    set_thread_count(count)
    try:
        yield
    finally:
        set_thread_count(before)


@contextmanager
def team(n_jobs: int | None, n_shards: int, work: int) -> Iterator[int]:
    """Acquire threads for a loop, and yield their number: 1 if another fit has them.

    Neither the shards nor the order of their sum depends on the number of threads, so the result
    is the same to the last bit.

    Parameters
    ----------
    n_jobs : int or None
        As in `thread_count`.
    n_shards : int
        The largest number of threads.
    work : int
        Multiplications of the loop; below `TEAM_WORK` it gets one thread.
    """
    most = getattr(_own, "most", n_shards)
    count = min(thread_count(n_jobs), n_shards, most) if work >= TEAM_WORK else 1
    if count == 1 or _forked or not _team.acquire(blocking=False):
        yield 1
        return
    try:
        with _threads(count):
            yield count
    finally:
        _team.release()


class Pace:
    """Whether the next passes of this Python thread are for the team, as measured.

    Where other programs use the cores, threads wait for each other, and one thread can be ten
    times faster. So a pass that takes longer with the team than it should take one thread is
    followed by one alone, and the faster way is kept for a while.
    """

    def __init__(self) -> None:
        self.is_alone = False  # whether one thread makes the next passes
        self.n_passes = 1  # until the next decision
        self._together: float | None = None  # its speed, while a pass alone is compared

    def record(self, seconds: float, work: int) -> None:
        """Decide on the next passes.

        Parameters
        ----------
        seconds : float
            Time per pass of the last passes.
        work : int
            Multiplications per pass.
        """
        speed = work / seconds
        if self._together is not None:  # the last pass was the comparison
            self.is_alone = speed > self._together
            self.n_passes, self._together = KEPT, None
        elif self.is_alone:
            self.is_alone, self.n_passes = False, 1
        elif speed < PER_SECOND:
            self.is_alone, self.n_passes, self._together = True, 1, speed
        else:
            self.n_passes = KEPT


def current_pace() -> Pace:
    """Return the pace of this Python thread, which one fit leaves to the next."""
    if not hasattr(_own, "pace"):
        _own.pace = Pace()
    pace: Pace = _own.pace
    return pace


def run_shards(
    parallel: Callable[..., None],
    serial: Callable[..., None],
    n_jobs: int | None,
    n_shards: int,
    work: int,
    *args: Any,
) -> None:
    """Run ``parallel(begin, end, n_shards, *args)`` if threads are available, else `serial`.

    `work` counts multiplications; long loops are split into several calls.
    """
    with team(n_jobs, n_shards, work) as count:
        function = parallel if count > 1 else serial
        for part in slices(n_shards, work // n_shards // count, count):
            function(part.start, part.stop, n_shards, *args)


# ------------------------------------------------------------------------------------ stopping

SLICE = 1 << 28  # multiplications, some 0.1 s: Python handles Ctrl-C between compiled calls
PER_SECOND = 10 * SLICE  # multiplications of one thread
KEPT = 32  # passes after which `Pace` decides again
GO_ON, END, ABANDON = 0, 1, 2  # values of a stop
_own = threading.local()


class AbandonedError(Exception):
    """The result of this thread is no longer needed."""


def new_stop() -> NDArray[np.int8]:
    """Return a stop (1,) for threads to obey; compiled code can read it."""
    return np.zeros(1, np.int8)


def obey(stop: NDArray[np.int8]) -> None:
    """Make this thread obey a stop.

    At END its fits return their current state; at ABANDON they raise AbandonedError.
    """
    _own.stop = stop


def current_stop() -> NDArray[np.int8]:
    """Return this thread's stop."""
    stop: NDArray[np.int8] | None = getattr(_own, "stop", None)
    return new_stop() if stop is None else stop


def slices(n_items: int, work: int, at_least: int = 1) -> Iterator[slice]:
    """Split a loop into compiled calls of no more than `SLICE` multiplications.

    Parameters
    ----------
    n_items : int
        Length of the loop.
    work : int
        Multiplications per item.
    at_least : int
        Fewest items per call; the last call may have fewer.

    Raises
    ------
    AbandonedError
        If this thread's stop is ABANDON.
    """
    step = max(at_least, SLICE // max(work, 1))
    step -= step % at_least
    for begin in range(0, n_items, step):
        require_somebody()
        yield slice(begin, min(begin + step, n_items))


def require_somebody() -> None:
    """Raise AbandonedError if this thread's stop is ABANDON."""
    if current_stop()[0] == ABANDON:
        raise AbandonedError


# --------------------------------------------------------------------------------- the machine


def describe() -> dict[str, str]:
    """Return facts for ``gmmfast info``: threads, threading layer, vectors, cache."""
    try:
        layer = numba.threading_layer()
    except ValueError:  # not chosen before the first parallel kernel
        layer = f"{config.THREADING_LAYER} (chosen when the first parallel kernel runs)"
    return {
        "threads": str(thread_count(None)),
        "threading layer": layer,
        "vector width": f"{8 * REGISTER_BYTES} bits ({REGISTER_BYTES // 8} float64 rows)",
        "cache folder": cache_folder() or "none: every process compiles anew",
    }
