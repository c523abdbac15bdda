"""The words of an assessment: risks in their canonical order, scenarios, periods, land covers, levels."""

from __future__ import annotations

import polars as pl

from engine.core import levels
from engine.core.names import RISK_NAMES
from engine.core.period import FULL, WINDOWS
from engine.core.scenario import Scenario

SCENARIO_IDS = tuple(int(scenario) for scenario in Scenario)
TIME_PERIODS = (*WINDOWS, FULL)
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

RISK = pl.Enum(RISK_NAMES)
PERIOD = pl.Enum(TIME_PERIODS)
STATUS = pl.Enum(["ok", "failed"])
LEVEL = pl.Enum([*levels.OLDER, levels.UNKNOWN])  # of exposure and vulnerability
RISK_LEVEL = pl.Enum([*levels.PRINTED, levels.UNKNOWN])  # of integrated risk and of AAL
HAZARD_LEVEL = pl.Enum(levels.HAZARD)
CELL_BASIS = pl.Enum(["own", "nearest"])

#: reasons that a result row may carry beside `missing_input:<field>`
HAZARD_NOT_FOUND, PROBABILITY_NOT_FOUND, OUT_OF_RANGE = (
    "hazard_not_found",
    "probability_not_found",
    "output_out_of_range",
)
OUTSIDE_GRID = "Location is outside the data grid"
NO_HAZARD = "No hazard results for the requested location"


def missing_input(field: str) -> str:
    """Reason of a result that lacks an input."""
    return f"missing_input:{field}"


def level(score: pl.Expr) -> pl.Expr:
    """LEVEL of a score of 0..100; `unknown` for null."""
    return levels.word(score / 100, levels.OLDER).cast(LEVEL)


def risk_level(index: pl.Expr) -> pl.Expr:
    """RISK_LEVEL of a risk index, 0..100; `unknown` for null."""
    return levels.word(index / 100, levels.PRINTED).cast(RISK_LEVEL)
