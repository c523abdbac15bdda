"""Options of public kernels are refused in a sentence; a series alone is one cell; labels stay where they can."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr

from engine import kernels

RNG = np.random.default_rng(3)
X = RNG.gumbel(100.0, 30.0, (1, 40))
EDGES, RATES = [100.0, 150.0, 200.0], [0.0, 0.01, 0.02, 0.04]
MONTHS = RNG.uniform(1.0, 20.0, (1, 5, 12))
TIME = pd.date_range("1981", periods=40, freq="YS")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.bin_probabilities(X, EDGES, group=2.5), "group is 2.5, expected a whole number of 1 or more"),
        (lambda: kernels.bin_probabilities(X, EDGES, group=True), "group is True, expected a whole number"),
        (lambda: kernels.bin_probabilities(X, EDGES, span=0), "span is 0, expected a whole number of 1 or more"),
        (lambda: kernels.bin_probabilities(X, EDGES, min_kde_samples=9.5), "min_kde_samples is 9.5, expected a whole"),
        (lambda: kernels.bin_probabilities(X, EDGES, atom="yes", lower=0.0), "atom is 'yes', expected True or False"),
        (lambda: kernels.bin_probabilities(X, EDGES, lower="0"), "lower is '0', expected a number"),
        (lambda: kernels.bin_probabilities(X, EDGES, damage_rates=[False] * 4), "damage_rates are truth values"),
        (lambda: kernels.bin_year_losses(X, EDGES, damage_rates=RATES, span=0), "span is 0"),
        (lambda: kernels.fitted_probabilities(X, EDGES, fit="gev", group=1.0), "group is 1.0"),
        (lambda: kernels.fitted_quantiles(X, [0.9], fit="gev", atom=1, lower=0.0), "atom is 1"),
        (lambda: kernels.return_levels(X, [10], resamples=0), "resamples is 0"),
        (lambda: kernels.return_levels(X, [10], seed=-1), "seed is -1"),
        (lambda: kernels.fit_lines(X, group=0), "group is 0"),
        (lambda: kernels.period_mean(X, slice(0, 5), float("nan")), "min_share is nan, expected a share from 0 to 1"),
        (lambda: kernels.drawn_interval([[0.5, 0.5]], np.zeros((30, 2))), "every one of 30 draws is 0"),
        (lambda: kernels.drawn_interval([[0.5, 0.5]], [[True, False]] * 2), "draws are truth values"),
    ],
)
def test_an_option_of_no_use_is_refused_in_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "one",
    [
        X[0],
        X[0].tolist(),
        pd.Series(X[0], index=TIME),
        pl.Series(X[0]),
        xr.DataArray(X[0], {"time": TIME}, "time"),
        np.ma.masked_array(X[0], np.zeros(40, bool)),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_series_of_any_kind_is_one_cell_and_comes_back_without_its_axis(one):
    alone, of_cells = (kernels.bin_probabilities(each, EDGES, damage_rates=RATES) for each in (one, X))
    assert alone.p.shape == (4,)
    for ours, theirs in zip(alone, of_cells, strict=True):
        np.testing.assert_array_equal(ours, theirs[0])
    assert alone.aal_low == of_cells.aal_low[0]
    np.testing.assert_array_equal(kernels.baseline_quantiles(one, [0.5, 0.9]), np.quantile(X[0], [0.5, 0.9]))
    levels = kernels.return_levels(one, [10, 50])
    assert levels.level.shape == (2,)


def test_missing_years_of_a_series_stay_missing():
    masked = np.ma.masked_greater(X[0], 140.0)
    nullable = pd.Series(np.where(masked.mask, None, X[0]), dtype="Float64")
    expected = kernels.bin_probabilities(masked.filled(np.nan), EDGES)
    assert int(expected.n) == int((X[0] <= 140.0).sum()) < 40
    for each in (masked, nullable):
        np.testing.assert_array_equal(kernels.bin_probabilities(each, EDGES).p, expected.p)


def test_one_cell_of_months_gives_a_year_each():
    for kernel in (kernels.annual_maximum, kernels.annual_minimum, kernels.annual_mean):
        np.testing.assert_array_equal(kernel(MONTHS[0]), kernel(MONTHS)[0])
    np.testing.assert_array_equal(
        kernels.annual_surplus(MONTHS[0], MONTHS[0] / 2), kernels.annual_surplus(MONTHS, MONTHS / 2)[0]
    )
    flat, month = MONTHS.reshape(1, -1), np.tile(np.arange(1, 13), 5)
    alone = kernels.reference_evapotranspiration(*(flat[0] * k for k in (1, 4, 0.2, 1)), 37.0, month)
    both = kernels.reference_evapotranspiration(*(flat * k for k in (1, 4, 0.2, 1)), [37.0], month)
    np.testing.assert_array_equal(alone, both[0])


def test_a_list_of_places_is_no_series():
    places = xr.DataArray(X[0], dims="cell")
    with pytest.raises(ValueError, match="samples must be numbers of shape"):
        kernels.bin_probabilities(places, EDGES)


def test_fire_weather_keeps_the_labels_of_its_input():
    air = xr.DataArray(MONTHS[0], {"year": range(5), "month": range(1, 13)}, ["year", "month"])
    found = kernels.fire_weather_index(air, air * 4, air * 0.2, air)
    assert found.dims == ("year", "month")
    xr.testing.assert_equal(found.coords.to_dataset(), air.coords.to_dataset())
    series = pd.Series(MONTHS[0, 0], index=TIME[:12])
    index = kernels.fire_weather_index(series, series * 4, series * 0.2, series)
    assert index.index.equals(series.index)
    np.testing.assert_array_equal(index.to_numpy(), found.to_numpy()[0])
