"""Storms of the track record at the sites of a portfolio: what each would cost today, and how often as much is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import psycopg

from engine import losses
from engine.assess.job.loss_years import Pair
from engine.core.caveats import LOSS_NOTE
from engine.core.grid import GridDefinition
from engine.io.results import published_bins, published_runs
from engine.io.results.published_bins import CellBins
from engine.io.results.year_losses import read_sample_years
from engine.io.sites import site_inputs, storm_inputs
from engine.losses.curve import CURVE
from engine.losses.storms import STORMS
from engine.risks.typhoon import storm_wind

_TYPHOON = "typhoon"
_WIND = "wind"
_LARGEST = 10
#: cells whose winds are held at a time: some 60 MB
_CELLS = 10_000
NO_RISK = "no site has an expected loss by typhoon: no losses by storm"
NOT_WIND = "the edition bins {0}, not a wind, for typhoon: no losses by storm"
NO_TRACKS = "the warehouse holds no typhoon tracks (api_typhoon_besttrack): no losses by storm"
NO_BINS = "the published run has no bins of typhoon in these cells: no losses by storm"
NONE_NEAR = "no storm of the record brought any of the sites a wind: no losses by storm"

_POINTS = pl.Schema({**CURVE, "value": pl.Float64(), "calibrated": pl.Boolean(), "loss_percent": pl.Float64(),
                     "loss_note": pl.String()})  # fmt: skip


class Storms(NamedTuple):
    """Losses by storm, and the curve of the largest of each year; without them `note` says why.

    losses : columns of STORMS but the year, and `loss_note`; value : money, of the sites; years : of the record
    """

    losses: pl.DataFrame | None
    curve: pl.DataFrame
    summary: dict[str, Any] | None
    value: float = 0.0
    years: int = 0
    note: str | None = None


def of_portfolio(
    warehouse: psycopg.Connection,
    application: psycopg.Connection,
    grid: GridDefinition,
    rows: Mapping[Pair, pl.DataFrame],
) -> Storms:
    """Storms at the sites of typhoon. rows: of `loss_years.counted`, by scenario and period

    The record is one, whatever scenario and period: winds as they were, damage rates of the bins as published, sites as
    they are.
    """
    sites = pl.concat(list(rows.values())).filter(pl.col("risk_type") == _TYPHOON)
    sites = sites.unique("row", keep="first", maintain_order=True)
    if sites.is_empty():
        return _none(NO_RISK)
    published = published_runs.published_risks(application).get(_TYPHOON)
    if published is None or published.intensity != _WIND:
        return _none(NOT_WIND.format("nothing that it names" if published is None else published.intensity))
    fixes = storm_inputs.best_track(warehouse)
    listed = read_sample_years(application, [_TYPHOON])
    if fixes is None or listed.is_empty():
        return _none(NO_TRACKS)
    years = sorted({year for each in listed["years"].to_list() for year in each})
    bins = published_bins.bins_of_cells(application, _TYPHOON, sites["grid_id"].unique())
    held = sites.filter(
        pl.col("grid_id").is_in(np.concatenate([np.empty(0, np.int64), *(each.cells for each in bins)]))
    )
    if held.is_empty():
        return _none(NO_BINS)
    found = _by_storm(warehouse, grid, fixes, held, bins, years)
    if found.is_empty():
        return _none(NONE_NEAR)
    calibrated = bool(held["calibrated"].all())
    value = float(held["value"].sum())
    note = None if calibrated else LOSS_NOTE
    curve = losses.exceedance_curve(losses.storm_years(found, years), kind="oep")
    curve = curve.with_columns(
        scenario_id=pl.lit(None, pl.Int16),
        time_period=pl.lit(None, pl.String),
        value=value,
        calibrated=pl.lit(calibrated),
        loss_percent=100 * pl.col("loss") / value,
        loss_note=pl.lit(note, pl.String),
    )
    told = found.drop("year").with_columns(loss_note=pl.lit(note, pl.String))
    largest = [each | {"date": each["date"].isoformat()} for each in told.head(_LARGEST).to_dicts()]
    return Storms(
        losses=told,
        curve=curve.select(list(_POINTS)),
        summary={"years": len(years), "value": value, "largest": largest},
        value=value,
        years=len(years),
    )


def _none(note: str) -> Storms:
    return Storms(None, _POINTS.to_frame(), None, note=note)


def _by_storm(
    warehouse: psycopg.Connection,
    grid: GridDefinition,
    fixes: pl.DataFrame,
    sites: pl.DataFrame,
    bins: list[CellBins],
    years: list[int],
) -> pl.DataFrame:
    """Columns of STORMS over all sites, the largest first; some thousand cells at a time."""
    with_sites = np.unique(sites["grid_id"].to_numpy())
    parts = []
    for same in bins:
        cells = np.intersect1d(same.cells, with_sites)
        for start in range(0, len(cells), _CELLS):
            part = cells[start : start + _CELLS]
            at = [each.astype(np.int64) for each in grid.indices(part)]
            coast = _coast(warehouse, part)
            wind, storms = storm_wind(fixes, grid.latitudes[at[0]], grid.longitudes[at[1]], coast, years)
            here = sites.filter(pl.col("grid_id").is_in(part))
            parts.append(
                losses.storm_losses(wind, part, storms, here, edges=same.edges, damage_rates=same.damage_rates)
            )
    whole = pl.concat([STORMS.to_frame(), *parts]).group_by("storm_id", "name", "date", "year", maintain_order=True)
    added = whole.agg(pl.col("wind_max").max(), pl.col("loss").sum()).select(list(STORMS))
    return added.sort("loss", "wind_max", "storm_id", descending=[True, True, False])


def _coast(warehouse: psycopg.Connection, cells: np.ndarray) -> np.ndarray:
    """Metres to the coast of ascending cells; NaN where unknown."""
    known = site_inputs.cell_attributes(warehouse, pl.Series(cells)).select("grid_id", "cell_to_coast_m")
    asked = pl.DataFrame({"grid_id": pl.Series(cells, dtype=pl.Int32)})
    found = asked.join(known, on="grid_id", how="left", maintain_order="left")["cell_to_coast_m"]
    return found.fill_null(float("nan")).to_numpy()
