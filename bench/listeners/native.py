"""C functions called by address from compiled loops, which hold no GIL meanwhile and can be cached on disk."""

# mypy: ignore-errors
from __future__ import annotations

import ctypes

from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

_LIBC = ctypes.CDLL(None, use_errno=True)


def address(name: str) -> int:
    """Where libc keeps a function."""
    found = ctypes.cast(getattr(_LIBC, name), ctypes.c_void_p).value
    assert found is not None
    return found


@intrinsic
def call(_context, function, arguments):
    """`call(function, (a, b, …))`: all are 64-bit whole numbers, as is the result. What C declares narrower travels in
    the same registers; of a narrower result the upper half means nothing."""
    if not isinstance(arguments, types.BaseTuple):
        raise TypingError("arguments come in a tuple")
    signature = types.int64(function, arguments)
    count = len(arguments)

    def generate(context, builder, _signature, values):
        word = ir.IntType(64)
        kind = ir.FunctionType(word, [word] * count)
        target, packed = values
        parts = [
            context.cast(builder, builder.extract_value(packed, i), arguments[i], types.int64)
            for i in range(count)
        ]
        return builder.call(builder.inttoptr(target, kind.as_pointer()), parts)

    return signature, generate
