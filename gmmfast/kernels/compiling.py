"""Compilation of the kernels."""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

import llvmlite.binding as llvm
import numba
from numba.core import cgutils, codegen, compiler, config, types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.types.containers import BaseTuple

from gmmfast.kernels.caching import KernelCache, NoCache, give_claims_back
from gmmfast.kernels.lowering import compiled_as

Function = TypeVar("Function", bound=Callable[..., Any])


class _Library(codegen.JITCodeLibrary):
    """Code that is optimized once, as a whole.

    Numba optimizes each function alone first, and then the whole twice, to find counts of
    references that it can leave out. Kernels hardly count any, and it took a sixth of the time.
    """

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)


class _Part(_Library):
    """Code that is only inlined in other code.

    It is neither optimized nor compiled to machine code on its own, which took a fifth of the time
    (except where it is read from the cache, to compile another kernel with it).
    """

    def _optimize_final_module(self) -> None:
        pass

    def _optimize_functions(self, ll_module: Any) -> None:
        """Remove the unused addresses that Numba leaves at calls: it caches no code with them."""
        super()._optimize_functions(ll_module)
        builder, passes = self._codegen._pass_builder(), llvm.create_new_function_pass_manager()
        passes.add_sroa_pass()
        passes.add_dead_code_elimination_pass()
        for function in ll_module.functions:
            if not function.is_declaration:
                passes.run(function, builder)

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
    """Compiles without garbage collection, which took a tenth of the time.

    After an error, or Ctrl-C, no other process waits for this one.
    """

    _library: type[codegen.JITCodeLibrary] = _Library

    def define_pipelines(self) -> Any:
        state = self.state
        state.library = self._library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return super().define_pipelines()

    def compile_extra(self, function: Callable[..., Any]) -> Any:
        was_enabled = gc.isenabled()
        try:
            gc.disable()
            return super().compile_extra(function)
        except BaseException:
            give_claims_back()
            raise
        finally:
            if was_enabled:  # not if this compilation is nested
                gc.enable()


class _PartCompiler(_Compiler):
    _library = _Part


def _compiled(function: Function, **options: Any) -> Function:
    dispatcher: Any = numba.njit(error_model="numpy", **options)(function)
    if dispatcher is not function:  # equal under NUMBA_DISABLE_JIT
        try:
            dispatcher._cache = KernelCache(function, repr(sorted(options.items())))
        except (RuntimeError, OSError):  # no writable folder
            dispatcher._cache = NoCache()
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


_wanted: ContextVar[list[Any] | None] = ContextVar("wanted", default=None)


@contextmanager
def listed() -> Iterator[list[tuple[Any, tuple[Any, ...]]]]:
    """List kernels and their argument types in `address_of`, instead of compiling them.

    The addresses are 0: run nothing that uses them.
    """
    wanted: list[tuple[Any, tuple[Any, ...]]] = []
    before = _wanted.set(wanted)
    try:
        yield wanted
    finally:
        _wanted.reset(before)


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
    wanted = _wanted.get()
    if wanted is not None:
        wanted.append((function, tuple(map(numba.typeof, arguments))))
        return 0
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
