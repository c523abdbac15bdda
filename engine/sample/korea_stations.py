"""The observed sample of South Korea: daily rain of 69 stations 1976-2015 and the best tracks, as a data directory.

The record stands in for SSP2-4.5; the other scenarios have no files. It holds rain and storms alone: river flood, urban
flood and typhoon are computed, the other risks are reported as missing, on purpose. The back-test of edition 2026-kr
reads the same files. Sources and licences: `data/stations/PROVENANCE.md`.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import polars as pl

from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.io.etl.derive import derive
from engine.io.etl.derive.derive_job import Request
from engine.io.etl.derive.station_tables import TableOptions

DATA = Path(__file__).with_name("data")
RAIN = DATA / "stations" / "daily_rain_69_stations_1976_2015.parquet"
PLACES = DATA / "stations" / "stations.csv"

AXIS = Years(1976, 2015)
SCENARIO = Scenario.SSP245
#: the synthetic sample's, which holds the whole country. A station speaks for the cell of 0.1 degree that it lies in,
#: and for places up to the diagonal of a cell, 14 km, from the centre of that cell
GRID = GridDefinition(33.0, 124.5, 61, 76, 0.1, *AXIS)


def build(out_dir: Path) -> None:
    """Write the sample: monthly and yearly files of the stations' cells, map layers, typhoon tracks, lattice.

    out_dir : created when absent; files of the same names are overwritten
    """
    attributes = {
        "title": "Observed rain of 69 stations of South Korea; stands in for a scenario, is none",
        "institution": "Korea Meteorological Administration",
        "source": "surface synoptic observations, KOGL type 1",
    }
    with tempfile.TemporaryDirectory(prefix="climate-risk-") as folder:
        days = Path(folder) / "daily_rain.parquet"
        read_days().write_parquet(days)
        request = Request(
            files=[days], base=AXIS, scenario=SCENARIO, grid=GRID, attributes=attributes,
            tables=TableOptions(stations=PLACES),
        )  # fmt: skip
        derive.derive(request, out_dir)
    for folder_name, pattern in (("map", "*.geojson"), ("typhoon", "*")):
        (out_dir / folder_name).mkdir(parents=True, exist_ok=True)
        for path in sorted((DATA / folder_name).glob(pattern)):
            shutil.copyfile(path, out_dir / folder_name / path.name)


def read_days() -> pl.DataFrame:
    """Columns station_id, date, pr (mm/day): a row a station and day with a value."""
    wide = pl.read_parquet(RAIN, glob=False)  # a column a station, 0.1 mm
    return (
        wide.unpivot(index="date", variable_name="station_id", value_name="tenths")
        .drop_nulls("tenths")
        .select(pl.col("station_id").str.strip_prefix("s"), "date", pr=pl.col("tenths") / 10)
    )
