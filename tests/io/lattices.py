"""Lattices without climate, and saved inputs, for tests of the loaders that describe cells."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import psycopg

from engine.core.grid import GridDefinition

#: the lattice of the synthetic sample: South Korea in steps of 0.1 degrees
SAMPLE = GridDefinition(33.0, 124.5, 61, 76, 0.1, 2021, 2100)


def lay(connection: psycopg.Connection, grid: GridDefinition, active: Collection[int] = ()) -> None:
    """Fill `location_grid`; cells in `active` have climate."""
    ids = range(1, grid.n_cells + 1)
    rows, columns = grid.indices(ids)
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY location_grid (grid_id, lat_idx, lon_idx, latitude, longitude, has_climate) FROM STDIN"
        ) as copy,
    ):
        for cell, i, j in zip(ids, rows.tolist(), columns.tolist(), strict=True):
            copy.write_row((cell, i, j, grid.latitudes[i], grid.longitudes[j], cell in active))


def quiet(what: str, done: int = 0, total: int = 0) -> None:
    """A progress report nobody reads."""


def geojson(path: Path, *features: tuple[dict[str, Any], dict[str, Any]], **members: Any) -> Path:
    """Write (geometry, properties) pairs as a FeatureCollection."""
    path.parent.mkdir(parents=True, exist_ok=True)
    listed = [{"type": "Feature", "geometry": geometry, "properties": properties} for geometry, properties in features]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": listed, **members}), "utf-8")
    return path


def line(*points: tuple[float, float]) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": points}


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return {"type": "Polygon", "coordinates": [ring]}
