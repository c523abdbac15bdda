"""Sea level on its curvilinear grid, and the nearest ocean point of every cell."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest

from engine.core.grid import GridDefinition
from engine.core.scenario import Scenario
from engine.io.etl import layout, run_loaders
from engine.io.etl.loading import LoadOptions
from tests.io.provider import GRID, rewrite

J_IDX, I_IDX = np.indices((10, 8))
LATITUDE = 33.49 + 0.96 * J_IDX + 0.03 * I_IDX
LONGITUDE = 124.5 + I_IDX + 0.05 * J_IDX
RISE = {scenario: 30.0 + 15 * int(scenario) for scenario in Scenario}


def values(scenario: Scenario, masked: bool = True) -> np.ndarray:
    years = np.arange(86)[:, None, None] / 85
    block = 20 + RISE[scenario] * years + 0.1 * J_IDX + 0.01 * I_IDX
    if masked:
        block[:, :2, :3] = np.nan
    return block.astype(np.float32)


def write(root, factor=1.0, scenarios=tuple(Scenario), scope="full", first=2015, make=values, at=(LATITUDE, LONGITUDE)):
    for scenario in scenarios:
        block = (make(scenario) * factor).astype(np.float32)
        path = layout.sea_level_path(root, scenario, first, first + len(block) - 1)
        layout.write_sea_level(path, *at, block, first, scope=scope, attributes={})


def load(url, root, *names, **options):
    found = run_loaders(url, names, LoadOptions(data=root, **options), lambda what, done=0, total=0: None)
    return {report.table or report.loader: report for report in found}


def ask(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def haversine(a, b):
    lat1, lon1, lat2, lon2 = map(np.radians, (*a, *b))
    h = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371.0088 * np.arcsin(np.sqrt(h))


@pytest.mark.parametrize("order", [("grid", "sea_level"), ("sea_level", "grid")])
def test_eighty_points_and_the_nearest_ocean_point_whichever_comes_last(warehouse, tmp_path, order):
    write(tmp_path)
    layout.write_grid(tmp_path / "grid.toml", GRID)
    for name in order:
        report = load(warehouse, tmp_path, name)
        assert {one.status for one in report.values()} == {"published"}
    assert ask(warehouse, "SELECT count(*), count(*) FILTER (WHERE is_ocean) FROM sea_level_grid") == [(80, 74)]
    assert ask(warehouse, "SELECT count(*), min(year), max(year) FROM sea_level_data") == [(74 * 86, 2015, 2100)]
    ocean = np.flatnonzero(~np.isnan(values(Scenario.SSP126)[0]).ravel())
    for latitude, longitude, point in ask(
        warehouse,
        "SELECT latitude::float8, longitude::float8, slr_grid_id FROM location_grid ORDER BY grid_id LIMIT 20",
    ):
        distances = [haversine((latitude, longitude), (LATITUDE.flat[k], LONGITUDE.flat[k])) for k in ocean]
        assert point == ocean[int(np.argmin(distances))] + 1


def test_values_are_stored_by_j_and_i(warehouse, tmp_path):
    write(tmp_path)
    load(warehouse, tmp_path, "sea_level")
    rows = ask(
        warehouse,
        "SELECT j_idx, i_idx, year, ssp1, ssp2, ssp3, ssp5 FROM sea_level_data JOIN sea_level_grid USING (grid_id)",
    )
    expected = {scenario: values(scenario) for scenario in Scenario}
    for j, i, year, *found in rows:
        np.testing.assert_array_equal(np.float32(found), [expected[s][year - 2015, j, i] for s in Scenario])
    assert ask(warehouse, "SELECT bool_and(grid_id = j_idx * 8 + i_idx + 1) FROM sea_level_grid") == [(True,)]


def test_metres_are_recognised_and_said(warehouse, tmp_path):
    write(tmp_path, factor=0.01)
    report = load(warehouse, tmp_path, "sea_level")["sea_level_data"]
    assert report.status == "published"
    assert "unit cm, taken as metres because no value reaches 3" in {finding.message for finding in report.findings}
    ((largest,),) = ask(warehouse, "SELECT max(ssp5) FROM sea_level_data")
    assert largest == pytest.approx(np.nanmax(values(Scenario.SSP585)), rel=1e-5)


def test_levels_in_metres_and_millimetres_are_stored_in_centimetres(warehouse, tmp_path):
    write(tmp_path)
    stated = {Scenario.SSP126: ("mm", 10), Scenario.SSP245: ("m", 0.01)}
    for scenario, (unit, factor) in stated.items():

        def change(data, unit=unit, factor=factor):
            name = layout.SEA_LEVEL_NAME
            land = data[name] == data[name].attrs["_FillValue"]
            attributes = dict(data[name].attrs, units=unit)
            data[name] = data[name].where(land, data[name] * np.float32(factor)).assign_attrs(attributes)
            return data

        rewrite(layout.sea_level_path(tmp_path, scenario, 2015, 2100), change)
    assert load(warehouse, tmp_path, "sea_level")["sea_level_data"].status == "published"
    found = ask(warehouse, "SELECT max(ssp1), max(ssp2), max(ssp3), max(ssp5) FROM sea_level_data")[0]
    assert found == pytest.approx([float(np.nanmax(values(scenario))) for scenario in Scenario], rel=1e-5)


def test_one_gauge_of_one_scenario_with_missing_years(warehouse, tmp_path):
    def one(scenario):
        block = np.linspace(0, 12, 40, dtype=np.float32).reshape(40, 1, 1)
        block[5] = np.nan
        return block

    at = (np.array([[37.45]]), np.array([[126.59]]))
    write(tmp_path, scenarios=[Scenario.SSP245], scope="observed", first=1976, make=one, at=at)
    layout.write_grid(tmp_path / "grid.toml", GridDefinition(37.57, 126.97, 1, 1, 0.01, 1976, 2015))
    reports = load(warehouse, tmp_path, "grid", "sea_level", scope="observed")
    assert reports["sea_level_data"].status == "published"
    assert [f.severity for f in reports["sea_level_data"].findings] == ["W"]
    assert ask(
        warehouse,
        "SELECT count(*), count(*) FILTER (WHERE ssp2 = 'NaN'), count(*) FILTER (WHERE ssp1 <> 'NaN')"
        " FROM sea_level_data",
    ) == [(40, 1, 0)]
    assert ask(warehouse, "SELECT slr_grid_id FROM location_grid") == [(1,)]


def test_a_reload_with_other_points_leaves_no_cell_pointing_at_an_old_one(warehouse, tmp_path):
    write(tmp_path / "one")
    layout.write_grid(tmp_path / "one" / "grid.toml", GRID)
    load(warehouse, tmp_path / "one", "grid", "sea_level")
    assert load(warehouse, tmp_path / "one", "sea_level")["sea_level_data"].status == "up to date"

    def few(scenario):
        return values(scenario, masked=False)[:, :2, :2]

    write(tmp_path / "two", make=few, at=(LATITUDE[:2, :2], LONGITUDE[:2, :2]))
    assert load(warehouse, tmp_path / "two", "sea_level")["sea_level_data"].status == "published"
    assert ask(warehouse, "SELECT count(*) FROM sea_level_grid") == [(4,)]
    assert ask(warehouse, "SELECT max(slr_grid_id) <= 4 AND min(slr_grid_id) >= 1 FROM location_grid") == [(True,)]


def test_a_missing_scenario_and_values_out_of_range_are_refused(warehouse, tmp_path):
    write(tmp_path / "three", scenarios=list(Scenario)[:3])
    report = load(warehouse, tmp_path / "three", "sea_level")["sea_level"]
    assert "1 of 4 scenario files are missing: ssp5_8_5_slr_annual_mean_*.nc" in report.message
    write(tmp_path / "high", factor=5)
    report = load(warehouse, tmp_path / "high", "sea_level")["sea_level_data"]
    assert "values of ssp1 outside -50..200" in report.message
    assert ask(warehouse, "SELECT count(*) FROM sea_level_grid") == [(0,)]
