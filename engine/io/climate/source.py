"""Protocol of climate sources: whole cells, whole axis, straight into arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import polars as pl

from engine.core.counted import counted
from engine.core.grid import GridDefinition
from engine.core.panel import Panel
from engine.core.period import Years
from engine.core.scenario import Scenario, ScenarioNames, label
from engine.core.variables import VARIABLES


class ClimateSource(Protocol):
    """A warehouse or a store, opened for one run. All reads see one state of the data.

    address   : where it is, without a password
    grid      : the lattice, or None for a foreign warehouse whose ids follow no lattice
    axis      : years of the climate tables
    scope     : `full`, `sample:N`, `synthetic` or `observed`
    scenario_names : of the scenarios that it holds, where these are no SSPs, or not all four; empty: the four SSPs
    fingerprint : 64 hex digits, changes when any published input changes
    snapshot  : what another process gives to `open_source` to see this very state, while this source is open; None
                where equal fingerprints are enough
    cuts      : grid_ids, ascending, where a block had better begin, because what lies before is read in other pieces;
                empty where it makes no difference
    tables    : table name -> its columns; a table that is absent, empty or unpublished is not listed
    """

    @property
    def address(self) -> str: ...
    @property
    def grid(self) -> GridDefinition | None: ...
    @property
    def axis(self) -> Years: ...
    @property
    def scope(self) -> str: ...
    @property
    def scenario_names(self) -> ScenarioNames: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def snapshot(self) -> str | None: ...
    @property
    def cuts(self) -> Sequence[int]: ...
    @property
    def tables(self) -> Mapping[str, frozenset[str]]: ...
    @property
    def covered_years(self) -> tuple[int, ...]:
        """Years for which the best track is complete, ascending; empty without a best track."""
        ...

    def cells(self) -> pl.DataFrame:
        """Active cells, ascending `grid_id`: `grid_id` i32, `latitude`, `longitude` f64, `basin_code` i16,
        `slr_grid_id` i32 and the columns of `grid_attributes` (null where unknown)."""
        ...

    def read(self, cells: pl.DataFrame, variables: Sequence[str], scenarios: Sequence[Scenario]) -> Panel:
        """Arrays of these variables and scenarios for rows of `cells()`, ascending. What `tables` does not list is
        left out of the panel. Runs no parallel kernel, so it may be called from a reader thread while another thread
        computes."""
        ...

    def table(self, name: str) -> pl.DataFrame:
        """A small table, whole (sea level, best track, water). Column names as in the warehouse."""
        ...

    def close(self) -> None: ...


def described(source: ClimateSource) -> str:
    """A source on a line, for notebooks: where, cells, years, scope, scenarios, climate tables."""
    columns: set[str] = set().union(*source.tables.values())
    held = [label(each, source.scenario_names) for each in Scenario if each.column in columns]
    climate = [variable.name for variable in VARIABLES.values() if variable.table in source.tables]
    return (
        f"<climate of {source.address}: {counted(source.cells().height, 'cell')}, {source.axis}, scope {source.scope};"
        f" {', '.join(held)}; {', '.join(climate)}>"
    )
