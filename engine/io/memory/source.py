"""The climate source of arrays in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property, reduce
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core.counted import counted
from engine.core.errors import SchemaError, SourceError
from engine.core.grid import GridDefinition
from engine.core.panel import Float32, Panel
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES, variable
from engine.io.climate.active_cells import active_cells
from engine.io.climate.source import described

Ints = NDArray[np.int64]
#: (scenario, variable)
Key: TypeAlias = tuple[Scenario, str]
#: (cells,) lattice index from 0, ascending, and (cells, years * steps) in the stored unit, NaN = missing
Series: TypeAlias = tuple[Ints, Float32]


class MemorySource:
    """A `ClimateSource` of arrays.

    name   : what to call it in messages
    grid   : lattice and years
    scope  : `full`, `observed` or `synthetic`
    names  : of the scenarios, where these are not just the four SSPs
    values : (scenario, variable) -> the cells that have a value, and their series
    raises : SchemaError when no cell has a value in each required variable that is given
    """

    def __init__(
        self,
        name: str,
        grid: GridDefinition,
        scope: str,
        values: Mapping[Key, Series],
        names: Mapping[Scenario, str] | None = None,
    ) -> None:
        self._name, self._grid, self._scope, self._names = name, grid, scope, dict(names or {})
        self._active = _active(values, name)
        self._values = {key: on(self._active, *each) for key, each in values.items()}

    __repr__ = described

    @property
    def address(self) -> str:
        return self._name

    @property
    def grid(self) -> GridDefinition:
        return self._grid

    @property
    def axis(self) -> Years:
        return self._grid.axis

    @property
    def scope(self) -> str:
        return self._scope

    @property
    def scenario_names(self) -> Mapping[Scenario, str]:
        """Names of the scenarios it holds, where these are no SSPs, or not all four; empty: the four SSPs."""
        return self._names

    @cached_property
    def fingerprint(self) -> str:
        found = hashlib.sha256(json.dumps([asdict(self._grid), self._scope], sort_keys=True).encode())
        for scenario, name in sorted(self._values):
            found.update(f"{int(scenario)} {name}".encode())
            found.update(self._values[scenario, name].data)
        found.update(self._active.data)
        return found.hexdigest()

    @property
    def snapshot(self) -> None:
        return None

    @property
    def cuts(self) -> tuple[int, ...]:
        return ()

    @property
    def covered_years(self) -> tuple[int, ...]:
        return ()

    @cached_property
    def tables(self) -> Mapping[str, frozenset[str]]:
        columns: dict[str, set[str]] = {}
        for scenario, name in self._values:
            each = variable(name)
            columns.setdefault(each.table, {"grid_id", each.time_column}).add(scenario.column)
        columns["location_grid"] = set(self._places.columns)
        return {table: frozenset(found) for table, found in columns.items()}

    def cells(self) -> pl.DataFrame:
        return self._cells

    @cached_property
    def _cells(self) -> pl.DataFrame:
        return active_cells(self._places, None)

    @cached_property
    def _places(self) -> pl.DataFrame:
        rows, columns = self._active // self._grid.n_lon, self._active % self._grid.n_lon
        return pl.DataFrame(
            {
                "grid_id": (self._active + 1).astype(np.int32),
                "lat_idx": rows.astype(np.int16),
                "lon_idx": columns.astype(np.int16),
                "latitude": self._grid.latitudes[rows],
                "longitude": self._grid.longitudes[columns],
                "has_climate": np.ones(len(rows), np.bool_),
            }
        )

    def table(self, name: str) -> pl.DataFrame:
        if name != "location_grid":
            raise SourceError(f"{self._name} has no table {name}: it holds climate variables only")
        return self._places

    def read(self, cells: pl.DataFrame, variables: Sequence[str], scenarios: Sequence[Scenario]) -> Panel:
        ids = cells["grid_id"].to_numpy()
        if not len(ids) or (np.diff(ids) <= 0).any():
            raise ValueError(f"{counted(len(ids), 'cell')}: a block needs cells, ascending and once each")
        rows = np.searchsorted(self._active, ids - 1)
        arrays: dict[tuple[str, Scenario], Float32] = {}
        for each in map(variable, variables):
            for scenario in scenarios:
                if (scenario, each.name) in self._values:
                    block = self._values[scenario, each.name][rows]
                    arrays[each.name, scenario] = block.reshape(len(ids), -1, each.steps) if each.monthly else block
        return Panel(cells=cells, axis=self.axis, arrays=arrays)

    def close(self) -> None:
        """Nothing is open."""


def _active(values: Mapping[Key, Series], name: str) -> Ints:
    """(cells,) index from 0 of the cells that have values in every required variable: as the loaders activate them."""
    held: dict[str, Ints] = {}
    for (_, each), (cells, _) in values.items():
        held[each] = np.union1d(held[each], cells) if each in held else cells
    required = [held[each] for each in held if VARIABLES[each].required] or list(held.values())
    active = reduce(np.intersect1d, required) if required else np.empty(0, np.int64)
    if not len(active):
        raise SchemaError(f"{name}: no cell has a value in each of {', '.join(sorted(held)) or 'its variables'}")
    return active


def on(active: Ints, cells: Ints, series: Float32) -> Float32:
    """(active, steps) of these cells; NaN for one that the series do not hold."""
    out = np.full((len(active), series.shape[1]), np.nan, np.float32)
    held = np.isin(active, cells)
    out[held] = series[np.searchsorted(cells, active[held])]
    return out
