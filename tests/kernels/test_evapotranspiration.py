"""Worked examples: Allen et al. (1998), FAO Irrigation and Drainage Paper 56."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.kernels import reference_evapotranspiration
from engine.kernels.evapotranspiration import _extraterrestrial
from tests import naive

MONTHS = np.arange(1, 13)


def climate(seed, cells=4):
    rng = np.random.default_rng(seed)
    shape = (cells, 12)
    inputs = rng.normal(12, 10, shape), rng.uniform(5, 100, shape), rng.gamma(2, 1.5, shape), rng.uniform(1, 30, shape)
    return inputs, rng.uniform(33, 39, cells), rng.uniform(0, 1500, cells)


def humidity(ta, ea):
    """%, from the vapour pressure that the examples give."""
    return 100 * ea / (0.6108 * math.exp(17.27 * ta / (ta + 237.3)))


def saturated_over(tmin, tmax):
    """kPa, equation 12."""
    return sum(0.6108 * math.exp(17.27 * t / (t + 237.3)) for t in (tmin, tmax)) / 2


def wind_at_10m(u2):
    return u2 * math.log(67.8 * 10 - 5.42) / 4.87


@pytest.mark.parametrize(
    ("tmin", "tmax", "ea", "u2", "rs", "latitude", "month", "elevation", "days", "expected"),
    [
        (25.6, 34.8, 2.85, 2.0, 22.65, 13 + 44 / 60, 4, 2.0, 30, 5.72),  # example 17, Bangkok
        (12.3, 21.5, 1.409, 2.078, 22.07, 50 + 48 / 60, 7, 100.0, 31, 3.88),  # example 18, Brussels
    ],
)
def test_the_worked_examples_of_the_paper(tmin, tmax, ea, u2, rs, latitude, month, elevation, days, expected):
    ta = (tmin + tmax) / 2
    inputs = [[[each]] for each in (ta, humidity(ta, ea), wind_at_10m(u2), rs)]
    result = reference_evapotranspiration(*inputs, [latitude], [month], elevation=elevation)
    assert result[0, 0] / days == pytest.approx(expected, rel=0.05)
    # the examples' own way: saturation over the daily extremes; what is left is the soil heat of example 17, 0.14 MJ/m2
    inputs[1] = [[100 * ea / saturated_over(tmin, tmax)]]
    result = reference_evapotranspiration(
        *inputs, [latitude], [month], elevation=elevation, tmin=[[tmin]], tmax=[[tmax]]
    )
    assert result[0, 0] / days == pytest.approx(expected, rel=0.012)


def test_radiation_above_the_atmosphere_agrees_with_the_papers_figures():
    assert _extraterrestrial(13 + 44 / 60, 4) == pytest.approx(38.06, abs=0.05)  # example 17
    # table 2.6, the middle of the month
    assert _extraterrestrial(40.0, 6) == pytest.approx(41.9, abs=0.15)
    assert _extraterrestrial(0.0, 3) == pytest.approx(37.9, abs=0.15)


def test_a_humid_tropical_year_is_at_most_7_percent_under_the_papers_own_figures():
    # Cabinda, January, April, July and October: mean of Tmin and Tmax, RH, wind at 2 m, radiation -> mm/month
    months = [1, 4, 7, 10]
    ta, rh, rs = [26.2, 26.6, 21.35, 25.25], [81, 82, 78, 79], [15.7, 16.4, 12.4, 12.9]
    u2 = [0.903, 0.799, 0.903, 1.505]
    inputs = [[ta], [rh], [[wind_at_10m(each) for each in u2]], [rs]]
    result = reference_evapotranspiration(*inputs, [-5.5], months, elevation=20.0)
    ratio = result[0] / [105.4, 105.0, 80.6, 99.0]
    assert ((ratio > 0.93) & (ratio < 1.0)).all()  # saturation at the mean temperature, not over its daily range


@pytest.mark.parametrize(
    ("month", "tmin", "tmax", "ea", "u2", "rs", "expected", "low", "high"),
    [
        (1, -6.254, 11.134, 0.4438, 0.8134, 8.985, 24.72, -0.10, 0.10),
        (5, 7.836, 22.986, 0.7822, 2.0091, 23.873, 149.49, -0.06, 0.02),
    ],
)
def test_a_dry_continental_month_is_low_without_the_daily_extremes(month, tmin, tmax, ea, u2, rs, expected, low, high):
    # Fallon, Nevada (39.4575 N, 1,208.5 m), 2015: monthly means of the AgriMet station, and the sum of the daily grass
    # reference of the program Ref-ET 4.1 (University of Idaho) on the same days
    ta = (tmin + tmax) / 2
    inputs = [[[each]] for each in (ta, humidity(ta, ea), wind_at_10m(u2), rs)]
    place = {"latitude": [39.4575], "month": [month], "elevation": 1208.5}
    without = reference_evapotranspiration(*inputs, **place)[0, 0] / expected - 1
    inputs[1] = [[100 * ea / saturated_over(tmin, tmax)]]
    with_both = reference_evapotranspiration(*inputs, **place, tmin=[[tmin]], tmax=[[tmax]])[0, 0] / expected - 1
    assert low < without < -0.05
    assert 0 < with_both < high


def test_matches_the_naive_version():
    inputs, latitude, elevation = climate(1)
    result = reference_evapotranspiration(*inputs, latitude, MONTHS, elevation=elevation)
    for c, k in np.ndindex(result.shape):
        values = (each[c, k] for each in inputs)
        expected = naive.reference_evapotranspiration(*values, latitude[c], int(MONTHS[k]), elevation[c])
        assert result[c, k] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_daily_extremes_match_the_naive_version_and_equal_ones_change_nothing():
    inputs, latitude, elevation = climate(7)
    half = np.random.default_rng(8).uniform(0, 10, inputs[0].shape)
    extremes = {"tmin": inputs[0] - half, "tmax": inputs[0] + half}
    result = reference_evapotranspiration(*inputs, latitude, MONTHS, elevation=elevation, **extremes)
    for c, k in np.ndindex(result.shape):
        values = (each[c, k] for each in inputs)
        both = {name: each[c, k] for name, each in extremes.items()}
        expected = naive.reference_evapotranspiration(*values, latitude[c], int(MONTHS[k]), elevation[c], **both)
        assert result[c, k] == pytest.approx(expected, rel=1e-12, abs=1e-12)
    same = reference_evapotranspiration(*inputs, latitude, MONTHS, tmin=inputs[0], tmax=inputs[0])
    np.testing.assert_array_equal(same, reference_evapotranspiration(*inputs, latitude, MONTHS))
    extremes["tmax"][1, 3] = np.nan
    assert np.isnan(reference_evapotranspiration(*inputs, latitude, MONTHS, **extremes)[1, 3])
    with pytest.raises(ValueError, match="tmin and tmax go together"):
        reference_evapotranspiration(*inputs, latitude, MONTHS, tmin=extremes["tmin"])
    with pytest.raises(ValueError, match="ta, rhm, ws, si, tmin, tmax are"):
        reference_evapotranspiration(*inputs, latitude, MONTHS, tmin=inputs[0], tmax=inputs[0][:2])


def test_an_unknown_elevation_counts_as_sea_level():
    inputs, latitude, _ = climate(2, cells=2)
    result = reference_evapotranspiration(*inputs, latitude, MONTHS, elevation=[np.nan, 800.0])
    np.testing.assert_array_equal(result[0], reference_evapotranspiration(*inputs, latitude, MONTHS)[0])
    assert (result[1] != reference_evapotranspiration(*inputs, latitude, MONTHS)[1]).all()


def test_never_negative_and_missing_where_an_input_is():
    inputs, latitude, _ = climate(3)
    for i, each in enumerate(inputs):
        each[i, i] = np.nan
    inputs[0][:, 11], inputs[2][:, 11], inputs[3][:, 11] = -25.0, 0.0, 0.0
    result = reference_evapotranspiration(*inputs, latitude, MONTHS)
    np.testing.assert_array_equal(np.isnan(result), np.eye(4, 12, dtype=bool))
    assert (result[:, 11] == 0.0).all()


def test_a_polar_night_is_missing_not_a_number():
    inputs, _, _ = climate(4, cells=1)
    result = reference_evapotranspiration(*inputs, [80.0], MONTHS)
    assert np.isnan(result[0, [0, 11]]).all()
    assert not np.isnan(result[0, 5])


def test_months_in_any_order_and_float32_give_the_same_numbers():
    inputs, latitude, elevation = climate(5)
    single = [each.astype(np.float32) for each in inputs]
    result = reference_evapotranspiration(*single, latitude, MONTHS, elevation=elevation)
    assert result.dtype == np.float32
    turned = [each[:, ::-1] for each in single]
    back = reference_evapotranspiration(*turned, latitude, MONTHS[::-1], elevation=elevation)[:, ::-1]
    np.testing.assert_array_equal(back, result)


def test_what_does_not_fit_is_refused_with_counts():
    inputs, latitude, _ = climate(6)
    with pytest.raises(ValueError, match=r"shapes disagree.*latitude \(3,\)"):
        reference_evapotranspiration(*inputs, latitude[:3], MONTHS)
    with pytest.raises(ValueError, match="1 of 4 latitudes"):
        reference_evapotranspiration(*inputs, np.array([37.0, 91.0, 30.0, 30.0]), MONTHS)
    with pytest.raises(ValueError, match="1 of 12 months"):
        reference_evapotranspiration(*inputs, latitude, np.arange(12))
    with pytest.raises(ValueError, match=r"elevation must be one number or \(4,\)"):
        reference_evapotranspiration(*inputs, latitude, MONTHS, elevation=[1.0, 2.0])


@pytest.mark.parametrize(
    ("at", "value", "says"),
    [
        (0, 293.0, "1 of 48 values of ta are outside"),
        (1, -99.0, "1 of 48 values of rhm are outside"),
        (2, np.inf, "1 of 48 values of ws are outside"),
        (3, 180.0, r"1 of 48 values of si are outside 0\.\.50 MJ/m2/day"),  # W/m2
    ],
)
def test_what_no_month_can_be_is_refused_and_counted(at, value, says):
    inputs, latitude, _ = climate(7)
    inputs[at][2, 3] = value
    with pytest.raises(ValueError, match=says):
        reference_evapotranspiration(*inputs, latitude, MONTHS)


def test_the_most_radiation_that_reaches_the_earth_is_taken():
    inputs, latitude, _ = climate(9)
    for value in (0.0, 50.0):
        inputs[3][0, 0] = value
        assert np.isfinite(
            reference_evapotranspiration(*inputs, latitude, MONTHS, elevation=[-500.0, 9000.0, 0, 0])
        ).all()


def test_humidity_as_a_fraction_and_a_place_on_no_land_are_refused():
    inputs, latitude, _ = climate(8)
    ta, rhm, ws, si = inputs
    with pytest.raises(ValueError, match="48 of 48 values of rhm are fractions of 1"):
        reference_evapotranspiration(ta, rhm / 100, ws, si, latitude, MONTHS)
    with pytest.raises(ValueError, match=r"1 of 4 elevations are outside -500\.\.9000 m"):
        reference_evapotranspiration(*inputs, latitude, MONTHS, elevation=[0.0, np.nan, np.inf, 100.0])
