"""Regions of any country: layers with a name field, their codes, the levels, and Aqueduct's regions as basins."""

from __future__ import annotations

import polars as pl
import psycopg
import pytest

from engine.core import country, profile_file
from engine.core.errors import SchemaError, SettingsError
from engine.core.grid import GridDefinition
from engine.io.climate import boundaries
from engine.io.etl.loaders import admin, basins
from engine.io.etl.loading import LoadOptions
from engine.io.files.source_files import MissingInputError
from engine.io.sites import place_names
from engine.report import places
from tests.io.lattices import box, geojson, lay, quiet

#: a part of Iberia
GRID = GridDefinition(40.0, -6.0, 4, 6, 0.5, 2021, 2100)
CORNERS = pl.DataFrame({"grid_id": [1, 24], "latitude": [40.0, 41.5], "longitude": [-6.0, -3.5]})
WEST, EAST = box(-6.3, 39.7, -4.75, 41.8), box(-4.75, 39.7, -3.2, 41.8)
TWO_LEVELS = """
base = "generic"
[[regions.levels]]
word = "state"
several = "states"
layer = "states"
[[regions.levels]]
word = "county"
several = "counties"
layer = "counties"
"""


@pytest.fixture(autouse=True)
def _anywhere():
    with country.chosen(profile_file.load("generic")):
        yield


@pytest.fixture
def lattice(warehouse):
    with psycopg.connect(warehouse, autocommit=True) as connection:
        lay(connection, GRID, active=range(1, GRID.n_cells + 1))
    return warehouse


def load(url, data, loader=admin, **options):
    with psycopg.connect(url, autocommit=True) as connection:
        return loader.load(connection, LoadOptions(data=data, **options), quiet)


