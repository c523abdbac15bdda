from __future__ import annotations

from itertools import product

import numba
import numpy as np
import pytest
from scipy import stats

from engine.kernels import LEVEL_METHODS, lmoments, return_levels
from engine.kernels.normal import Z95, student95
from engine.kernels.return_levels import corrected_interval, log_hazards

PERIODS = [2.0, 10.0, 100.0]
DRAWS = 1000
#: beyond this the binomial error of a share of 1,000 draws hardly ever goes (three standard errors)
ERROR = 0.03
TRUTHS = {"gumbel": stats.gumbel_r(), "gpd(0.2)": stats.genpareto(0.2), "log-normal": stats.lognorm(0.8)}


def coverage(truth, n, seed, zeros=0.0):
    """Share of draws whose interval holds the true 100-year level; zeros: share of years without an event."""
    rng = np.random.default_rng(seed)
    x = truth.rvs((DRAWS, n), random_state=rng)
    lower = None
    if zeros:
        lower = float(truth.ppf(0.0))
        x = np.where(rng.random(x.shape) < zeros, lower, x)
    true = truth.ppf(1 - 1 / (100 * (1 - zeros)))
    found = return_levels(x, [100.0], lower=lower, resamples=1000)
    assert (found.method == 0).mean() > 0.99
    return ((found.low <= true) & (true <= found.high)).mean()


@pytest.mark.parametrize("name", TRUTHS)
def test_the_interval_covers_the_true_level_of_100_years_about_as_often_as_it_says(name):
    assert 0.85 - ERROR <= coverage(TRUTHS[name], 80, seed=1) <= 0.95 + ERROR
    assert 0.80 <= coverage(TRUTHS[name], 20, seed=2) <= 0.95


def test_the_interval_covers_also_where_a_third_of_the_years_has_no_event():
    assert 0.85 - ERROR <= coverage(TRUTHS["gpd(0.2)"], 60, seed=3, zeros=1 / 3) <= 0.95 + ERROR


def test_a_level_is_the_quantile_of_the_fitted_gev():
    x = np.random.default_rng(0).gumbel(50.0, 10.0, (4, 60))
    found = return_levels(x, PERIODS)
    expected = lmoments.gev_quantile(1 - 1 / np.array(PERIODS), lmoments.gev_fit(x).parameters)
    np.testing.assert_allclose(found.level, expected, rtol=1e-12)
    assert (found.low < found.level).all()
    assert (found.level < found.high).all()


def test_an_interval_of_many_samples_is_as_wide_as_fits_to_new_samples_scatter():
    n, period = 1000, 100.0
    x = stats.genextreme(-0.1).rvs((1, n), random_state=5)
    found = return_levels(x, [period], resamples=1000)
    xi, alpha, k = lmoments.gev_fit(x).parameters[0]
    again = stats.genextreme(k, xi, alpha).rvs((1000, n), random_state=6)
    spread = lmoments.gev_quantile([1 - 1 / period], lmoments.gev_fit(again).parameters).std()
    assert (found.high - found.low)[0, 0] == pytest.approx(2 * Z95 * spread, rel=0.12)


def test_below_the_share_of_events_the_level_is_the_bound():
    rng = np.random.default_rng(1)
    x = np.zeros((1, 60))
    x[0, :20] = rng.gamma(2.0, 30.0, 20) + 1.0
    found = return_levels(x, [2.0, 3.0, 3.1, 100.0], lower=0.0)
    assert found.level[0, :2].tolist() == [0.0, 0.0]
    assert 0.0 < found.level[0, 2] < found.level[0, 3]
    assert found.low[0, 0] == 0.0
    above = return_levels(x[:, :20], [100.0 / 3], lower=0.0)
    assert found.level[0, 3] == pytest.approx(above.level[0, 0], rel=1e-12)


def test_too_few_samples_or_no_fit_is_nan_and_a_word():
    rng = np.random.default_rng(2)
    x = rng.gamma(2.0, 30.0, (6, 30)) + 1.0
    x[0, 19:] = np.nan
    x[1, 11:] = 0.0
    x[2] = 0.0
    x[3] = 7.0
    x[4] = 7.0
    x[4, 3] = 9.0
    found = return_levels(x, [50.0], lower=0.0)
    words = [LEVEL_METHODS[code] for code in found.method]
    assert words == ["too_few", "too_few", "constant", "constant", "no_fit", "gev"]
    for figures in found[:3]:
        assert np.isnan(figures[:5]).all()
        assert np.isfinite(figures[5]).all()


