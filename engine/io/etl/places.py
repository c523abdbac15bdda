"""Places, as their loaders share them: cells to describe, vector layers read to EPSG:4326, and staged columns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import numpy as np
import polars as pl
import psycopg
import pyproj
import shapely
from numpy.typing import NDArray
from psycopg import sql
from pyproj.transformer import TransformerGroup

from engine.core.counted import agree, of_all
from engine.core.errors import SchemaError, SettingsError
from engine.core.grid import TURN
from engine.io.files import source_files, vectors
from engine.io.files.reading import reading
from engine.io.files.source_files import SourceFile
from engine.io.files.vectors import Geometries

GEOJSON = (".geojson", ".json")
#: formats of a layer that the loaders look for; all but GeoJSON need the extra `geo`
VECTOR_SUFFIXES = (*GEOJSON, ".gpkg", ".shp")
_WGS84 = pyproj.CRS.from_epsg(4326)
_GEOD = pyproj.Geod(ellps="WGS84")
#: percent of confidence from which on PROJ has compared parameters, too: at 25 it takes any central belt for any other
_SAME_BUT_NAMES = 50
#: a cell of the coast may lie this far outside every polygon
_REACH_M = 2000.0
_METRES_PER_DEGREE = 111_195.0


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells in ascending `grid_id`: (C,) int32, and (C,) float64 centre coordinates in degrees."""

    grid_id: NDArray[np.int32]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]

    def as_source(self) -> SourceFile:
        """Source entry of these cells, so that other cells make a result out of date."""
        digest = hashlib.sha256(self.grid_id.tobytes() + self.latitude.tobytes() + self.longitude.tobytes())
        return SourceFile("location_grid", len(self.grid_id), digest.hexdigest(), is_file=False)


def cells_to_describe(connection: psycopg.Connection) -> Cells:
    """Cells with climate, or every cell of the lattice as long as no climate is loaded.

    raises : SchemaError when `location_grid` is empty
    """
    rows = connection.execute(
        """SELECT grid_id, latitude::float8, longitude::float8 FROM location_grid
           WHERE has_climate OR NOT EXISTS (SELECT FROM location_grid WHERE has_climate) ORDER BY grid_id"""
    ).fetchall()
    if not rows:
        raise SchemaError("location_grid holds no cells; load `grid` first")
    columns = np.array(rows, np.float64)
    return Cells(columns[:, 0].astype(np.int32), columns[:, 1].copy(), columns[:, 2].copy())


@dataclass(frozen=True, slots=True)
class Layer:
    """Features of a file: (F,) geometries in EPSG:4326, their properties, and the CRS they were stored in."""

    geometries: Geometries
    properties: tuple[Mapping[str, Any], ...]
    crs: str

    def value(self, feature: int, *names: str) -> Any:
        """The first of these properties that the feature has, whatever its case; None without one."""
        lower = {key.lower(): value for key, value in self.properties[feature].items()}
        return next((lower[name] for name in names if lower.get(name) not in (None, "")), None)


def layer_files(data: Path, *names: str) -> list[Path]:
    """Files of map layers below a directory whose names begin with one of these."""
    return source_files.find(data, *(f"{name}*{suffix}" for name in names for suffix in VECTOR_SUFFIXES))


def read_layer(path: Path, crs: str | None = None) -> Layer:
    """Read a vector layer; geometries become two-dimensional, valid and EPSG:4326.

    path   : GeoJSON, or GeoPackage or shapefile with the extra `geo`
    crs    : takes the place of the file's
    raises : SchemaError for anything that is not a layer, was cut, has features without a geometry, no CRS or places
             outside the globe, or needs the extra; SettingsError for a `crs` that is none
    """
    read = vectors.read_geojson if path.suffix.lower() in GEOJSON else vectors.read_with_pyogrio
    geometries, properties, own = read(path)
    _refuse_absent(geometries, path)
    source = crs_of(path, crs, own)
    with reading(path):
        kept = shapely.force_2d(geometries)
        if not source.equals(_WGS84, ignore_axis_order=True):
            transformer = to_degrees(source, path.name)
            kept = shapely.transform(kept, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1])))
        _refuse_beyond_globe(kept, path)
        invalid = ~shapely.is_valid(kept)
        kept[invalid] = shapely.make_valid(kept[invalid])
    return Layer(kept, tuple(properties), source.to_string())


def _refuse_absent(geometries: Geometries, path: Path) -> None:
    """A feature without a geometry is what is left of a damaged record: left out, its place would fall to another."""
    absent = np.flatnonzero(shapely.is_missing(geometries) | shapely.is_empty(geometries))
    if len(absent) == len(geometries):
        raise SchemaError(f"{path.name} holds no geometry")
    if len(absent):
        raise SchemaError(
            f"{path.name}: {of_all(len(absent), len(geometries), 'feature')}"
            f" {agree(len(absent), 'has', 'have')} no geometry, the first is feature"
            f" {absent[0] + 1}; copy the file again, or delete them from it"
        )


