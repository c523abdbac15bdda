"""Loader of the lattice: its definition, every cell, and the empty climate tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import xarray as xr
from numpy.typing import NDArray
from psycopg import sql

from engine.core.counted import agree, counted
from engine.core.errors import SchemaError, SettingsError
from engine.core.grid import KOREA, GridDefinition
from engine.core.quality import ERROR, Finding
from engine.core.scenario import Scenario, ScenarioNames, named
from engine.core.variables import VARIABLES
from engine.io.db import copy_binary
from engine.io.etl import lattice, loading, nearest, staging
from engine.io.etl.loading import LoadOptions, Task
from engine.io.files import source_files
from engine.io.files.reading import toml_of
from engine.io.netcdf import cf, lattice_files, members, regular, timeaxis

NAME, TABLE = "grid", "location_grid"
#: table of grid.toml
SCENARIOS = "scenarios"
LATTICE_FILE = "grid.toml"
_MOST = 32_767  # an index is a smallint

_TYPES = {
    "grid_id": "int4",
    "lat_idx": "int2",
    "lon_idx": "int2",
    "latitude": "numeric6",
    "longitude": "numeric6",
    "has_climate": "bool",
}


@loading.loader(NAME, version="1", takes=("lattice",))
def load(task: Task) -> None:
    """Write the lattice and every cell, and make the climate tables.

    raises : SchemaError for another lattice while climate tables hold rows
    """
    options, connection = task.options, task.connection
    there = lattice.definition(connection)
    grid, path = planned(connection, options)
    names = scenario_names(connection, options)
    inputs = [source_files.SourceFile.of_value("grid_definition", asdict(grid))]
    with task.table(TABLE, [*([path] if path else []), *inputs], scope=options.scope) as record:
        if not record.up_to_date:
            task.progress(f"{TABLE}: {grid.n_lat} x {grid.n_lon} cells, {grid.axis}")
            with record.transaction():
                if grid != there:
                    _refuse_rows(connection, there)
                    _replace(connection, grid)
                else:
                    _repair(connection, grid)
                _name_scenarios(connection, names)
                for variable in VARIABLES.values():
                    if not variable.optional:
                        staging.ensure_table(connection, variable)
                record.gate_report = {"sea_level": nearest.assign(connection)}
                record.rows = record.cells = grid.n_cells
                record.steps = grid.axis.n
                record.findings += check(connection, grid)
            if not options.dry_run:
                connection.execute("ANALYZE location_grid")


def planned(connection: psycopg.Connection, options: LoadOptions) -> tuple[GridDefinition, Path | None]:
    """The lattice that `load` would write, and the file that says so: `options.lattice`, else grid.toml in the data
    directory; without a file the lattice that is there, else Korea's."""
    path = options.lattice or next(iter(source_files.find(options.data, LATTICE_FILE)), None)
    return (read_lattice(path) if path else lattice.definition(connection) or KOREA), path


def read_lattice(path: Path) -> GridDefinition:
    """A lattice and its years from grid.toml (the keys of GridDefinition) or from the axes of any gridded NetCDF.

    raises : SchemaError for missing or unknown keys, or axes that are not regular
    """
    if path.suffix.lower() != ".toml":
        return _from_netcdf(path)
    entries = {key: value for key, value in toml_of(path).items() if key != SCENARIOS}
    wanted = {field.name: field.type for field in fields(GridDefinition)}
    if set(entries) != set(wanted):
        raise SchemaError(f"{path.name} has the keys {', '.join(entries)}, expected {', '.join(wanted)}")
    for key, value in entries.items():
        if not isinstance(value, int if wanted[key] == "int" else int | float) or isinstance(value, bool):
            raise SchemaError(f"{path.name}: {key} = {value!r} is not {wanted[key]}")
    numbers: dict[str, Any] = {key: float(v) if wanted[key] == "float" else v for key, v in entries.items()}
    try:
        grid = GridDefinition(**numbers)
    except SchemaError as err:
        raise SchemaError(f"{path.name}: {err}") from None
    south, north = grid.lat0, grid.lat0 + (grid.n_lat - 1) * grid.step
    if not (south >= -90 and north <= 90 and max(grid.n_lat, grid.n_lon) <= _MOST):
        raise SchemaError(
            f"{path.name}: its lattice is not on Earth, or has a side of more than {counted(_MOST, 'cell')}: {grid}"
        )
    if not (grid.first_year >= 1 and grid.last_year <= 9999):
        raise SchemaError(f"{path.name}: years are {grid.axis}, expected 1 to 9999")
    return grid


