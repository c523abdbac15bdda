"""The error of a difference of two layers: never less than the truth, whatever the losses have in common."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.layer_differences import Loss, difference, error_by_years
from engine.io.results.published_runs import PublishedRisk
from engine.service.map_differences import link_of, may_oppose

FACTORS = st.lists(st.lists(st.floats(-1, 1), min_size=3, max_size=3), min_size=3, max_size=3)


def losses(factors):
    """The short term and two windows, and the true variances of all that is told of them: sums of shared parts."""
    parts = np.array(factors)
    covariance = parts @ parts.T
    error = np.sqrt(np.diag(covariance))
    doubt = [np.sqrt(np.clip(covariance[0, 0] + covariance[k, k] - 2 * covariance[0, k], 0, None)) for k in range(3)]
    told = [Loss(*(np.array([each]) for each in (0.01 * k, error[k], 0.01 * k, doubt[k]))) for k in range(3)]
    true = np.sqrt(np.clip(covariance[1, 1] + covariance[2, 2] - 2 * covariance[1, 2], 0, None))
    return told, float(true), float(covariance[1, 2])


@given(FACTORS, st.sampled_from(["two later windows", "two scenarios"]), st.booleans())
def test_the_error_is_an_upper_end_of_the_true_one(factors, link, opposed):
    (_, one, other), true, common = losses(factors)
    moved, error = difference(other, one, link, opposed=opposed)
    assert moved == pytest.approx(0.01)
    if opposed or common >= 0:  # what `opposed` says is not so
        assert error[0] >= true - 1e-9


@given(FACTORS)
def test_against_the_short_term_the_error_is_the_true_one(factors):
    (short, one, _), _, _ = losses(factors)
    for told, sign in (
        (difference(one, short, "reference is the short term", opposed=True), 1),
        (difference(short, one, "shown is the short term", opposed=True), -1),
    ):
        assert told[0] == pytest.approx(sign * 0.01)
        assert told[1] == pytest.approx(one.doubt)


def test_independent_windows_have_the_root_of_the_sum_of_squares_and_a_missing_error_stays_missing():
    one, other = (Loss(*(np.array(each) for each in ([0.02], [se], [np.nan], [np.nan]))) for se in (0.003, 0.004))
    assert difference(one, other, "two scenarios", opposed=False)[1] == pytest.approx([0.005])
    assert difference(one, other, "two later windows", opposed=True)[1] == pytest.approx([0.007])
    none = other._replace(error=np.array([np.nan]))
    assert np.isnan(difference(one, none, "two scenarios", opposed=False)[1])


PLAIN = PublishedRisk(calibrated=False, of_past=False)
PAST = PublishedRisk(calibrated=False, of_past=True, baseline="2021-2050 SSP2-4.5")


@pytest.mark.parametrize(
    ("told", "risk", "shown", "reference", "expected"),
    [
        (PLAIN, "drought", (4, "long_term"), (1, "long_term"), False),
        (PLAIN, "typhoon", (4, "long_term"), (1, "long_term"), False),  # the same storms, stronger or not
        (PLAIN._replace(trend="linear"), "drought", (4, "long_term"), (4, "mid_term"), True),
        (PLAIN._replace(trend="linear"), "drought", (4, "long_term"), (1, "long_term"), False),
        (PAST, "extreme_heat", (4, "mid_term"), (1, "mid_term"), False),  # edges on years of SSP2-4.5
        (PAST, "extreme_heat", (4, "mid_term"), (2, "mid_term"), True),
        (PAST, "extreme_heat", (4, "long_term"), (2, "long_term"), False),
        (PAST._replace(baseline="1991-2020"), "extreme_heat", (4, "mid_term"), (2, "mid_term"), False),
        (PAST, "typhoon", (4, "long_term"), (1, "long_term"), True),
        (None, "drought", (4, "long_term"), (1, "long_term"), True),  # no run tells
    ],
)
def test_a_year_may_move_two_losses_apart_where_edges_or_a_line_stand_on_years_of_one(
    told, risk, shown, reference, expected
):
    assert may_oppose(told, risk, shown, reference) is expected


def test_losses_on_the_same_years_differ_by_less_than_each_year_does():
    random = np.random.default_rng(3)
    years = random.gamma(0.5, 0.02, (40, 45))
    other = 1.1 * years + random.normal(0, 1e-4, years.shape)
    errors = tuple(each.std(axis=1, ddof=1) / np.sqrt(45) for each in (years, other))
    plain = error_by_years(years, other, errors)
    np.testing.assert_allclose(plain, (other - years).std(axis=1, ddof=1) / np.sqrt(45))
    assert (plain < 0.2 * np.hypot(*errors)).all()
    np.testing.assert_allclose(error_by_years(years, other, (errors[0], 1.3 * errors[1])), 1.3 * plain)
    assert np.isnan(error_by_years(years[:1], other[:1], (np.array([np.nan]), errors[1][:1])))


def test_what_is_stored_of_two_windows():
    assert link_of((4, "mid_term"), (4, "short_term")) == "reference is the short term"
    assert link_of((4, "short_term"), (4, "mid_term")) == "shown is the short term"
    assert link_of((4, "long_term"), (4, "mid_term")) == "two later windows"
    assert link_of((4, "short_term"), (1, "short_term")) == "two scenarios"
