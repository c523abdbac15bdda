import datetime
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.stats import genextreme

from engine.core.errors import SchemaError
from engine.losses.fit import model, rain, rates, skill, storms
from engine.losses.fit.model import Data, Form

FORM = Form(3.0, 1.0, 10.0, "step")


def made_up(seed=1, years=30, errors=(0.3, 0.4), grid=(FORM,), theta=(-6.0, -2.0, -1.0)):
    """Years and storms of the first form of the grid; other forms see other features."""
    chance = np.random.default_rng(seed)
    year = np.concatenate([np.arange(years) + 1990, np.arange(years // 2) + 1995])
    storm = np.arange(len(year)) >= years
    wet, wind = chance.exponential(1.0, (2, len(grid), len(year))) * [[[1.0]], [[0.05]]]
    time = np.stack([model.decline(form.time, year) for form in grid])
    middle = np.log(np.exp(theta[0]) * wet[0] + np.exp(theta[1]) * wind[0]) + theta[2] * time[0]
    log = middle + np.where(storm, errors[1], errors[0]) * chance.standard_normal(len(year))
    return Data(log, year, storm, tuple(map(str, year)), wet, wind, time, tuple(grid))


def nll(x, data, weight):
    """The same posterior, written plainly."""
    theta, errors = x[:3], x[3:]
    middle = np.log(np.exp(theta[0]) * data.rain[0] + np.exp(theta[1]) * data.wind[0] + model.FLOOR)
    log = np.where(data.storm, errors[1], errors[0])
    fit = weight * (0.5 * ((data.log - middle - theta[2] * data.time[0]) / np.exp(log)) ** 2 + log)
    priors = ((theta - model.MEAN) / model.SPREAD) ** 2, ((errors - model.ERROR_MEAN) / model.ERROR_SPREAD) ** 2
    return fit.sum() + 0.5 * sum(prior.sum() for prior in priors)


def test_the_fit_is_the_optimum_that_scipy_finds():
    data = made_up()
    weight = np.random.default_rng(2).exponential(size=len(data.log))
    found = model.fit(data, weight)
    ours = np.concatenate([found.theta[0], found.errors[0]])
    theirs = minimize(nll, ours + 0.1, (data, weight), method="BFGS", options={"gtol": 1e-8})
    assert ours == pytest.approx(theirs.x, abs=1e-4)
    assert nll(ours, data, weight) <= theirs.fun + 1e-9


def test_known_parameters_come_back_and_the_form_that_made_the_data_has_the_weight():
    grid = (FORM, Form(8.0, 2.0, 20.0, "step"), Form(3.0, 1.0, 10.0, "line"))
    data = made_up(years=200, grid=grid)
    found = model.fit(data, np.ones(len(data.log)))
    assert found.weight[0] > 0.99
    assert found.weight.sum() == pytest.approx(1)
    assert found.theta[0] == pytest.approx([-6.0, -2.0, -1.0], abs=0.15)
    assert np.exp(found.errors[0]) == pytest.approx([0.3, 0.4], rel=0.2)


def test_what_is_held_out_changes_nothing_of_the_fit():
    data = made_up()
    weight = (data.year != 2000).astype(float)
    moved = data._replace(log=np.where(data.year == 2000, 9.0, data.log))
    assert np.array_equal(model.fit(data, weight).theta, model.fit(moved, weight).theta)
    left = skill.left_out_years(moved, [(2000,)], np.ones(len(data.log), bool))
    assert np.isfinite(left).sum() == 1
    assert left[~np.isnan(left)][0] == pytest.approx(
        9.0 - skill.median(data, model.fit(data, weight))[np.flatnonzero(data.year == 2000)[0]]
    )


def test_the_modelled_mean_lies_above_the_median_by_half_of_the_variance():
    data = made_up()
    found = model.fit(data, np.ones(len(data.log)))
    ratio = np.log(skill.mean(data, found)) - skill.median(data, found)
    assert ratio == pytest.approx(np.where(data.storm, *(np.exp(2 * found.errors[0, kind]) / 2 for kind in (1, 0))))


def test_draws_are_the_same_for_the_same_number_whatever_is_drawn_beside_them():
    data, used = made_up(), np.ones(45, bool)
    few, many = skill.draw(data, used, 2), skill.draw(data, used, 4)
    assert np.array_equal(few.theta, many.theta[:2])
    assert len(np.unique(many.theta[:, 0])) == 4


def test_damage_begins_at_the_threshold_and_rises():
    periods = np.log([1.0, 2.0, 3.0, 10.0, 100.0])
    assert model.damage(periods, 3.0, 1.0) == pytest.approx([0, 0, 0, np.log(10 / 3), np.log(100 / 3)])
    winds = model.wind_damage(np.array([0.0, 10.0, 43.5, 77.0, 200.0]), 10.0)
    assert winds[:2] == pytest.approx([0, 0])
    assert winds[3] == pytest.approx(0.5)
    assert np.all(np.diff(winds) >= 0)


@pytest.mark.parametrize("form", [FORM, Form(2.0, 0.5, 10.0, "line"), Form(20.0, 2.0, 15.0, "step")])
def test_rates_of_bins_are_means_of_the_function_over_the_years_of_the_bin(form):
    theta, errors = np.array([-3.0, -2.0, -1.0]), np.log([0.6, 1.2])
    found = rates._rates(form, theta, errors, 2015)
    level = np.exp(theta[2] * (2.0 if form.time == "step" else 1.5) + 0.6**2 / 2 + theta[0]) / 2
    edges = [1.0, *rates.PERIODS, 1e7]
    for at, (first, last) in enumerate(pairwise(edges)):
        # over the chance 1 / T of a rarer year, which is uniform
        mean = quad(
            lambda chance: float(model.damage(np.log([1 / chance]), form.threshold, form.power)[0]),
            1 / last, 1 / first, limit=200, points=[1 / form.threshold] if first < form.threshold < last else None,
        )[0] / (1 / first - 1 / last)  # fmt: skip
        assert found.urban[at] == pytest.approx(level * mean, rel=1e-3, abs=1e-12)
        assert found.river[at] == pytest.approx(level * mean, rel=1e-3, abs=1e-12)
    assert rates.flood_probabilities() == pytest.approx([0.5, 0.3, 0.1, 0.05, 0.03, 0.01, 0.01])
    assert np.all(np.diff(found.typhoon) >= 0)


def test_a_pooled_gev_has_one_shape_and_tells_return_periods_as_scipy_does():
    chance = np.random.default_rng(3)
    maxima = np.stack(
        [genextreme.rvs(-0.1, loc, loc / 4, size=400, random_state=chance) for loc in (80, 120, 200)], axis=1
    )
    maxima[:300, 2] = np.nan
    fitted = rain.pooled_gev(maxima)
    assert len(set(fitted[:, 2])) == 1
    assert fitted[:, 2].mean() == pytest.approx(-0.1, abs=0.06)
    amount = np.array([[150.0, 250.0, np.nan]])
    exceeded = [genextreme.sf(x, fit[2], fit[0], fit[1]) for x, fit in zip(amount[0, :2], fitted, strict=False)]
    assert rain.log_return_period(amount, fitted)[0] == pytest.approx([*(-np.log(exceeded)), 0.0])


def test_annual_maxima_are_of_sums_that_end_in_the_year_and_of_years_that_are_complete():
    days = np.arange("2000-12-30", "2002-01-01", dtype="datetime64[D]")
    mm = np.zeros((len(days), 2))
    mm[1] = 50.0  # 31 December 2000
    mm[2] = 30.0
    mm[10:40, 1] = np.nan
    made = rain.Rain(mm, days, (1, 2), np.zeros(2), np.zeros(2))
    found = rain.annual_maxima(made, np.array([2001]), 2)
    assert found[0, 0] == 80.0
    assert np.isnan(found[0, 1])


def test_rain_of_a_storm_is_of_its_own_days_and_the_day_after():
    hours = (datetime.datetime(2001, 8, 10) - datetime.datetime(1970, 1, 1)).total_seconds() / 3600
    fixes = pl.DataFrame(
        {"sid": ["A", "A"], "time": [hours, hours + 6],
         "lat": [36.0, 36.5], "lon": [127.0, 127.5], "wind": [30.0, None]},
    )  # fmt: skip
    one = np.ones(1)
    places = storms.Places(np.array([1]), 36.3 * one, 127.4 * one, 50 * one, one, one)
    days = np.arange("2001-08-01", "2001-08-20", dtype="datetime64[D]")
    mm = np.zeros((len(days), 1))
    mm[8:12, 0] = [500.0, 40.0, 60.0, 500.0]  # 9 to 12 August
    made = rain.Rain(mm, days, (1,), one, one)
    assert storms.storm_rain(places, fixes, made, 1) == [60.0]
    assert storms.storm_rain(places, fixes, made, 3) == [100.0]
    assert storms.storm_rain(places, fixes, made._replace(mm=mm[:5], days=days[:5]), 1) is None
    assert storms.passing(places, fixes, 2001, 2001) == [("A", 2001)]
    assert places.inland == pytest.approx(0.8)


def test_winds_of_storms_are_their_own_whatever_other_storms_are_asked_for_beside_them():
    hours = np.arange(0.0, 48.0, 6.0)
    of_storms = []
    for sid, wind, start in (("A", 30.0, 250_000.0), ("B", 40.0, 250_010.0), ("C", None, 400_000.0)):
        path = {"lat": 33.0 + hours / 8, "lon": 127.0 + hours / 40, "wind": [wind] * len(hours)}
        of_storms.append(pl.DataFrame({"sid": [sid] * len(hours), "time": hours + start, **path}, strict=False))
    fixes = pl.concat(of_storms, how="vertical_relaxed")
    two = np.ones(2)
    places = storms.Places(np.array([1, 2]), np.array([36.0, 37.0]), 128.0 * two, 50 * two, two / 2, two / 2)
    together = storms.storm_winds(places, fixes, ["B", "C", "A"])
    for at, sid in enumerate("BCA"):
        assert storms.storm_winds(places, fixes, [sid])[0] == pytest.approx(together[at], rel=1e-12)
    assert (together[0] > together[2]).all()
    assert not together[1].any()
    with pytest.raises(SchemaError, match="the tracks hold no storm Z"):
        storms.storm_winds(places, fixes, ["Z"])
