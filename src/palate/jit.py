"""Compiled loops: one typed door to numba, cached on disk so that a restart compiles nothing.

`exp2` and `ln` are for compiled loops alone: float32 arithmetic without a call or a branch, so that
the compiler runs them on whole vectors (numba's own go to libm, one number at a time).
"""

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, ParamSpec, TypeAlias, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import boxing, cgutils, types
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import intrinsic
from numba.np import linalg
from numba.np.numpy_support import as_dtype

P = ParamSpec("P")
R = TypeVar("R")

Single: TypeAlias = Any
"""A float32, as compiled code and Python both see it."""
FLOAT = np.float32
INT8, INT32, INT64, FLOAT32 = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
LINE = 64
"""Bytes of a line of the processor's cache."""
OURS = Path(__file__).read_bytes()
ROOT_HALF = 0x3F3504F3
"""Bits of sqrt(1/2): from there to sqrt(2) a mantissa lies around 1."""


def _no_algebra() -> None:
    raise ImportError("kernels have no linear algebra: it would need SciPy, which serving has not")


# Where SciPy is installed (to train, to develop) numba imports all of its linear algebra with the
# first kernel that is loaded: .2 s of every process' start, for calls that no kernel makes.
linalg.ensure_blas = _no_algebra


def _given_back(kind: Any, array: Any, c: Any) -> Any:
    """An array that compiled code gives back, as Python sees it."""

    def constant(held: Any) -> Any:
        return c.env_manager.read_const(c.env_manager.add_const(held))

    form = ir.FunctionType(
        c.pyapi.pyobj, [c.pyapi.voidptr, c.pyapi.pyobj, INT32, INT32, c.pyapi.pyobj]
    )
    fetch: Any = cgutils.get_or_insert_function
    wrap = fetch(c.builder.module, form, "NRT_adapt_ndarray_to_python_acqref")
    stored: Any = cgutils.alloca_once_value
    place = c.builder.bitcast(stored(c.builder, array), c.pyapi.voidptr)
    shape = INT32(kind.ndim), INT32(int(kind.mutable))
    made = c.builder.call(
        wrap, [place, constant(kind.box_type), *shape, constant(as_dtype(kind.dtype))]
    )
    c.context.nrt.decref(c.builder, kind, array)
    return made


