"""Wind and rain of single storms, by the wind model and the tracks that the typhoon risk itself uses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.kernels.typhoon import typhoon_wind
from engine.kernels.typhoon_track import TyphoonTrack, year_of
from engine.losses import figures, record
from engine.losses.fit.rain import Rain, largest, sums

Floats = NDArray[np.float64]

KNOT = 0.514444
KM_PER_DEGREE = 111.2
#: a storm's rain counts while its centre is this near to the country, km
REACH = 500.0
#: best tracks state winds since then
FIRST_WINDS = 1977
#: as the typhoon risk: wind over land is reduced within 10 km of the coast
INLAND, INLAND_KM = 0.8, 10.0
_GRADE = 1  # wind needs none
_FIRST_OF_ALL, _YEAR_HOURS = 30.25, 365.25 * 24  # storms that are moved begin in spring, and last weeks


class Places(NamedTuple):
    """Municipalities, (M,): `share` of what level A records, by land, and of `persons`, by whom houses are shared."""

    code: NDArray[np.int64]
    latitude: Floats
    longitude: Floats
    coast_km: Floats
    share: Floats
    persons: Floats

    @property
    def inland(self) -> Floats:
        """Factor on wind at sea."""
        return np.asarray(1.0 - (1.0 - INLAND) * np.clip(self.coast_km / INLAND_KM, 0.0, 1.0))


def read_places(path: Path) -> Places:
    """Municipalities. Recorded loss is roads, rivers and fields, which go with land; houses go with persons.

    raises : SchemaError for a missing column, or naming the row of a value that is no number
    """
    table = record.table(path)
    needed = ("code", "latitude", "longitude", "coast_km", "area_km2", "persons")
    figures.need(table, path.name, needed)
    code, lat, lon, coast, area, persons = (_column(table, path.name, column) for column in needed)
    return Places(code.astype(np.int64), lat, lon, coast, area / area.sum(), persons / persons.sum())


def _column(table: pl.DataFrame, file: str, column: str) -> Floats:
    rows = enumerate(table[column], start=figures.FIRST_ROW)
    return np.array([figures.number(f"{file}, row {at}", column, value) for at, value in rows], dtype=np.float64)


def read_tracks(path: Path) -> pl.DataFrame:
    """Fixes of IBTrACS with 10-minute winds in m/s: sid, time (hours since 1970), lat, lon, wind; null: not stated."""
    return (
        pl.read_parquet(path, glob=False)
        .select(
            sid="SID",
            time=pl.col("ISO_TIME").cast(pl.Datetime("us")).dt.epoch("us") / 3.6e9,
            lat=pl.col("LAT").cast(pl.Float64),
            lon=pl.col("LON").cast(pl.Float64),
            wind=pl.col("WMO_WIND").cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False) * KNOT,
        )
        .unique(["sid", "time"], keep="first", maintain_order=True)
        .sort("sid", "time")
    )


def track_of(fixes: pl.DataFrame) -> TyphoonTrack:
    """Fixes as the wind model takes them."""
    none = np.full(fixes.height, np.nan)
    return TyphoonTrack(
        fixes["sid"].rank("dense").cast(pl.Int64).to_numpy(),
        fixes["time"].to_numpy(),
        fixes["lat"].to_numpy(),
        fixes["lon"].to_numpy(),
        np.full(fixes.height, _GRADE, np.uint8),
        fixes["wind"].fill_null(np.nan).to_numpy(),
        *(none,) * 6,
    )


def annual_wind(places: Places, fixes: pl.DataFrame, years: NDArray[np.int64]) -> Floats:
    """Strongest wind of each year, m/s (Y, M)."""
    near = fixes.filter(pl.col("lat").is_between(25, 45) & pl.col("lon").is_between(115, 140))
    wind = typhoon_wind(places.latitude, places.longitude, track_of(near), years)
    return np.asarray((wind * places.inland[:, None]).T)


def storm_winds(places: Places, fixes: pl.DataFrame, sids: Sequence[str]) -> Floats:
    """Strongest wind of each storm, m/s (E, M); 0 where its fixes state none.

    raises : SchemaError when the tracks do not hold a storm
    """
    if lacking := sorted(set(sids) - set(fixes["sid"].unique())):
        raise SchemaError(f"the tracks hold no storm {lacking[0]}: take tracks of its year, or leave it out by name")
    order = {sid: at for at, sid in enumerate(sids)}
    own = fixes.filter(pl.col("sid").is_in(sids)).with_columns(at=pl.col("sid").replace_strict(order))
    # the wind model gives the strongest wind of a year: each storm moves into a year of its own
    begin = (_FIRST_OF_ALL + pl.col("at")) * _YEAR_HOURS
    own = own.with_columns(time=pl.col("time") - pl.col("time").min().over("sid") + begin)
    years = year_of(np.asarray((_FIRST_OF_ALL + np.arange(len(sids))) * _YEAR_HOURS, np.float64))
    wind = typhoon_wind(places.latitude, places.longitude, track_of(own), years)
    return np.asarray((wind * places.inland[:, None]).T)


def storm_rain(places: Places, fixes: pl.DataFrame, rain: Rain, days: int) -> Floats | None:
    """Largest sum of so many days while a storm is near and on the day after, mm (S,); None beyond the rain record.

    fixes : of the storm
    """
    times = fixes["time"].to_numpy()[_nearest_km(places, fixes) < REACH]
    if not times.size:
        return np.zeros(rain.mm.shape[1])
    first, last = (np.datetime64(int(hour), "h").astype("datetime64[D]") for hour in (times.min(), times.max()))
    at = np.flatnonzero((rain.days >= first) & (rain.days <= last + np.timedelta64(1, "D")))
    if last > rain.days[-1] or not at.size:
        return None
    inside = min(days, len(at))  # a sum lies in the storm's own days
    return largest(sums(rain.mm[at], inside)[inside - 1 :])


def passing(places: Places, fixes: pl.DataFrame, first: int, last: int) -> list[tuple[str, int]]:
    """Ids and years of all storms that came near in these years, whatever they cost."""
    year = year_of(fixes["time"].to_numpy())
    box = fixes.filter(
        pl.Series((year >= first) & (year <= last))
        & pl.col("lat").is_between(28, 44)
        & pl.col("lon").is_between(120, 136)
    )
    found = box.filter(pl.Series(_nearest_km(places, box) < REACH))
    first_fix = found.group_by("sid").agg(pl.col("time").min()).sort("sid")
    return list(zip(first_fix["sid"].to_list(), year_of(first_fix["time"].to_numpy()).tolist(), strict=True))


def _nearest_km(places: Places, fixes: pl.DataFrame) -> Floats:
    """Distance of each fix to the nearest municipality, km."""
    lat, lon = fixes["lat"].to_numpy(), fixes["lon"].to_numpy()
    narrow = np.cos(np.radians(places.latitude.mean()))
    north = (lat[:, None] - places.latitude) * KM_PER_DEGREE
    east = (lon[:, None] - places.longitude) * KM_PER_DEGREE * narrow
    return np.asarray(np.hypot(north, east).min(axis=1))
