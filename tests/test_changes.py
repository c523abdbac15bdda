"""Changes between windows, and which of many are more than noise."""

import math

import numpy as np
import pytest

from engine.batch.changes import Window, change
from engine.core.false_discovery import real_changes
from engine.kernels import bin_probabilities
from engine.kernels.estimator import Baseline

EARLY, LATE = [[1.0] * 7 + [9.0] * 3], [[9.0] * 5 + [1.0] * 5]


def window(x, baseline=None):
    found = bin_probabilities(x, [5.0], damage_rates=[0.0, 0.1], baseline=baseline, moves=True)
    return Window(found, baseline)


def test_windows_of_different_years_are_independent():
    found = change(window(EARLY), window(LATE), paired=False, span=1)
    # variances of two shares of ten years, p (1 - p) / 9
    assert found.difference[0] == pytest.approx(0.1 * (0.5 - 0.3))
    assert found.error[0] == pytest.approx(0.1 * np.sqrt(0.21 / 9 + 0.25 / 9))
    assert not found.significant[0]


def test_years_of_one_record_are_paired():
    stormier = [[1.0] * 6 + [9.0] * 4]  # the same storms, one of them over the edge now
    found = change(window(EARLY), window(stormier), paired=True, span=1)
    assert found.error[0] == pytest.approx(0.1 * np.sqrt(0.1 * 0.9 / 9))  # one year of ten differs
    assert change(window(EARLY), window(EARLY), paired=True, span=1).error[0] == pytest.approx(0.0, abs=1e-15)


def test_edges_of_one_baseline_move_both_windows_alike():
    without = Baseline(np.where(np.arange(30) < 3, 0.5, 5.0)[None, :, None], np.full(30, -1))
    alike = change(window(EARLY, without), window(EARLY, without), paired=False, span=1)
    assert alike.error[0] == pytest.approx(0.1 * np.sqrt(2 * 0.21 / 9))  # what the edges do is no change
    other = change(window(EARLY, without), window(LATE, without), paired=False, span=1)
    assert other.error[0] > 0.1 * np.sqrt(0.21 / 9 + 0.25 / 9)


def test_a_change_without_a_standard_error_is_not_significant():
    found = change(window([[1.0] * 10]), window(LATE), paired=False, span=1)
    assert np.isnan(found.error[0])
    assert not found.significant[0]


def test_of_the_changes_of_a_map_a_tenth_may_be_false():
    # two-sided p of these z: 0.003, 0.02, 0.04, 0.32, 0.62; limits 0.02, 0.04, 0.06, 0.08, 0.1
    z = np.array([2.97, -2.33, 2.05, 1.0, 0.5])
    order = [3, 0, 4, 2, 1]
    found = real_changes(np.append(z[order] * 0.01, np.nan), np.append(np.full(5, 0.01), 0.01))
    assert found.tolist() == [False, True, False, True, True, False]
    noise = np.random.default_rng(1).normal(size=5000)
    assert real_changes(noise, np.ones(5000)).sum() <= 5
    assert real_changes([], []).tolist() == []


def test_lists_of_two_lengths_are_refused():
    with pytest.raises(ValueError, match="two lists of one length"):
        real_changes([1.0, 2.0], [1.0])


def test_real_changes_are_those_of_the_step_up_by_p_values():
    random = np.random.default_rng(1)
    for _ in range(300):
        n = random.integers(0, 60)
        change, error = random.normal(0, random.choice([0.5, 1, 2, 4]), n), random.choice([0.0, 0.5, 1.0, np.nan], n)
        change[random.random(n) < 0.1] = np.nan
        known = np.flatnonzero(~np.isnan(change) & (error > 0))
        p = np.array([math.erfc(abs(change[i] / error[i]) / math.sqrt(2)) for i in known])
        order, expected = np.argsort(p), np.zeros(n, bool)
        passed = [k for k, i in enumerate(order, 1) if p[i] <= 0.1 * k / len(p)]
        expected[known[order[: max(passed, default=0)]]] = True
        np.testing.assert_array_equal(real_changes(change, error), expected)
