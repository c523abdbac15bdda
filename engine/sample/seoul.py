"""The observed sample: Seoul's daily record as a warehouse of one cell."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.errors import SchemaError
from engine.kernels.indices import STANDARD, DayAxis
from engine.period import Years

DATA = Path(__file__).with_name("data") / "seoul"
RECORD = DATA / "seoul_108_asos_daily_1907_2015.csv.gz"
AXIS = Years(1907, 2015)

Float32 = NDArray[np.float32]

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
