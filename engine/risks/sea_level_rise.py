"""Sea-level rise at the nearest ocean point, and who it can reach."""

import numpy as np
from numpy.typing import NDArray

from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.risks.definition import Component, HazardIndex, Intensity, Line, Risk
from engine.risks.inputs import Block, Floats, Reference, per_block, per_run
from engine.risks.reduce import period_mean, through

#: years whose mean is the zero of the rise; a record that does not reach it: its first 20 years
RISE_BASELINE = Years(2015, 2034)
REACH_M = 10_000.0
#: low-elevation coastal zone
LOW_ELEVATION_M = 10.0
SCORE_KNOTS = ((0.0, 0.0), (30.0, 0.4), (50.0, 0.7), (100.0, 1.0))
LAST_YEARS = 10
TABLES = ("sea_level_grid", "sea_level_data")


def rise_baseline(reference: Reference) -> Years:
    """Zero of the rise in this warehouse; goes into the run record."""
    first, last = _span(reference)
    return RISE_BASELINE if Years(first, last).holds(RISE_BASELINE) else Years(first, min(first + 19, last))


def _span(reference: Reference) -> tuple[int, int]:
    years = reference.tables["sea_level_data"]["year"].to_numpy()
    return int(years.min()), int(years.max())


@per_run
def rise_by_point(reference: Reference) -> tuple[NDArray[np.int64], dict[Scenario, NDArray[np.float64]]]:
    """Ascending point ids, and per scenario the rise in cm, (points, years of the climate axis)."""
    frame = reference.tables["sea_level_data"]
    first, last = _span(reference)
    ids, row = np.unique(frame["grid_id"].to_numpy(), return_inverse=True)
    column = frame["year"].to_numpy().astype(np.int64) - first
    zero = rise_baseline(reference)
    axis, rises = reference.axis, {}
    for scenario in Scenario:
        level = np.full((len(ids), last - first + 1), np.nan)
        level[row, column] = frame[scenario.column].cast(float).fill_null(np.nan).to_numpy()
        mean = period_mean(level, Years(first, last), zero)
        rise = np.maximum(level - mean[:, None], 0.0)
        on_axis = np.full((len(ids), axis.n), np.nan)
        overlap = Years(max(first, axis.first), min(last, axis.last))
        if overlap.first <= overlap.last:
            on_axis[:, axis.columns_of(overlap)] = rise[:, Years(first, last).columns_of(overlap)]
        rises[scenario] = on_axis
    return ids.astype(np.int64), rises


@per_block
def rise(block: Block) -> Floats:
    """Rise in cm at each cell's nearest ocean point, (cells, years); NaN where the point or a year is unknown."""
    ids, rises = rise_by_point(block.reference)
    point = block.attribute("slr_grid_id")
    known = ~np.isnan(point) & np.isin(point, ids)
    at = np.searchsorted(ids, np.where(known, point, ids[0] if len(ids) else 0))
    out = np.full((len(block), block.axis.n), np.nan)
    out[known] = rises[block.scenario][at[known]]
    # an unknown distance is not "far away": no result
    out[np.isnan(block.attribute("dist_coast_m"))] = np.nan
    return out


def out_of_reach(block: Block) -> NDArray[np.bool_]:
    """Ten kilometres or more from the coast."""
    return block.attribute("dist_coast_m") >= REACH_M


def out_of_reach_or_high(block: Block) -> NDArray[np.bool_]:
    """Out of reach, or near the coast and known to lie above the low-elevation zone."""
    near = block.attribute("dist_coast_m") < REACH_M
    return out_of_reach(block) | (near & (block.attribute("elevation_min_m") > LOW_ELEVATION_M))


def inundation_depth(block: Block) -> Floats:
    """Rise above the cell's mean elevation, m, at least 0; NaN where the elevation is unknown."""
    return np.maximum(rise(block) / 100.0 - block.attribute("elevation_mean_m")[:, None], 0.0)


def _score(block: Block, years: Years) -> NDArray[np.float64]:
    last = Years(max(years.last - LAST_YEARS + 1, years.first), years.last)
    score = through(period_mean(rise(block), block.axis, last), SCORE_KNOTS)
    return np.where(out_of_reach_or_high(block), 0.0, score)


SEA_LEVEL_RISE = Risk(
    name="sea_level_rise",
    intensities={
        "rise_cm": Intensity(
            meaning="rise of the sea at the nearest ocean point since 2015-2034",
            unit="cm",
            tables=TABLES,
            of=rise,
            steady=True,
            line=Line(curved=True, span=2),
            not_exposed=out_of_reach_or_high,
        ),
        "inundation_m": Intensity(
            meaning="rise of the sea above the mean elevation of the cell",
            unit="m",
            tables=TABLES,
            of=inundation_depth,
            steady=True,
            line=Line(curved=True, span=2),
            not_exposed=out_of_reach,
        ),
    },
    hazard=HazardIndex(
        components=(Component(name="rise at the period's end", weight=1.0, tables=TABLES, of=_score),),
        attributes=("dist_coast_m", "elevation_min_m"),
    ),
    references=("McGranahan, Balk and Anderson (2007), low-elevation coastal zone, doi:10.1177/0956247807076960",),
    prepare=(rise_by_point,),
    stands_on=lambda reference: f"zero of the rise: mean of {rise_baseline(reference)}",
)
