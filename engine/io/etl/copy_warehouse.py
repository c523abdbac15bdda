"""A climate source written into an empty PostgreSQL database, to measure reading: in our layout or in the seeds'.

`ours` is what the loaders leave: latitude bands, rows in order of cell and time, BRIN. `seed` is what a warehouse
filled month by month looks like: one table a variable, time before place, cells of a month in no order, a primary key
(time, grid_id) and a B-tree on grid_id.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from engine.core.errors import SettingsError, SinkError
from engine.core.grid import GridDefinition
from engine.core.panel import Panel
from engine.core.scenario import Scenario
from engine.core.variables import BY_TABLE, Variable
from engine.io.climate.schema import SCENARIO_COLUMNS
from engine.io.climate.source import ClimateSource
from engine.io.db import copy_binary, migrate, postgres
from engine.io.etl import places

Layout = Literal["ours", "seed"]
#: so that a table comes after those it refers to
_SMALL = (
    *("sea_level_grid", "sea_level_data", "location_grid", "grid_attributes", "api_typhoon_besttrack"),
    *("water_basin", "water_basin_province", "api_wamis_water_usage", "api_wamis_stations", "api_wamis_flow"),
    "water_stress_rankings",
)
_KINDS: dict[pl.DataType, str] = {
    pl.Int8(): "smallint",
    pl.Int16(): "smallint",
    pl.Int32(): "integer",
    pl.Int64(): "bigint",
    pl.Float32(): "real",
    pl.Float64(): "double precision",
    pl.String(): "text",
    pl.Boolean(): "boolean",
    pl.Date(): "date",
}
_CHUNK = 1024

Rows = NDArray[np.void]


def fill(source: ClimateSource, url: str, layout: Layout, n_cells: int) -> int:
    """Write the first `n_cells` active cells of a source; returns the climate rows written.

    url    : an empty database
    raises : SettingsError for a source without a lattice; SinkError when the server refuses
    """
    grid = source.grid
    if grid is None:
        raise SettingsError("a warehouse is filled from a source with a lattice")
    cells = source.cells().head(n_cells)
    held = [BY_TABLE[name] for name in source.tables if name in BY_TABLE]
    rows = 0
    with postgres.failures(f"filling {postgres.describe(url)}", SinkError), postgres.connect(url) as connection:
        if layout == "ours":
            migrate.apply(connection, "warehouse")
            connection.execute(
                "INSERT INTO grid_definition VALUES (true, %s, %s, %s, %s, %s, %s, %s)",
                (grid.lat0, grid.lon0, grid.n_lat, grid.n_lon, grid.step, *grid.axis),
            )
        for name in _SMALL:
            frame = source.table(name)
            if name in ("location_grid", "grid_attributes"):
                frame = _of_cells(frame, cells)
            if layout == "seed":
                _make_table(connection, name, frame)
            places.copy_frame(connection, name, frame)
        for each in held:
            write = _write_ours if layout == "ours" else _write_seed
            rows += write(connection, source, cells, each, grid)
        if layout == "ours":
            _record(connection, source, [*_SMALL, *(each.table for each in held)])
        connection.execute("VACUUM ANALYZE")
    return rows


def _of_cells(frame: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """The rows of these cells; every other cell of `location_grid` is without climate."""
    inside = pl.col("grid_id").is_in(cells["grid_id"].implode())
    return frame.with_columns(has_climate=inside) if "has_climate" in frame.columns else frame.filter(inside)


def _make_table(connection: psycopg.Connection, name: str, frame: pl.DataFrame) -> None:
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(_KINDS.get(kind, "timestamptz")))
        for column, kind in frame.schema.items()
    )
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(name), columns))


def _write_ours(
    connection: psycopg.Connection, source: ClimateSource, cells: pl.DataFrame, each: Variable, grid: GridDefinition
) -> int:
    types = _types(each, "int2")
    rows = 0
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT create_climate_table(%s, %s)", (each.name, each.monthly))
        for number, (lo, hi) in enumerate(grid.bands()):
            part = cells.filter(pl.col("grid_id").is_between(lo, hi, closed="left"))
            blocks = _by_cell(source, part, each, types)
            name = f"{each.table}_p{number:02d}"
            rows += copy_binary.copy_rows(cursor, name, list(types), blocks, freeze=True)[0]
    return rows


def _write_seed(
    connection: psycopg.Connection,
    source: ClimateSource,
    cells: pl.DataFrame,
    each: Variable,
    grid: GridDefinition,  # noqa: ARG001  (the two writers share a signature)
) -> int:
    types, table = _types(each, "int4"), sql.Identifier(each.table)
    time, time_type = sql.Identifier(each.time_column), sql.SQL("date" if each.monthly else "integer")
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "CREATE TABLE {} (grid_id integer NOT NULL, {} {} NOT NULL, ssp1 real, ssp2 real, ssp3 real, ssp5 real)"
            ).format(table, time, time_type)
        )
        blocks = _by_time(source, cells, each, types)
        rows = copy_binary.copy_rows(cursor, each.table, list(types), blocks, freeze=True)[0]
        cursor.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({}, grid_id)").format(table, time))
        cursor.execute(sql.SQL("CREATE INDEX ON {} (grid_id)").format(table))
    return rows


def _types(each: Variable, year: str) -> dict[str, str]:
    time = {each.time_column: "date" if each.monthly else year}
    return {"grid_id": "int4", **time, **dict.fromkeys(SCENARIO_COLUMNS, "float4")}


def _times(source: ClimateSource, each: Variable) -> NDArray[np.int32]:
    first, last = source.axis
    if not each.monthly:
        return np.arange(first, last + 1, dtype=np.int32)
    return copy_binary.pg_days(np.arange(f"{first}-01", f"{last + 1}-01", dtype="datetime64[M]"))


def _columns(panel: Panel, each: Variable) -> dict[str, NDArray[np.float32]]:
    return {s.column: panel.arrays[each.name, s].reshape(len(panel), -1) for s in Scenario}


def _by_cell(source: ClimateSource, cells: pl.DataFrame, each: Variable, types: dict[str, str]) -> Iterator[Rows]:
    times = _times(source, each)
    for start in range(0, cells.height, _CHUNK):
        part = cells.slice(start, _CHUNK)
        rows = copy_binary.empty_rows(types, part.height * len(times)).reshape(part.height, -1)
        rows["grid_id"], rows[each.time_column] = part["grid_id"].to_numpy()[:, None], times
        for name, values in _columns(source.read(part, [each.name], list(Scenario)), each).items():
            rows[name] = values
        yield rows.reshape(-1)


def _by_time(source: ClimateSource, cells: pl.DataFrame, each: Variable, types: dict[str, str]) -> Iterator[Rows]:
    """All cells of the variable are in memory: 15 MB a thousand of them."""
    columns = _columns(source.read(cells, [each.name], list(Scenario)), each)
    ids, generator = cells["grid_id"].to_numpy(), np.random.default_rng(0)
    for step, time in enumerate(_times(source, each)):
        order = generator.permutation(len(ids))
        rows = copy_binary.empty_rows(types, len(ids))
        rows["grid_id"], rows[each.time_column] = ids[order], time
        for name, values in columns.items():
            rows[name] = values[order, step]
        yield rows


def _record(connection: psycopg.Connection, source: ClimateSource, tables: list[str]) -> None:
    for table in tables:
        report = {"covered_years": list(source.covered_years)} if table == "api_typhoon_besttrack" else {}
        connection.execute(
            "INSERT INTO etl_load (loader, loader_version, table_name, scope, source_files, gate_report, status,"
            " finished_at) VALUES ('national', '1', %s, %s, %s, %s, 'published', now())",
            (table, source.scope, json.dumps([{"sha256": source.fingerprint}]), json.dumps(report)),
        )
