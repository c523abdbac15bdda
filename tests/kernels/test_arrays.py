"""Masks, nulls and named dimensions, as the libraries that climate data come in hand them out."""

import netCDF4
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr

from engine import kernels
from engine.core.period import Years
from engine.kernels import arrays, indices, spei

NAN = np.nan
PLAIN = np.array([[1.0, NAN, 3.0], [4.0, 5.0, NAN]])
GAPS = np.isnan(PLAIN)
WHOLE = np.where(GAPS, -999, PLAIN).astype(int)
NULLS = [[1, None, 3], [4, 5, None]]


class Variable:
    """A variable of a NetCDF library: an array only once it is asked for, then a masked one."""

    dimensions = ("time", "cell")

    def __array__(self, dtype=None, copy=None):
        return np.ma.array(WHOLE.T, mask=GAPS.T)


KINDS = {
    "masked floats": np.ma.array(WHOLE.astype(float), mask=GAPS),
    "masked integers": np.ma.array(WHOLE, mask=GAPS),
    "masked objects": np.ma.array(WHOLE.astype(object), mask=GAPS),
    "rows that are masked": [np.ma.array(row, mask=gap) for row, gap in zip(WHOLE, GAPS, strict=True)],
    "lists with None": NULLS,
    "lists with masked": [[np.ma.masked if item is None else item for item in row] for row in NULLS],
    "lists with pd.NA": [[pd.NA if item is None else item for item in row] for row in NULLS],
    "pandas Int64": pd.DataFrame(NULLS, columns=list("abc")).astype("Int64"),
    "pandas Float32": pd.DataFrame(NULLS, columns=list("abc")).astype("Float32"),
    "pandas on arrow": pd.DataFrame(NULLS, columns=list("abc")).astype("int64[pyarrow]"),
    "polars": pl.DataFrame(NULLS, schema=list("abc"), orient="row"),
    "arrow": pa.table({name: list(column) for name, column in zip("abc", zip(*NULLS, strict=True), strict=True)}),
    "xarray": xr.DataArray(PLAIN, dims=("cell", "year")),
    "xarray, time first": xr.DataArray(PLAIN.T, dims=("valid_time", "station")),
    "netcdf": Variable(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_becomes_nan_whatever_says_so(kind):
    np.testing.assert_array_equal(arrays.by_cell(KINDS[kind], "x"), PLAIN)


def test_a_plain_panel_is_handed_on_as_it_is_and_a_masked_one_keeps_its_type():
    panel = np.zeros((2, 3), np.float32)
    assert arrays.by_cell(panel, "x") is panel
    assert arrays.numbers(np.arange(3), "x").dtype == np.int64
    masked = np.ma.array(panel, mask=GAPS)
    assert arrays.by_cell(masked, "x").dtype == np.float32
    assert not np.isnan(panel).any()  # the caller's values stay
    assert np.shares_memory(arrays.by_cell(np.ma.array(panel), "x"), panel)


def climate(seed=1, cells=3, years=12):
    """(cells, years * 12) of temperature, humidity, wind, rain, radiation."""
    rng = np.random.default_rng(seed)
    shape = (cells, years * 12)
    uniform = [rng.uniform(*limits, shape) for limits in ((-5, 25), (40, 90), (1, 5), (0, 300), (5, 20))]
    return [each.astype(np.float32) for each in uniform]


def kernel_calls():
    """Public kernels on one (cells, months) input."""
    _, humidity, wind, rain, radiation = climate()
    latitude, month = [35.0, 36.0, 37.0], np.tile(np.arange(1, 13), 12)
    edges = [0.0, 10.0]
    days = indices.DayAxis.of(Years(2001, 2001), indices.NOLEAP)

    def cube(x):
        return x if isinstance(x, np.ma.MaskedArray) else np.asarray(x)

    return {
        "annual_maximum": lambda x: kernels.annual_maximum(cube(x).reshape(3, -1, 12)),
        "annual_minimum": lambda x: kernels.annual_minimum(cube(x).reshape(3, -1, 12)),
        "annual_mean": lambda x: kernels.annual_mean(cube(x).reshape(3, -1, 12)),
        "annual_surplus": lambda x: kernels.annual_surplus(cube(x).reshape(3, -1, 12), rain.reshape(3, -1, 12)),
        "period_mean": lambda x: kernels.period_mean(x, slice(0, 100), 0.5),
        "bin_probabilities": lambda x: np.concatenate(kernels.bin_probabilities(x, edges)[0]),
        "baseline_quantiles": lambda x: kernels.baseline_quantiles(x, [0.5, 0.9]),
        "fire_weather_index": lambda x: kernels.fire_weather_index(x, humidity, wind, rain),
        "evapotranspiration": lambda x: kernels.reference_evapotranspiration(
            x, humidity, wind, radiation, latitude, month
        ),
        "spei": lambda x: spei.accumulate(x, 3),
        "indices": lambda x: indices.monthly_means(np.ma.concatenate([x, x, x], axis=1)[:, :365], days),
    }


@pytest.mark.parametrize("name", kernel_calls())
def test_every_kernel_takes_a_mask_for_missing(name):
    air = climate()[0]
    gaps = np.random.default_rng(5).random(air.shape) < 0.04
    hidden = np.where(gaps, np.float32(1e20), air)
    call = kernel_calls()[name]
    expected = call(np.where(gaps, np.float32(NAN), air))
    assert np.isfinite(expected).any()
    np.testing.assert_array_equal(call(np.ma.array(hidden, mask=gaps)), expected)


def test_typhoon_kernels_take_masks_and_refuse_them_where_a_fix_would_belong_nowhere():
    none, fixes = np.full(2, NAN), np.array([0.0, 6.0])
    track = kernels.TyphoonTrack([1, 1], fixes, [34.0, 35.0], [128.0, 128.0], ["TY", "TY"], [40.0, NAN], *(none,) * 6)
    masked = track._replace(vmax=np.ma.array([40.0, 1e20], mask=[False, True]))
    for measure in (kernels.typhoon_wind, kernels.typhoon_exposure):
        np.testing.assert_array_equal(measure([34.5], [128.5], masked, [1970]), measure([34.5], [128.5], track, [1970]))
    rain = np.ma.array([[100.0, 1e20]], mask=[[False, True]])
    index = kernels.typhoon_cyclone_index([34.5], [128.5], masked, [1970], rain)
    assert np.isfinite(index[0, 0])
    assert np.isnan(index[0, 1])
    with pytest.raises(ValueError, match="grade of a track is masked"):
        kernels.typhoon_wind([34.5], [128.5], track._replace(grade=np.ma.array([3, 3], mask=[0, 1])), [1970])
    with pytest.raises(ValueError, match="1 of 2 years are not whole numbers"):
        kernels.typhoon_wind([34.5], [128.5], track, np.ma.array([1970, 1971], mask=[False, True]))


def test_named_dimensions_are_taken_by_name_in_any_order():
    x = np.random.default_rng(2).gamma(2.0, 5.0, (4, 30))
    expected = kernels.bin_probabilities(x, [5.0, 10.0]).p
    dates = pd.date_range("1991-01-01", periods=30, freq="YS")
    for turned in (
        xr.DataArray(x.T, dims=("time", "cell")),
        xr.DataArray(x, dims=("cell", "time")),
        xr.DataArray(x.T, dims=("when", "cell"), coords={"when": dates}),
    ):
        np.testing.assert_array_equal(kernels.bin_probabilities(turned, [5.0, 10.0]).p, expected)
    cube = np.random.default_rng(3).normal(size=(4, 5, 12))
    for order in ((2, 1, 0), (1, 2, 0), (1, 0, 2)):
        dims = [("cell", "year", "month")[axis] for axis in order]
        turned = xr.DataArray(cube.transpose(order), dims=dims)
        np.testing.assert_array_equal(kernels.annual_mean(turned), kernels.annual_mean(cube))


def test_inputs_that_belong_together_are_brought_to_the_order_of_the_first():
    air, humidity, wind, rain, _ = climate()
    expected = kernels.fire_weather_index(air.T, humidity.T, wind.T, rain.T)
    named = [xr.DataArray(each, dims=("cell", "time")) for each in (humidity, wind, rain)]
    first = xr.DataArray(air.T, dims=("time", "cell"))
    np.testing.assert_array_equal(kernels.fire_weather_index(first, *named), expected)
    with pytest.raises(ValueError, match="rn has the dimensions place, time, the others time, cell"):
        kernels.fire_weather_index(first, *named[:2], named[2].rename(cell="place"))


def test_inputs_whose_labels_differ_are_not_put_together_by_position():
    air, humidity, wind, rain, _ = climate()
    here = {"cell": np.arange(len(air))}
    named = [xr.DataArray(each, dims=("cell", "time"), coords=here) for each in (air, humidity, wind)]
    upside_down = xr.DataArray(rain, dims=("cell", "time"), coords={"cell": here["cell"][::-1]})
    with pytest.raises(ValueError, match="rn has other labels along cell"):
        kernels.fire_weather_index(*named, upside_down)
    without = xr.DataArray(rain, dims=("cell", "time"))
    expected = kernels.fire_weather_index(air, humidity, wind, rain)
    np.testing.assert_array_equal(kernels.fire_weather_index(*named, without), expected)


YEARS = list(range(1991, 2021))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (pd.DataFrame(np.ones((30, 4)), index=YEARS), "times in its rows"),
        (pd.DataFrame(np.ones((30, 4)), index=pd.Index(YEARS, name="year")), "times in its rows"),
        (pd.DataFrame(np.ones((4, 3)), index=["1994", "1993", "1991", "1990"]), "times in its rows"),
        (pd.DataFrame(np.ones((30, 4)), index=pd.date_range("1991", periods=30, freq="YS")), "times in its rows"),
        (pd.DataFrame(np.ones((30, 4)), index=pd.period_range("1991", periods=30, freq="Y")), "times in its rows"),
        (pd.DataFrame({"year": YEARS, "cell 1": 1.0}), "times in its column 'year'"),
        (pl.DataFrame({"year": YEARS, "cell 1": 1.0}), "times in its column 'year'"),
        (pa.table({"time": YEARS, "cell 1": YEARS}), "times in its column 'time'"),
        (xr.DataArray(np.ones((30, 4)), dims=("lat", "lon")), "none of them is of time"),
        (xr.DataArray(np.ones((30, 4)), dims=("time", "year")), "several dimensions of time, time, year"),
        (np.array([["a", "b"]]), "must be numbers"),
        ([[1.0, "b"]], "must be numbers"),
        (np.array([[1.0, object()]]), "1 of 2 values of x are not numbers"),
        (np.array([["2020-01-01"]], "datetime64[D]"), "must be numbers"),
    ],
)
def test_a_table_the_other_way_about_and_what_is_no_number_are_refused_in_one_sentence(table, says):
    with pytest.raises(ValueError, match=says) as caught:
        kernels.bin_probabilities(table, [5.0])
    assert "\n" not in str(caught.value)


def test_a_table_of_cells_by_years_and_a_bare_array_of_any_shape_are_taken():
    x = np.random.default_rng(4).gamma(2.0, 5.0, (30, 30))
    expected = kernels.bin_probabilities(x, [5.0]).p
    by_year = pd.DataFrame(x, columns=YEARS, index=pd.Index(YEARS, name="grid_id"))
    by_number = pd.DataFrame(x, index=[2000 + 37 * cell for cell in range(30)])
    for table in (x.tolist(), by_year, by_number, pd.DataFrame(x), pl.DataFrame(x)):
        np.testing.assert_array_equal(kernels.bin_probabilities(table, [5.0]).p, expected)


def test_a_variable_of_netcdf4_keeps_its_mask(tmp_path):
    with netCDF4.Dataset(tmp_path / "x.nc", "w") as file:
        file.createDimension("time", 3)
        file.createDimension("cell", 2)
        variable = file.createVariable("x", "f4", ("time", "cell"), fill_value=-99.0)
        variable[:] = np.ma.array(WHOLE.T, mask=GAPS.T)
        read = arrays.by_cell(variable, "x")
    np.testing.assert_array_equal(read, PLAIN)
