"""Columns of `grid_attributes`: several loaders fill the table, each its own columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

import polars as pl
import psycopg

from engine.io.etl.places import stage

TABLE = "grid_attributes"
_TYPES: dict[str, LiteralString] = {
    "grid_id": "integer",
    "elevation_mean_m": "real",
    "elevation_min_m": "real",
    "slope_mean_deg": "real",
    "wetness_index": "real",
    "landcover_mode": "varchar(20)",
    "impervious_ratio": "real",
    "forest_ratio": "real",
    "building_density_km2": "real",
    "dist_coast_m": "real",
    "dist_river_m": "real",
    "river_grade": "smallint",
    "dist_forest_m": "real",
}


def write(connection: psycopg.Connection, frame: pl.DataFrame, *, cleared: Sequence[str] = ()) -> int:
    """Upsert a loader's columns and nothing else; the caller owns the transaction. Returns the number of rows.

    frame   : `grid_id`, once each, and the loader's columns; null is NULL
    cleared : further columns that become NULL because their source is gone
    A cell that is not in the frame loses these columns, and its row when nothing else is known of it.
    """
    own = [column for column in frame.columns if column != "grid_id"]
    stage(connection, "new_attributes", {column: _TYPES[column] for column in frame.columns}, frame)
    names = ", ".join(own)
    updates = ", ".join([*(f"{column} = excluded.{column}" for column in own), *(f"{c} = NULL" for c in cleared)])
    connection.execute(
        f"INSERT INTO {TABLE} (grid_id, {names}) SELECT grid_id, {names} FROM new_attributes"
        f" ON CONFLICT (grid_id) DO UPDATE SET {updates}"
    )
    emptied = ", ".join(f"{column} = NULL" for column in [*own, *cleared])
    held = " OR ".join(f"{column} IS NOT NULL" for column in [*own, *cleared])
    gone = "NOT EXISTS (SELECT FROM new_attributes n WHERE n.grid_id = a.grid_id)"
    connection.execute(f"UPDATE {TABLE} a SET {emptied} WHERE {gone} AND ({held})")
    connection.execute(
        f"DELETE FROM {TABLE} a WHERE {gone}"
        " AND jsonb_strip_nulls(to_jsonb(a)) = jsonb_build_object('grid_id', a.grid_id)"
    )
    return frame.height
