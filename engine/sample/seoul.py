"""The observed sample: Seoul's daily record 1907-2015 and Incheon's tide gauge as a data directory of one cell.

The observation stands in for SSP2-4.5; the other scenarios have no files. There are no water inputs, so water stress is
reported as missing, on purpose. Sources and licences: `data/seoul/PROVENANCE.md`.
"""

from __future__ import annotations

import gzip
import math
import shutil
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.errors import SchemaError
from engine.grid import GridDefinition
from engine.io.etl import daily, derive, layout
from engine.kernels.indices import STANDARD, DayAxis
from engine.period import Years
from engine.scenario import Scenario

DATA = Path(__file__).with_name("data")
RECORD = DATA / "seoul" / "seoul_108_asos_daily_1907_2015.csv.gz"
TIDE_GAUGE = DATA / "seoul" / "psmsl_956_incheon_annual.rlrdata"
TIDE_STATION = DATA / "seoul" / "psmsl_956_station.txt"

AXIS = Years(1907, 2015)
BASE = Years(1981, 2010)
LATITUDE = 37.5714
#: one cell, on the national lattice of 0.01 degree
SEOUL_GRID = GridDefinition(37.57, 126.97, 1, 1, 0.01, *AXIS)
SCENARIO = Scenario.SSP245
SCOPE = "observed"

#: the gauge's zero, 7,000 mm below mean sea level by definition of the Revised Local Reference
RLR_ZERO_MM = 7000.0
TIDE_MISSING = -99999

#: Angstrom's coefficients where no local ones are known, and the solar constant in MJ/m2/min: FAO-56 eq. 35 and 21
ANGSTROM_A, ANGSTROM_B = 0.25, 0.50
SOLAR = 0.0820

Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]

#: CF name -> column of the station file
COLUMNS = {
    "tas": "AvgTemp",
    "tasmax": "HighTemp",
    "tasmin": "LowTemp",
    "pr": "Precipitation",
    "sfcWind": "AvgWindSpeed",
    "hurs": "AvgRelativeHumidity",
    "sunshine": "DaylightHours",
}


def build(out_dir: Path) -> None:
    """Write the sample: monthly and yearly files of one cell, sea level, map layers, typhoon tracks, lattice.

    out_dir : created when absent; files of the same names are overwritten
    """
    axis, days = read_days()
    sunshine = days.pop("sunshine")
    days["rsds"] = global_radiation(sunshine, axis, LATITUDE).astype(np.float32)
    attributes = {
        "title": "Observed climate of Seoul (station 108); stands in for a scenario, is none",
        "institution": "Korea Meteorological Administration",
        "source": "surface synoptic observations, KOGL type 1; radiation from sunshine hours, FAO-56 eq. 35",
    }
    file = out_dir / "daily" / "seoul_108_daily.nc"
    daily.write_daily(file, SEOUL_GRID, axis, days, scope=SCOPE, attributes=attributes)
    derive.derive([file], out_dir, base=BASE, scenario=SCENARIO, grid=SEOUL_GRID, attributes=attributes)
    _write_sea_level(out_dir)
    for folder, pattern in (("map", "*.geojson"), ("typhoon", "*")):
        (out_dir / folder).mkdir(parents=True, exist_ok=True)
        for path in sorted((DATA / folder).glob(pattern)):
            shutil.copyfile(path, out_dir / folder / path.name)
    layout.write_grid(out_dir / "grid.toml", SEOUL_GRID)


