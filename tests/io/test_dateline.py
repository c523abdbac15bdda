"""Lattices on both sides of the date line, up to it, and once round the Earth: files, warehouse, run, places."""

from __future__ import annotations

import math
from contextlib import ExitStack, closing
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import pytest
import rasterio
import shapely
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine.core.cells import choose
from engine.core.errors import SchemaError
from engine.core.grid import KOREA, GridDefinition, from_the_west
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io import open_source
from engine.io.climate import catalog
from engine.io.etl import lattice, layout, places, run_loaders
from engine.io.etl.derive import derive, place_cells
from engine.io.etl.derive.daily import DailyRecord
from engine.io.etl.derive.derive_job import Request
from engine.io.etl.loaders import grid, landcover
from engine.io.etl.loaders.sheets import Sheets
from engine.io.etl.loading import LoadOptions
from engine.io.netcdf import cf, regular
from engine.io.sites import site_inputs
from engine.kernels.indices import DayAxis
from tests.assess.databases import add_building
from tests.io.lattices import quiet
from tests.io.test_derive import read, weather, write
from tests.io.test_stations import placed, short

YEARS = Years(2001, 2012)
ACROSS = GridDefinition(-18.0, 178.0, 3, 4, 1.0, *YEARS)
ELSEWHERE = GridDefinition(-18.0, 148.0, 3, 4, 1.0, *YEARS)
GLOBE = GridDefinition(-90.0, -180.0, 19, 36, 10.0, *YEARS)
UP_TO_IT = GridDefinition(-18.0, 170.0, 3, 11, 1.0, *YEARS)


def turned(path: Path, longitudes: list[float]) -> Path:
    """The file with these longitudes, their columns in ascending order of the numbers."""
    with xr.open_dataset(path, engine="h5netcdf", decode_cf=False) as data:
        changed = data.load().assign_coords(longitude=longitudes).sortby("longitude")
    changed.to_netcdf(path, engine="h5netcdf")
    return path


def result_of(url: str, source: Path, out: Path) -> engine.Result:
    """Daily file -> derived files -> warehouse -> run."""
    derive.derive(Request(files=[source], base=YEARS, scenario=Scenario.SSP245, scope="observed"), out)
    wanted = LoadOptions(data=out, variables=("ta", "rn", "ws", "rhm", "wsdi", "rx5day", "ta_yearly"))
    reports = run_loaders(url, ["grid", "monthly_grid", "yearly_grid"], wanted, quiet)
    assert {report.status for report in reports} == {"published"}
    with closing(open_source(url)) as opened:
        return engine.run(opened, risks=["wildfire", "extreme_heat", "river_flood"])


def test_days_on_both_sides_of_the_date_line_become_the_results_that_they_are_elsewhere(new_database, tmp_path):
    days = weather(DayAxis.of(YEARS, "standard"), ACROSS.n_cells)
    days = {name: days[name] for name in ("tas", "tasmax", "pr", "hurs", "sfcWind")}
    one = write(tmp_path / "one.nc", DayAxis.of(YEARS, "standard"), days, ACROSS)
    other = write(tmp_path / "other.nc", DayAxis.of(YEARS, "standard"), days, ELSEWHERE)
    url = new_database("warehouse")
    here = result_of(url, turned(one, [178.0, 179.0, -180.0, -179.0]), tmp_path / "here")
    there = result_of(new_database("warehouse"), other, tmp_path / "there")

    with psycopg.connect(url, autocommit=True) as connection:
        assert lattice.definition(connection) == ACROSS
        assert grid.check(connection, ACROSS) == []
        row = connection.execute("SELECT array_agg(longitude::text ORDER BY grid_id) FROM location_grid").fetchone()
        assert row[0] == ["178.000000", "179.000000", "180.000000", "-179.000000"] * 3
        connection.execute("UPDATE location_grid SET longitude = 181 WHERE grid_id = 4")
        assert [found.count for found in grid.check(connection, ACROSS)] == [1]
    places_of = here.probability.select("grid_id", "latitude", "longitude").unique().sort("grid_id")
    assert places_of.head(4).rows() == [(1, -18, 178), (2, -18, 179), (3, -18, 180), (4, -18, -179)]
    assert here.probability.drop("longitude").equals(there.probability.drop("longitude"))
    assert here.probability["aal"].to_numpy().tobytes() == there.probability["aal"].to_numpy().tobytes()
    assert here.probability["aal"].drop_nulls().len() == 33  # the last cell is sea
    assert here.hazard.drop("longitude").equals(there.hazard.drop("longitude"))


