"""Vectors of rows: the basic operations of all kernels.

A vector holds the same quantity for ``lanes(array)`` neighboring rows. Each operation is a plain
NumPy function, which defines it and runs under ``NUMBA_DISABLE_JIT=1``, and the LLVM code that
Numba compiles in its place. A vector is two registers wide, so that two
independent operations are always in flight (an FMA takes about four cycles). The registers
belong to the processor that Numba compiles for (``NUMBA_CPU_NAME``), not necessarily this one.

Loads and stores need no alignment, though aligned ones are faster (`tiles.aligned`). Arrays must
be C-contiguous as a whole: addresses follow from the shape, strides are ignored.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, codegen, config
from numba.core.errors import TypingError
from numba.extending import models, register_model

from gmmfast.kernels.lowering import compiled_as

PROBE = """
declare <8 x double> @llvm.fma.v8f64(<8 x double>, <8 x double>, <8 x double>)
define <8 x double> @probe(<8 x double> %x, <8 x double> %y, <8 x double> %z) {
    %r = call <8 x double> @llvm.fma.v8f64(<8 x double> %x, <8 x double> %y, <8 x double> %z)
    ret <8 x double> %r
}
"""


def _targets() -> list[tuple[str, str]]:
    """Name and features of the processor that Numba compiles for.

    For a name alone, Numba adds the features of the host. Then there are two targets, and only
    features of both are used.
    """
    named, given = config.CPU_NAME, config.CPU_FEATURES
    name = named or llvm.get_host_cpu_name()
    features = codegen.get_host_cpu_features() if given is None else given
    return [(name, features), (name, "")] if named and given is None else [(name, features)]


def abilities(name: str, features: str) -> tuple[int, bool]:
    """Bytes of the widest registers, and whether there is a fused multiply-add.

    Found from the assembly of `PROBE`: the names of registers give their width on x86 (elsewhere
    32 bytes, as tested), and without FMA LLVM calls the C library.
    """
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=name, features=features)
    assembly = str(machine.emit_assembly(llvm.parse_assembly(PROBE)))
    widths = [
        width for register, width in (("zmm", 64), ("ymm", 32), ("xmm", 16)) if register in assembly
    ]
    return max(widths, default=32), not re.search(r"\b_?fma\b", assembly)


codegen.initialize_llvm()
_ABILITIES = [abilities(*target) for target in _targets()]
REGISTER_BYTES = min(width for width, _ in _ABILITIES)
HAS_FMA = all(has_fma for _, has_fma in _ABILITIES)
LANES = {np.dtype(t): 2 * REGISTER_BYTES // np.dtype(t).itemsize for t in (np.float64, np.float32)}


class Vector(types.Type):
    """The Numba type of a vector: LLVM's ``<lanes x double>`` or ``<lanes x float>``."""

    def __init__(self, element: Any) -> None:
        self.element = element
        self.bits = element.bitwidth
        self.lanes = LANES[np.dtype(element.name)]
        scalar = ir.DoubleType() if self.bits == 64 else ir.FloatType()
        self.llvm = ir.VectorType(scalar, self.lanes)
        self.llvm_bits = ir.VectorType(ir.IntType(self.bits), self.lanes)
        super().__init__(f"Vector({element}, {self.lanes})")

    def constant(self, value: float) -> Any:
        """`value` in every lane."""
        return ir.Constant(self.llvm, [float(value)] * self.lanes)

    def bit_constant(self, value: int) -> Any:
        """The integer `value` in every lane."""
        return ir.Constant(self.llvm_bits, [value] * self.lanes)


VECTORS = {element: Vector(element) for element in (types.float64, types.float32)}


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: Vector) -> None:
        super().__init__(manager, fe_type, fe_type.llvm)


# ------------------------------------------------------------------- between arrays and vectors


def lanes(array):
    """Number of rows in a vector of this array's element type."""
    return LANES[array.dtype]


def splat(value, array):
    """A vector of `array`'s element type with `value` in every lane."""
    return np.full(LANES[array.dtype], value, array.dtype)


def lowest(array):
    """A vector of `array`'s element type with half of its most negative value in every lane."""
    return np.full(LANES[array.dtype], np.finfo(array.dtype).min / 2, array.dtype)


def load(array, index):
    """``array[index : index + lanes]`` along the last axis; `index` is a tuple of integers."""
    return array[index[:-1]][index[-1] : index[-1] + LANES[array.dtype]].copy()


def store(array, index, x):
    """``array[index : index + lanes] = x``."""
    array[index[:-1]][index[-1] : index[-1] + LANES[array.dtype]] = x


def _in_c_order(array: Any) -> Vector:
    if array.layout != "C":
        raise TypingError(f"Vectors lie along the last axis of arrays in C order, not {array}.")
    return VECTORS[array.dtype]


