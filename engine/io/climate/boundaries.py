"""Coast, provinces and municipalities of the warehouse: their outlines, and which of them each cell lies in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl
import psycopg
import shapely
from psycopg.rows import class_row
from shapely.geometry.base import BaseGeometry

from engine.core.errors import SourceError
from engine.io.db import frames, postgres

#: codes of the regions that each cell lies in, null where none holds it
CELL_COLUMNS: dict[str, pl.DataType] = {"grid_id": pl.Int32(), "sido": pl.String(), "sigungu": pl.String()}


class Region(NamedTuple):
    """A region of level 1 or 2: a province or municipality. within: code of the region of level 1 that holds one of
    level 2, None of level 1; population: persons, None where it is not stated"""

    code: str
    within: str | None
    name: str
    population: int | None


def coastline(connection: psycopg.Connection) -> list[BaseGeometry]:
    """The coast, EPSG:4326; empty where it was not loaded."""
    return _shapes(connection, b"SELECT geom_wkb FROM map_feature WHERE layer = 'coastline'")


def provinces(connection: psycopg.Connection) -> list[BaseGeometry]:
    """Outlines of the provinces; empty where they were not loaded."""
    return _shapes(connection, b"SELECT geom_wkb FROM location_admin WHERE level = 1 AND geom_wkb IS NOT NULL")


def _shapes(connection: psycopg.Connection, query: bytes) -> list[BaseGeometry]:
    with postgres.failures("reading regions", SourceError):
        return [shapely.from_wkb(wkb) for (wkb,) in connection.execute(query).fetchall()]


def regions(connection: psycopg.Connection) -> list[Region]:
    """Provinces and municipalities; none where they were not loaded."""
    with postgres.failures("reading regions", SourceError), connection.cursor(row_factory=class_row(Region)) as cursor:
        if not postgres.has_table(connection, "location_admin"):
            return []
        return cursor.execute(
            "SELECT coalesce(sigungu_code, sido_code) AS code, CASE level WHEN 2 THEN sido_code END AS within,"
            " admin_name AS name,"
            " coalesce(population_current, population_2025, population_2020) AS population"
            " FROM location_admin WHERE level IN (1, 2)"
        ).fetchall()


def cells(connection: psycopg.Connection) -> pl.DataFrame:
    """Columns of CELL_COLUMNS, a row a cell that lies in a region."""
    with postgres.failures("reading regions", SourceError):
        return frames.read(
            connection,
            "SELECT g.grid_id, a.sido_code, a.sigungu_code FROM location_grid g JOIN location_admin a USING (admin_id)",
            [],
            CELL_COLUMNS,
        )


def held_layers(connection: psycopg.Connection, layers: Sequence[str]) -> list[str]:
    """Those of these layers of map features that hold any."""
    found = connection.execute(
        "SELECT l.layer FROM unnest(%s::text[]) AS l(layer)"
        " WHERE EXISTS (SELECT FROM map_feature m WHERE m.layer = l.layer)",
        (list(layers),),
    ).fetchall()
    return [layer for (layer,) in found]
