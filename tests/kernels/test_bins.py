from __future__ import annotations

import itertools
import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gaussian_kde

from engine.kernels import METHODS, bin_probabilities, bins
from engine.kernels.normal import normal_cdf
from tests import naive, strategies

RATES = [0.001, 0.003, 0.01, 0.02, 0.035]
EDGES = [3.0, 8.0, 15.0, 25.0]
SUPPORTS = [
    {},
    {"lower": 0.0},
    {"lower": 0.0, "boundary": "truncate"},
    {"lower": 0.0, "atom": True},
    {"lower": 0.0, "atom": True, "boundary": "truncate"},
]

kernel_settings = settings(deadline=None, max_examples=40)


def gamma(seed, n_cells=6, n_years=80):
    return np.random.default_rng(seed).gamma(2.0, 5.0, (n_cells, n_years))


def bytes_of(result):
    return [part.tobytes() for part in result if part is not None]


def scipy_mass(row, edges, lower=None, atom=False, boundary="reflect"):
    valid = row[~np.isnan(row)]
    rest = valid[valid != lower] if atom else valid
    density = gaussian_kde(rest)
    limits = np.concatenate([[-np.inf], edges, [np.inf]])
    if lower is None:
        mass = np.array([density.integrate_box_1d(*pair) for pair in itertools.pairwise(limits)])
    else:
        limits = np.maximum(limits, lower)
        mass = np.array([density.integrate_box_1d(*pair) for pair in itertools.pairwise(limits)])
        if boundary == "reflect":
            mirrored = 2 * lower - limits
            mass += [density.integrate_box_1d(b, a) for a, b in itertools.pairwise(mirrored)]
        else:
            mass /= density.integrate_box_1d(lower, np.inf)
    mass *= len(rest) / len(valid)
    mass[0] += 1 - len(rest) / len(valid)
    return mass


def test_the_fitted_normal_distribution_is_within_1e_13_of_erfc():
    z = np.concatenate([np.linspace(-9, 9, 20001), [-40.0, 40.0, 0.0, -math.inf, math.inf]])
    off = [abs(normal_cdf(each) - naive.normal_cdf(each)) for each in z]
    assert max(off) < 1e-13
    assert normal_cdf(0.0) == 0.5


@pytest.mark.parametrize("support", SUPPORTS)
def test_agrees_with_scipy_for_gaps_and_atoms(support):
    x = gamma(1)
    x[:, 60:] = 0.0
    x[1, 3:18] = np.nan
    result = bin_probabilities(x, EDGES, **support)
    assert set(result.method) == {METHODS.index("kde")}
    for row, p in zip(x, result.p, strict=True):
        np.testing.assert_allclose(p, scipy_mass(row, EDGES, **support), rtol=0, atol=1e-9)


