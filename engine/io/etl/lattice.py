"""Cells of the lattice in the warehouse, as the loaders share them: ranges of cells, and active ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io.db.postgres import LOCK_SPACE

Ints = NDArray[np.int64]

_COLUMNS = "lat0, lon0, n_lat, n_lon, step, first_year, last_year"


def definition(connection: psycopg.Connection, *, lock: str = "") -> GridDefinition | None:
    """The lattice and its years, or None before the grid loader has run; `lock` is a clause such as FOR SHARE."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM grid_definition {lock}".encode()).fetchone()
    if row is None:
        return None
    lat0, lon0, n_lat, n_lon, step, first, last = row
    return GridDefinition(float(lat0), float(lon0), n_lat, n_lon, float(step), first, last)


def scenario_names(connection: psycopg.Connection) -> dict[Scenario, str]:
    """Names of the scenarios that the climate tables hold; empty where these are the four SSPs."""
    rows = connection.execute("SELECT scenario_id, name FROM scenario WHERE name IS NOT NULL ORDER BY 1").fetchall()
    return {Scenario(number): name for number, name in rows}


def required_definition(connection: psycopg.Connection, loader: str) -> GridDefinition:
    """The lattice, or a refusal that says what to run first."""
    grid = definition(connection)
    if grid is None:
        raise SchemaError(f"{loader}: grid_definition is empty, load `grid` first")
    return grid


def as_ranges(ids: Ints) -> list[list[int]]:
    """Ascending ids as closed ranges, [[first, last], ...]: how a set of cells is kept in `gate_report`."""
    if not len(ids):
        return []
    breaks = np.flatnonzero(np.diff(ids) != 1)
    firsts, lasts = ids[np.r_[0, breaks + 1]], ids[np.r_[breaks, len(ids) - 1]]
    return [[int(first), int(last)] for first, last in zip(firsts, lasts, strict=True)]


def from_ranges(ranges: Sequence[Sequence[int]]) -> Ints:
    """The ids of `as_ranges`."""
    if not ranges:
        return np.empty(0, np.int64)
    return np.concatenate([np.arange(first, last + 1) for first, last in ranges])


def evenly_spaced(ids: Ints, n: int) -> Ints:
    """`n` of the ids, evenly spaced in their order; all of them when there are no more."""
    if n >= len(ids):
        return ids
    return ids[np.rint(np.linspace(0, len(ids) - 1, n)).astype(np.int64)]


def published_cells(connection: psycopg.Connection) -> dict[str, dict[str, Any]]:
    """`scope`, `cells` and `land` (ranges) of every published required climate table, in the order of the variables."""
    rows = connection.execute(
        """SELECT table_name, scope, gate_report -> 'cells', gate_report -> 'land' FROM etl_load
           WHERE status = 'published' AND gate_report ? 'cells'"""
    ).fetchall()
    found = {table: {"scope": scope, "cells": cells, "land": land} for table, scope, cells, land in rows}
    required = [variable.table for variable in VARIABLES.values() if variable.required]
    return {table: found[table] for table in required if table in found}


def activate(connection: psycopg.Connection, table: str, cells: Ints) -> int:
    """Set `has_climate` of every cell, inside the transaction that publishes `table` with these grid_ids.

    A cell is active when every required table that is loaded holds it: a table that is not loaded takes away the risks
    that read it, not all cells. Returns the number of active cells.
    """
    # two tables published at the same time would each miss the other
    connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext('has_climate'))", (LOCK_SPACE,))
    sets = {name: from_ranges(entry["cells"]) for name, entry in published_cells(connection).items()}
    if table in {variable.table for variable in VARIABLES.values() if variable.required}:
        sets[table] = cells
    active = np.empty(0, np.int64)
    for i, ids in enumerate(sets.values()):
        active = np.intersect1d(active, ids, assume_unique=True) if i else ids
    now = connection.execute("SELECT grid_id FROM location_grid WHERE has_climate", binary=True).fetchall()
    changed = np.setxor1d(active, np.fromiter((row[0] for row in now), np.int64, len(now)), assume_unique=True)
    if len(changed):
        connection.execute(
            "UPDATE location_grid SET has_climate = NOT has_climate WHERE grid_id = ANY(%s::int[])", (changed.tolist(),)
        )
    return len(active)
