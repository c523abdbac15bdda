"""Rows of regions in the warehouse: written by code, so that a region keeps its number, and joined to the cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
import psycopg
import shapely
from numpy.typing import NDArray

from engine.core.counted import agree, of_all
from engine.core.quality import WARNING, Finding
from engine.io.etl.load_record import Record
from engine.io.etl.places import Cells, holder_or_nearest, stage
from engine.io.files.vectors import Geometries

TABLE = "location_admin"


class RegionRow(NamedTuple):
    """One region. level: 1 the largest; codes: of the regions of levels 1, 2 and 3 that it is or lies in, None below
    its own; statistics_key: of the statistics office, None without one; outline: MultiPolygon in EPSG:4326;
    population: persons, None: what another loader wrote stays"""

    code: str
    name: str
    level: int
    codes: tuple[str, str | None, str | None]
    statistics_key: str | None
    outline: shapely.MultiPolygon
    population: int | None = None


_TYPES = {
    "admin_code": "varchar(20)",
    "admin_name": "varchar(100)",
    "sido_code": "varchar(20)",
    "sigungu_code": "varchar(20)",
    "emd_code": "varchar(20)",
    "level": "smallint",
    "kma_sgg_code": "varchar(10)",
    "latitude": "numeric(8,6)",
    "longitude": "numeric(9,6)",
    "geom_wkb": "bytea",
    "population_current": "integer",
}


def write(connection: psycopg.Connection, found: Sequence[RegionRow]) -> int:
    """Upsert by code, so that `admin_id` stays with it; regions that are gone leave their cells."""
    outlines = np.array([region.outline for region in found], object)
    inner = shapely.get_coordinates(shapely.point_on_surface(outlines))
    columns = list(_TYPES)
    connection.execute(
        f"CREATE TEMP TABLE new_admin ({', '.join(f'{c} {t}' for c, t in _TYPES.items())}) ON COMMIT DROP".encode()
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY new_admin ({', '.join(columns)}) FROM STDIN".encode()) as copy,
    ):
        for region, wkb, (longitude, latitude) in zip(found, shapely.to_wkb(outlines), inner.tolist(), strict=True):
            place = (round(latitude, 6), round(longitude, 6))
            head = (region.code, region.name, *region.codes, region.level, region.statistics_key)
            copy.write_row((*head, *place, wkb, region.population))
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns[1:-1])
    connection.execute(
        f"INSERT INTO {TABLE} ({', '.join(columns)}) SELECT {', '.join(columns)} FROM new_admin"
        f" ON CONFLICT (admin_code) DO UPDATE SET {updates},"
        f" population_current = coalesce(excluded.population_current, {TABLE}.population_current)".encode()
    )
    gone = (
        f"SELECT admin_id FROM {TABLE} a WHERE NOT EXISTS (SELECT FROM new_admin n WHERE n.admin_code = a.admin_code)"
    )
    connection.execute(f"UPDATE location_grid SET admin_id = NULL WHERE admin_id IN ({gone})".encode())
    connection.execute(f"DELETE FROM {TABLE} WHERE admin_id IN ({gone})".encode())
    return len(found)


def join(connection: psycopg.Connection, cells: Cells, record: Record) -> None:
    """Set `location_grid.admin_id`, the finest region that holds a cell or is near it, and say how many have none."""
    record.rows = record.cells = 0 if record.dry_run else _join(connection, cells)
    if lost := len(cells.grid_id) - record.rows:
        message = (
            f"{of_all(lost, len(cells.grid_id), 'cell')} {agree(lost, 'lies', 'lie')}"
            " in no region and farther than 2 km from one"
        )
        record.findings.append(Finding(WARNING, "location_grid", message, lost))


def _join(connection: psycopg.Connection, cells: Cells) -> int:
    """Set `location_grid.admin_id`; returns the number of cells with a region."""
    rows = connection.execute(
        f"""SELECT admin_id, geom_wkb FROM {TABLE} a
            WHERE NOT EXISTS (SELECT FROM {TABLE} finer WHERE finer.level = a.level + 1 AND CASE a.level
              WHEN 1 THEN finer.sido_code = a.sido_code ELSE finer.sigungu_code = a.sigungu_code END)
            ORDER BY admin_id"""
    ).fetchall()
    ids = np.array([row[0] for row in rows], np.int32)
    outlines: Geometries = np.asarray(shapely.from_wkb([row[1] for row in rows]), object)
    owner: NDArray[np.intp] = holder_or_nearest(cells, outlines)
    held = owner >= 0
    frame = pl.DataFrame({"grid_id": cells.grid_id[held], "admin_id": ids[owner[held]]})
    stage(connection, "new_region", {"grid_id": "integer", "admin_id": "integer"}, frame)
    connection.execute(
        """UPDATE location_grid g SET admin_id = n.admin_id FROM new_region n
           WHERE n.grid_id = g.grid_id AND g.admin_id IS DISTINCT FROM n.admin_id"""
    )
    connection.execute(
        """UPDATE location_grid g SET admin_id = NULL WHERE admin_id IS NOT NULL
             AND NOT EXISTS (SELECT FROM new_region n WHERE n.grid_id = g.grid_id)"""
    )
    return frame.height
