"""What a request leaves open comes from the warehouse, in bulk and in metres."""

from datetime import date

import numpy as np
import polars as pl
import psycopg
import pyproj
import pytest

from engine.assess.job.enrichment import enrich
from engine.assess.rules.validation import check
from engine.core.scenario import Scenario
from engine.io.db import postgres
from engine.io.sites import site_inputs
from tests.assess.databases import LATITUDE, LONGITUDE, TODAY, add_building, fill_warehouse
from tests.assess.places import BUILDING

GEOD = pyproj.Geod(ellps="WGS84")


@pytest.fixture
def filled(warehouse):
    return warehouse, fill_warehouse(warehouse)


def enriched(url, sites, **settings):
    from engine.assess import AssessConfig

    with postgres.connect(url) as connection:
        config = AssessConfig(grid=site_inputs.grid_definition(connection), **settings)
        return enrich(check(sites), connection, config, today=TODAY)


def here(**changes):
    return pl.DataFrame([{"latitude": LATITUDE, "longitude": LONGITUDE, **changes}])


def test_a_bare_place_takes_everything_from_its_cell_and_the_lines_around_it(filled):
    url, held = filled
    row = enriched(url, here()).checked.valid.row(0, named=True)
    with psycopg.connect(url) as connection:
        attributes = connection.execute(
            "SELECT elevation_mean_m, landcover_mode, impervious_ratio, forest_ratio, dist_forest_m"
            " FROM grid_attributes WHERE grid_id = 7"
        ).fetchone()
    names = ("elevation", "landcover_type", "imperviousness_ratio", "vegetation_ratio", "distance_to_forest_m")
    assert tuple(row[name] for name in names) == pytest.approx(attributes)
    cell = held.cells["grid_id"].to_list().index(7)
    years = slice(0, 30)  # the axis starts in 2021: the first thirty years are the baseline
    rain, dry = (held.arrays[name, Scenario.SSP245][cell, years].astype(float) for name in ("rn", "cdd"))
    assert row["annual_rainfall_mm"] == pytest.approx(rain.sum(axis=1).mean(), rel=1e-12)
    assert row["cdd_days"] == pytest.approx(dry.mean(), rel=1e-12)
    to_coast = GEOD.inv(LONGITUDE, LATITUDE, 126.9, LATITUDE)[2]
    to_river = GEOD.inv(LONGITUDE, LATITUDE, 127.13, 35.11964)[2]
    assert row["distance_to_coast_m"] == pytest.approx(to_coast, rel=1e-3)
    assert row["distance_to_river_m"] == pytest.approx(to_river, abs=0.1)
    assert row["in_flood_zone"] is False


def test_what_the_caller_states_stays(filled):
    url, _ = filled
    stated = {"elevation": 3.5, "distance_to_river_m": 9.0, "in_flood_zone": True, "landcover_type": "mixed-use"}
    row = enriched(url, here(**BUILDING, **stated)).checked.valid.row(0, named=True)
    assert {name: row[name] for name in (*BUILDING, *stated)} == BUILDING | stated
    assert row["building_source"] is None


def test_a_layer_that_is_not_loaded_leaves_its_field_open(filled):
    url, _ = filled
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM map_feature; DELETE FROM grid_attributes; DROP TABLE rn_data, cdd_data CASCADE")
    row = enriched(url, here()).checked.valid.row(0, named=True)
    open_fields = (
        "distance_to_coast_m",
        "distance_to_river_m",
        "in_flood_zone",
        "elevation",
        "annual_rainfall_mm",
        "cdd_days",
    )
    assert [row[name] for name in open_fields] == [None] * 6


@pytest.mark.parametrize(("metres", "found"), [(499.0, True), (501.0, False)])
def test_a_building_counts_up_to_500_metres_and_not_beyond(filled, metres, found):
    url, _ = filled
    bearings, latitudes = [0, 45, 90, 200, 300], [35.02, 35.06, 35.10, 35.14, 35.18]
    with psycopg.connect(url) as connection:
        for bearing, latitude in zip(bearings, latitudes, strict=True):
            east, north, _ = GEOD.fwd(LONGITUDE, latitude, bearing, metres)
            add_building(connection, str(bearing), north, east, structure="목조", floors_above=3)
    sites = pl.DataFrame({"latitude": latitudes, "longitude": [LONGITUDE] * 5})
    filled_in = enriched(url, sites).checked.valid
    assert filled_in["structure"].to_list() == (["목조"] if found else [None]) * 5
    assert filled_in["building_source"].to_list() == (["database"] if found else [None]) * 5


def test_the_nearest_building_is_taken_as_the_register_has_it(filled):
    url, _ = filled
    known = {"use_approval_date": date(1996, 7, 2), "floors_above": 12, "floors_below": 1, "total_area": 4000.0}
    with psycopg.connect(url) as connection:
        add_building(connection, "9", LATITUDE + 0.001, LONGITUDE, structure="철골", total_area=9000.0)
        add_building(connection, "2", LATITUDE, LONGITUDE, structure="벽돌구조", total_area=50.0)
        add_building(connection, "1", LATITUDE, LONGITUDE, structure="철근콘크리트구조", main_purpose=" ", **known)
        add_building(connection, "3", LATITUDE + 0.2, LONGITUDE, floors_above=0, floors_below=99)
    sites = pl.concat([here(), here(latitude=LATITUDE + 0.2)])
    result = enriched(url, sites).checked.valid
    near, far = result.row(0, named=True), result.row(1, named=True)
    assert near["building_age"] == 29  # a day short of thirty years
    assert (near["structure"], near["main_purpose"]) == ("철근콘크리트구조", None)
    assert (near["floors_above"], near["floors_below"], near["floor_area"]) == (12, 1, 4000.0)
    assert (near["has_piloti"], near["fire_access"], near["has_seismic_design"]) == (None, None, None)
    # values outside the fields' ranges count as missing
    assert (far["building_source"], far["floors_above"], far["floors_below"]) == ("database", None, None)


def test_each_point_has_its_region_and_the_population_of_the_region_that_states_one(filled):
    url, _ = filled
    sites = pl.DataFrame(
        {"latitude": [LATITUDE, 35.25, 35.02, 35.33, 35.34], "longitude": [LONGITUDE, 127.25, 127.02, 127.35, 126.96]}
    )
    context = enriched(url, sites).context
    assert context["admin_name"].to_list() == ["봉의동", "요선동", "춘천시", "강원", "강원"]
    assert context["admin_code"][0] == "5111010100"
    assert set(context["population_of"]) == {"강원"}
    assert context["population_2050"].to_list() == [500_000] * 5
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM location_admin")
    assert enriched(url, sites).context["admin_name"].null_count() == 5


def test_a_batch_is_filled_as_its_sites_one_by_one(filled):
    url, _ = filled
    rng = np.random.default_rng(0)
    sites = pl.DataFrame({"latitude": rng.uniform(34.96, 35.34, 30), "longitude": rng.uniform(126.96, 127.44, 30)})
    with psycopg.connect(url) as connection:
        for number, (latitude, longitude) in enumerate(sites.head(10).iter_rows()):
            add_building(connection, str(number), latitude + 0.002, longitude, floors_above=number + 1)
    whole = enriched(url, sites)
    parts = [enriched(url, sites[i]) for i in range(sites.height)]
    singles = pl.concat(part.checked.valid for part in parts)
    assert whole.checked.valid.drop("row").equals(singles.drop("row"))
    assert whole.context.equals(pl.concat(part.context for part in parts))
    assert whole.checked.valid["floors_above"].drop_nulls().to_list() == list(range(1, 11))
