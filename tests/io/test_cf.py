"""CF files of other makers: the same data in every encoding is read alike, and what cannot be read is named."""

from __future__ import annotations

import gc
import re
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings

from engine.core.errors import EngineError, SchemaError
from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.core.variables import VARIABLES
from engine.io.etl.derive import daily
from engine.io.etl.derive.daily import DailyRecord
from engine.io.etl.derive.pieces import Piece
from engine.io.netcdf import cf, hdf5, lattice_files, regular
from engine.kernels.indices import DayAxis
from tests.io import encodings

GRID = GridDefinition(50.0, -0.5, 3, 4, 0.5, 2018, 2018)


def rain(steps: int) -> np.ndarray:
    """(time, lat, lon) multiples of a half in 0..100; one place is sea, another lacks some steps."""
    values = np.random.default_rng(3).integers(0, 200, (steps, 3, 4)).astype(np.float32) / 2
    values[:, 2, 3] = np.nan
    values[2:4, 0, 1] = np.nan
    return values


def read_daily(path: Path) -> tuple[tuple, str]:
    with ExitStack() as stack:
        record = DailyRecord.open(stack, [path])
        lattice = record.lattice()
        grid = GridDefinition(*lattice, *record.covered)
        return lattice, sha256(record.read("pr", grid, slice(0, grid.n_lat)).tobytes()).hexdigest()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The file as `write_daily` writes it, read."""
    path, axis = tmp_path_factory.mktemp("plain") / "plain.nc", DayAxis.of(Years(2018, 2018), "standard")
    cells = np.full((12, axis.n), np.nan, np.float32)
    cells[:, :50] = rain(50).reshape(50, 12).T
    daily.write_daily(path, GRID, axis, {"pr": cells}, scope="full", attributes={})
    return read_daily(path)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(how=encodings.encodings())
def test_daily_data_are_read_byte_for_byte_in_every_encoding(how, plain, tmp_path):
    path = encodings.write(tmp_path / "in.nc", rain(50), np.arange(51.0), how)
    assert read_daily(path) == plain


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(how=encodings.encodings())
def test_monthly_data_are_read_byte_for_byte_in_every_encoding(how, tmp_path):
    months = np.arange("2018-01", "2019-02", dtype="datetime64[M]").astype("datetime64[D]")
    ends = (months - np.datetime64("2018-01-01")).astype(float)
    how = {**how, "name": ("RN", "")} if how["name"][0] == "v" else how
    path = encodings.write(tmp_path / "in.nc", rain(12), ends, how)
    with lattice_files.field(path, VARIABLES["rn"], GRID) as source:
        cells, values = lattice_files.read_cells(source, GRID, None)
    assert cells.tolist() == list(range(11))
    assert values.tobytes() == rain(12).reshape(12, 12)[:, :11].T.tobytes()


def dataset(time=None, days=50, name="pr", dimensions=("time", "lat", "lon"), attributes=None, **others) -> xr.Dataset:
    """A daily file as most are; `time` replaces attributes of the time, `others` add or replace variables."""
    dates = {"units": "days since 2018-01-01", "calendar": "standard", **(time or {})}
    variables = {
        "time": ("time", np.arange(float(days)), dates),
        "lat": ("lat", encodings.LATITUDE, {"units": "degrees_north"}),
        "lon": ("lon", encodings.LONGITUDE, {"units": "degrees_east"}),
        **others,
    }
    sizes = {dim: size for dims, block, *_ in variables.values() for dim, size in zip_dims(dims, np.shape(block))}
    if name not in variables:
        shape = [sizes[dimension] for dimension in dimensions]
        variables[name] = (dimensions, np.full(shape, 5, np.float32), {"units": "mm/day", **(attributes or {})})
    return xr.Dataset({key: xr.Variable(*held) for key, held in variables.items() if held[1] is not None})


def zip_dims(dims, shape):
    return zip((dims,) if isinstance(dims, str) else dims, shape, strict=True)


def written(data: xr.Dataset, path: Path) -> Path:
    data.to_netcdf(path, engine="h5netcdf", encoding={key: {"_FillValue": None} for key in data.variables})
    return path


def opened_file(*paths: Path) -> np.ndarray:
    """(cells, days) of the first variable."""
    with ExitStack() as stack:
        record = DailyRecord.open(stack, paths)
        record.lattice()
        return record.read(next(iter(record.pieces)), GRID, slice(0, 3))


def pieces(data: xr.Dataset, path: Path) -> dict[str, Piece]:
    with ExitStack() as stack:
        return {name: group[0] for name, group in DailyRecord.open(stack, [written(data, path)]).pieces.items()}


STRAIGHT = encodings.LATITUDE[:, None] + 0.01 * np.arange(4)
CURVED = {
    "lat": (("y", "x"), STRAIGHT, {"standard_name": "latitude"}),
    "lon": (("y", "x"), encodings.LONGITUDE + 0.01 * np.arange(3)[:, None], {"standard_name": "longitude"}),
    "dimensions": ("time", "y", "x"),
}
ROTATED = {
    "rlat": ("rlat", np.arange(3.0), {"standard_name": "grid_latitude", "units": "degrees", "axis": "Y"}),
    "rlon": ("rlon", np.arange(4.0), {"standard_name": "grid_longitude", "units": "degrees", "axis": "X"}),
    "lat": (("rlat", "rlon"), STRAIGHT, {"units": "degrees_north"}),
    "lon": (("rlat", "rlon"), STRAIGHT, {"units": "degrees_east"}),
    "dimensions": ("time", "rlat", "rlon"),
}
PROJECTED = {
    "y": ("y", np.arange(3) * 1e4, {"units": "m", "standard_name": "projection_y_coordinate", "axis": "Y"}),
    "x": ("x", np.arange(4) * 1e4, {"units": "m", "standard_name": "projection_x_coordinate", "axis": "X"}),
    "crs": ((), 0, {"grid_mapping_name": "lambert_conformal_conic"}),
    "lat": ((), None),
    "lon": ((), None),
    "dimensions": ("time", "y", "x"),
    "attributes": {"grid_mapping": "crs"},
}
STEPS = {"units": "days since 2018-01-01", "bounds": "time_bnds"}


def bounds(before: float, after: float, days: int = 50) -> tuple:
    starts = np.arange(float(days))
    return ("time", "two"), np.stack([starts + before, starts + after], axis=1), {}


def level(name, key, value, unit, standard="", along=False, said=True) -> dict:
    """Changes of a file by a coordinate of the level, along a dimension of its own or a scalar."""
    units = {"pr": "mm/day", "hurs": "%", "ws": "m/s"}.get(name, "K")
    attributes = {"units": unit, **({"standard_name": standard} if standard else {})}
    coordinate = ((key,), np.atleast_1d(value), attributes) if along else ((), value, attributes)
    own = {"coordinates": key} if said and not along else {}
    dimensions = ("time", key, "lat", "lon") if along else ("time", "lat", "lon")
    return {"name": name, key: coordinate, "dimensions": dimensions, "attributes": {"units": units, **own}}


def spoilt(value: float) -> dict:
    """Bounds of which one is wrong."""
    dimensions, ends, attributes = bounds(-1.0, 0.0)
    ends[7, 0] = value
    return {"time": STEPS, "time_bnds": (dimensions, ends, attributes)}


@pytest.mark.parametrize(
    ("days", "time"),
    [
        (59, {}),  # from midnight of 1 January to that of 28 February
        (50, {"units": "days since 2018-01-01 12:00"}),  # at noon
        (50, {"units": "days since 2018-01-01 12:00", "calendar": "noleap"}),
    ],
)
def test_stamps_tell_the_days_where_lost_bounds_cannot_contradict_them(days, time, tmp_path):
    kept = opened_file(written(dataset(days=days, time=time), tmp_path / "without.nc"))
    lost = opened_file(written(dataset(days=days, time=time | {"bounds": "time_bnds"}), tmp_path / "lost.nc"))
    np.testing.assert_array_equal(lost, kept)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (CURVED, "pr lies on a curvilinear grid, its lat has two dimensions: bring it .* cdo remapbil"),
        (ROTATED, "pr lies on a grid with a rotated pole: bring it"),
        (PROJECTED, r"pr lies on a projected grid \(lambert_conformal_conic\), whose coordinates are lengths"),
        ({"lat": ("lat", np.arange(3) * 1e5, {"standard_name": "latitude"})}, "2 values of lat are missing or"),
        ({"lat": ("lat", np.arange(3) / 9, {"standard_name": "latitude", "units": "radian"})}, "lat is in radians"),
        ({"lat": ("lat", [48.0, 48.94, 49.88])}, "cells are 0.94 degree of latitude by 0.5 of longitude; .* remap"),
        ({"lat": ("lat", [48.0, 48.6, 48.99])}, "latitudes lie 0.39 to 0.6 degree apart; those of a lattice"),
        ({"lon": ("lon", [0.0, 0.5, 2.5, 3.0])}, "longitudes lie 0.5 to 2 degree apart; those of a lattice are evenly"),
        ({"lon": ("lon", [-180.0, -60.0, 60.0, 180.0])}, "-180 is twice among the longitudes"),
        ({"dimensions": ("time", "plev", "lat", "lon"), "plev": ("plev", [1e5, 5e4])}, "2 entries along plev"),
        ({"dimensions": ("time", "expver", "lat", "lon"), "expver": ("expver", [1, 5])}, "2 entries along expver"),
        ({"dimensions": ("lat", "lon")}, "pr has no time among its dimensions"),
        ({"time": {"units": "days since 2018-01-01 noon"}}, "time unit is 'days since 2018-01-01 noon', expected such"),
        ({"time": {"units": "days since 2018-13-01"}}, "whose reference is no date and time"),
        ({"time": {"units": "days since 2018-02-30"}}, "names a day that the calendar 'standard' does not have"),
        ({"time": STEPS, "time_bnds": bounds(3, 4)}, "stamps of time lie outside their bounds time_bnds"),
        (
            {"time": {"climatology": "time_bnds"}, "time_bnds": bounds(-9000, 2000)},
            r"a step of time stands for 30 years \(time_bnds\): a climatology, not a series",
        ),
        ({"time": {"units": "hours since 2018-01-01"}}, "hourly data of pr, expected daily or monthly: .* cdo daymean"),
        ({"time": {"units": "hours since 2018-01-01"}, "attributes": {"units": "mm"}}, "pr, .* cdo daysum"),
        ({"time": {"units": "hours since 2018-01-01"}, "name": "tx", "attributes": {"units": "K"}}, "cdo daymax"),
        ({"time": {"units": "minutes since 2018-01-01"}}, "1-minute data of pr"),
        ({"time": {"units": "years since 2018-01-01"}}, "yearly data of pr, expected daily or monthly"),
        ({"attributes": {"units": "hPa"}}, "unit 'hPa' of pr is not known; it is computed in mm/day"),
        ({"attributes": {"valid_range": [1.0, 2.0, 3.0]}}, "pr: its valid_range has 3 values"),
        ({"attributes": {"missing_value": "lost"}}, "pr: its missing_value is 'lost', expected a number"),
        ({"attributes": {"scale_factor": 0.0}}, "pr: its scale_factor is 0"),
        ({"name": "tp", "attributes": {"units": "m", "cell_methods": "time: mean"}}, r"tp is an amount \(m\) and"),
        ({"attributes": {"cell_methods": "time: maximum"}}, "pr stands for pr, but its cell_methods say maximum"),
        ({"name": "v", "attributes": {"standard_name": "air_temperature", "units": "K"}}, "holds none of tas, tasmax"),
        (level("ta", "plev", 85000.0, "Pa"), r"ta lies at pressure 85000 Pa \(plev\), expected near the surface"),
        (level("ta", "z", 850.0, "", "air_pressure"), r"ta lies at pressure 850 \(z\), expected near the surface"),
        (level("hurs", "level", 500, "millibars", along=True), r"hurs lies at pressure 500 millibars \(level\)"),
        (level("pr", "lev", [1000.0, 850.0], "hPa", along=True), "pr has 2 entries along lev, of pressure, expected"),
        (level("tx", "lev", 60, "1", "atmosphere_hybrid_sigma_pressure_coordinate", True), "tx lies at model level 60"),
        (level("ws", "height", 100.0, "m"), r"ws lies at height 100 m \(height\), expected 8 to 12 m above"),
        (level("tas", "lev", 0.1, "km", "height", True), r"tas lies at height 0\.1 km \(lev\), expected 0 to 3 m"),
        (level("tas", "depth", 0.05, "m"), r"tas lies at depth 0\.05 m \(depth\), expected 0 to 3 m above the ground"),
        (level("tas", "height", 80.0, "m", said=False), r"tas lies at height 80 m \(height\)"),
        ({"time": {"bounds": "none"}}, "bounds none of time cannot be used: there is no such variable; correct"),
        (spoilt(np.nan), "bounds time_bnds of time cannot be used: 1 of their 100 values is missing; correct"),
        (spoilt(9.96921e36), "time_bnds of time cannot be used: 1 of their 100 values is missing"),
        (spoilt(-999.0), "time_bnds of time cannot be used: 1 of 50 steps are longer than a year"),
        (
            {"time": STEPS, "time_bnds": (("time", "three"), np.zeros((50, 3)))},
            r"time_bnds of time cannot be used: they have the shape \(50, 3\), expected \(50, 2\)",
        ),
        ({"name": "tx", "attributes": {"cell_methods": "time: standard_deviation"}}, "tasmax, .* say standard_dev"),
        ({"name": "tas", "attributes": {"cell_methods": "time: mean realization: variance"}}, "tas, .* say variance"),
        ({"name": "t2m", "attributes": {"cell_methods": "time: median"}}, "t2m stands for tas, .* say median"),
        ({"name": "pr", "attributes": {"cell_methods": "area: time: range"}}, "pr, .* say range: give the values"),
        (
            {"name": "v", "attributes": {"standard_name": "wind_speed", "cell_methods": "time: mode", "units": "m/s"}},
            "cell_methods of v say mode: give the values themselves",
        ),
        ({"name": "tasmax", "attributes": {"standard_name": "air_temperature_anomaly"}}, "standard_name is air_temp"),
        ({"name": "tas", "attributes": {"standard_name": "air_temperature standard_error"}}, "is air_temperature s"),
        ({"name": "ta", "attributes": {"standard_name": "relative_humidity"}}, "tas, but its standard_name is rel"),
    ],
)  # fmt: skip
def test_what_a_file_really_is_stands_in_its_refusal(change, message, tmp_path):
    path = written(dataset(**change), tmp_path / "in.nc")
    with pytest.raises(EngineError, match=rf"in\.nc:? .*{message}"):
        opened_file(path)


@pytest.mark.parametrize(
    "change",
    [
        level("tas", "height", 2.0, "m", "height"),
        level("hurs", "lev", 200.0, "cm", "height", along=True),
        level("ws", "heightAboveGround", 10.0, "m", "height"),
        level("ws", "height", 2.0, "m", said=False),  # as of a temperature beside it
        level("tas", "p0", 1e5, "Pa", said=False),
        level("pr", "height", 1.0, "m"),
        {"name": "tas", "attributes": {"units": "K", "cell_methods": "time: mean (comment: range: of the day)"}},
        {"name": "tas", "attributes": {"units": "K", "cell_methods": "time: mean realization: median"}},
        {"name": "rr", "attributes": {"standard_name": "thickness_of_rainfall_amount"}},
    ],
)
def test_levels_and_attributes_of_surface_data_are_accepted(change, tmp_path):
    assert (opened_file(written(dataset(**change), tmp_path / "in.nc"))[:, :50] > -300).all()


def test_the_level_of_a_single_place_is_looked_at_too(tmp_path):
    change = level("ta", "plev", 85000.0, "Pa")
    place = {"lat": ((), 49.0, {"units": "degrees_north"}), "lon": ((), 0.5, {"units": "degrees_east"})}
    path = written(dataset(**change, **place, ta=("time", np.ones(50), change["attributes"])), tmp_path / "in.nc")
    with pytest.raises(SchemaError, match=r"in\.nc: ta lies at pressure 85000 Pa \(plev\)"):
        pieces(xr.open_dataset(path, decode_cf=False), tmp_path / "again.nc")


def test_bounds_stored_the_other_way_round_are_read(tmp_path):
    dimensions, ends, _ = bounds(-1.0, 0.0, days=51)
    turned = {"time_bnds": (dimensions[::-1], ends.T), "time": STEPS}
    time = pieces(dataset(days=51, **turned), tmp_path / "in.nc")["pr"].time
    np.testing.assert_array_equal(time.to_numpy(), np.arange(51) - 0.5)


def test_latitudes_of_a_gaussian_grid_are_called_that(tmp_path):
    sines = np.polynomial.legendre.leggauss(16)[0]
    gaussian = {"lat": ("lat", np.degrees(np.arcsin(sines))), "lon": ("lon", np.arange(4) * 11.25)}
    path = written(dataset(**gaussian), tmp_path / "in.nc")
    with pytest.raises(
        SchemaError, match=r"10\.8867 degree of latitude, as those of a Gaussian grid, by 11\.25 of .* remap"
    ):
        opened_file(path)


@pytest.mark.parametrize(
    ("name", "attributes", "daily_name"),
    [
        ("t2m", {"units": "K"}, "tas"),
        ("t2m", {"units": "K", "cell_methods": "time: maximum"}, "tasmax"),
        ("v", {"units": "K", "standard_name": "air_temperature", "cell_methods": "area: mean time: minimum"}, "tasmin"),
        ("v", {"units": "K", "standard_name": "air_temperature", "cell_methods": "time: mean"}, "tas"),
        ("tg", {"units": "Celsius", "standard_name": "air_temperature"}, "tas"),
        ("tp", {"units": "m"}, "pr"),
        ("v", {"units": "kg m-2 s-1", "standard_name": "precipitation_flux"}, "pr"),
        ("v", {"units": "%", "standard_name": "relative_humidity"}, "hurs"),
        ("si10", {"units": "m s**-1"}, "sfcWind"),
        ("ssrd", {"units": "J m**-2"}, "rsds"),
    ],
)  # fmt: skip
def test_variables_are_known_by_name_or_standard_name(name, attributes, daily_name, tmp_path):
    assert list(pieces(dataset(name=name, attributes=attributes), tmp_path / "in.nc")) == [daily_name]


def test_a_name_goes_before_a_standard_name_and_two_of_either_are_refused(tmp_path):
    other = (("time", "lat", "lon"), np.ones((50, 3, 4)), {"units": "mm/day", "standard_name": "precipitation_flux"})
    assert "standard_name" not in pieces(dataset(prc=other), tmp_path / "in.nc")["pr"].variable.attrs
    both = written(dataset(name="other", prc=other, attributes={**other[2]}), tmp_path / "in.nc")
    with pytest.raises(SchemaError, match=r"in\.nc: prc and other can both be pr; leave one out"):
        opened_file(both)


def test_radiation_of_era5_in_joules_is_no_missing_value(tmp_path):
    joules = (("time", "lat", "lon"), np.full((50, 3, 4), 2e7), {"units": "J m**-2"})
    block = opened_file(written(dataset(name="ssrd", ssrd=joules), tmp_path / "in.nc"))
    assert (block[:, :50] == np.float32(20.0)).all()


@pytest.mark.parametrize(
    ("longitude", "west"),
    [([0.0, 0.5, 359.0, 359.5], -1.0), ([165.0, 170.0, 175.0, 180.0], 165.0), ([0.0, 90.0, 180.0, 270.0], -180.0)],
)
def test_longitudes_are_brought_to_one_range_around_greenwich_and_up_to_the_date_line(longitude, west):
    step = abs(longitude[1] - longitude[0])
    rows = step * np.arange(3) - step
    assert regular.lattice_of(rows, cf.wrapped(np.array(longitude)), "x") == (-step, west, 3, 4, step)


def test_a_file_of_another_step_is_named_by_the_loaders_too(tmp_path):
    path = written(dataset(name="RN", days=365), tmp_path / "in.nc")
    with pytest.raises(SchemaError, match="daily data, expected monthly; `derive` makes monthly and yearly files"):
        lattice_files.field(path, VARIABLES["rn"], GRID).__enter__()


def test_files_of_one_month_each_are_not_taken_as_days(tmp_path):
    paths = []
    for month in (0, 31, 59):
        dates = {"units": f"days since {np.datetime64('2018-01-01') + month}"}
        paths.append(written(dataset(time=dates, days=1), tmp_path / f"{month}.nc"))
    with pytest.raises(SchemaError, match="monthly data of pr, a step in each file: join them"):
        opened_file(*paths)


def test_a_damaged_hdf5_header_is_one_sentence_and_nothing_else(tmp_path):
    """Warnings are errors here, those of objects that fail as they are thrown away included."""
    dataset(days=5).to_netcdf(tmp_path / "whole.nc", engine="h5netcdf")
    whole, path = (tmp_path / "whole.nc").read_bytes(), tmp_path / "broken.nc"
    headers = [match.start() for match in re.finditer(b"OHDR", whole)]
    for at in headers:
        path.write_bytes(whole[: at + 20] + bytes(40) + whole[at + 60 :])
        with pytest.raises(SchemaError, match=r"broken\.nc is broken: "):
            opened_file(path)
    gc.collect()
    assert len(headers) >= 5


def test_a_compression_that_hdf5_lacks_is_read_by_netcdf4_or_named(tmp_path, monkeypatch):
    netcdf4 = pytest.importorskip("netCDF4")
    path = tmp_path / "in.nc"
    with netcdf4.Dataset(path, "w") as file:
        if not file.has_zstd_filter():
            pytest.skip("this netCDF4 has no zstd")
        for name, block in (("lat", encodings.LATITUDE), ("lon", encodings.LONGITUDE), ("time", np.arange(50.0))):
            file.createDimension(name, len(block))
            file.createVariable(name, "f8", (name,))[:] = block
        file["time"].units = "days since 2018-01-01"
        file.createVariable("pr", "f4", ("time", "lat", "lon"), compression="zstd")[:] = rain(50)
        file["pr"].units = "mm/day"
    expected = rain(50).reshape(50, 12).T
    np.testing.assert_array_equal(opened_file(path)[:, :50], expected)
    monkeypatch.setattr(hdf5, "unavailable", lambda _: {"pr": 32015})
    monkeypatch.setattr(hdf5, "netcdf4_reads", lambda *_: False)
    with pytest.raises(
        SchemaError, match=r"in\.nc: pr is compressed with zstd \(HDF5 filter 32015\), .*extra .geo.*nccopy"
    ):
        opened_file(path)
