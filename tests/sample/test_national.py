import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from engine.batch.plan import make_plan
from engine.batch.request import Request
from engine.core.errors import SettingsError
from engine.core.grid import GridDefinition
from engine.core.quality import load_ranges, outside
from engine.core.scenario import Scenario
from engine.io import open_source
from engine.io.climate import snapshot
from engine.io.etl import copy_warehouse
from engine.risks import RISKS, load_edition
from engine.sample.climate import AXIS
from engine.sample.national import NationalClimate

#: Jeju, at the national resolution
JEJU = GridDefinition(33.0, 126.0, 60, 110, 0.01, AXIS.first, AXIS.last)


@pytest.fixture(scope="module")
def jeju():
    return NationalClimate(24, grid=JEJU)


def test_the_cells_asked_for_are_spread_over_the_land(jeju):
    cells = jeju.cells()
    assert cells.height == 24
    assert cells["grid_id"].is_sorted()
    assert cells["latitude"].max() - cells["latitude"].min() > 0.2
    assert cells["basin_code"].unique().to_list() == [6]
    assert cells.drop("basin_code").null_count().sum_horizontal().item() == 0


def test_more_cells_than_the_lattice_has_are_refused():
    with pytest.raises(SettingsError, match=r"99999 cells: the lattice has 1 to \d+ land cells"):
        NationalClimate(99_999, grid=JEJU)


def test_every_risk_can_be_computed_from_it(jeju):
    plan = make_plan(jeju, Request(edition=load_edition("2025-11"), risks=tuple(RISKS)))
    assert not plan.missing
    assert len(plan.pairs) == 13


def test_values_lie_in_the_ranges_of_the_gate(jeju):
    limits = load_ranges()
    panel = jeju.read(jeju.cells(), ["ta", "rn", "wsdi", "rx5day"], [Scenario.SSP585])
    assert all(outside(array, limits[name]).hard == 0 for (name, _), array in panel.arrays.items())


def test_a_cell_has_the_same_values_in_any_block(jeju):
    whole = jeju.read(jeju.cells(), ["ta", "cdd"], list(Scenario))
    part = jeju.read(jeju.cells()[5:9], ["ta", "cdd"], list(Scenario))
    for key, array in part.arrays.items():
        np.testing.assert_array_equal(array, whole.arrays[key][5:9])


def test_neighbours_are_alike_and_far_cells_are_not(jeju):
    ids = jeju.cells()["grid_id"].to_numpy()
    near, far = NationalClimate(grid=JEJU), jeju
    first = near.cells().filter(pl.col("grid_id").is_in(ids[12] + np.arange(2)))
    rain = near.read(first, ["rn"], [Scenario.SSP245]).arrays["rn", Scenario.SSP245].reshape(2, -1)
    apart = far.read(far.cells()[[0, 23]], ["rn"], [Scenario.SSP245]).arrays["rn", Scenario.SSP245].reshape(2, -1)
    assert np.corrcoef(rain)[0, 1] > np.corrcoef(apart)[0, 1] > 0.5
    assert np.corrcoef(rain)[0, 1] > 0.98


def test_a_store_gives_back_what_was_computed_in_two_processes(jeju, tmp_path):
    source = NationalClimate(24, grid=JEJU, processes=2)
    snapshot.write(source, tmp_path)
    source.close()
    store = open_source(tmp_path)
    assert_frame_equal(store.cells(), jeju.cells())
    assert (store.scope, store.covered_years) == ("synthetic", jeju.covered_years)
    assert store.tables.keys() == jeju.tables.keys()
    names = ["ta", "spei12", "rain80"]
    stored, computed = (each.read(each.cells(), names, list(Scenario)).arrays for each in (store, jeju))
    for key, array in computed.items():
        np.testing.assert_array_equal(stored[key], array)
    store.close()


@pytest.mark.parametrize("layout", ["ours", "seed"])
def test_a_warehouse_of_either_layout_reads_back_the_same(jeju, new_database, layout):
    url = new_database("")
    rows = copy_warehouse.fill(jeju, url, layout, 10)
    assert rows == 10 * (6 * 960 + 14 * 80)
    warehouse = open_source(url)
    assert warehouse.covered_years == jeju.covered_years
    cells = jeju.cells().head(10)
    assert_frame_equal(warehouse.cells(), cells)
    for name in jeju.tables.keys() - {"grid_definition"}:
        assert jeju.tables[name] <= warehouse.tables[name], name
    names = ["ta", "spei12", "rain80"]
    stored, computed = (each.read(cells, names, list(Scenario)) for each in (warehouse, jeju))
    assert not stored.duplicates
    for key, array in computed.arrays.items():
        np.testing.assert_array_equal(stored.arrays[key], array)
    warehouse.close()
