"""The input fields of a site: kind, range, and the exact words when a value does not fit.

`sites` frames are flat: one column a field, named as here; a column that is absent is null in every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.assess.rules.vocabulary import LAND_COVERS

Kind = Literal["integer", "number", "boolean", "text", "names", "ids"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input.

    kind     : of its values; `names` and `ids` are lists of text and of integers
    low, high: bounds, both included, except a low of an `above` field, which is excluded
    message  : when a value of the right kind is out of bounds
    pattern  : that a text matches
    choices  : that a text is one of
    longest  : how many characters a text may have
    default  : of a building that nothing is known about; None: stays unknown
    """

    name: str
    kind: Kind
    message: str
    low: float | None = None
    high: float | None = None
    above: bool = False
    pattern: str | None = None
    choices: tuple[str, ...] = ()
    longest: int | None = None
    default: int | float | str | bool | None = None


def missing(name: str) -> str:
    """Words for a required field that is not there."""
    return f"Missing required field: {name}"


def wrong_type(name: str) -> str:
    """Words for a value of another kind, NaN and infinity in an integer field included."""
    return f"Invalid type for {name}"


def invalid_character(name: str) -> str:
    """Words for text that a database cannot hold."""
    return f"Invalid character in {name}"


def _flag(name: str, default: bool) -> Field:
    return Field(name=name, kind="boolean", message="", default=default)


def _amount(name: str, high: float | None = None) -> Field:
    return Field(name=name, kind="number", low=0, high=high, message=f"Invalid {name}")


#: required as soon as one of them is given; all null: building unknown
BUILDING: tuple[Field, ...] = (
    Field(
        name="building_age",
        kind="integer",
        low=0,
        high=100,
        message="Building age must be between 0 and 100",
        default=20,
    ),
    Field(name="structure", kind="text", message=missing("structure"), default="RC"),
    Field(name="main_purpose", kind="text", message=missing("main_purpose"), default="residential"),
    Field(
        name="floors_below",
        kind="integer",
        low=0,
        high=10,
        message="Underground floors must be between 0 and 10",
        default=0,
    ),
    Field(
        name="floors_above",
        kind="integer",
        low=1,
        high=200,
        message="Above-ground floors must be between 1 and 200",
        default=5,
    ),
    _flag("has_piloti", False),
    _flag("has_seismic_design", True),
    _flag("fire_access", True),
)
#: always required
COORDINATES: tuple[Field, ...] = (
    Field(name="latitude", kind="number", low=-90, high=90, message="Invalid latitude"),
    Field(name="longitude", kind="number", low=-180, high=180, message="Invalid longitude"),
)
PLACE: tuple[Field, ...] = (
    Field(name="elevation", kind="number", low=-500, high=9000, message="Invalid elevation"),
    Field(name="admin_code", kind="text", pattern=r"^[0-9]{10}$", message="Invalid admin code"),
)
ASSET: tuple[Field, ...] = (
    Field(name="total_asset_value", kind="integer", low=0, above=True, message="Asset value must be positive"),
    Field(
        name="insurance_coverage_rate",
        kind="number",
        low=0,
        high=1,
        message="Insurance rate must be between 0 and 1",
    ),
    Field(name="floor_area", kind="number", low=0, above=True, message="Floor area must be positive", default=1000.0),
)
REQUEST: tuple[Field, ...] = (
    Field(name="site_id", kind="text", longest=100, message="Invalid site id"),
    Field(name="risk_types", kind="names", message="Unknown risk type: {value}"),
    Field(name="scenario_ids", kind="ids", message="Unknown scenario: {value}"),
    Field(name="time_periods", kind="names", message="Unknown time period: {value}"),
)
#: nullable inputs of exposure and vulnerability: a null skips its term or fails its risk, as the rules say
SURROUNDINGS: tuple[Field, ...] = (
    _amount("distance_to_river_m"),
    _amount("distance_to_coast_m"),
    _amount("distance_to_forest_m"),
    _amount("imperviousness_ratio", 1),
    _amount("vegetation_ratio", 1),
    Field(name="landcover_type", kind="text", choices=LAND_COVERS, message="Invalid landcover_type"),
    _amount("annual_rainfall_mm"),
    _amount("cdd_days"),
    Field(name="in_flood_zone", kind="boolean", message=""),
    Field(name="first_floor_height_m", kind="number", message="Invalid first_floor_height_m"),
    Field(name="has_water_tank", kind="boolean", message=""),
    Field(name="water_supply_available", kind="boolean", message=""),
)
#: every input in the order in which errors are listed
FIELDS = (*BUILDING, *COORDINATES, *PLACE, *ASSET, *REQUEST, *SURROUNDINGS)
BY_NAME = {field.name: field for field in FIELDS}
BUILDING_NAMES = tuple(field.name for field in BUILDING)
