"""Supply and demand of river basins: everything of water stress that is the same for all cells of a basin.

Where no withdrawals are recorded, a basin is told by Aqueduct alone: its score says withdrawal over supply, and both
are counted in units of that supply.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core.panel import Panel
from engine.core.period import Years
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.core.sphere import EARTH_RADIUS_M
from engine.kernels import annual_surplus, reference_evapotranspiration
from engine.risks.inputs import Floats, Reference, per_run
from engine.risks.reduce import period_mean

CLIMATE = ("rn", "ta", "rhm", "ws", "si")
USAGE = "api_wamis_water_usage"
TABLES = ("water_basin", "water_basin_province", USAGE, "api_wamis_flow", "water_stress_rankings")
FLOW_YEARS = Years(1991, 2020)
#: a gauge year with a larger share of missing days is dropped
MOST_MISSING_DAYS = 0.25
#: years of the demand projections; constant after the last
ANCHORS = (2019, 2030, 2050, 2080)
PROJECTIONS = {
    Scenario.SSP126: ("opt",),
    Scenario.SSP245: ("opt", "bau"),
    Scenario.SSP370: ("bau",),
    Scenario.SSP585: ("pes",),
}
_CHUNK = 4_096


def effective_rain(panel: Panel, scenario: Scenario) -> NDArray[np.float64]:
    """Rain left after reference evapotranspiration, summed over the months of a year, mm: (cells, years).

    Months in which evapotranspiration exceeds the rain give nothing (their plain sum would turn negative).
    """
    rn, ta, rhm, ws, si = (panel.arrays[name, scenario] for name in CLIMATE)
    cells, years, _ = rn.shape
    evaporation = reference_evapotranspiration(
        ta.reshape(cells, -1),
        rhm.reshape(cells, -1),
        ws.reshape(cells, -1),
        si.reshape(cells, -1),
        panel.attribute("latitude"),
        np.tile(np.arange(1, 13), years),
        elevation=panel.attribute("elevation_mean_m"),
    ).reshape(rn.shape)
    return annual_surplus(rn, evaporation)


def by_aqueduct_alone(reference: Reference) -> bool:
    """Whether the source has no recorded withdrawals."""
    return USAGE not in reference.tables


def stands_on(reference: Reference) -> str:
    """What supply and demand of the run are, for its record."""
    if by_aqueduct_alone(reference):
        return "withdrawal over supply by the Aqueduct 4.0 score of the region alone: no withdrawal is recorded"
    return "recorded withdrawals, projected by Aqueduct 4.0, over gauged flow or effective rain"


@per_run
def supply(reference: Reference) -> dict[int, float]:
    """Mean annual renewable volume of each basin, m3; a basin without gauge and without climate is absent.

    From the outlet gauge 1991-2020; without a usable gauge, mean effective rain of the baseline times area. By Aqueduct
    alone it is 1, the unit of the withdrawals.
    """
    volumes: dict[int, float] = {}
    flow = reference.tables.get("api_wamis_flow")
    basins = reference.tables["water_basin"].select("basin_code", "outlet_obs_code")
    if by_aqueduct_alone(reference):
        return dict.fromkeys(basins["basin_code"].to_list(), 1.0)
    for code, gauge in basins.iter_rows():
        volume = None
        if flow is not None and gauge is not None:
            volume = _gauge_volume(flow.filter(pl.col("obs_code") == gauge))
        if volume is None:
            volume = _rain_volume(reference, code)
        if volume is not None:
            volumes[code] = volume
    return volumes


def _gauge_volume(flow: pl.DataFrame) -> float | None:
    """Mean annual volume, m3: a year's gaps take its mean, a year with too many is dropped."""
    date = pl.col("obs_date")
    years = (
        flow.filter(date.dt.year().is_between(*FLOW_YEARS) & pl.col("flow_m3s").is_not_null())
        .group_by(date.dt.year().alias("year"))
        .agg(pl.col("flow_m3s").mean().alias("mean"), pl.len().alias("days"))
        .with_columns(pl.date("year", 1, 1).dt.is_leap_year().alias("leap"))
        .with_columns((365 + pl.col("leap").cast(pl.Int32)).alias("length"))
        .filter(pl.col("days") >= (1 - MOST_MISSING_DAYS) * pl.col("length"))
    )
    if years.is_empty():
        return None
    return float((years["mean"] * years["length"] * 86_400.0).mean())  # type: ignore[arg-type]


