"""The index kernels against xclim, number for number: the observed Seoul record and three calendars."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import xarray as xr

from engine.core.period import Years
from engine.kernels import indices
from engine.kernels.indices import DayAxis
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


def expected(
    block: np.ndarray, axis: DayAxis, kind: str, base: Years, crossing: bool = False
) -> dict[str, xr.DataArray]:
    """xclim's answers for one variable, before its rule about missing days."""
    if kind == "rain":
        pr = series(block, axis, "mm/day")
        return {
            "rx1day": xi.max_1day_precipitation_amount(pr, freq="YS"),
            "rx5day": xi.max_n_day_precipitation_amount(pr, window=5, freq="YS"),
            "cdd": xi.maximum_consecutive_dry_days(pr, thresh="1 mm/day", freq="YS", resample_before_rl=not crossing),
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


def ours(block: np.ndarray, axis: DayAxis, kind: str, base: Years, crossing: bool = False) -> dict[str, np.ndarray]:
    if kind == "rain":
        return indices.rain_indices(block, axis, spells_cross_years=crossing)
    percent, compute = (90, indices.warm_indices) if kind == "warm" else (10, indices.cold_indices)
    return compute(block, axis, indices.percentile_of_days(block, axis, base, percent))


def too_many_missing(block: np.ndarray, axis: DayAxis) -> np.ndarray:
    """(years,): more than 15 days of a year, or more than 3 of a month. xclim has no such rule, only its parts."""
    absent = np.isnan(block[0])
    months = np.array([absent[i:j].sum() for i, j in pairwise(axis.month_starts)]).reshape(-1, 12)
    return (months.sum(axis=1) > 15) | (months.max(axis=1) > 3)


def assert_equals_xclim(block: np.ndarray, axis: DayAxis, kind: str, base: Years, crossing: bool = False) -> np.ndarray:
    """Within the gaps of ETCCDI, xclim's answers before its rule about missing days; returns the years beyond."""
    gaps = too_many_missing(block, axis)
    found, wanted = ours(block, axis, kind, base, crossing), expected(block, axis, kind, base, crossing)
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        values = np.where(gaps, np.nan, values.to_numpy()).astype(np.float32)
        np.testing.assert_array_equal(found[name][0], values, err_msg=name)
    return gaps


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


@pytest.mark.parametrize("percent", [0, 1, 10, 50, 90, 99, 100])
def test_percentiles_of_few_values_are_those_of_the_whole_window_sorted(percent: int) -> None:
    axis, base = DayAxis.of(Years(2000, 2003), indices.NOLEAP), Years(2001, 2002)
    rng = np.random.default_rng(4)
    x = rng.normal(10, 8, (3, axis.n)).round(1).astype(np.float32)
    x[1, rng.random(axis.n) < 0.5] = np.nan
    x[2, rng.random(axis.n) < 0.95] = np.nan  # windows of one value, and of none
    found = indices.percentile_of_days(x, axis, base, percent)
    of_base = x[:, 365:1095].astype(np.float64)
    for cell, day in np.ndindex(found.shape):
        middle = np.array([day, day + 365])
        window = (middle[:, None] + np.arange(-2, 3)).ravel()
        values = of_base[cell, window[(window >= 0) & (window < 730)]]
        values = values[~np.isnan(values)]
        wanted = np.quantile(values, percent / 100, method="median_unbiased") if values.size else np.nan
        np.testing.assert_equal(found[cell, day], wanted)


@pytest.mark.parametrize("kind", ["warm", "cold", "rain"])
@pytest.mark.parametrize("calendar", indices.CALENDARS)
def test_every_calendar_with_missing_days_gives_xclims_numbers(kind: str, calendar: str) -> None:
    axis = DayAxis.of(Years(1999, 2012), calendar)
    for seed, gaps in enumerate((3, 60, 200)):
        beyond = assert_equals_xclim(random_block(axis, kind, seed, gaps), axis, kind, Years(2000, 2009))
    assert beyond.any()
    assert not beyond.all()


@pytest.mark.parametrize("calendar", indices.CALENDARS)
def test_dry_spells_that_go_on_over_new_year_give_xclims_numbers(calendar: str) -> None:
    axis = DayAxis.of(Years(1999, 2012), calendar)
    assert_equals_xclim(random_block(axis, "rain", 5, gaps=20), axis, "rain", axis.years, crossing=True)


def test_cells_do_not_touch_each_other(record: Any) -> None:
    axis = DayAxis.of(Years(2000, 2009), "standard")
    blocks = [random_block(axis, "warm", seed, gaps=seed) for seed in range(4)]
    together = ours(np.concatenate(blocks), axis, "warm", axis.years)
    for cell, block in enumerate(blocks):
        for name, values in ours(block, axis, "warm", axis.years).items():
            np.testing.assert_array_equal(together[name][cell], values[0])


def test_a_dry_spell_over_new_year_is_cut_or_belongs_to_the_year_it_begins_in() -> None:
    axis = DayAxis.of(Years(2001, 2003), "standard")
    pr = np.full((1, axis.n), 5.0, np.float32)
    pr[0, 365 - 10 : 365 + 20] = 0.0
    assert indices.rain_indices(pr, axis)["cdd"].tolist() == [[10, 20, 0]]
    assert indices.rain_indices(pr, axis, spells_cross_years=True)["cdd"].tolist() == [[30, 0, 0]]


def test_a_wholly_dry_record_is_dry_in_every_year() -> None:
    axis = DayAxis.of(Years(2001, 2004), "standard")
    cdd = indices.rain_indices(np.zeros((1, axis.n), np.float32), axis)["cdd"]
    assert cdd.tolist() == [[365, 365, 365, 366]]


@pytest.mark.parametrize(
    ("days", "missing"),
    [
        ([0, 1, 2], False),  # three of January
        ([0, 1, 2, 3], True),
        ([31 * m + d for m in range(5) for d in (1, 2, 3)], False),  # 15, three a month
        ([31 * m + d for m in range(5) for d in (1, 2, 3)] + [200], True),
    ],
)
def test_a_year_allows_fifteen_missing_days_and_three_a_month(days: list[int], missing: bool) -> None:
    axis = DayAxis.of(Years(2001, 2002), "standard")
    x = np.full((1, axis.n), 10.0, np.float32)
    x[0, days] = np.nan
    limit = np.full((1, 366), 5.0)
    found = {**indices.warm_indices(x, axis, limit), **indices.cold_indices(x, axis, limit),
             **indices.rain_indices(x, axis), "mean": indices.yearly_means(x, axis)}  # fmt: skip
    for name, values in found.items():
        assert np.isnan(values[0]).tolist() == [missing, False], name


def test_a_missing_day_is_not_a_dry_one_and_closes_no_window() -> None:
    axis = DayAxis.of(Years(2001, 2001), "noleap")
    pr = np.full((1, axis.n), 2.0, np.float32)
    pr[0, 100:105] = 40.0, 40.0, np.nan, 40.0, 40.0
    pr[0, 200:211] = 0.0
    pr[0, 205] = np.nan
    found = indices.rain_indices(pr, axis)
    assert found["rx1day"][0, 0] == 40
    assert found["rx5day"][0, 0] == 40 + 40 + 2 * 3  # on either side of the gap
    assert found["cdd"][0, 0] == 5


def test_a_day_without_a_percentile_takes_only_what_is_compared_with_it() -> None:
    axis = DayAxis.of(Years(2001, 2001), "noleap")
    x = np.full((1, axis.n), -1.0, np.float32)
    limit = np.full((1, 365), 5.0)
    limit[0, :4] = np.nan
    found = indices.cold_indices(x, axis, limit)
    assert np.isnan([found["csdi"][0, 0], found["tn10p"][0, 0]]).all()
    assert (found["fd0"][0, 0], found["tnn"][0, 0]) == (365, -1)


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
    pr[0, 400:404] = np.nan
    np.testing.assert_array_equal(indices.rain_indices(pr, axis)["sdii"], [[0, np.nan]])


def test_a_cell_without_base_days_has_no_percentile_and_no_index() -> None:
    axis = DayAxis.of(Years(2001, 2004), "standard")
    x = np.ones((1, axis.n), np.float32)
    x[0, : axis.year_starts[2]] = np.nan
    limit = indices.percentile_of_days(x, axis, Years(2001, 2002), 90)
    assert np.isnan(limit).all()
    found = indices.warm_indices(x, axis, limit)
    assert np.isnan(found["wsdi"]).all()
    np.testing.assert_array_equal(found["hw33"], [[np.nan, np.nan, 0, 0]])


def test_the_dates_of_an_axis_are_those_of_its_calendar() -> None:
    for calendar, last, leap in (("standard", 1826, "2004-02-29"), ("360_day", 1800, "2004-02-30")):
        axis = DayAxis.of(Years(2001, 2005), calendar)
        assert axis.n == last
        assert axis.date(0) == "2001-01-01"
        assert leap in {axis.date(day) for day in range(1090, 1160)}
        assert len({axis.date(day) for day in range(axis.n)}) == axis.n


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
