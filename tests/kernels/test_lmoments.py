from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special, stats

from engine.kernels import lmoments
from engine.sample.seoul import RECORD
from tests import strategies

WHOLE_YEAR = 365


def largest_one_day_rain():
    """RX1DAY of Seoul, mm, of the years 1908-2015 with a row for every day."""
    days = pl.read_csv(RECORD, columns=["Date", "Precipitation"], try_parse_dates=True)
    years = days.group_by(year=pl.col("Date").dt.year()).agg(n=pl.len(), rain=pl.col("Precipitation").max())
    return years.filter(pl.col("n") >= WHOLE_YEAR).sort("year")["rain"].to_numpy()


def gev_by_scipy(sample):
    """Location, scale and shape from scipy's L-moments and the root of tau3(k) by Brent's method."""
    l1, l2, t3 = (stats.lmoment(sample, order=order) for order in (1, 2, 3))
    k = optimize.brentq(lambda k: 2 * (1 - 3.0**-k) / (1 - 2.0**-k) - 3 - t3, -0.9, 0.9, xtol=1e-14)
    alpha = l2 * k / ((1 - 2.0**-k) * special.gamma(1 + k))
    return l1 - alpha * stats.genextreme(k).mean(), alpha, k


def test_the_gev_of_seouls_largest_one_day_rain_is_scipys():
    rain = largest_one_day_rain()
    assert len(rain) > 100
    fit = lmoments.gev_fit(rain[None])
    assert lmoments.FITS[fit.code[0]] == "fitted"
    np.testing.assert_allclose(fit.parameters[0], gev_by_scipy(rain), rtol=1e-9)
    of_scipy = stats.genextreme(fit.parameters[0, 2], *fit.parameters[0, :2])
    p = [0.0, 0.5, 0.9, 0.99, 0.998]
    levels = lmoments.gev_quantile(p, fit.parameters)
    np.testing.assert_allclose(levels[0], of_scipy.ppf(p), rtol=1e-12)
    np.testing.assert_allclose(lmoments.gev_cdf(levels, fit.parameters)[0], p, atol=1e-13)


def test_hoskings_polynomial_is_only_the_start():
    t3 = 0.45
    c = 2 / (3 + t3) - np.log(2) / np.log(3)
    assert abs(lmoments.gev_shape(t3) - (7.8590 * c + 2.9554 * c * c)) > 1e-4


@given(case=strategies.cells())
def test_moments_are_scipys_over_the_valid_samples(case):
    x, _ = case
    for row, found in zip(x, lmoments.l_moments(x), strict=True):
        valid = row[~np.isnan(row)]
        spread = np.ptp(valid) if len(valid) else 0.0
        for order, value in enumerate(found, 1):
            if len(valid) < order or (order > 2 and spread == 0.0):
                assert np.isnan(value)
            elif order < 3 or found[1] > 1e-9 * abs(found[0]):  # ratios of hairline spreads: ours keep more digits
                # scipy sums the samples themselves: it is off by a rounding of the largest
                expected = stats.lmoment(valid, order=order, standardize=False) / (found[1] if order > 2 else 1.0)
                size = 1e-10 * np.abs(valid).max() / (found[1] if order > 2 else 1.0)
                assert value == pytest.approx(expected, rel=1e-9, abs=size)


@given(k=st.floats(-0.95, 5.0))
def test_the_shape_is_the_root_of_the_l_skewness(k):
    t3 = lmoments._tau3(k)
    assert lmoments.gev_shape(t3) == pytest.approx(k, abs=1e-13 / abs(lmoments._slope(k)))


@pytest.mark.parametrize("k", [-0.4, -1.1e-4, -0.9e-4, -1e-9, 0.0, 1e-9, 0.9e-4, 1.1e-4, 0.3])
def test_a_fit_to_the_quantiles_of_a_gev_finds_it_again(k):
    u = (np.arange(50_000) + 0.5) / 50_000
    sample = lmoments.gev_quantile(u, [[30.0, 8.0, k]])
    np.testing.assert_allclose(lmoments.gev_fit(sample).parameters, [[30.0, 8.0, k]], atol=2e-2, rtol=1e-3)
    # scipy loses digits of the mean where k is tiny
    assert lmoments.gev_mean(k) == pytest.approx(stats.genextreme(k).mean(), rel=1e-6)


def test_samples_that_no_gev_has_are_told_by_a_word():
    x = np.full((5, 24), np.nan)
    x[0, :19] = np.arange(19)
    x[1] = 4.0
    x[2] = 4.0
    x[2, 7] = 20.0
    x[3] = 20.0
    x[3, 7] = 4.0
    x[4] = np.arange(24) ** 2
    fit = lmoments.gev_fit(x)
    words = [lmoments.FITS[code] for code in fit.code]
    assert words == ["too_few", "constant", "no_fit", "no_fit", "fitted"]
    assert np.isnan(fit.parameters[:4]).all()
    assert np.isfinite(fit.parameters[4]).all()
    assert lmoments.gev_fit(x, min_samples=19).code[0] == lmoments.FITTED


def test_a_missing_sample_and_the_other_cells_change_nothing():
    rng = np.random.default_rng(3)
    x = rng.gumbel(50.0, 10.0, (300, 30))
    alone = np.array([lmoments.gev_fit(row[None]).parameters[0] for row in x[:7]])
    gap = np.insert(x, 11, np.nan, axis=1)
    assert lmoments.gev_fit(gap).parameters[:7].tobytes() == alone.tobytes()


def test_the_spread_of_large_values_keeps_its_digits():
    x = np.random.default_rng(4).gumbel(0.0, 1.0, (1, 40)).round(3)
    near, far = lmoments.gev_fit(x).parameters[0], lmoments.gev_fit(x + 2**30).parameters[0]
    np.testing.assert_allclose(far, near + np.array([2**30, 0, 0]), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lmoments.l_moments(np.ones(5)), r"shape \(cells, samples\)"),
        (lambda: lmoments.gev_fit([[1.0, np.inf, 3.0]]), "1 samples in 1 of 1 cells are infinite"),
        (lambda: lmoments.gev_fit(np.ones((1, 30)), min_samples=2), "at least 3 samples"),
        (lambda: lmoments.gev_quantile([1.5], np.ones((1, 3))), "1 of 1 probabilities are outside"),
        (lambda: lmoments.gev_quantile([np.nan], np.ones((1, 3))), "1 of 1 probabilities are outside"),
        (lambda: lmoments.gev_cdf(np.ones((2, 3)), np.ones((1, 3))), r"parameters \(cells, 3\)"),
    ],
)
def test_what_is_no_sample_or_no_probability_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
