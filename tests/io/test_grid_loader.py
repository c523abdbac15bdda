"""The lattice: computed or taken from a file, and never exchanged under data."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest

from engine.core.errors import SchemaError
from engine.core.grid import KOREA, GridDefinition
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io.etl import lattice, layout, loading, run_loaders
from engine.io.etl.loaders import grid
from engine.io.etl.loading import LoadOptions
from tests.io import provider
from tests.io.provider import GRID


def load(url, data, *names, **options):
    return run_loaders(url, names or ["grid"], LoadOptions(data=data, **options), lambda what, done=0, total=0: None)


def test_without_a_file_it_is_the_national_lattice_in_seconds(warehouse, tmp_path):
    started = time.perf_counter()
    (report,) = load(warehouse, tmp_path)
    assert time.perf_counter() - started < 60
    assert (report.status, report.rows, report.message) == ("published", 451_351, "")
    with psycopg.connect(warehouse) as connection:
        assert lattice.definition(connection) == KOREA
        rows = connection.execute(
            "SELECT grid_id, lat_idx, lon_idx, latitude::text, longitude::text, has_climate FROM location_grid"
            " WHERE grid_id IN (1, 12017, 451351) ORDER BY 1"
        ).fetchall()
        made = connection.execute("SELECT count(*) FROM pg_class WHERE relname ~ '_data_p[0-9]{2}$'").fetchone()
    assert rows == [
        (1, 0, 0, "33.000000", "124.500000", False),
        (12017, 16, 0, "33.160000", "124.500000", False),
        (451351, 600, 750, "39.000000", "132.000000", False),
    ]
    assert made == (14 * 16,)


def test_the_same_lattice_again_is_up_to_date_and_a_forced_load_keeps_joins(warehouse, tmp_path):
    layout.write_grid(tmp_path / "grid.toml", GRID)
    load(warehouse, tmp_path)
    assert load(warehouse, tmp_path)[0].status == "up to date"
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute("UPDATE location_grid SET basin_code = 3 WHERE grid_id = 5")
        connection.execute("UPDATE location_grid SET latitude = 1 WHERE grid_id = 6")
        connection.execute("DELETE FROM location_grid WHERE grid_id = 7")
        assert load(warehouse, tmp_path, force=True)[0].status == "published"
        rows = connection.execute(
            "SELECT count(*), max(basin_code), min(latitude)::float8 FROM location_grid"
        ).fetchone()
    assert rows == (64, 3, 35.0)


def test_a_lattice_is_taken_from_any_gridded_file(warehouse, tmp_path):
    provider.write(tmp_path / "files", ["wsdi"], scenarios=[Scenario.SSP126])
    provider.write(tmp_path / "files", ["ta"], scenarios=[Scenario.SSP126])
    for name in ("wsdi", "ta"):
        assert grid.read_lattice(provider.path_of(tmp_path / "files", name, Scenario.SSP126)) == GRID


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lat0 = 35.0\n", "has the keys lat0, expected lat0, lon0, n_lat"),
        (
            "lat0 = 35.0\nlon0 = 127\nn_lat = 8.5\nn_lon = 8\nstep = 0.2\nfirst_year = 2021\nlast_year = 2100\n",
            "n_lat = 8.5",
        ),
        (
            "lat0 = 35.0\nlon0 = 127\nn_lat = 8\nn_lon = 8\nstep = 0\nfirst_year = 2021\nlast_year = 2100\n",
            "not a lattice",
        ),
        (
            "lat0 = 35.0\nlon0 = 185\nn_lat = 8\nn_lon = 8\nstep = 1\nfirst_year = 2021\nlast_year = 2100\n",
            r"grid\.toml: lon0 = 185 of a lattice lies outside -180\.\.180: the same meridian is -175",
        ),
        ("lat0 = \n", "cannot be read"),
    ],
)
def test_a_lattice_file_that_says_something_else_is_refused(tmp_path, text, message):
    path = tmp_path / "grid.toml"
    path.write_text(text)
    with pytest.raises(SchemaError, match=message):
        grid.read_lattice(path)


def test_another_lattice_is_refused_while_climate_tables_hold_rows(warehouse, tmp_path):
    provider.write(tmp_path, ["wsdi"])
    load(warehouse, tmp_path, "grid", "yearly_grid", variables=("wsdi",))
    other = tmp_path / "other.toml"
    layout.write_grid(other, replace(GRID, last_year=2099))
    (report,) = load(warehouse, tmp_path, lattice=other)
    assert report.status == "failed"
    assert "wsdi_data holds rows on it" in report.message
    assert "8 x 8 cells of 0.2 degree from 35 N 127 E, 2021-2100" in report.message
    # and a plain rerun without any lattice file keeps what is there
    (tmp_path / "grid.toml").unlink()
    assert load(warehouse, tmp_path)[0].status != "failed"
    with psycopg.connect(warehouse) as connection:
        assert lattice.definition(connection) == GRID


def test_an_unused_lattice_is_replaced_with_everything_keyed_by_it(warehouse, tmp_path):
    layout.write_grid(tmp_path / "grid.toml", GRID)
    load(warehouse, tmp_path)
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute("INSERT INTO grid_attributes (grid_id, dist_coast_m) VALUES (64, 5)")
        layout.write_grid(tmp_path / "grid.toml", replace(GRID, n_lat=40))
        assert load(warehouse, tmp_path)[0].rows == 320
        bands = connection.execute("SELECT count(*) FROM pg_class WHERE relname ~ '^ta_data_p[0-9]{2}$'").fetchone()
        assert bands == (len(GridDefinition(35, 127, 40, 8, 0.2, 2021, 2100).bands()),)
        assert connection.execute("SELECT count(*) FROM grid_attributes").fetchone() == (0,)
        optional = [variable.table for variable in VARIABLES.values() if variable.optional]
        row = connection.execute("SELECT count(*) FROM pg_class WHERE relname = ANY(%s)", (optional,)).fetchone()
        assert row == (0,)


def test_a_forced_load_puts_every_cell_right_and_keeps_what_others_joined(warehouse, tmp_path):
    layout.write_grid(tmp_path / "grid.toml", GRID)
    load(warehouse, tmp_path)
    asked = "SELECT * FROM location_grid ORDER BY grid_id"
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute("UPDATE location_grid SET basin_code = 7 WHERE grid_id = 9")
        before = connection.execute(asked).fetchall()
        connection.execute("DELETE FROM location_grid WHERE grid_id = 5")
        connection.execute("UPDATE location_grid SET latitude = latitude + 0.01, lat_idx = 3 WHERE grid_id = 9")
        connection.execute("INSERT INTO location_grid (grid_id, lat_idx, lon_idx, latitude, longitude)"
                           " VALUES (999, 99, 0, 10, 100)")  # fmt: skip
        (report,) = load(warehouse, tmp_path, force=True)
        assert (report.status, report.findings) == ("published", ())
        assert connection.execute(asked).fetchall() == before


def test_no_statement_asks_for_what_is_not_in_a_list_of_unknown_length():
    # PostgreSQL goes through such a list for every row once it is too long to be hashed (the national lattice was:
    # minutes), and one NULL in it makes the answer empty; NOT EXISTS is a join
    files = sorted((Path(loading.__file__).parents[2]).rglob("*.py"))
    assert len(files) > 100
    assert [path.name for path in files if "NOT IN (SELECT" in path.read_text("utf-8")] == []


def test_ranges_of_cells_come_back_as_they_were():
    ids = np.array([1, 2, 3, 7, 9, 10])
    assert lattice.as_ranges(ids) == [[1, 3], [7, 7], [9, 10]]
    np.testing.assert_array_equal(lattice.from_ranges(lattice.as_ranges(ids)), ids)
    assert len(lattice.from_ranges(lattice.as_ranges(ids[:0]))) == 0
