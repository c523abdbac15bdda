"""The index kernels against xclim, number for number: the observed Seoul record and three calendars."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr

from engine.kernels import indices
from engine.kernels.indices import DayAxis
from engine.period import Years
from engine.sample import seoul

with warnings.catch_warnings():
    # importing xclim touches deprecated names of its own dependencies; what it computes is still under "error"
    warnings.simplefilter("ignore")
    import xclim.indices as xi
    from xclim.core.calendar import percentile_doy
    from xclim.core.missing import missing_any, missing_wmo

# xclim 0.62 on pandas 3.1: one deprecated name, no effect on a number
pytestmark = pytest.mark.filterwarnings("ignore:The 'name' property is deprecated:pandas.errors.Pandas4Warning")

BASE = Years(1981, 2010)


def series(block: np.ndarray, axis: DayAxis, units: str) -> xr.DataArray:
    """The first cell as xclim wants it, in float64 so that its sums are not rounded on the way."""
    days = xr.date_range(f"{axis.years.first}-01-01", periods=axis.n, freq="D", calendar=axis.calendar,
                         use_cftime=axis.calendar != "standard")  # fmt: skip
    return xr.DataArray(block[0].astype(np.float64), dims="time", coords={"time": days}, attrs={"units": units})


def expected(block: np.ndarray, axis: DayAxis, kind: str, base: Years) -> dict[str, xr.DataArray]:
    """xclim's answers for one variable, before its rule about missing days."""
    if kind == "rain":
        pr = series(block, axis, "mm/day")
        return {
            "rx1day": xi.max_1day_precipitation_amount(pr, freq="YS"),
            "rx5day": xi.max_n_day_precipitation_amount(pr, window=5, freq="YS"),
            "cdd": xi.maximum_consecutive_dry_days(pr, thresh="1 mm/day", freq="YS", resample_before_rl=False),
            "rain80": xi.wetdays(pr, thresh="80 mm/day", op=">=", freq="YS"),
            "sdii": xi.daily_pr_intensity(pr, thresh="1 mm/day", freq="YS").fillna(0.0),
        }
    x = series(block, axis, "degC")
    warm = kind == "warm"
    years = x.sel(time=slice(str(base.first), str(base.last)))
    per = percentile_doy(years, window=5, per=90 if warm else 10).isel(percentiles=0, drop=True)
    if warm:
        return {
            "wsdi": xi.warm_spell_duration_index(x, per, window=6, freq="YS", resample_before_rl=True),
            "tx90p": xi.tx90p(x, per, freq="YS"),
            "hw33": xi.tx_days_above(x, "33 degC", op=">=", freq="YS"),
        }
    return {
        "csdi": xi.cold_spell_duration_index(x, per, window=6, freq="YS", resample_before_rl=True),
        "tn10p": xi.tn10p(x, per, freq="YS"),
        "tr25": xi.tn_days_above(x, "25 degC", op=">=", freq="YS"),
        "fd0": xi.frost_days(x, freq="YS"),
        "tnn": xi.tn_min(x, freq="YS"),
    }


def ours(block: np.ndarray, axis: DayAxis, kind: str, base: Years) -> dict[str, np.ndarray]:
    if kind == "rain":
        return indices.rain_indices(block, axis)
    percent, compute = (90, indices.warm_indices) if kind == "warm" else (10, indices.cold_indices)
    return compute(block, axis, indices.percentile_of_days(block, axis, base, percent))


def assert_equals_xclim(block: np.ndarray, axis: DayAxis, kind: str, base: Years) -> None:
    gaps = missing_any(series(block, axis, "1"), freq="YS").to_numpy()
    found, wanted = ours(block, axis, kind, base), expected(block, axis, kind, base)
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        values = np.where(gaps, np.nan, values.to_numpy()).astype(np.float32)
        np.testing.assert_array_equal(found[name][0], values, err_msg=name)


