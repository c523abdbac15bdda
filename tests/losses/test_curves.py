from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine import losses
from engine.kernels import lmoments
from engine.losses import curve as curve_module
from engine.losses.curve import resample
from tests.losses import tables


@st.composite
def years_of_loss(draw):
    """Model years, track years or both; some without a loss, some equal."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def some(n):
        loss = rng.gamma(0.7, 1e6, n) * (rng.random(n) < draw(st.sampled_from([0.4, 1.0])))
        return loss.round(-6) if draw(st.booleans()) else loss

    model = some(draw(st.integers(1, 60))) if (both := draw(st.integers(0, 2))) != 1 else None
    return model, some(draw(st.integers(1, 45))) if both != 0 else None


@given(case=years_of_loss())
@settings(max_examples=15)
def test_rarer_years_do_not_lose_less_and_lie_inside_their_interval(case):
    curve = losses.curve_of(*case)
    assert curve["return_period"].is_sorted()
    assert (curve["loss"].diff().drop_nulls() >= 0).all()
    beyond = curve.filter(basis="extrapolated")
    assert (beyond["loss_low"] <= beyond["loss"]).all()
    assert (beyond["loss"] <= beyond["loss_high"]).all()
    assert curve.filter(basis="empirical")["loss_low"].null_count() == curve.height - beyond.height


@given(case=years_of_loss())
@settings(max_examples=15)
def test_value_at_risk_is_at_most_its_tail_mean_and_that_at_most_the_largest_loss(case):
    metrics = losses.metrics_of(*case, value=1e9)
    largest = losses.Sets.checked(*case).total().max()
    tails = dict(metrics.filter(metric="tvar").select("level", "value").iter_rows())
    for level, var, basis in metrics.filter(metric="var").select("level", "value", "basis").iter_rows():
        if basis == "empirical":
            assert var <= tails[min(level, max(tails))] * (1 + 1e-12)
    assert max(tails.values()) <= largest * (1 + 1e-12)
    assert (np.diff(list(tails.values())) >= -1e-12 * largest).all()  # of one year that is the whole tail, to rounding


def test_the_plotting_position_of_the_largest_of_n_is_n_plus_one():
    loss = np.arange(1.0, 81.0)
    curve = losses.curve_of(loss, periods=[2.0, 20.25, 81.0])
    half = 40 + (2 - 81 / 41) / (81 / 40 - 81 / 41)  # 1 in 2 lies between the ranks 40 and 41
    assert curve["loss"].to_list() == pytest.approx([half, 77.0, 80.0], rel=1e-12)
    assert curve["basis"].unique().to_list() == ["empirical"]


def test_pairs_of_years_are_no_more_evidence_than_the_shorter_set():
    rng = np.random.default_rng(1)
    curve = losses.curve_of(rng.gumbel(100, 10, 20), rng.gumbel(100, 10, 45))
    told = dict(curve.select("return_period", "basis").rows())
    assert told == {2.0: "empirical", 5.0: "empirical", 10.0: "empirical", 20.0: "empirical"}
    assert (
        losses.curve_of(rng.gumbel(100, 10, 20), rng.gumbel(100, 10, 45), periods=[40.0])["basis"].item()
        == "extrapolated"
    )


@pytest.mark.parametrize(("years", "rarest"), [(10, 11.0), (19, 20.0), (20, 40.0), (39, 78.0), (40, np.inf)])
def test_few_years_say_nothing_of_what_is_much_rarer(years, rarest):
    assert losses.rarest(years) == rarest
    loss = np.random.default_rng(2).gumbel(100, 10, years)
    periods = losses.curve_of(loss)["return_period"]
    assert periods.to_list() == [each for each in losses.RETURN_PERIODS if each <= rarest]


def test_beyond_the_years_the_loss_is_that_of_a_gev_and_the_seed_is_kept():
    loss = np.random.default_rng(3).gumbel(100, 10, 60)
    curve = losses.curve_of(loss)
    expected = lmoments.gev_quantile([1 - 1 / 500], lmoments.gev_fit(loss[None]).parameters)[0, 0]
    assert curve["loss"][-1] == pytest.approx(expected, rel=1e-12)
    assert losses.curve_of(loss).equals(curve)
    other = losses.curve_of(loss, seed=1)
    assert other["loss"].equals(curve["loss"])
    assert other["loss_high"][-1] != curve["loss_high"][-1]


def test_both_sets_of_years_are_resampled():
    """With constant track years a pair is a model year and a constant: curve and interval are the model's, moved."""
    model = np.random.default_rng(4).gumbel(100, 10, 50)
    alone, moved = losses.curve_of(model), losses.curve_of(model, np.full(50, 30.0))
    # pairs repeat each loss 50 times: nearly the same positions, nearly the same L-moments
    np.testing.assert_allclose(moved["loss"], alone["loss"] + 30.0, rtol=0.02)
    np.testing.assert_allclose(moved["loss_high"][-1], alone["loss_high"][-1] + 30.0, rtol=0.1)
    wider = losses.curve_of(model, np.random.default_rng(5).gumbel(30, 10, 50)).filter(basis="extrapolated")
    same = moved.filter(basis="extrapolated")
    assert (wider["loss_high"] - wider["loss_low"] > same["loss_high"] - same["loss_low"]).all()