def scenario_names(connection: psycopg.Connection, options: LoadOptions) -> ScenarioNames:
    """Names of the scenarios that the data hold, where they are no SSPs or not all four: of grid.toml as `planned`
    takes it, without one those of the warehouse. Empty: the four SSPs.

    raises : SchemaError for a table `scenarios` of grid.toml that cannot be
    """
    path = planned(connection, options)[1]
    if path is None:
        return lattice.scenario_names(connection)
    told = toml_of(path).get(SCENARIOS) if path.suffix.lower() == ".toml" else None
    try:
        return named(told)
    except SettingsError as err:
        raise SchemaError(f"{path.name}: {err}") from None


def _from_netcdf(path: Path) -> GridDefinition:
    with lattice_files.dataset(path) as data:
        cube = cf.cube(data, _largest(data, path.name), path.name, members.FIRST)
        months, spacing = cf.months(cube.time, path.name), cf.spacing(cube.time, path.name)
    years = months // 12
    monthly = len(np.unique(years)) < len(years)
    lattice_of_file = regular.lattice_of(cube.latitude, cube.longitude, path.name)
    grid = GridDefinition(*lattice_of_file, int(years.min()), int(years.max()))
    timeaxis.check_axis(months, grid.axis, monthly, path.name, spacing)
    return grid


def _largest(data: xr.Dataset, name: str) -> str:
    """The variable that spans lattice and years."""
    by_size = {str(key): value.size for key, value in data.variables.items() if value.ndim >= 3}
    if not by_size:
        raise SchemaError(
            f"{name}: no variable of time, latitude, longitude; it has {', '.join(map(str, data.variables))}"
        )
    return max(by_size, key=lambda key: by_size[key])


def _refuse_rows(connection: psycopg.Connection, there: GridDefinition | None) -> None:
    """Cell numbers mean other places on another lattice, so no table keyed by them may keep its rows."""
    if there is None:
        (rows,) = connection.execute("SELECT count(*) FROM location_grid").fetchone() or (0,)
        if rows:
            raise SchemaError(
                f"location_grid holds {counted(rows, 'row')} but grid_definition is empty: not made by this loader"
            )
        return
    for variable in VARIABLES.values():
        exists = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (variable.table,)).fetchone()
        if exists and exists[0]:
            held = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(variable.table))
            if (connection.execute(held).fetchone() or (False,))[0]:
                raise SchemaError(
                    f"grid_definition is {_words(there)} and {variable.table} holds rows on it; another lattice needs"
                    " a new warehouse or empty climate tables"
                )


def _replace(connection: psycopg.Connection, grid: GridDefinition) -> None:
    """Another lattice, or the first: everything keyed by the old cell numbers goes."""
    connection.execute("LOCK TABLE grid_definition IN ACCESS EXCLUSIVE MODE")
    for variable in VARIABLES.values():
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(variable.table)))
    tables = ["location_grid", "grid_attributes", *(variable.table for variable in VARIABLES.values())]
    connection.execute(
        "UPDATE etl_load SET status = 'replaced' WHERE status = 'published' AND loader <> %s AND table_name = ANY(%s)",
        (NAME, tables),
    )
    connection.execute("TRUNCATE location_grid, grid_attributes")
    connection.execute("DELETE FROM grid_definition")
    connection.execute(
        "INSERT INTO grid_definition VALUES (true, %s, %s, %s, %s, %s, %s, %s)",
        (grid.lat0, grid.lon0, grid.n_lat, grid.n_lon, grid.step, grid.first_year, grid.last_year),
    )
    connection.cursor().executemany(
        "INSERT INTO scenario VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [(int(scenario), scenario.code, scenario.provider_code, scenario.column) for scenario in Scenario],
    )
    with connection.cursor() as cursor:
        copy_binary.copy_rows(cursor, TABLE, list(_TYPES), _cells(grid), freeze=True)


