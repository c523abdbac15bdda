"""The reference building, its cell's figures, and frames made of them."""

from __future__ import annotations

import polars as pl

from engine.assess.rules.offered import RISKS
from engine.core.grid import KOREA

BUILDING = {
    "building_age": 25,
    "structure": "철근콘크리트",
    "main_purpose": "업무시설",
    "floors_below": 2,
    "floors_above": 10,
    "has_piloti": False,
    "has_seismic_design": True,
    "fire_access": True,
}
ASSET = {"total_asset_value": 50_000_000_000, "insurance_coverage_rate": 0.7, "floor_area": 5000.0}
PLACE = {"latitude": 37.5665, "longitude": 126.978, "elevation": 38.5}
SURROUNDINGS = {
    "imperviousness_ratio": 0.85,
    "vegetation_ratio": 0.1,
    "landcover_type": "urban",
    "distance_to_river_m": 800.0,
    "distance_to_coast_m": 30_000.0,
    "distance_to_forest_m": 1500.0,
    "annual_rainfall_mm": 1300.0,
    "cdd_days": 35.0,
}
REFERENCE = BUILDING | ASSET | PLACE | SURROUNDINGS
CELL = int(KOREA.locate(PLACE["latitude"], PLACE["longitude"]))


def site(**changes):
    """The reference building as a frame of one row, with some fields changed."""
    return pl.DataFrame([REFERENCE | changes])


def figures(cells=(CELL,), scenarios=(1, 2, 3, 4), periods=("mid_term",), hazard=0.6, aal=0.0012):
    """Hazard and AAL of cells, the same everywhere: serves as both frames."""
    rows = [(c, r, s, p) for c in cells for r in RISKS for s in scenarios for p in periods]
    keys = ["grid_id", "risk_type", "scenario_id", "time_period"]
    return pl.DataFrame(rows, schema=keys, orient="row").with_columns(
        hazard_score=pl.lit(hazard, pl.Float64), aal=pl.lit(aal, pl.Float64)
    )


def by_risk(frame, column):
    """A column of a frame of one site and pair, in the canonical order of risks."""
    return dict(frame.sort("risk_type").select("risk_type", column).iter_rows())
