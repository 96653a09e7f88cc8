"""Compilation of the kernels, and the cache of their machine code."""

from __future__ import annotations

import gc
import hashlib
import importlib.util
import pkgutil
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar, cast

import llvmlite
import numba
from numba.core import caching, cgutils, codegen, compiler, config, types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.types.containers import BaseTuple

from gmmfast import kernels
from gmmfast.kernels.lowering import compiled_as
from gmmfast.kernels.simd import HAS_FMA, REGISTER_BYTES

Function = TypeVar("Function", bound=Callable[..., Any])


def _source(module: str) -> str | None:
    """Source of a module, also in a zip file; None if only its bytecode is installed."""
    loader: Any = getattr(importlib.util.find_spec(module), "loader", None)
    try:
        return cast("str | None", loader.get_source(module))
    except (AttributeError, ImportError, OSError):
        return None


def _digest() -> str | None:
    """Hash of all that the machine code depends on: the kernels' sources and the compiler.

    None if a source cannot be read; then nothing is cached on disk.
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
    """Files of machine code, labeled with their key.

    The index alone is not reliable: processes that compile at the same time give their files the
    same numbers, and write the index before the file.
    """

    def save(self, key: Any, data: Any) -> None:
        super().save(key, (DIGEST, key, data))

    def load(self, key: Any) -> Any:
        *meant, data = super().load(key) or (None,)
        return data if meant == [DIGEST, key] else None


class KernelCache(caching.FunctionCache):
    """Numba's cache on disk; an unreadable or read-only cache only costs compile time."""

    _impl_class = _Entries

    def __init__(self, function: Callable[..., Any], options: str = "") -> None:
        if DIGEST is None:
            raise RuntimeError("cannot cache: the sources of the kernels cannot be read")
        super().__init__(function)
        self._options = options  # of the compiler
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
        """Store machine code where possible; an unreadable index is replaced."""
        for prepare in (lambda: None, self.flush):
            try:
                prepare()
                super().save_overload(sig, data)
                return
            except Exception:  # likewise; or a full disk
                continue
        self.disable()


class _Part(codegen.JITCodeLibrary):
    """Code that is only inlined in other code.

    It is neither optimized nor compiled to machine code on its own, which took a fifth of the time
    (except where it is read from the cache, to compile another kernel with it).
    """

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """There is no machine code."""
        self._ensure_finalized()
        return 0

    def serialize_using_object_code(self) -> Any:
        """Return bitcode: there is no machine code."""
        return self.serialize_using_bitcode()

    @property
    def codegen(self) -> _Part:
        """Object that sets the environment of the code: its globals. Kernels have none."""
        return self

    def set_env(self, name: str, environment: Any) -> None:
        """Do nothing: there is none."""


class _Compiler(compiler.Compiler):
    """Compiles without garbage collection, which took a tenth of the time."""

    def compile_extra(self, function: Callable[..., Any]) -> Any:
        was_enabled = gc.isenabled()
        try:
            gc.disable()
            return super().compile_extra(function)
        finally:
            if was_enabled:  # not if this compilation is nested
                gc.enable()


class _PartCompiler(_Compiler):
    def define_pipelines(self) -> Any:
        state = self.state
        state.library = _Part(state.targetctx.codegen(), state.func_id.func_qualname)
        return super().define_pipelines()


def _compiled(function: Function, **options: Any) -> Function:
    dispatcher: Any = numba.njit(error_model="numpy", **options)(function)
    if dispatcher is not function:  # equal under NUMBA_DISABLE_JIT
        try:
            dispatcher._cache = KernelCache(function, repr(sorted(options.items())))
        except (RuntimeError, OSError):  # no writable folder
            pass
    return cast(Function, dispatcher)


# without an entry for Python if only kernels call it: entries took a sixth of a first fit's time
_ALONE = {"no_cfunc_wrapper": True, "pipeline_class": _Compiler}
_INSIDE = {**_ALONE, "no_cpython_wrapper": True}
_PART = {**_INSIDE, "pipeline_class": _PartCompiler}


