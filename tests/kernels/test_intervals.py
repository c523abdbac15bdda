"""The 90 % interval of the AAL: by hand, against leaving out years one by one, and what holds for any samples."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.kernels import bin_probabilities, bin_year_losses, fitted_probabilities
from engine.kernels.bins import METHODS
from engine.kernels.estimator import Baseline
from engine.kernels.intervals import Blocks, envelope, room_of
from engine.kernels.lmoments import gev_cdf, gev_fit
from tests import strategies
from tests.kernels.test_bins import kernel_settings

EDGES, RATES = [3.0, 8.0, 15.0, 25.0], [0.001, 0.003, 0.010, 0.020, 0.035]
TEN = [1.0, 2, 3, 4, 4, 4, 4, 7, 8, 9]


def ends(loss, error, degrees, rates):
    """Student's on the logit between the mildest and the worst rate."""
    least, width = min(rates), max(rates) - min(rates)
    u = (loss - least) / width
    reach = stats.t(degrees).ppf(0.95) * error / width / (u * (1 - u))
    middle = math.log(u / (1 - u))
    return [least + width / (1 + math.exp(-(middle + side * reach))) for side in (-1, 1)]


def error_of(found, degrees, rates):
    """Standard error that an interval was made of."""
    least, width = min(rates), max(rates) - min(rates)
    u, v = ((each - least) / width for each in (found.aal[0], found.aal_high[0]))
    return (math.log(v / (1 - v)) - math.log(u / (1 - u))) / stats.t(degrees).ppf(0.95) * u * (1 - u) * width


def jackknife(losses):
    losses = np.asarray(losses)
    return math.sqrt((len(losses) - 1) / len(losses) * ((losses - losses.mean()) ** 2).sum())


def test_three_bad_years_in_ten_worked_by_hand():
    # p = 0.3, its variance p (1 - p) / 9; t of 9 degrees is 1.833; logit 0.3 = -0.847, reach 1.333 on it
    found = bin_probabilities([TEN], [5.0], damage_rates=[0.0, 0.1])
    assert found.aal[0] == pytest.approx(0.03)
    assert (found.aal_low[0], found.aal_high[0]) == pytest.approx((0.01015, 0.06192), abs=2e-5)


@pytest.mark.parametrize("support", [{}, {"lower": 0.0}, {"lower": 0.0, "boundary": "truncate"}])
def test_the_influence_with_its_bandwidth_is_the_whole_jackknife(support):
    ratios = []
    for row in np.random.default_rng(1).gamma(2.0, 5.0, (15, 30)):
        found = bin_probabilities([row], EDGES, damage_rates=RATES, **support)
        rest = [np.delete(row, j) for j in range(30)]
        whole = jackknife(bin_probabilities(rest, EDGES, damage_rates=RATES, **support).aal)
        ratios.append(error_of(found, 29, RATES) / whole)
    assert np.median(ratios) == pytest.approx(1.0, abs=0.02)
    assert min(ratios) > 0.88  # of a year far out of the others, whose part in the bandwidth is not linear
    assert max(ratios) < 1.05


def test_it_is_the_whole_jackknife_with_an_atom_too():
    random = np.random.default_rng(2)
    row = np.where(random.random(60) < 0.4, 0.0, random.gamma(2.0, 5.0, 60))
    options = {"lower": 0.0, "atom": True, "damage_rates": RATES}
    known = Baseline(np.tile(EDGES, (1, 30, 1)), np.full(30, -1))  # edges that do not move: no envelope
    found = bin_probabilities([row], EDGES, baseline=known, **options)
    whole = jackknife(bin_probabilities([np.delete(row, j) for j in range(60)], EDGES, **options).aal)
    assert error_of(found, 29, RATES) == pytest.approx(whole, rel=0.02)


def test_months_and_dependent_years_leave_in_blocks():
    x = np.random.default_rng(3).gamma(2.0, 5.0, 12 * 15)  # counted, so the first order is all there is
    found = bin_probabilities([x], EDGES, damage_rates=RATES, group=12, span=3, min_kde_samples=1000)
    losses = np.asarray(RATES)[np.searchsorted(EDGES, x, side="right")]
    whole = jackknife([np.delete(losses, slice(36 * b, 36 * b + 36)).mean() for b in range(5)])
    assert (found.aal_low[0], found.aal_high[0]) == pytest.approx(ends(found.aal[0], whole, 4, RATES), rel=5e-3)


