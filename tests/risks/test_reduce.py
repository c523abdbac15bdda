import numpy as np
import pytest

from engine.core.period import Years
from engine.risks import reduce

AXIS = Years(2021, 2030)


def test_a_mean_needs_four_fifths_of_its_years():
    years = np.arange(20, dtype=np.float64).reshape(2, 10)
    years[0, :2] = np.nan
    years[1, :3] = np.nan
    np.testing.assert_array_equal(reduce.period_mean(years, AXIS, AXIS), [5.5, np.nan])
    np.testing.assert_array_equal(reduce.period_mean(years, AXIS, Years(2024, 2025)), [3.5, 13.5])
    twenty = np.ones((2, 20))
    twenty[0, :4] = twenty[1, :5] = np.nan
    np.testing.assert_array_equal(reduce.period_mean(twenty, Years(2021, 2040), Years(2021, 2040)), [1.0, np.nan])


@pytest.mark.parametrize(("x", "score"), [(-5, 0), (0, 0), (15, 0.5), (30, 1), (99, 1), (np.nan, np.nan)])
def test_a_scale_is_linear_and_clipped(x, score):
    np.testing.assert_array_equal(reduce.between(np.array([x]), 0, 30), [score])


def test_a_falling_scale_scores_cold():
    np.testing.assert_array_equal(reduce.between(np.array([5.0, -10.0, -30.0]), 0, -20), [0, 0.5, 1])


def test_knots_are_met_and_missing_stays_missing():
    knots = ((0.0, 0.0), (100.0, 0.2), (450.0, 1.0))
    np.testing.assert_allclose(reduce.through(np.array([100.0, 275.0, 900.0, np.nan]), knots), [0.2, 0.6, 1.0, np.nan])
