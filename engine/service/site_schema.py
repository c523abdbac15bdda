"""JSON schema of a site to assess, made from the fields that the engine checks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.assess.rules.fields import ASSET, BUILDING, COORDINATES, PLACE, REQUEST, SURROUNDINGS, Field
from engine.assess.rules.offered import RISKS
from engine.assess.rules.vocabulary import SCENARIO_IDS, TIME_PERIODS
from engine.core.names import ALIASES

_TYPES = {"integer": "integer", "number": "number", "boolean": "boolean", "text": "string"}
_LISTS: dict[str, dict[str, Any]] = {
    "risk_types": {"type": "string", "enum": [*RISKS, *ALIASES]},
    "scenario_ids": {"type": "integer", "enum": list(SCENARIO_IDS)},
    "time_periods": {"type": "string", "enum": list(TIME_PERIODS)},
}
EXAMPLE = {
    "latitude": 37.5665,
    "longitude": 126.978,
    "risk_types": ["extreme_heat", "typhoon"],
    "scenario_ids": [2],
    "time_periods": ["mid_term"],
    "building_info": {
        "building_age": 25,
        "structure": "철근콘크리트",
        "main_purpose": "업무시설",
        "floors_below": 2,
        "floors_above": 10,
        "has_piloti": False,
        "has_seismic_design": True,
        "fire_access": True,
        "location": {"elevation": 38.5, "admin_code": "1101010100"},
    },
    "asset_info": {"total_asset_value": 50_000_000_000, "insurance_coverage_rate": 0.7, "floor_area": 5000},
}


def site_schema(*, needs_place: bool) -> dict[str, Any]:
    """Schema of a request. needs_place: the coordinates must be in the body.

    Of the building, all eight fields or none; surroundings may stand in `building_info` or beside it.
    """
    building = _object([*BUILDING, *SURROUNDINGS])
    building["properties"]["location"] = _nullable(_object([*COORDINATES, *PLACE]))
    schema = _object([*COORDINATES, *PLACE, *REQUEST, *SURROUNDINGS])
    schema["properties"] |= {"building_info": _nullable(building), "asset_info": _nullable(_object(ASSET))}
    if needs_place:
        schema["required"] = [field.name for field in COORDINATES]
        for field in COORDINATES:
            schema["properties"][field.name] = _of(field)
    return schema | {"example": EXAMPLE}


def _object(fields: Iterable[Field]) -> dict[str, Any]:
    properties = {field.name: _nullable(_of(field)) for field in fields}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _of(field: Field) -> dict[str, Any]:
    if field.name in _LISTS:
        return {"type": "array", "items": _LISTS[field.name]}
    schema: dict[str, Any] = {"type": _TYPES[field.kind]}
    if field.kind == "text" and not field.pattern:
        schema["minLength"] = 1
    if field.longest:
        schema["maxLength"] = field.longest
    if field.pattern:
        schema["pattern"] = field.pattern
    if field.choices:
        schema["enum"] = list(field.choices)
    if field.low is not None:
        schema["exclusiveMinimum" if field.above else "minimum"] = field.low
    if field.high is not None:
        schema["maximum"] = field.high
    return schema
