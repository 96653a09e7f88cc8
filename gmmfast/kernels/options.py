"""How kernels are compiled, where their machine code is kept, and on which threads they run."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
import numba
from numba.core import caching, config

from gmmfast.kernels.simd import REGISTER_BYTES

Function = TypeVar("Function", bound=Callable[..., Any])


def _digest() -> str:
    """Everything that the machine code depends on: the kernels' sources and who compiles them."""
    state = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__} {REGISTER_BYTES}".encode())
    folder = Path(__file__).parent
    for source in (*sorted(folder.glob("*.py")), folder.parent / "parameters.py"):  # Density
        state.update(source.read_bytes())
    return state.hexdigest()


DIGEST = _digest()

# ------------------------------------------------------------------------------------ compiling


def _of_all_sources(locator: type) -> type:
    """A cache folder whose entries go stale when any kernel changes, not only their own file."""
    return type(locator.__name__, (locator,), {"get_source_stamp": lambda self: DIGEST})


class _Entries(caching.CompileResultCacheImpl):
    _locator_classes = [
        _of_all_sources(locator)
        for locator in (
            caching.UserProvidedCacheLocator,
            caching.InTreeCacheLocator,
            caching.UserWideCacheLocator,
        )
    ]


class _Files(caching.IndexDataCacheFile):
    """Files of machine code that say what they hold.

    The index alone does not know: processes that compile at the same time number their files
    alike, and write the index before the file.
    """

    def save(self, key: Any, data: Any) -> None:
        super().save(key, (DIGEST, key, data))

    def load(self, key: Any) -> Any:
        *meant, data = super().load(key) or (None,)
        return data if meant == [DIGEST, key] else None


class KernelCache(caching.FunctionCache):
    """Numba's cache on disk; one that can't be read or written only costs compile time."""

    _impl_class = _Entries

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, DIGEST)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the stored machine code, or None."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged entry can raise anything that unpickling can
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store machine code where possible; an index that can't be read is begun anew."""
        for prepare in (lambda: None, self.flush):
            try:
                prepare()
                super().save_overload(sig, data)
                return
            except Exception:  # likewise; or a full disk
                continue
        self.disable()


def _compiled(function: Function, **options: Any) -> Function:
    dispatcher: Any = numba.njit(error_model="numpy", **options)(function)
    if dispatcher is not function:  # it is under NUMBA_DISABLE_JIT
        try:
            dispatcher._cache = KernelCache(function)
        except (RuntimeError, OSError):  # no folder that can be written
            pass
    return cast(Function, dispatcher)


def kernel(function: Function) -> Function:
    """Compile a serial kernel. It holds no interpreter lock and neither allocates nor raises.

    It does not count references either, as Numba does atomically for every view of an array, which
    took two thirds of the time at d = 2. So it cannot return an array to whoever counts them.
    """
    return _compiled(function, nogil=True, _nrt=False, forceinline=True)


def called_kernel(function: Function) -> Function:
    """Compile a serial kernel that others call as it is: long ones are not compiled again."""
    return _compiled(function, nogil=True, _nrt=False)


def allocating_kernel(function: Function) -> Function:
    """Compile a serial kernel that allocates scratch, and hands it to one that loops."""
    return _compiled(function, nogil=True)


def parallel_kernel(function: Function) -> Function:
    """Compile one ``prange`` over shards that calls one serial kernel; use `run` to call it."""
    return _compiled(function, nogil=True, parallel=True)


# -------------------------------------------------------------------------------------- threads

MAX_SHARDS = 64
_team = threading.Lock()  # Numba's workqueue layer aborts when two threads run parallel kernels
_forked = False  # the OpenMP layer kills a forked child that runs one


def _after_fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def thread_count(n_jobs: int | None) -> int:
    """Threads for `n_jobs`: None is as many as Numba is set to, -1 all that it began with."""
    allowed = numba.get_num_threads()
    if n_jobs is None:
        return int(allowed)
    wanted = n_jobs if n_jobs > 0 else config.NUMBA_NUM_THREADS + 1 + n_jobs
    return int(min(max(wanted, 1), config.NUMBA_NUM_THREADS))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        yield
    finally:
        numba.set_num_threads(before)


def run(
    parallel: Callable[..., None],
    serial: Callable[..., None],
    n_jobs: int | None,
    n_shards: int,
    *args: Any,
) -> None:
    """Run ``parallel(n_shards, *args)`` where threads may be used, else `serial` likewise.

    The shards, and the order in which the caller adds them up, do not depend on who runs them, so
    that the result is the same to the last bit.
    """
    count = min(thread_count(n_jobs), n_shards) if n_shards > 1 else 1
    if count > 1 and not _forked and _team.acquire(blocking=False):
        try:
            with _threads(count):
                parallel(n_shards, *args)
        finally:
            _team.release()
    else:
        serial(n_shards, *args)


# ------------------------------------------------------------------------------- what there is


def cache_folder() -> str | None:
    """Where machine code is kept, None where no folder can be written."""
    try:
        return str(KernelCache(_digest).cache_path)
    except (RuntimeError, OSError):
        return None


def is_cached(kernels: str = "expectation") -> bool:
    """Whether machine code of these very kernels, of a file, has been stored on this machine."""
    folder = cache_folder()
    if folder is None:
        return False
    stamp = DIGEST.encode()
    return any(stamp in index.read_bytes() for index in Path(folder).glob(f"{kernels}.*.nbi"))


def describe() -> dict[str, str]:
    """What ``gmmfast info`` says of the machine: threads, threading layer, vectors, cache."""
    try:
        layer = numba.threading_layer()
    except ValueError:  # not chosen before the first parallel kernel
        layer = f"{config.THREADING_LAYER} (chosen when the first parallel kernel runs)"
    return {
        "threads": str(thread_count(None)),
        "threading layer": layer,
        "vector width": f"{8 * REGISTER_BYTES} bits ({REGISTER_BYTES // 8} float64 rows)",
        "cache folder": cache_folder() or "none can be written: every process compiles anew",
    }