@pytest.mark.parametrize("longitudes", [[178.0, 179.0, 180.0, 181.0], [-182.0, -181.0, -180.0, -179.0]])
def test_derived_files_ascend_across_the_date_line_however_the_days_count_it(longitudes, tmp_path):
    axis = DayAxis.of(YEARS, "standard")
    rain = {"pr": weather(axis, ACROSS.n_cells)["pr"]}
    source = turned(write(tmp_path / "in.nc", axis, rain, ACROSS), longitudes)
    derive.derive(Request(files=[source], base=YEARS, scenario=Scenario.SSP245), tmp_path)
    path = layout.gridded_path(tmp_path, VARIABLES["rx1day"], Scenario.SSP245, YEARS)
    with xr.open_dataset(path, engine="h5netcdf") as data:
        assert data["longitude"].to_numpy().tolist() == [178.0, 179.0, 180.0, 181.0]
    assert grid.read_lattice(path) == ACROSS
    largest = rain["pr"][:, :365].max(axis=1)
    np.testing.assert_array_equal(read(tmp_path, "rx1day", grid=ACROSS)[:-1, 0], largest[:-1])


@given(
    west=st.integers(-18_000, 18_000),
    step=st.sampled_from([0.25, 1.0, 7.0, 10.0]),
    columns=st.integers(1, 1440),
    longitude=st.floats(-180, 180),
    turn=st.sampled_from([-360, 0, 360]),
)
def test_a_place_lies_in_the_column_whose_meridian_is_within_half_a_step(west, step, columns, longitude, turn):
    held = GridDefinition(0.0, west / 100, 1, min(columns, int(360 / step)), step, *YEARS)
    apart = (longitude - held.longitudes + 180) % 360 - 180
    if (np.abs(np.abs(apart) - step / 2) < 1e-6).any():
        return  # on a border
    near = np.flatnonzero(np.abs(apart) < step / 2)
    assert int(held.locate(0.0, longitude + turn)) == (near[0] + 1 if len(near) else 0)


@given(column=st.integers(0, 750), share=st.floats(-0.6, 0.6))
def test_within_a_lattice_that_does_not_cross_no_longitude_changes_a_bit(column, share):
    longitude = KOREA.longitudes[column] + min(max(share, -0.5), 0.499) * KOREA.step
    assert KOREA.eastward(longitude) == longitude
    assert (KOREA.longitudes == KOREA.meridians).all()
    assert KOREA.locate(35.0, [math.inf, -math.inf, math.nan]).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("held", "last", "beyond"),
    [
        (ACROSS, [180.0, -179.0], 181.0),
        (UP_TO_IT, [179.0, 180.0], 180.0),
        (GLOBE, [160.0, 170.0], 170.0),
        (GridDefinition(0.0, 180.0, 1, 2, 0.5, *YEARS), [180.0, -179.5], 180.5),
        (GridDefinition(0.0, -180.0, 1, 540, 0.666667, *YEARS), [178.666846, 179.333513], 179.333513),
    ],
)
def test_longitudes_are_stated_in_one_range_and_written_ascending(held, last, beyond):
    assert held.longitudes[-2:].tolist() == last
    assert held.meridians[-1] == beyond
    assert (np.diff(held.meridians) > 0).all()
    north = np.full(held.n_lon, held.lat0)
    assert held.locate(north, held.longitudes).tolist() == list(range(1, held.n_lon + 1))
    rows, columns = regular.positions(held.latitudes, cf.wrapped(held.meridians), held, "x")
    assert (rows.tolist(), columns.tolist()) == (list(range(held.n_lat)), list(range(held.n_lon)))


@pytest.mark.parametrize(
    ("longitudes", "west", "columns"),
    [
        ([178.0, 179.0, -180.0, -179.0], 178.0, 4),
        ([-179.0, 180.0, 178.0, 179.0], 178.0, 4),
        ([179.5, 180.5], 179.5, 2),
        (np.arange(360.0), -180.0, 360),
        (np.arange(-180.0, 180.0), -180.0, 360),
        (np.arange(10.0, 369.0), 10.0, 359),
        (np.arange(170.0, 181.0), 170.0, 11),
    ],
)
def test_the_lattice_of_a_file_begins_east_of_the_widest_gap(longitudes, west, columns):
    wrapped = cf.wrapped(np.asarray(longitudes))
    assert regular.lattice_of(np.arange(3.0), wrapped, "x") == (0.0, west, 3, columns, 1.0)
    np.testing.assert_allclose(np.diff(from_the_west(wrapped)), 1.0)


