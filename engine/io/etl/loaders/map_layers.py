"""Coastline, rivers, forest and flood zones: the features, and how far each cell's centre is from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import pyproj
import shapely
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.core.grid import from_the_west
from engine.core.quality import WARNING, Finding
from engine.io.etl import attributes, loading
from engine.io.etl.loading import Task
from engine.io.etl.places import Cells, Layer, cells_to_describe, layer_files, read_layer
from engine.io.files import source_files
from engine.io.files.source_files import MissingInputError, SourceFile
from engine.io.files.vectors import Geometries

NAME = "map_layers"
LAYERS = ("coastline", "river", "forest", "flood_zone")
#: GeoJSON lines are straight in degrees; pieces this short are straight in the plane, too, to half a metre
_PIECE_DEGREES = 0.05
_GRADE_DIGITS = 4
_POLYGONS = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
_KOREA_PLANE = pyproj.CRS.from_epsg(5179)
_GEOD = pyproj.Geod(ellps="WGS84")
_TO_PLANE = pyproj.enums.TransformDirection.INVERSE
Floats = NDArray[np.float64]


@loading.loader(NAME, version="1", takes=("crs",))
def load(task: Task) -> None:
    """Fill `map_feature` and the distances of `grid_attributes`. The set of files is the state: a layer whose files
    are gone is removed, and its distances become NULL.

    Every layer may come in several files, which add up. Without a coastline the risks of the coast cannot run, so
    its absence is a MissingInputError.
    """
    data = task.options.data
    paths = {layer: layer_files(data, layer) for layer in LAYERS}
    if not paths["coastline"]:
        raise MissingInputError(f"{NAME}: no file coastline*.geojson (or .gpkg, .shp) below {data}")
    cells = cells_to_describe(task.connection)
    # which file is which layer is part of what was loaded: a renamed file is another input
    roles = SourceFile.of_value("layers", {layer: [path.name for path in paths[layer]] for layer in LAYERS})
    sources: list[Path | SourceFile] = [
        roles,
        *source_files.all_parts(path for layer in LAYERS for path in paths[layer]),
    ]

    @cache
    def layers() -> dict[str, list[Layer]]:
        return {layer: [read_layer(path, task.options.crs) for path in paths[layer]] for layer in LAYERS}

    with task.table("map_feature", sources) as record:
        if not record.up_to_date:
            task.progress("map features")
            with record.transaction():
                record.rows = _write_features(task.connection, layers())
                record.source_crs = ", ".join(sorted({layer.crs for found in layers().values() for layer in found}))
                record.gate_report = {
                    "features": {name: sum(len(x.properties) for x in v) for name, v in layers().items()}
                }
    with task.table("grid_attributes", [*sources, cells.as_source()]) as record:
        if not record.up_to_date:
            task.progress("distances to coast and rivers")
            frame = distances(cells, layers())
            with record.transaction():
                record.rows = record.cells = attributes.write(task.connection, frame)
                record.gate_report = {"greatest_m": {c: frame[c].max() for c in frame.columns if c.startswith("dist")}}
                if not paths["river"]:
                    message = "no layer river*: dist_river_m and river_grade stay NULL"
                    record.findings.append(Finding(WARNING, "grid_attributes", message, frame.height))


@dataclass(frozen=True, slots=True)
class Nearest:
    """Of each of P points: (P,) metres to the nearest feature, and (P,) its number."""

    metres: Floats
    feature: NDArray[np.intp]


def plane_of(latitude: Floats, longitude: Floats) -> pyproj.CRS:
    """The metric plane in which the nearest feature is looked for: Korea's EPSG:5179 where it is meant to be used,
    otherwise a transverse Mercator on the centre of the points."""
    area = _KOREA_PLANE.area_of_use
    eastward = from_the_west(longitude)
    west, east = float(eastward[0]), float(eastward[-1])
    south, north = float(latitude.min()), float(latitude.max())
    if area and area.west <= west and east <= area.east and area.south <= south and north <= area.north:
        return _KOREA_PLANE
    lat_0, lon_0 = (south + north) / 2, (west + east) / 2
    return pyproj.CRS.from_proj4(f"+proj=tmerc +lat_0={lat_0:.6f} +lon_0={lon_0:.6f} +k=1 +datum=WGS84 +units=m")


def nearest(latitude: Floats, longitude: Floats, geometries: Geometries, *, inside: bool) -> Nearest:
    """Distance from points to the nearest line or outline.

    latitude, longitude : (P,) degrees
    geometries : (F,) EPSG:4326; lines, or polygons that count by their outline
    inside     : a point within a polygon has distance 0 (an area), not its distance to the outline (a coast)
    returns    : metres along the WGS84 ellipsoid to the point that is nearest in `plane_of`. That plane is conformal
                 and its scale varies by less than 0.2 % within 350 km of its meridian, so a farther point is taken
                 only for one nearer by less than that: within 0.1 % of the true distance or 1 m
    raises     : SchemaError when the geometries hold no line
    """
    segments, owner, back = _segments(geometries, plane_of(latitude, longitude))
    x, y = back.transform(longitude, latitude, direction=_TO_PLANE)
    points = shapely.points(x, y)
    tree = shapely.STRtree(segments)
    found = tree.query_nearest(points, all_matches=False)[1]
    ends = shapely.get_coordinates(shapely.shortest_line(points, segments[found])).reshape(-1, 2, 2)[:, 1]
    lon, lat = back.transform(ends[:, 0], ends[:, 1])
    metres = np.asarray(_GEOD.inv(longitude, latitude, lon, lat)[2])
    feature = owner[found]
    if inside:
        areas = np.flatnonzero(np.isin(shapely.get_type_id(geometries), _POLYGONS))
        hit, point = shapely.STRtree(shapely.points(longitude, latitude)).query(geometries[areas], "intersects")
        metres[point], feature[point] = 0.0, areas[hit]
    return Nearest(metres, feature)


def _segments(geometries: Geometries, plane: pyproj.CRS) -> tuple[Geometries, NDArray[np.intp], pyproj.Transformer]:
    """Straight pieces in the plane, the feature each belongs to, and the way back to degrees."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    flat = np.isin(shapely.get_type_id(parts), _POLYGONS)
    parts[flat] = shapely.boundary(parts[flat])
    lines, part = shapely.get_parts(parts, return_index=True)
    degrees, line = shapely.get_coordinates(shapely.segmentize(lines, _PIECE_DEGREES), return_index=True)
    back = pyproj.Transformer.from_crs(plane, "OGC:CRS84", always_xy=True)
    xy = np.column_stack(back.transform(degrees[:, 0], degrees[:, 1], direction=_TO_PLANE))
    # a quarter of the globe away the plane has no coordinates, and nothing there is nearest to anything
    joined = (line[:-1] == line[1:]) & np.isfinite(xy[:-1]).all(1) & np.isfinite(xy[1:]).all(1)
    if not joined.any():
        raise SchemaError("a layer holds no line and no polygon")
    pieces = shapely.linestrings(np.stack([xy[:-1], xy[1:]], axis=1)[joined])
    return pieces, owner[part[line[:-1][joined]]], back


