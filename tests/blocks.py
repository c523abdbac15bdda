"""Panels and reference tables made by hand, for risks and the pipeline."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from engine.batch.plan import make_plan
from engine.batch.request import Request
from engine.core import profile_file
from engine.core.grid import GridDefinition
from engine.core.panel import Panel
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.risks import load_edition
from engine.risks.inputs import Inputs, Reference
from engine.risks.tables import SMALL_TABLES

AXIS = Years(2021, 2060)
GRID = GridDefinition(35.0, 127.0, 10, 10, 0.1, *AXIS)


def make_panel(values, *, axis=AXIS, **attributes):
    """values: variable -> number, (cells,), (cells, years) or (cells, years, 12), the same in every scenario; or
    (variable, Scenario) -> the like."""
    cells = max([np.shape(value)[0] for value in [*values.values(), *attributes.values()] if np.ndim(value)] or [1])
    arrays = {}
    for key, value in values.items():
        name = key if isinstance(key, str) else key[0]
        shape = (cells, axis.n, 12) if VARIABLES[name].monthly else (cells, axis.n)
        array = np.asarray(value, np.float32)
        array = array.reshape(array.shape + (1,) * (len(shape) - array.ndim)) if array.ndim else array
        array = np.ascontiguousarray(np.broadcast_to(array, shape))
        for scenario in Scenario if isinstance(key, str) else [key[1]]:
            arrays[name, scenario] = array
    ids = np.arange(1, cells + 1, dtype=np.int32)
    latitude, longitude = GRID.latitudes[(ids - 1) // 10], GRID.longitudes[(ids - 1) % 10]
    columns = {"grid_id": ids, "latitude": latitude, "longitude": longitude}
    for name, value in attributes.items():
        columns[name] = (
            pl.Series(np.broadcast_to(np.asarray(value), cells).tolist()).fill_nan(None)
            if not (isinstance(value, str))
            else [value] * cells
        )
    return Panel(pl.DataFrame(columns), axis, arrays)


def make_reference(panel, *, tables=None, baseline=None, covered_years=(), observed=False):
    def read(cells, variables, scenarios):
        at = np.searchsorted(panel.grid_id, cells["grid_id"].to_numpy())
        arrays = {(v, s): panel.arrays[v, s][at] for v in variables for s in scenarios}
        return Panel(cells, panel.axis, arrays)

    return Reference(
        axis=panel.axis,
        baseline=baseline or Years(panel.axis.first, panel.axis.first + 29),
        observed=observed,
        grid=GRID,
        tables=tables or {},
        covered_years=np.asarray(covered_years, np.int64),
        figures={**profile_file.load("korea").figures, "typhoon": {"warming_per_degree": 0.02}},
        cells=panel.cells,
        read=read,
    )


def make_block(panel, *, scenario=Scenario.SSP245, pairs=(), **reference):
    return Inputs(panel, make_reference(panel, **reference), pairs).under(scenario)


@dataclass(frozen=True)
class Declared:
    """As much of a source as a plan asks for."""

    axis: Years = AXIS
    scope: str = "full"
    tables: dict[str, frozenset[str]] = field(default_factory=dict)
    scenario_names: dict[Scenario, str] = field(default_factory=dict)


def declared(variables, small=(), **fields):
    """A source of these variables, in every scenario, and these small tables, with every column that a risk reads."""
    columns = frozenset(scenario.column for scenario in Scenario)
    tables = {VARIABLES[name].table: columns for name in variables}
    return Declared(tables=tables | {name: frozenset(SMALL_TABLES[name].columns) for name in small}, **fields)


def plan_of(source, *risks, edition="2025-11", scenarios=tuple(Scenario), periods=("full",), **options):
    """The plan of these risks on what a source declares."""
    asked = {"scenarios": tuple(scenarios), "periods": tuple(periods)} | options
    return make_plan(source, Request(edition=load_edition(edition), risks=risks, **asked))
