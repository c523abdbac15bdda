"""The words of an assessment: risks in their canonical order, scenarios, periods, land covers, levels."""

from __future__ import annotations

import polars as pl

from engine.period import PERIODS
from engine.scenario import Scenario

RISKS = (
    "extreme_heat",
    "extreme_cold",
    "drought",
    "river_flood",
    "urban_flood",
    "sea_level_rise",
    "typhoon",
    "wildfire",
    "water_stress",
)
#: older names, accepted on input only
ALIASES = {
    "high_temperature": "extreme_heat",
    "cold_wave": "extreme_cold",
    "inland_flood": "river_flood",
    "coastal_flood": "sea_level_rise",
    "water_scarcity": "water_stress",
}
SCENARIO_IDS = tuple(int(scenario) for scenario in Scenario)
TIME_PERIODS = ("short_term", "mid_term", "long_term", "full")
DEFAULT_PERIOD = "mid_term"
LAND_COVERS = (
    "urban",
    "commercial",
    "industrial",
    "residential",
    "mixed-use",
    "agricultural",
    "forest",
    "grassland",
    "wetland",
    "barren",
    "water",
)

RISK = pl.Enum(RISKS)
PERIOD = pl.Enum(TIME_PERIODS)
STATUS = pl.Enum(["ok", "failed"])
LEVEL = pl.Enum(["very_low", "low", "medium", "high", "very_high", "unknown"])
AAL_LEVEL = pl.Enum(["minimal", "low", "moderate", "high", "critical", "unknown"])

#: reasons that a result row may carry beside `missing_input:<field>`
HAZARD_NOT_FOUND, PROBABILITY_NOT_FOUND, OUT_OF_RANGE = (
    "hazard_not_found",
    "probability_not_found",
    "output_out_of_range",
)
OUTSIDE_GRID = "Location is outside the data grid"
NO_HAZARD = "No hazard results for the requested location"

assert set(TIME_PERIODS) == set(PERIODS)  # noqa: S101 (a period added there must be decided on here)


def missing_input(field: str) -> str:
    """Reason of a result that lacks an input."""
    return f"missing_input:{field}"


def level(score: pl.Expr) -> pl.Expr:
    """Word for a score of 0..100, lower bounds inclusive; `unknown` for null. Returns LEVEL."""
    return (
        pl.when(score >= 80)
        .then(pl.lit("very_high"))
        .when(score >= 60)
        .then(pl.lit("high"))
        .when(score >= 40)
        .then(pl.lit("medium"))
        .when(score >= 20)
        .then(pl.lit("low"))
        .when(score.is_not_null())
        .then(pl.lit("very_low"))
        .otherwise(pl.lit("unknown"))
        .cast(LEVEL)
    )
