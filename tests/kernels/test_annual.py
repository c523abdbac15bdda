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


def completed(months):
    """Years of 10 or 11 months with the cell's calendar-month means in the gaps; others as they are, in float64."""
    full = months.astype(float)
    for cell, year in np.ndindex(months.shape[:2]):
        for month in np.flatnonzero(np.isnan(months[cell, year])):
            valid = [float(value) for value in months[cell, :, month] if not np.isnan(value)]
            full[cell, year, month] = sum(valid) / len(valid) if valid else np.nan
    return full


def naive(valid, full, of):
    out = np.full(valid.shape[:2], np.nan)
    for cell, year in np.ndindex(out.shape):
        if valid[cell, year].sum() >= 10 and not np.isnan(full[cell, year]).any():
            out[cell, year] = of(full[cell, year].tolist())
    return out


@given(seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_months_become_years_as_a_plain_loop_has_it(seed):
    months, loss = awkward(seed), awkward(seed + 1)
    valid, full = ~np.isnan(months), completed(months)
    np.testing.assert_array_equal(kernels.annual_maximum(months), naive(valid, full, max))
    np.testing.assert_array_equal(kernels.annual_minimum(months), naive(valid, full, min))
    np.testing.assert_allclose(kernels.annual_mean(months), naive(valid, full, lambda v: sum(v) / 12), rtol=1e-12)
    surplus = np.maximum(full - completed(loss), 0)
    np.testing.assert_allclose(
        kernels.annual_surplus(months, loss), naive(valid & ~np.isnan(loss), surplus, sum), rtol=1e-12
    )


def test_a_year_with_nine_months_is_missing_and_one_with_ten_is_completed():
    months = np.arange(36, dtype=np.float32).reshape(1, 3, 12)
    months[0, 0, :3] = np.nan
    months[0, 1, 10:] = np.nan  # the others have 10, 11 and 34, 35 there
    np.testing.assert_array_equal(kernels.annual_maximum(months), [[np.nan, 23, 35]])
    np.testing.assert_array_equal(kernels.annual_minimum(months), [[np.nan, 12, 24]])
    np.testing.assert_array_equal(kernels.annual_mean(months), [[np.nan, 17.5, 29.5]])


def test_a_missing_rainy_month_is_no_average_month():
    rain, demand = np.full((1, 4, 12), 50.0), np.full((1, 4, 12), 60.0)
    rain[..., 6] = 400.0
    rain[0, 0, 6] = 700.0
    gap = demand.copy()
    gap[0, 0, 6] = np.nan  # no radiation in the wet July: its rain is there, and is kept
    np.testing.assert_allclose(kernels.annual_surplus(rain, gap), [[640.0, 340.0, 340.0, 340.0]])
    dry = rain.copy()
    dry[0, 0, 6] = np.nan  # the rain itself is missing: the mean July
    np.testing.assert_allclose(kernels.annual_surplus(dry, demand), [[340.0] * 4])
    never = demand.copy()
    never[:, :, 6] = np.nan
    assert np.isnan(kernels.annual_surplus(rain, never)).all()


def test_a_complete_year_is_the_same_number_whatever_its_neighbours_lack():
    months, loss = np.abs(awkward(3)), np.abs(awkward(4))
    months[:, 0], loss[:, 0] = np.linspace(0.1, 9.7, 12), np.linspace(3.3, 0.1, 12)
    alone = kernels.annual_surplus(months[:, :1], loss[:, :1])
    np.testing.assert_array_equal(kernels.annual_surplus(months, loss)[:, :1], alone)
    whole = kernels.annual_surplus(months, loss)
    np.testing.assert_array_equal(kernels.annual_surplus(months[1:2], loss[1:2]), whole[1:2])


def test_a_slice_of_a_larger_array_gives_the_same():
    months = awkward(5)
    wide = np.zeros((3, 9, 24), np.float32)
    wide[:, 2:7, ::2] = months
    np.testing.assert_array_equal(kernels.annual_mean(wide[:, 2:7, ::2]), kernels.annual_mean(months))


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"\(cells, years, 12\), got \(12,\)"):
        kernels.annual_mean(np.zeros(12))
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