def _rain_volume(reference: Reference, basin: int) -> float | None:
    if reference.grid is None or "basin_code" not in reference.cells.columns:
        return None
    cells = reference.cells.filter(pl.col("basin_code") == basin)
    step = np.radians(reference.grid.step) * EARTH_RADIUS_M
    volume = known_area = area = 0.0
    for start in range(0, cells.height, _CHUNK):
        panel = reference.read(cells.slice(start, _CHUNK), CLIMATE, [DEFAULT_SCENARIO])
        rain = baseline_mean(effective_rain(panel, DEFAULT_SCENARIO), reference)
        cell_area = step * step * np.cos(np.radians(panel.attribute("latitude")))
        known = ~np.isnan(rain)
        volume += float((rain[known] / 1000.0 * cell_area[known]).sum())
        known_area += float(cell_area[known].sum())
        area += float(cell_area.sum())
    return volume * area / known_area if known_area > 0 else None


def baseline_mean(years: Floats, reference: Reference) -> NDArray[np.float64]:
    """Mean over the baseline years, (cells,)."""
    return period_mean(years, reference.axis, reference.baseline)


@per_run
def demand(reference: Reference) -> dict[tuple[int, Scenario], NDArray[np.float64]]:
    """Withdrawal of each basin and scenario, m3 a year, (years of the axis,).

    The latest recorded withdrawal, doubled for each step that the basin's water-stress score rises above 2019. The
    score is 1 + log2(10 x withdrawal / supply), so a change of supply counts here as well as in the runoff. By Aqueduct
    alone the withdrawal of 2019 is the one that the score says, in units of the supply.
    """
    scores = _scores(reference)
    axis = np.arange(reference.axis.first, reference.axis.last + 1)
    latest = _latest_withdrawals(reference)
    withdrawals = {}
    for (basin, scenario), anchors in scores.items():
        base = 0.1 * 2.0 ** (anchors[0] - 1.0) if latest is None else latest.get(basin)
        if base is not None:
            withdrawals[basin, scenario] = base * 2.0 ** (np.interp(axis, ANCHORS, anchors) - anchors[0])
    return withdrawals


def _latest_withdrawals(reference: Reference) -> dict[int, float] | None:
    """Basin -> m3 in its latest year; None where none are recorded."""
    if by_aqueduct_alone(reference):
        return None
    usage = reference.tables[USAGE].filter(pl.col("admin_code") == "")
    latest = usage.sort("year").group_by("basin_code", maintain_order=True).last()
    return {basin: thousands * 1000.0 for basin, thousands in latest.select("basin_code", "total").iter_rows()}


def _scores(reference: Reference) -> dict[tuple[int, Scenario], list[float]]:
    """Area-weighted score at the anchor years; a basin that lacks one of them is absent."""
    rankings = reference.tables["water_stress_rankings"].filter(
        (pl.col("indicator_name") == "bws") & (pl.col("weight") == "Tot") & pl.col("score").is_not_null()
    )
    weighted = (
        reference.tables["water_basin_province"]
        .join(rankings, on="gid_1")
        .group_by("basin_code", "year", "scenario")
        .agg((pl.col("score") * pl.col("area_weight")).sum() / pl.col("area_weight").sum())
    )
    mean = {(basin, year, name): score for basin, year, name, score in weighted.iter_rows()}
    scores: dict[tuple[int, Scenario], list[float]] = {}
    for basin in weighted["basin_code"].unique():
        for scenario, names in PROJECTIONS.items():
            wanted = [[(basin, ANCHORS[0], "baseline")]] + [
                [(basin, year, name) for name in names] for year in ANCHORS[1:]
            ]
            if all(key in mean for keys in wanted for key in keys):
                scores[basin, scenario] = [sum(mean[key] for key in keys) / len(keys) for keys in wanted]
    return scores
