"""How kernels are compiled, where their machine code is kept, and on which threads they run."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pkgutil
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
import numba
import numpy as np
from numba.core import caching, config, types
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import intrinsic, overload
from numpy.random import mtrand
from numpy.typing import NDArray

from gmmfast import kernels
from gmmfast.kernels.simd import HAS_FMA, REGISTER_BYTES

Function = TypeVar("Function", bound=Callable[..., Any])


def _source(module: str) -> str | None:
    """The text of a module, also in a zip file; None where only its bytecode is installed."""
    loader: Any = getattr(importlib.util.find_spec(module), "loader", None)
    try:
        return cast("str | None", loader.get_source(module))
    except (AttributeError, ImportError, OSError):
        return None


def _digest() -> str | None:
    """Everything that the machine code depends on: the kernels' sources and who compiles them.

    None where a source cannot be read; then nothing is kept on disk.
    """
    versions = f"{numba.__version__} {llvmlite.__version__} {REGISTER_BYTES} {HAS_FMA}"
    state = hashlib.sha256(versions.encode())
    found = sorted(module.name for module in pkgutil.iter_modules(kernels.__path__))
    names = [f"gmmfast.kernels.{name}" for name in found]
    for name in (*names, "gmmfast.parameters"):  # Density
        source = _source(name)
        if source is None or not names:
            return None
        state.update(source.encode())
    return state.hexdigest()


DIGEST = _digest()

# ------------------------------------------------------------------------------------ compiling


class _OfAllSources:
    """A cache folder whose entries go stale when any kernel changes, not only their own file."""

    def get_source_stamp(self) -> str | None:
        return DIGEST


class _AlsoOfZip(_OfAllSources):
    """The same for sources in a zip file."""

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> Any:
        """Return the folder; None if it cannot be written."""
        folder: Any = cls(function, file)  # type: ignore[call-arg]
        try:
            folder.ensure_cache_path()
        except OSError:
            return None
        return folder


class _UserProvided(_AlsoOfZip, caching.UserProvidedCacheLocator):
    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> Any:
        """Return the folder below ``NUMBA_CACHE_DIR``, if that is set."""
        return super().from_function(function, file) if config.CACHE_DIR else None


class _InTree(_OfAllSources, caching.InTreeCacheLocator):
    pass


class _UserWide(_AlsoOfZip, caching.UserWideCacheLocator):
    pass


class _Entries(caching.CompileResultCacheImpl):
    _locator_classes = [_UserProvided, _InTree, _UserWide]


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

    def __init__(self, function: Callable[..., Any], options: str = "") -> None:
        if DIGEST is None:
            raise RuntimeError("cannot cache: what would make an entry stale cannot be read")
        super().__init__(function)
        self._options = options  # that it is compiled with
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, DIGEST)

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return *super()._index_key(sig, codegen), self._options

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
            dispatcher._cache = KernelCache(function, repr(sorted(options.items())))
        except (RuntimeError, OSError):  # no folder that can be written
            pass
    return cast(Function, dispatcher)


# what only other kernels call needs no entry for Python, which takes a sixth of a first fit's time
_ALONE = {"no_cfunc_wrapper": True}
_INSIDE = {**_ALONE, "no_cpython_wrapper": True}


def kernel(function: Function) -> Function:
    """Compile a serial kernel that is inlined in others. It neither allocates nor raises.

    It does not count references either, as Numba does atomically for every view of an array, which
    took two thirds of the time at d = 2. So it cannot return an array to whoever counts them.
    """
    return _compiled(function, nogil=True, _nrt=False, forceinline=True, **_INSIDE)


def called_kernel(function: Function) -> Function:
    """Compile a serial kernel that others call as it is: long ones are not compiled again."""
    return _compiled(function, nogil=True, _nrt=False, forceinline=False, **_INSIDE)


def entry_kernel(function: Function) -> Function:
    """Compile a serial kernel that Python calls, or another kernel by its address."""
    return _compiled(function, nogil=True, _nrt=False, forceinline=False, **_ALONE)


def allocating_kernel(function: Function) -> Function:
    """Compile a serial kernel that allocates scratch, and hands it to one that loops."""
    return _compiled(function, nogil=True, **_ALONE)


def parallel_kernel(function: Function) -> Function:
    """Compile one ``prange`` over shards that calls one serial kernel; use `run` to call it."""
    return _compiled(function, nogil=True, parallel=True, **_ALONE)


@intrinsic
def _invoke(typingctx, address, arguments):
    def codegen(context, builder, signature, values):
        pointer, packed = values
        own = signature.args[1].types
        unpacked = [builder.extract_value(packed, i) for i in range(len(own))]
        convention = context.call_conv
        function = convention.get_function_type(types.int64, own)
        callee = builder.inttoptr(pointer, function.as_pointer())
        return convention.call_function(builder, callee, types.int64, own, unpacked)[1]

    return types.int64(address, arguments), codegen


def invoke(address, arguments):
    """Call an entry kernel, which returns an int64, by its address.

    So its machine code is compiled once, and is not optimized again in each of its callers.
    """
    return address(*arguments)


@overload(invoke)
def _compiled_invoke(address, arguments):
    return lambda address, arguments: _invoke(address, arguments)


_addresses: dict[Any, Any] = {}


def address_of(function: Any, layout: Hashable, *arguments: Any) -> Any:
    """Compile an entry kernel for arguments of some types, and return its address for `invoke`.

    Parameters
    ----------
    function : kernel
        Compiled by `entry_kernel` or `parallel_kernel`.
    layout : hashable
        Equal for arguments of equal types, so that the types are only looked at once.
    *arguments
        Examples.
    """
    if config.DISABLE_JIT:
        return function
    key = function, layout
    if key not in _addresses:
        signature = tuple(numba.typeof(argument) for argument in arguments)
        function.compile(signature)
        code = function.overloads[signature]
        _addresses[key] = code.library.get_pointer_to_function(code.fndesc.llvm_func_name)
    return _addresses[key]


# -------------------------------------------------------------------------------------- threads

MAX_SHARDS = 64
_team = threading.Lock()  # Numba's workqueue layer aborts when two threads run parallel kernels
# around Numba's own functions, which hold locks that a fork may catch
_settings = threading.RLock()
_forked = False  # the OpenMP layer kills a forked child that runs one


def _locks() -> tuple[Any, ...]:
    """Locks that a fit takes and that its other threads would leave locked in a forked child.

    Numba's compiler, its threads, and NumPy's global generator. So a fork waits for a compilation
    in another thread.
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
    """Threads for `n_jobs`: None is as many as Numba is set to, -1 all that it began with."""
    with _settings:
        allowed = numba.get_num_threads()
    if n_jobs is None:
        return int(allowed)
    wanted = n_jobs if n_jobs > 0 else config.NUMBA_NUM_THREADS + 1 + n_jobs
    return int(min(max(wanted, 1), config.NUMBA_NUM_THREADS))


