"""Record of a best track, as its readers share it: columns of a fix, units, grades, and the fixes of one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from engine.core.grid import GridDefinition

Source = Literal["KMA", "JMA", "IBTrACS"]
#: best first: one source a year
SOURCES: tuple[Source, ...] = ("KMA", "JMA", "IBTrACS")

KNOT = 0.514444  # m/s
NAUTICAL_MILE = 1.852  # km
COMPASS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
#: lowest wind of each grade, m/s; below the first it is a depression
GRADE_WINDS = {"TS": 17.2, "STS": 24.5, "TY": 32.7}
GRADES = ("TD", *GRADE_WINDS, "L")
#: JMA's codes; 7 (entering the area) and 9 (a storm or more) go by wind
JMA_GRADES = {"2": "TD", "3": "TS", "4": "STS", "5": "TY", "6": "L"}
JMA_STORM = "9"
EARTH_RADIUS_KM = 6371.0
#: the fastest of 83,912 steps of IBTrACS, western North Pacific 1951-2021, is 239 km/h, the second fastest 173
FASTEST_KM_H = 250.0
#: what the table holds of a storm's number and its name
MOST_ID, MOST_NAME = 13, 50

WESTERN_NORTH_PACIFIC = ("WP",)
#: degrees: as far as a storm is felt, and a little
NEAR = 10.0

COLUMNS: dict[str, Any] = {
    "tcid": pl.String,
    "obs_datetime": pl.Datetime("us", "UTC"),
    "grade": pl.String,
    "typhoon_name": pl.String,
    "longitude": pl.Float64,
    "latitude": pl.Float64,
    "max_wind_speed": pl.Float64,
    "central_pressure": pl.Float64,
    "gale_long": pl.Float64,
    "gale_short": pl.Float64,
    "gale_dir": pl.String,
    "gale_dir_deg": pl.Float64,
    "storm_long": pl.Float64,
    "storm_short": pl.Float64,
    "storm_dir": pl.String,
    "storm_dir_deg": pl.Float64,
}

SCHEMA = pl.Schema(COLUMNS | {"season": pl.Int32})


@dataclass(frozen=True, slots=True)
class Basins:
    """Which storms are of the record: those of IBTrACS basins, the western North Pacific or others.

    codes : of IBTrACS; empty: those in which a storm came near the lattice
    grid  : the lattice; None: none is known, and without codes every basin counts
    """

    codes: tuple[str, ...] = WESTERN_NORTH_PACIFIC
    grid: GridDefinition | None = None

    @property
    def are_western_pacific(self) -> bool:
        """Whether it is the record of the western North Pacific alone, which has a window of its own."""
        return self.codes == WESTERN_NORTH_PACIFIC

    def near(self) -> pl.Expr:
        """Fixes within `NEAR` degrees of the lattice; longitudes 0..360."""
        if self.grid is None:
            return pl.lit(True)
        south, north = float(self.grid.latitudes[0]) - NEAR, float(self.grid.latitudes[-1]) + NEAR
        west, width = float(self.grid.meridians[0]) - NEAR, float(np.ptp(self.grid.meridians)) + 2 * NEAR
        return pl.col("latitude").is_between(south, north) & ((pl.col("longitude") - west) % 360.0 <= width)


@dataclass(frozen=True, slots=True)
class BestTrack:
    """Best track of one file.

    fixes    : `COLUMNS` and `season`, the year that numbers the storm
    records  : lines or rows read, good and bad
    rejected : (line, reason) of the unreadable ones
    left_out : reason -> rows that were readable but are not of this record
    leaps    : fixes that no storm can have reached from the one before; see `leaps`
    """

    source: Source
    name: str
    fixes: pl.DataFrame
    records: int
    rejected: tuple[tuple[int, str], ...]
    left_out: dict[str, int]
    leaps: pl.DataFrame


def leaps(fixes: pl.DataFrame) -> pl.DataFrame:
    """Fixes that lie farther from the one before than a storm moves: tcid, obs_datetime and speed, km/h.

    A wrong position, or a wrong time: a digit of either is lost without any field becoming odd.
    """
    places = fixes.select("tcid", "obs_datetime", "longitude", "latitude").unique().sort("tcid", "obs_datetime")
    before = {name: pl.col(name).shift(1).over("tcid") for name in places.columns[1:]}
    north, north_before = pl.col("latitude").radians(), before["latitude"].radians()
    half = (pl.col("longitude") - before["longitude"]).radians() / 2
    haversine = ((north - north_before) / 2).sin() ** 2 + north.cos() * north_before.cos() * half.sin() ** 2
    kilometres = 2 * EARTH_RADIUS_KM * haversine.clip(0, 1).sqrt().arcsin()
    hours = (pl.col("obs_datetime") - before["obs_datetime"]).dt.total_seconds() / 3600
    speeds = places.select("tcid", "obs_datetime", speed=pl.when(hours > 0).then(kilometres / hours))
    return speeds.filter(pl.col("speed") > FASTEST_KM_H)


def grade_of(wind: float | None) -> str:
    """Grade by maximum wind, m/s; a fix without a wind is a depression."""
    reached = [grade for grade, lowest in GRADE_WINDS.items() if wind is not None and wind >= lowest]
    return reached[-1] if reached else "TD"


def jma_direction(code: str) -> tuple[str | None, float | None]:
    """1 NE, 2 E ... 8 N; 9 a circle, 0 or blank no radius."""
    if code in ("", "0", "9"):
        return None, None
    degrees = int(code) * 45.0 % 360.0
    return COMPASS[int(degrees / 22.5)], degrees
