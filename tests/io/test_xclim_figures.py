"""Indices derived of files of another calendar and count of longitudes are xclim's, number for number."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from engine.core.scenario import Scenario
from engine.io.etl.derive import derive, grouping, inventory
from engine.io.etl.derive.derive_job import Request
from tests import chile

GOLDEN = Path(__file__).parents[1] / "golden" / "xclim_chile"


@pytest.fixture(scope="module")
def derived(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    chile.write(folder / "cmip")
    found = grouping.together(folder / "cmip", inventory.look(folder / "cmip", {}), {})
    files = [path for paths in found.grouped.values() for path in paths]
    asked = Request(files=files, grouped=found.grouped, names=found.names, base=found.years, member="r1")
    derive.derive(asked, folder / "derived")
    return folder / "derived" / Scenario.SSP245.provider_code / "yearly"


@pytest.mark.parametrize("name", json.loads((GOLDEN / "indices.json").read_text("utf-8")))
def test_an_index_of_360_day_years_is_the_one_of_xclim(derived, name):
    expected = np.array(json.loads((GOLDEN / "indices.json").read_text("utf-8"))[name])
    (path,) = derived.glob(f"*_{name.upper()}_*.nc")
    with xr.open_dataset(path, decode_times=False) as data:
        np.testing.assert_allclose(data[name.upper()].values.reshape(12, 6), expected, rtol=0, atol=1e-4)
        assert data.longitude.values.tolist() == [-71.5, -71.0]
        assert data.latitude.values.tolist() == [-34.0, -33.5, -33.0]


def test_the_names_of_the_scenarios_stand_beside_the_lattice(derived):
    assert '2 = "RCP4.5"\n4 = "RCP8.5"' in (derived.parents[1] / "grid.toml").read_text("utf-8")
