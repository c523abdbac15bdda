"""Column names and kinds of every table the engine reads, and one function that lists what does not fit.

A warehouse may be somebody else's: any width of integer, any numeric type, nullable or not. A kind is what all of those
have in common; the readers turn it into one type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from engine.core.attributes import ATTRIBUTES
from engine.core.keys import KEYS
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES, Variable

Kind = Literal["integer", "number", "text", "boolean", "date", "moment", "other"]

#: PostgreSQL's names of types (`pg_type.typname`); a type that is not here is of kind `other`
KINDS: dict[str, Kind] = {
    "int2": "integer",
    "int4": "integer",
    "int8": "integer",
    "float4": "number",
    "float8": "number",
    "numeric": "number",
    "text": "text",
    "varchar": "text",
    "bpchar": "text",
    "bool": "boolean",
    "date": "date",
    "timestamp": "moment",
    "timestamptz": "moment",
}
SCENARIO_COLUMNS = tuple(scenario.column for scenario in Scenario)


@dataclass(frozen=True, slots=True)
class Table:
    """What a table must be: `required` columns have to exist, the others only have to be of their kind when they do."""

    name: str
    key: tuple[str, ...]
    required: tuple[str, ...]
    columns: Mapping[str, Kind]

    def problems(self, found: Mapping[str, Kind]) -> list[str]:
        """What does not fit in the columns found (name -> kind), in words; empty when all fits."""
        missing = [f"no column {column}" for column in self.required if column not in found]
        wrong = [
            f"{column} is of another kind than {kind}"
            for column, kind in self.columns.items()
            if column in found and not _serves(found[column], kind)
        ]
        return missing + wrong


def _serves(found: Kind, wanted: Kind) -> bool:
    return found == wanted or (wanted == "number" and found == "integer")


def climate_table(variable: Variable) -> Table:
    """Contract of one climate variable's table."""
    time: Kind = "date" if variable.monthly else "integer"
    values: dict[str, Kind] = dict.fromkeys(SCENARIO_COLUMNS, "number")
    columns: dict[str, Kind] = {"grid_id": "integer", variable.time_column: time} | values
    key = ("grid_id", variable.time_column)
    return Table(variable.table, key, key, columns)


def _attribute_kind(kind: type[pl.DataType]) -> Kind:
    return "text" if kind is pl.String else "number" if kind is pl.Float32 else "integer"


def _kinds(kind: Kind, *names: str) -> dict[str, Kind]:
    return dict.fromkeys(names, kind)


_FIX_NUMBERS = ("longitude", "latitude", "max_wind_speed", "central_pressure")
_RADII = ("gale_long", "gale_short", "gale_dir_deg", "storm_long", "storm_short", "storm_dir_deg")

_COLUMNS: Mapping[str, Mapping[str, Kind]] = {
    "grid_definition": _kinds("number", "lat0", "lon0", "step")
    | _kinds("integer", "n_lat", "n_lon", "first_year", "last_year"),
    "location_grid": _kinds("integer", "grid_id", "basin_code", "slr_grid_id")
    | _kinds("number", "latitude", "longitude")
    | _kinds("boolean", "has_climate"),
    "grid_attributes": _kinds("integer", "grid_id")
    | {name: _attribute_kind(kind) for name, kind in ATTRIBUTES.items()},
    "sea_level_grid": _kinds("integer", "grid_id")
    | _kinds("number", "latitude", "longitude")
    | _kinds("boolean", "is_ocean"),
    "sea_level_data": _kinds("integer", "grid_id", "year") | _kinds("number", *SCENARIO_COLUMNS),
    "api_typhoon_besttrack": _kinds("text", "tcid", "grade", "gale_dir", "storm_dir")
    | _kinds("integer", "year", "month", "day", "hour")
    | _kinds("moment", "obs_datetime")
    | _kinds("number", *_FIX_NUMBERS, *_RADII),
    "water_basin": _kinds("integer", "basin_code") | _kinds("text", "outlet_obs_code"),
    "water_basin_province": _kinds("integer", "basin_code") | _kinds("text", "gid_1") | _kinds("number", "area_weight"),
    "api_wamis_water_usage": _kinds("integer", "basin_code", "year")
    | _kinds("text", "admin_code")
    | _kinds("number", "total"),
    "api_wamis_stations": _kinds("text", "obs_code") | _kinds("integer", "basin_code"),
    "api_wamis_flow": _kinds("text", "obs_code") | _kinds("date", "obs_date") | _kinds("number", "flow_m3s"),
    "water_stress_rankings": _kinds("text", "gid_0", "gid_1", "scenario", "indicator_name", "weight")
    | _kinds("integer", "year")
    | _kinds("number", "score"),
}
#: table -> columns without which the whole warehouse is refused, where these are not the columns of its key: places
#: are needed to tell points apart, and for the rest a risk that lacks its input says so itself
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "location_grid": ("grid_id", "latitude", "longitude"),
    "sea_level_grid": ("grid_id", "latitude", "longitude"),
    "api_typhoon_besttrack": ("tcid",),
    "api_wamis_water_usage": ("basin_code", "year"),
}
#: every table beside the climate tables, in the order in which a store lists them
REFERENCE: dict[str, Table] = {
    name: Table(name, key, _REQUIRED.get(name, key), _COLUMNS[name]) for name, key in KEYS.items()
}

#: every table a source may offer: name -> contract
TABLES: dict[str, Table] = {
    climate_table(variable).name: climate_table(variable) for variable in VARIABLES.values()
} | REFERENCE


def problems(found: Mapping[str, Mapping[str, Kind]]) -> list[str]:
    """What does not fit in a set of tables (table -> column -> kind): one phrase a fault, each naming its table."""
    return [
        f"{name}: {fault}"
        for name, columns in found.items()
        if name in TABLES
        for fault in TABLES[name].problems(columns)
    ]
