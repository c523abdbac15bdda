from __future__ import annotations

import numpy as np
import pytest

from engine.kernels import fire_weather_index
from tests import naive


def months(seed, shape=(3, 5, 12)):
    rng = np.random.default_rng(seed)
    return rng.normal(12, 10, shape), rng.uniform(-5, 105, shape), rng.gamma(2, 1.5, shape), rng.gamma(1, 100, shape)


@pytest.mark.parametrize("rain_coefficient", [0.0005, 0.0035])
def test_matches_the_naive_version(rain_coefficient):
    inputs = months(1)
    expected = [naive.fire_weather_index(*each, rain_coefficient) for each in zip(*map(np.ravel, inputs), strict=True)]
    result = fire_weather_index(*inputs, rain_coefficient=rain_coefficient)
    np.testing.assert_allclose(result.ravel(), expected, rtol=1e-13)


def test_a_warm_dry_month_by_hand():
    # 5 sqrt(0.36) exp(0.05039 * 3.6 * 5) exp(0.08 * 20) exp(-0.0005 * 20) = 5 * 0.6 * 2.4769 * 4.9530 * 0.99005
    assert fire_weather_index([25.0], [64.0], [5.0], [20.0])[0] == pytest.approx(36.438, abs=1e-3)


def test_hotter_drier_and_windier_is_more_dangerous_and_wetter_less():
    base = [np.array([each]) for each in (20.0, 50.0, 3.0, 100.0)]
    for i, more in enumerate([True, False, True, False]):
        changed = list(base)
        changed[i] = base[i] * 1.5
        assert (fire_weather_index(*changed)[0] > fire_weather_index(*base)[0]) == more


def test_humidity_is_clipped_and_a_saturated_month_has_no_danger():
    ta, ws, rn = np.full(3, 20.0), np.full(3, 2.0), np.zeros(3)
    result = fire_weather_index(ta, [-4.0, 0.0, 103.0], ws, rn)
    assert result[0] == result[1]
    assert result[2] == 0.0


def test_a_missing_input_is_a_missing_month():
    inputs = months(2, (4, 12))
    for i, each in enumerate(inputs):
        each[i, i] = np.nan
    missing = np.isnan(fire_weather_index(*inputs))
    np.testing.assert_array_equal(missing, np.eye(4, 12, dtype=bool))


def test_float32_stays_float32_and_is_computed_in_float64():
    inputs = [each.astype(np.float32) for each in months(3)]
    result = fire_weather_index(*inputs)
    assert result.dtype == np.float32
    exact = fire_weather_index(*(each.astype(np.float64) for each in inputs))
    np.testing.assert_array_equal(result, exact.astype(np.float32))
    turned = fire_weather_index(*(np.asfortranarray(each) for each in inputs))
    np.testing.assert_array_equal(turned, result)


def test_shapes_and_coefficients_that_do_not_fit_are_refused():
    ta, rhm, ws, rn = months(4, (2, 12))
    with pytest.raises(ValueError, match=r"shapes differ.*\(12,\)"):
        fire_weather_index(ta, rhm, ws, rn[0])
    with pytest.raises(ValueError, match="must be 0 or more"):
        fire_weather_index(ta, rhm, ws, rn, rain_coefficient=-0.1)


@pytest.mark.parametrize(
    ("at", "value", "says"),
    [
        (0, 293.0, r"1 of 24 values of ta are outside -100\.\.70 degC"),
        (0, -np.inf, "1 of 24 values of ta"),
        (1, 5985.0, r"1 of 24 values of rhm are outside -5\.\.150 %"),
        (2, -99.9, r"1 of 24 values of ws are outside 0\.\.50 m/s"),
        (2, np.inf, "1 of 24 values of ws"),
        (3, -9.0, r"1 of 24 values of rn are outside 0\.\.10000 mm/month"),
    ],
)
def test_what_no_month_can_be_is_refused_and_counted(at, value, says):
    inputs = months(5, (2, 12))
    inputs[at][1, 3] = value
    inputs[(at + 1) % 4][0, 0] = np.nan  # missing is not impossible
    for dtype in (np.float64, np.float32):
        with pytest.raises(ValueError, match=f"not the climate of a month: {says}"):
            fire_weather_index(*(each.astype(dtype) for each in inputs))


@pytest.mark.parametrize(("at", "low", "high"), [(0, -100.0, 70.0), (1, -5.0, 150.0), (2, 0.0, 50.0), (3, 0.0, 1e4)])
def test_the_limits_themselves_are_taken_and_what_lies_beyond_is_not(at, low, high):
    for limit, beyond in ((low, -np.inf), (high, np.inf)):
        inputs = months(5, (2, 12))
        inputs[at][0, 0] = limit
        assert np.isfinite(fire_weather_index(*inputs)).all()
        inputs[at][0, 0] = np.nextafter(limit, beyond)
        with pytest.raises(ValueError, match="1 of 24 values"):
            fire_weather_index(*inputs)


def test_humidity_as_a_fraction_is_refused_and_a_dry_value_among_others_is_not():
    ta, rhm, ws, rn = months(6, (2, 12))
    share = np.clip(rhm / 100, 0.0, 1.0)
    with pytest.raises(ValueError, match="24 of 24 values of rhm are fractions of 1, none is above 1 %"):
        fire_weather_index(ta, np.maximum(share, 0.01), ws, rn)
    rhm[0, 0] = 0.5
    assert np.isfinite(fire_weather_index(ta, rhm, ws, rn)).all()
    assert np.isfinite(fire_weather_index(ta, np.zeros_like(rhm), ws, rn)).all()
