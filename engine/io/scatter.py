"""Order-free placing of table rows into (cells, steps) arrays: rows may come in any order, twice, or not at all.

S slots = cells x steps. `locate` finds each row's slot once for all scenario columns, `put` fills one column.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.kernels._compile import helper
from engine.period import Years

Int32 = NDArray[np.int32]
_EPOCH = np.datetime64("1970-01-01", "D")


def calendar(axis: Years, steps: int) -> tuple[int, Int32]:
    """How a time key becomes a step: `step_of_time[key - first]`, -1 where the key is no step of the axis.

    axis, steps : years, and steps a year (1: the key is the year; 12: it is days since 1970)
    returns     : first key, (keys,) step of each key that follows
    """
    if steps == 1:
        return axis.first, read_only(np.arange(axis.n, dtype=np.int32))
    months = np.arange(axis.n * steps) + np.datetime64(f"{axis.first:04d}-01", "M")
    days = (months.astype("datetime64[D]") - _EPOCH).astype(np.int32)
    step_of_day = np.full(days[-1] - days[0] + 1, -1, np.int32)
    step_of_day[days - days[0]] = np.arange(len(days), dtype=np.int32)
    return int(days[0]), read_only(step_of_day)


def read_only(array: Int32) -> Int32:
    """The same array, sealed as Arrow's buffers are: numba compiles sealed and open arguments apart."""
    array.flags.writeable = False
    return array


@helper
def locate(
    cells: Int32,
    grid_id: Int32,
    time: Int32,
    first: int,
    step_of_time: Int32,
    steps: int,
    filled: NDArray[np.bool_],
    slots: Int32,
) -> tuple[int, int]:
    """Slot of each row.

    cells         : (C,) ascending; grid_id, time: (rows,); first, step_of_time: of `calendar`
    filled        : (S,) slots hit so far, updated
    slots         : (rows,) out; -1 for a cell that was not asked, or a time off the axis
    returns       : rows whose time lies off the axis, rows that hit a slot already filled
    """
    strays, doubled, row = 0, 0, 0
    for i in range(len(grid_id)):
        slots[i] = -1
        if cells[row] != grid_id[i]:  # rows of one cell usually follow each other
            row, above = 0, len(cells)  # bisection: cells[row] <= the wanted number < cells[above]
            while above - row > 1:
                middle = (row + above) // 2
                if cells[middle] <= grid_id[i]:
                    row = middle
                else:
                    above = middle
            if cells[row] != grid_id[i]:
                continue
        key = time[i] - first
        step = step_of_time[key] if 0 <= key < len(step_of_time) else -1
        if step < 0:
            strays += 1
            continue
        slot = row * steps + step
        doubled += filled[slot]
        filled[slot] = True
        slots[i] = slot
    return strays, doubled


@helper
def put(slots: Int32, values: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Write each value into its slot of `out`, (S,); rows without a slot are left out."""
    for i in range(len(slots)):
        if slots[i] >= 0:
            out[slots[i]] = values[i]
