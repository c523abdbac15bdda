"""Province and municipality of each cell, and the lines to draw over a map."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import polars as pl
import psycopg
import shapely

from engine.core import country
from engine.core.grid import from_the_west
from engine.core.profile import LEGAL_DONG
from engine.io.climate import boundaries
from engine.io.etl import regions
from engine.maps import borders, land, world
from engine.report.maps import Lines

#: cells on the shore whose centre lies outside every outline: as far as the loader of regions reaches, 2 km
_REACH_DEGREES = 0.02
_UNKNOWN = pl.lit(None, pl.String)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """cells: grid_id, province, town (names; null where no region holds the cell); population: town -> persons.
    land: rings to be filled by the rule of even and odd"""

    cells: pl.DataFrame
    population: Mapping[str, int]
    coast: Lines
    land: Lines = ()
    provinces: Lines
    source: str


def of_warehouse(connection: psycopg.Connection, cells: pl.DataFrame, step: float) -> Places | None:
    """As the warehouse has them; None when no region was loaded.

    cells : grid_id, latitude, longitude
    step  : of the lattice, degrees
    """
    told = boundaries.regions(connection)
    if not told:
        return None
    codes = boundaries.cells(connection)
    if codes.is_empty():
        return None
    coast = boundaries.coastline(connection) or _behind(cells).coast
    provinces = boundaries.provinces(connection)
    names = {each.code: _both(regions.english_names().get(each.code), each.name) for each in told}
    within = {each.code: each.within for each in told if each.within is not None}
    named = _named(codes, names, within)
    population = {
        _town(names, each.code, each.within): each.population
        for each in told
        if each.within is not None and each.population is not None
    }
    lines = [borders.lines(shapes, step / 3) for shapes in (coast, provinces)]
    return Places(
        cells=named,
        population=population,
        coast=lines[0],
        land=land.rings(coast, _box(cells), step / 3),
        provinces=lines[1],
        source="location_admin",
    )


def of_world(cells: pl.DataFrame, step: float) -> Places:
    """Coast and borders of the world, and no regions, for results whose warehouse has none.

    cells : grid_id, latitude, longitude
    """
    behind = _behind(cells)
    return Places(
        cells=_named(cells.select("grid_id", sido=_UNKNOWN, sigungu=_UNKNOWN), {}, {}),
        population={},
        coast=borders.lines(behind.coast, step / 3),
        land=land.rings(behind.coast, _box(cells), step / 3),
        provinces=borders.lines(behind.borders, step / 3),
        source=world.SOURCE,
    )


def _behind(cells: pl.DataFrame) -> borders.Backdrop:
    return borders.backdrop(cells["latitude"].to_numpy(), from_the_west(cells["longitude"].to_numpy()))


def _box(cells: pl.DataFrame) -> world.Box:
    return world.box_around(cells["latitude"].to_numpy(), from_the_west(cells["longitude"].to_numpy()))


def shipped(cells: pl.DataFrame, step: float) -> Places:
    """The outlines of South Korea of 2013 that come with the engine, for results without a warehouse; `of_world` where
    fewer than half of the cells lie in them.

    cells : grid_id, latitude, longitude
    """
    if country.current().regions.codes != LEGAL_DONG:
        return of_world(cells, step)
    province, municipality = _outlines("provinces_korea_2013"), _outlines("municipalities_korea_2013")
    names = {code: _both(english, korean) for code, english, korean, _ in (*province, *municipality)}
    points = shapely.points(cells["longitude"].to_numpy(), cells["latitude"].to_numpy())
    codes = pl.DataFrame(
        {"grid_id": cells["grid_id"], "sido": _holder(points, province), "sigungu": _holder(points, municipality)},
        schema=boundaries.CELL_COLUMNS,
    )
    if 2 * codes["sido"].null_count() > codes.height:
        return of_world(cells, step)
    return Places(
        cells=_named(codes, names, {code: code[:2] for code in names if len(code) > 2}),
        population={},
        coast=borders.lines(borders.shipped_coastline(), step / 3),
        land=land.rings(borders.shipped_coastline(), _box(cells), step / 3),
        provinces=borders.lines(borders.shipped_provinces(), step / 3),
        source="outlines of South Korea of 2013 (KOSTAT), without population",
    )


def _outlines(name: str) -> list[tuple[str, str, str, Any]]:
    text = (resources.files("engine.sample") / "data" / "map" / f"{name}.geojson").read_text("utf-8")
    features = json.loads(text)["features"]
    shapes = shapely.get_parts(shapely.from_geojson(text))
    rows = [feature["properties"] for feature in features]
    return [(row["code"], row["name_eng"], row["name"], shape) for row, shape in zip(rows, shapes, strict=True)]


def _holder(points: Any, outlines: list[tuple[str, str, str, Any]]) -> list[str | None]:
    """Code of the outline that holds each point, else of the nearest within reach."""
    tree = shapely.STRtree([shape for *_, shape in outlines])
    found: list[str | None] = [None] * len(points)
    for place, number in zip(*tree.query(points, predicate="intersects").tolist(), strict=True):
        found[place] = outlines[number][0]
    left = [place for place, code in enumerate(found) if code is None]
    near = tree.query_nearest(points[left], max_distance=_REACH_DEGREES, all_matches=False)
    for place, number in zip(*near.tolist(), strict=True):
        found[left[place]] = outlines[number][0]
    return found


def _named(codes: pl.DataFrame, names: Mapping[str, str], within: Mapping[str, str]) -> pl.DataFrame:
    towns = {code: _town(names, code, holder) for code, holder in within.items()}
    return codes.select(
        "grid_id",
        province=pl.col("sido").replace_strict(names, default=None, return_dtype=pl.String),
        town=pl.col("sigungu").replace_strict(towns, default=None, return_dtype=pl.String),
    )


def _town(names: Mapping[str, str], code: str, within: str) -> str:
    """A municipality with its province, that one in English alone where it can be: many share a name."""
    return f"{names[code]}, {names[within].split(' (')[0]}" if within in names else names[code]


def _both(english: str | None, name: str) -> str:
    return name if english in (None, name) else f"{english} ({name})"
