"""Nearest ocean point of every cell: `location_grid.slr_grid_id`."""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from engine.core import sphere
from engine.io.db import copy_binary

Floats = NDArray[np.float64]


def assign(connection: psycopg.Connection) -> dict[str, Any]:
    """Set `location_grid.slr_grid_id` of every cell; the caller owns the transaction. Called by the loader of either
    side, so that the one that runs last joins them.

    returns : `cells`, `mean_km`, `max_km`, and `max_active_km` of the active cells (None before there are any); empty
              while a side is missing
    """
    points = connection.execute(
        "SELECT grid_id, latitude::float8, longitude::float8 FROM sea_level_grid WHERE is_ocean ORDER BY grid_id"
    ).fetchall()
    cells = connection.execute(
        "SELECT grid_id, latitude::float8, longitude::float8, slr_grid_id, has_climate FROM location_grid", binary=True
    ).fetchall()
    if not cells:
        return {}
    held = np.array([(row[0], row[3] or 0) for row in cells], np.int64)
    if points:
        where, metres = sphere.nearest(*_degrees(cells), *_degrees(points))
        chosen = np.array([point[0] for point in points], np.int64)[where]
    else:
        chosen, metres = np.zeros(len(cells), np.int64), np.empty(0)
    changed = chosen != held[:, 1]
    if changed.any():
        _update(connection, held[changed, 0], chosen[changed])
    if not points:
        return {}
    kilometres = metres / 1000
    active = np.array([row[4] for row in cells], bool)
    return {
        "cells": len(cells),
        "mean_km": round(float(kilometres.mean()), 3),
        "max_km": round(float(kilometres.max()), 3),
        "max_active_km": round(float(kilometres[active].max()), 3) if active.any() else None,
    }


def _degrees(rows: list[tuple[Any, ...]]) -> tuple[Floats, Floats]:
    return np.array([row[1] for row in rows], float), np.array([row[2] for row in rows], float)


def _update(connection: psycopg.Connection, ids: NDArray[np.int64], points: NDArray[np.int64]) -> None:
    types = {"grid_id": "int4", "slr_grid_id": "int4"}
    rows = copy_binary.empty_rows(types, len(ids))
    rows["grid_id"], rows["slr_grid_id"] = ids, points
    connection.execute("CREATE TEMP TABLE nearest_point (grid_id integer, slr_grid_id integer) ON COMMIT DROP")
    with connection.cursor() as cursor:
        copy_binary.copy_rows(cursor, "nearest_point", list(types), [rows])
    connection.execute(
        """UPDATE location_grid g SET slr_grid_id = nullif(n.slr_grid_id, 0)
           FROM nearest_point n WHERE n.grid_id = g.grid_id"""
    )
