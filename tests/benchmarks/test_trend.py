import numpy as np
import pytest

from benchmarks import trend
from benchmarks.truths import COURSES, rising

# error of the first window by a trend over that of years that are alike; of 400 draws its own error is some 5 per cent
MOST = {
    "river, GEV": 0.95,
    "urban, GEV": 0.9,
    "water, log-normal": 0.95,
    "fire, Gumbel": 0.8,
    "fire, months": 0.95,
    "drought, months": 0.9,
}
CLIMATES = {(truth.name, truth.course): truth for truth in rising()}


@pytest.mark.parametrize("name", MOST)
def test_a_trend_lessens_the_error_of_the_first_window_as_documented(name):
    found = trend.compare(CLIMATES[name, "linear"], "short_term", 400, np.random.default_rng(1))
    assert found["error / alike"] <= MOST[name]
    assert 0.75 <= found["SE / scatter"] <= 1.2  # months of drought the least
    assert 76 <= found["cover %"] <= 96


def test_the_sea_has_neither_bias_nor_an_error_of_its_rise():
    found = trend.compare(CLIMATES["sea, noise 1.5 cm", "its own"], "full", 400, np.random.default_rng(2))
    assert abs(found["bias %"]) < 1 < found["bias alike %"]
    assert 1 / 1.3 <= found["SE / scatter"] <= 1.3


def test_a_climate_is_drawn_as_its_distribution_says_in_the_first_and_the_last_year():
    for number, truth in enumerate(rising()):
        if truth.course not in (next(iter(COURSES)), "its own"):
            continue
        drawn = truth.draw(np.random.default_rng([3, number]), 3000, np.arange(80)).reshape(3000, 80, -1)
        for year in (0, 79):
            x = float(np.quantile(drawn[:, year], 0.9)) + 1e-9
            assert (drawn[:, year] < x).mean() == pytest.approx(float(truth.below(np.array([x]), year)[0]), abs=0.02)
