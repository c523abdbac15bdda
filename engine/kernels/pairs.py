"""Sums of two independent sets of years: every pair of a model year and a track year, each as likely as the other.

A site or portfolio has n losses by model year and m by track year; what it loses in a year is the sum of one of each, n
m equally likely sums. S sites, P return periods, R resamples.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from engine.kernels._compile import helper, kernel
from engine.kernels.lmoments import FITTED, fit_gev
from engine.kernels.return_levels import MIN_ABOVE, corrected_interval, level_of

Floats = NDArray[np.float64]


@kernel
def resampled_levels(model: Floats, track: Floats, periods: Floats, out: Floats) -> None:
    """Levels (R, P) of the sums of resampled years: model (R, n) and track (R, m); NaN where no GEV fits."""
    for r in prange(len(model)):
        sums = _sums(model[r], track[r])
        _levels(sums, periods, out[r])


@kernel
def site_levels(model: Floats, track: Floats, periods: Floats, years: int, out: Floats) -> None:
    """Extrapolated losses (S, P) of sites: model (S, n), track (S, m); NaN where no GEV fits the losses above zero.

    years : of the shorter set; a rarer year does not lose less than what is seen in these
    """
    for s in prange(len(model)):
        sums = _sums(model[s], track[s])
        _levels(sums, periods, out[s])
        seen = plotted(sums, years + 1.0)
        for p in range(periods.size):
            if out[s, p] < seen:
                out[s, p] = seen


@kernel
def site_points(model: Floats, track: Floats, period: float, out: Floats) -> None:
    """Losses (S,) of sites at a return period, read from the sorted sums: model (S, n), track (S, m)."""
    for s in prange(len(model)):
        out[s] = plotted(_sums(model[s], track[s]), period)


@kernel
def site_tails(model: Floats, track: Floats, level: float, out: Floats) -> None:
    """TVaR (S,) of sites: mean of the worst (1 - level) n m sums, the last of them with the fraction that is left."""
    for s in prange(len(model)):
        n = model.shape[1] * track.shape[1]
        mass = (1.0 - level) * n
        whole = min(math.ceil(mass - 1e-9), n)
        out[s] = _worst_mean(_unordered(model[s], track[s]), whole, mass)


@helper
def _worst_mean(sums: Floats, whole: int, mass: float) -> float:
    """Mean of the `whole` largest, the least of them with what `mass` leaves for it."""
    worst = np.partition(sums, len(sums) - whole)[len(sums) - whole :]
    least, total = math.inf, 0.0
    for each in worst:
        least = min(least, each)
        total += each
    return total / whole if whole <= mass else (total - (whole - mass) * least) / mass


@helper
def fill_interval(drawn: Floats, level: float, years: int) -> tuple[float, float]:
    """Bias-corrected interval of a level from what resampling so many years found (R,); NaN are left out."""
    return corrected_interval(drawn[~np.isnan(drawn)], level, years)


@helper
def plotted(ordered: Floats, period: float) -> float:
    """Loss of a return period among ascending losses: the k-th largest of n has (n + 1) / k years, linear between."""
    n = len(ordered)
    k = (n + 1.0) / period
    rank = int(k)
    if rank < 1:
        return math.nan
    if rank >= n:
        return float(ordered[0])
    upper, lower = ordered[n - rank], ordered[n - rank - 1]
    if upper == lower:
        return float(upper)
    rare, often = (n + 1.0) / rank, (n + 1.0) / (rank + 1.0)
    return float(lower + (upper - lower) * min(max((period - often) / (rare - often), 0.0), 1.0))


@helper
def _sums(model: Floats, track: Floats) -> Floats:
    """All sums, ascending."""
    out = _unordered(model, track)
    out.sort()
    return out


@helper
def _unordered(model: Floats, track: Floats) -> Floats:
    out = np.empty(model.size * track.size)
    for i in range(model.size):
        for j in range(track.size):
            out[i * track.size + j] = model[i] + track[j]
    return out


@helper
def _levels(ordered: Floats, periods: Floats, out: Floats) -> None:
    """Levels by a GEV of the losses above zero; ascending losses."""
    n = len(ordered)
    zeros = np.searchsorted(ordered, 0.0, side="right")
    code, xi, alpha, k = fit_gev(ordered[zeros:], MIN_ABOVE)
    for p in range(periods.size):
        out[p] = max(level_of(periods[p], (n - zeros) / n, xi, alpha, k), 0.0) if code == FITTED else math.nan
