"""Frames out of and into PostgreSQL by COPY: for queries of any size, on a connection that also holds transactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import LiteralString

import polars as pl
import psycopg
from psycopg import sql


def read(
    connection: psycopg.Connection,
    query: LiteralString,
    parameters: Sequence[object],
    schema: Mapping[str, pl.DataType],
) -> pl.DataFrame:
    """Rows of a query. schema: its columns in order, with the types of the frame; NULL is null, NaN stays NaN."""
    command = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(sql.SQL(query))
    with connection.cursor() as cursor, cursor.copy(command, list(parameters)) as copy:
        data = b"".join(bytes(part) for part in copy)
    # the server writes booleans as t and f
    raw = {name: pl.String() if kind == pl.Boolean else kind for name, kind in schema.items()}
    if not data:
        return pl.DataFrame(schema=dict(schema))
    frame = pl.read_csv(data, has_header=False, new_columns=list(raw), schema=raw)
    return frame.with_columns(pl.col(name) == "t" for name, kind in schema.items() if kind == pl.Boolean)


def stage(connection: psycopg.Connection, name: str, types: Mapping[str, LiteralString], frame: pl.DataFrame) -> None:
    """COPY a frame into a temporary table that the end of the transaction drops."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in types.items()
    )
    connection.execute(sql.SQL("CREATE TEMP TABLE {} ({}) ON COMMIT DROP").format(sql.Identifier(name), columns))
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, types))
    )
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        copy.write(frame.select(list(types)).write_csv(include_header=False).encode())


def upsert(
    connection: psycopg.Connection,
    table: str,
    types: Mapping[str, LiteralString],
    key: Sequence[str],
    frame: pl.DataFrame,
    *,
    stamps: Mapping[str, LiteralString],
) -> int:
    """Put rows into a table, replacing those with the same key, in one statement; returns the number of rows. The
    caller owns the transaction.

    types  : columns of the frame with the types of the table
    stamps : further columns and the expression that fills them, such as `now()`
    """
    if frame.is_empty():
        return 0
    incoming = f"incoming_{table}"
    stage(connection, incoming, types, frame)
    names = sql.SQL(", ").join(map(sql.Identifier, [*types, *stamps]))
    values = sql.SQL(", ").join([*map(sql.Identifier, types), *map(sql.SQL, stamps.values())])
    changed = [name for name in [*types, *stamps] if name not in key]
    # in the order of the key: two writers of the same rows wait for each other instead of locking each other out
    connection.execute(
        sql.SQL(
            "INSERT INTO {table} ({names}) SELECT {values} FROM {incoming} ORDER BY {key}"
            " ON CONFLICT ({key}) DO UPDATE SET {new}"
        ).format(
            table=sql.Identifier(table),
            names=names,
            values=values,
            incoming=sql.Identifier(incoming),
            key=sql.SQL(", ").join(map(sql.Identifier, key)),
            new=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changed),
        )
    )
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(incoming)))
    return frame.height
