"""Tracks of typhoons from the warehouse, for losses by storm."""

from __future__ import annotations

from typing import LiteralString

import polars as pl
import psycopg

from engine.core.errors import SourceError
from engine.io.db import frames, postgres

TABLE = "api_typhoon_besttrack"
_FIXES: dict[str, pl.DataType] = {
    "tcid": pl.String(),
    "typhoon_name": pl.String(),
    "seconds": pl.Float64(),
    "grade": pl.String(),
    **dict.fromkeys(
        ("latitude", "longitude", "max_wind_speed", "gale_long", "gale_short", "storm_long", "storm_short"),
        pl.Float64(),
    ),
}
_READ: LiteralString = (
    "SELECT tcid, typhoon_name, extract(epoch FROM obs_datetime)::float8, grade, latitude::float8, longitude::float8,"
    " max_wind_speed::float8, gale_long::float8, gale_short::float8, storm_long::float8, storm_short::float8"
    " FROM api_typhoon_besttrack"
)


def best_track(warehouse: psycopg.Connection) -> pl.DataFrame | None:
    """Fixes of all storms, as `engine.risks.typhoon.storm_wind` takes them; None where the warehouse has none."""
    if not postgres.has_table(warehouse, TABLE):
        return None
    with postgres.failures(f"reading {TABLE}", SourceError):
        fixes = frames.read(warehouse, _READ, (), _FIXES)
    if fixes.is_empty():
        return None
    # a wind field is round: the directions of the radii are of no use
    return fixes.with_columns(
        obs_datetime=pl.from_epoch(pl.col("seconds").cast(pl.Int64)),
        gale_dir_deg=pl.lit(None, pl.Float64),
        storm_dir_deg=pl.lit(None, pl.Float64),
    ).drop("seconds")
