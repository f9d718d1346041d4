"""C functions called from compiled code, by addresses that come as arguments: so that it can be kept on disk."""

from __future__ import annotations

from typing import Any

import numba as nb
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic


def njit(function: Any) -> Any:
    """Compiled without the GIL, kept on disk."""
    return nb.njit(nogil=True, cache=True, boundscheck=False)(function)


@intrinsic
def call(typingctx: Any, address: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """int f(…) of up to four integers or pointers; what a function does not take stays in its register."""
    return types.int32(*[types.uint64] * 5), _generate_call


@intrinsic
def call_5(typingctx: Any, address: Any, a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """The same of five."""
    return types.int32(*[types.uint64] * 6), _generate_call


def _generate_call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    address, *values = arguments
    function = ir.FunctionType(ir.IntType(32), [ir.IntType(64)] * len(values))
    return builder.call(builder.inttoptr(address, function.as_pointer()), values)


@intrinsic
def errno(typingctx: Any, address: Any) -> Any:
    """*__errno_location()"""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.IntType(32)
        function = ir.FunctionType(number.as_pointer(), [])
        return builder.load(builder.call(builder.inttoptr(arguments[0], function.as_pointer()), []))

    return types.int32(types.uint64), generate


@intrinsic
def pointer(typingctx: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.uint64), generate
