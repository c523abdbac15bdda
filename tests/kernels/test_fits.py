"""Distributions fitted above an atom, and the estimator that takes its probabilities from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import optimize, special, stats

from engine.kernels import (
    METHODS,
    baseline_quantiles,
    bin_probabilities,
    fits,
    fitted_probabilities,
    fitted_quantiles,
    fitted_year_losses,
    lmoments,
)
from tests import strategies

PERIODS = np.array([2, 5, 10, 20, 50, 100.0])
RATES = [0.0, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1]


def by_scipy(family, sample):
    """The same fit: scipy's L-moments, and the shape as the root of l2 / l1 by Brent's method."""
    l1, l2 = (stats.lmoment(sample, order=order) for order in (1, 2))
    if family == "gamma":

        def ratio(k):
            return special.gamma(k + 0.5) / special.gamma(k + 1) / np.sqrt(np.pi)

        k = optimize.brentq(lambda k: ratio(k) - l2 / l1, 1e-2, 100, xtol=1e-14)
        return stats.gamma(k, scale=l1 / k)
    k = optimize.brentq(lambda k: 1 - 2 ** (-1 / k) - l2 / l1, 0.1, 100, xtol=1e-14)
    return stats.weibull_min(k, scale=l1 / special.gamma(1 + 1 / k))


@pytest.mark.parametrize("family", ["gamma", "weibull"])
def test_gamma_and_weibull_are_scipys_fit_by_l_moments_and_start_at_the_bound(family):
    sample = np.random.default_rng(2).gamma(1.7, 12.0, 40)
    q = [0.01, 0.5, 0.9, 0.99, 0.999]
    expected = by_scipy(family, sample)
    levels, code = fitted_quantiles([sample, sample + 5.0], q, fit=family, lower=0.0)
    assert code.tolist() == [lmoments.FITTED] * 2
    np.testing.assert_allclose(levels[0], expected.ppf(q), rtol=1e-10)
    from_five, _ = fitted_quantiles([sample + 5.0], q, fit=family, lower=5.0)
    np.testing.assert_allclose(from_five[0], levels[0] + 5.0, rtol=1e-10)
    p = fitted_probabilities([sample], levels[0], fit=family, lower=0.0).p[0]
    np.testing.assert_allclose(p.cumsum()[:-1], q, atol=1e-13)


@pytest.mark.parametrize("shape", [0.05, 0.6, 1.0, 30.0, 2e4])
def test_the_incomplete_gamma_function_and_its_inverse_are_scipys(shape):
    for z in (0.01 * shape, 0.999 * shape, shape + 1.0, 1.5 * shape + 1.0, 3.0 * shape + 2.0):
        assert fits.lower_gamma(shape, z) == pytest.approx(special.gammainc(shape, z), rel=1e-9, abs=1e-13)
    for q in (1e-6, 0.01, 0.5, 0.99, 0.9999):
        assert fits.gamma_quantile(shape, q) == pytest.approx(special.gammaincinv(shape, q), rel=1e-9)
    ratio = np.exp(special.gammaln(shape + 0.5) - special.gammaln(shape + 1.0)) / np.sqrt(np.pi)
    assert fits.gamma_shape(ratio) == pytest.approx(shape, rel=1e-9)


def test_population_quantiles_of_a_known_gev_are_found_again():
    truth = stats.genextreme(-0.1, loc=100.0, scale=25.0)
    u = (np.arange(50_000) + 0.5) / 50_000
    found, _ = fitted_quantiles(truth.ppf(u)[None], 1 - 1 / PERIODS, fit="gev", lower=0.0)
    np.testing.assert_allclose(found[0], truth.ppf(1 - 1 / PERIODS), rtol=3e-3)


def test_the_top_quantile_of_thirty_years_is_no_order_statistic():
    truth = stats.genextreme(-0.1, loc=100.0, scale=25.0)
    x = truth.rvs((2000, 30), random_state=5)
    beyond = {name: truth.sf(edges[:, 0]).mean() for name, edges in (
        ("sample", baseline_quantiles(x, [0.99])), ("fitted", fitted_quantiles(x, [0.99], fit="gev")[0])
    )}  # fmt: skip
    assert beyond["sample"] > 0.03  # and not 0.01
    assert beyond["fitted"] < 0.02


def test_return_period_edges_of_the_baseline_give_it_exactly_their_probabilities():
    x = np.random.default_rng(1).gumbel(120.0, 40.0, (6, 30)).clip(1.0).astype(np.float32)
    x[2, 7] = np.nan
    edges, _ = fitted_quantiles(x, 1 - 1 / PERIODS, fit="gev", lower=0.0)
    found = fitted_probabilities(x, edges, fit="gev", lower=0.0, damage_rates=RATES)
    expected = np.diff([0.0, *(1 - 1 / PERIODS), 1.0])
    np.testing.assert_allclose(found.p, np.tile(expected, (6, 1)), atol=1e-14)
    np.testing.assert_allclose(found.aal, expected @ RATES, rtol=1e-13)
    assert {METHODS[code] for code in found.method} == {"fitted"}


def test_an_atom_takes_its_share_first():
    rng = np.random.default_rng(3)
    wind = np.zeros(40)
    wind[:24] = rng.gumbel(25.0, 3.0, 24)  # 0.4 of the years are without a storm
    q = [0.3, 0.4, 0.7, 0.97]
    levels, _ = fitted_quantiles(wind[None], q, fit="gev", lower=0.0, atom=True)
    above, _ = fitted_quantiles(wind[None, :24], [0.5, 0.95], fit="gev", lower=0.0)
    np.testing.assert_allclose(levels[0], [0.0, 0.0, *above[0]], rtol=1e-12)
    p = fitted_probabilities(wind[None], levels[0], fit="gev", lower=0.0, atom=True).p[0]
    np.testing.assert_allclose(p, [0.4, 0.0, 0.3, 0.27, 0.03], atol=1e-9)
    assert p.sum() == 1.0


def test_the_standard_error_is_the_jackknifes():
    rng = np.random.default_rng(4)
    x = np.where(rng.random((2, 36)) < 0.3, 0.0, rng.gumbel(20.0, 6.0, (2, 36)).clip(0.1))
    how = {
        "edges": [10.0, 17, 25, 33],
        "fit": "gev",
        "lower": 0.0,
        "atom": True,
        "damage_rates": [0, 0, 0.01, 0.02, 0.1],
    }
    for group in (1, 2):
        found, years = fitted_probabilities(x, **how, group=group), 36 // group
        for row, aal, error in zip(x, found.aal, found.aal_se, strict=True):
            left = [
                fitted_probabilities(np.delete(row, range(y * group, (y + 1) * group))[None], **how).aal[0]
                for y in range(years)
            ]
            pseudo = years * aal - (years - 1) * np.array(left)
            away = pseudo - pseudo.mean()
            lag = max((away[1:] * away[:-1]).mean(), 0.0) if group > 1 else 0.0
            assert error == pytest.approx(np.sqrt((away.var(ddof=0) * years / (years - 1) + 2 * lag) / years), rel=1e-9)


@given(case=strategies.cells())
@settings(deadline=None, max_examples=60)
def test_probabilities_add_up_and_the_mean_of_the_years_is_the_aal_in_any_cell(case):
    x, edges = case
    rates = [0.0, 0.01, 0.02, 0.1, 0.3]
    for family in fits.FAMILIES:
        how = {"fit": family, "lower": 0.0, "atom": True, "damage_rates": rates, "group": 2}
        found, years = fitted_year_losses(x, edges, **how)
        alone = fitted_probabilities(x, edges, **how)
        for one, other in zip(found, alone, strict=True):
            np.testing.assert_array_equal(one, other)
        known = found.method != METHODS.index("insufficient_data")
        assert (found.p[known] >= 0).all()
        np.testing.assert_allclose(found.p[known].sum(axis=1), 1.0, atol=1e-12)
        np.testing.assert_allclose(
            years.completed(found.aal)[known].mean(axis=1), found.aal[known], rtol=1e-9, atol=1e-15
        )
        plain = bin_probabilities(x, edges, lower=0.0, atom=True, damage_rates=rates, group=2)
        same = found.method == plain.method
        np.testing.assert_array_equal(found.p[same], plain.p[same])  # no fit: estimated as ever, and said so


def test_the_worst_year_bears_the_worst_of_the_distribution():
    x = np.arange(1.0, 21.0)[None]
    _, years = fitted_year_losses(x, [5.0, 15.0], fit="gev", lower=0.0, damage_rates=[0.0, 0.1, 0.2])
    assert (np.diff(years.loss[0]) > -1e-12).all()
    assert (years.loss[0, 0], years.loss[0, -1]) == (0.0, pytest.approx(0.2))
    assert years.valid.tolist() == [[1.0] * 20]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: fitted_quantiles(x, [0.5], fit="normal"), "fit is one of gev, gamma, weibull"),
        (lambda x: fitted_quantiles(x, [0.5], fit="gamma"), "a gamma distribution needs a lower bound"),
        (lambda x: fitted_quantiles(x, [0.5], fit="gev", atom=True), "an atom needs a lower bound"),
        (lambda x: fitted_quantiles(x, [0.5, 1.0], fit="gev"), "between 0 and 1"),
        (lambda x: fitted_quantiles(x, [0.5], fit="gev", lower=1.5), "1 samples in 1 of 1 cells are below"),
        (lambda x: fitted_quantiles(x * np.inf, [0.5], fit="gev"), "20 samples in 1 of 1 cells are infinite"),
    ],
)
def test_what_no_family_can_be_fitted_to_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.arange(1.0, 21.0)[None])


def test_too_few_samples_are_not_fitted():
    x = np.full((3, 40), np.nan)
    x[0, :19] = np.arange(19) + 1.0
    x[1, :20] = np.arange(20) + 1.0
    x[2] = 0.0
    x[2, :11] = np.arange(11) + 1.0
    levels, code = fitted_quantiles(x, [0.9], fit="gev", lower=0.0, atom=True)
    assert [lmoments.FITS[each] for each in code] == ["too_few", "fitted", "too_few"]
    assert np.isnan(levels[:, 0]).tolist() == [True, False, True]
