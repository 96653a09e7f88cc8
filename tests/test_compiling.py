"""How kernels are compiled: parts, addresses, meanings in LLVM, and what is left as it was."""

import gc

import numba
import numpy as np
import pytest
from numba.core import codegen
from numba.core.caching import NullCache
from numba.core.errors import TypingError

from gmmfast.kernels import compiling
from gmmfast.kernels.caching import on_first_miss
from gmmfast.kernels.compiling import address_of, invoke
from gmmfast.kernels.simd import lanes

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="kernels are plain Python here")


@numba.njit
def fails(x):
    if x > 0:
        raise MemoryError
    return 7


@numba.njit
def calls(address, x):
    return invoke(address, (x,)) + 1


def test_invoke__passes_on_results_and_errors():
    address = address_of(fails, "an integer", 1)
    assert calls(address, 0) == 8
    with pytest.raises(MemoryError):
        calls(address, 1)


def test_address_of__finds_types_that_differ_in_one_layout():
    address_of(fails, "a number", 1)
    with pytest.raises(TypeError, match="a number stands for"):
        address_of(fails, "a number", 1.0)


def test_parts__have_no_machine_code():
    part = numba.njit(**compiling._PART)(lambda x: 2 * x)
    whole = numba.njit(lambda x: part(x) + 1)
    assert whole(3) == 7
    (compiled,) = part.overloads.values()
    assert isinstance(compiled.library, compiling._Part)
    assert compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name) == 0


def test_kernels__without_a_cache_report_that_they_are_compiled(monkeypatch):
    def refuse(*args):
        raise RuntimeError("no folder is writable")

    def twice(x):
        return 2 * x

    monkeypatch.setattr(compiling, "KernelCache", refuse)
    kernel, seen = compiling.entry_kernel(twice), []
    with on_first_miss(lambda: seen.append("compiles")):
        assert kernel(3) == 6 and seen == ["compiles"]


def test_libraries__override_what_numba_calls():
    """A method that Numba has renamed would only make kernels slower to compile."""
    for name in [*vars(compiling._Library), *vars(compiling._Part)]:
        owner = codegen.JITCPUCodegen if name == "set_env" else codegen.JITCodeLibrary
        assert hasattr(owner, name), name


def compiled_anew(function):
    function._cache = NullCache()
    return function


def test_kernels__are_optimized_as_a_whole():
    whole = compiled_anew(compiling.entry_kernel(lambda x: x + 1))
    assert whole(1) == 2
    (compiled,) = whole.overloads.values()
    assert type(compiled.library) is compiling._Library


def test_parts__hold_no_address_of_this_process():
    """Numba would not cache them."""
    inner = compiled_anew(compiling.kernel(lambda x: 2 * x))
    outer = compiled_anew(compiling.kernel(lambda x: inner(x) + 1))
    whole = compiled_anew(compiling.entry_kernel(lambda x: outer(x) + 1))
    assert whole(3) == 8
    for function in (inner, outer, whole):
        (compiled,) = function.overloads.values()
        assert not compiled.library.has_dynamic_globals


def test_garbage_is_collected_again__after_an_error():
    broken = compiling.kernel(lambda x: x.no_such_attribute)
    with pytest.raises(TypingError):
        numba.njit(lambda x: broken(x))(1.0)
    assert gc.isenabled()


def test_meanings__are_only_of_the_declared_arguments():
    assert numba.njit(lambda x: lanes(x))(np.zeros(3)) == lanes(np.zeros(3))
    with pytest.raises(TypingError):
        numba.njit(lambda x: lanes(x))(1.0)


def test_arithmetic_of_others__is_unchanged():
    total = numba.njit(lambda x, y: x + y)
    np.testing.assert_array_equal(total(np.ones(3), np.arange(3)), [1, 2, 3])
    assert total(1, 2) == 3
    assert total("a", "b") == "ab"
