"""The function `climate_data`: the series of a cell, by SQL alone."""

import numpy as np
import psycopg
import pytest
from psycopg import errors

from engine.core.grid import GridDefinition
from engine.core.scenario import Scenario
from engine.io.db import migrate
from tests.warehouses import fill

LATTICES = [
    GridDefinition(33.0, 124.5, 601, 751, 0.01, 2021, 2100),
    GridDefinition(-17.0, 177.0, 30, 60, 0.1, 2021, 2100),  # across the date line
    GridDefinition(-89.75, -180.0, 360, 720, 0.5, 2021, 2100),  # once round
]


@pytest.fixture(scope="module")
def warehouse(server):
    url = server.create("climate_data")
    with psycopg.connect(url, autocommit=True) as connection:
        migrate.apply(connection, "warehouse")
    return url, fill(url)


def test_the_series_of_a_place_are_those_of_its_cell(warehouse):
    url, filled = warehouse
    grid_id, latitude, longitude = filled.cells.select("grid_id", "latitude", "longitude").row(6)
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT variable, year, month, ssp1, ssp2, ssp3, ssp5 FROM climate_data(%s, %s)",
            (float(latitude) + 0.03, float(longitude) - 0.04),
        ).fetchall()
        cell = connection.execute("SELECT climate_cell(%s, %s)", (latitude, longitude)).fetchone()
    assert cell == (grid_id,)
    found = {}
    for variable, year, month, *values in rows:
        found.setdefault(variable, []).append((year, month, *values))
    assert set(found) == {variable for variable, _ in filled.arrays} | {"sea_level"}
    for (variable, scenario), array in filled.arrays.items():
        ours = np.array([row[2 + list(Scenario).index(scenario)] for row in found[variable]], np.float32)
        assert np.array_equal(ours, array[6].ravel(), equal_nan=True), variable
        months = [row[1] for row in found[variable]]
        assert set(months) == (set(range(1, 13)) if array.ndim == 3 else {None})
    assert [row[0] for row in found["sea_level"]] == list(range(2015, 2101))


@pytest.mark.parametrize("grid", LATTICES, ids=["Korea", "date line", "globe"])
def test_a_place_has_the_cell_that_the_engine_gives_it(warehouse, grid):
    url, _ = warehouse
    rng = np.random.default_rng(5)
    latitude = np.r_[rng.uniform(-90, 90, 300), rng.uniform(33, 39, 300), grid.latitudes[[0, -1]], 36.005, -12.05]
    longitude = np.r_[
        rng.uniform(-360, 540, 300), rng.uniform(124, 133, 300), grid.longitudes[[0, -1]], 127.005, 179.95
    ]
    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE grid_definition SET lat0 = %s, lon0 = %s, n_lat = %s, n_lon = %s, step = %s",
            (grid.lat0, grid.lon0, grid.n_lat, grid.n_lon, grid.step),
        )
        rows = connection.execute(
            "SELECT coalesce(climate_cell(a, b), 0) FROM unnest(%s::float8[], %s::float8[])"
            " WITH ORDINALITY AS t(a, b, n) ORDER BY n",
            (latitude.tolist(), longitude.tolist()),
        ).fetchall()
        connection.rollback()
    assert [number for (number,) in rows] == grid.locate(latitude, longitude).tolist()


def test_the_plan_reads_one_band_of_each_table_by_its_index(warehouse):
    url, _ = warehouse
    with psycopg.connect(url) as connection:
        connection.execute("SET enable_seqscan = off")  # tables of some pages are read whole otherwise
        ((query,),) = connection.execute("SELECT climate_data_query(35.1, 127.2)").fetchall()
        plan = "\n".join(line for (line,) in connection.execute(f"EXPLAIN {query}").fetchall())
    assert "Seq Scan" not in plan
    tables = query.count("WHERE grid_id = 8")
    assert plan.count("Bitmap Index Scan") - 1 == plan.count("_p01_grid_id_idx") == tables > 10, plan  # and the sea
    assert "_data_p02" not in plan


def test_a_place_outside_has_no_rows_and_an_unknown_variable_is_refused_by_name(warehouse):
    url, _ = warehouse
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM climate_data(10, 10)").fetchone() == (0,)
        wanted = connection.execute("SELECT DISTINCT variable FROM climate_data(35.1, 127.2, ARRAY['wsdi', 'ta'])")
        assert sorted(wanted.fetchall()) == [("ta",), ("wsdi",)]
        with pytest.raises(errors.UndefinedObject, match="climate_data knows no rain, snow: there are cdd, csdi"):
            connection.execute("SELECT * FROM climate_data(35.1, 127.2, ARRAY['rain', 'ta', 'snow'])")
