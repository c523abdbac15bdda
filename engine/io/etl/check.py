"""The quality gate on a warehouse that is there already, ours or somebody else's, and what became of published loads.

A table that our loaders published is compared with the record of its load: the SHA-256 of every band, else the number
of rows, and missing values, extremes and sum of every column. The rules of the gate are asked of every table they know.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from engine.core.counted import counted
from engine.core.grid import GridDefinition
from engine.core.quality import ERROR, WARNING, Finding, Range
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES, Variable
from engine.io.climate import catalog
from engine.io.climate.warehouse import WarehouseSource
from engine.io.db import copy_binary, postgres
from engine.io.etl import cross, gate, lattice, staging
from engine.io.etl.gate import Staged
from engine.io.etl.loaders import aqueduct, besttrack, grid, gridded, sea_level
from engine.io.etl.loading import Progress

#: sums may be added up in another order
_SUMS = 1e-9
#: tables that a loader replaces as a whole, so that the rows of its load are the rows of the table
_REPLACED = {"sea_level_data": "sea_level", "water_stress_rankings": "aqueduct", "map_feature": "map_layers"}
_REPLACED |= {"location_admin": "admin"}
#: rows, what the table was compared with, findings
_Outcome: TypeAlias = tuple[int, str, list[Finding]]


@dataclass(frozen=True, slots=True)
class Checked:
    """One table: its rows, what it was compared with (bands, figures, rows; empty: nothing), what was found."""

    table: str
    rows: int
    compared: str
    findings: tuple[Finding, ...]
    seconds: float


def check(
    url: str, ranges: Mapping[str, Range], progress: Progress, *, variables: tuple[str, ...] | None = None
) -> Iterator[Checked]:
    """Check table by table, climate first. Holds one climate variable at a time: 16 bytes a value of four scenarios.

    url       : a warehouse
    variables : only these climate tables and nothing else
    raises    : SourceError when it cannot be read; SchemaError when a table does not have the columns it promises
    """
    with closing(WarehouseSource(url)) as source, closing(postgres.connect(url)) as connection:
        reports = _published(connection)
        tables = [v for v in VARIABLES.values() if v.table in source.tables and (not variables or v.name in variables)]
        steps: list[tuple[str, Callable[[], _Outcome]]] = [
            (each.table, partial(_climate, connection, source, each, ranges, reports)) for each in tables
        ]
        if not variables:
            steps += [
                (name, partial(_reference, connection, source, name, ranges, reports))
                for name in _existing(connection, source)
            ]
        for number, (table, step) in enumerate(steps):
            progress(table, number, len(steps))
            started = time.perf_counter()
            rows, compared, findings = step()
            yield Checked(table, rows, compared, tuple(findings), time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class _Load:
    scope: str
    rows: int | None
    report: Mapping[str, Any]


def _published(connection: psycopg.Connection) -> dict[tuple[str, str], _Load]:
    """(loader, table) -> its published load; empty for a warehouse that our loaders did not fill."""
    if not catalog.published(connection):
        return {}
    rows = connection.execute(
        "SELECT loader, table_name, scope, n_rows, gate_report FROM etl_load WHERE status = 'published'"
    ).fetchall()
    return {(loader, table): _Load(scope, n, report or {}) for loader, table, scope, n, report in rows}


def _existing(connection: psycopg.Connection, source: WarehouseSource) -> list[str]:
    wanted = ["location_grid", "grid_attributes", *_REPLACED, besttrack.TABLE, "api_wamis_flow"]
    return [
        name
        for name in dict.fromkeys(wanted)
        if name in source.tables or _value(connection, sql.SQL("SELECT to_regclass({}) IS NOT NULL").format(name))
    ]


def _climate(
    connection: psycopg.Connection,
    source: WarehouseSource,
    variable: Variable,
    ranges: Mapping[str, Range],
    reports: Mapping[tuple[str, str], _Load],
) -> _Outcome:
    table = variable.table
    rows = _count(connection, table)
    load = next((load for (_, name), load in reports.items() if name == table), None)
    findings: list[Finding] = []
    compared = ""
    bands = load.report.get("bands", {}) if load else {}
    if bands:
        compared = "bands"
        findings += _band_findings(connection, variable, bands)
    if load and load.rows is not None and load.rows != rows:
        findings.append(
            Finding(ERROR, table, f"{counted(rows, 'row')}, {load.rows} were published", abs(rows - load.rows))
        )
    places = _places(source)
    if places is None:
        message = "the cells do not lie on a regular lattice, each on a point of its own: nothing else can be checked"
        return rows, compared, [*findings, Finding(ERROR, table, message)]
    definition, order, cells = places
    panel = source.read(source.cells(), [variable.name], list(Scenario))
    if duplicates := panel.duplicates.get(table, 0):
        findings.append(Finding(ERROR, table, counted(duplicates, "duplicate row"), duplicates))
    columns = {
        scenario: np.ascontiguousarray(array.reshape(len(cells), -1)[order])
        for (_, scenario), array in panel.arrays.items()
    }
    staged = Staged(variable, definition, load.scope if load else source.scope, cells, columns)
    elevation = gridded.elevation_of(connection, staged) if source.grid and "grid_attributes" in source.tables else None
    findings += gate.climate_findings(staged, ranges, elevation)
    published = load.report.get("columns", {}) if load else {}
    if published and not bands:
        compared = "figures"
    if published and (not bands or any(finding.severity == ERROR for finding in findings)):
        findings += _figure_findings(table, gate.figures(staged), published)
    ids = source.cells()["grid_id"]
    parts = [(table, int(ids.min() or 0), int(ids.max() or 0) + 1)]  # type: ignore[arg-type]
    if source.grid and bands:
        parts = [(band.name(table), band.lo, band.hi) for band in staging.bands(source.grid)]
    findings += cross.findings(connection, variable, parts, list(staged.present))
    return rows, compared, findings


def _band_findings(connection: psycopg.Connection, variable: Variable, bands: Mapping[str, str]) -> list[Finding]:
    found = []
    with connection.cursor() as cursor:
        for band, published in bands.items():
            name = f"{variable.table}_{band}"
            if not _value(connection, sql.SQL("SELECT to_regclass({}) IS NOT NULL").format(name)):
                found.append(Finding(ERROR, variable.table, f"partition {name} of the published load is gone"))
            elif copy_binary.digest(cursor, name) != published:
                found.append(Finding(ERROR, variable.table, f"partition {name} is not what was published"))
    return found


def _figure_findings(table: str, now: Mapping[str, Any], then: Mapping[str, Any]) -> list[Finding]:
    found = []
    for column, figures in then.items():
        for name, published in figures.items():
            value = now.get(column, {}).get(name)
            same = value == published or (
                name == "sum" and None not in (value, published) and abs(value - published) <= _SUMS * abs(published)
            )
            if not same:
                found.append(Finding(ERROR, table, f"{name} of {column} is {value}, {published} was published"))
    return found


def _places(source: WarehouseSource) -> tuple[GridDefinition, NDArray[np.intp], NDArray[np.int64]] | None:
    """Lattice, order of the active cells by lattice index, and these indices ascending; None without a lattice.

    Of a foreign warehouse the lattice is worked out from the places of its cells.
    """
    frame = source.cells()
    latitude, longitude = frame["latitude"].to_numpy(), frame["longitude"].to_numpy()
    definition = source.grid or catalog.lattice_of_places(latitude, longitude, source.axis)
    if definition is None:
        return None
    indices = definition.locate(latitude, longitude).astype(np.int64) - 1
    if (indices < 0).any() or len(np.unique(indices)) < len(indices):
        return None
    order = np.argsort(indices)
    return definition, order, indices[order]


def _reference(
    connection: psycopg.Connection,
    source: WarehouseSource,
    table: str,
    ranges: Mapping[str, Range],
    reports: Mapping[tuple[str, str], _Load],
) -> _Outcome:
    rows = _count(connection, table)
    findings: list[Finding] = []
    load = reports.get((_REPLACED.get(table, "grid" if table == "location_grid" else ""), table))
    if load and load.rows is not None and load.rows != rows:
        findings.append(
            Finding(ERROR, table, f"{counted(rows, 'row')}, {load.rows} were published", abs(rows - load.rows))
        )
    if table == "location_grid" and reports and (definition := lattice.definition(connection)):
        findings += grid.check(connection, definition)
    if table == "sea_level_data" and table in source.tables:
        scope = reports["sea_level", table].scope if ("sea_level", table) in reports else source.scope
        findings += _sea_level(source.table(table), scope, ranges)
    if table == besttrack.TABLE and table in source.tables:
        findings += besttrack.check(source.table(table), ranges)
    for column, name in _RANGED.get(table, {}).items():
        findings += _range_findings(connection, table, column, ranges[name])
    return rows, "rows" if load else "", findings


_RANGED: dict[str, dict[str, str]] = {
    "grid_attributes": {"elevation_mean_m": "elevation", "elevation_min_m": "elevation"},
    "api_wamis_flow": {"flow_m3s": "flow"},
    aqueduct.TABLE: {"score": "aqueduct_score"},
}


def _sea_level(frame: pl.DataFrame, scope: str, ranges: Mapping[str, Range]) -> list[Finding]:
    years = np.unique(frame["year"].to_numpy())
    points = frame["grid_id"].unique().sort()
    whole = points.to_frame().join(pl.DataFrame({"year": years}), how="cross")
    whole = whole.with_columns(pl.col("year").cast(frame["year"].dtype))
    held = whole.join(frame, on=["grid_id", "year"], how="left").sort("grid_id", "year")
    series = {
        scenario: held[scenario.column].cast(pl.Float32).fill_null(np.nan).to_numpy().reshape(len(points), len(years))
        for scenario in Scenario
        if scenario.column in held.columns
    }
    return sea_level.findings_of(series, np.ones(len(points), bool), years.astype(np.int64), scope, ranges)


def _range_findings(connection: psycopg.Connection, table: str, column: str, limits: Range) -> list[Finding]:
    query = sql.SQL("SELECT count(*), min({c}), max({c}) FROM {t} WHERE {c} NOT BETWEEN {low} AND {high}").format(
        c=sql.Identifier(column), t=sql.Identifier(table), low=limits.low, high=limits.high
    )
    count, lowest, highest = connection.execute(query).fetchone() or (0, None, None)
    if not count:
        return []
    message = (
        f"{counted(count, 'value')} of {column} outside"
        f" {limits.low:g}..{limits.high:g}, found {lowest:g} to {highest:g}"
    )
    return [Finding(ERROR, table, message, count)]


def unfinished(connection: psycopg.Connection) -> list[Finding]:
    """Loads that began and never ended: still going, or killed; what was published before them stands."""
    if not catalog.published(connection):
        return []
    rows = connection.execute(
        "SELECT table_name, loader, started_at FROM etl_load WHERE status = 'running' ORDER BY load_id"
    ).fetchall()
    return [
        Finding(WARNING, table, f"a load by {loader} began {started:%Y-%m-%d %H:%M} UTC and has not ended")
        for table, loader, started in rows
    ]


def _count(connection: psycopg.Connection, table: str) -> int:
    return int(_value(connection, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))))


def _value(connection: psycopg.Connection, query: sql.Composed) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None