def test_intervals_of_sums_cover_the_true_loss_of_100_years_about_as_often_as_they_say(monkeypatch):
    monkeypatch.setattr(curve_module, "RESAMPLES", 150)
    rng = np.random.default_rng(6)
    model, track = stats.gumbel_r(100, 20), stats.lognorm(0.8, scale=40)
    true = np.quantile(model.rvs(400_000, random_state=rng) + track.rvs(400_000, random_state=rng), 0.99)
    hits, draws = 0, 25
    for _ in range(draws):
        curve = losses.curve_of(model.rvs(80, random_state=rng), track.rvs(45, random_state=rng), periods=[100.0])
        hits += curve["loss_low"].item() <= true <= curve["loss_high"].item()
    assert 0.8 <= hits / draws <= 1.0  # of 25 draws at 0.9, fewer than 20 hits come one time in 30


def test_years_that_no_gev_fits_are_drawn_from_those_there_are():
    loss = np.array([0.0] * 40 + [7.0, 9.0])
    drawn = resample(loss, np.random.default_rng(7).random((50, 42)))
    assert set(drawn.ravel()) <= {0.0, 7.0, 9.0}
    assert (drawn == 0).mean() == pytest.approx(40 / 42, abs=0.02)


def test_ties_at_the_edge_of_the_tail_share_it():
    weights = losses.tail_weights([5.0, 9.0, 5.0, 1.0], level=0.5)
    assert weights.model.tolist() == [0.25, 0.5, 0.25, 0.0]
    assert losses.tvar([5.0, 9.0, 5.0, 1.0], level=0.5) == 7.0
    assert losses.tvar([5.0, 9.0, 5.0, 1.0], level=0.375) == pytest.approx((9 + 5 + 0.5 * 5) / 2.5)
    assert losses.tail_weights([5.0] * 20, level=0.99).level == 0.95


def test_spread_risks_save_and_risks_in_step_do_not():
    one = np.array([0.0, 0.0, 0.0, 8.0])
    assert losses.diversification([losses.Sets(one, None), losses.Sets(one, None)]) == 0.0
    assert losses.diversification([losses.Sets(one, None), losses.Sets(one[::-1], None)]) == 0.5
    with pytest.raises(ValueError, match="same number of years"):
        losses.diversification([losses.Sets(one, None), losses.Sets(one[1:], None)])


def test_a_year_that_loses_next_to_nothing_is_quiet():
    metrics = losses.metrics_of([0.5, 2.0, 1e6], value=1e6)
    assert metrics.filter(metric="quiet_years")["value"].item() == pytest.approx(1 / 3)
    assert losses.metrics_of([0.0, 0.0], value=1.0).filter(metric="cv")["value"].item() is None


def test_a_site_with_enough_years_has_the_extrapolated_loss_of_a_portfolio_of_one():
    rng = np.random.default_rng(8)
    spans = {"river_flood": list(range(2021, 2051)), "typhoon": list(range(1980, 2020))}
    table = tables.table({risk: {1: rng.gamma(2, 0.01, len(years)).tolist()} for risk, years in spans.items()})
    sites = tables.sites([(1, 1, 100.0)])
    found = losses.site_levels(table, tables.sample_years(spans), sites, period=50.0)
    curve = losses.exceedance_curve(losses.year_losses(table, tables.sample_years(spans), sites))
    expected = curve.filter(risk_type="all", return_period=50.0)
    assert found["basis"].to_list() == expected["basis"].to_list() == ["extrapolated"]
    assert found["loss"].item() == pytest.approx(expected["loss"].item(), rel=1e-9)
    rare = losses.site_levels(table, tables.sample_years(spans), sites, period=1000.0)
    assert rare["return_period"].item() == 60.0


def test_steps_of_a_cell_are_what_its_bins_reach():
    found = losses.loss_steps([[0.5, 0.3, 0.15, 0.05], [np.nan] * 4], [0.0, 0.01, 0.01, 0.2])
    np.testing.assert_allclose(found, [[1.0, 0.5, 0.5, 0.05], [np.nan] * 4])
    with pytest.raises(ValueError, match="ascending rates"):
        losses.loss_steps([[0.5, 0.5]], [0.1, 0.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.curve_of(), "there are no years"),
        (lambda: losses.curve_of([]), "there are no years"),
        (lambda: losses.curve_of([1.0, np.nan]), "1 of 2 losses by model year is negative or missing"),
        (lambda: losses.curve_of([1.0], [-1.0]), "1 of 1 loss by track year"),
        (lambda: losses.curve_of([1.0], periods=[1.5]), "2 or more"),
        (lambda: losses.metrics_of([1.0], value=0.0), "value of a portfolio is above 0"),
        (lambda: losses.tail_weights([1.0], level=1.0), "level of a TVaR"),
        (lambda: losses.exceedance_curve(pl.DataFrame({"loss": [1.0]})), "years lacks the columns"),
    ],
)
def test_what_is_no_loss_or_no_period_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
