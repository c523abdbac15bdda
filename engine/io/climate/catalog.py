"""Catalog of a warehouse: tables, columns, lattice, years, and the origin of the data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from engine.core import caveats
from engine.core.errors import SchemaError, SourceError
from engine.core.grid import TURN, GridDefinition, from_the_west
from engine.core.period import Years
from engine.core.scenario import Scenario, named
from engine.core.variables import BY_TABLE, VARIABLES
from engine.io.climate import schema
from engine.io.db import postgres

_COLUMNS = """
SELECT c.relname, a.attname, t.typname
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
 WHERE c.relname = ANY(%s) AND c.relkind IN ('r', 'p', 'm') AND pg_table_is_visible(c.oid)
 ORDER BY a.attnum
"""
# a partitioned table has no file of its own: its leaves stand for it
_STATE = """
SELECT t.name, leaf.relid::regclass::text, pg_relation_filenode(leaf.relid), pg_relation_size(leaf.relid),
       pg_stat_get_tuples_inserted(leaf.relid), pg_stat_get_tuples_updated(leaf.relid),
       pg_stat_get_tuples_deleted(leaf.relid)
  FROM unnest(%s::text[]) AS t(name),
       LATERAL (SELECT relid FROM pg_partition_tree(t.name::regclass) WHERE isleaf
                UNION SELECT t.name::regclass WHERE NOT EXISTS (SELECT FROM pg_partition_tree(t.name::regclass))) leaf
 ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Load:
    """One published row of `etl_load`. files: name, bytes, sha256, scenario; rows, rejected: None where not counted."""

    loader: str
    version: str
    table: str
    scope: str
    files: tuple[Mapping[str, Any], ...]
    report: Mapping[str, Any]
    rows: int | None
    rejected: int | None
    finished_at: datetime | None

    @property
    def hashes(self) -> tuple[str, ...]:
        """SHA-256 of the files, ascending."""
        return tuple(sorted(str(file.get("sha256")) for file in self.files))

    @property
    def findings(self) -> tuple[Mapping[str, Any], ...]:
        """Findings of the gate, as `quality.Finding.as_json`."""
        return tuple(self.report.get("findings", ()))


def present(connection: psycopg.Connection) -> dict[str, dict[str, str]]:
    """Tables that hold rows: name -> column -> PostgreSQL's name of its type. Columns of a type that the engine does
    not know (geometry, JSON) are left out.

    raises : SchemaError naming everything that does not fit; SourceError when this is no climate warehouse
    """
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in connection.execute(_COLUMNS, (list(schema.TABLES),)):
        found.setdefault(table, {})[column] = kind
    if found:
        filled = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(name), sql.Identifier(name))
            for name in found
        )
        rows = {name for (name,) in connection.execute(filled)}
        found = {name: columns for name, columns in found.items() if name in rows}
    if "location_grid" not in found:
        raise SourceError("it holds no cells: table location_grid is absent or empty")
    if not any(name in found for name in BY_TABLE):
        raise SourceError("it holds no climate table with rows")
    kinds = {
        table: {column: schema.KINDS.get(kind, "other") for column, kind in columns.items()}
        for table, columns in found.items()
    }
    if faults := schema.problems(kinds):
        raise SchemaError("; ".join(faults))
    return {
        table: {column: kind for column, kind in columns.items() if kind in schema.KINDS}
        for table, columns in found.items()
    }


def published(connection: psycopg.Connection) -> list[Load]:
    """Published loads in order of table and loader; none in a warehouse that our loaders did not fill."""
    if not postgres.has_table(connection, "etl_load"):
        return []
    rows = connection.execute(
        "SELECT loader, loader_version, table_name, scope, source_files, gate_report, n_rows, n_rejected, finished_at"
        " FROM etl_load WHERE status = 'published' ORDER BY table_name, loader"
    )
    return [
        Load(loader, version, table, scope, tuple(files), report or {}, *counts)
        for loader, version, table, scope, files, report, *counts in rows
    ]


def scenario_names(connection: psycopg.Connection) -> dict[Scenario, str]:
    """Names of the scenarios that the climate tables hold; empty where these are the four SSPs, and in a warehouse that
    has no place for names."""
    known = connection.execute(
        "SELECT FROM pg_attribute WHERE attrelid = to_regclass('scenario') AND attname = 'name' AND NOT attisdropped"
    ).fetchone()
    if known is None:
        return {}
    rows = connection.execute("SELECT scenario_id::text, name FROM scenario WHERE name IS NOT NULL").fetchall()
    return named(dict(rows))


def fingerprint(connection: psycopg.Connection, loads: list[Load], tables: Mapping[str, object]) -> str:
    """64 hex digits over the published loads; in a foreign warehouse over files, sizes and change counters."""
    if loads:
        state = [[load.loader, load.version, load.table, load.scope, *load.hashes] for load in loads]
    else:
        state = [list(row) for row in connection.execute(_STATE, (sorted(tables),))]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def weakest_scope(loads: list[Load]) -> str:
    """Scope of a warehouse: anything but `full` wins; a foreign warehouse is taken as `full`."""
    return caveats.weakest_scope(load.scope for load in loads)


def axis(connection: psycopg.Connection, tables: Mapping[str, Mapping[str, str]]) -> Years:
    """First to last year of the required climate tables; only where no `grid_definition` states it."""
    required = [v for v in VARIABLES.values() if v.required and v.table in tables]
    spans = []
    for variable in required or [BY_TABLE[name] for name in tables if name in BY_TABLE]:
        ends = sql.SQL("SELECT min({time}), max({time}) FROM {table}").format(
            time=sql.Identifier(variable.time_column), table=sql.Identifier(variable.table)
        )
        row = connection.execute(ends).fetchone()
        if row is not None and row[0] is not None:
            spans += [value.year if variable.monthly else int(value) for value in row]
    if not spans:
        raise SourceError("no climate table holds a row with a date")
    return Years(min(spans), max(spans))


def lattice(location: pl.DataFrame, years: Years) -> GridDefinition | None:
    """The lattice that cell numbers follow, inferred from all places; None when they follow none."""
    ids, latitude, longitude = (location[name].to_numpy() for name in ("grid_id", "latitude", "longitude"))
    for grid in _lattices(latitude, longitude, years):
        if np.array_equal(grid.locate(latitude, longitude), ids):
            return grid
    return None


def lattice_of_places(
    latitude: NDArray[np.float64], longitude: NDArray[np.float64], years: Years
) -> GridDefinition | None:
    """The lattice of the smallest step between (n,) places, the smaller one when they lie on both sides of the date
    line; None when there is no step."""
    return min(_lattices(latitude, longitude, years), key=lambda grid: grid.n_cells, default=None)


def _lattices(latitude: NDArray[np.float64], longitude: NDArray[np.float64], years: Years) -> Iterator[GridDefinition]:
    """From the least longitude eastward, and across the date line where the widest gap lies elsewhere."""
    north = np.unique(latitude)
    for east in (np.unique(longitude), from_the_west(np.unique(longitude))):
        steps = np.concatenate([np.diff(north), np.diff(east)])
        step = float(np.round(steps.min(), 6)) if len(steps) else 0.0
        if step > 0:
            n_lat, n_lon = (round((axis[-1] - axis[0]) / step) + 1 for axis in (north, east))
            n_lon = min(n_lon, max(1, round(TURN / step)))  # -180 and 180 are one meridian
            yield GridDefinition(float(north[0]), float(east[0]), n_lat, n_lon, step, *years)