def kernel(function: Function) -> Function:
    """Compile a serial kernel that is inlined in others. It neither allocates nor raises.

    Nor does it count references: Numba's atomic counts for every view of an array took two thirds
    of the time at d = 2. So it cannot return an array to code that counts them.
    """
    return _compiled(function, nogil=True, _nrt=False, forceinline=True, **_PART)


def called_kernel(function: Function) -> Function:
    """Compile a serial kernel that LLVM may inline in others, and need not."""
    return _compiled(function, nogil=True, _nrt=False, forceinline=False, **_PART)


def entry_kernel(function: Function) -> Function:
    """Compile a serial kernel that Python calls."""
    return _compiled(function, nogil=True, _nrt=False, forceinline=False, **_ALONE)


def addressed_kernel(function: Function) -> Function:
    """Compile a serial kernel that only other kernels call, by its address."""
    return _compiled(function, nogil=True, _nrt=False, forceinline=False, **_INSIDE)


def allocating_kernel(function: Function) -> Function:
    """Compile a serial kernel that may allocate, such as scratch for a loop."""
    return _compiled(function, nogil=True, **_ALONE)


def parallel_kernel(function: Function) -> Function:
    """Compile one ``prange`` over shards that calls a serial kernel, for `run_shards`."""
    return _compiled(function, nogil=True, parallel=True, **_ALONE)


def invoke(address, arguments):
    """Call a kernel by its address; it returns an int64.

    Its machine code is compiled once, not optimized again in each of its callers.
    """
    return address(*arguments)


@compiled_as(invoke, (types.Integer, BaseTuple), lambda *types_of: types.int64)
def _call(context, builder, signature, values):
    pointer, packed = values
    own = signature.args[1].types
    unpacked = [builder.extract_value(packed, i) for i in range(len(own))]
    convention = context.call_conv
    function = convention.get_function_type(types.int64, own)
    callee = builder.inttoptr(pointer, function.as_pointer())
    status, result = convention.call_function(builder, callee, types.int64, own, unpacked)
    with cgutils.if_unlikely(builder, status.is_error):  # it has run out of memory
        convention.return_status_propagate(builder, status)
    return result


_addresses: dict[Any, tuple[int, tuple[Any, ...]]] = {}  # and the types of the arguments
CHECKS_LAYOUTS = False  # whether equal layouts are checked to mean equal types; tests do so


def address_of(function: Any, layout: Hashable, *arguments: Any) -> Any:
    """Compile a kernel for the arguments' types, and return its address for `invoke`.

    Parameters
    ----------
    function : kernel
        Any but `kernel` and `called_kernel`, which have no address.
    layout : hashable
        Equal for arguments of equal types, whose types are then determined only once.
    *arguments
        Example arguments.
    """
    if config.DISABLE_JIT:
        return function
    key = function, layout
    if key in _addresses and not CHECKS_LAYOUTS:
        return _addresses[key][0]
    signature = tuple(numba.typeof(argument) for argument in arguments)
    with global_compiler_lock:  # also for the address, so that a fork finds no lock taken
        if key not in _addresses:
            function.compile(signature)
            code = function.overloads[signature]
            address = code.library.get_pointer_to_function(code.fndesc.llvm_func_name)
            _addresses[key] = address, signature
    address, expected = _addresses[key]
    if signature != expected:
        raise TypeError(f"{layout} stands for {expected}, not for {signature}")
    return address


def cache_folder() -> str | None:
    """Return the folder of the machine code; None if no folder is writable."""
    try:
        return str(KernelCache(_digest).cache_path)
    except (RuntimeError, OSError):
        return None


def is_cached(kernels: str = "expectation") -> bool:
    """Whether the cache holds machine code of the current version of a file's kernels."""
    folder = cache_folder()
    if folder is None or DIGEST is None:
        return False
    stamp = DIGEST.encode()
    return any(stamp in index.read_bytes() for index in Path(folder).glob(f"{kernels}.*.nbi"))