def set_thread_count(count: int) -> None:
    """Let this Python thread use so many threads."""
    with _settings:
        numba.set_num_threads(count)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = thread_count(None)
    set_thread_count(count)
    try:
        yield
    finally:
        set_thread_count(before)


@contextmanager
def team(n_jobs: int | None, n_shards: int) -> Iterator[int]:
    """Take the threads, and say how many there are; one where another fit has them, or need be.

    The shards, and the order in which they are added up, do not depend on who computes them, so
    that the result is the same to the last bit.
    """
    count = min(thread_count(n_jobs), n_shards) if n_shards > 1 else 1
    if count == 1 or _forked or not _team.acquire(blocking=False):
        yield 1
        return
    try:
        with _threads(count):
            yield count
    finally:
        _team.release()


def run(
    parallel: Callable[..., None],
    serial: Callable[..., None],
    n_jobs: int | None,
    n_shards: int,
    work: int,
    *args: Any,
) -> None:
    """Run ``parallel(begin, end, n_shards, *args)`` where threads may be used, else `serial`.

    `work` counts multiplications; long loops are cut into several calls.
    """
    with team(n_jobs, n_shards) as count:
        function = parallel if count > 1 else serial
        for part in slices(n_shards, work // n_shards // count, count):
            function(part.start, part.stop, n_shards, *args)


# ------------------------------------------------------------------------------------ stopping

SLICE = 1 << 28  # multiplications, some 0.1 s: Python handles Ctrl-C between compiled calls
GO_ON, END, ABANDON = 0, 1, 2  # what a stop says
_own = threading.local()


class AbandonedError(Exception):
    """Nobody waits for what this thread computes."""


def new_stop() -> NDArray[np.int8]:
    """Return a stop (1,) for threads to obey; compiled code can read it."""
    return np.zeros(1, np.int8)


def obey(stop: NDArray[np.int8]) -> None:
    """Make this thread obey a stop.

    At END its fits return what they have; at ABANDON they raise AbandonedError.
    """
    _own.stop = stop


def current_stop() -> NDArray[np.int8]:
    """Return this thread's stop."""
    stop: NDArray[np.int8] | None = getattr(_own, "stop", None)
    return new_stop() if stop is None else stop


def slices(n_items: int, work: int, at_least: int = 1) -> Iterator[slice]:
    """Cut a loop into compiled calls of no more than `SLICE` multiplications.

    Parameters
    ----------
    n_items : int
        To loop over.
    work : int
        Multiplications for each of them.
    at_least : int
        Fewest items per call; the last call may have fewer.

    Raises
    ------
    AbandonedError
        Once this thread's stop says so.
    """
    step = max(at_least, SLICE // max(work, 1))
    step -= step % at_least
    for begin in range(0, n_items, step):
        require_somebody()
        yield slice(begin, min(begin + step, n_items))


def require_somebody() -> None:
    """Raise AbandonedError where nobody waits for this thread."""
    if current_stop()[0] == ABANDON:
        raise AbandonedError


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
    if folder is None or DIGEST is None:
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
        "cache folder": cache_folder() or "none: every process compiles anew",
    }
