"""The public kernels: plain arrays in, plain arrays out; they know nothing of tables, files or risks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numba
import numpy as np

from engine.core import cores
from engine.core.period import Years
from engine.kernels import _cache, indices, placing, spei
from engine.kernels._cache import choose as keep_compiled_in
from engine.kernels.annual import annual_maximum, annual_mean, annual_minimum, annual_surplus, period_mean
from engine.kernels.bins import METHODS, BinProbabilities, YearLosses, bin_probabilities, bin_year_losses
from engine.kernels.evapotranspiration import reference_evapotranspiration
from engine.kernels.fire_weather import fire_weather_index
from engine.kernels.fits import fitted_quantiles
from engine.kernels.fitted import fitted_probabilities, fitted_year_losses
from engine.kernels.quantiles import baseline_quantiles
from engine.kernels.rates import drawn_interval
from engine.kernels.return_levels import LEVEL_METHODS, ReturnLevels, return_levels
from engine.kernels.trend import Lines, SetOnYear, edges_without, fit_lines, set_on_year
from engine.kernels.typhoon import StormWind, typhoon_cyclone_index, typhoon_exposure, typhoon_storm_wind, typhoon_wind
from engine.kernels.typhoon_track import TyphoonTrack, years_with_radii, years_with_winds

__all__ = [
    "LEVEL_METHODS",
    "METHODS",
    "BinProbabilities",
    "Lines",
    "ReturnLevels",
    "SetOnYear",
    "StormWind",
    "TyphoonTrack",
    "YearLosses",
    "annual_maximum",
    "annual_mean",
    "annual_minimum",
    "annual_surplus",
    "baseline_quantiles",
    "bin_probabilities",
    "bin_year_losses",
    "cache_folder",
    "drawn_interval",
    "edges_without",
    "fire_weather_index",
    "fit_lines",
    "fitted_probabilities",
    "fitted_quantiles",
    "fitted_year_losses",
    "keep_compiled_in",
    "period_mean",
    "reference_evapotranspiration",
    "return_levels",
    "set_on_year",
    "typhoon_cyclone_index",
    "typhoon_exposure",
    "typhoon_storm_wind",
    "typhoon_wind",
    "use_threads",
    "warm_up",
    "years_with_radii",
    "years_with_winds",
]


def __dir__() -> list[str]:
    return sorted(__all__)


def use_threads(count: int | None) -> int:
    """Have the parallel kernels that this very thread calls use so many threads; no result depends on it.

    count   : None: the cores that this process may use
    returns : how many they are, at most as many as numba has made (NUMBA_NUM_THREADS, else the cores)
    """
    made: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    threads = min(count or cores.available(), made)
    numba.set_num_threads(threads)
    return threads


def warm_up(
    announce: Callable[[str], None] | None = None, of: Literal["batch", "fits", "trend", "derive"] = "batch"
) -> bool:
    """Have the kernels compiled that a job runs: once for a version of them, some seconds; later processes load them.

    announce : told what is waited for, when there is anything to wait for
    of       : the kernels of a run, those of an edition that fits distributions or follows a trend, or those that make
               a warehouse's tables of daily data
    returns  : whether they are on disk now, for other processes
    """
    if _cache.complete(of):
        return True  # each is loaded at its first call
    tell = announce or (lambda _: None)
    with _cache.filling(of, tell):
        if not _cache.complete(of):
            tell("compiling kernels, once for this version" if _cache.folder() else "compiling kernels (no cache)")
            {"batch": _call_all, "fits": _call_fits, "trend": _call_trend, "derive": _call_derive}[of]()
    return _cache.complete(of)


def cache_folder() -> Path | None:
    """Folder of the compiled kernels of this version; None when they are not to be kept, or cannot be."""
    return _cache.folder()


def _call_all() -> None:
    """Call every kernel of a run on tiny inputs of the types it uses."""
    months = np.full((1, 12), 10.0, np.float32)
    bin_probabilities(np.zeros((1, 20), np.float32), [1.0], lower=0.0, atom=True, damage_rates=[0.0, 0.1])
    fire_weather_index(months, months, months, months)
    annual_maximum(months[None])
    period_mean(months, slice(0, 12), 1.0)
    reference_evapotranspiration(months, months, months, months, [37.0], np.arange(1, 13))
    fix, unknown = np.zeros(1), np.full(1, np.nan)
    track = TyphoonTrack(np.zeros(1, np.int64), fix, fix, fix, np.zeros(1, np.uint8), *(unknown,) * 7)
    typhoon_wind(fix, fix, track, [1970])
    typhoon_exposure(fix, fix, track, [1970])
    typhoon_cyclone_index(fix, fix, track, [1970], np.zeros((1, 1)))
    placing.prepare()


def _call_fits() -> None:
    """Call the kernels of fitted edges, of the fitted estimator and of drawn damage rates, likewise."""
    x = np.arange(20.0)[None]
    fitted_quantiles(x, [0.5], fit="gev")
    fitted_probabilities(x, [1.0], fit="gev", damage_rates=[0.0, 0.1])
    drawn_interval(np.ones((1, 1)), np.ones((2, 1)))


def _call_trend() -> None:
    """Call the kernels of a trend, likewise."""
    years = np.arange(1.0, 21.0)[None]
    edges_without(set_on_year(years, fit_lines(years), 5), [1.0])


def _call_derive() -> None:
    """Call every kernel of `jobs.etl derive`, likewise."""
    base = Years(2001, 2010)
    axis = indices.DayAxis.of(base, indices.NOLEAP)
    days = np.full((1, 365 * base.n), 10.0, np.float32)
    limit = indices.percentile_of_days(days, axis, base, 90.0)
    indices.warm_indices(days, axis, limit)
    indices.rain_indices(days, axis)
    months = indices.monthly_means(days, axis)
    indices.yearly_means(days, axis)
    reference_evapotranspiration(months, months, months, months, [37.0], np.tile(np.arange(1, 13), base.n))
    balance = spei.accumulate(months.astype(np.float64))
    spei.standardise(balance, spei.fit(balance, slice(0, 12 * base.n)))