def test_estimated_edges_widen_it_and_shared_years_leave_both_at_once():
    x = np.arange(20.0)
    rates = [0.0, 0.1]
    without = np.full((1, 20, 1), 12.0)
    without[0, :4, 0] = 14.0  # without any of the first four years the edge lies two samples higher
    options = {"damage_rates": rates, "min_kde_samples": 100}
    change = np.where(np.arange(20) < 4, -2 / 20 * 0.1, 0.0)
    of_years = -(np.where(x >= 12, 0.1, 0.0) - 0.04) / 19
    for shared in (np.full(20, -1), np.arange(20)):
        found = bin_probabilities([x], [12.0], baseline=Baseline(without, shared), **options)
        together = of_years + change if shared[0] == 0 else np.concatenate([of_years, change - change.mean()])
        centred = together - together.mean()
        error = math.sqrt(19 / 20 * (centred**2).sum())
        assert (found.aal_low[0], found.aal_high[0]) == pytest.approx(ends(0.04, error, 19, rates), rel=5e-3)
        assert found.aal_se == bin_probabilities([x], [12.0], **options).aal_se


def test_the_interval_above_an_atom_is_nearly_that_of_refitting_without_each_year():
    random = np.random.default_rng(4)
    above = np.sort(stats.genextreme(-0.1, 15, 5).rvs(30, random_state=random))
    edges, rates = np.array([17.0, 25, 33]), np.array([0.0, 0.001, 0.01, 0.05])
    v, at = np.concatenate([above, np.zeros(10)]), np.arange(40, dtype=np.int32)
    known = Blocks(40, 1, 1, np.empty(0), np.empty(0, np.int32), room_of(40, 0))
    found = envelope(v, 30, 40, at, edges, 0.0, rates, known)

    def loss(samples):
        share = (samples > 0).mean()
        p = np.diff(gev_cdf([edges], gev_fit([samples[samples > 0]], min_samples=3).parameters)[0], prepend=0, append=1)
        return share * (p @ rates)

    whole = jackknife([loss(np.delete(v, j)) for j in range(40)])
    assert found == pytest.approx(ends(loss(v), whole, 39, rates), rel=0.1)


def test_an_atom_with_known_edges_has_the_wider_of_two():
    random = np.random.default_rng(5)
    x = np.where(random.random((50, 40)) < 0.2, 0.0, random.weibull(2.0, (50, 40)) * 13)
    options = {"lower": 0.0, "atom": True, "damage_rates": [0, 0.0005, 0.005, 0.02, 0.10]}
    edges = [17.0, 25.0, 33.0, 44.0]
    both = bin_probabilities(x, edges, **options)
    alone = bin_probabilities(x, edges, baseline=Baseline(np.tile(edges, (50, 60, 1)), np.full(60, -1)), **options)
    assert (both.aal_low <= alone.aal_low + 1e-15).all()
    assert (both.aal_high >= alone.aal_high - 1e-15).all()
    assert (both.aal_high > 1.05 * alone.aal_high).any()


@pytest.mark.parametrize("support", [{}, {"lower": -30.0}, {"lower": -30.0, "atom": True}])
@given(case=strategies.cells(), group=st.sampled_from([1, 4]))
@kernel_settings
def test_it_holds_the_loss_and_stays_within_the_rates(support, case, group):
    x, edges = case
    if support:
        x = np.maximum(x, -30.0)
    found = bin_probabilities(x, edges, damage_rates=RATES, group=group, **support)
    told = ~np.isnan(found.aal_low)
    np.testing.assert_array_equal(told, ~np.isnan(found.aal_high))
    assert not told[np.isnan(found.aal)].any()
    low, aal, high = (each[told] for each in (found.aal_low, found.aal, found.aal_high))
    assert ((RATES[0] <= low) & (low <= aal) & (aal <= high) & (high <= RATES[-1])).all()


