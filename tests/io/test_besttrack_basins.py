"""IBTrACS of any basin: southern storms, storms over the date line and over Greenwich, one-minute winds."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import psycopg
import pytest

from engine.core import country, profile_file
from engine.core.grid import GridDefinition
from engine.io.etl.loaders import besttrack
from engine.io.etl.loaders import besttrack_readers as readers
from engine.io.etl.loaders.besttrack_record import KNOT, Basins
from engine.io.etl.loading import LoadOptions
from engine.risks.typhoon import storm_wind
from tests.io.lattices import lay, quiet

HEADER = ["SID", "SEASON", "BASIN", "NAME", "ISO_TIME", "LAT", "LON", "WMO_WIND", "WMO_PRES", "TRACK_TYPE"]
#: Fiji lies on the date line
FIJI = GridDefinition(-19.0, 177.0, 8, 10, 0.5, 1977, 2030)
WINSTON = [(-18.0 - 0.1 * n, (181.5 - 1.1 * n + 180) % 360 - 180, 120) for n in range(6)]  # westward, over the line
#: a storm of the Atlantic that leaves Africa east of Greenwich
CHARLEY = [(25.0 + 0.5 * n, (2.0 - 1.5 * n), 100) for n in range(6)]


def rows(sid, basin, name, fixes, start="2016-02-20T00:00"):
    first = datetime.fromisoformat(start)
    for step, (north, east, wind) in enumerate(fixes):
        time = first + timedelta(hours=6 * step)
        yield [sid, sid[:4], basin, name, f"{time}", f"{north:.1f}", f"{east:.1f}", str(wind), "930", "main"]


def table(path, *storms):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *(row for storm in storms for row in storm)])
    return path


@pytest.fixture
def world(tmp_path):
    return table(
        tmp_path / "typhoon" / "ibtracs.csv",
        rows("2016041S14170", "SP", "WINSTON", WINSTON),
        rows("2004223N11301", "NA", "CHARLEY", CHARLEY, "2004-08-13T00:00"),
        rows("2020241N16139", "WP", "MAYSAK", [(25.0 + n, 130.0, 80) for n in range(4)], "2020-08-28T12:00"),
    )


def test_without_a_basin_named_those_count_whose_storms_came_near_the_grid(world):
    assert readers.read(world).fixes["tcid"].unique().to_list() == ["2020241N16139"]
    near = readers.read(world, Basins((), FIJI))
    assert near.fixes["tcid"].unique().to_list() == ["2016041S14170"]
    assert near.left_out == {"of another basin": 10}
    assert near.leaps.is_empty()  # 0.4 and 359.3 are neighbours
    assert readers.read(world, Basins((), None)).fixes["tcid"].n_unique() == 3


def test_winds_of_one_minute_become_winds_of_ten_and_others_stay(world):
    wind = dict(readers.read(world, Basins((), None)).fixes.group_by("tcid").agg(pl.col("max_wind_speed").max()).rows())
    assert wind["2004223N11301"] == pytest.approx(100 * KNOT * 0.88)
    assert wind["2016041S14170"] == pytest.approx(120 * KNOT)
    atlantic = readers.read(world, Basins(("NA",), FIJI))
    assert atlantic.fixes["tcid"].unique().to_list() == ["2004223N11301"]
    assert atlantic.leaps.is_empty()


def test_a_southern_storm_over_the_date_line_blows_alike_on_both_sides_of_it(warehouse, world, tmp_path):
    with psycopg.connect(warehouse, autocommit=True) as connection, country.chosen(profile_file.load("generic")):
        lay(connection, FIJI)
        connection.execute("INSERT INTO grid_definition (lat0, lon0, n_lat, n_lon, step, first_year, last_year)"
                           " VALUES (-19, 177, 8, 10, 0.5, 1977, 2030)")  # fmt: skip
        (report,) = besttrack.load(connection, LoadOptions(data=tmp_path), quiet)
        assert (report.status, report.rows) == ("published", len(WINSTON))
        fixes = pl.read_database("SELECT * FROM api_typhoon_besttrack ORDER BY obs_datetime", connection)
    assert fixes["longitude"].min() > 170
    assert fixes["longitude"].max() < 190
    years = [2016]
    # on the track, as far from it to the north and to the south, and beyond the line, spelt either way
    lat, lon = np.array([-18.1, -17.1, -19.1, -18.1, -18.1]), np.array([-179.6, -179.6, -179.6, 180.4, 90.0])
    wind = storm_wind(fixes, lat, lon, np.zeros(5), years)[0][:, 0]
    assert wind[0] == pytest.approx(120 * KNOT, rel=0.2)
    assert wind[1] == pytest.approx(wind[2], rel=0.25)
    assert wind[3] == pytest.approx(wind[0])
    assert wind[4] == 0
