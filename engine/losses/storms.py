"""Losses by storm: what each storm of the track record would cost a portfolio today.

A storm's highest wind at each site falls into a bin of the edition, whose damage rate times the site's factor is its
loss. That is an event loss table. Losses by year are another thing: they are smoothed, and stand for the climate of a
scenario.
S storms, C cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from engine.core.counted import agree, counted, of_all
from engine.losses.factors import added_by_cell, sites_by_risk
from engine.losses.table import TYPHOON, YEARS

Floats = NDArray[np.float64]

STORMS = pl.Schema(
    {
        "storm_id": pl.String(),
        "name": pl.String(),
        "date": pl.Date(),
        "year": pl.Int16(),
        "wind_max": pl.Float64(),
        "loss": pl.Float64(),
    }
)
SITE_STORMS = pl.Schema({"storm_id": pl.String(), "row": pl.Int64(), "wind": pl.Float64(), "loss": pl.Float64()})
HOURS_A_DAY = 24


def damage_rate(wind: ArrayLike, edges: ArrayLike, damage_rates: ArrayLike) -> Floats:
    """Share of value lost at each wind: the rate of its bin.

    wind         : any shape, m/s; NaN gives NaN
    edges        : (m - 1,) m/s, ascending; a bin holds its lower edge
    damage_rates : (m,), 0..1
    raises       : ValueError when there is not one rate more than edges, or edges do not ascend
    """
    speeds, limits, rates = (np.asarray(each, np.float64) for each in (wind, edges, damage_rates))
    if limits.ndim != 1 or rates.shape != (limits.size + 1,) or (np.diff(limits) < 0).any():
        raise ValueError(f"{limits.tolist()} and {rates.tolist()} are no ascending edges with a rate a bin")
    found = rates[np.searchsorted(limits, speeds, side="right")]
    return np.where(np.isnan(speeds), np.nan, found)


def storm_losses(
    wind: ArrayLike,
    cells: ArrayLike,
    storms: pl.DataFrame,
    sites: pl.DataFrame,
    *,
    edges: ArrayLike,
    damage_rates: ArrayLike,
) -> pl.DataFrame:
    """Loss of a portfolio by storm, the largest first.

    wind   : (C, S), m/s, highest of each storm where the sites are (over land): `engine.risks.typhoon.storm_wind`
    cells  : (C,) grid ids of its rows, ascending
    storms : (S,) rows in the order of its columns: `storm_id`, `name`, `began` (hours since 1970-01-01 UTC), `year`
    sites  : as in `year_losses`; rows of typhoon count
    edges, damage_rates : of the edition's typhoon bins, m/s and 0..1
    returns : columns of STORMS: `wind_max` m/s, the highest at any site; `loss` in the unit of the factors
    raises  : ValueError when shapes disagree, or a site's cell has no wind
    """
    speeds, weight = _checked(wind, cells, storms, sites)
    loss = np.einsum("c,cs->s", weight, damage_rate(speeds, edges, damage_rates))
    there = weight > 0.0
    highest = speeds[there].max(axis=0) if there.any() else np.zeros(speeds.shape[1])
    dates = (storms["began"].to_numpy() // HOURS_A_DAY).astype("datetime64[D]")
    columns: dict[str, Any] = {name: storms[name] for name in ("storm_id", "name", "year")}
    columns |= {"date": dates, "wind_max": highest, "loss": loss}
    frame = pl.DataFrame(columns).select(pl.col(name).cast(kind) for name, kind in STORMS.items())
    return frame.sort("loss", "wind_max", descending=True, maintain_order=True)


def site_storm_losses(
    wind: ArrayLike,
    cells: ArrayLike,
    storms: pl.DataFrame,
    sites: pl.DataFrame,
    *,
    edges: ArrayLike,
    damage_rates: ArrayLike,
) -> pl.DataFrame:
    """Wind and loss of each site in each storm that costs it something; arguments as in `storm_losses`.

    returns : columns of SITE_STORMS; summed over the sites they are the losses of `storm_losses`
    """
    speeds, _ = _checked(wind, cells, storms, sites)
    own = sites_by_risk(sites)[TYPHOON]
    place = np.searchsorted(np.asarray(cells), own.grid_id)
    rates = damage_rate(speeds, edges, damage_rates)
    costly = rates[place] > 0.0
    site, storm = np.nonzero(costly)
    columns = {
        "storm_id": storms["storm_id"].cast(pl.String).gather(storm),
        "row": own.rows[site],
        "wind": speeds[place[site], storm],
        "loss": own.factor[site] * rates[place[site], storm],
    }
    return pl.DataFrame(columns, schema=SITE_STORMS)


def storm_years(
    losses: pl.DataFrame, years: Sequence[int], *, scenario_id: int = 0, time_period: str = ""
) -> pl.DataFrame:
    """The largest storm of each covered year, as rows of a year loss table: what an OEP curve is made of.

    losses  : of `storm_losses`
    years   : years that the track record covers; a year without a storm loses nothing
    returns : columns of YEARS, for `exceedance_curve(..., kind="oep")`
    raises  : ValueError for a storm of another year
    """
    covered = np.asarray(years, np.int64)
    if strange := sorted(set(losses["year"].to_list()) - set(covered.tolist())):
        raise ValueError(f"storms of {', '.join(map(str, strange))}, which the track record does not cover")
    largest = dict(losses.group_by("year").agg(pl.col("loss").max()).iter_rows())
    columns = {
        "scenario_id": scenario_id,
        "time_period": time_period,
        "risk_type": TYPHOON,
        "year": None,
        "track_year": covered,
        "valid": 1.0,
        "loss": [float(largest.get(year, 0.0)) for year in covered.tolist()],
    }
    return pl.DataFrame(columns, schema=YEARS)


def _checked(wind: ArrayLike, cells: ArrayLike, storms: pl.DataFrame, sites: pl.DataFrame) -> tuple[Floats, Floats]:
    """Wind (C, S) and the sum of the sites' factors in each cell (C,)."""
    speeds, grid_id = np.asarray(wind, np.float64), np.asarray(cells, np.int64)
    if speeds.shape != (grid_id.size, storms.height):
        raise ValueError(
            f"wind is (cells, storms): {speeds.shape} for {counted(grid_id.size, 'cell')} and {storms.height} storms"
        )
    if (np.diff(grid_id) <= 0).any():
        raise ValueError("cells of the wind do not ascend")
    own = sites_by_risk(sites).get(TYPHOON)
    if own is None:
        return speeds, np.zeros(grid_id.size)
    if lost := int((~np.isin(own.grid_id, grid_id)).sum()):
        raise ValueError(
            f"{of_all(lost, own.rows.size, 'site')} {agree(lost, 'stands', 'stand')} in cells without a wind"
        )
    return speeds, added_by_cell(np.searchsorted(grid_id, own.grid_id), own.factor, grid_id.size)
