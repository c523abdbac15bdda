from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings

from engine.kernels import baseline_quantiles, quantiles
from tests import strategies

Q = [0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 1.0]


@given(case=strategies.cells())
@settings(deadline=None)
def test_equals_numpys_linear_quantiles_of_the_valid_samples(case):
    x, _ = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy warns of cells without a value; ours says NaN
        expected = np.nanquantile(x, Q, axis=1).T
    np.testing.assert_array_equal(baseline_quantiles(x, Q), expected)


def test_seouls_cold_spells_collapse_the_lower_edges_onto_zero():
    spells = np.zeros((1, 30))
    spells[0, :3] = [6, 7, 10]
    edges = baseline_quantiles(spells, [0.8, 0.9, 0.95, 0.99])
    np.testing.assert_allclose(edges, [[0.0, 0.6, 6.55, 9.13]], rtol=1e-12)


def test_a_cell_without_a_value_has_no_quantiles():
    x = np.full((2, 30), np.nan, np.float32)
    x[1, 4] = 3.0
    np.testing.assert_array_equal(baseline_quantiles(x, [0.5, 0.9]), [[np.nan] * 2, [3.0] * 2])
    assert np.isnan(baseline_quantiles(np.empty((2, 0)), [0.5])).all()


def test_slabs_do_not_change_a_byte(monkeypatch):
    x = np.random.default_rng(0).normal(size=(50, 30)).astype(np.float32)
    whole = baseline_quantiles(x, Q)
    monkeypatch.setattr(quantiles, "SLAB", 7 * 30)
    assert baseline_quantiles(x, Q).tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    ("x", "q", "message"),
    [
        (np.ones((2, 5, 1)), [0.5], r"shape \(cells, samples\)"),
        (np.array([[1.0, np.inf], [2.0, 3.0]]), [0.5], "1 samples in cells 0..1 are infinite"),
        (np.ones((2, 5)), [1.5], "numbers 0..1"),
        (np.ones((2, 5)), [np.nan], "numbers 0..1"),
        (np.ones((2, 5)), 0.5, "list of numbers"),
    ],
)
def test_what_is_no_sample_or_no_quantile_is_refused(x, q, message):
    with pytest.raises(ValueError, match=message):
        baseline_quantiles(x, q)
