from collections import Counter
from datetime import date, timedelta

import numpy as np
import psycopg
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.io.etl.loaders import basins
from engine.io.etl.loading import LoadOptions
from engine.io.etl.places import Cells
from engine.io.files.source_files import MissingInputError
from tests.io.lattices import box, geojson, lay, quiet

GEOD = pyproj.Geod(ellps="sphere")
#: four columns of cells, from 127.0 to 127.3
GRID = GridDefinition(36.0, 127.0, 2, 4, 0.1, 2021, 2100)


def load(url, data, **options):
    with psycopg.connect(url, autocommit=True) as connection:
        return {report.table: report for report in basins.load(connection, LoadOptions(data=data, **options), quiet)}


def rows(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def execute(url, query, *parameters):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(query, parameters)


def flow(url, code, first, last, m3s, *, every=1):
    days = [(code, date(first, 1, 1) + timedelta(days=n), m3s) for n in range(0, 366 * (last - first + 1), every)]
    with (
        psycopg.connect(url, autocommit=True) as connection,
        connection.cursor() as cursor,
        cursor.copy("COPY api_wamis_flow (obs_code, obs_date, flow_m3s) FROM STDIN") as copy,
    ):
        for day in days:
            if day[1].year <= last:
                copy.write_row(day)


@pytest.fixture
def gauged(warehouse):
    """Basin 1 west of 127.15, basin 2 east of it, three gauges each."""
    with psycopg.connect(warehouse, autocommit=True) as connection:
        lay(connection, GRID)
        for number, (basin, longitude) in enumerate(
            [(1, 126.9), (1, 127.0), (1, 127.05), (2, 127.25), (2, 127.3), (2, 127.4)]
        ):
            connection.execute(
                "INSERT INTO api_wamis_stations (obs_code, obs_name, basin_code, latitude, longitude)"
                " VALUES (%s, 'a gauge', %s, 36.05, %s)",
                (f"G{number}", basin, longitude),
            )
    return warehouse


@pytest.fixture
def provinces(tmp_path):
    geojson(
        tmp_path / "map/provinces.geojson",
        (box(126.95, 35.9, 127.05, 36.2), {"name_eng": "Sejongsi", "code": "29"}),
        (box(127.05, 35.9, 127.25, 36.2), {"name": "대전광역시"}),
    )
    return tmp_path


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 12))
def test_a_cell_belongs_to_the_majority_of_its_three_nearest_gauges(seed, count):
    rng = np.random.default_rng(seed)
    latitude, longitude = rng.uniform(-60, 60, count), rng.uniform(-180, 180, count)
    gauges = basins.Gauges(tuple("x" * count), rng.integers(1, 4, count).astype(np.int16), latitude, longitude)
    cells = Cells(np.arange(1, 6, dtype=np.int32), rng.uniform(-60, 60, 5), rng.uniform(-180, 180, 5))
    for cell, found in enumerate(basins.basin_of_gauges(cells, gauges)):
        away = [
            GEOD.inv(cells.longitude[cell], cells.latitude[cell], x, y)[2]
            for y, x in zip(latitude, longitude, strict=True)
        ]
        nearest = [int(gauges.basin[gauge]) for gauge in np.argsort(away)[:3]]
        basin, votes = Counter(nearest).most_common(1)[0]
        assert found == (basin if votes > 1 else nearest[0])


def test_cells_take_the_basin_of_their_gauges_and_basins_their_share_of_provinces(gauged, provinces):
    reports = load(gauged, provinces)
    assert {report.status for report in reports.values()} == {"published"}
    assert rows(gauged, "SELECT basin_code FROM location_grid ORDER BY grid_id") == [(1,), (1,), (2,), (2,)] * 2
    # of basin 2, one column of cells lies in Daejeon and one outside every province: the latter does not count
    assert rows(gauged, "SELECT * FROM water_basin_province ORDER BY 1, 2") == [
        (1, "KOR.15_1", 0.5),
        (1, "KOR.5_1", 0.5),
        (2, "KOR.5_1", 1.0),
    ]
    assert [name for (name,) in rows(gauged, "SELECT basin_name FROM water_basin ORDER BY basin_code")] == [
        *("Han", "Nakdong", "Geum", "Seomjin", "Yeongsan", "Jeju")
    ]


def test_the_outlet_is_the_gauge_with_most_water_among_those_with_twenty_complete_years(gauged, provinces):
    flow(gauged, "G0", 1991, 2010, 10.0)
    flow(gauged, "G1", 1991, 2010, 20.0)
    flow(gauged, "G2", 1991, 2009, 99.0)  # nineteen years
    flow(gauged, "G3", 1991, 2020, 50.0, every=2)  # half of the days are missing
    flow(gauged, "G4", 1971, 1990, 70.0)  # another time
    report = load(gauged, provinces)["water_basin"]
    assert rows(gauged, "SELECT basin_code, outlet_obs_code FROM water_basin WHERE basin_code < 3 ORDER BY 1") == [
        (1, "G1"),
        (2, None),
    ]
    assert "no outlet gauge with 20 complete years: Nakdong, Geum" in report.findings[0].message


