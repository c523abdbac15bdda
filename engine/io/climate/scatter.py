"""Order-free placing of table rows into (cells, steps) arrays: rows may come in any order, twice, or not at all.

Rows come by binary COPY and go from libpq's buffers straight into their slots: one compiled loop, no object a row, no
copy of a column, and the interpreter is free meanwhile. S slots = cells x steps, V value columns.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import pq

from engine.core.errors import SchemaError, SettingsError, SourceError
from engine.core.period import Years
from engine.io.db.copy_binary import EPOCH_DAYS
from engine.kernels import placing

Int32 = NDArray[np.int32]
_EPOCH = np.datetime64("1970-01-01", "D") + np.timedelta64(EPOCH_DAYS, "D")
_MESSAGE = 4096  # bytes; a row of two keys and four values has 50


class Placed(NamedTuple):
    """What happened to the rows of a read: used, off the time axis, and hitting a slot that was filled already."""

    rows: int
    off_axis: int
    duplicates: int


def calendar(axis: Years, steps: int) -> tuple[int, Int32]:
    """How a time key becomes a step: `step_of_time[key - first]`, -1 where the key is no step of the axis.

    axis, steps : years, and steps a year (1: the key is the year; 12: a date as the server sends it, days since 2000)
    returns     : first key, (keys,) step of each key that follows
    """
    if steps == 1:
        return axis.first, np.arange(axis.n, dtype=np.int32)
    months = np.datetime64(f"{axis.first:04d}-01", "M") + np.arange(axis.n * steps).astype("timedelta64[M]")
    days = (months.astype("datetime64[D]") - _EPOCH).astype(np.int32)
    step_of_day = np.full(days[-1] - days[0] + 1, -1, np.int32)
    step_of_day[days - days[0]] = np.arange(len(days), dtype=np.int32)
    return int(days[0]), step_of_day


def place(
    connection: psycopg.Connection,
    query: str,
    cells: Int32,
    first: int,
    step_of_time: Int32,
    filled: NDArray[np.bool_],
    out: NDArray[np.float32],
) -> Placed:
    """Read a query by binary COPY and put its rows where they belong.

    query   : columns grid_id int4, time int4 or date, V float4 columns; any order of rows
    cells   : (C,) ascending; rows of other cells are passed over
    first, step_of_time : of `calendar`
    filled  : (S,) slots hit so far, updated
    out     : (V, S), C order; null becomes NaN, slots without a row stay as they are
    raises  : SourceError when the server or the connection fails, SchemaError for rows of another form
    """
    command = f"COPY ({query}) TO STDOUT (FORMAT binary)"
    result = connection.pgconn.exec_(command.encode())
    if result.status != pq.ExecStatus.COPY_OUT:
        raise SourceError(_message(result, connection))
    steps = len(filled) // len(cells)
    status, *counts = placing.place_rows(
        _functions(),
        connection.pgconn.pgconn_ptr,  # type: ignore[attr-defined]  # of the compiled forms only, asked for before
        np.zeros(1, np.intp),
        np.empty(_MESSAGE, np.uint8),
        placing.Slots(cells, first, step_of_time, steps),
        filled,
        out.view(np.int32),
    )
    if status == placing.MALFORMED:
        connection.close()  # what is left of the answer is not read
        raise SchemaError(f"the server's rows are not two integers and {len(out)} floats each")
    fault = None
    while (ended := connection.pgconn.get_result()) is not None:
        if ended.status != pq.ExecStatus.COMMAND_OK:
            fault = fault or _message(ended, connection)
    if status != placing.END or fault:
        raise SourceError(fault or _message(None, connection))
    return Placed(*counts)


def _message(result: Any, connection: psycopg.Connection) -> str:
    """The server's sentence without its location and hints."""
    primary = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) if result is not None else None
    text = (primary or connection.pgconn.error_message or b"the connection was lost").decode("utf-8", "replace")
    return text.strip().splitlines()[0]


@cache
def _functions() -> tuple[int, int, int]:
    """Addresses of PQgetCopyData, PQfreemem and memmove.

    Of the very library that holds psycopg's connections: a symbol is looked up in a module and what it links to.
    """
    if pq.__impl__ not in ("binary", "c"):
        raise SettingsError(
            f"PSYCOPG_IMPL={pq.__impl__}: reading a warehouse needs psycopg's compiled form (psycopg[binary])"
        )
    library = ctypes.CDLL(import_module(f"psycopg_{pq.__impl__}.pq").__file__)
    return _address(library.PQgetCopyData), _address(library.PQfreemem), _address(ctypes.memmove)


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0
