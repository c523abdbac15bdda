"""Rows of PostgreSQL's binary COPY into their slots, out of libpq's own buffers.

The functions of libpq are called by their addresses, plain numbers. ctypes functions would do as well, but numba writes
their addresses into the machine code, which then belongs to one process and cannot be kept on disk.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import typeof, types
from numba.core.dispatcher import Dispatcher
from numba.extending import intrinsic
from numpy.typing import NDArray

from engine.kernels._compile import helper

Int32 = NDArray[np.int32]

END, MALFORMED = -1, -3  # the first is libpq's
_NAN = int(np.array(np.nan, np.float32).view(np.int32))
_NO_KEY = int(np.iinfo(np.int32).min)  # stands for a null: no grid and no calendar has it


def _caller(result: Any, arguments: tuple[Any, ...]) -> Any:
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


_next_message = _caller(types.intc, (types.intp, types.intp, types.intc))
_release = _caller(types.void, (types.intp,))
_copy = _caller(types.intp, (types.intp, types.intp, types.intp))


class Slots(NamedTuple):
    """Slots of rows: S = cells x steps."""

    cells: Int32  # (C,) ascending grid_ids
    first: int  # least time key
    step_of_time: Int32  # a time key is step `step_of_time[key - first]`; -1: off the axis
    steps: int


@helper
def place_rows(
    functions: tuple[int, int, int],
    connection: int,
    message: NDArray[np.intp],
    data: NDArray[np.uint8],
    slots: Slots,
    filled: NDArray[np.bool_],
    out: Int32,
) -> tuple[int, int, int, int]:
    """Read a COPY to its end and put its rows where they belong; V value columns.

    functions     : addresses of PQgetCopyData, PQfreemem and memmove; `connection`: of the PGconn, in COPY_OUT
    message, data : (1,), (n,) for the work; a row has fewer than n bytes
    filled, out   : (S,) slots hit so far; (V, S) bits of the float4 values
    returns       : END, MALFORMED or libpq's error; rows placed, off the time axis, in a slot that was filled already
    """
    next_message, release, copy = functions
    cells, first, step_of_time, steps = slots
    off_axis, duplicates, rows, row, start = 0, 0, 0, 0, 19
    while True:
        size = _next_message(next_message, connection, message.ctypes.data, np.intc(0))
        if size <= 0:
            return size, rows, off_axis, duplicates
        fits = size <= data.size
        if fits:
            _copy(copy, data.ctypes.data, message[0], size)
        _release(release, message[0])
        if not fits:
            return MALFORMED, rows, off_axis, duplicates
        # the first message begins with the header: 11 bytes of signature, flags, length of an extension
        at = start + _integer(data, 15) if start else 0
        start = 0
        while at + 2 <= size:
            count = data[at] << 8 | data[at + 1]
            at += 2
            if count == 0xFFFF:  # the trailer
                break
            if count != out.shape[0] + 2 or at + 4 * count > size:
                return MALFORMED, rows, off_axis, duplicates
            grid_id, at = _field(data, at, _NO_KEY)
            time, at = _field(data, at, _NO_KEY)
            if at < 0:
                return MALFORMED, rows, off_axis, duplicates
            if cells[row] != grid_id:  # rows of one cell usually follow each other
                row = _find(cells, grid_id)
            key = time - first
            step = step_of_time[key] if 0 <= key < step_of_time.size else -1
            slot = row * steps + step
            wanted = cells[row] == grid_id
            if wanted and step < 0:
                off_axis += 1
            elif wanted:
                duplicates += filled[slot]
                filled[slot] = True
                rows += 1
            for v in range(out.shape[0]):
                bits, at = _field(data, at, _NAN)
                if at < 0:
                    return MALFORMED, rows, off_axis, duplicates
                if wanted and step >= 0:
                    out[v, slot] = bits


def prepare() -> None:
    """Compile `place_rows` for the types its caller uses; it cannot be called without a server."""
    cells, bits = np.zeros(1, np.int32), np.zeros((1, 1), np.int32)
    work = np.zeros(1, np.intp), np.zeros(1, np.uint8)
    values = ((1, 1, 1), 1, *work, Slots(cells, 1, cells, 1), np.zeros(1, np.bool_), bits)
    if isinstance(place_rows, Dispatcher):  # not with NUMBA_DISABLE_JIT
        place_rows.compile(tuple(typeof(value) for value in values))


@helper
def _integer(data: NDArray[np.uint8], at: int) -> int:
    high, low = (
        np.uint32(data[at]) << 8 | np.uint32(data[at + 1]),
        np.uint32(data[at + 2]) << 8 | np.uint32(data[at + 3]),
    )
    return int(np.int32(high << 16 | low))


@helper
def _field(data: NDArray[np.uint8], at: int, null: int) -> tuple[int, int]:
    """Value of a 4-byte field, as the bits stand there, and where the next begins: -1 for a field of another size."""
    length = _integer(data, at)
    if length == 4:
        return _integer(data, at + 4), at + 8
    return null, (at + 4 if length == -1 else -1)


@helper
def _find(cells: Int32, grid_id: int) -> int:
    """The last cell at or below a number, by bisection; 0 below all."""
    row, above = 0, len(cells)
    while above - row > 1:
        middle = (row + above) // 2
        if cells[middle] <= grid_id:
            row = middle
        else:
            above = middle
    return row