def test_a_years_flow_at_all_outlets_is_held_against_the_national_balance(gauged, provinces):
    for basin in (3, 4, 5):
        execute(
            gauged,
            "INSERT INTO api_wamis_stations (obs_code, obs_name, basin_code) VALUES (%s, 'a gauge', %s)",
            f"B{basin}",
            basin,
        )
    for code in ("G0", "G3", "B3", "B4", "B5"):
        flow(gauged, code, 1991, 2010, 10.0)
    messages = [finding.message for finding in load(gauged, provinces)["water_basin"].findings]
    assert "1 value of a mean year's flow at the outlets, km3 outside the usual 30..80, found 1.57788 to 1.57788" in (
        messages
    )


def test_an_outlet_set_by_hand_stays_until_a_refresh(gauged, provinces):
    flow(gauged, "G1", 1991, 2010, 20.0)
    load(gauged, provinces)
    execute(gauged, "UPDATE water_basin SET outlet_obs_code = 'G0' WHERE basin_code = 1")
    flow(gauged, "G4", 1991, 2010, 20.0)
    report = load(gauged, provinces)["water_basin"]
    query = "SELECT outlet_obs_code FROM water_basin WHERE basin_code < 3 ORDER BY basin_code"
    assert rows(gauged, query) == [("G0",), ("G4",)]
    assert report.findings[0].message == "outlet gauges set by hand were kept: Han G0"
    load(gauged, provinces, refresh=True, force=True)
    assert rows(gauged, query) == [("G1",), ("G4",)]


def test_official_polygons_win_over_gauges_and_reach_a_little_beyond_themselves(gauged, provinces):
    geojson(
        provinces / "map/basins.geojson",
        (box(126.9, 35.9, 127.16, 36.2), {"basin_code": 3}),
        (box(127.90, 35.9, 128.0, 36.2), {"basin_code": 11, "basin_name": "Far"}),
    )
    report = load(gauged, provinces)["location_grid"]
    # 127.2 is 3.6 km away, less than half a cell; 127.3 is not
    assert rows(gauged, "SELECT basin_code FROM location_grid WHERE lat_idx = 0 ORDER BY 1") == [
        (3,),
        (3,),
        (3,),
        (None,),
    ]
    assert "2 cells outside every basin" in report.findings[0].message
    assert rows(gauged, "SELECT basin_name FROM water_basin WHERE basin_code = 11") == [("Far",)]


def test_the_second_load_is_up_to_date_and_new_gauges_or_cells_are_not(gauged, provinces):
    load(gauged, provinces)
    assert {report.status for report in load(gauged, provinces).values()} == {"up to date"}
    execute(gauged, "UPDATE location_grid SET has_climate = lon_idx < 2")
    assert load(gauged, provinces)["location_grid"].rows == 4
    assert rows(gauged, "SELECT count(basin_code) FROM location_grid") == [(4,)]
    execute(gauged, "UPDATE api_wamis_stations SET basin_code = 2")
    again = load(gauged, provinces)
    assert [again[table].status for table in ("location_grid", "water_basin_province")] == ["published", "published"]
    assert rows(gauged, "SELECT basin_code, area_weight FROM water_basin_province") == [(2, 0.5), (2, 0.5)]


def test_a_rehearsal_writes_nothing(gauged, provinces):
    assert {report.status for report in load(gauged, provinces, dry_run=True).values()} == {"checked"}
    assert rows(gauged, "SELECT count(*), count(basin_code) FROM location_grid") == [(8, 0)]
    assert rows(gauged, "SELECT count(*) FROM water_basin") == [(0,)]


def test_missing_and_strange_inputs_are_named(warehouse, gauged, provinces, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    execute(gauged, "UPDATE api_wamis_stations SET latitude = NULL")
    with pytest.raises(MissingInputError, match=r"no file provinces\*\.geojson below .* and no gauge with coordinates"):
        load(gauged, empty)
    execute(gauged, "UPDATE api_wamis_stations SET latitude = 36, basin_code = 7")
    with pytest.raises(SchemaError, match=r"basins without a name: \[7\]"):
        load(gauged, provinces)
    execute(gauged, "UPDATE api_wamis_stations SET basin_code = 1")
    geojson(provinces / "map/provinces.geojson", (box(126, 35, 128, 37), {"name_eng": "Atlantis"}))
    with pytest.raises(SchemaError, match=r"province 'Atlantis' is not in provinces_korea\.csv"):
        load(gauged, provinces)
    geojson(provinces / "map/provinces.geojson", (box(126, 35, 128, 37), {"GID_1": "KOR.99_1"}))
    execute(
        gauged,
        "INSERT INTO water_stress_rankings (gid_0, gid_1, name_0, year, scenario, indicator_name, weight)"
        " VALUES ('KOR', 'KOR.1_1', 'South Korea', 2019, 'baseline', 'bws', 'Tot')",
    )
    with pytest.raises(SchemaError, match=r"water_stress_rankings holds no province KOR\.99_1"):
        load(gauged, provinces)
