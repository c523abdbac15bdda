"""New partitions of a climate table beside the published ones, and the switch between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from engine.core.errors import EngineError, SchemaError
from engine.core.grid import GridDefinition
from engine.core.scenario import Scenario
from engine.core.variables import Variable
from engine.io.db import copy_binary
from engine.io.etl import lattice, load_record
from engine.io.etl.gate import Staged

#: rows of one buffer of a COPY
_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class Band:
    """One partition: its number and half-open range of grid_id."""

    number: int
    lo: int
    hi: int

    def name(self, table: str, suffix: str = "") -> str:
        """`ta_data_p03`, with a suffix `ta_data_p03_new`."""
        return f"{table}_p{self.number:02d}{suffix}"


def bands(grid: GridDefinition) -> list[Band]:
    """The partitions of every climate table of a lattice."""
    return [Band(number, lo, hi) for number, (lo, hi) in enumerate(grid.bands())]


def stage(connections: Sequence[psycopg.Connection], staged: Staged) -> tuple[int, dict[str, str]]:
    """Write the values into new partitions `<table>_pNN_new`, as many at a time as there are connections; published
    data stay readable.

    returns : rows written; band -> SHA-256 of its binary COPY stream (`copy_binary.digest` of the partition)
    """
    load_record.drop_tables(connections[0], rf"^{staged.variable.table}_p[0-9]{{2}}_rejected$")
    ensure_table(connections[0], staged.variable)
    free: SimpleQueue[psycopg.Connection] = SimpleQueue()
    for connection in connections:
        free.put(connection)

    def write(band: Band) -> tuple[int, str]:
        own = free.get()
        try:
            with transaction(own) as cursor, new_partition(cursor, staged.variable, band) as name:
                columns = list(_types(staged.variable))
                return copy_binary.copy_rows(cursor, name, columns, _blocks(staged, band), freeze=True)
        finally:
            free.put(own)

    every = bands(staged.grid)
    try:
        with ThreadPoolExecutor(len(connections)) as pool:
            try:
                written = list(pool.map(write, every))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for connection in connections:
                    connection.cancel_safe()
                raise
    except BaseException:
        if not connections[0].broken:
            drop_new(connections[0], staged.variable)
        raise
    digests = {f"p{band.number:02d}": digest for band, (_, digest) in zip(every, written, strict=True)}
    return sum(rows for rows, _ in written), digests


@contextmanager
def transaction(connection: psycopg.Connection) -> Iterator[psycopg.Cursor]:
    """Transaction of staging: losing staged rows costs nothing, the switch commits safely."""
    # readers ask for ranges of grid_id only: a coarse histogram serves, and 16 partitions are analysed in no time
    connection.execute("SET default_statistics_target = 10")
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        yield cursor


@contextmanager
def new_partition(cursor: psycopg.Cursor, variable: Variable, band: Band) -> Iterator[str]:
    """Make `<table>_pNN_new`, to be filled in the block; then it gets its index and statistics."""
    name = band.name(variable.table, "_new")
    new, parent = sql.Identifier(name), sql.Identifier(variable.table)
    # the check spares ATTACH its scan
    cursor.execute(
        sql.SQL(
            "CREATE TABLE {} (LIKE {} INCLUDING STORAGE, CONSTRAINT {} CHECK (grid_id >= {} AND grid_id < {}))"
        ).format(new, parent, sql.Identifier(f"band_{band.number:02d}"), band.lo, band.hi)
    )
    yield name
    cursor.execute(
        sql.SQL("CREATE INDEX ON {} USING brin (grid_id) WITH (pages_per_range = 16); ANALYZE {}").format(new, new)
    )


def switch(connection: psycopg.Connection, variable: Variable, grid: GridDefinition) -> None:
    """Put the staged partitions in the place of the published ones; the caller owns the transaction.

    The partitions taken out are left as `<table>_pNN_old` for `drop_old`.
    raises : SchemaError when the lattice was changed since the files were read
    """
    if lattice.definition(connection, lock="FOR SHARE") != grid:
        raise SchemaError(f"{variable.table}: grid_definition was changed while its files were read")
    table, steps = variable.table, []
    for band in bands(grid):
        parent, now = sql.Identifier(table), sql.Identifier(band.name(table))
        new, old = (sql.Identifier(band.name(table, suffix)) for suffix in ("_new", "_old"))
        steps += [
            sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(parent, now),
            sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                parent, new, band.lo, band.hi
            ),
            sql.SQL("ALTER TABLE {} RENAME TO {}").format(now, old),
            sql.SQL("ALTER TABLE {} RENAME TO {}").format(new, now),
        ]
    connection.execute(sql.SQL("; ").join(steps))


def drop_old(connection: psycopg.Connection, variable: Variable) -> None:
    """Drop what `switch` took out."""
    load_record.drop_tables(connection, rf"^{variable.table}_p[0-9]{{2}}_old$")


def drop_new(connection: psycopg.Connection, variable: Variable) -> None:
    """Drop what was staged and will not be switched in."""
    load_record.drop_tables(connection, rf"^{variable.table}_p[0-9]{{2}}_new$")


def set_aside(connection: psycopg.Connection, variable: Variable, grid: GridDefinition) -> None:
    """Keep refused data for inspection as `<table>_pNN_rejected`, until the next load of the table."""
    for band in bands(grid):
        new, rejected = (sql.Identifier(band.name(variable.table, suffix)) for suffix in ("_new", "_rejected"))
        connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(new, rejected))


def ensure_table(connection: psycopg.Connection, variable: Variable) -> None:
    """Make an optional variable's table when it is first loaded."""
    row = connection.execute("SELECT to_regclass(%s) IS NULL", (variable.table,)).fetchone()
    if row is None:
        raise EngineError(f"the server did not say whether {variable.table} exists")
    if row[0]:
        connection.execute("SELECT create_climate_table(%s, %s)", (variable.name, variable.monthly))


def _types(variable: Variable) -> dict[str, str]:
    time = {variable.time_column: "date" if variable.monthly else "int2"}
    return {"grid_id": "int4", **time, **{scenario.column: "float4" for scenario in Scenario}}


def _times(variable: Variable, grid: GridDefinition) -> NDArray[np.int32]:
    """(steps,) time key of the axis as PostgreSQL holds it."""
    if not variable.monthly:
        return np.arange(grid.first_year, grid.last_year + 1, dtype=np.int32)
    first = (grid.first_year - 1970) * 12
    return copy_binary.pg_days(np.arange(first, first + grid.axis.n * 12).astype("datetime64[M]"))


def _blocks(staged: Staged, band: Band) -> Iterator[NDArray[np.void]]:
    """Rows of a band in the order (grid_id, time), which keeps BRIN exact; one buffer, filled anew for every block."""
    ids = staged.grid_id
    start, stop = np.searchsorted(ids, (band.lo, band.hi))
    at_once = max(1, _ROWS // staged.steps)
    types = _types(staged.variable)
    rows = copy_binary.empty_rows(types, at_once * staged.steps).reshape(at_once, staged.steps)
    rows[staged.variable.time_column] = _times(staged.variable, staged.grid)
    columns: Mapping[Scenario, NDArray[np.float32]] = staged.columns
    for scenario in Scenario:
        if scenario not in columns:
            rows[scenario.column] = np.nan
    for first in range(int(start), int(stop), at_once):
        part = slice(first, min(first + at_once, int(stop)))
        block = rows[: part.stop - part.start]
        block["grid_id"] = ids[part, None]
        for scenario, values in columns.items():
            block[scenario.column] = values[part]
        yield block.reshape(-1)
