"""Daily files -> the provider's layout: calendars, units, split files, bands, and what is refused."""

from __future__ import annotations

from pathlib import Path

import h5netcdf
import numpy as np
import pytest
import xarray as xr

from engine.core.errors import SchemaError, SettingsError
from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io.etl import layout
from engine.io.etl.derive import daily, derive
from engine.io.etl.derive.derive_job import Request
from engine.io.etl.loaders.grid import read_lattice
from engine.io.netcdf import timeaxis
from engine.kernels import indices, spei
from engine.kernels.evapotranspiration import reference_evapotranspiration
from engine.kernels.indices import DayAxis

CELL = Path(__file__).parents[1] / "data" / "daily" / "canesm2_cell_1986_2015.nc"
CITIES = CELL.with_name("era5_five_cities_1990_1993.nc")
CELL_GRID = GridDefinition(48.8, -78.2, 1, 1, 0.1, 1986, 2015)
GRID = GridDefinition(36.0, 127.0, 5, 3, 0.25, 2001, 2012)
YEARS = Years(2001, 2012)


def weather(axis: DayAxis, cells: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Daily values of every variable; the last cell is sea, so it has none."""
    rng = np.random.default_rng(seed)
    shape = (cells, axis.n)
    season = -np.cos(2 * np.pi * np.arange(axis.n) / 365.25)
    mean = 12 + 13 * season + rng.normal(0, 4, shape)
    days = {
        "tas": mean,
        "tasmax": mean + rng.gamma(2, 2.5, shape),
        "tasmin": mean - rng.gamma(2, 2.5, shape),
        "pr": rng.gamma(0.5, 25, shape) * (rng.random(shape) < 0.3),
        "hurs": rng.uniform(40, 95, shape),
        "sfcWind": rng.gamma(4, 0.6, shape),
        "rsds": 14 + 7 * season + rng.normal(0, 1, shape),
    }
    blocks = {
        name: values.clip(-60, 55 if name.startswith("tas") else None).astype(np.float32)
        for name, values in days.items()
    }
    for values in blocks.values():
        values[-1] = np.nan
    return blocks


def write(path: Path, axis: DayAxis, days: dict[str, np.ndarray], grid: GridDefinition = GRID) -> Path:
    daily.write_daily(path, grid, axis, days, scope="full", attributes={"source": "random"})
    return path


def read(out: Path, name: str, scenario: Scenario = Scenario.SSP245, grid: GridDefinition = GRID) -> np.ndarray:
    path = layout.gridded_path(out, VARIABLES[name], scenario, grid.axis)
    with xr.open_dataset(path, engine="h5netcdf", decode_timedelta=False) as data:
        cube = data[VARIABLES[name].element].to_numpy()
    return cube.reshape(len(cube), -1).T


def test_a_real_model_file_in_kelvin_and_flux_on_a_noleap_calendar(tmp_path: Path) -> None:
    base = Years(1986, 2005)
    derive.derive(Request(files=[CELL], base=base, scenario=Scenario.SSP585, grid=CELL_GRID), tmp_path)
    with xr.open_dataset(CELL, engine="h5netcdf", decode_times=False) as data:
        celsius = (data["tasmax"].to_numpy() + np.float32(-273.15)).reshape(1, -1)
        rain = (data["pr"].to_numpy() * np.float32(86_400)).reshape(1, -1)
    axis = DayAxis.of(CELL_GRID.axis, "noleap")
    limit = indices.percentile_of_days(celsius, axis, base, 90)
    for name, values in (indices.warm_indices(celsius, axis, limit) | indices.rain_indices(rain, axis)).items():
        np.testing.assert_array_equal(read(tmp_path, name, Scenario.SSP585, CELL_GRID), values, err_msg=name)
    yearly_rain = read(tmp_path, "rn", Scenario.SSP585, CELL_GRID).reshape(30, 12).sum(axis=1).mean()
    assert 900 < yearly_rain < 1000  # 2.97e-5 kg m-2 s-1
    assert 16 < read(tmp_path, "tamax", Scenario.SSP585, CELL_GRID).mean() < 17


def test_a_real_list_of_places_fills_the_cells_that_hold_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # Halifax 44.5 N 63.4 W, Montreal 45.5 N 73.4 W; Iqaluit, Saskatoon and Victoria lie elsewhere
    grid = GridDefinition(44.0, -74.0, 3, 12, 1.0, 1990, 1993)
    derived = derive.derive(
        Request(files=[CITIES], base=grid.axis, scenario=Scenario.SSP245, grid=grid, scope="observed"), tmp_path
    )
    assert "3 of 5 places lie outside the lattice and are left out" in caplog.text
    cells = {"Halifax": 11 + 12 * 1, "Montreal": 1 + 12 * 2}
    for variable, daily_name, to_stored in (
        ("ta_yearly", "tas", lambda values: values - 273.15),
        ("ws", "sfcWind", lambda values: values),
    ):
        found = read(tmp_path, variable, grid=grid)
        assert sorted(np.flatnonzero(~np.isnan(found).all(axis=1))) == sorted(cells.values())
        with xr.open_dataset(CITIES, engine="h5netcdf") as data:
            steps = data[daily_name].resample(time="YS" if variable == "ta_yearly" else "MS").mean().to_numpy()
        for cell, place in zip(cells.values(), to_stored(steps[:2]), strict=True):
            np.testing.assert_allclose(found[cell], place, atol=1e-3)
    humidity = read(tmp_path, "rhm", grid=grid)[list(cells.values())]
    assert 60 < humidity.mean() < 90  # per cent, from a share without a unit
    path = layout.gridded_path(tmp_path, VARIABLES["rhm"], Scenario.SSP245, grid.axis)
    with xr.open_dataset(path, engine="h5netcdf") as data:
        assert data.attrs["scope"] == "observed"
    # four base years calibrate no SPEI: it is named, not written
    assert derived.missing == {"spei12 of SSP2-4.5": "its calibration needs 10 base years, 1990-1993 are 4"}
    assert not [*tmp_path.rglob("*SPEI12*")]


@pytest.mark.parametrize(
    ("grid", "error", "message"),
    [
        (GridDefinition(35.0, 127.0, 2, 2, 1.0, 1990, 1993), SchemaError, "none of its 5 places lies on the lattice"),
        (
            GridDefinition(45.0, -70.0, 1, 1, 20.0, 1990, 1993),
            SettingsError,
            "1 of its 5 places lie in a cell that holds another, such as 44.5 N -63.4 E and 45.5 N -73.4 E: give a",
        ),
    ],
)
def test_a_list_of_places_without_cells_for_them_is_refused(grid, error, message, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        derive.derive(Request(files=[CITIES], base=Years(1990, 1993), scenario=Scenario.SSP245, grid=grid), tmp_path)


@pytest.mark.parametrize("calendar", indices.CALENDARS)
def test_every_variable_is_derived_and_equals_its_kernel(calendar: str, tmp_path: Path) -> None:
    axis = DayAxis.of(YEARS, calendar)
    days = weather(axis, GRID.n_cells)
    source = write(tmp_path / "in.nc", axis, days)
    # memory for one latitude row at a time
    paths = derive.derive(Request(files=[source], base=YEARS, scenario=Scenario.SSP245), tmp_path, memory=1).files
    assert len(paths) == len(set(paths)) == len([*tmp_path.rglob("*gridraw*.nc")]) == 22
    cold = indices.percentile_of_days(days["tasmin"], axis, YEARS, 10)
    for name, values in (indices.cold_indices(days["tasmin"], axis, cold)).items():
        np.testing.assert_array_equal(read(tmp_path, name), values, err_msg=name)
    for name, source_name in (("ta", "tas"), ("rhm", "hurs"), ("ws", "sfcWind"), ("si", "rsds"), ("tamin", "tasmin")):
        np.testing.assert_array_equal(read(tmp_path, name), indices.monthly_means(days[source_name], axis))
    np.testing.assert_array_equal(read(tmp_path, "ta_yearly"), indices.yearly_means(days["tas"], axis))
    evaporation = reference_evapotranspiration(
        *(read(tmp_path, name) for name in ("ta", "rhm", "ws", "si")),
        np.repeat(GRID.latitudes, GRID.n_lon), np.tile(np.arange(1, 13), YEARS.n),
        tmin=read(tmp_path, "tamin"), tmax=read(tmp_path, "tamax"),
    )  # fmt: skip
    sums = spei.accumulate(read(tmp_path, "rn").astype(float) - evaporation)
    expected = spei.standardise(sums, spei.fit(sums, slice(0, 144)))
    np.testing.assert_allclose(read(tmp_path, "spei12"), expected, atol=1e-6)
    assert np.isnan(read(tmp_path, "wsdi")[-1]).all()


def test_the_marks_of_a_derived_file_name_input_and_base(tmp_path: Path) -> None:
    axis = DayAxis.of(YEARS, "standard")
    source = write(tmp_path / "in.nc", axis, {"tasmax": weather(axis, GRID.n_cells)["tasmax"]})
    derive.derive(
        Request(files=[source], base=YEARS, scenario=Scenario.SSP126, attributes={"institution": "a station"}), tmp_path
    )
    path = layout.gridded_path(tmp_path, VARIABLES["wsdi"], Scenario.SSP126, YEARS)
    with xr.open_dataset(path, engine="h5netcdf", decode_timedelta=False) as data:
        assert data["WSDI"].attrs["cell_methods"] == "derived from daily tasmax"
        assert (data.attrs["base_period"], data.attrs["institution"]) == ("2001-2012", "a station")
        assert data.attrs["scope"] == "full"


def test_years_split_over_files_in_any_order_of_days_and_latitudes_give_the_same_numbers(tmp_path: Path) -> None:
    axis = DayAxis.of(YEARS, "standard")
    days = {"pr": weather(axis, GRID.n_cells)["pr"]}
    derive.derive(
        Request(files=[write(tmp_path / "whole.nc", axis, days)], base=YEARS, scenario=Scenario.SSP245), tmp_path / "a"
    )
    parts = []
    for years in (Years(2007, 2012), Years(2001, 2006)):
        part = DayAxis.of(years, "standard")
        first = int((np.datetime64(f"{years.first}-01-01") - np.datetime64("2001-01-01")).astype(int))
        values = days["pr"][:, first : first + part.n].reshape(GRID.n_lat, GRID.n_lon, part.n)
        path = tmp_path / f"ssp245_{years}.nc"
        with h5netcdf.File(path, "w") as file:  # south last, longitude first, hours, another name and unit
            file.dimensions = {"lon": GRID.n_lon, "lat": GRID.n_lat, "time": part.n}
            file.create_variable("lat", ("lat",), data=GRID.latitudes[::-1])
            file.create_variable("lon", ("lon",), data=GRID.longitudes)
            time = file.create_variable("time", ("time",), data=24.0 * (np.arange(part.n) + first) + 12)
            time.attrs.update({"units": "hours since 2001-01-01 00:00:00", "calendar": "proleptic_gregorian"})
            cube = file.create_variable("RN", ("lon", "lat", "time"), data=values[::-1].transpose(1, 0, 2))
            cube.attrs["units"] = "kg m-2 day-1"
        parts.append(path)
    derive.derive(Request(files=parts, base=YEARS), tmp_path / "b")
    for name in ("rn", "rx5day", "cdd", "sdii"):
        np.testing.assert_array_equal(read(tmp_path / "a", name), read(tmp_path / "b", name), err_msg=name)


def test_all_scenarios_share_the_limits_and_the_calibration_of_the_base_files(tmp_path: Path) -> None:
    axis = DayAxis.of(YEARS, "noleap")
    days = weather(axis, GRID.n_cells)
    write(tmp_path / "historical.nc", axis, days)
    for code, warmer in (("ssp126", 0), ("ssp585", 3)):
        warm = {name: values + warmer if name.startswith("tas") else values for name, values in days.items()}
        write(tmp_path / f"tas_{code}.nc", axis, warm)
    files = [tmp_path / "tas_ssp126.nc", tmp_path / "tas_ssp585.nc"]
    derive.derive(Request(files=files, base=YEARS, base_files=[tmp_path / "historical.nc"]), tmp_path)
    land = slice(0, -1)
    mild, hot = (read(tmp_path, "tx90p", each)[land].mean() for each in (Scenario.SSP126, Scenario.SSP585))
    assert 33 < mild < 39 < hot
    wet, dry = (read(tmp_path, "spei12", each)[land, 11:] for each in (Scenario.SSP126, Scenario.SSP585))
    assert abs(wet.mean()) < 0.05
    assert (dry < wet).all()
    with pytest.raises(SettingsError, match=r"base years 2001-2012: give base files, or the files of SSP2-4\.5"):
        derive.derive(Request(files=files, base=YEARS), tmp_path)


def test_the_twelve_month_sum_reaches_into_the_year_before_the_base(tmp_path: Path) -> None:
    axis = DayAxis.of(YEARS, "noleap")
    source = write(tmp_path / "in.nc", axis, weather(axis, GRID.n_cells))
    derive.derive(Request(files=[source], base=Years(2002, 2011), scenario=Scenario.SSP245), tmp_path)
    # ten calibration values for a January only if the sum of January 2002 exists
    assert np.isfinite(read(tmp_path, "spei12")[0, 11:]).all()


@pytest.mark.parametrize("crossing", [False, True])
def test_some_years_have_the_values_that_they_have_among_all(crossing: bool, tmp_path: Path) -> None:
    axis = DayAxis.of(YEARS, "noleap")
    days = weather(axis, GRID.n_cells)
    days["pr"][:, 365 * 5 - 20 : 365 * 5 + 3] = 0.0  # over New Year 2006, the first that is kept
    days["pr"][:, 365 * 8 - 20 : 365 * 8 + 20] = 0.0  # over New Year 2009, the first that is not
    source = write(tmp_path / "in.nc", axis, days)
    options = {"base": YEARS, "scenario": Scenario.SSP245, "dry_spells_cross_years": crossing}
    paths = derive.derive(Request(files=[source], **options), tmp_path / "all").files
    some = GridDefinition(36.0, 127.0, 5, 3, 0.25, 2006, 2008)
    derive.derive(Request(files=[source], years=some.axis, **options), tmp_path / "some")
    assert len(paths) == 22
    for name in VARIABLES:
        steps = VARIABLES[name].steps
        whole = read(tmp_path / "all", name)[:, 5 * steps : 8 * steps]
        np.testing.assert_array_equal(read(tmp_path / "some", name, grid=some), whole, err_msg=name)
    assert np.isfinite(read(tmp_path / "some", "spei12", grid=some)[0]).all()  # the sum of January reaches back


def test_without_earlier_months_the_first_sums_are_missing(tmp_path: Path) -> None:
    axis = DayAxis.of(YEARS, "noleap")
    source = write(tmp_path / "in.nc", axis, weather(axis, GRID.n_cells))
    derive.derive(Request(files=[source], base=YEARS, scenario=Scenario.SSP245), tmp_path)
    assert np.isnan(read(tmp_path, "spei12")[:, :11]).all()


def test_extremes_that_the_base_files_lack_are_used_nowhere(tmp_path: Path) -> None:
    axis = DayAxis.of(YEARS, "noleap")
    days = weather(axis, GRID.n_cells)
    source = write(tmp_path / "in.nc", axis, {name: days[name] for name in ("tas", "pr", "hurs", "sfcWind", "rsds")})
    derive.derive(Request(files=[source], base=YEARS, scenario=Scenario.SSP245), tmp_path / "a")
    whole = write(tmp_path / "whole.nc", axis, days)
    derive.derive(Request(files=[source], base=YEARS, scenario=Scenario.SSP245, base_files=[whole]), tmp_path / "b")
    np.testing.assert_array_equal(read(tmp_path / "a", "spei12"), read(tmp_path / "b", "spei12"))


def test_the_lattice_is_left_for_its_loader_but_not_over_another(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    axis = DayAxis.of(YEARS, "noleap")
    source = write(tmp_path / "in.nc", axis, {"tas": weather(axis, GRID.n_cells)["tas"]})
    derive.derive(Request(files=[source], base=YEARS, scenario=Scenario.SSP245), tmp_path)
    assert read_lattice(tmp_path / "grid.toml") == GRID
    derive.derive(Request(files=[source], base=YEARS, scenario=Scenario.SSP245), tmp_path)
    assert not caplog.text
    derive.derive(Request(files=[source], base=YEARS, scenario=Scenario.SSP245, years=Years(2003, 2004)), tmp_path)
    assert "grid.toml is another lattice or other years than these files have" in caplog.text
    assert read_lattice(tmp_path / "grid.toml") == GRID


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"base": Years(1981, 2010)}, SettingsError, "1981-2010 is not inside 2001-2012, the years of in.nc"),
        ({"scenario": None}, SettingsError, "no scenario code such as ssp245 in its name"),
        ({"grid": GridDefinition(36.1, 127.0, 5, 3, 0.25, 2001, 2012)}, SchemaError, "latitudes are up to 0.40 steps"),
        ({"files": []}, SettingsError, "no daily files given"),
    ],
)
def test_what_cannot_be_derived_is_refused(change: dict, error: type[Exception], message: str, tmp_path: Path) -> None:
    axis = DayAxis.of(YEARS, "360_day")
    source = write(tmp_path / "in.nc", axis, {"tasmax": weather(axis, GRID.n_cells)["tasmax"]})
    arguments = {"files": [source], "base": YEARS, "scenario": Scenario.SSP245, **change}
    with pytest.raises(error, match=message):
        derive.derive(Request(files=arguments.pop("files"), **arguments), tmp_path)
    assert not [*tmp_path.rglob("*gridraw*")]


@pytest.mark.parametrize(
    ("unit", "dimensions", "message"),
    [
        ("furlong", ("time", "lat", "lon"), "unit 'furlong' of tasmax is not known; it is computed in degC"),
        ("K", ("time", "lat"), "tasmax has dimensions time, lat, expected time, latitude, longitude"),
    ],
)
def test_an_unreadable_file_is_named(unit: str, dimensions: tuple[str, ...], message: str, tmp_path: Path) -> None:
    sizes = {"time": 360, "lat": 2, "lon": 2}
    with h5netcdf.File(tmp_path / "odd.nc", "w") as file:
        file.dimensions = sizes
        for name, size in sizes.items():
            file.create_variable(name, (name,), data=np.arange(float(size)))
        file.variables["time"].attrs.update({"units": "days since 2000-01-01", "calendar": "360_day"})
        cube = file.create_variable("tasmax", dimensions, data=np.zeros([sizes[each] for each in dimensions]))
        cube.attrs["units"] = unit
    with pytest.raises(SchemaError, match=f"odd.nc: {message}"):
        derive.derive(Request(files=[tmp_path / "odd.nc"], base=Years(2000, 2000), scenario=Scenario.SSP245), tmp_path)


def test_a_day_that_comes_twice_is_refused_with_a_count(tmp_path: Path) -> None:
    axis = DayAxis.of(YEARS, "noleap")
    days = {"tasmax": weather(axis, GRID.n_cells)["tasmax"]}
    twice = [write(tmp_path / name, axis, days) for name in ("one.nc", "two.nc")]
    with pytest.raises(SchemaError, match=r"one\.nc, two\.nc: 4,380 days of tasmax come twice"):
        derive.derive(Request(files=twice, base=YEARS, scenario=Scenario.SSP245), tmp_path)


@pytest.mark.parametrize(
    ("calendar", "day", "expected"),
    [("standard", 60, "2004-03-01"), ("noleap", 59, "2004-03-01"), ("360_day", 60, "2004-03-01")],
)
def test_days_are_counted_in_the_calendar_of_the_file(calendar: str, day: int, expected: str) -> None:
    numbers = np.array([day + 0.5])
    since = {"standard": 1461, "noleap": 1460, "360_day": 1440}[calendar]
    found = timeaxis.days_since(numbers, "days since 2004-01-01", calendar, "x", 2000)
    assert found.tolist() == [since + day]
    month = timeaxis.months(numbers, "days since 2004-01-01", calendar, "x")[0]
    assert f"{month // 12}-{month % 12 + 1:02d}-01" == expected
