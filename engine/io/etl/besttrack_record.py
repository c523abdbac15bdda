"""What the readers of best tracks share: the columns of a fix, units, grades, and one file's worth of fixes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

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
#: what the table holds of a storm's number and its name
MOST_ID, MOST_NAME = 13, 50

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
class BestTrack:
    """What one file holds.

    fixes    : `COLUMNS` and `season`, the year that numbers the storm
    records  : lines or rows read, good and bad
    rejected : (line, reason) of the unreadable ones
    left_out : reason -> rows that were readable but are not of this record
    """

    source: Source
    name: str
    fixes: pl.DataFrame
    records: int
    rejected: tuple[tuple[int, str], ...]
    left_out: dict[str, int]


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
