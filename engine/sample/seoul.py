"""The observed sample: Seoul's daily record 1907-2015 and Incheon's tide gauge as a data directory of one cell.

The observation stands in for SSP2-4.5; the other scenarios have no files. There are no water inputs, so water stress is
reported as missing, on purpose. Sources and licences: `data/seoul/PROVENANCE.md`.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.io.etl import layout
from engine.io.etl.derive import derive
from engine.io.etl.derive.daily import DailyRecord
from engine.io.etl.derive.derive_job import Request
from engine.io.etl.derive.station_tables import TableOptions
from engine.kernels.indices import STANDARD, DayAxis

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

Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]

#: how to read the station's file: it writes a day without precipitation as a blank
TABLE = TableOptions(
    columns={
        "date": "Date",
        "tas": "AvgTemp",
        "tasmax": "HighTemp",
        "tasmin": "LowTemp",
        "pr": "Precipitation",
        "sfcWind": "AvgWindSpeed",
        "hurs": "AvgRelativeHumidity",
        "sunshine": "DaylightHours",
    },
    stations=DATA / "seoul" / "station.csv",
    blank_rain_is_dry=True,
)


def build(out_dir: Path) -> None:
    """Write the sample: monthly and yearly files of one cell, sea level, map layers, typhoon tracks, lattice.

    out_dir : created when absent; files of the same names are overwritten
    """
    attributes = {
        "title": "Observed climate of Seoul (station 108); stands in for a scenario, is none",
        "institution": "Korea Meteorological Administration",
        "source": "surface synoptic observations, KOGL type 1; radiation from sunshine hours, FAO-56 eq. 35",
    }
    request = Request(
        files=[RECORD], base=BASE, scenario=SCENARIO, grid=SEOUL_GRID, attributes=attributes, tables=TABLE
    )
    derive.derive(request, out_dir)
    _write_sea_level(out_dir)
    for folder, pattern in (("map", "*.geojson"), ("typhoon", "*")):
        (out_dir / folder).mkdir(parents=True, exist_ok=True)
        for path in sorted((DATA / folder).glob(pattern)):
            shutil.copyfile(path, out_dir / folder / path.name)
    layout.write_grid(out_dir / "grid.toml", SEOUL_GRID)


def read_days() -> tuple[DayAxis, dict[str, Float32]]:
    """The station record on whole years; NaN where a day or a value is absent.

    returns : the axis 1907-2015 and `tas`, `tasmax`, `tasmin` degC, `pr` mm/day, `sfcWind` m/s, `hurs` %,
              `rsds` MJ/m2/day (estimated from sunshine), each (1, days)
    """
    axis = DayAxis.of(AXIS, STANDARD)
    with ExitStack() as stack:
        record = DailyRecord.open(stack, [RECORD], tables=TABLE)
        return axis, {name: record.read(name, SEOUL_GRID, slice(0, 1)) for name in record.pieces}


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
