"""Columns of the small tables that the risks read, and checks of their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from engine.core.counted import counted
from engine.core.keys import KEYS
from engine.core.quality import Range
from engine.core.scenario import Scenario

SCENARIO_COLUMNS = tuple(scenario.column for scenario in Scenario)


@dataclass(frozen=True, slots=True)
class SmallTable:
    """A table read whole; no two rows have the same key.

    columns : without them a risk lacks its input
    optional: where the table is not given, the risk is computed another way, and its record says how
    filled  : columns in which null or NaN cannot be
    ranges  : column -> entry of the gate's ranges
    """

    name: str
    columns: tuple[str, ...]
    filled: tuple[str, ...] = ()
    ranges: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that identify a row."""
        return KEYS[self.name]

    def fault(self, frame: pl.DataFrame, limits: Mapping[str, Range]) -> str | None:
        """The first thing wrong with the rows, in a phrase; None when they are sound."""
        if duplicates := frame.height - frame.select(self.key).n_unique():
            return f"{self.name}: {counted(duplicates, 'duplicate row')} (key {', '.join(self.key)})"
        for column in self.filled:
            values = frame[column]
            empty = values.null_count() + (int(values.is_nan().sum()) if values.dtype.is_float() else 0)
            if empty:
                return f"{self.name}: {counted(empty, 'row')} without {column}"
        for column, entry in self.ranges.items():
            low, high = limits[entry].low, limits[entry].high
            values = frame[column].cast(pl.Float64).fill_nan(None)
            if outside := int((~values.is_between(low, high)).sum()):
                return f"{self.name}.{column}: {counted(outside, 'value')} outside {low:g}..{high:g}"
        return None


SMALL_TABLES: Mapping[str, SmallTable] = {
    table.name: table
    for table in (
        SmallTable("sea_level_grid", ("grid_id",)),
        SmallTable(
            "sea_level_data",
            ("grid_id", "year", *SCENARIO_COLUMNS),
            ranges=dict.fromkeys(SCENARIO_COLUMNS, "sea_level"),
        ),
        SmallTable(
            "api_typhoon_besttrack",
            ("tcid", "obs_datetime", "grade", "latitude", "longitude", "max_wind_speed", "gale_long", "storm_long"),
            filled=("latitude", "longitude", "grade"),
        ),
        SmallTable("water_basin", ("basin_code", "outlet_obs_code")),
        SmallTable("water_basin_province", ("basin_code", "gid_1", "area_weight"), filled=("area_weight",)),
        SmallTable(
            "api_wamis_water_usage",
            ("basin_code", "admin_code", "year", "total"),
            filled=("total",),
            optional=True,
        ),
        SmallTable(
            "api_wamis_flow",
            ("obs_code", "obs_date", "flow_m3s"),
            filled=("flow_m3s",),
            ranges={"flow_m3s": "flow"},
            optional=True,
        ),
        SmallTable(
            "water_stress_rankings",
            ("gid_1", "year", "scenario", "indicator_name", "weight", "score"),
            ranges={"score": "aqueduct_score"},
        ),
    )
}