@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([2.0**-40, 8.0]))
@kernel_settings
def test_the_unit_of_the_intensity_does_not_matter(seed, scale):
    random = np.random.default_rng(seed)
    x = np.where(random.random((3, 40)) < 0.3, 0.0, random.gamma(2.0, 5.0, (3, 40)))
    options = {"lower": 0.0, "atom": True, "damage_rates": RATES}
    plain = bin_probabilities(x, EDGES, **options)
    moved = bin_probabilities(x * scale, np.array(EDGES) * scale, **options)
    np.testing.assert_allclose(moved.aal_low, plain.aal_low, rtol=1e-9)
    np.testing.assert_allclose(moved.aal_high, plain.aal_high, rtol=1e-9)


def test_there_is_none_where_all_years_are_in_one_bin_or_rates_are_equal():
    one = bin_probabilities([TEN], [50.0], damage_rates=[0.0, 0.1])
    equal = bin_probabilities([TEN], [5.0], damage_rates=[0.1, 0.1])
    few = bin_probabilities([TEN[:9]], [5.0], damage_rates=[0.0, 0.1])
    for found in (one, equal, few):
        assert np.isnan([found.aal_low[0], found.aal_high[0]]).all()
    assert bin_probabilities([TEN], [5.0]).aal_low is None


def test_it_does_not_depend_on_whether_years_or_moves_are_asked_for():
    x = np.random.default_rng(6).gamma(2.0, 5.0, (70, 24))
    options = {"lower": 0.0, "damage_rates": RATES}
    plain, (with_years, _) = bin_probabilities(x, EDGES, **options), bin_year_losses(x, EDGES, **options)
    with_moves = bin_probabilities(x, EDGES, moves=True, **options)
    for found in (with_years, with_moves):
        assert [each.tobytes() for each in found[:7]] == [each.tobytes() for each in plain[:7]]


def test_moves_are_the_changes_without_each_year():
    found = bin_probabilities([TEN], [5.0], damage_rates=[0.0, 0.1], moves=True)
    np.testing.assert_allclose(found.moves[0], [0.1 * 3 / 9 - 0.03] * 7 + [0.1 * 2 / 9 - 0.03] * 3, rtol=1e-12)


@pytest.mark.parametrize("group", [1, 2])
def test_a_fitted_loss_has_the_interval_of_its_refits(group):
    x = stats.genextreme(-0.1, 150, 50).rvs((1, 60), random_state=np.random.default_rng(7))
    edges, rates = [150.0, 200.0, 300.0], [0.0, 0.01, 0.02, 0.1]
    found = fitted_probabilities(x, edges, fit="gev", damage_rates=rates, group=group)
    assert found.method[0] == METHODS.index("fitted")
    rest = [np.delete(x[0], slice(y * group, (y + 1) * group)) for y in range(60 // group)]
    whole = jackknife(fitted_probabilities(rest, edges, fit="gev", damage_rates=rates).aal)
    degrees = 60 / group - 1
    assert (found.aal_low[0], found.aal_high[0]) == pytest.approx(ends(found.aal[0], whole, degrees, rates), rel=5e-3)


def test_shifts_of_fitted_edges_enter_a_fitted_loss():
    x = stats.gumbel_r(150, 50).rvs((1, 30), random_state=np.random.default_rng(8))
    options = {"fit": "gev", "damage_rates": [0.0, 0.1], "atom": False}
    alone = fitted_probabilities(x, [200.0], **options)
    moved = fitted_probabilities(
        x, [200.0], baseline=Baseline(np.linspace(195, 205, 30)[None, :, None], np.full(30, -1)), **options
    )
    assert moved.aal == alone.aal
    assert moved.aal_low < alone.aal_low < alone.aal_high < moved.aal_high


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        (Baseline(np.zeros((1, 3, 2)), np.full(3, -1)), r"edges without a year must be \(1, 3, 1\), got \(1, 3, 2\)"),
        (
            Baseline(np.zeros((1, 3, 1)), np.full(3, 10)),
            r"numbers of the 10 years of the samples, or -1: \[10, 10, 10\]",
        ),
    ],
)
def test_a_baseline_that_does_not_fit_is_refused(baseline, message):
    with pytest.raises(ValueError, match=message):
        bin_probabilities([TEN], [5.0], damage_rates=[0.0, 0.1], baseline=baseline)
