"""Losses of provinces within single events, for a check of ranks: no panel exists that could be fitted."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from engine.losses import figures, record
from engine.losses.fit import model, storms
from engine.losses.fit import rain as rains
from engine.losses.fit.hazard import RIVER_DAYS, STORM_DAYS, URBAN_DAYS, Hazard, Sources
from engine.losses.fit.model import Data, Fit
from engine.losses.fit.storms import KM_PER_DEGREE

Floats = NDArray[np.float64]

#: leading digits of a municipality's code
CODES = {
    "Seoul": 11, "Busan": 21, "Daegu": 22, "Incheon": 23, "Gwangju": 24, "Daejeon": 25, "Ulsan": 26, "Sejong": 29,
    "Gyeonggi": 31, "Gangwon": 32, "Chungbuk": 33, "Chungnam": 34, "Jeonbuk": 35, "Jeonnam": 36, "Gyeongbuk": 37,
    "Gyeongnam": 38, "Jeju": 39,
}  # fmt: skip
#: events of which at least five provinces are known: event -> its days of rain, or the storm
RAIN_EVENTS = {"rain 9-11 Sep 1990": ("1990-09-09", "1990-09-12")}
STORM_EVENTS = ("Saomai", "Doug")
_TABLE = "province_losses.csv"


class Ranks(NamedTuple):
    """Rank correlation within events, over all of them, and the number of provinces."""

    correlation: float
    number: int


def rain_ranks(sources: Sources, hazard: Hazard, data: Data, found: Fit) -> Ranks:
    """Of heavy rain."""
    rain, places = rains.read(sources.stations), storms.read_places(sources.places)
    nearest = _nearest(rain, places)
    pairs = []
    for event, (first, last) in RAIN_EVENTS.items():
        at = (rain.days >= np.datetime64(first)) & (rain.days <= np.datetime64(last))
        logs = []
        for days, gev in zip((URBAN_DAYS, RIVER_DAYS), hazard.gev, strict=True):
            amount = rains.largest(rains.sums(rain.mm, days)[at])
            logs.append(rains.log_return_period(amount[None], gev)[0][nearest])
        pairs.append(_pair(sources.losses, event, places, _expected(data, found, (logs[0], logs[1]), None)))
    return _ranks(pairs)


def storm_ranks(sources: Sources, data: Data, found: Fit) -> Ranks:
    """Of typhoons: rain and wind."""
    rain, places = rains.read(sources.stations), storms.read_places(sources.places)
    fixes, nearest = storms.read_tracks(sources.tracks), _nearest(rain, places)
    years = np.unique(rain.year)
    tracks = record.table(sources.losses / "typhoon_event_losses.csv")
    pairs = []
    for name in STORM_EVENTS:
        sid = str(tracks.filter(pl.col("name") == name)["ibtracs_sid"][0])
        logs = []
        for days in (URBAN_DAYS, STORM_DAYS):
            amount = storms.storm_rain(places, fixes.filter(pl.col("sid") == sid), rain, days)
            gev = rains.pooled_gev(rains.annual_maxima(rain, years, days))
            logs.append(rains.log_return_period(np.atleast_2d(np.asarray(amount, float)), gev)[0][nearest])
        wind = storms.storm_winds(places, fixes, [sid])[0]
        pairs.append(_pair(sources.losses, name, places, _expected(data, found, (logs[0], logs[1]), wind)))
    return _ranks(pairs)


def _expected(data: Data, found: Fit, rain: tuple[Floats, Floats], wind: Floats | None) -> Floats:
    """Loss ratio of each municipality, less the time term that all of an event share."""
    out = np.zeros(len(rain[0]))
    for form, theta, weight in zip(data.forms, found.theta, found.weight, strict=True):
        wet = [model.damage(each, form.threshold, form.power) for each in rain]
        loss = np.exp(theta[0]) * (model.URBAN_SHARE * wet[0] + (1 - model.URBAN_SHARE) * wet[1])
        if wind is not None:
            loss = loss + np.exp(theta[1]) * model.wind_damage(wind, form.wind)
        out += weight * loss
    return out


def _pair(folder: Path, event: str, places: storms.Places, ratio: Floats) -> tuple[Floats, Floats]:
    """Recorded and modelled loss of the provinces of an event."""
    table = record.table(folder / _TABLE)
    figures.need(table, _TABLE, ("province", "event", "status", "value_million_krw"))
    chosen = (pl.col("event") == event) & (pl.col("status") == record.FINAL)
    rows = table.with_row_index("row", figures.FIRST_ROW).filter(chosen)
    recorded = [
        record.loss_of(f"{_TABLE}, row {at}", "value_million_krw", value, of_cause=True)
        for at, value in zip(rows["row"], rows["value_million_krw"], strict=True)
    ]
    provinces = places.code // 1000
    modelled = [(places.share * ratio)[provinces == CODES[name]].sum() for name in rows["province"]]
    return np.array(recorded), np.array(modelled)


def _ranks(pairs: list[tuple[Floats, Floats]]) -> Ranks:
    """Correlation of ranks that are centred within each event."""
    if not any(len(pair[0]) for pair in pairs):
        return Ranks(float("nan"), 0)
    centred = [[rankdata(each) - (len(each) + 1) / 2 for each in pair] for pair in pairs]
    recorded, modelled = (np.concatenate([pair[side] for pair in centred]) for side in (0, 1))
    return Ranks(float((recorded * modelled).sum() / np.sqrt((recorded**2).sum() * (modelled**2).sum())), len(recorded))


def _nearest(rain: rains.Rain, places: storms.Places) -> NDArray[np.int64]:
    narrow = np.cos(np.radians(places.latitude.mean()))
    north = (places.latitude[:, None] - rain.latitude) * KM_PER_DEGREE
    east = (places.longitude[:, None] - rain.longitude) * KM_PER_DEGREE * narrow
    return np.asarray(np.hypot(north, east).argmin(axis=1))