def random_block(axis: DayAxis, kind: str, seed: int, gaps: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "rain":
        block = rng.gamma(0.4, 30.0, (1, axis.n)) * (rng.random((1, axis.n)) < 0.3)
    else:  # a slow wave on the season, so that spells of six days happen; tenths, so that ties with limits happen
        days = np.arange(axis.n)
        noise = np.convolve(rng.normal(0, 6, axis.n + 9), np.ones(10) / 4, "valid")
        block = (13 - 15 * np.cos(2 * np.pi * days / 365.25) + noise)[None].round(1)
    block[0, rng.choice(axis.n, gaps, replace=False)] = np.nan
    return block.astype(np.float32)


@pytest.fixture(scope="module")
def record() -> tuple[DayAxis, dict[str, np.ndarray]]:
    axis, days = seoul.read_days()
    return axis, {"warm": days["tasmax"], "cold": days["tasmin"], "rain": days["pr"]}


@pytest.mark.parametrize("kind", ["warm", "cold", "rain"])
def test_the_seoul_record_gives_xclims_numbers_exactly(kind: str, record: Any) -> None:
    axis, days = record
    assert_equals_xclim(days[kind], axis, kind, BASE)


def test_the_calendar_day_percentiles_of_seoul_equal_xclims_to_the_last_bit(record: Any) -> None:
    axis, days = record
    base = series(days["warm"], axis, "degC").sel(time=slice("1981", "2010"))
    wanted = percentile_doy(base, window=5, per=90).isel(percentiles=0).to_numpy()
    np.testing.assert_array_equal(indices.percentile_of_days(days["warm"], axis, BASE, 90)[0], wanted)


@pytest.mark.parametrize("kind", ["warm", "cold", "rain"])
@pytest.mark.parametrize("calendar", indices.CALENDARS)
def test_every_calendar_with_missing_days_gives_xclims_numbers(kind: str, calendar: str) -> None:
    axis = DayAxis.of(Years(1999, 2012), calendar)
    for seed in range(3):
        assert_equals_xclim(random_block(axis, kind, seed, gaps=3), axis, kind, Years(2000, 2009))


def test_cells_do_not_touch_each_other(record: Any) -> None:
    axis = DayAxis.of(Years(2000, 2009), "standard")
    blocks = [random_block(axis, "warm", seed, gaps=seed) for seed in range(4)]
    together = ours(np.concatenate(blocks), axis, "warm", axis.years)
    for cell, block in enumerate(blocks):
        for name, values in ours(block, axis, "warm", axis.years).items():
            np.testing.assert_array_equal(together[name][cell], values[0])


def test_a_dry_spell_over_new_year_belongs_to_the_year_it_begins_in() -> None:
    axis = DayAxis.of(Years(2001, 2003), "standard")
    pr = np.full((1, axis.n), 5.0, np.float32)
    pr[0, 365 - 10 : 365 + 20] = 0.0
    assert indices.rain_indices(pr, axis)["cdd"].tolist() == [[30, 0, 0]]


def test_a_warm_spell_over_new_year_is_cut_and_both_parts_need_six_days() -> None:
    axis = DayAxis.of(Years(2001, 2002), "standard")
    x = np.zeros((1, axis.n), np.float32)
    x[0, 365 - 7 : 365 + 5] = 10.0
    assert indices.warm_indices(x, axis, np.full((1, 366), 5.0))["wsdi"].tolist() == [[7, 0]]


def test_five_days_over_new_year_count_for_the_second_year() -> None:
    axis = DayAxis.of(Years(2001, 2002), "noleap")
    pr = np.zeros((1, axis.n), np.float32)
    pr[0, 363:367] = 20.0
    assert indices.rain_indices(pr, axis)["rx5day"].tolist() == [[40, 80]]


def test_a_year_without_a_wet_day_has_intensity_zero_and_a_missing_year_none() -> None:
    axis = DayAxis.of(Years(2001, 2002), "360_day")
    pr = np.zeros((1, axis.n), np.float32)
    pr[0, 400] = np.nan
    np.testing.assert_array_equal(indices.rain_indices(pr, axis)["sdii"], [[0, np.nan]])


def test_a_cell_without_base_days_has_no_percentile_and_no_index() -> None:
    axis = DayAxis.of(Years(2001, 2004), "standard")
    x = np.ones((1, axis.n), np.float32)
    x[0, : axis.year_starts[2]] = np.nan
    limit = indices.percentile_of_days(x, axis, Years(2001, 2002), 90)
    assert np.isnan(limit).all()
    assert np.isnan(indices.warm_indices(x, axis, limit)["wsdi"]).all()


def test_a_month_is_averaged_by_the_wmo_rule_and_summed_only_when_complete() -> None:
    axis = DayAxis.of(Years(2000, 2001), "standard")
    x = np.random.default_rng(8).gamma(2, 3, (1, axis.n)).astype(np.float32)
    x[0, 3], x[0, 31:42:1], x[0, 60:64], x[0, 91:96], x[0, 121:150:2] = (np.nan,) * 5
    x[0, 152:171:2] = np.nan  # June: 10 days, one at a time
    days = series(x, axis, "degC")
    wmo, every = missing_wmo(days, freq="MS").to_numpy(), missing_any(days, freq="MS").to_numpy()
    monthly = days.resample(time="MS")
    mean, total = monthly.mean().to_numpy(), monthly.sum().to_numpy()
    assert wmo[:7].tolist() == [False, True, False, True, True, False, False]
    np.testing.assert_allclose(indices.monthly_means(x, axis)[0], np.where(wmo, np.nan, mean), rtol=1e-7)
    np.testing.assert_allclose(indices.monthly_sums(x, axis)[0], np.where(every, np.nan, total), rtol=1e-7)
    np.testing.assert_allclose(indices.yearly_means(x, axis)[0], [np.nan, x[0, 366:].mean()], rtol=1e-6)


def test_a_block_that_is_not_the_axis_is_refused_with_both_lengths() -> None:
    axis = DayAxis.of(Years(2001, 2002), "noleap")
    with pytest.raises(ValueError, match=r"\(1, 731\), but the axis 2001-2002 \(noleap\) has 730 days"):
        indices.rain_indices(np.zeros((1, 731), np.float32), axis)


def test_an_unknown_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown calendar 'julian'"):
        DayAxis.of(Years(2001, 2002), "julian")
