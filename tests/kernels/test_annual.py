import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import kernels


def awkward(seed, dtype=np.float32):
    rng = np.random.default_rng(seed)
    months = rng.normal(0, 10, (3, 5, 12)).astype(dtype)
    months[rng.random(months.shape) < 0.12] = np.nan
    return months


def naive(months, of, scale=False):
    out = np.full(months.shape[:2], np.nan)
    for cell, year in np.ndindex(out.shape):
        valid = [float(value) for value in months[cell, year] if not np.isnan(value)]
        if len(valid) >= 10:
            out[cell, year] = of(valid) * (12 / len(valid) if scale else 1)
    return out


@given(seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_months_become_years_as_a_plain_loop_has_it(seed):
    months, loss = awkward(seed), awkward(seed + 1)
    np.testing.assert_array_equal(kernels.annual_maximum(months), naive(months, max))
    np.testing.assert_array_equal(kernels.annual_minimum(months), naive(months, min))
    np.testing.assert_allclose(kernels.annual_mean(months), naive(months, lambda v: sum(v) / len(v)), rtol=1e-12)
    surplus = np.maximum(months.astype(float) - loss.astype(float), 0)
    np.testing.assert_allclose(kernels.annual_surplus(months, loss), naive(surplus, sum, scale=True), rtol=1e-12)


def test_a_year_with_nine_months_is_missing_and_one_with_ten_is_not():
    months = np.arange(24, dtype=np.float32).reshape(1, 2, 12)
    months[0, 0, :3] = np.nan
    months[0, 1, :2] = np.nan
    np.testing.assert_array_equal(kernels.annual_maximum(months), [[np.nan, 23]])
    np.testing.assert_array_equal(kernels.annual_minimum(months), [[np.nan, 14]])
    np.testing.assert_array_equal(kernels.annual_mean(months), [[np.nan, 18.5]])


def test_a_slice_of_a_larger_array_gives_the_same():
    months = awkward(5)
    wide = np.zeros((3, 9, 24), np.float32)
    wide[:, 2:7, ::2] = months
    np.testing.assert_array_equal(kernels.annual_mean(wide[:, 2:7, ::2]), kernels.annual_mean(months))


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"\(cells, years, 12\), got \(3, 12\)"):
        kernels.annual_mean(np.zeros((3, 12)))
    with pytest.raises(ValueError, match="shapes differ"):
        kernels.annual_surplus(np.zeros((1, 2, 12)), np.zeros((1, 3, 12)))


@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from([np.float32, np.float64]))
@settings(max_examples=30)
def test_a_period_has_the_mean_of_its_valid_years(seed, dtype):
    years = awkward(seed, dtype)[:, 0]
    part = years[:, 2:10].astype(float)
    enough = (~np.isnan(part)).sum(axis=1) >= 7
    expected = [np.nanmean(row) if told else np.nan for row, told in zip(part, enough, strict=True)]
    np.testing.assert_allclose(kernels.period_mean(years, slice(2, 10), 0.8), expected, rtol=1e-12)


def test_a_period_outside_the_years_is_refused():
    with pytest.raises(ValueError, match=r"no columns 4..9 in years of shape \(3, 5\)"):
        kernels.period_mean(awkward(1)[:, :, 0], slice(4, 9), 0.8)
