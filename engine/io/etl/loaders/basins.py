"""River basins: the gauge that stands for each, the basin of every cell, and the provinces a basin lies in."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from engine.core import country
from engine.core.counted import counted
from engine.core.errors import SchemaError
from engine.core.profile import LEGAL_DONG
from engine.core.quality import WARNING, Finding, Range, load_ranges
from engine.core.sphere import unit_vectors
from engine.io.etl import loading
from engine.io.etl.gate import limit_findings
from engine.io.etl.loaders import region_basins
from engine.io.etl.loaders.wamis_answers import BASINS
from engine.io.etl.loading import Task
from engine.io.etl.places import (
    Cells,
    Layer,
    cells_to_describe,
    holder,
    holder_or_nearest,
    layer_files,
    read_layer,
    stage,
)
from engine.io.files import source_files
from engine.io.files.source_files import MissingInputError, SourceFile

NAME = "basins"
#: these have an outlet gauge; the rivers of Jeju have no large one
_GAUGED = 5
OUTLET_YEARS, OUTLET_COMPLETE_YEARS, OUTLET_COMPLETE_SHARE = (1991, 2020), 20, 0.75
_NEIGHBOURS = 3
_CODE_DIGITS = 4
Codes = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Gauges:
    """Gauges with coordinates and a basin, by code: (G,) each."""

    code: tuple[str, ...]
    basin: Codes
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]


@loading.loader(
    NAME,
    version="1",
    takes=(
        "crs",
        "gate",
        "refresh",
        "regions",
        "region_name",
    ),
)
def load(task: Task) -> None:
    """Fill `water_basin`, `location_grid.basin_code` and `water_basin_province` from the gauges and their flow, the
    cells, and the map layers `basins*` (optional) and `provinces*`; in a country without gauges and basins from its
    regions, as Aqueduct knows them.

    raises : MissingInputError without provinces, or without both gauges and basin polygons; SchemaError for a basin or
             a province without a known code or name
    """
    options, connection = task.options, task.connection
    provinces, polygons = layer_files(options.data, "provinces"), layer_files(options.data, "basins")
    gauges = _gauges(connection)
    if country.current().regions.codes != LEGAL_DONG and not (polygons or gauges.code):
        return _load_regions(task)
    absent = [] if provinces else [f"no file provinces*.geojson below {options.data}"]
    if not (polygons or gauges.code):
        absent.append("no gauge with coordinates and a basin in api_wamis_stations (load `wamis` first)")
    if absent:
        raise MissingInputError(f"{NAME}: {' and '.join(absent)}")
    cells = cells_to_describe(connection)
    outlets = outlet_gauges(connection)
    layers = [read_layer(path, options.crs) for path in polygons]
    names = BASINS | _names_of(layers) if layers else BASINS
    if strange := sorted(set(gauges.basin.tolist()) - set(names)):
        raise SchemaError(f"gauges belong to basins without a name: {strange}; known are {sorted(names)}")
    _load_basins(task, names, outlets)
    known = SourceFile.of_value(
        "api_wamis_stations", [gauges.code, *(c.tolist() for c in (gauges.basin, gauges.latitude))]
    )
    inputs: list[Path | SourceFile] = [known, cells.as_source(), *source_files.all_parts(polygons)]
    codes = basin_of_polygons(cells, layers) if layers else basin_of_gauges(cells, gauges)
    _load_codes(task, inputs, cells, codes, names)
    _load_shares(task, inputs, cells, codes, provinces)


def _load_regions(task: Task) -> None:
    """Regions of Aqueduct as basins without a gauge."""
    found, cells = region_basins.read(task), cells_to_describe(task.connection)
    named = SourceFile.of_value("names", dict(found.names))
    with task.table("water_basin", [named]) as record:
        if not record.up_to_date:
            task.progress("regions as basins")
            with record.transaction():
                _write_basins(task.connection, found.names, {}, task.options)
                record.findings += found.findings
                record.rows = len(found.names)
    codes = found.of_cells(cells)
    _load_codes(task, [cells.as_source(), *found.sources], cells, codes, found.names)
    gids = SourceFile.of_value("gids", dict(found.gids))
    with task.table("water_basin_province", [gids]) as record:
        if not record.up_to_date:
            with record.transaction():
                record.rows = len(found.gids)
                if not record.dry_run:  # the basins that the rows would point at were rolled back
                    _write_shares(task.connection, found.shares())


def _load_basins(task: Task, names: Mapping[int, str], outlets: Mapping[int, str]) -> None:
    inputs = [SourceFile.of_value("outlets", outlets), SourceFile.of_value("names", names)]
    with task.table("water_basin", inputs) as record:
        if record.up_to_date:
            return
        task.progress("water basins")
        with record.transaction():
            record.findings += _write_basins(task.connection, names, outlets, task.options)
            if names == BASINS:
                limits = load_ranges(task.options.gate)["outlet_volume"]
                record.findings += _volume_findings(task.connection, limits)
            record.rows, record.gate_report = len(names), {"chosen_outlets": outlets}


def _load_codes(
    task: Task, inputs: Sequence[Path | SourceFile], cells: Cells, codes: Codes, names: Mapping[int, str]
) -> None:
    with task.table("location_grid", inputs) as record:
        if record.up_to_date:
            return
        task.progress("basin of every cell")
        with record.transaction():
            _write_codes(task.connection, cells, codes)
            record.rows = record.cells = int((codes > 0).sum())
            record.gate_report = {
                "cells": {names[int(b)]: int((codes == b).sum()) for b in np.unique(codes[codes > 0])}
            }
            if outside := int((codes == 0).sum()):
                message = f"{counted(outside, 'cell')} outside every basin: no water stress there"
                record.findings.append(Finding(WARNING, "location_grid", message, outside))


def _load_shares(
    task: Task, inputs: Sequence[Path | SourceFile], cells: Cells, codes: Codes, provinces: Sequence[Path]
) -> None:
    rows = task.connection.execute("SELECT DISTINCT gid_1 FROM water_stress_rankings").fetchall()
    held = {gid for (gid,) in rows}
    ranked = SourceFile.of_value("water_stress_rankings", sorted(held))
    with task.table("water_basin_province", [*inputs, ranked, *source_files.all_parts(provinces)]) as record:
        if record.up_to_date:
            return
        task.progress("basins by province")
        shares = province_shares(cells, codes, [read_layer(path, task.options.crs) for path in provinces])
        with record.transaction():
            record.rows = shares.height
            record.findings += _unknown_to_rankings(held, shares)
            if not record.dry_run:  # the basins that the rows would point at were rolled back
                _write_shares(task.connection, shares)


def _gauges(connection: psycopg.Connection) -> Gauges:
    rows = connection.execute(
        """SELECT obs_code, basin_code, latitude, longitude FROM api_wamis_stations
           WHERE basin_code IS NOT NULL AND latitude IS NOT NULL AND longitude IS NOT NULL ORDER BY obs_code"""
    ).fetchall()
    codes, basins, latitude, longitude = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Gauges(codes, np.array(basins, np.int16), np.array(latitude, float), np.array(longitude, float))


def outlet_gauges(connection: psycopg.Connection) -> dict[int, str]:
    """Basin -> the gauge with the largest mean flow among those with 20 complete years in 1991-2020.

    A year is complete with at most 25 % of its days missing. A basin without such a gauge is not in the answer.
    """
    rows = connection.execute(
        """WITH years AS (
             SELECT obs_code, extract(year FROM obs_date)::int AS year, avg(flow_m3s) AS flow, count(*) AS days
             FROM api_wamis_flow
             WHERE obs_date >= make_date(%(first)s, 1, 1) AND obs_date < make_date(%(last)s + 1, 1, 1)
             GROUP BY 1, 2),
           means AS (
             SELECT obs_code, avg(flow) AS flow FROM years
             WHERE days >= %(share)s * (make_date(year + 1, 1, 1) - make_date(year, 1, 1))
             GROUP BY 1 HAVING count(*) >= %(years)s)
           SELECT DISTINCT ON (s.basin_code) s.basin_code, s.obs_code
           FROM means JOIN api_wamis_stations s USING (obs_code)
           WHERE s.basin_code IS NOT NULL ORDER BY s.basin_code, means.flow DESC, s.obs_code""",
        {
            "first": OUTLET_YEARS[0],
            "last": OUTLET_YEARS[1],
            "share": OUTLET_COMPLETE_SHARE,
            "years": OUTLET_COMPLETE_YEARS,
        },
    ).fetchall()
    return {int(basin): str(code) for basin, code in rows}


def basin_of_gauges(cells: Cells, gauges: Gauges) -> Codes:
    """(C,) basin of each cell: of most of its three nearest gauges (great circle), of the nearest if all differ."""
    neighbours = min(_NEIGHBOURS, len(gauges.code))
    tree = cKDTree(unit_vectors(gauges.latitude, gauges.longitude))
    _, nearest = tree.query(unit_vectors(cells.latitude, cells.longitude), neighbours)
    near: Codes = gauges.basin[np.asarray(nearest).reshape(len(cells.grid_id), neighbours)]
    # of three, a majority against the nearest one exists only where the other two agree
    outvoted = near[:, 1] == near[:, 2] if neighbours == _NEIGHBOURS else np.zeros(len(near), bool)
    codes: Codes = np.where(outvoted, near[:, min(1, neighbours - 1)], near[:, 0])
    return codes


def basin_of_polygons(cells: Cells, layers: list[Layer]) -> Codes:
    """(C,) basin whose polygon holds the cell's centre, else the nearest within 2 km or half a cell; 0 = none."""
    geometries = np.concatenate([layer.geometries for layer in layers])
    basins = np.array([_code_of(layer, f) for layer in layers for f in range(len(layer.properties))], np.int16)
    owner = holder_or_nearest(cells, geometries)
    codes: Codes = np.where(owner >= 0, basins[owner], 0).astype(np.int16)
    return codes


