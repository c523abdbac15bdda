"""The files we write, read back by an independent reader."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io.etl import layout

GRID = GridDefinition(33.0, 124.5, 5, 7, 0.1, 1999, 2001)


def values(steps: int) -> np.ndarray:
    block = np.random.default_rng(3).normal(10, 5, (3 * steps, 5, 7)).astype(np.float32)
    block[:, 1, 2] = np.nan
    return block


def test_a_monthly_file_holds_its_months_unit_and_gaps(tmp_path: Path) -> None:
    ta, block = VARIABLES["ta"], values(12)
    path = layout.gridded_path(tmp_path, ta, Scenario.SSP370, GRID.axis)
    layout.write_gridded(path, GRID, ta, Scenario.SSP370, block, scope="synthetic", attributes={"source": "a test"})
    assert path.relative_to(tmp_path).as_posix() == "SSP370/monthly/SSP370_TA_gridraw_monthly_1999-2001.nc"
    with xr.open_dataset(path, engine="h5netcdf") as read:
        assert read["TA"].dims == ("time", "latitude", "longitude")
        assert read["TA"].attrs["units"] == "degC"
        assert read["TA"].encoding["_FillValue"] == -9990
        assert (read.attrs["scope"], read.attrs["source"]) == ("synthetic", "a test")
        np.testing.assert_array_equal(read["TA"].to_numpy(), block)
        np.testing.assert_array_equal(read["latitude"], [33.0, 33.1, 33.2, 33.3, 33.4])
        months = read["time"].to_numpy().astype("datetime64[M]")
        np.testing.assert_array_equal(months, np.arange("1999-01", "2002-01", dtype="datetime64[M]"))


def test_a_yearly_count_is_written_in_days_and_dated_by_its_year(tmp_path: Path) -> None:
    wsdi, block = VARIABLES["wsdi"], values(1)
    path = layout.gridded_path(tmp_path, wsdi, Scenario.SSP245, GRID.axis)
    layout.write_gridded(path, GRID, wsdi, Scenario.SSP245, block, scope="full", attributes={})
    with xr.open_dataset(path, engine="h5netcdf", decode_timedelta=False) as read:
        assert read["WSDI"].attrs["units"] == "days"
        np.testing.assert_array_equal(read["time"].dt.year, [1999, 2000, 2001])
        np.testing.assert_array_equal(read["WSDI"].to_numpy(), block)


def test_bands_give_the_same_file_as_the_whole_block(tmp_path: Path) -> None:
    rn, block = VARIABLES["rn"], values(12)
    with layout.create_gridded(tmp_path / "b.nc", GRID, rn, Scenario.SSP245, scope="full", attributes={}) as file:
        file.write(0, block[:, :2])
        file.write(2, block[:, 2:])
    with xr.open_dataset(tmp_path / "b.nc", engine="h5netcdf") as read:
        np.testing.assert_array_equal(read["RN"].to_numpy(), block)


def test_an_interrupted_file_never_appears_under_its_name(tmp_path: Path) -> None:
    rn = VARIABLES["rn"]
    with (
        pytest.raises(KeyboardInterrupt),
        layout.create_gridded(tmp_path / "x.nc", GRID, rn, Scenario.SSP245, scope="full", attributes={}),
    ):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_block_of_another_shape_is_refused_with_both_shapes(tmp_path: Path) -> None:
    block = values(12)[:-1]
    with pytest.raises(SchemaError, match=r"\(35, 5, 7\) values where .* \(36, 5, 7\)"):
        layout.write_gridded(
            tmp_path / "x.nc", GRID, VARIABLES["rn"], Scenario.SSP245, block, scope="full", attributes={}
        )


def test_sea_level_keeps_its_curvilinear_points_and_its_mask(tmp_path: Path) -> None:
    latitude, longitude = np.meshgrid([33.5, 34.4], [124.5, 125.5, 126.5], indexing="ij")
    level = np.arange(18, dtype=np.float32).reshape(3, 2, 3)
    level[:, 0, 1] = np.nan
    path = layout.sea_level_path(tmp_path, Scenario.SSP585, 2015, 2017)
    layout.write_sea_level(path, latitude, longitude, level, 2015, scope="synthetic", attributes={})
    assert path.relative_to(tmp_path).as_posix() == "sea_level/ssp5_8_5_slr_annual_mean_2015-2017.nc"
    with xr.open_dataset(path, engine="h5netcdf") as read:
        assert read["slr_cm_annual_mean"].dims == ("time", "j", "i")
        np.testing.assert_array_equal(read["latitude"].to_numpy(), latitude)
        np.testing.assert_array_equal(read["slr_cm_annual_mean"].to_numpy(), level)
        np.testing.assert_array_equal(read["time"].dt.year, Years(2015, 2017).first + np.arange(3))


def test_the_lattice_file_restores_the_lattice(tmp_path: Path) -> None:
    layout.write_grid(tmp_path / "grid.toml", GRID)
    assert GridDefinition(**tomllib.loads((tmp_path / "grid.toml").read_text(encoding="utf-8"))) == GRID