@pytest.mark.parametrize(
    ("lon0", "n_lon", "message"),
    [
        (-180, 361, r"grid\.toml: 361 columns of 1 degree go more than once round .* -180 is twice among them"),
        (200, 4, r"grid\.toml: lon0 = 200 of a lattice lies outside -180\.\.180: the same meridian is -160"),
        ("inf", 4, r"grid\.toml: lon0 = inf of a lattice lies outside"),
    ],
)
def test_a_lattice_more_than_once_round_or_counted_from_elsewhere_is_refused(lon0, n_lon, message, tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(f"lat0 = 0\nlon0 = {lon0}\nn_lat = 2\nn_lon = {n_lon}\nstep = 1\nfirst_year = 1\nlast_year = 2\n")
    with pytest.raises(SchemaError, match=message):
        grid.read_lattice(path)


def cells_of(held: GridDefinition, ids: list[int] | None = None) -> pl.DataFrame:
    chosen = np.array(ids or range(1, held.n_cells + 1))
    rows, columns = held.indices(chosen)
    place = {"latitude": held.latitudes[rows], "longitude": held.longitudes[columns]}
    return pl.DataFrame({"grid_id": chosen.astype(np.int32), **place})


#: two coasts of one ocean with nothing between them, on a lattice that does not cross
PACIFIC = GridDefinition(0.0, -120.0, 2, 271, 1.0, *YEARS)


@pytest.mark.parametrize(
    ("held", "ids"),
    [(ACROSS, None), (UP_TO_IT, None), (GLOBE, None), (PACIFIC, [1, 2, 270, 271, 272, 541, 542]), (ACROSS, [1, 2, 12])],
)
def test_a_warehouse_without_a_definition_shows_its_lattice_across_the_date_line(held, ids):
    cells = cells_of(held, ids)
    found = catalog.lattice(cells, YEARS)
    if ids == [1, 2, 12]:
        held = GridDefinition(-18.0, 178.0, 3, 4, 1.0, *YEARS)
    assert found == held
    shifted = cells.with_columns(pl.col("grid_id") + 1)
    assert catalog.lattice(shifted, YEARS) is None


def test_one_meridian_under_two_numbers_is_no_lattice():
    cells = pl.DataFrame({"grid_id": range(1, 362), "latitude": [0.0] * 361, "longitude": np.arange(-180.0, 181.0)})
    assert catalog.lattice(cells, YEARS) is None


def test_sites_beside_the_date_line_have_each_their_cell_and_one_outside_has_none():
    held = GridDefinition(-18.0, 179.1, 8, 8, 0.2, *YEARS)
    chosen = choose([-17.0] * 5, [179.9, -179.9, -179.5, 177.0, -179.3], held, None)
    assert chosen.grid_id.tolist() == [45, 46, 48, 0, 0]
    assert chosen.metres[:3] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(
    ("held", "longitude", "known", "expected"),
    [
        (ACROSS, 179.9, {4}, 4),  # the next cell, on the other side
        (ACROSS, -178.3, {4}, 4),  # east of the lattice
        (ACROSS, 177.3, {1}, 1),  # west of it
        (ACROSS, 176.0, {1}, 0),
        (GLOBE, 177.0, {36 * 7 + 36}, 36 * 7 + 36),  # once round, from the first column to the last
        (GLOBE, 173.0, {36 * 7 + 1}, 36 * 7 + 1),
    ],
)
def test_the_nearest_cell_with_results_may_lie_across_the_date_line(held, longitude, known, expected):
    north = -18.0 if held is ACROSS else -20.0
    chosen = choose(north, longitude, held, lambda cells: np.isin(cells, list(known)))
    assert chosen.grid_id.tolist() == [expected]
    assert expected == 0 or chosen.metres[0] < 1.2 * 111_195 * held.step


def test_sheets_of_land_cover_that_count_the_date_line_differently_are_one_raster(tmp_path, monkeypatch):
    monkeypatch.setattr(landcover, "_DISTANCE_NODES", 600)  # a node a pixel
    held = GridDefinition(-18.0, 179.0, 2, 3, 1.0, *YEARS)
    forest, urban = landcover.CLASSES.index("forest"), landcover.CLASSES.index("urban")
    for name, west, value in (("a.tif", -181.5, forest), ("b.tif", 178.5, urban)):  # the same 3 x 2 degrees
        transform = Affine(0.1, 0, west, 0, -0.1, -16.5)
        with rasterio.open(
            tmp_path / name, "w", driver="GTiff", width=30, height=20, count=1, dtype="uint8", crs="EPSG:4326",
            transform=transform, nodata=255,
        ) as file:  # fmt: skip
            values = np.full((20, 30), value, np.uint8)
            values[:, :10] = 255 if value == forest else value  # the first sheet is empty in its west
            file.write(values, 1)
    with ExitStack() as stack:
        sheets = Sheets(stack, [tmp_path / "a.tif", tmp_path / "b.tif"], {forest: forest, urban: urban}, held, None)
        counts, where = landcover._count(sheets, held, quiet)
    expected = np.zeros((7, len(landcover.CLASSES)), np.int64)
    expected[[1, 4], urban], expected[[2, 3, 5, 6], forest] = 100, 100
    np.testing.assert_array_equal(counts, expected)
    cells = cells_of(held)
    far = where.distances(places.Cells(*(cells[name].to_numpy() for name in cells.columns)))["dist_forest_m"]
    assert (far > 0).to_list() == [True, False, False] * 2


def test_features_across_the_date_line_are_found_and_measured(warehouse):
    coast = shapely.LineString([(-179.98, -19.0), (-179.98, -16.0)])
    zone = shapely.box(-180.0, -17.1, -179.9, -16.9)
    with psycopg.connect(warehouse) as connection:
        far, river, other = (shapely.LineString([(x, -19.0), (x, -16.0)]) for x in (0.0, 179.98, -179.94))
        shapes = [("coastline", coast), ("coastline", far), ("river", river), ("river", other), ("flood_zone", zone)]
        for number, (layer, shape) in enumerate(shapes):
            connection.execute(
                "INSERT INTO map_feature VALUES (%s, %s, NULL, NULL, %s, %s, %s, %s, %s)",
                (layer, number, *shape.bounds, shapely.to_wkb(shape)),
            )
        latitude, longitude = np.array([-17.0, -17.0]), np.array([179.97, -179.95])
        reach = np.array([6_000.0, 6_000.0])
        metres = site_inputs.distance_to(connection, "coastline", latitude, longitude, reach, 1_000.0)
        alone = site_inputs.distance_to(connection, "coastline", latitude[:1], longitude[:1], reach[:1], 1_000.0)
        assert len(site_inputs._features(connection, "coastline", latitude, longitude, 6_000.0)[1]) == 1
        west = site_inputs.distance_to(connection, "river", latitude[:1], np.array([-179.99]), reach[:1], 1_000.0)
        inside = site_inputs.in_flood_zone(connection, latitude, longitude)
        add_building(connection, "1", -17.0, -179.9995)
        add_building(connection, "2", -17.5, 179.9995)
        beside = np.array([-17.0, -17.5, -17.2]), np.array([179.9995, -179.9995, 180.0])
        register = site_inputs.nearest_buildings(connection, *beside, 500.0, date(2026, 7, 1))
    degree = 111_319.5 * math.cos(math.radians(17.0))  # near enough: the ellipsoid differs by 0.3 %
    np.testing.assert_allclose(metres, [0.05 * degree, 0.03 * degree], rtol=0.005)
    np.testing.assert_allclose(alone, metres[:1], rtol=1e-3)
    np.testing.assert_allclose(west, 0.03 * degree, rtol=0.005)
    assert inside.tolist() == [False, True]
    assert register["found"].to_list() == [True, True, False]
    cells = places.Cells(np.array([1, 2], np.int32), latitude, np.array([179.99, 179.5]))
    assert places.holder_or_nearest(cells, np.array([zone], object)).tolist() == [0, -1]


@pytest.mark.parametrize(
    ("longitudes", "step", "west", "columns"),
    [
        ([-179.99, -178.0], 1.1, 179.6, 3),  # the multiple of the step at or before -179.99 is -180.4
        ([44.0, 115.0, -174.0, -103.0, -32.0], 90.0, 0.0, 4),  # the fifth column would be the first again
    ],
)
def test_places_get_a_lattice_that_begins_in_range_and_goes_round_once(longitudes, step, west, columns, tmp_path):
    one = placed(short()).filter(station_id="108").with_columns(latitude=0.0)
    parts = [one.with_columns(longitude=at, station_id=pl.lit(str(at))) for at in longitudes]
    pl.concat(parts).write_csv(tmp_path / "t.csv")
    with ExitStack() as stack:
        held = place_cells.lattice(DailyRecord.open(stack, [tmp_path / "t.csv"]), step, YEARS)
    assert (held.lon0, held.n_lon) == (pytest.approx(west), columns)
    assert (held.locate(np.zeros(len(longitudes)), longitudes) > 0).all()
