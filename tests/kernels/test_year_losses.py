"""Losses of single years: the parts of their samples in the AAL, which the mean of the completed years gives back."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kernels import METHODS, bin_probabilities, bin_year_losses, bins
from tests import naive, strategies

RATES = [0.001, 0.003, 0.01, 0.02, 0.035]
EDGES = [3.0, 8.0, 15.0, 25.0]
SUPPORTS = [{}, {"lower": 0.0}, {"lower": 0.0, "atom": True}]

kernel_settings = settings(deadline=None, max_examples=40)


def gamma(seed, n_cells=6, n_years=80):
    return np.random.default_rng(seed).gamma(2.0, 5.0, (n_cells, n_years))


@pytest.mark.parametrize("support", SUPPORTS)
@given(case=strategies.cells(), group=st.sampled_from([1, 4, 12]))
@kernel_settings
def test_the_mean_of_the_completed_years_is_the_aal(support, case, group):
    x, edges = case
    found, years = bin_year_losses(x, edges, damage_rates=RATES, group=group, **support)
    assert years.loss.shape == years.valid.shape == (len(x), x.shape[1] // group)
    mean = years.completed(found.aal).mean(axis=1)
    np.testing.assert_allclose(mean, found.aal, rtol=1e-9, atol=1e-15)
    assert not (years.loss < 0).any()


@pytest.mark.parametrize("support", SUPPORTS)
@given(case=strategies.cells(), group=st.sampled_from([1, 12]))
@kernel_settings
def test_matches_the_naive_version(support, case, group):
    x, edges = case
    found, years = bin_year_losses(x, edges, damage_rates=RATES, group=group, **support)
    for c, (row, cuts) in enumerate(zip(x.tolist(), edges.tolist(), strict=True)):
        loss, valid = naive.year_losses(row, cuts, rates=RATES, group=group, **support)
        np.testing.assert_allclose(years.loss[c], loss, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(years.valid[c], valid)
    plain = bin_probabilities(x, edges, damage_rates=RATES, group=group, **support)
    assert [part.tobytes() for part in found] == [part.tobytes() for part in plain]


def test_a_counted_year_costs_the_rate_of_its_bin():
    x = np.array([[1.0, 3.0, 9.0, 30.0, 1.0, 1.0, 8.0, math.nan, 14.9, 15.0, 2.0, 2.0]])
    found, years = bin_year_losses(x, EDGES, damage_rates=RATES)
    assert METHODS[found.method[0]] == "count"
    expected = [RATES[i] if i is not None else math.nan for i in (0, 1, 2, 4, 0, 0, 2, None, 2, 3, 0, 0)]
    np.testing.assert_array_equal(years.loss[0], expected)
    np.testing.assert_array_equal(years.valid[0], [1.0] * 7 + [0.0] + [1.0] * 4)


def test_an_incomplete_year_counts_for_the_share_of_its_samples():
    x = gamma(1, 1, 240)
    x[0, 3:12] = math.nan  # three of twelve are left
    x[0, 24:36] = math.nan
    found, years = bin_year_losses(x, EDGES, damage_rates=RATES, group=12)
    assert years.valid[0, 0] == 0.25
    assert math.isnan(years.loss[0, 2])
    completed = years.completed(found.aal)[0]
    assert completed[2] == found.aal[0]
    assert completed[0] == pytest.approx(0.25 * years.loss[0, 0] + 0.75 * found.aal[0], rel=1e-15)
    assert completed.mean() == pytest.approx(found.aal[0], rel=1e-12)


def test_a_worse_year_never_costs_less():
    x = np.sort(gamma(2, 4, 40), axis=1)
    _, years = bin_year_losses(x, EDGES, lower=0.0, damage_rates=RATES)
    assert (np.diff(years.loss, axis=1) >= 0).all()


def test_without_an_aal_there_are_no_year_losses():
    x = gamma(3, 2, 20)
    x[0, 4:] = math.nan
    found, years = bin_year_losses(x, EDGES, damage_rates=RATES)
    assert math.isnan(found.aal[0])
    assert np.isnan(years.loss[0]).all()
    np.testing.assert_array_equal(years.valid[0], [1.0] * 4 + [0.0] * 16)


def test_truncation_is_refused():
    with pytest.raises(ValueError, match='no losses of their own under boundary="truncate"'):
        bin_year_losses(gamma(4), EDGES, lower=0.0, boundary="truncate", damage_rates=RATES)


def test_bytes_do_not_depend_on_threads_slabs_or_blocks(monkeypatch):
    x = gamma(5, n_cells=300, n_years=84).astype(np.float32)
    x[np.random.default_rng(6).random(x.shape) < 0.1] = np.nan
    options = {"lower": 0.0, "damage_rates": RATES, "group": 12}

    def found(part=slice(None)):
        return bin_year_losses(x[part], EDGES, **options)[1].loss

    whole = found().tobytes()
    assert b"".join(found(part).tobytes() for part in (slice(0, 7), slice(7, 130), slice(130, None))) == whole
    monkeypatch.setattr(bins, "SLAB", 100 * 84)
    assert found().tobytes() == whole
    numba.set_num_threads(1)
    try:
        assert found().tobytes() == whole
    finally:
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