def ask(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_a_layer_with_names_alone_gets_codes_that_stay_when_its_order_changes(lattice, tmp_path):
    file = tmp_path / "elsewhere" / "borders.geojson"
    geojson(file, (WEST, {"NAME": "Extremadura"}), (EAST, {"NAME": "Castilla-La Mancha", "pop_est": 2_100_000}))
    (report, cells) = load(lattice, tmp_path / "data", regions=file)
    assert (report.rows, cells.rows) == (2, GRID.n_cells)
    assert "made from the names" in report.findings[0].message
    first = ask(
        lattice, "SELECT admin_name, admin_code, sido_code, level, population_current FROM location_admin ORDER BY 1"
    )
    assert [(name, level, people) for name, _, _, level, people in first] == [
        ("Castilla-La Mancha", 1, 2_100_000),
        ("Extremadura", 1, None),
    ]
    assert all(code == sido and len(code) == 10 for _, code, sido, _, _ in first)
    north = box(-6.3, 41.8, -3.2, 42.5)
    geojson(
        file,
        (north, {"NAME": "Castilla y León"}),
        (EAST, {"NAME": "Castilla-La Mancha"}),
        (WEST, {"NAME": "Extremadura"}),
    )
    load(lattice, tmp_path / "data", regions=file)
    after = dict(ask(lattice, "SELECT admin_name, admin_code FROM location_admin"))
    assert {name: code for name, code, *_ in first}.items() <= after.items()


def test_its_own_codes_are_kept_and_regions_are_found_by_name_drawn_and_reported(lattice, tmp_path):
    geojson(
        tmp_path / "regions.geojson",
        (WEST, {"name": "Extremadura", "code": "ES43"}),
        (EAST, {"name": "Madrid", "code": "11"}),
    )
    load(lattice, tmp_path)
    with psycopg.connect(lattice) as connection:
        (found,) = place_names.search(connection, "madrid", 5)
        # 11 is Seoul among Korea's codes
        assert (found.code, found.name, found.english, found.level) == ("11", "Madrid", None, "province")
        held = places.of_warehouse(connection, CORNERS, GRID.step)
        assert held.cells["province"].unique().sort().to_list() == ["Extremadura", "Madrid"]
        assert held.cells["town"].null_count() == GRID.n_cells
        assert len(boundaries.provinces(connection)) == 2


def test_smaller_regions_lie_in_the_larger_that_hold_them(lattice, tmp_path):
    (tmp_path / "iberia.toml").write_text(TWO_LEVELS)
    geojson(tmp_path / "states.geojson", (WEST, {"name": "West", "code": "W"}), (EAST, {"name": "East", "code": "E"}))
    halves = (box(-6.3, 39.7, -4.75, 40.8), box(-6.3, 40.8, -4.75, 41.8), EAST)
    geojson(
        tmp_path / "counties.geojson",
        *((half, {"name": "Centre"}) for half in halves[:2]),
        (halves[2], {"name": "Centre"}),
    )
    with country.chosen(profile_file.load(tmp_path / "iberia.toml")):
        load(lattice, tmp_path)
        rows = ask(
            lattice,
            "SELECT sido_code, count(DISTINCT sigungu_code) FROM location_admin WHERE level = 2 GROUP BY 1 ORDER BY 1",
        )
        assert rows == [("E", 1), ("W", 2)]  # three regions of one name are three
        with psycopg.connect(lattice) as connection:
            held = places.of_warehouse(connection, CORNERS, GRID.step)
    assert set(held.cells["town"]) == {"Centre, East", "Centre, West"}
    away = box(10, 40, 11, 41)
    geojson(tmp_path / "counties.geojson", (away, {"name": "Sardinia"}))
    with (
        country.chosen(profile_file.load(tmp_path / "iberia.toml")),
        pytest.raises(SchemaError, match="'Sardinia', lie in no region of the larger"),
    ):
        load(lattice, tmp_path)


@pytest.mark.parametrize(
    ("properties", "options", "error", "said"),
    [
        ({"bezeichnung": "Uri"}, {}, SchemaError, r"known to hold names \(bezeichnung\): say which with --region-name"),
        ({"bezeichnung": "Uri"}, {"region_name": "bezeichnun"}, SettingsError, "it has bezeichnung; did you mean"),
        ({"name": " "}, {}, SchemaError, "feature 1: property name: it is empty: each region needs a name"),
        ({"name": "Uri", "code": "a code with blanks"}, {}, SchemaError, "no code of at most 20 characters"),
        ({"name": "Uri", "population": "many"}, {}, SchemaError, "'many' is no number of persons"),
    ],
)  # fmt: skip
def test_a_layer_that_cannot_serve_is_refused_in_a_sentence(lattice, tmp_path, properties, options, error, said):
    geojson(tmp_path / "regions.geojson", (WEST, properties))
    with pytest.raises(error, match=said):
        load(lattice, tmp_path, **options)
    assert ask(lattice, "SELECT count(*) FROM location_admin") == [(0,)]


def test_lines_are_no_regions_and_korea_has_codes_of_its_own(lattice, tmp_path):
    coast = {"type": "LineString", "coordinates": [(-6, 40), (-5, 41)]}
    file = geojson(tmp_path / "regions.geojson", (coast, {"name": "Coast"}))
    with pytest.raises(SchemaError, match="region 'Coast' has no area, it is LineString"):
        load(lattice, tmp_path)
    with (
        country.chosen(profile_file.load("korea")),
        pytest.raises(SettingsError, match="COUNTRY korea has legal-dong codes"),
    ):
        load(lattice, tmp_path, regions=file)


def rank(url, *rows):
    with psycopg.connect(url, autocommit=True) as connection:
        for gid_0, gid_1, name in rows:
            connection.execute(
                "INSERT INTO water_stress_rankings (gid_0, gid_1, name_0, name_1, year, scenario, indicator_name,"
                " weight, score) VALUES (%s, %s, 'somewhere', %s, 2019, 'baseline', 'bws', 'Tot', 2.5)",
                (gid_0, gid_1, name),
            )


def test_regions_that_aqueduct_knows_are_the_basins_where_there_is_no_gauge(lattice, tmp_path):
    rank(lattice, ("ESP", "ESP.11_1", "Extremadura"), ("ESP", "ESP.8_1", "Madrid"), ("PHL", "PHL.9_1", "Madrid"))
    geojson(
        tmp_path / "regions.geojson",
        (WEST, {"name": "EXTREMADURA"}),
        (EAST, {"name": "Madrid", "iso_a3": "esp"}),
        (box(-3.2, 39.7, -3.0, 41.8), {"name": "Nowhere"}),
    )
    reports = {report.table: report for report in load(lattice, tmp_path, basins)}
    assert "knows no region Nowhere" in reports["water_basin"].findings[0].message
    assert ask(lattice, "SELECT basin_code, basin_name, outlet_obs_code FROM water_basin ORDER BY 1") == [
        (1, "EXTREMADURA", None),
        (2, "Madrid", None),
    ]
    assert ask(lattice, "SELECT basin_code, gid_1, area_weight FROM water_basin_province ORDER BY 1") == [
        (1, "ESP.11_1", 1.0),
        (2, "ESP.8_1", 1.0),
    ]
    assert ask(lattice, "SELECT DISTINCT basin_code FROM location_grid ORDER BY 1") == [(1,), (2,)]


def test_without_aqueduct_or_with_regions_that_it_does_not_know_water_stress_is_not_given(lattice, tmp_path):
    geojson(tmp_path / "regions.geojson", (WEST, {"name": "Madrid"}))
    with pytest.raises(MissingInputError, match="load `aqueduct` first"):
        load(lattice, tmp_path, basins)
    rank(lattice, ("ESP", "ESP.8_1", "Madrid"), ("PHL", "PHL.9_1", "Madrid"))  # two of one name are told by no name
    with pytest.raises(
        MissingInputError, match=r"knows none of 1 region \(Madrid\): give them its ids as property gid_1"
    ):
        load(lattice, tmp_path, basins)
