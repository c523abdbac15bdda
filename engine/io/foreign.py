"""C functions that compiled code calls by their address, a plain number.

ctypes functions would do as well, but numba writes their addresses into the machine code, which then belongs to one
process and cannot be kept on disk.
"""

from __future__ import annotations

import ctypes
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def address_of(function: Any) -> int:
    """Address of a function of a loaded library (an attribute of `ctypes.CDLL`, or such as `ctypes.memmove`)."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def caller(result: Any, arguments: tuple[Any, ...]) -> Any:
    """`call(address, *arguments)` for compiled code: a call of a C function of this form.

    result    : numba type of what the function returns, `types.void` for nothing; pointers are `types.intp`
    arguments : numba types of what it takes
    """

    @intrinsic
    def call(_typing: Any, _address: Any, *_values: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            returns = ir.VoidType() if result is types.void else context.get_value_type(result)
            form = ir.FunctionType(returns, [context.get_value_type(each) for each in arguments])
            function = builder.inttoptr(values[0], form.as_pointer())
            answer = builder.call(function, [builder.extract_value(values[1], at) for at in range(len(arguments))])
            return context.get_dummy_value() if result is types.void else answer

        return result(types.intp, types.StarArgTuple(arguments)), generate

    return call
