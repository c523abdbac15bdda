"""Checks of a run's inputs: cells, small tables, and the climate of each block."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from engine.batch.plan import Plan
from engine.core import quality
from engine.core.counted import agree, counted
from engine.core.errors import EngineError, SourceError
from engine.core.grid import GridDefinition
from engine.core.panel import Panel
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.core.variables import VARIABLES
from engine.risks.tables import SMALL_TABLES

#: months before SPEI-12 has its first value
SPEI_LEAD = 11


def check_cells(cells: pl.DataFrame, grid: GridDefinition | None) -> None:
    """Refuse cells that are not where their numbers say, or two cells in one place."""
    places = cells.select("latitude", "longitude")
    if duplicates := cells.height - places.n_unique():
        first = cells.filter(places.is_duplicated())["grid_id"][:2].to_list()
        raise EngineError(
            f"location_grid: {counted(duplicates, 'cell')} {agree(duplicates, 'shares', 'share')}"
            f" their coordinates with another (cells {first} first)"
        )
    if grid is None:
        return
    computed = grid.locate(cells["latitude"].to_numpy(), cells["longitude"].to_numpy())
    wrong = computed != cells["grid_id"].to_numpy()
    if wrong.any():
        first_id = cells["grid_id"].to_numpy()[wrong][0]
        raise EngineError(
            f"location_grid: the coordinates of {counted(int(wrong.sum()), 'cell')} do not follow from grid_id and"
            f" grid_definition (cell {first_id} first)"
        )


def check_tables(plan: Plan, tables: Mapping[str, pl.DataFrame], limits: Mapping[str, quality.Range]) -> dict[str, str]:
    """Risk -> what is wrong with a small table that it reads."""
    faults = {name: SMALL_TABLES[name].fault(frame, limits) for name, frame in tables.items()}
    failed = {}
    for risk in plan.risks:
        if bad := [why for name in plan.tables_of(risk) if (why := faults.get(name))]:
            failed[risk] = "; ".join(bad)
    return failed


def check_scenarios(panel: Panel) -> None:
    """Refuse a block in which a scenario has no value of any variable while another has: it was not loaded.

    raises : SourceError
    """
    has_values: dict[Scenario, bool] = {}
    for (_, scenario), array in panel.arrays.items():
        has_values[scenario] = has_values.get(scenario, False) or not np.isnan(array).all()
    if all(has_values.values()) or not any(has_values.values()):
        return
    absent, there = (tuple(s for s in sorted(has_values) if has_values[s] is known) for known in (False, True))
    words = ", ".join(f"{scenario.code} (column {scenario.column})" for scenario in absent)
    advice = f"load them, or run with --scenarios {','.join(str(int(scenario)) for scenario in there)}"
    if DEFAULT_SCENARIO in absent:
        advice = f"every risk takes its bins from {DEFAULT_SCENARIO.code}, so load it"
    raise SourceError(
        f"the climate tables have no value under {words} in cells {panel.grid_id[0]}..{panel.grid_id[-1]}: {advice}"
    )


def check_panel(
    panel: Panel, limits: Mapping[str, quality.Range], *, observed: bool
) -> tuple[dict[str, str], dict[str, int]]:
    """(variable -> fault, variable -> cells that lack values) of one block.

    Values outside the hard range, duplicate rows and rows outside the axis are faults at once; missing values are
    judged over the whole run, and not at all for an observed record, which has what it has.
    """
    faults: dict[str, str] = {}
    gaps: dict[str, int] = {}
    where = f"in cells {panel.grid_id[0]}..{panel.grid_id[-1]}"
    for (name, scenario), array in panel.arrays.items():
        table = VARIABLES[name].table
        if off_axis := panel.off_axis.get(table, 0):
            faults[name] = f"{table}: {counted(off_axis, 'row')} outside the time axis {panel.axis} {where}"
        if duplicates := panel.duplicates.get(table, 0):
            faults[name] = f"{table}: {counted(duplicates, 'duplicate row')} {where}"
        if name in limits:
            found = quality.outside(array, limits[name])
            if found.hard:
                faults.setdefault(
                    name,
                    f"{table}.{scenario.column}: {counted(found.hard, 'value')} outside"
                    f" {limits[name].low:g}..{limits[name].high:g}"
                    f" (from {found.lowest:.4g} to {found.highest:.4g}) {where}",
                )
        if not observed:
            values = array.reshape(len(panel), -1)[:, SPEI_LEAD if name == "spei12" else 0 :]
            gaps[name] = max(gaps.get(name, 0), int(np.isnan(values).any(axis=1).sum()))
    return faults, gaps