def _refuse_beyond_globe(geometries: Geometries, path: Path) -> None:
    xy = shapely.get_coordinates(geometries)
    if len(xy) and not np.isnan(xy).any():
        (x0, y0), (x1, y1) = xy.min(axis=0), xy.max(axis=0)
        if x0 >= -180 and x1 <= 180 and y0 >= -90 and y1 <= 90:
            return
        reach = f"{x0:.4g}..{x1:.4g}, {y0:.4g}..{y1:.4g}"
        raise SchemaError(f"{path.name} reaches {reach}, which are not degrees; state its CRS with --crs")
    raise SchemaError(f"{path.name} is broken: {int(np.isnan(xy).any(axis=1).sum())} coordinates are no numbers")


def crs_of(path: Path, given: str | None, own: str | None) -> pyproj.CRS:
    """The coordinate system of a file: the given one, else its own.

    raises : SettingsError for a given one that is none; SchemaError when the file's own is none, or it states none
    """
    if given is not None:
        return known_crs(given, path.name)
    if own is None:
        beside = " (no .prj beside it)" if path.suffix.lower() == ".shp" else ""
        raise SchemaError(f"{path.name} does not state its CRS{beside}; give it with --crs")
    try:
        return pyproj.CRS.from_user_input(own)
    except pyproj.exceptions.CRSError:
        shown = " ".join(own.split())[:100]
        raise SchemaError(f"{path.name}: its CRS is not known: {shown!r}; give it with --crs") from None


def known_crs(text: str, name: str) -> pyproj.CRS:
    """A coordinate system by any of its spellings; refuses an unknown one, naming where it stands."""
    try:
        return pyproj.CRS.from_user_input(text)
    except pyproj.exceptions.CRSError:
        raise SettingsError(f"{name}: unknown CRS {text!r}") from None


def to_degrees(source: pyproj.CRS, name: str) -> pyproj.Transformer:
    """From a coordinate system to longitude and latitude on WGS84, datum shift included.

    A datum that PROJ does not know by its name would be taken as WGS84 without a word, which moves old Korean maps by
    300 m: then the system of the register that is the same but for names is taken.
    raises : SchemaError when there is none
    """
    for candidate in (source, source.to_epsg(_SAME_BUT_NAMES)):
        if candidate is not None:
            try:
                found = TransformerGroup(candidate, _WGS84, always_xy=True).transformers
            # of a drawing, a profile, another planet; pyproj 3.7 finds none and takes the first of them
            except (pyproj.exceptions.ProjError, IndexError):
                continue
            if found and "Ballpark" not in found[0].description:
                return found[0]
    raise SchemaError(
        f"{name}: no shift to WGS84 is known for the datum of {source.name!r}; state an EPSG code with --crs"
    )


def holder(points: Geometries, polygons: Geometries) -> NDArray[np.intp]:
    """(P,) number of the first polygon that holds each point, -1 without one."""
    owner = np.full(len(points), -1, np.intp)
    polygon, point = shapely.STRtree(points).query(polygons, "intersects")
    order = np.argsort(-polygon, kind="stable")
    owner[point[order]] = polygon[order]
    return owner


def holder_or_nearest(cells: Cells, polygons: Geometries) -> NDArray[np.intp]:
    """(C,) number of the polygon that holds the centre, else of the nearest within 2 km or half a cell, else -1."""
    points = shapely.points(cells.longitude, cells.latitude)
    owner = holder(points, polygons)
    lost = np.flatnonzero(owner < 0)
    if len(lost):
        steps = np.diff(np.unique(cells.latitude))
        reach = max(_REACH_M, float(steps.min()) / 2 * _METRES_PER_DEGREE if len(steps) else 0.0)
        # nearest in degrees, which is near enough to be the nearest in metres over such a reach
        tree = shapely.STRtree(polygons)
        for turn in (0.0, TURN, -TURN):  # the polygon may begin on the other side of the date line
            aside = lost[(owner[lost] < 0) & (np.abs(cells.longitude[lost] + turn) < 190.0)]
            points = shapely.points(cells.longitude[aside] + turn, cells.latitude[aside])
            near = tree.query_nearest(points, all_matches=False)[1]
            ends = shapely.get_coordinates(shapely.shortest_line(points, polygons[near])).reshape(-1, 2, 2)[:, 1]
            metres = np.asarray(_GEOD.inv(cells.longitude[aside], cells.latitude[aside], ends[:, 0], ends[:, 1])[2])
            owner[aside[metres <= reach]] = near[metres <= reach]
    return owner


def stage(connection: psycopg.Connection, name: str, types: Mapping[str, LiteralString], frame: pl.DataFrame) -> None:
    """COPY a frame into a temporary table that the end of the transaction drops. Null is NULL; NaN stays NaN."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in types.items()
    )
    connection.execute(sql.SQL("CREATE TEMP TABLE {} ({}) ON COMMIT DROP").format(sql.Identifier(name), columns))
    copy_frame(connection, name, frame.select(list(types)))


def copy_frame(connection: psycopg.Connection, table: str, frame: pl.DataFrame) -> None:
    """Append a frame's columns to the columns of the same names."""
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    )
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        copy.write(frame.write_csv(include_header=False).encode())
