import numpy as np
import pytest

from benchmarks import coverage
from benchmarks.truths import truths
from engine.risks import load_edition

# of 400 draws nine in ten: the standard deviation is 1.5 per cent
SHORT = {
    "river, GEV": (86, 95),
    "water, log-normal": (84, 95),
    "drought, months": (76, 95),
    "heat, gamma": (74, 97),
    "inland, Gumbel": (78, 97),
}
CLIMATES = {truth.name: truth for truth in truths() if truth.edition == "2025-11" and truth.name in SHORT}


@pytest.mark.parametrize("name", SHORT)
def test_the_interval_of_30_years_holds_the_truth_as_often_as_documented(name):
    truth = CLIMATES[name]
    bins = load_edition("2025-11").bins[truth.risk]
    found = coverage.cover(truth, bins, 400, 30, np.random.default_rng(1))
    least, most = SHORT[name]
    assert least <= found["cover %"] <= most
    assert found["cover %"] + found["below %"] + found["above %"] == pytest.approx(100)


def test_every_priced_risk_but_sea_level_has_a_climate_whose_distribution_is_what_it_draws():
    covered = {(truth.edition, truth.risk) for truth in truths()}
    for edition in ("2025-11", "2025-12", "2026-kr"):
        priced = {risk for risk, bins in load_edition(edition).bins.items() if bins.rates is not None}
        assert {risk for of, risk in covered if of == edition} == priced - {"sea_level_rise"}
    for number, truth in enumerate(truths()):
        drawn = truth.draw(np.random.default_rng([9, number]), 100, 200)
        for x in np.quantile(drawn, [0.5, 0.8, 0.95]) + 1e-9:
            assert (drawn < x).mean() == pytest.approx(float(truth.below(x)), abs=0.025)
