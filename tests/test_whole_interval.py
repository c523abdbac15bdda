"""The interval of an AAL holds sampling, damage rates and their level: the parts apart, and all in one."""

import math

import numpy as np
import pytest

from engine.batch.intervals import ends_of
from engine.core.intervals import combined
from engine.kernels import BinProbabilities, drawn_interval
from engine.risks.bins import Bins, Factor


def bins(factor=None):
    return Bins(intensity="wind", edges=(10.0,), damage_rates=(0.0, 0.02), source="made up", factor=factor)


def estimate(aal, low, high, p=((0.5, 0.5),)):
    each = [np.array([value], float) for value in (aal, low, high)]
    return BinProbabilities(
        np.array(p), each[0], each[0] / 5, np.array([20]), np.array([0], np.uint8), each[1], each[2]
    )


def test_causes_add_as_squares_of_logarithms():
    # 2 and 3 up: exp(sqrt(0.4805 + 1.2069)) = 3.6656; 2 and 1.5 down: exp(sqrt(0.4805 + 0.1644)) = 2.2323
    low, high = combined([0.01], (0.005, [0.02]), (0.01 / 1.5, [0.03]))
    assert high[0] == pytest.approx(0.01 * 3.6656, rel=1e-4)
    assert low[0] == pytest.approx(0.01 / 2.2323, rel=1e-4)


def test_one_cause_is_its_own_interval_and_an_unknown_one_makes_all_unknown():
    assert [end[0] for end in combined([0.01], ([0.004], [0.05]))] == pytest.approx([0.004, 0.05])
    assert np.isnan(combined([0.01], ([0.004], [0.05]), ([np.nan], [np.nan]))).all()
    assert [end[0] for end in combined([0.0], ([0.0], [0.0]), ([0.0], [0.001]))] == [0.0, 0.001]
    assert np.isnan(combined([0.0], ([np.nan], [np.nan]), ([0.0], [0.0]))).all()


def test_ends_of_draws_are_the_quantiles_that_numpy_gives():
    rng = np.random.default_rng(7)
    p, draws = rng.dirichlet(np.ones(4), 50), np.sort(rng.random((100, 4)), axis=1)
    p[3] = np.nan
    low, high = drawn_interval(p, draws)
    wanted = np.quantile(p @ draws.T, [0.05, 0.95], axis=1)
    np.testing.assert_allclose([low, high], wanted, rtol=1e-12)
    with pytest.raises(ValueError, match="bins disagree"):
        drawn_interval(p, draws[:, :3])


def test_an_edition_that_states_nothing_of_its_rates_keeps_the_interval_of_the_sampling():
    ends = ends_of([estimate(0.01, 0.006, 0.018)], bins(), None)
    assert (ends.low[0], ends.high[0], ends.rates) == (0.006, 0.018, None)


def test_by_hand_sampling_rates_and_level_of_a_calibrated_cell():
    # P = (0.5, 0.5), rate 0.02 x factor 1.5: AAL 0.015. Draws of the rate 0.01 .. 0.04 in 21 even steps: their 5 and
    # 95 % are 0.0115 and 0.0385, x 0.75 = 0.008625 and 0.028875. Level x/ 5. Sampling 0.010 to 0.024.
    draws = tuple((0.0, 0.01 + 0.0015 * k) for k in range(21))
    ends = ends_of([estimate(0.015, 0.010, 0.024)], bins(Factor(1.5, 0.3, 7.5, "made up")), draws)
    level, up, down = math.log(5), math.log(0.028875 / 0.015), math.log(0.015 / 0.008625)
    assert ends.rates[1][0] == pytest.approx(0.015 * math.exp(math.hypot(level, up)))
    assert ends.rates[0][0] == pytest.approx(0.015 / math.exp(math.hypot(level, down)))
    assert ends.high[0] == pytest.approx(0.015 * math.exp(math.hypot(level, up, math.log(1.6))))
    assert ends.low[0] == pytest.approx(0.015 / math.exp(math.hypot(level, down, math.log(1.5))))
    assert (round(ends.low[0], 5), round(ends.high[0], 5)) == (0.00261, 0.09075)


def test_an_interval_ends_at_the_whole_value():
    ends = ends_of([estimate(0.3, 0.2, 0.5)], bins(Factor(1.0, 0.1, 10.0, "made up")), None)
    assert (ends.high[0], ends.rates[1][0]) == (1.0, 1.0)
