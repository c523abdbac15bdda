"""Year losses of single sites, a chunk of them at a time: years of a million sites never stand in memory together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.losses.curve import levels_of, plotted, rarest
from engine.losses.factors import SitesOfRisk, place_of, sites_by_risk
from engine.losses.table import PAIR, TYPHOON, YEARS, CellYears, Sets, cell_years

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK = 512  # sites: 15 MB of pairs of years

SITE_YEARS = pl.Schema({"row": pl.Int64(), **{name: YEARS[name] for name in YEARS if name != "valid"}})
SITE_LEVELS = pl.Schema(
    {
        "row": pl.Int64(),
        **{name: YEARS[name] for name in PAIR},
        "return_period": pl.Float64(),
        "loss": pl.Float64(),
        "basis": pl.String(),
        "tvar_99": pl.Float64(),
        "tvar_level": pl.Float64(),
    }
)


class SiteYears(NamedTuple):
    """Losses of S sites over all risks: by model year, by track year; zeros of one year where there is no such risk."""

    rows: Ints  # (S,)
    model: Floats  # (S, n)
    track: Floats  # (S, m)
    years: int  # of the shorter set that there is
    has_model: bool
    has_track: bool


def site_year_losses(table: pl.DataFrame, sample_years: pl.DataFrame, sites: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """What each site loses in each year by each risk, some thousand sites at a time.

    table, sample_years, sites : as in `year_losses`
    returns : frames of SITE_YEARS; summed over the sites they are the rows of `year_losses`
    raises  : ValueError as `year_losses`
    """
    yield from site_years_of(cell_years(table, sample_years), sites_by_risk(sites))


def site_years_of(cells_of_risks: Iterable[CellYears], by_risk: Mapping[str, SitesOfRisk]) -> Iterator[pl.DataFrame]:
    """`site_year_losses` of cells that are completed already. by_risk: of `sites_by_risk`"""
    for cells in cells_of_risks:
        own = by_risk.get(cells.risk_type)
        if own is None:
            continue
        place, there = place_of(cells.cells, own.grid_id)
        rows, place, factor = own.rows[there], place[there], own.factor[there]
        typhoon = cells.risk_type == TYPHOON
        for start in range(0, rows.size, CHUNK):
            part = slice(start, start + CHUNK)
            loss = factor[part, None] * cells.loss[place[part]]
            years = np.tile(cells.years, len(loss))
            columns = {
                "row": np.repeat(rows[part], cells.years.size),
                "scenario_id": cells.scenario_id,
                "time_period": cells.time_period,
                "risk_type": cells.risk_type,
                "year": None if typhoon else years,
                "track_year": years if typhoon else None,
                "loss": loss.ravel(),
            }
            yield pl.DataFrame(columns, schema=SITE_YEARS)


def site_levels(
    table: pl.DataFrame, sample_years: pl.DataFrame, sites: pl.DataFrame, *, period: float = 100.0, level: float = 0.99
) -> pl.DataFrame:
    """What each site loses once in so many years over all risks, and its TVaR.

    table, sample_years, sites : as in `year_losses`
    period  : years, 2 or more; where the years of a site say nothing of it, the rarest whole year that they tell of
    level   : of TVaR; lowered to 1 - 1 / n: `tvar_level` states what `tvar_99` is of
    returns : columns of SITE_LEVELS, a row a site, scenario and period: `return_period` of `loss`, whose `basis` is
              `empirical` or `extrapolated`; null where an extrapolation has no fit. No interval: see `curve_of` for one
    raises  : ValueError as `year_losses`, or for a period below 2
    """
    if not period >= 2.0:
        raise ValueError(f"a return period is a number of years, 2 or more, got {period}")
    by_risk = sites_by_risk(sites)
    parts = [levels_of_sites(cells, by_risk, period=period, level=level) for cells in _by_pair(table, sample_years)]
    return pl.concat([SITE_LEVELS.to_frame(), *parts]).sort(*PAIR, "row", maintain_order=True)


def levels_of_sites(
    cells: Sequence[CellYears], by_risk: Mapping[str, SitesOfRisk], *, period: float = 100.0, level: float = 0.99
) -> pl.DataFrame:
    """`site_levels` of one scenario and period whose cells are completed already.

    cells : of `cell_years`; by_risk: of `sites_by_risk`
    """
    parts = [SITE_LEVELS.to_frame()]
    for chunk in chunks(cells, by_risk):
        told, known = min(period, rarest(chunk.years)), min(level, 1.0 - 1.0 / chunk.years)
        sums = (chunk.model[:, :, None] + chunk.track[:, None, :]).reshape(len(chunk.rows), -1)
        sums.sort(axis=1)
        seen = plotted(sums, min(told, chunk.years + 1.0))
        if extrapolated := told > chunk.years + 1.0:  # a rarer year does not lose less
            beyond = levels_of(sums, np.array([told]), ordered=True)[:, 0]
            seen = np.where(np.isnan(beyond), np.nan, np.maximum(beyond, seen))
        columns = {
            "row": chunk.rows,
            "scenario_id": cells[0].scenario_id,
            "time_period": cells[0].time_period,
            "return_period": told,
            "loss": seen,
            "basis": "extrapolated" if extrapolated else "empirical",
            "tvar_99": _worst_mean(sums, known),
            "tvar_level": known,
        }
        parts.append(pl.DataFrame(columns, schema=SITE_LEVELS).with_columns(pl.col("loss").fill_nan(None)))
    return pl.concat(parts)


def sets_of_sites(cells: Sequence[CellYears], by_risk: Mapping[str, SitesOfRisk]) -> Iterator[tuple[int, Sets]]:
    """Row of each site and its years over all risks, of one scenario and period: what `curve_of` takes.

    cells : of `cell_years`; by_risk: of `sites_by_risk`
    """
    for chunk in chunks(cells, by_risk):
        for at, row in enumerate(chunk.rows.tolist()):
            yield row, Sets(chunk.model[at] if chunk.has_model else None, chunk.track[at] if chunk.has_track else None)


def chunks(cells: Sequence[CellYears], by_risk: Mapping[str, SitesOfRisk]) -> Iterator[SiteYears]:
    """Losses of some hundred sites at a time, over all risks of one scenario and period.

    cells   : of one scenario and period, a risk each
    by_risk : of `sites_by_risk`; a risk that a site has no factor for counts for nothing
    """
    known = [each for each in cells if each.risk_type in by_risk]
    climate = [each for each in known if each.risk_type != TYPHOON]
    tracks = [each for each in known if each.risk_type == TYPHOON]
    model_years = np.unique(np.concatenate([np.empty(0, np.int64), *(each.years for each in climate)]))
    lengths = [n for n in (model_years.size, *(each.years.size for each in tracks)) if n]
    placed = []
    for each in known:
        of_risk = by_risk[each.risk_type]
        place, there = place_of(each.cells, of_risk.grid_id)
        placed.append((each, of_risk.rows[there], place[there], of_risk.factor[there]))
    rows = np.unique(np.concatenate([np.empty(0, np.int64), *(each[1] for each in placed)]))
    for start in range(0, rows.size, CHUNK):
        part = rows[start : start + CHUNK]
        model = np.zeros((part.size, max(model_years.size, 1)))
        track = np.zeros((part.size, tracks[0].years.size if tracks else 1))
        for each, own, place, factor in placed:
            some = slice(*np.searchsorted(own, [part[0], part[-1] + 1]))
            loss = factor[some, None] * each.loss[place[some]]
            at = np.searchsorted(part, own[some])
            if each.risk_type == TYPHOON:
                track[at] += loss
            elif each.years.size == model_years.size:
                model[at] += loss
            else:  # a year that a risk lacks counts as its mean year
                whole = np.repeat(loss.mean(axis=1, keepdims=True), model_years.size, axis=1)
                whole[:, np.searchsorted(model_years, each.years)] = loss
                model[at] += whole
        yield SiteYears(part, model, track, min(lengths), has_model=model_years.size > 0, has_track=bool(tracks))


def _by_pair(table: pl.DataFrame, sample_years: pl.DataFrame) -> Iterator[list[CellYears]]:
    for _, rows in table.group_by(*PAIR, maintain_order=True):
        yield list(cell_years(rows, sample_years))


def _worst_mean(ordered: Floats, level: float) -> Floats:
    """Mean (S,) of the worst (1 - level) N of ascending sums (S, N), the last with the fraction that is left."""
    n = ordered.shape[1]
    mass = (1.0 - level) * n
    whole = min(math.ceil(mass - 1e-9), n)
    worst = ordered[:, n - whole :]
    return np.asarray((worst.sum(axis=1) - max(whole - mass, 0.0) * worst[:, 0]) / min(mass, whole))
