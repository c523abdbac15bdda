"""Reasons and fields in words, for screens and sheets; files for programs keep the short names."""

from __future__ import annotations

from engine.assess.rules.vocabulary import (
    HAZARD_NOT_FOUND,
    NO_HAZARD,
    NOT_PRICED,
    OUT_OF_RANGE,
    OUTSIDE_GRID,
    PROBABILITY_NOT_FOUND,
)

#: field -> what the warehouse lacks where the field is not known
_LAYERS = {
    "imperviousness_ratio": "no land cover loaded",
    "vegetation_ratio": "no land cover loaded",
    "landcover_type": "no land cover loaded",
    "distance_to_forest_m": "no forest (land cover) loaded",
    "distance_to_river_m": "no rivers loaded",
    "distance_to_coast_m": "no coastline loaded",
    "in_flood_zone": "no flood map loaded",
    "elevation": "no terrain loaded",
    "annual_rainfall_mm": "no rainfall of the cell loaded",
    "cdd_days": "no dry spells of the cell loaded",
}
_REASONS = {
    PROBABILITY_NOT_FOUND: "not computed: the cell has no loss for this risk, scenario and period",
    HAZARD_NOT_FOUND: "not computed: the cell has no hazard score for this risk, scenario and period",
    NOT_PRICED: "not priced: the edition has no damage rates for this risk",
    OUT_OF_RANGE: "not computed: a figure left its range",
    OUTSIDE_GRID: "outside the data grid: no cell with results within a cell's diagonal",
    NO_HAZARD: "no hazard results for the location",
}
#: why a site that was assessed has no loss in money; `currency` is its code
NO_VALUE = "no loss in {currency}: the site states no asset value"
_MISSING = "missing_input:"


def field(name: str) -> str:
    """`first_floor_height_m` as `first floor height (m)`."""
    stem, _, unit = name.rpartition("_")
    if stem and unit in ("m", "mm"):
        return f"{stem.replace('_', ' ')} ({unit})"
    return name.replace("_", " ")


def risk(name: str) -> str:
    """`river_flood` as `river flood`."""
    return name.replace("_", " ")


def reason(code: str) -> str:
    """A reason of a result that could not be computed; what is in words already stays."""
    if code.startswith(_MISSING):
        missing = code.removeprefix(_MISSING)
        layer = _LAYERS.get(missing)
        stated = f"the site states no {field(missing)}"
        return f"not computed: {layer}, and {stated}" if layer else f"not computed: {stated}"
    return _REASONS.get(code, code)