# Numba's own unpickles the class of arrays, by a call into Python, for every array that it gives
# back: a hundred in a request, and two thirds of what giving one back takes.
cast("Any", boxing).box.__self__.functions[types.Array] = _given_back


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a loop over arrays; releases the GIL while it runs."""
    return cast(
        "Callable[P, R]", _kept(numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    )


def swift(function: Callable[P, R]) -> Callable[P, R]:
    """As `kernel`, and sums of floats may be taken in another order, so that they run on vectors.

    The order is the compiled code's: the same numbers give the same sum, each time.
    """
    flags = {"reassoc", "contract", "nsz"}
    made = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=flags)(function)
    return cast("Callable[P, R]", _kept(made))


def compiling() -> bool:
    """Whether another thread of this process compiles: the library does so one at a time."""
    lock = global_compiler_lock._lock  # noqa: SLF001  its own question is about this thread
    if lock.acquire(blocking=False):
        lock.release()
        return False
    return True


def _kept(compiled: Any) -> Any:
    """Let what is kept on disk hang on everything that was compiled into it.

    Numba looks at the function's own file alone. A kernel also holds the constants of its module,
    wherever they come from, the kernels that it calls, and how this file has it compiled.
    """
    told = blake2b(OURS, digest_size=16)
    for name, value in sorted(compiled.py_func.__globals__.items()):
        if hasattr(value, "py_func"):
            told.update(repr((name, _stamp(value))).encode())
        elif isinstance(value, np.ndarray):
            told.update(name.encode() + value.tobytes())
        elif isinstance(value, int | float | np.generic):
            told.update(repr((name, value)).encode())
    file = compiled._cache._cache_file  # noqa: SLF001  numba has no other door
    file._source_stamp = (file._source_stamp, told.hexdigest())  # noqa: SLF001
    return compiled


def _stamp(compiled: Any) -> Any:
    return compiled._cache._cache_file._source_stamp  # noqa: SLF001


def _of_float(
    build: Callable[[Any, Any], Any], out: Any = types.float32, given: Any = types.float32
) -> Callable[[Single], Single]:
    """Make an operation on the bits of a float32 that is one instruction in compiled code."""
    signature = out(given)

    def typed(typing: Any, x: Any) -> Any:  # noqa: ARG001  the form of every intrinsic
        def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:  # noqa: ARG001
            return build(builder, given[0])

        return signature, code

    return cast("Callable[[Single], Single]", intrinsic(typed))


def _power(builder: Any, whole: Any) -> Any:
    shifted = builder.add(builder.fptosi(whole, INT32), INT32(127))
    return builder.bitcast(builder.shl(shifted, INT32(23)), FLOAT32)


def _doublings(builder: Any, x: Any) -> Any:
    above = builder.sub(builder.bitcast(x, INT32), INT32(ROOT_HALF))
    return builder.ashr(above, INT32(23))


def _exponent(builder: Any, x: Any) -> Any:
    return builder.sitofp(_doublings(builder, x), FLOAT32)


def _mantissa(builder: Any, x: Any) -> Any:
    shift = builder.shl(_doublings(builder, x), INT32(23))
    return builder.bitcast(builder.sub(builder.bitcast(x, INT32), shift), FLOAT32)


power_of_two, exponent, mantissa = map(_of_float, (_power, _exponent, _mantissa))
bits_of = _of_float(lambda builder, x: builder.bitcast(x, INT32), types.int32)
float_of = _of_float(
    lambda builder, bits: builder.bitcast(bits, FLOAT32), types.float32, types.int32
)


def _ahead(typing: Any, array: Any, row: Any) -> Any:  # noqa: ARG001  the form of every intrinsic
    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, given[0])
        stride = builder.extract_value(held.strides, 0)
        start = builder.ptrtoint(held.data, INT64)
        first = builder.add(start, builder.mul(stride, builder.sext(given[1], INT64)))
        form = ir.FunctionType(ir.VoidType(), [ir.PointerType(INT8), INT32, INT32, INT32])
        fetch: Any = cgutils.get_or_insert_function
        prefetch = fetch(builder.module, form, "llvm.prefetch.p0")
        with cgutils.for_range_slice(builder, INT64(0), stride, INT64(LINE)) as (offset, _):
            place = builder.inttoptr(builder.add(first, offset), ir.PointerType(INT8))
            builder.call(prefetch, [place, INT32(0), INT32(3), INT32(1)])
        return context.get_dummy_value()

    return types.void(array, types.int32), code


ahead = cast("Callable[[Any, int], None]", intrinsic(_ahead))
"""Have what an array holds at a row on its way to the cache; changes nothing."""


@kernel
def exp2(x: Single) -> Single:
    """2^x of a float32 of at most 127; below -126 it stays there. Relative error below 1e-7.

    Minimax polynomial of Cephes' exp2f on [-1/2, 1/2].
    """
    within = max(x, FLOAT(-126.0))
    whole = np.floor(within + FLOAT(0.5))
    t = within - whole
    p = FLOAT(1.535336188319500e-4) * t + FLOAT(1.339887440266574e-3)
    p = p * t + FLOAT(9.618437357674640e-3)
    p = p * t + FLOAT(5.550332471162809e-2)
    p = p * t + FLOAT(2.402264791363012e-1)
    p = p * t + FLOAT(6.931472028550421e-1)
    p = p * t + FLOAT(1.0)
    return p * power_of_two(whole)


@kernel
def ln(x: Single) -> Single:
    """Natural logarithm of a normal, positive float32. Relative error below 1e-7.

    Minimax polynomial of Cephes' logf on [sqrt(1/2) - 1, sqrt(2) - 1].
    """
    e, m = exponent(x), mantissa(x) - FLOAT(1.0)
    z = m * m
    p = FLOAT(7.0376836292e-2) * m + FLOAT(-1.1514610310e-1)
    p = p * m + FLOAT(1.1676998740e-1)
    p = p * m + FLOAT(-1.2420140846e-1)
    p = p * m + FLOAT(1.4249322787e-1)
    p = p * m + FLOAT(-1.6668057665e-1)
    p = p * m + FLOAT(2.0000714765e-1)
    p = p * m + FLOAT(-2.4999993993e-1)
    p = p * m + FLOAT(3.3333331174e-1)
    y = p * m * z + e * FLOAT(-2.12194440e-4) - FLOAT(0.5) * z
    return m + y + e * FLOAT(0.693359375)