@pytest.mark.parametrize("support", SUPPORTS)
@given(case=strategies.cells(), group=st.sampled_from([1, 4, 12]))
@kernel_settings
def test_matches_the_naive_version(support, case, group):
    x, edges = case
    result = bin_probabilities(x, edges, damage_rates=RATES, group=group, **support)
    for c, (row, cuts) in enumerate(zip(x.tolist(), edges.tolist(), strict=True)):
        p, aal, se, n, method = naive.bin_probabilities(row, cuts, rates=RATES, group=group, **support)
        assert (result.n[c], result.method[c]) == (n, method)
        np.testing.assert_allclose(result.p[c], p, rtol=0, atol=1e-12)
        np.testing.assert_allclose(result.aal[c], aal, rtol=0, atol=1e-12)
        np.testing.assert_allclose(result.aal_se[c], se, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("support", SUPPORTS)
@given(case=strategies.cells())
@kernel_settings
def test_probabilities_are_a_distribution_or_missing(support, case):
    result = bin_probabilities(*case, damage_rates=RATES, **support)
    missing = result.method == METHODS.index("insufficient_data")
    assert np.isnan(result.p[missing]).all()
    assert np.isnan(result.aal[missing]).all()
    known = result.p[~missing]
    assert (known >= 0).all()
    np.testing.assert_allclose(known.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(result.aal[~missing], known @ RATES, rtol=0, atol=1e-15)


@given(seed=st.integers(0, 2**32 - 1))
@kernel_settings
def test_a_mirrored_series_has_mirrored_bins(seed):
    x, edges = gamma(seed), np.array(EDGES)
    mirrored = bin_probabilities(-x, -edges[::-1]).p
    np.testing.assert_allclose(mirrored[:, ::-1], bin_probabilities(x, edges).p, rtol=0, atol=1e-12)


@given(seed=st.integers(0, 2**32 - 1), shift=st.sampled_from([-1000.0, 64.0]), scale=st.sampled_from([2.0**-40, 8.0]))
@kernel_settings
def test_the_unit_of_the_intensity_does_not_matter(seed, shift, scale):
    x, edges = gamma(seed), np.array(EDGES)
    moved = bin_probabilities((x + shift) * scale, (edges + shift) * scale, lower=shift * scale)
    np.testing.assert_allclose(moved.p, bin_probabilities(x, edges, lower=0.0).p, rtol=0, atol=1e-11)


def test_bytes_do_not_depend_on_threads_blocks_slabs_or_memory_layout(monkeypatch):
    x = gamma(3, n_cells=300, n_years=84).astype(np.float32)
    x[np.random.default_rng(4).random(x.shape) < 0.1] = np.nan
    options = {"lower": 0.0, "damage_rates": RATES, "group": 12}
    whole = bin_probabilities(x, EDGES, **options)
    assert bytes_of(bin_probabilities(np.asfortranarray(x), EDGES, **options)) == bytes_of(whole)
    assert bytes_of(bin_probabilities(x.astype(np.float64)[::-1], EDGES, **options)) == [
        part[::-1].tobytes() for part in whole
    ]
    parts = [bin_probabilities(x[part], EDGES, **options) for part in (slice(0, 7), slice(7, 130), slice(130, None))]
    joined = [np.concatenate([part[i] for part in parts]) for i in range(len(whole))]
    assert bytes_of(joined) == bytes_of(whole)
    monkeypatch.setattr(bins, "SLAB", 100 * 84)
    assert bytes_of(bin_probabilities(x, EDGES, **options)) == bytes_of(whole)
    numba.set_num_threads(1)
    try:
        assert bytes_of(bin_probabilities(x, EDGES, **options)) == bytes_of(whole)
    finally:
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)


@pytest.mark.parametrize(
    ("columns", "gaps", "method"),
    [
        (9, 0, "insufficient_data"),
        (10, 0, "count"),
        (15, 0, "count"),
        (16, 0, "kde"),
        (20, 4, "kde"),  # exactly a fifth missing
        (20, 5, "insufficient_data"),
        (12, 2, "count"),
        (11, 2, "insufficient_data"),
        (0, 0, "insufficient_data"),
    ],
)
def test_the_number_of_samples_decides_the_method(columns, gaps, method):
    x = gamma(5, 1, columns)
    x[:, :gaps] = np.nan
    result = bin_probabilities(x, EDGES)
    assert METHODS[result.method[0]] == method
    assert result.n[0] == columns - gaps


def test_an_atom_is_smoothed_only_when_enough_samples_lie_above_it():
    x = gamma(6, 2, 30)
    x[0, 16:] = 0.0
    x[1, 15:] = 0.0
    result = bin_probabilities(x, EDGES, lower=0.0, atom=True)
    assert [METHODS[m] for m in result.method] == ["kde", "count"]
    assert result.p[0, 0] > 14 / 30
    np.testing.assert_array_equal(result.p[1], np.bincount(np.digitize(x[1], EDGES), minlength=5) / 30)


def test_no_event_stays_in_the_first_bin_when_the_edges_collapse_onto_it():
    x = np.zeros((2, 30))
    x[1, :17] = np.linspace(1, 17, 17)
    result = bin_probabilities(x, [0.0, 0.0, 0.0, 0.0], lower=0.0, atom=True, damage_rates=RATES)
    np.testing.assert_array_equal(result.p[0], [1, 0, 0, 0, 0])
    np.testing.assert_allclose(result.p[1], [13 / 30, 0, 0, 0, 17 / 30], rtol=0, atol=1e-15)
    assert result.aal[0] == RATES[0]
    assert np.isnan(result.aal_se[0])


def test_a_bin_holds_its_lower_edge():
    x = np.array([[3.0] * 5 + [2.0] * 5])
    np.testing.assert_array_equal(bin_probabilities(x, [3.0, 3.0]).p, [[0.5, 0, 0.5]])


def test_a_missing_year_is_left_out_not_counted_as_zero():
    x = gamma(7, 1, 40)
    gap = np.insert(x, 7, np.nan, axis=1)
    with_gap, without = (bin_probabilities(each, EDGES, lower=0.0, damage_rates=RATES) for each in (gap, x))
    assert bytes_of(with_gap) == bytes_of(without)


def test_without_damage_rates_there_is_no_loss():
    result = bin_probabilities(gamma(8), EDGES)
    assert result.aal is None
    assert result.aal_se is None


@pytest.mark.parametrize("boundary", ["reflect", "truncate"])
def test_the_standard_error_is_the_spread_of_the_loss_over_many_climates(boundary):
    x = gamma(9, n_cells=3000, n_years=60)
    result = bin_probabilities(x, EDGES, lower=0.0, boundary=boundary, damage_rates=RATES)
    assert math.sqrt(np.mean(result.aal_se**2)) == pytest.approx(result.aal.std(), rel=0.15)


def test_the_standard_error_of_dependent_months_counts_years():
    rng = np.random.default_rng(10)
    x = np.zeros((1500, 60 * 12))
    for month in range(1, x.shape[1]):
        x[:, month] = 0.9 * x[:, month - 1] + rng.normal(size=len(x))
    result = bin_probabilities(x, [1.0, 2.0, 3.0, 5.0], damage_rates=RATES, group=12)
    spread = result.aal.std()
    assert math.sqrt(np.mean(result.aal_se**2)) == pytest.approx(spread, rel=0.15)
    naive_se = bin_probabilities(x, [1.0, 2.0, 3.0, 5.0], damage_rates=RATES).aal_se
    assert math.sqrt(np.mean(naive_se**2)) < 0.5 * spread


def test_empty_years_are_no_samples_of_the_standard_error_and_break_the_lag():
    x = gamma(11, 1, 240)
    x[:, 60:72] = np.nan
    x[:, 100] = np.nan
    result = bin_probabilities(x, EDGES, damage_rates=RATES, group=12)
    expected = naive.bin_probabilities(x[0].tolist(), EDGES, rates=RATES, group=12)
    assert result.aal_se[0] == pytest.approx(expected[2], rel=1e-12)
    assert result.n[0] == 227


def test_months_of_a_single_year_have_no_standard_error():
    assert np.isnan(bin_probabilities(gamma(12, 1, 12), EDGES, damage_rates=RATES, group=12).aal_se[0])


def test_equal_damage_rates_cost_exactly_that_rate():
    for support in SUPPORTS:
        result = bin_probabilities(gamma(13), EDGES, damage_rates=[0.1] * 5, **support)
        np.testing.assert_allclose(result.aal, 0.1, rtol=1e-14)
        np.testing.assert_allclose(result.aal_se, 0.0, rtol=0, atol=1e-15)


def test_nan_edges_are_allowed_where_there_are_too_few_samples():
    x = gamma(14, 2)
    x[0] = np.nan
    edges = np.array([[np.nan] * 4, EDGES])
    assert METHODS[bin_probabilities(x, edges).method[0]] == "insufficient_data"
    with pytest.raises(ValueError, match="1 of 2 cells have enough samples but NaN"):
        bin_probabilities(gamma(14, 2), edges)


def test_no_cells_give_no_rows():
    result = bin_probabilities(np.empty((0, 80)), EDGES, damage_rates=RATES)
    assert result.p.shape == (0, 5)
    assert result.aal.shape == result.n.shape == (0,)


def _with(value):
    x = gamma(15, 3)
    x[1, 2:4] = value
    return x


@pytest.mark.parametrize(
    ("x", "edges", "options", "message"),
    [
        (_with(np.inf), EDGES, {}, "2 samples in 1 of 3 cells are infinite"),
        (_with(-np.inf), EDGES, {}, "2 samples in 1 of 3 cells are infinite"),
        (_with(-1.0), EDGES, {"lower": 0.0}, "2 samples in 1 of 3 cells are below"),
        (gamma(1)[None], EDGES, {}, r"shape \(cells, samples\)"),
        (np.full((2, 20), "a"), EDGES, {}, "must be numbers"),
        (gamma(1), np.ones((5, 4)), {}, r"\(6, bins - 1\), got \(5, 4\)"),
        (gamma(1), [3.0, 2.0], {}, "do not ascend in 1 of 1 rows"),
        (gamma(1), [3.0, np.inf], {}, "1 edges are infinite"),
        (gamma(1), EDGES, {"damage_rates": [0.1] * 4}, "5 bins need as many"),
        (gamma(1), EDGES, {"damage_rates": [0.1, 0.2, 0.3, 0.4, 1.1]}, "outside 0..1"),
        (gamma(1), EDGES, {"damage_rates": [0.1, 0.2, 0.3, 0.4, np.nan]}, "outside 0..1"),
        (gamma(1), EDGES, {"lower": 0.0, "boundary": "wrap"}, "not 'wrap'"),
        (gamma(1), EDGES, {"lower": np.nan}, "must be finite"),
        (gamma(1), EDGES, {"atom": True}, "an atom needs a lower bound"),
        (gamma(1), EDGES, {"min_kde_samples": 1}, "at least 2 samples"),
        (gamma(1), EDGES, {"group": 12}, "80 samples do not split into years of 12"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(x, edges, options, message):
    with pytest.raises(ValueError, match=message):
        bin_probabilities(x, edges, **options)
