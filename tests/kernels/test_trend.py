"""Samples set on one year by lines: against numpy's least squares, by hand, and leaving years out one by one."""

import numpy as np
import pytest

from engine.kernels import bin_probabilities, edges_without, fit_lines, set_on_year
from engine.kernels.estimator import Baseline

YEARS = np.arange(40)


def rain(seed, cells=1, slope=1.5):
    return np.random.default_rng(seed).gumbel(150, 50, (cells, 40)).clip(20) + slope * YEARS


def poly(x, degree, at, keep=slice(None)):
    """What numpy's least squares of the years kept says of a year."""
    return np.polynomial.Polynomial.fit(YEARS[keep], x[keep], degree)(at)


def test_a_line_without_noise_puts_every_sample_on_the_value_of_the_year():
    x = 10 + 0.5 * np.arange(20.0)[None]
    np.testing.assert_allclose(set_on_year(x, fit_lines(x), 4).x, np.full((1, 20), 12.0), rtol=1e-12)
    doubling = 8 * 2 ** (np.arange(20.0)[None] / 10)
    np.testing.assert_allclose(set_on_year(doubling, fit_lines(doubling, logs=True), 10).x, np.full((1, 20), 16.0))


def test_a_parabola_is_that_of_least_squares_with_gaps_too():
    x = rain(1, cells=5)
    x[2, [3, 17, 30]] = np.nan
    found = set_on_year(x, fit_lines(x, curved=True), 9).x
    for row, moved in zip(x, found, strict=True):
        there = ~np.isnan(row)
        want = row[there] - poly(row, 2, YEARS[there], there) + poly(row, 2, 9, there)
        np.testing.assert_allclose(moved[there], want, rtol=1e-9)
        assert np.isnan(moved[~there]).all()


def test_noise_bends_a_line_little_and_a_curve_bends_it_wholly():
    noise = np.random.default_rng(2).normal(0, 1, (400, 40))
    straight = fit_lines(noise + 0.05 * YEARS).bends
    assert (straight[:, 4] == 0).mean() > 0.5  # F below 1: no share
    ends = 0.01 * (YEARS - 19.5) ** 2
    bent = fit_lines(noise * 0.1 + ends).bends[:, 0]
    assert np.median(bent) == pytest.approx(0.01, rel=0.02)


def test_months_have_lines_of_their_own():
    x = (np.arange(12.0) + np.arange(20.0)[:, None] * np.linspace(-1, 1, 12)).reshape(1, -1)
    found = set_on_year(x, fit_lines(x, group=12), 5).x.reshape(20, 12)
    np.testing.assert_allclose(found, np.tile(np.arange(12.0) + 5 * np.linspace(-1, 1, 12), (20, 1)), atol=1e-12)


def test_a_month_with_few_samples_stays_and_no_sample_falls_below_the_bound():
    x = np.random.default_rng(3).gamma(2.0, 3.0, (1, 30, 2))
    x[0, 9:, 1] = np.nan
    x[0, :, 0] += np.linspace(5, 20, 30)
    x[0, 25, 0] = 0.0  # far below the line: in year 0 it would be negative
    found = set_on_year(x.reshape(1, -1), fit_lines(x.reshape(1, -1), group=2, lower=0.0), 0, lower=0.0).x
    np.testing.assert_array_equal(found.reshape(30, 2)[:, 1], x[0, :, 1])
    assert (found.reshape(30, 2)[:, 0] >= 0).all()
    assert (found == 0).any()


def test_a_cell_with_a_zero_takes_the_values_and_not_their_logarithms():
    x = rain(4, cells=2)
    x[1, 7] = 0.0
    lines = fit_lines(x, logs=True, lower=0.0)
    assert lines.logs.tolist() == [True, False]
    assert lines.distances[1, 0, 0] == pytest.approx(fit_lines(x[1:]).distances[0, 0, 0])


@pytest.mark.parametrize("at", [9, 30])
def test_moves_are_those_of_fitting_again_without_each_year(at):
    x = rain(5)
    found = set_on_year(x, fit_lines(x, curved=True), at)
    for year in (0, 12, 39):
        rest = np.delete(YEARS, year)
        dropped = found.x[0, rest].mean() - found.x[0].mean()
        assert dropped + found.moves[0, year, 0] == pytest.approx(poly(x[0], 2, at, rest) - poly(x[0], 2, at), rel=1e-9)


def test_the_error_of_the_line_is_in_the_jackknife():
    """Leaving years out before the line is fitted, against the first order of samples, bandwidth and line."""
    edges, rates, at = [150.0, 200.0, 250.0], [0.0, 0.01, 0.03, 0.1], 35
    ratios = []
    for row in rain(6, cells=12):
        on = set_on_year([row], fit_lines([row], curved=True), at)
        baseline = Baseline(edges_without(on, edges), YEARS, near=True)
        found = bin_probabilities(on.x, edges, damage_rates=rates, baseline=baseline, moves=True)
        first = found.moves[0, :40] + found.moves[0, 40:]
        rests = [np.delete(YEARS, year) for year in YEARS]
        again = [row[rest] - poly(row, 2, rest, rest) + poly(row, 2, at, rest) for rest in rests]
        whole = bin_probabilities(again, edges, damage_rates=rates).aal - found.aal[0]
        assert np.corrcoef(first, whole)[0, 1] > 0.97
        ratios.append(np.sqrt((first**2).sum() / ((whole - whole.mean()) ** 2).sum()))
    assert np.median(ratios) == pytest.approx(1.0, abs=0.06)
    without_line = np.sqrt((found.moves[0, :40] ** 2).sum() / (first**2).sum())
    assert without_line < 0.9


def test_edges_by_their_density_are_nearly_those_by_their_distance():
    x = rain(7, cells=20)
    on = set_on_year(x, fit_lines(x), 9)
    options = {"damage_rates": [0.0, 0.01, 0.03, 0.1], "lower": 0.0}
    edges = [150.0, 200.0, 250.0]
    without = edges_without(on, edges)
    near, far = (
        bin_probabilities(on.x, edges, baseline=Baseline(without, YEARS, near=near), **options)
        for near in (True, False)
    )
    np.testing.assert_array_equal(near.p, far.p)
    np.testing.assert_allclose(near.aal_high, far.aal_high, rtol=0.05)


def test_a_spread_of_its_own_smooths_by_it():
    x = rain(8, slope=10.0)
    options = {"damage_rates": [0.0, 0.1]}
    own = bin_probabilities(x, [300.0], **options)
    np.testing.assert_allclose(bin_probabilities(x, [300.0], spread=[x.std(ddof=1)], **options).p, own.p, rtol=1e-12)
    hard = bin_probabilities(x, [300.0], spread=[1e-9], **options)
    assert hard.p[0, 1] == pytest.approx((x >= 300).mean())
    counted = bin_probabilities(x, [300.0], spread=[0.0], **options)
    assert (counted.method[0], own.method[0]) == (1, 2)
    for wrong in ([1.0, 2.0], [-1.0], [np.inf]):
        with pytest.raises(ValueError, match="spread is a standard deviation for each of 1 cells"):
            bin_probabilities(x, [300.0], spread=wrong, **options)


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        ([[1.0, np.inf]], {}, "1 samples are infinite"),
        ([[1.0, -1.0]], {"lower": 0.0}, "1 samples are below lower=0.0"),
        ([[1.0, 2.0, 3.0]], {"group": 2}, r"years of 2\), got \(1, 3\)"),
    ],
)
def test_samples_that_no_line_can_take_are_refused(x, options, message):
    with pytest.raises(ValueError, match=message):
        fit_lines(x, **options)
