"""Frames into PostgreSQL by COPY. The caller owns the transaction, and with it the switch."""

from __future__ import annotations

import io
from collections.abc import Iterable

import polars as pl
import psycopg
from psycopg import sql


def copy_rows(
    connection: psycopg.Connection, table: str, columns: pl.Schema, frames: Iterable[pl.DataFrame], *, freeze: bool
) -> int:
    """Append frames to a table; returns the number of rows.

    columns : names and types of every frame; list columns become arrays
    freeze  : the table was made in this transaction: rows are written frozen and need no vacuum

    Text, not binary: parsing JSON and building indexes cost the server far more than parsing numbers, and text reaches
    numeric, jsonb and array columns without encoders of our own. Floats are written with the fewest digits that
    give the same value back. Null is sent as null; NaN was refused when the block was spooled.
    """
    options = sql.SQL("FREEZE true" if freeze else "FREEZE false")
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    command = sql.SQL("COPY {} ({}) FROM STDIN WITH (FORMAT text, {})").format(sql.Identifier(table), names, options)
    rows = 0
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        for frame in frames:
            buffer = io.BytesIO()
            # no value holds a tab, a line end or a backslash (ranges, names, numbers), so nothing needs quoting
            _flat(frame).write_csv(buffer, include_header=False, separator="\t", quote_style="never", null_value="\\N")
            copy.write(buffer.getvalue())
            rows += frame.height
    return rows


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
    items = (pl.col(name).cast(pl.List(pl.String)).list.join(",") for name in lists)
    texts = [pl.concat_str(pl.lit("{"), item, pl.lit("}")).alias(name) for name, item in zip(lists, items, strict=True)]
    return frame.with_columns(*texts)
