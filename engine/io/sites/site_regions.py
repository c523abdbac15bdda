"""The administrative region that a place lies in, and its population."""

from __future__ import annotations

import numpy as np
import polars as pl
import psycopg
import pyproj
import shapely
from numpy.typing import NDArray

from engine.core.errors import SourceError
from engine.io.db import frames, postgres

Floats = NDArray[np.float64]
_POPULATION = {f"population_{year}": pl.Int64() for year in range(2020, 2051, 5)} | {
    "population_change_2020_2050": pl.Int64(),
    "population_change_rate_percent": pl.Float64(),
}
#: columns of a region as a site's context; `population_of` names the region that the population is of
CONTEXT: dict[str, pl.DataType] = {
    "admin_code": pl.String(),
    "admin_name": pl.String(),
    "population_of": pl.String(),
    **_POPULATION,
}
_REGION: dict[str, pl.DataType] = {
    "admin_id": pl.Int64(),
    "admin_code": pl.String(),
    "admin_name": pl.String(),
    "sido_code": pl.String(),
    "sigungu_code": pl.String(),
    "level": pl.Int64(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    **_POPULATION,
}
#: polygons tried first at each level: those whose inner point is among the nearest
_NEAREST = 32
#: points this near each other share their likely polygons; surroundings at a time
_AROUND_DEGREES, _PART = 0.05, 512
_WGS84 = 4326


def regions_of(connection: psycopg.Connection, latitude: Floats, longitude: Floats) -> pl.DataFrame:
    """The finest region that holds each point, and the population of the finest region around it that states one.

    latitude, longitude : (P,) degrees
    returns : (P,) rows of CONTEXT, null where no region holds the point
    """
    regions = _regions(connection)
    place = np.full(len(latitude), -1)
    for level in sorted(regions["level"].unique(), reverse=True):
        open_points = np.flatnonzero(place < 0)
        if not len(open_points):
            break
        members = regions.with_row_index("place").filter(pl.col("level") == level)
        place[open_points] = _containing(connection, members, latitude[open_points], longitude[open_points])
    chosen = pl.Series(place).set(pl.Series(place < 0), None)
    return _with_population(regions).select(pl.all().gather(chosen)).select(list(CONTEXT))


def _regions(connection: psycopg.Connection) -> pl.DataFrame:
    if not postgres.has_table(connection, "location_admin"):
        return pl.DataFrame(schema=_REGION)
    names = ", ".join(_REGION)
    with postgres.failures("reading location_admin", SourceError):
        query = f"SELECT {names} FROM location_admin WHERE geom_wkb IS NOT NULL ORDER BY admin_id"
        return frames.read(connection, query, [], _REGION)


def _containing(
    connection: psycopg.Connection, members: pl.DataFrame, latitude: Floats, longitude: Floats
) -> NDArray[np.int64]:
    """`place` of the region of one level that holds each point, -1 for none: first among the likely ones, then, for
    points that are left, among the others."""
    found = np.full(len(latitude), -1)
    anchored = members.filter(pl.col("latitude").is_not_null() & pl.col("longitude").is_not_null())
    likely = np.empty(0, np.int64)
    if anchored.height:
        anchors = np.column_stack([anchored["latitude"].to_numpy(), anchored["longitude"].to_numpy()])
        likely = anchored["admin_id"].to_numpy()[_near(anchors, np.column_stack([latitude, longitude]))]
    others = np.setdiff1d(members["admin_id"].to_numpy(), likely)
    numbers = dict(zip(members["admin_id"].to_list(), members["place"].to_list(), strict=True))
    for ids in (likely, others):
        left = np.flatnonzero(found < 0)
        if not len(left) or not len(ids):
            continue
        held, polygons = _polygons(connection, ids)
        points = shapely.points(longitude[left], latitude[left])
        point, polygon = shapely.STRtree(polygons).query(points, predicate="intersects")
        # on a shared border the lower number counts: written last
        for i in np.argsort(-held[polygon], kind="stable"):
            found[left[point[i]]] = numbers[int(held[polygon[i]])]
    return found


def _near(anchors: Floats, points: Floats) -> NDArray[np.int64]:
    """Places of the anchors that are among the nearest to the surroundings of any point."""
    around = np.unique(np.round(points / _AROUND_DEGREES), axis=0) * _AROUND_DEGREES
    k = min(_NEAREST, len(anchors))
    found = np.empty((len(around), k), np.int64)
    for start in range(0, len(around), _PART):
        part = slice(start, start + _PART)
        squares = ((around[part, None] - anchors) ** 2).sum(axis=2)
        found[part] = np.argpartition(squares, k - 1, axis=1)[:, :k]
    return np.unique(found)


def _polygons(connection: psycopg.Connection, ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    with postgres.failures("reading regions", SourceError):
        rows = connection.execute(
            "SELECT admin_id, geom_wkb FROM location_admin WHERE admin_id = ANY(%s) ORDER BY admin_id",
            (ids.tolist(),),
            binary=True,
        ).fetchall()
    polygons = np.asarray(shapely.from_wkb([wkb for _, wkb in rows]), object)
    for srid in np.setdiff1d(shapely.get_srid(polygons), [0, _WGS84]):  # somebody else's layer, in its own CRS
        there = shapely.get_srid(polygons) == srid
        turn = pyproj.Transformer.from_crs(int(srid), _WGS84, always_xy=True)
        polygons[there] = shapely.transform(
            polygons[there], lambda xy, turn=turn: np.column_stack(turn.transform(xy[:, 0], xy[:, 1]))
        )
    return np.array([number for number, _ in rows], np.int64), polygons


def _with_population(regions: pl.DataFrame) -> pl.DataFrame:
    """Regions with the population of themselves, else of their city or county, else of their province."""
    stated = regions.filter(pl.col("population_2020").is_not_null())
    own, carried = list(_POPULATION), regions.drop(list(_POPULATION))
    parts = []
    for level, keys in ((None, ["admin_code"]), (2, ["sigungu_code"]), (1, ["sido_code"])):
        holders = stated if level is None else stated.filter(pl.col("level") == level)
        holders = holders.unique(keys, keep="first", maintain_order=True).select(
            *keys, pl.col("admin_name").alias("population_of"), *own
        )
        parts.append(carried.join(holders, on=keys, how="left", maintain_order="left").select("population_of", *own))
    merged = parts[0]
    for part in parts[1:]:
        known = merged["population_of"].is_not_null()
        merged = merged.select(
            pl.when(known).then(pl.col(name)).otherwise(part[name]).alias(name) for name in merged.columns
        )
    return pl.concat([carried, merged], how="horizontal")
