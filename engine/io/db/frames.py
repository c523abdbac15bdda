"""Frames out of and into PostgreSQL, of any size, on a connection that also holds transactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import LiteralString

import polars as pl
import psycopg
from psycopg import sql

#: rows from which on it pays to ask which of them are new
_MANY = 200


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


def listed(*columns: pl.Series) -> list[str]:
    """Columns of ids or hashes as parameters of `unnest(string_to_array(%s, ',')::uuid[], ...)`: a join without a
    temporary table."""
    return [column.str.join(",").item() for column in columns]


def copy(connection: psycopg.Connection, table: str, columns: Sequence[str], frame: pl.DataFrame) -> None:
    """Append columns of a frame to a table; the table's other columns take their defaults."""
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(command) as copying:
        copying.write(frame.select(columns).write_csv(include_header=False).encode())


def put(
    connection: psycopg.Connection,
    table: str,
    types: Mapping[str, LiteralString],
    key: Sequence[str],
    frame: pl.DataFrame,
    *,
    stamps: Mapping[str, LiteralString],
) -> int:
    """Put rows into a table, all or none, replacing those with the same key; returns the number of rows.

    types  : columns of the frame with the types of the table
    key    : the first column of it says whose the rows are; they are ordered by it
    stamps : further columns and the expression that an update gives them, which is also their default

    Many rows of owners that the table does not know yet are copied straight in, for a third less than an upsert costs.
    """
    # in the order of the key: two writers of the same rows wait for each other instead of locking each other out
    frame = frame.select(list(types)).sort(key)
    if frame.height < _MANY:
        _upsert(connection, table, types, key, frame, stamps)
        return frame.height
    with connection.transaction():
        ours = frame[key[0]].is_in(_known(connection, table, types, key[0], frame).implode())
        known = frame.filter(ours)
        try:
            with connection.transaction():
                copy(connection, table, list(types), frame.filter(~ours))
        except psycopg.errors.UniqueViolation:  # another writer has come to know some of them meanwhile
            known = frame
        _upsert(connection, table, types, key, known, stamps)
    return frame.height


def _known(
    connection: psycopg.Connection, table: str, types: Mapping[str, LiteralString], owner: str, frame: pl.DataFrame
) -> pl.Series:
    """Owners of the frame's rows that have rows in the table."""
    query = sql.SQL(
        "SELECT id::text FROM unnest(string_to_array(%s, ',')::{}[]) AS o(id)"
        " WHERE EXISTS (SELECT FROM {} t WHERE t.{} = o.id)"
    ).format(sql.SQL(types[owner]), sql.Identifier(table), sql.Identifier(owner))
    found = connection.execute(query, listed(frame[owner].unique())).fetchall()
    return pl.Series([name for (name,) in found], dtype=pl.String)


def _upsert(
    connection: psycopg.Connection,
    table: str,
    types: Mapping[str, LiteralString],
    key: Sequence[str],
    frame: pl.DataFrame,
    stamps: Mapping[str, LiteralString],
) -> None:
    if frame.is_empty():
        return
    # the rows travel as one JSON parameter: no temporary table, so a job of one site leaves no trace in the catalogue
    record = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL("text" if kind == "jsonb" else kind))
        for name, kind in types.items()
    )
    values = [
        sql.SQL("{}::jsonb").format(sql.Identifier(name)) if kind == "jsonb" else sql.Identifier(name)
        for name, kind in types.items()
    ]
    changed = [name for name in [*types, *stamps] if name not in key]
    connection.execute(
        sql.SQL(
            "INSERT INTO {table} ({names}) SELECT {values} FROM json_to_recordset(%s) AS r({record})"
            " ON CONFLICT ({key}) DO UPDATE SET {new}"
        ).format(
            table=sql.Identifier(table),
            names=sql.SQL(", ").join(map(sql.Identifier, [*types, *stamps])),
            values=sql.SQL(", ").join([*values, *map(sql.SQL, stamps.values())]),
            record=record,
            key=sql.SQL(", ").join(map(sql.Identifier, key)),
            new=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changed),
        ),
        [frame.write_json()],
    )