def read_days(path: Path = RECORD) -> tuple[DayAxis, dict[str, Float32]]:
    """The station record on whole years; NaN where a day or a value is absent.

    returns : the axis 1907-2015 and `tas`, `tasmax`, `tasmin` degC, `pr` mm/day, `sfcWind` m/s, `hurs` %,
              `sunshine` hours, each (1, days)
    raises  : SchemaError when a column or a day is missing where the file must have it, or a day comes twice
    """
    with gzip.open(path) as file:
        frame = pl.read_csv(file.read(), try_parse_dates=True, infer_schema_length=None)
    if absent := {"Date", *COLUMNS.values()} - set(frame.columns):
        raise SchemaError(f"{path.name}: no column {', '.join(sorted(absent))}")
    dates = frame["Date"].to_numpy().astype("datetime64[D]")
    axis = DayAxis.of(AXIS, STANDARD)
    position = (dates - np.datetime64(f"{AXIS.first}-01-01")).astype(np.int64)
    if (np.diff(position) <= 0).any() or position[0] < 0 or position[-1] >= axis.n:
        raise SchemaError(f"{path.name}: dates do not ascend within {AXIS}")
    days = {}
    for name, column in COLUMNS.items():
        values = frame[column].cast(pl.Float32)
        if name == "pr":
            values = values.fill_null(0.0)  # the station writes a day without precipitation as a blank
        days[name] = np.full((1, axis.n), np.nan, np.float32)
        days[name][0, position] = values.fill_null(np.nan).to_numpy()
    return axis, days


def global_radiation(sunshine: Float32, axis: DayAxis, latitude: float) -> Floats:
    """Solar radiation of a day from its hours of sunshine.

    sunshine : (C, days), hours; NaN = missing
    latitude : degrees north
    returns  : (C, days), MJ/m2/day
    source   : Angstrom's formula, FAO-56 (Allen et al. 1998) eq. 21-25, 34 and 35
    """
    day = np.concatenate([np.arange(1, length + 1) for length in np.diff(axis.year_starts)])
    top, possible = sun(day, latitude)
    # tenths of an hour and a flat horizon: a clear day may exceed the possible hours a little
    share = np.minimum(sunshine / possible, 1.0)
    return np.asarray((ANGSTROM_A + ANGSTROM_B * share) * top)


def sun(day_of_year: NDArray[np.int64], latitude: float) -> tuple[Floats, Floats]:
    """(radiation above the atmosphere MJ/m2/day, possible hours of sunshine) of days of the year, FAO-56 eq. 21-34."""
    phi, angle = math.radians(latitude), 2 * np.pi * day_of_year / 365
    distance, declination = 1 + 0.033 * np.cos(angle), 0.409 * np.sin(angle - 1.39)
    sunset = np.arccos(np.clip(-math.tan(phi) * np.tan(declination), -1.0, 1.0))
    height = sunset * math.sin(phi) * np.sin(declination) + math.cos(phi) * np.cos(declination) * np.sin(sunset)
    return 24 * 60 / np.pi * SOLAR * distance * height, 24 / np.pi * sunset


def read_tide_gauge() -> tuple[int, Floats]:
    """(first year, annual mean sea level at Incheon in cm above its mean-sea-level zero); NaN = missing."""
    rows = [line.split(";") for line in TIDE_GAUGE.read_text(encoding="ascii").splitlines()]
    years, millimetres = (np.array([int(row[column]) for row in rows]) for column in (0, 1))
    if (np.diff(years) != 1).any():
        raise SchemaError(f"{TIDE_GAUGE.name}: years do not follow one another")
    return int(years[0]), np.where(millimetres == TIDE_MISSING, np.nan, (millimetres - RLR_ZERO_MM) / 10)


def _write_sea_level(out_dir: Path) -> None:
    first, level = read_tide_gauge()
    _, latitude, longitude, *_ = TIDE_STATION.read_text(encoding="ascii").split(";")
    layout.write_sea_level(
        layout.sea_level_path(out_dir, SCENARIO, first, first + len(level) - 1),
        np.array([[float(latitude)]]),
        np.array([[float(longitude)]]),
        level.astype(np.float32).reshape(-1, 1, 1),
        first,
        scope=SCOPE,
        attributes={
            "title": "Observed annual mean sea level at Incheon",
            "institution": "Permanent Service for Mean Sea Level (PSMSL)",
            "source": "tide gauge 956, Revised Local Reference; Holgate et al. (2013)",
            "datum": "7000 mm above the Revised Local Reference",
        },
    )