def _code_of(layer: Layer, feature: int) -> int:
    code = layer.value(feature, "basin_code")
    text = "" if code is None else str(code).removesuffix(".0")  # a GeoPackage may hold whole numbers as decimals
    if not (text.isdecimal() and len(text) <= _CODE_DIGITS and int(text)):
        raise SchemaError(f"feature {feature + 1} of the basin layer has no basin_code from 1 to 9999, but {code!r}")
    return int(text)


def _names_of(layers: list[Layer]) -> dict[int, str]:
    names = {}
    for layer in layers:
        for feature in range(len(layer.properties)):
            code = _code_of(layer, feature)
            name = layer.value(feature, "basin_name", "name") or BASINS.get(code)
            if name is None:
                raise SchemaError(f"basin {code} of the basin layer has no basin_name")
            names[code] = str(name)
    return names


def province_shares(cells: Cells, codes: Codes, layers: list[Layer]) -> pl.DataFrame:
    """`basin_code`, `gid_1`, `area_weight`: share of the basin's cells that lie in the province, 1 in sum per basin.

    Cells outside every province (at the coast, across a border) count in neither. raises SchemaError for a province
    of unknown name, and for a basin none of whose cells lies in a province.
    """
    geometries = np.concatenate([layer.geometries for layer in layers])
    table = _provinces()
    gid = [_gid_of(layer, f, table) for layer in layers for f in range(len(layer.properties))]
    owner = holder(shapely.points(cells.longitude, cells.latitude), geometries)
    inside = (owner >= 0) & (codes > 0)
    pairs = pl.DataFrame({"basin_code": codes[inside], "gid_1": np.array(gid)[owner[inside]]})
    if empty := sorted(set(codes[codes > 0].tolist()) - set(pairs["basin_code"].to_list())):
        raise SchemaError(f"no cell of basin {', '.join(map(str, empty))} lies in a province of the layer")
    counted = pairs.group_by("basin_code", "gid_1").len().sort("basin_code", "gid_1")
    weight = pl.col("len") / pl.col("len").sum().over("basin_code")
    return counted.select("basin_code", "gid_1", area_weight=weight)