def _name_scenarios(connection: psycopg.Connection, names: ScenarioNames) -> None:
    connection.execute("UPDATE scenario SET name = NULL WHERE name IS NOT NULL")
    connection.cursor().executemany(
        "UPDATE scenario SET name = %s WHERE scenario_id = %s", [(name, int(each)) for each, name in names.items()]
    )


def _repair(connection: psycopg.Connection, grid: GridDefinition) -> None:
    """The same lattice again: put every cell right, keep what other loaders joined to it."""
    connection.execute("CREATE TEMP TABLE lattice_cells (LIKE location_grid) ON COMMIT DROP")
    with connection.cursor() as cursor:
        copy_binary.copy_rows(cursor, "lattice_cells", list(_TYPES), _cells(grid))
    # joins, each of one pass: NOT IN looks through the whole lattice for every cell, ON CONFLICT locks every row
    connection.execute("ANALYZE lattice_cells")
    connection.execute(
        """DELETE FROM location_grid g
           WHERE NOT EXISTS (SELECT FROM lattice_cells c WHERE c.grid_id = g.grid_id)"""
    )
    connection.execute(
        """UPDATE location_grid g
           SET lat_idx = c.lat_idx, lon_idx = c.lon_idx, latitude = c.latitude, longitude = c.longitude
           FROM lattice_cells c WHERE c.grid_id = g.grid_id
             AND (g.lat_idx, g.lon_idx, g.latitude, g.longitude)
               IS DISTINCT FROM (c.lat_idx, c.lon_idx, c.latitude, c.longitude)"""
    )
    connection.execute(
        """INSERT INTO location_grid (grid_id, lat_idx, lon_idx, latitude, longitude)
           SELECT grid_id, lat_idx, lon_idx, latitude, longitude FROM lattice_cells c
           WHERE NOT EXISTS (SELECT FROM location_grid g WHERE g.grid_id = c.grid_id)"""
    )


def _cells(grid: GridDefinition) -> Iterator[NDArray[np.void]]:
    ids = np.arange(1, grid.n_cells + 1)
    rows = copy_binary.empty_rows(_TYPES, grid.n_cells)
    rows["grid_id"] = ids
    rows["lat_idx"], rows["lon_idx"] = grid.indices(ids)
    copy_binary.set_numeric6(rows, "latitude", grid.latitudes[rows["lat_idx"]])
    copy_binary.set_numeric6(rows, "longitude", grid.longitudes[rows["lon_idx"]])
    yield rows


def check(connection: psycopg.Connection, grid: GridDefinition) -> list[Finding]:
    """Number and coordinates of every cell follow from its indices and grid_definition."""
    (rows, wrong) = connection.execute(
        """SELECT count(*), count(*) FILTER (WHERE grid_id <> lat_idx::int * n_lon + lon_idx + 1 OR lat_idx >= n_lat
             OR lon_idx >= n_lon OR latitude <> lat0 + lat_idx * step OR longitude <> lon0 + lon_idx * step
               - CASE WHEN lon0 + lon_idx * step > 180 THEN 360 ELSE 0 END)
           FROM location_grid CROSS JOIN grid_definition"""
    ).fetchone() or (0, 0)
    findings = []
    if rows != grid.n_cells:
        findings.append(
            Finding(
                ERROR, TABLE, f"{counted(rows, 'cell')} where the lattice has {grid.n_cells}", abs(rows - grid.n_cells)
            )
        )
    if wrong:
        findings.append(
            Finding(
                ERROR,
                TABLE,
                f"{counted(wrong, 'cell')} {agree(wrong, 'does', 'do')} not lie where grid_definition puts them",
                wrong,
            )
        )
    return findings


def _words(grid: GridDefinition) -> str:
    return (
        f"{grid.n_lat} x {grid.n_lon} cells of {grid.step:g} degree from {grid.lat0:g} N {grid.lon0:g} E, {grid.axis}"
    )
