"""Daily files of a folder are told by their content, and put together as scenarios of one run."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from engine.core.errors import SettingsError
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.io.etl.derive import grouping, inventory
from tests import chile

LATTICE = (("lat", -34.0, "degrees_north"), ("lon", -71.0, "degrees_east"))


def written(path, *, first=2001, days=730, unit="mm day-1", step=1.0, calendar="noleap", cells=None, **about):
    """Rain of two places in a list, or of two by two cells of a size, from the first of January."""
    time = ("time", np.arange(days) * step, {"units": f"days since {first}-01-01", "calendar": calendar})
    if cells is not None:
        degrees = {name: (name, at + cells * np.arange(2), {"units": unit_of}) for name, at, unit_of in LATTICE}
        rain = ("lat", "lon", "time"), np.ones((2, 2, days), np.float32), {"units": unit}
        xr.Dataset({"pr": rain}, {"time": time, **degrees}, about).to_netcdf(path, engine="h5netcdf")
        return path
    data = xr.Dataset(
        {"pr": (("place", "time"), np.ones((2, days), np.float32), {"units": unit})},
        coords={"time": time, "lat": ("place", [49.1, 67.8]), "lon": ("place", [-123.1, -115.1])},
        attrs=about,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    data.to_netcdf(path, engine="h5netcdf")
    return path


def together(folder: Path, member: str | None = None, **numbers: Scenario) -> grouping.Inventory:
    return grouping.together(folder, inventory.look(folder, {}), numbers, member)


def test_a_file_that_says_no_scenario_and_lies_in_the_past_is_an_observed_record(tmp_path):
    written(tmp_path / "any_name.nc")
    found = together(tmp_path)
    assert (found.names, found.years, found.observed) == ({Scenario.SSP245: "Observed record"}, Years(2001, 2002), True)
    assert (found.files[0].where, found.files[0].calendar) == ("list of 2 places", "noleap")


def test_a_single_simulation_is_scenario_2_under_its_own_name_and_is_no_record(tmp_path):
    written(tmp_path / "x.nc", experiment_id="rcp85")
    found = together(tmp_path)
    assert (found.names, found.observed) == ({Scenario.SSP245: "RCP8.5"}, False)


def test_values_of_years_to_come_are_no_record(tmp_path):
    written(tmp_path / "x.nc", first=2097)
    assert (together(tmp_path).names, together(tmp_path).observed) == ({Scenario.SSP245: "Simulation"}, False)


def test_files_of_the_historical_run_belong_to_every_scenario(tmp_path):
    chile.write(tmp_path / "cmip")
    found = together(tmp_path / "cmip")
    assert found.names == {Scenario.SSP245: "RCP4.5", Scenario.SSP585: "RCP8.5"}
    assert found.years == Years(2001, 2012)
    shared = set(found.grouped[Scenario.SSP245]) & set(found.grouped[Scenario.SSP585])
    assert {path.name for path in shared} == {f"{name}_2001.historical.nc" for name in found.variables}
    assert found.members == chile.MEMBERS


@pytest.mark.parametrize(
    ("experiments", "numbers", "expected"),
    [
        (("rcp26", "rcp85"), {}, {"RCP2.6": 2, "RCP8.5": 4}),  # one sets the baseline: the lowest
        (("ssp370", "rcp45"), {}, {"SSP3-7.0": 3, "RCP4.5": 2}),
        (("a1b", "b1"), {"A1B": Scenario.SSP370, "b1": Scenario.SSP245}, {"A1B": 3, "B1": 2}),
    ],
)
def test_scenarios_have_the_numbers_of_their_forcing_or_those_that_are_given(tmp_path, experiments, numbers, expected):
    for name in experiments:
        written(tmp_path / f"{name}.nc", experiment_id=name)
    found = together(tmp_path, **numbers)
    assert {name: int(scenario) for scenario, name in found.names.items()} == expected


@pytest.mark.parametrize(
    ("files", "numbers", "sentence"),
    [
        (
            {"a.nc": {"experiment_id": "a1b"}, "b.nc": {"experiment_id": "rcp45"}},
            {},
            r"a\.nc is of 'a1b', which",
        ),
        (
            {"a.nc": {"experiment_id": "ssp585"}, "b.nc": {"experiment_id": "rcp85"}},
            {},
            "ssp585 and rcp85 would both",
        ),
        (
            {"a.nc": {"source_id": "one"}, "b.nc": {"source_id": "two"}},
            {},
            r"a\.nc is of the climate model one and b\.nc of the climate model two: give the files",
        ),
        ({"a.nc": {"step": 90.0}}, {}, r"a\.nc holds 3-monthly values, and no file holds daily or monthly ones"),
        (
            {"a.nc": {"cells": 1.0}, "b.nc": {"cells": 0.5}},
            {},
            r"a\.nc holds 2 x 2 cells of 1 degree from -34 N -71 E and b\.nc 2 x 2 cells of 0\.5 degree .*: give the",
        ),
        ({"a.nc": {"cells": 1.0}, "b.nc": {}}, {}, r"a\.nc holds 2 x 2 cells of .* and b\.nc a list of places"),
        (
            {"a.nc": {}, "b.nc": {"calendar": "360_day"}},
            {},
            r"a\.nc has the calendar noleap and b\.nc 360_day: give the files of one",
        ),
        (
            {
                "a.nc": {"cells": 1.0, "experiment_id": "historical"},
                "b.nc": {"cells": 1.0, "experiment_id": "rcp45", "first": 2002},
            },
            {},
            r"a\.nc and b\.nc both hold pr in 2002-2002: cut these years out of one",
        ),
        ({"a.nc": {"unit": "hPa"}}, {}, r"a\.nc: pr: unit 'hPa' of pr is not known"),
        ({"a.nc": {"days": 300}}, {}, r"no file covers a whole year; a\.nc has 2001-2001"),
        ({"a.nc": {}}, {"rcp45": Scenario.SSP585}, "--scenario-map rcp45: no file is of it"),
        ({"a.nc": {}}, {"member": "r1"}, "--member r1: no file says which member of an ensemble it is of"),
    ],
)
def test_files_that_make_no_run_are_refused_by_name(tmp_path, files, numbers, sentence):
    for name, about in files.items():
        written(tmp_path / name, **about)
    with pytest.raises(SettingsError, match=sentence):
        together(tmp_path, **numbers)


def test_realisations_in_files_of_their_own_are_members_of_which_one_is_used(tmp_path):
    written(tmp_path / "pr_day_X_ssp245_r1i1p1f1_gn.nc", cells=1.0)
    written(tmp_path / "two.nc", cells=1.0, variant_label="r2i1p1f1", experiment_id="ssp245")
    found = together(tmp_path)
    assert (found.members, found.member, found.inside) == (("r1i1p1f1", "r2i1p1f1"), "r1i1p1f1", False)
    assert [path.name for path in found.grouped[Scenario.SSP245]] == ["pr_day_X_ssp245_r1i1p1f1_gn.nc"]
    assert [path.name for path in together(tmp_path, "r2i1p1f1").grouped[Scenario.SSP245]] == ["two.nc"]
    with pytest.raises(SettingsError, match="--member: unknown member 'r3'; known: r1i1p1f1, r2i1p1f1"):
        together(tmp_path, "r3")


def test_a_simulation_that_lacks_days_is_refused_by_its_first_missing_day_and_a_record_is_not(tmp_path):
    path = written(tmp_path / "a.nc", cells=1.0, days=1095)
    with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as data:
        holed = data.isel(time=[*range(500), *range(600, 1095)]).load()
    holed.to_netcdf(path, engine="h5netcdf")
    assert together(tmp_path).observed
    holed.assign_attrs(experiment_id="ssp245").to_netcdf(path, engine="h5netcdf")
    with pytest.raises(SettingsError, match=r"a\.nc lacks 100 days from 2002-05-16 on, which a simulation has"):
        together(tmp_path)


def test_a_code_in_the_name_counts_where_the_file_says_nothing(tmp_path):
    written(tmp_path / "pr_day_X_historical+rcp85_2001.nc")
    assert together(tmp_path).files[0].experiment == "rcp85"