def _pointer(context, builder, vector, array_type, array, index):
    view = context.make_array(array_type)(context, builder, array)
    shape = cgutils.unpack_tuple(builder, view.shape)
    first, *rest = cgutils.unpack_tuple(builder, index)
    offset = first
    for size, i in zip(shape[1:], rest, strict=True):
        offset = builder.add(builder.mul(offset, size), i)
    return builder.bitcast(builder.gep(view.data, [offset]), vector.llvm.as_pointer())


@compiled_as(lanes, (types.Array,), lambda array: types.intp)
def _lanes(context, builder, sig, args):
    return context.get_constant(types.intp, VECTORS[sig.args[0].dtype].lanes)


@compiled_as(splat, (types.Number, types.Array), lambda value, array: VECTORS[array.dtype])
def _splat(context, builder, sig, args):
    vector = sig.return_type
    scalar = context.cast(builder, args[0], sig.args[0], vector.element)
    undefined = ir.Constant(vector.llvm, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    lane0 = ir.Constant(ir.VectorType(ir.IntType(32), vector.lanes), [0] * vector.lanes)
    return builder.shuffle_vector(first, undefined, lane0)


@compiled_as(lowest, (types.Array,), lambda array: VECTORS[array.dtype])
def _lowest(context, builder, sig, args):
    element = np.dtype(sig.return_type.element.name)
    return sig.return_type.constant(np.finfo(element).min / 2)


@compiled_as(load, (types.Array, types.BaseTuple), lambda array, index: _in_c_order(array))
def _load(context, builder, sig, args):
    vector = sig.return_type
    pointer = _pointer(context, builder, vector, sig.args[0], *args)
    return builder.load(pointer, align=vector.bits // 8)


@compiled_as(store, (types.Array, types.BaseTuple, Vector), lambda array, index, x: types.void)
def _store(context, builder, sig, args):
    vector = _in_c_order(sig.args[0])
    pointer = _pointer(context, builder, vector, sig.args[0], *args[:2])
    builder.store(args[2], pointer, align=vector.bits // 8)
    return context.get_dummy_value()


# ------------------------------------------------------------------------------- lane by lane


def fma(x, y, z):
    """``x * y + z``; compiled, it is rounded once if the processor has FMA."""
    return x * y + z


def maximum(x, y):
    """The larger value of each lane; `y` where either is NaN."""
    return np.where(x > y, x, y)


def where_above(x, bound, y, z):
    """`y` where ``x > bound``, else `z`."""
    return np.where(x > bound, y, z)


def any_reaches(x, bound):
    """Whether any lane has ``x >= bound``; a NaN counts as reaching."""
    return bool(np.any(~(x < bound)))


def total(x):
    """Sum over the lanes, by adding halves until one value is left."""
    while x.size > 1:
        x = x[: x.size // 2] + x[x.size // 2 :]
    return x[0]


def exp(x):
    """Exp of each lane for ``x <= 0``; zero below the smallest normal number."""
    return np.where(x > _EXP[x.dtype.itemsize * 8].floor, np.exp(x), 0).astype(x.dtype)


def log(x):
    """Natural logarithm of each lane, for positive normal numbers."""
    return np.log(x)


def _operation(
    meaning: Callable[..., Any], result: Callable[[Vector], Any] = lambda x: x
) -> Callable[..., Any]:
    """Compile `meaning`, a function of vectors, by ``build(builder, vector, *values)``.

    `result` is the Numba type of the value that `build` returns.
    """

    def decorate(build: Callable[..., Any]) -> Callable[..., Any]:
        arguments = (Vector,) * (build.__code__.co_argcount - 2)

        @compiled_as(meaning, arguments, lambda x, *others: result(x))
        def _build(context, builder, sig, args):
            return build(builder, sig.args[0], *args)

        return build

    return decorate


@_operation(operator.add)
def _add(builder, vector, x, y):
    return builder.fadd(x, y)


@_operation(operator.sub)
def _sub(builder, vector, x, y):
    return builder.fsub(x, y)


@_operation(operator.mul)
def _mul(builder, vector, x, y):
    return builder.fmul(x, y)


@_operation(operator.truediv)
def _div(builder, vector, x, y):
    return builder.fdiv(x, y)


@_operation(fma)
def _fma(builder, vector, x, y, z):
    if not HAS_FMA:  # llvm.fma would call the C library for each row, 10 to 25 times slower
        return builder.fadd(builder.fmul(x, y), z)
    signature = ir.FunctionType(vector.llvm, [vector.llvm] * 3)
    name = f"llvm.fma.v{vector.lanes}f{vector.bits}"
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), [x, y, z])


@_operation(maximum)
def _maximum(builder, vector, x, y):
    return builder.select(builder.fcmp_ordered(">", x, y), x, y)


@_operation(where_above)
def _where_above(builder, vector, x, bound, y, z):
    return builder.select(builder.fcmp_ordered(">", x, bound), y, z)


@_operation(any_reaches, lambda x: types.boolean)
def _any_reaches(builder, vector, x, bound):
    mask = ir.IntType(vector.lanes)
    reached = builder.bitcast(builder.fcmp_unordered(">=", x, bound), mask)
    return builder.icmp_unsigned("!=", reached, ir.Constant(mask, 0))


@_operation(total, lambda x: x.element)
def _total(builder, vector, x):
    half = vector.lanes // 2
    while half:
        low, high = (
            builder.shuffle_vector(x, x, ir.Constant(ir.VectorType(ir.IntType(32), half), part))
            for part in (list(range(half)), list(range(half, 2 * half)))
        )
        x = builder.fadd(low, high)
        half //= 2
    return builder.extract_element(x, ir.Constant(ir.IntType(32), 0))


# ------------------------------------------------------------------------------- exp and log


class _Exp:
    """exp(x) = 2**n exp(r), n = round(x / ln 2), |r| <= ln(2) / 2 (Cody & Waite 1980, ch. 6)."""

    def __init__(self, mantissa: int, degree: int, floor: float, ln2: tuple[float, float]) -> None:
        self.mantissa = mantissa
        self.round = 1.5 * 2.0**mantissa  # adding it leaves n in the low bits of the sum
        self.floor = floor  # below it the result is no longer a normal number
        self.ln2 = ln2  # its leading bits, so that n times them is exact, and the rest
        self.series = [1 / math.factorial(i) for i in range(degree, -1, -1)]


_EXP = {
    64: _Exp(52, 12, -708.0, (0.693145751953125, 1.4286068203094172e-06)),
    32: _Exp(23, 7, -87.0, (0.693359375, -2.12194440054690583e-04)),
}


def _horner(builder, vector, coefficients, x):
    value = vector.constant(coefficients[0])
    for coefficient in coefficients[1:]:
        value = _fma(builder, vector, value, x, vector.constant(coefficient))
    return value


def _in_two_chains(builder, vector, coefficients, x):
    """`_horner`, with the even and odd powers side by side: less latency.

    The last two steps stay in one chain: their rounding errors count in full.
    """
    *high, slope, constant = coefficients
    n, square = len(high), builder.fmul(x, x)
    even = _horner(builder, vector, high[(n - 1) % 2 :: 2], square)
    odd = _horner(builder, vector, high[n % 2 :: 2], square)
    value = _fma(builder, vector, odd, x, even)
    value = _fma(builder, vector, value, x, vector.constant(slope))
    return _fma(builder, vector, value, x, vector.constant(constant))


@_operation(exp)
def _exp(builder, vector, x):
    """Largest relative error of 8 million values: 3.6e-16 (4.1e-16 without FMA), float32 1.1e-7."""
    k = _EXP[vector.bits]
    v = _maximum(builder, vector, x, vector.constant(k.floor))
    shifted = _fma(builder, vector, v, vector.constant(1 / math.log(2)), vector.constant(k.round))
    n = builder.fsub(shifted, vector.constant(k.round))
    r = _fma(builder, vector, n, vector.constant(-k.ln2[0]), v)
    r = _fma(builder, vector, n, vector.constant(-k.ln2[1]), r)
    mantissa = builder.bitcast(_in_two_chains(builder, vector, k.series, r), vector.llvm_bits)
    exponent = builder.shl(
        builder.bitcast(shifted, vector.llvm_bits), vector.bit_constant(k.mantissa)
    )
    value = builder.bitcast(builder.add(mantissa, exponent), vector.llvm)
    zero = vector.constant(0)
    return _where_above(builder, vector, x, vector.constant(k.floor), value, zero)


@_operation(log)
def _log(builder, vector, x):
    """log(2**n m) = n ln 2 + 2 artanh(s), s = (m - 1) / (m + 1), sqrt(1/2) <= m < sqrt(2)."""
    k = _EXP[vector.bits]
    one = vector.constant(1)
    float_type, int_type = {64: ("f8", "i8"), 32: ("f4", "i4")}[vector.bits]
    low_bits = np.array(math.sqrt(0.5), float_type).view(int_type)
    steps = builder.sub(builder.bitcast(x, vector.llvm_bits), vector.bit_constant(int(low_bits)))
    exponent = builder.ashr(steps, vector.bit_constant(k.mantissa))
    scale = builder.shl(exponent, vector.bit_constant(k.mantissa))
    m = builder.bitcast(builder.sub(builder.bitcast(x, vector.llvm_bits), scale), vector.llvm)
    n = builder.sitofp(exponent, vector.llvm)
    s = builder.fdiv(builder.fsub(m, one), builder.fadd(m, one))
    square = builder.fmul(s, s)
    terms = [2 / (2 * i + 1) for i in range({64: 10, 32: 4}[vector.bits], 0, -1)]
    tail = builder.fmul(builder.fmul(_horner(builder, vector, terms, square), square), s)
    small = _fma(builder, vector, n, vector.constant(k.ln2[1]), tail)
    head = _fma(builder, vector, s, vector.constant(2), small)
    return _fma(builder, vector, n, vector.constant(k.ln2[0]), head)
