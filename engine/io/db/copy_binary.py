"""Binary COPY straight from NumPy arrays: rows are laid out in memory as PostgreSQL reads them, without a loop.

A binary row is a 2-byte field count, then length and value of every field, big-endian. With fixed-width columns that
are never null, all rows have one layout, so a table of rows is a structured array. Nothing is converted by the server:
the types named here must be the columns' own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
#: days from 1970-01-01 to PostgreSQL's own epoch
EPOCH_DAYS = 10_957

#: type name -> layout of its value; `numeric6` is a numeric with six decimals below 10,000
TYPES: dict[str, np.dtype[np.generic]] = {
    "bool": np.dtype("u1"),
    "int2": np.dtype(">i2"),
    "int4": np.dtype(">i4"),
    "int8": np.dtype(">i8"),
    "float4": np.dtype(">f4"),
    "float8": np.dtype(">f8"),
    "date": np.dtype(">i4"),
    "numeric6": np.dtype([("digits", ">i2"), ("weight", ">i2"), ("sign", ">u2"), ("scale", ">i2"), ("d", ">i2", (3,))]),
}


def row_layout(types: Mapping[str, str]) -> np.dtype[np.void]:
    """Layout of one row: `count`, then `length.<column>` and `<column>` for every column.

    types : column -> name in TYPES, in the order of the COPY
    """
    fields: list[tuple[str, object]] = [("count", ">i2")]
    for name, kind in types.items():
        fields += [(f"length.{name}", ">i4"), (name, TYPES[kind])]
    return np.dtype(fields)


def empty_rows(types: Mapping[str, str], n: int) -> NDArray[np.void]:
    """`n` rows with counts and lengths set; assign the columns by name (`set_numeric6` for numerics)."""
    rows = np.zeros(n, row_layout(types))
    rows["count"] = len(types)
    for name, kind in types.items():
        rows[f"length.{name}"] = TYPES[kind].itemsize
    return rows


def set_numeric6(rows: NDArray[np.void], name: str, values: NDArray[np.float64]) -> None:
    """Fill a `numeric6` column: values in degrees or the like, |value| < 10,000, rounded to six decimals."""
    millionths = np.rint(np.abs(values) * 1e6).astype(np.int64)
    field = rows[name]
    # numbers of base 10,000: the integer part, then two of the fraction (the last padded with two zeros)
    field["digits"], field["weight"], field["scale"] = 3, 0, 6
    field["sign"] = np.where((values < 0) & (millionths > 0), 0x4000, 0)
    field["d"][:, 0] = millionths // 1_000_000
    field["d"][:, 1] = millionths // 100 % 10_000
    field["d"][:, 2] = millionths % 100 * 100


def pg_days(dates: NDArray[np.datetime64]) -> NDArray[np.int32]:
    """Calendar days as a `date` column holds them: days since 2000-01-01."""
    return np.asarray(dates.astype("datetime64[D]").astype(np.int64) - EPOCH_DAYS, dtype=np.int32)


def copy_rows(
    cursor: psycopg.Cursor,
    table: str,
    columns: Sequence[str],
    blocks: Iterable[NDArray[np.void]],
    *,
    freeze: bool = False,
) -> tuple[int, str]:
    """Append blocks of rows by binary COPY. The caller owns the transaction.

    blocks  : arrays of one `row_layout`, in the order of `columns`; a block may be reused once the next is asked for
    freeze  : the table was made or truncated in this transaction: rows are written as already frozen
    returns : rows written, and the SHA-256 of the stream, equal to `digest(table)` as long as nothing changed it
              (not with a numeric6, whose trailing zeros the server drops)
    """
    option = sql.SQL(", FREEZE" if freeze else "")
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary{})").format(sql.Identifier(table), names, option)
    sha, written = hashlib.sha256(HEADER), 0
    with cursor.copy(command) as copy:
        copy.write(HEADER)
        for block in blocks:
            data = np.ascontiguousarray(block).view(np.uint8).data
            sha.update(data)
            copy.write(data)
            written += len(block)
        copy.write(TRAILER)
    sha.update(TRAILER)
    return written, sha.hexdigest()


def digest(cursor: psycopg.Cursor, table: str) -> str:
    """SHA-256 of a table read back by binary COPY in its physical order."""
    sha = hashlib.sha256()
    with cursor.copy(sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(sql.Identifier(table))) as copy:
        for data in copy:
            sha.update(data)
    return sha.hexdigest()