def distances(cells: Cells, layers: Mapping[str, list[Layer]]) -> pl.DataFrame:
    """`grid_id`, `dist_coast_m`, `dist_river_m`, `river_grade`, and `dist_forest_m` where there is a forest layer.

    Null where the layer is not loaded. The grade is that of the nearest river, null where the layer has none.
    """
    columns: dict[str, pl.Series] = {"grid_id": pl.Series(cells.grid_id)}
    nothing = pl.Series([None] * len(cells.grid_id), dtype=pl.Float64)
    columns |= {"dist_coast_m": nothing, "dist_river_m": nothing, "river_grade": nothing.cast(pl.Int16)}
    for name, column in (("coastline", "dist_coast_m"), ("river", "dist_river_m"), ("forest", "dist_forest_m")):
        if not layers[name]:
            continue
        geometries = np.concatenate([layer.geometries for layer in layers[name]])
        near = nearest(cells.latitude, cells.longitude, geometries, inside=name != "coastline")
        columns[column] = pl.Series(near.metres.astype(np.float32))
        if name == "river":
            grades = pl.Series([_grade(layer, f) for layer in layers[name] for f in range(len(layer.properties))])
            columns["river_grade"] = grades.cast(pl.Int16).gather(near.feature)
    return pl.DataFrame(columns)


def _grade(layer: Layer, feature: int) -> int | None:
    value = layer.value(feature, "grade", "river_grade")
    text = "" if value is None else str(value).strip().removesuffix(".0")
    if not text:
        return None
    if not (text.isdecimal() and len(text) <= _GRADE_DIGITS):
        raise SchemaError(f"river grade {value!r} is not a whole number from 0 to {10**_GRADE_DIGITS - 1}")
    return int(text)


def _write_features(connection: psycopg.Connection, layers: Mapping[str, list[Layer]]) -> int:
    connection.execute("DELETE FROM map_feature")
    columns = "layer, feature_id, name, grade, min_lon, min_lat, max_lon, max_lat, geom_wkb"
    rows = 0
    with connection.cursor() as cursor, cursor.copy(f"COPY map_feature ({columns}) FROM STDIN") as copy:
        for name, found in layers.items():
            number = 0
            for layer in found:
                for feature, (geometry, bounds) in enumerate(
                    zip(layer.geometries, shapely.bounds(layer.geometries), strict=True)
                ):
                    number += 1
                    title = layer.value(feature, "name", "name_en", "rivnm")
                    grade = _grade(layer, feature) if name == "river" else None
                    label = None if title is None else str(title)[:200]
                    copy.write_row((name, number, label, grade, *map(float, bounds), shapely.to_wkb(geometry)))
            rows += number
    return rows
