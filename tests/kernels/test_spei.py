"""SPEI against the R package's figures, scipy's distributions and a slow twin."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from engine.kernels import normal, spei

GOLDEN = Path(__file__).parents[1] / "golden" / "spei_wichita" / "values.json"


def balances(seed: int, n_cells: int = 3, n_years: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    season = 40 * np.sin(2 * np.pi * np.arange(12 * n_years) / 12)
    return rng.gamma(2.0, 40.0, (n_cells, 12 * n_years)) - 60 - season


def index(balance: np.ndarray, calibration: slice) -> np.ndarray:
    sums = spei.accumulate(balance)
    return spei.standardise(sums, spei.fit(sums, calibration))


def naive_month(sums: np.ndarray) -> np.ndarray:
    """One calendar month: moments by binomial coefficients, scipy's log-logistic, mirrored for a left tail."""
    x, n = np.sort(sums), len(sums)
    rank = np.arange(n)
    b0, b1, b2 = (np.mean(special.comb(rank, r) / special.comb(n - 1, r) * x) for r in range(3))
    shape = (2 * b1 - b0) / (6 * b2 - 6 * b1 + b0)
    if shape < 0:
        return -naive_month(-sums)
    both = special.gamma(1 + 1 / shape) * special.gamma(1 - 1 / shape)
    scale = (2 * b1 - b0) * shape / both
    return stats.norm.ppf(stats.fisk.cdf(sums, shape, loc=b0 - scale * both, scale=scale))


@pytest.mark.parametrize("month", ["january", "july"])
def test_one_month_equals_the_r_package_at_wichita(month: str) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))[month]
    column = 0 if month == "january" else 6
    series = np.full((1, 12 * len(golden["balance_mm"])), np.nan)
    series[0, column::12] = golden["balance_mm"]
    sums = spei.accumulate(series, 1)
    ours = spei.standardise(sums, spei.fit(sums, slice(0, series.shape[1])))
    np.testing.assert_allclose(ours[0, column::12], golden["spei_1"], atol=1e-8)


def test_matches_the_naive_version() -> None:
    balance = balances(1)
    sums, ours = spei.accumulate(balance), index(balance, slice(12, balance.shape[1]))
    for cell, month in np.ndindex(3, 12):
        expected = naive_month(sums[cell, 12 + month :: 12])
        np.testing.assert_allclose(ours[cell, 12 + month :: 12], expected, atol=1e-9)


def test_the_first_eleven_months_and_every_window_with_a_gap_are_missing() -> None:
    balance = balances(2, n_cells=1)
    balance[0, 100] = np.nan
    ours = index(balance, slice(0, balance.shape[1]))[0]
    missing = np.flatnonzero(np.isnan(ours))
    np.testing.assert_array_equal(missing, [*range(11), *range(100, 112)])


def test_over_the_calibration_years_it_is_standard_normal() -> None:
    ours = index(balances(3, n_cells=50), slice(0, 480))[:, 12:]
    assert abs(ours.mean()) < 0.02
    assert abs(ours.std() - 1) < 0.05


@settings(deadline=None, max_examples=30)  # the first example compiles
@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(0.01, 100), shift=st.floats(-500, 500))
def test_the_index_knows_neither_the_unit_nor_the_origin_of_the_balance(seed: int, factor: float, shift: float) -> None:
    balance, span = balances(seed, n_cells=1, n_years=15), slice(0, 180)
    np.testing.assert_allclose(index(balance * factor + shift, span), index(balance, span), atol=1e-5)


def test_one_calibration_serves_a_drier_scenario() -> None:
    wet = balances(4, n_cells=1)
    sums, drier = spei.accumulate(wet), spei.accumulate(wet - 20)
    parameters = spei.fit(sums, slice(0, 360))
    gap = spei.standardise(sums, parameters) - spei.standardise(drier, parameters)
    assert (gap[0, 11:] > 0).all()


def test_values_far_outside_the_calibration_stop_at_the_limit() -> None:
    balance = balances(5, n_cells=1)
    balance[0, 400:412], balance[0, 450:462] = 1e5, -1e5
    ours = index(balance, slice(0, 360))[0]
    assert np.nanmax(ours) <= spei.LIMIT
    assert np.nanmin(ours) == -spei.LIMIT


@pytest.mark.parametrize("odd", [0.0, 5.0])
def test_a_month_without_spread_is_not_fitted(odd: float) -> None:
    balance = np.zeros((1, 12 * 20))
    balance[0, 12 * 15] = odd
    sums = spei.accumulate(balance, 1)
    assert np.isnan(spei.fit(sums, slice(0, 240))[0, 0]).all()


def test_nine_calibration_years_are_too_few() -> None:
    sums = spei.accumulate(balances(6, n_cells=1, n_years=12), 1)
    assert np.isnan(spei.fit(sums, slice(0, 108))).all()
    assert np.isfinite(spei.fit(sums, slice(0, 120))).all()


def test_a_calibration_that_splits_a_year_is_refused() -> None:
    with pytest.raises(ValueError, match="not whole years of 480 months"):
        spei.fit(balances(7), slice(0, 100))


def test_the_normal_quantile_equals_scipy_in_both_pieces_of_the_tail() -> None:
    p = np.concatenate([10.0 ** -np.arange(1, 300, 7), np.linspace(1e-6, 0.5, 1001)])
    ours = [normal.normal_quantile(x) for x in p]
    np.testing.assert_allclose(ours, stats.norm.ppf(p), rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("window", [1, 3, 7, 8, 12, 17, 24])
def test_sums_of_windows_are_numpys_to_the_last_bit(window):
    balance = np.random.default_rng(4).normal(10.0, 60.0, (3, 48))
    balance[0, 20] = np.nan
    expected = np.full(balance.shape, np.nan)
    expected[:, window - 1 :] = np.lib.stride_tricks.sliding_window_view(balance, window, axis=1).sum(axis=2)
    np.testing.assert_array_equal(spei.accumulate(balance, window), expected)


def test_a_window_of_no_months_is_refused():
    with pytest.raises(ValueError, match="1 to 128 months, got 0"):
        spei.accumulate(np.zeros((1, 24)), 0)


def test_cells_fitted_side_by_side_are_fitted_as_alone():
    sums = np.random.default_rng(8).gamma(2.0, 40.0, (11, 12 * 21))  # a whole block of cells and a part of one
    sums[np.random.default_rng(9).random(sums.shape) < 0.1] = np.nan
    sums[3, 5::12] = np.nan
    together = spei.fit(sums, slice(0, sums.shape[1]))
    alone = [spei.fit(sums[cell : cell + 1], slice(0, sums.shape[1])) for cell in range(len(sums))]
    assert np.isnan(together[3, 5]).all()
    assert np.isfinite(together).sum() > 300
    np.testing.assert_array_equal(together, np.concatenate(alone))