#: spellings of a province: official, English, of Statistics Korea's layer, of Aqueduct
_NAMES = ("name_ko", "name_en", "statistics_name_en", "aqueduct_name_1")


def _provinces() -> dict[str, str]:
    """Korean and English names of the 17 provinces -> their ids in Aqueduct (GADM 3.6 level 1)."""
    text = resources.files("engine").joinpath("io", "etl", "provinces_korea.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return {row[column]: row["gid_1"] for row in rows for column in _NAMES}


def _gid_of(layer: Layer, feature: int, table: Mapping[str, str]) -> str:
    """The feature's own `gid_1` (any country), else by its Korean or English name; never by likeness."""
    if gid := layer.value(feature, "gid_1"):
        return str(gid)
    names = [str(layer.value(feature, name)) for name in ("name_eng", "name_en", "name_1", "name")]
    found = next((table[name] for name in names if name in table), None)
    if found is None:
        raise SchemaError(f"province {next((n for n in names if n != 'None'), '?')!r} is not in provinces_korea.csv")
    return found


def _write_basins(
    connection: psycopg.Connection, names: Mapping[int, str], outlets: Mapping[int, str], options: loading.LoadOptions
) -> list[Finding]:
    """A gauge that somebody put into `outlet_obs_code` by hand stays; `--refresh` chooses anew."""
    row = connection.execute(
        """SELECT gate_report -> 'chosen_outlets' FROM etl_load
           WHERE loader = %s AND table_name = 'water_basin' AND status = 'published'""",
        (NAME,),
    ).fetchone()
    chosen_before = {int(basin): code for basin, code in ((row[0] if row else None) or {}).items()}
    stored: dict[int, str | None] = dict(
        connection.execute("SELECT basin_code, outlet_obs_code FROM water_basin").fetchall()
    )
    kept = {
        basin: code
        for basin, code in stored.items()
        if not options.refresh and basin in names and code is not None and code != chosen_before.get(basin)
    }
    with connection.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO water_basin VALUES (%s, %s, %s) ON CONFLICT (basin_code)
               DO UPDATE SET basin_name = excluded.basin_name, outlet_obs_code = excluded.outlet_obs_code""",
            [(basin, name, kept.get(basin, outlets.get(basin))) for basin, name in sorted(names.items())],
        )
    gone = "basin_code <> ALL(%s)"
    connection.execute(f"DELETE FROM water_basin_province WHERE {gone}", (list(names),))
    connection.execute(f"DELETE FROM water_basin WHERE {gone}", (list(names),))
    findings = []
    if kept:
        message = (
            f"outlet gauges set by hand were kept: {', '.join(f'{names[b]} {c}' for b, c in sorted(kept.items()))}"
        )
        findings.append(Finding(WARNING, "water_basin", message, len(kept)))
    if without := [name for basin, name in sorted(names.items()) if basin not in outlets and basin not in kept]:
        message = f"no outlet gauge with {OUTLET_COMPLETE_YEARS} complete years: {', '.join(without)}"
        findings.append(Finding(WARNING, "water_basin", message, len(without)))
    return findings


def _volume_findings(connection: psycopg.Connection, limits: Range) -> list[Finding]:
    """Findings on the mean annual outflow, against the water balance of the country: a wrong unit or gauge shows."""
    row = connection.execute(
        """SELECT count(*), sum(flow) FROM (
             SELECT avg(f.flow_m3s) AS flow FROM water_basin b JOIN api_wamis_flow f ON f.obs_code = b.outlet_obs_code
             WHERE f.obs_date >= make_date(%s, 1, 1) AND f.obs_date < make_date(%s + 1, 1, 1)
             GROUP BY b.basin_code) means""",
        OUTLET_YEARS,
    ).fetchone()
    if row is None or row[0] < _GAUGED:
        return []
    volume = np.asarray([row[1] * 86_400 * 365.25 / 1e9], np.float32)
    return limit_findings("water_basin", volume, limits, "a mean year's flow at the outlets, km3")


def _write_codes(connection: psycopg.Connection, cells: Cells, codes: Codes) -> None:
    frame = pl.DataFrame({"grid_id": cells.grid_id, "basin_code": codes}).filter(pl.col("basin_code") > 0)
    stage(connection, "new_basin", {"grid_id": "integer", "basin_code": "smallint"}, frame)
    connection.execute("ANALYZE new_basin")
    connection.execute(
        """UPDATE location_grid g SET basin_code = n.basin_code
           FROM location_grid old LEFT JOIN new_basin n USING (grid_id)
           WHERE old.grid_id = g.grid_id AND g.basin_code IS DISTINCT FROM n.basin_code"""
    )


def _write_shares(connection: psycopg.Connection, shares: pl.DataFrame) -> None:
    connection.execute("DELETE FROM water_basin_province")
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO water_basin_province VALUES (%s, %s, %s)", shares.rows())


def _unknown_to_rankings(held: set[str], shares: pl.DataFrame) -> list[Finding]:
    """A province that the loaded rankings do not hold would be lost from the basin's mean without a word."""
    if not held:
        return [Finding(WARNING, "water_basin_province", "no rankings loaded yet: province ids not compared")]
    if strange := sorted(set(shares["gid_1"].to_list()) - held):
        raise SchemaError(f"water_stress_rankings holds no province {', '.join(strange)}")
    return []
