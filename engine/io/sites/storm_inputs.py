"""Inputs of losses by storm: fixes of the tracks from the warehouse, bins of the cells as published."""

from __future__ import annotations

from typing import LiteralString, NamedTuple

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray

from engine.core.errors import SourceError
from engine.io.db import frames, postgres

Floats = NDArray[np.float64]

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


class CellBins(NamedTuple):
    """Cells whose typhoon bins are the same."""

    cells: NDArray[np.int64]  # ascending
    edges: Floats  # (m - 1,)
    damage_rates: Floats  # (m,)


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


def typhoon_bins(application: psycopg.Connection, cells: pl.Series) -> list[CellBins]:
    """Edges and damage rates of typhoon in distinct cells, as published; a cell without bins or rates is absent."""
    query: LiteralString = (
        "SELECT array_agg(grid_id ORDER BY grid_id), bins FROM (SELECT p.grid_id, (SELECT jsonb_agg(jsonb_build_array("
        "b.value -> 'range', b.value -> 'base_damage_rate') ORDER BY b.place) FROM jsonb_array_elements(p.bin_data)"
        " WITH ORDINALITY AS b(value, place)) AS bins FROM probability_results p JOIN unnest(%s::integer[]) AS c(cell)"
        " ON c.cell = p.grid_id WHERE p.risk_type = 'typhoon' AND p.bin_data IS NOT NULL) AS t"
        " WHERE bins IS NOT NULL GROUP BY bins"
    )
    with postgres.failures("reading the bins of typhoon", SourceError):
        rows = application.execute(query, (cells.to_list(),)).fetchall()
    found = []
    for numbers, bins in rows:
        rates = [rate for _, rate in bins]
        if any(rate is None for rate in rates):
            continue
        edges = [float(text.split("~")[1]) for text, _ in bins[:-1]]
        found.append(CellBins(np.array(numbers, np.int64), np.array(edges), np.array(rates, np.float64)))
    return found
