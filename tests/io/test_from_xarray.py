"""Datasets in memory give the figures of the same data in files; other shapes are read alike or refused."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from polars.testing import assert_frame_equal

import engine
from engine.core.errors import SchemaError, SettingsError
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io import etl
from engine.io.climate import snapshot
from engine.io.etl import layout
from engine.io.etl.derive import derive
from engine.io.etl.derive.derive_job import Request
from engine.io.etl.loading import LoadOptions
from engine.kernels.indices import DayAxis
from tests.io.lattices import quiet
from tests.io.test_derive import CITIES, GRID, YEARS, weather, write

AXIS = DayAxis.of(YEARS, "noleap")
ONE = Scenario.SSP245


def daily(calendar: str = "noleap", seed: int = 0) -> xr.Dataset:
    """Days of every variable on GRID, decoded as xarray gives them."""
    axis = DayAxis.of(YEARS, calendar)
    units = {"pr": "mm/day", "hurs": "%", "sfcWind": "m/s", "rsds": "MJ/m2/day"}
    found = {}
    for name, values in weather(axis, GRID.n_cells, seed).items():
        cube = values.reshape(GRID.n_lat, GRID.n_lon, axis.n).transpose(2, 0, 1)
        found[name] = (("time", "lat", "lon"), cube, {"units": units.get(name, "degC")})
    time = xr.date_range("2001-01-01", periods=axis.n, calendar=calendar, use_cftime=True)
    return xr.Dataset(found, {"time": time, "lat": GRID.latitudes, "lon": GRID.longitudes})


def panel(source, names=None):
    """Every array of a source that has a value: a warehouse has a column for each scenario, filled or not."""
    arrays = source.read(source.cells(), names or list(VARIABLES), list(Scenario)).arrays
    return {key: values for key, values in arrays.items() if not np.isnan(values).all()}


def assert_same(one, other):
    ours, theirs = panel(one), panel(other)
    assert ours.keys() == theirs.keys()
    assert_frame_equal(one.cells(), other.cells())
    for key, values in ours.items():
        np.testing.assert_array_equal(values, theirs[key], err_msg=str(key))


@pytest.fixture(scope="module")
def days():
    return daily()


@pytest.fixture(scope="module")
def source(days):
    return engine.from_xarray(days, observed=True, base="2001-2012")


def test_a_dataset_gives_byte_for_byte_what_derive_load_and_store_give(warehouse, tmp_path, source):
    file = write(tmp_path / "days.nc", AXIS, weather(AXIS, GRID.n_cells))
    request = Request(files=[file], base=YEARS, scenario=ONE, scope="observed")
    derive.derive(request, tmp_path / "data")
    reports = etl.run_loaders(
        warehouse, ["grid", "monthly_grid", "yearly_grid", "optional_grid"], LoadOptions(data=tmp_path / "data"), quiet
    )
    assert not [each for each in reports if each.status == "failed"], reports
    with closing(engine.open_source(warehouse)) as loaded:
        snapshot.write(loaded, tmp_path / "store")
    with closing(engine.open_source(tmp_path / "store")) as stored:
        assert (source.scope, source.axis) == (stored.scope, stored.axis) == ("observed", YEARS)
        assert_same(source, stored)
        ours, theirs = engine.run(source), engine.run(stored, scenarios=ONE)
    assert {"extreme_heat", "drought", "wildfire", "urban_flood"} <= set(ours.risks)
    for name in ("probability", "hazard"):
        assert_frame_equal(getattr(ours, name), getattr(theirs, name), check_exact=True)
    assert ours.missing.keys() == theirs.missing.keys()


@pytest.mark.parametrize("calendar", ["standard", "360_day"])
def test_several_scenarios_and_the_base_years_of_a_historical_run(calendar, tmp_path):
    names = {"historical": "historical", "ssp245": "ssp245", "rcp85": "ssp585"}
    elsewhere = replace(GRID, lon0=-70.0, lat0=-36.0)  # where no range of Korea counts
    axis = DayAxis.of(YEARS, calendar)
    given = {}
    for seed, (name, file) in enumerate(names.items()):
        given[name] = daily(calendar, seed).assign_coords(lat=elsewhere.latitudes, lon=elsewhere.longitudes)
        write(tmp_path / f"{file}.nc", axis, weather(axis, GRID.n_cells, seed), elsewhere)
    request = Request(
        files=[tmp_path / "ssp245.nc", tmp_path / "ssp585.nc"], base=YEARS, base_files=[tmp_path / "historical.nc"]
    )
    derive.derive(request, tmp_path / "out")
    source = engine.from_xarray(given, base=(2001, 2012))
    stacked = xr.concat([given["ssp245"], given["rcp85"]], "experiment").assign_coords(experiment=["ssp245", "rcp85"])
    for (name, scenario), values in panel(source).items():
        path = layout.gridded_path(tmp_path / "out", VARIABLES[name], scenario, YEARS)
        with xr.open_dataset(path, engine="h5netcdf", decode_timedelta=False) as data:
            file = data[VARIABLES[name].element].to_numpy().reshape(-1, GRID.n_cells).T
        np.testing.assert_array_equal(values.reshape(len(values), -1), file[:-1], err_msg=name)  # the last cell is sea
    assert {scenario for _, scenario in panel(source)} == {Scenario.SSP245, Scenario.SSP585}
    assert source.scenario_names == {Scenario.SSP245: "SSP2-4.5", Scenario.SSP585: "RCP8.5"}
    two = engine.from_xarray(stacked, base="2001-2012")
    assert_same(two, engine.from_xarray({2: given["ssp245"], 4: given["rcp85"]}, base="2001-2012"))


def test_order_of_dimensions_names_units_and_longitudes_do_not_matter(days, source):
    turned = days.transpose("lon", "time", "lat").isel(lat=slice(None, None, -1))
    turned = turned.assign_coords(lon=turned["lon"] - 360.0).rename(lat="latitude", lon="longitude", pr="precip")
    turned["precip"] = (turned["precip"] / 86_400.0).assign_attrs(units="kg m-2 s-1")
    ours, theirs = panel(engine.from_xarray(turned, observed=True, base="2001-2012")), panel(source)
    for key, values in theirs.items():
        np.testing.assert_allclose(ours[key], values, rtol=2e-4, atol=2e-4, err_msg=str(key))


def test_a_series_and_a_list_of_places_are_cells_of_their_own(days, source):
    series = days.isel(lat=2, lon=1)
    alone = engine.from_xarray(series, observed=True, base="2001-2012", step=0.25)
    assert alone.cells()["grid_id"].to_list() == [1]
    assert alone.cells().select("latitude", "longitude").row(0) == (36.5, 127.25)
    ids = source.cells()["grid_id"].to_list()
    for key, values in panel(source, ["rx1day", "wsdi", "spei12"]).items():
        np.testing.assert_array_equal(panel(alone, [key[0]])[key][0], values[ids.index(8)], err_msg=key[0])
    with xr.open_dataset(CITIES, engine="h5netcdf") as cities:
        listed = engine.from_xarray(cities, observed=True, base="1990-1993")
        assert listed.cells().height == 5
        monthly = cities.resample(time="MS").mean()
        for name in monthly.data_vars.keys() & cities.data_vars.keys():
            monthly[name].attrs = cities[name].attrs
        means = panel(engine.from_xarray(monthly, observed=True))
    for name in ("ta", "tamin", "rn", "rhm", "ws", "si"):
        np.testing.assert_allclose(means[name, ONE], panel(listed, [name])[name, ONE], rtol=1e-5, atol=1e-4)


def test_monthly_values_give_the_same_spei_as_daily_ones(days, source):
    months = days.resample(time="MS").mean()
    months["pr"] = days["pr"].resample(time="MS").sum(min_count=1)
    for name in months.data_vars:
        months[name].attrs = days[name].attrs
    months["pr"].attrs["units"] = "mm/month"
    found = panel(engine.from_xarray(months, observed=True, base="2001-2012"))
    np.testing.assert_allclose(found["spei12", ONE], panel(source, ["spei12"])["spei12", ONE], atol=2e-4)


def test_one_of_several_members_is_read_by_its_name(days, source):
    members = xr.concat([days, days + 1], "realization").assign_coords(realization=["r1", "r2"])
    for name in days.data_vars:
        members[name].attrs = days[name].attrs
    assert_same(engine.from_xarray(members, observed=True, member="r1", base="2001-2012"), source)
    with pytest.raises(SettingsError, match=r"the dataset has 2 members, r1, r2: choose one with member='r1'"):
        engine.from_xarray(members)
    with pytest.raises(SettingsError, match="unknown member 'r3'; known: r1, r2"):
        engine.from_xarray(members, member="r3")


def test_a_single_dataset_is_called_what_it_says_of_itself_and_shown_on_a_line(days):
    found = engine.from_xarray(days.assign_attrs(experiment_id="rcp85"), base="2001-2012")
    assert found.scenario_names == {ONE: "RCP8.5"}
    assert repr(found).startswith("<climate of xarray: the dataset: 14 cells, 2001-2012, scope full; RCP8.5; ta, ")


def test_a_file_that_xarray_opened_undecoded_is_read_alike(days, source, tmp_path):
    days.to_netcdf(tmp_path / "days.nc", engine="h5netcdf")
    for options in ({}, {"decode_cf": False}, {"decode_times": False}, {"chunks": None, "mask_and_scale": False}):
        with xr.open_dataset(tmp_path / "days.nc", engine="h5netcdf", **options) as opened:
            assert_same(engine.from_xarray(opened, observed=True, base="2001-2012"), source)


def test_the_fingerprint_follows_the_values(days, source):
    again = engine.from_xarray(days, observed=True, base="2001-2012")
    assert again.fingerprint == source.fingerprint
    assert engine.from_xarray(days, base="2001-2012").fingerprint != source.fingerprint
    moved = days.copy(deep=True)
    moved["pr"][100, 0, 0] += 1.0
    assert engine.from_xarray(moved, observed=True, base="2001-2012").fingerprint != source.fingerprint


def test_a_cold_country_is_held_against_the_worlds_ranges_and_korea_against_its_own(days, caplog):
    cold = days.assign_coords(lat=days["lat"] + 30.0)
    for name in ("tas", "tasmax", "tasmin"):
        cold[name] = (cold[name] - 35.0).assign_attrs(days[name].attrs)
    with caplog.at_level(logging.ERROR):
        result = engine.run(engine.from_xarray(cold, base="2001-2012"), risks=["extreme_heat", "wildfire"])
    assert result.failed == {}
    assert set(result.risks) == {"extreme_heat", "wildfire"}
    with pytest.raises(SchemaError, match=r"values of ta outside|outside -25\.\.40"):
        engine.from_xarray(cold, profile="korea", base="2001-2012")


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda d: d["tas"], {}, SettingsError, "a DataArray has one variable: give a Dataset"),
        (lambda d: "days.nc", {}, SettingsError, "a str is no xarray.Dataset"),
        (lambda d: [], {}, SettingsError, "no dataset given"),
        (lambda d: None, {}, SettingsError, "a NoneType is no xarray.Dataset"),
        (lambda d: {"ssp245": 1}, {}, SettingsError, "a int is no xarray.Dataset"),
        (lambda d: d.to_dataframe().head(), {}, SettingsError, "a DataFrame is no xarray.Dataset"),
        (lambda d: d.isel(time=slice(0, 0)), {}, SettingsError, "the dataset has no entry along time"),
        (lambda d: d, {"member": "r1"}, SettingsError, "no dataset has a dimension of members: leave member='r1' out"),
        (lambda d: {"ssp585": d}, {}, SettingsError, "the scenarios given are SSP5-8.5, and SSP2-4.5 is not among"),
        (lambda d: {"ssp246": d}, {}, SettingsError, "unknown scenario 'ssp246'"),
        (lambda d: d, {"profile": "koera"}, SettingsError, "unknown profile 'koera'.*did you mean korea"),
        (lambda d: d, {"base": "1991-2020"}, SettingsError, "1991-2020 is not inside 2001-2012"),
        (lambda d: d, {"base": (2012, 2001)}, SettingsError, "its last year lies before its first"),
        (lambda d: d, {"units": {"tsa": "K"}}, SettingsError, "unknown variable 'tsa'.*did you mean ta"),
        (lambda d: d, {"step": 0}, SettingsError, "step is 0, expected degrees above 0"),
        (lambda d: d.drop_vars(["lat", "lon"]), {}, SchemaError, "the dataset: tas has|latitude"),
        (lambda d: d[["lat"]], {}, SchemaError, "the dataset holds no variable that is known"),
        (lambda d: d.assign(tas=d["tas"].assign_attrs(units="parsec")), {}, SchemaError, "unit 'parsec' of tas"),
        (lambda d: d.where(d["time"].dt.year != 2005), {"base": "2001-2012"}, SchemaError, "gaps in ssp2.*observed="),
        (lambda d: d.isel(lat=[0, 1, 3]), {}, SchemaError, "latitudes lie 0.25 to 0.5 degree apart"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_a_sentence(days, change, options, error, message):
    with pytest.raises(error, match=message):
        engine.from_xarray(change(days), **options)


def test_the_callers_dataset_is_left_as_it_was(days):
    before = days.copy(deep=True)
    engine.from_xarray(days, base="2001-2012")
    xr.testing.assert_identical(days, before)
