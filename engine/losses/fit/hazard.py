"""Hazard of the years and storms that are fitted, at stations and municipalities, with shares of what can be lost.

It is measured as the engine measures it, so that a rate fitted here is a rate there: rain by the annual maximum of one
and
of five days, whatever brought it, and wind by the strongest storm of the year. So the rain of a storm is charged once,
with other rain, and typhoon is charged for its wind.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.losses.fit import rain as rains
from engine.losses.fit import storms
from engine.losses.fit.rain import Rain
from engine.losses.fit.storms import KM_PER_DEGREE, Places
from engine.losses.targets import Target

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: days of rain: of the urban and of the river flood, and of a storm beside them
URBAN_DAYS, RIVER_DAYS, STORM_DAYS = 1, 5, 3
#: storms up to this year say what rain a storm brings of which only the track is known
LAST_SEEN = 2009


class Sources(NamedTuple):
    """Files that a fit stands on."""

    losses: Path
    stations: Path
    places: Path
    tracks: Path


class Passing(NamedTuple):
    """Rain (log return periods of 1 and 3 days, two (K, S)), shares of stations (K, S) and winds (K, M) of K storms."""

    rain: tuple[Floats, Floats]
    station: Floats
    wind: Floats


class Hazard(NamedTuple):
    """Y years, E storms, S stations, M municipalities.

    years       : (Y,)
    rain        : log return period of the annual maxima of 1 and of 5 days, two (Y, S)
    station     : share of what can be lost that is nearest to a station with rain in that year, (Y, S)
    wind        : strongest wind of the year, m/s (Y, M)
    share       : of municipalities, (M,), and that of persons
    storms      : names of the storms, and their years
    storm_rain  : log return period of a storm's sums of 1 and of 3 days, two (E, S); NaN beyond the rain record
    storm_share : (E, S)
    storm_wind  : m/s (E, M)
    others      : all storms that passed before the held-out ones, whatever they cost
    gev         : of 1-day and 5-day rain, two (S, 3)
    """

    years: Ints
    rain: tuple[Floats, Floats]
    station: Floats
    wind: Floats
    share: Floats
    persons: Floats
    storms: tuple[Target, ...]
    storm_rain: tuple[Floats, Floats]
    storm_share: Floats
    storm_wind: Floats
    others: Passing
    gev: tuple[Floats, Floats]


def measure(sources: Sources, targets: Sequence[Target]) -> Hazard:
    """Hazard of all years of the rain record, and of the storms."""
    rain, places = rains.read(sources.stations), storms.read_places(sources.places)
    fixes = storms.read_tracks(sources.tracks)
    years = rains.whole_years(rain)
    maxima = {days: rains.annual_maxima(rain, years, days) for days in (URBAN_DAYS, RIVER_DAYS, STORM_DAYS)}
    gev = {days: rains.pooled_gev(values) for days, values in maxima.items()}
    share = np.stack([_shares(rain, places, np.isfinite(row)) for row in maxima[URBAN_DAYS]])
    wind = np.full((len(years), len(places.code)), np.nan)
    stated = years >= storms.FIRST_WINDS
    wind[stated] = storms.annual_wind(places, fixes, years[stated])
    row = {year: at for at, year in enumerate(years.tolist())}
    passed_by = storms.passing(places, fixes, storms.FIRST_WINDS, LAST_SEEN)
    others = [(sid, year) for sid, year in passed_by if year in row]

    def rainy(sids: Sequence[str]) -> tuple[Floats, Floats]:
        own = [fixes.filter(pl.col("sid") == sid) for sid in sids]
        urban, river = (_storms(rain, places, own, days, gev[days]) for days in (URBAN_DAYS, STORM_DAYS))
        return urban, river

    named, passed = [str(target.storm) for target in targets], [sid for sid, _ in others]
    return Hazard(
        years=years,
        rain=(
            rains.log_return_period(maxima[URBAN_DAYS], gev[URBAN_DAYS]),
            rains.log_return_period(maxima[RIVER_DAYS], gev[RIVER_DAYS]),
        ),
        station=share,
        wind=wind,
        share=places.share,
        persons=places.persons,
        storms=tuple(targets),
        storm_rain=rainy(named),
        storm_share=share[[row.get(target.year, -1) for target in targets]],
        storm_wind=storms.storm_winds(places, fixes, named),
        others=Passing(
            rainy(passed), share[[row[year] for _, year in others]], storms.storm_winds(places, fixes, passed)
        ),
        gev=(gev[URBAN_DAYS], gev[RIVER_DAYS]),
    )


def _storms(rain: Rain, places: Places, own: Sequence[pl.DataFrame], days: int, gev: Floats) -> Floats:
    """Log return periods of the rain of storms, (E, S); NaN beyond the rain record."""
    found = [storms.storm_rain(places, fixes, rain, days) for fixes in own]
    unknown = np.array([each is None for each in found])
    amounts = np.stack([np.zeros(len(rain.station)) if each is None else each for each in found])
    return np.where(unknown[:, None], np.nan, rains.log_return_period(amounts, gev))


def _shares(rain: Rain, places: Places, there: NDArray[np.bool_]) -> Floats:
    """Share of municipalities that each station stands for: those to which it is the nearest that has rain."""
    narrow = np.cos(np.radians(places.latitude.mean()))
    north = (places.latitude[:, None] - rain.latitude) * KM_PER_DEGREE
    east = (places.longitude[:, None] - rain.longitude) * KM_PER_DEGREE * narrow
    distance = np.where(there, np.hypot(north, east), np.inf)
    out = np.zeros(len(rain.station))
    np.add.at(out, distance.argmin(axis=1), places.share)
    return out
