"""Inputs of sites from the warehouse, for places that are not cell centres: the cell's attributes and climate, nearest
building, distances to coast and river, flood zones. PostGIS is not used: one way, with or without it."""

from __future__ import annotations

from datetime import date
from typing import LiteralString

import numpy as np
import polars as pl
import psycopg
import shapely
from numpy.typing import NDArray

from engine.core.counted import counted
from engine.core.errors import SourceError
from engine.core.grid import TURN, GridDefinition, from_the_west
from engine.core.period import Years
from engine.io.db import frames, postgres
from engine.io.etl.loaders import map_layers

Floats = NDArray[np.float64]
_METRES_PER_DEGREE = 110_500.0  # of latitude, the least on the ellipsoid
_TILE_DEGREES = 0.02
_ELEVATION = np.dtype([("grid_id", ">i4"), ("elevation", ">f8")])
_WGS84_A, _WGS84_E2 = 6_378_137.0, 6.694379990141316e-3

_ATTRIBUTES: dict[str, pl.DataType] = {
    "grid_id": pl.Int32(),
    "elevation": pl.Float64(),
    "landcover_type": pl.String(),
    "imperviousness_ratio": pl.Float64(),
    "vegetation_ratio": pl.Float64(),
    "distance_to_forest_m": pl.Float64(),
    "cell_to_coast_m": pl.Float64(),
    "cell_to_river_m": pl.Float64(),
}
_BUILDING: dict[str, pl.DataType] = {
    "mgm_bld_pk": pl.String(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "building_age": pl.Int64(),
    "structure": pl.String(),
    "main_purpose": pl.String(),
    "floors_below": pl.Int64(),
    "floors_above": pl.Int64(),
    "has_seismic_design": pl.Boolean(),
    "floor_area": pl.Float64(),
}


def grid_definition(connection: psycopg.Connection) -> GridDefinition:
    """The lattice of the warehouse.

    raises : SourceError when it does not state one
    """
    columns = "lat0::float8, lon0::float8, n_lat, n_lon, step::float8, first_year, last_year"
    with postgres.failures("reading grid_definition", SourceError):
        rows = (
            connection.execute(f"SELECT {columns} FROM grid_definition".encode()).fetchall()
            if postgres.has_table(connection, "grid_definition")
            else []
        )
    if len(rows) != 1:
        if not rows:
            raise SourceError("the warehouse has no grid yet: load climate data first (./run, or python -m jobs.etl)")
        raise SourceError(
            f"grid_definition holds {counted(len(rows), 'row')}: sites can be placed on one stated lattice only"
        )
    return GridDefinition(*rows[0])


def cell_attributes(connection: psycopg.Connection, cells: pl.Series) -> pl.DataFrame:
    """Attributes of distinct cells under the names of a site's fields, and `cell_to_coast_m`, `cell_to_river_m` of the
    cells' centres. A cell without attributes is absent."""
    if not postgres.has_table(connection, "grid_attributes"):
        return pl.DataFrame(schema=_ATTRIBUTES)
    with postgres.failures("reading grid_attributes", SourceError):
        return frames.read(
            connection,
            "SELECT grid_id, elevation_mean_m, landcover_mode, impervious_ratio, forest_ratio, dist_forest_m,"
            " dist_coast_m, dist_river_m FROM grid_attributes JOIN unnest(%s::integer[]) AS c(cell) ON cell = grid_id",
            [cells.to_list()],
            _ATTRIBUTES,
        )


def cell_elevations(connection: psycopg.Connection) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """(cells,) numbers and mean elevation, m, of every cell that has attributes; NaN where it is not known. As one
    value: half a million rows as such take the client longer than all the rest."""
    if not postgres.has_table(connection, "grid_attributes"):
        return np.empty(0, np.int32), np.empty(0)
    query = (
        "SELECT string_agg(int4send(grid_id) || float8send(coalesce(elevation_mean_m::float8, 'NaN')), ''::bytea)"
        " FROM grid_attributes"
    )
    with postgres.failures("reading grid_attributes", SourceError):
        packed = connection.execute(query, binary=True).fetchone()
    rows = np.frombuffer(packed[0] if packed and packed[0] else b"", _ELEVATION)
    return rows["grid_id"].astype(np.int32), rows["elevation"].astype(np.float64)


def climatology(connection: psycopg.Connection, cells: pl.Series, baseline: Years) -> pl.DataFrame:
    """Mean annual rain and dry spell of distinct cells under SSP2-4.5.

    baseline : years of the mean; a year of rain counts with all twelve months
    returns  : `grid_id`, `annual_rainfall_mm`, `cdd_days`; null without a valid year
    """
    rain: LiteralString = (
        "SELECT grid_id, avg(total) FROM (SELECT grid_id, sum(ssp2::float8) AS total FROM rn_data"
        " WHERE grid_id = ANY(%s) AND observation_date BETWEEN %s AND %s AND ssp2 <> 'NaN'"
        " GROUP BY grid_id, extract(year FROM observation_date) HAVING count(*) = 12) AS years GROUP BY grid_id"
    )
    dry: LiteralString = (
        "SELECT grid_id, avg(ssp2::float8) FROM cdd_data"
        " WHERE grid_id = ANY(%s) AND year BETWEEN %s AND %s AND ssp2 <> 'NaN' GROUP BY grid_id"
    )
    ends = (date(baseline.first, 1, 1), date(baseline.last, 12, 31))
    result = pl.DataFrame({"grid_id": cells.cast(pl.Int32)})
    parts: tuple[tuple[LiteralString, LiteralString, LiteralString, tuple[object, object]], ...] = (
        ("rn_data", "annual_rainfall_mm", rain, ends),
        ("cdd_data", "cdd_days", dry, (baseline.first, baseline.last)),
    )
    with postgres.failures("reading the climate of sites", SourceError):
        for table, name, query, years in parts:
            schema = {"grid_id": pl.Int32(), name: pl.Float64()}
            found = (
                frames.read(connection, query, [cells.to_list(), *years], schema)
                if postgres.has_table(connection, table)
                else pl.DataFrame(schema=schema)
            )
            result = result.join(found, on="grid_id", how="left", maintain_order="left")
    return result


def _features(
    connection: psycopg.Connection, layer: str, latitude: Floats, longitude: Floats, reach: float | None
) -> tuple[bool, NDArray[np.object_]]:
    """Whether the layer is loaded, and its features whose box comes within `reach` metres of the points' box."""
    if not postgres.has_table(connection, "map_feature"):
        return False, np.empty(0, object)
    with postgres.failures(f"reading the layer {layer}", SourceError):
        row = connection.execute("SELECT EXISTS (SELECT FROM map_feature WHERE layer = %s)", (layer,)).fetchone()
        if not (row and row[0]):
            return False, np.empty(0, object)
        south, north, west, east = -90.0, 90.0, -180.0, 180.0
        if reach is not None:
            # 2 % and 0.001 degrees: the boxes are stored in single precision
            up = 1.02 * reach / _METRES_PER_DEGREE + 1e-3
            south, north = float(latitude.min()) - up, float(latitude.max()) + up
            aside = up / max(np.cos(np.radians(max(abs(south), abs(north)))), 0.01)
            eastward = from_the_west(longitude)
            west, east = float(eastward[0]) - aside, float(eastward[-1]) + aside
        # a box that reaches across the date line goes on at the other end of -180..180
        turns = [0.0, *([TURN] if west < -180.0 else []), *([-TURN] if east > 180.0 else [])]
        beside = " OR ".join(["(max_lon >= %s AND min_lon <= %s)"] * len(turns))
        rows = connection.execute(
            "SELECT geom_wkb FROM map_feature WHERE layer = %s AND max_lat >= %s AND min_lat <= %s"
            f" AND ({beside}) ORDER BY feature_id",
            (layer, south, north, *(edge + turn for turn in turns for edge in (west, east))),
            binary=True,
        ).fetchall()
    return True, np.asarray(shapely.from_wkb([wkb for (wkb,) in rows]), object)


def distance_to(
    connection: psycopg.Connection, layer: str, latitude: Floats, longitude: Floats, from_cells: Floats, cell: float
) -> Floats | None:
    """Metres from points to the nearest line of a layer (`coastline`, `river`); None when the layer is not loaded.

    latitude, longitude : (P,) degrees
    from_cells : (P,) distance of each point's cell centre, NaN where unknown: it bounds how far the nearest feature
                 can be, so that a site does not read a whole country's rivers
    cell       : diagonal of a cell, m
    """
    reach = float(from_cells.max()) + cell if len(from_cells) and np.isfinite(from_cells).all() else None
    loaded, features = _features(connection, layer, latitude, longitude, reach)
    if not loaded:
        return None
    if not len(features):  # the cells' distances are of another layer than the one that is loaded
        _, features = _features(connection, layer, latitude, longitude, None)
    return map_layers.nearest(latitude, longitude, features, inside=layer != "coastline").metres


def in_flood_zone(connection: psycopg.Connection, latitude: Floats, longitude: Floats) -> NDArray[np.bool_] | None:
    """Which points lie in a zone of the official flood map; None when that layer is not loaded."""
    loaded, zones = _features(connection, "flood_zone", latitude, longitude, 0.0)
    if not loaded:
        return None
    inside = np.zeros(len(latitude), np.bool_)
    if len(zones):
        points = shapely.points(longitude, latitude)
        inside[shapely.STRtree(zones).query(points, predicate="intersects")[0]] = True
    return inside


def nearest_buildings(
    connection: psycopg.Connection, latitude: Floats, longitude: Floats, radius: float, today: date
) -> pl.DataFrame:
    """The register's building nearest to each point, if one is within `radius` metres.

    today   : the day on which the age is reckoned, in whole years since the approval of use
    returns : (P,) rows in the order of the points: `found`, and building columns as they stand in the register, null
              where it does not say. Of buildings on one spot the largest counts, then the lowest number
    """
    columns = [name for name in _BUILDING if name not in ("mgm_bld_pk", "latitude", "longitude")]
    register = _buildings_around(connection, latitude, longitude, radius, today)
    if register.is_empty():
        nothing = pl.DataFrame(
            {name: pl.repeat(None, len(latitude), dtype=_BUILDING[name], eager=True) for name in columns}
        )
        return nothing.insert_column(0, pl.repeat(False, len(latitude), eager=True).alias("found"))
    order = ["latitude", "longitude", "floor_area", "mgm_bld_pk"]
    spots = register.sort(order, descending=[False, False, True, False], nulls_last=True).unique(
        ["latitude", "longitude"], keep="first", maintain_order=True
    )
    from scipy.spatial import cKDTree  # takes longer to import than one site takes to assess

    tree = cKDTree(_earth_centred(spots["latitude"].to_numpy(), spots["longitude"].to_numpy()))
    # a straight line through the ground is shorter than the way along it by less than a micrometre at 500 m
    bound = np.nextafter(radius, np.inf)
    metres, place = tree.query(_earth_centred(latitude, longitude), distance_upper_bound=bound)
    found = np.isfinite(metres)
    chosen = pl.Series(np.where(found, place, 0)).cast(pl.Int64).set(pl.Series(~found), None)
    return spots.select(pl.all().gather(chosen)).select(pl.lit(pl.Series(found)).alias("found"), *columns)


def _buildings_around(
    connection: psycopg.Connection, latitude: Floats, longitude: Floats, radius: float, today: date
) -> pl.DataFrame:
    """Every building in the tiles that the points' circles touch: few tiles for few sites, and never one query a
    site."""
    if not postgres.has_table(connection, "api_buildings"):
        return pl.DataFrame(schema=_BUILDING)
    tiles = np.unique(
        np.column_stack([np.floor(latitude / _TILE_DEGREES), np.floor(longitude / _TILE_DEGREES)]), axis=0
    )
    south, west = tiles[:, 0] * _TILE_DEGREES, tiles[:, 1] * _TILE_DEGREES
    up = 1.01 * radius / _METRES_PER_DEGREE
    aside = up / np.maximum(np.cos(np.radians(np.abs(south) + _TILE_DEGREES + up)), 0.01)
    boxes = np.stack([south - up, south + _TILE_DEGREES + up, west - aside, west + _TILE_DEGREES + aside])
    # what of a box lies across the date line is at the other end of -180..180
    turned = np.array([[0.0], [0.0], [TURN], [TURN]])
    boxes = np.hstack([boxes, boxes[:, boxes[2] < -180.0] + turned, boxes[:, boxes[3] > 180.0] - turned])
    with postgres.failures("looking for buildings", SourceError):
        return frames.read(
            connection,
            "SELECT DISTINCT b.mgm_bld_pk, b.latitude, b.longitude,"
            " extract(year FROM age(%s::date, b.use_approval_date))::integer, nullif(btrim(b.structure), ''),"
            " nullif(btrim(b.main_purpose), ''), b.floors_below, b.floors_above, b.has_seismic_design, b.total_area"
            " FROM unnest(%s::float8[], %s::float8[], %s::float8[], %s::float8[]) AS t(south, north, west, east)"
            " JOIN api_buildings b ON b.latitude BETWEEN t.south::numeric AND t.north::numeric"
            " AND b.longitude BETWEEN t.west::numeric AND t.east::numeric",
            [today, *(side.tolist() for side in boxes)],
            _BUILDING,
        )


def _earth_centred(latitude: Floats, longitude: Floats) -> Floats:
    """(P, 3) metres on the WGS84 ellipsoid."""
    lat, lon = np.radians(latitude.astype(float)), np.radians(longitude.astype(float))
    normal = _WGS84_A / np.sqrt(1 - _WGS84_E2 * np.sin(lat) ** 2)
    flat = normal * np.cos(lat)
    return np.column_stack([flat * np.cos(lon), flat * np.sin(lon), normal * (1 - _WGS84_E2) * np.sin(lat)])
