"""What the risks take from the small tables: columns, keys, and what values can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from engine.core.quality import Range
from engine.core.scenario import Scenario

SCENARIO_COLUMNS = tuple(scenario.column for scenario in Scenario)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallTable:
    """A table read whole.

    columns : without them a risk lacks its input
    key     : one row each
    filled  : columns in which null or NaN cannot be
    ranges  : column -> entry of the gate's ranges
    """

    columns: tuple[str, ...]
    key: tuple[str, ...]
    filled: tuple[str, ...] = ()
    ranges: Mapping[str, str] = field(default_factory=dict)

    def fault(self, name: str, frame: pl.DataFrame, limits: Mapping[str, Range]) -> str | None:
        """The first thing wrong with the rows, in a phrase; None when they are sound."""
        if duplicates := frame.height - frame.select(self.key).n_unique():
            return f"{name}: {duplicates} duplicate rows (key {', '.join(self.key)})"
        for column in self.filled:
            values = frame[column]
            empty = values.null_count() + (int(values.is_nan().sum()) if values.dtype.is_float() else 0)
            if empty:
                return f"{name}: {empty} rows without {column}"
        for column, entry in self.ranges.items():
            low, high = limits[entry].low, limits[entry].high
            values = frame[column].cast(pl.Float64).fill_nan(None)
            if outside := int((~values.is_between(low, high)).sum()):
                return f"{name}.{column}: {outside} values outside {low:g}..{high:g}"
        return None


SMALL_TABLES: Mapping[str, SmallTable] = {
    "sea_level_grid": SmallTable(columns=("grid_id",), key=("grid_id",)),
    "sea_level_data": SmallTable(
        columns=("grid_id", "year", *SCENARIO_COLUMNS),
        key=("grid_id", "year"),
        ranges=dict.fromkeys(SCENARIO_COLUMNS, "sea_level"),
    ),
    "api_typhoon_besttrack": SmallTable(
        columns=("tcid", "obs_datetime", "grade", "latitude", "longitude", "max_wind_speed", "gale_long", "storm_long"),
        key=("tcid", "obs_datetime"),
        filled=("latitude", "longitude", "grade"),
    ),
    "water_basin": SmallTable(columns=("basin_code", "outlet_obs_code"), key=("basin_code",)),
    "water_basin_province": SmallTable(
        columns=("basin_code", "gid_1", "area_weight"), key=("basin_code", "gid_1"), filled=("area_weight",)
    ),
    "api_wamis_water_usage": SmallTable(
        columns=("basin_code", "admin_code", "year", "total"),
        key=("basin_code", "admin_code", "year"),
        filled=("total",),
    ),
    "api_wamis_flow": SmallTable(
        columns=("obs_code", "obs_date", "flow_m3s"),
        key=("obs_code", "obs_date"),
        filled=("flow_m3s",),
        ranges={"flow_m3s": "flow"},
    ),
    "water_stress_rankings": SmallTable(
        columns=("gid_1", "year", "scenario", "indicator_name", "weight", "score"),
        key=("gid_0", "gid_1", "year", "scenario", "indicator_name", "weight"),
        ranges={"score": "aqueduct_score"},
    ),
}