def test_neither_threads_nor_neighbours_nor_missing_years_move_a_byte():
    rng = np.random.default_rng(3)
    x = rng.gamma(2.0, 30.0, (8, 40))
    x[rng.random(x.shape) < 0.3] = 0.0
    whole = return_levels(x, PERIODS, lower=0.0)
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = [return_levels(row[None], PERIODS, lower=0.0) for row in np.insert(x, 7, np.nan, axis=1)]
    finally:
        numba.set_num_threads(threads)
    for place in range(4):
        assert np.concatenate([each[place] for each in alone]).tobytes() == whole[place].tobytes()


def test_samples_in_another_unit_have_the_same_interval_in_that_unit():
    x = np.random.default_rng(4).gumbel(50.0, 10.0, (3, 30))
    found, doubled = return_levels(x, PERIODS), return_levels(2.0 * x, PERIODS)
    for place in range(3):
        np.testing.assert_allclose(doubled[place], 2.0 * found[place], rtol=1e-12)


def test_another_seed_is_another_interval_of_the_same_level():
    x = np.random.default_rng(4).gumbel(50.0, 10.0, (1, 30))
    one, other = return_levels(x, PERIODS), return_levels(x, PERIODS, seed=1)
    np.testing.assert_array_equal(one.level, other.level)
    assert (one.high != other.high).all()
    np.testing.assert_allclose(one.high, other.high, rtol=0.03)


def test_hazards_are_those_of_sorted_samples():
    """-log F of the largest of m samples is exponential with mean 1 / m."""
    exponential = np.random.default_rng(5).exponential(size=(20_000, 7))
    hazards = np.exp(log_hazards(exponential))
    assert (np.diff(hazards, axis=1) < 0).all()
    assert hazards[:, -1].mean() == pytest.approx(1 / 7, rel=0.03)
    assert hazards.sum(axis=1).mean() == pytest.approx(7.0, rel=0.01)


def test_students_quantile_and_the_corrected_percentiles_are_scipys():
    for degrees in (3.0, 17 / 3, 9.0, 77 / 3, 1000.0):
        assert student95(degrees) == pytest.approx(stats.t(degrees).ppf(0.95), abs=0.007)
    drawn = np.random.default_rng(6).normal(size=20_001)
    value, t = 0.3, student95(20.0)
    z0 = stats.norm.ppf((drawn < value).mean())
    ends = np.quantile(drawn, stats.norm.cdf([2 * z0 - t, 2 * z0 + t]))
    np.testing.assert_allclose(corrected_interval(drawn.copy(), value, 63), ends, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": np.ones((1, 5, 1))}, r"shape \(cells, years\)"),
        ({"x": np.full((1, 30), np.inf)}, "30 samples in 1 of 1 cells are infinite"),
        ({"periods": [1.0]}, "years above 1"),
        ({"periods": 50.0}, "years above 1"),
        ({"method": "gumbel"}, "the method is 'gev', not 'gumbel'"),
        ({"lower": 2.0}, "30 samples in 1 of 1 cells are below"),
        ({"lower": np.nan}, "must be finite"),
        ({"resamples": 10}, "at least 100 resamples"),
    ],
)
def test_what_is_no_sample_or_no_period_is_refused(options, message):
    given = {"x": np.ones((1, 30)), "periods": [50.0]} | options
    with pytest.raises(ValueError, match=message):
        return_levels(**given)


@pytest.mark.parametrize("zeros", [0.2, 0.4, 0.55])
def test_where_there_is_a_level_both_ends_are_there_on_its_two_sides_and_not_below_the_bound(zeros):
    rng = np.random.default_rng(0)
    x = rng.gamma(2.0, 30.0, (200, 40)) + 1.0
    x[rng.random(x.shape) < zeros] = 0.0
    found = return_levels(x, [1.2, 1.5, 1.8, 2.0, 2.5, 3.0, 5.0, 100.0], lower=0.0, resamples=300)
    there = ~np.isnan(found.level)
    assert there.any()
    assert (found.low[there] >= 0.0).all()
    assert (found.low[there] <= found.level[there]).all()
    assert (found.level[there] <= found.high[there]).all()


def test_an_end_beside_draws_at_the_bound_is_the_bound_and_not_nan():
    for at_bound, value in product(range(1, 99), np.linspace(1.01, 1.99, 15)):
        drawn = np.concatenate([np.full(at_bound, -np.inf), np.linspace(1.0, 2.0, 100 - at_bound)])
        low, high = corrected_interval(drawn, value, 30)
        assert low <= high
