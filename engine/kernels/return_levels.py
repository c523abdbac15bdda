"""Return levels of an intensity: what is reached once in T years, with a 90 % interval. C cells, n years, P periods.

A GEV by L-moments is fitted to the samples of each cell; with a bound, to those above it (the atom at the bound holds
the rest, with share 1 - s): the level of T is the quantile of 1 - 1 / (T s).

The interval is a parametric bootstrap with bias-corrected percentiles: with z0 the normal quantile of the share of
resampled levels below the level, it reaches from the percentile Phi(2 z0 - t) to Phi(2 z0 + t) of them. t is the 95 %
quantile of Student's distribution with (m - 3) / 3 degrees for m samples: 1.96 for 20, 1.71 for 80, where plain
percentiles (1.645) are too narrow. That choice is no theory: it is the one whose coverage lies in the middle of the
target for the distributions of docs/year-losses.md. Percentiles commute with the logarithm, so the interval is the same
on the log scale.

In units of its own location and scale a resampled GEV depends on its shape alone. So ends of intervals are found at
shapes 0.02 apart and interpolated between: a grid costs as much as a few cells, and every cell takes the variates of
the same seed. A level depends on the samples of its own cell and nothing else; samples of another unit have the same
interval in that unit. Samples are sorted from the start: -log F of n in descending order are sums of exponential
variates (Renyi).

Sources: Hosking, Wallis and Wood (1985), doi:10.2307/1269706; Efron (1981), doi:10.2307/3314608 (bias correction);
Renyi (1953), Acta Mathematica Academiae Scientiarum Hungaricae 4 (ordered exponential variates).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from engine.kernels._compile import helper, kernel
from engine.kernels.arrays import by_cell, numbers
from engine.kernels.face import of_cells
from engine.kernels.lmoments import CONSTANT, FITTED, NO_SHAPE, TOO_FEW, fit_gev, gev_fit, gev_quantile_at
from engine.kernels.normal import normal_cdf, normal_quantile, student95

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: how the levels of a cell were found; `ReturnLevels.method` is an index into this, the first four as in lmoments.FITS
LEVEL_METHODS = ("gev", "too_few", "constant", "no_fit")
MIN_VALID, MIN_ABOVE = 20, 12
RESAMPLES = 4000
SHAPE_STEP = 0.02  # between shapes whose intervals are resampled; linear between, to 1e-3 of the level
SEED = 20251128
_ONE = 1e-12  # relative: 1 / T and a share that differ by less are the same number


class ReturnLevels(NamedTuple):
    """Levels of C cells and P return periods in the unit of the samples; NaN where `method` is not `gev`."""

    level: Floats  # (C, P)
    low: Floats  # (C, P), lower end of the 90 % interval
    high: Floats  # (C, P), upper end
    method: NDArray[np.uint8]  # (C,), index into LEVEL_METHODS


@of_cells("x")
def return_levels(
    x: ArrayLike,
    periods: ArrayLike,
    *,
    method: Literal["gev"] = "gev",
    lower: float | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> ReturnLevels:
    """Levels of a yearly intensity that are reached once in so many years, each with a 90 % interval.

    x         : (C, n), one sample a year, any unit; NaN is a missing year
    periods   : (P,) years, above 1
    method    : the distribution: "gev", by L-moments
    lower     : bound of the support, same unit: samples equal to it mean "no event". A level is the bound where 1 / T
                is not below the share of samples above it
    resamples : of the bootstrap, 100 or more
    seed      : of the bootstrap
    returns   : see `ReturnLevels`. `too_few`: fewer than 20 valid samples or 12 above the bound; `constant`: all equal;
                `no_fit`: no GEV has the samples' L-skewness
    raises    : ValueError when x is not a matrix, a sample is infinite or below the bound, or a period is not above 1

    What lies beyond the length of the record is extrapolated, and the interval says nothing of the question whether the
    intensity follows a GEV.
    """
    x, wanted = by_cell(x, "x"), numbers(periods, "periods").astype(np.float64)
    _check(x, wanted, method, lower, resamples)
    bound = -math.inf if lower is None else float(lower)
    samples = np.sort(x.astype(np.float64), axis=1)  # NaN last
    valid = (~np.isnan(samples)).sum(axis=1)
    above = valid - (samples <= bound).sum(axis=1)
    cells = len(samples)
    levels, how = np.full((cells, wanted.size, 3), np.nan), np.full(cells, TOO_FEW, np.uint8)
    how[(valid >= MIN_VALID) & (samples[:, 0] == _largest(samples, valid))] = CONSTANT
    fitted = (valid >= MIN_VALID) & (above >= MIN_ABOVE)
    for total, m in np.unique(np.stack([valid, above], axis=1)[fitted], axis=0):
        these = np.flatnonzero(fitted & (valid == total) & (above == m))
        chosen = samples[these, total - m : total]
        levels[these], how[these] = _of_alike(chosen, int(total), wanted, resamples, seed)
    level, low, high = np.moveaxis(np.maximum(levels, bound), 2, 0)
    # ends of neighbouring shapes, one of them at the bound, may lie on one side of the level
    return ReturnLevels(level, np.minimum(low, level), np.maximum(high, level), how)


def _of_alike(
    samples: Floats, total: int, periods: Floats, resamples: int, seed: int
) -> tuple[Floats, NDArray[np.uint8]]:
    """Level, low and high (C, P, 3) and methods of cells with m samples above the bound (C, m), of `total` each."""
    m = samples.shape[1]
    fit = gev_fit(samples, min_samples=3)
    xi, alpha, _ = (column[:, None, None] for column in fit.parameters.T)
    known = fit.code == FITTED
    below = np.floor(fit.parameters[known, 2] / SHAPE_STEP).astype(np.int64)
    nodes = np.unique(np.concatenate([below, below + 1]))
    ends = np.empty((nodes.size, periods.size, 2))
    share = m / total
    # by numbers of samples, not by the width of x, which missing years have a part in
    random = np.random.Generator(np.random.PCG64([seed, m]))
    hazards = log_hazards(-np.log1p(-random.random((resamples, m))))
    shares = np.full(resamples, share)
    if m < total:
        shares = (random.random((resamples, total)) < share).mean(axis=1)
    _fill_ends(nodes * SHAPE_STEP, hazards, shares, share, periods, ends)
    at = np.searchsorted(nodes, below)
    weight = (fit.parameters[known, 2] / SHAPE_STEP - below)[:, None, None]
    levels = np.full((len(samples), periods.size, 3), np.nan)
    _fill_levels(fit.parameters, share, periods, levels[:, :, 0])
    between = (1.0 - weight) * ends[at] + weight * np.where(weight == 0.0, 0.0, ends[at + 1])  # no 0 * infinity
    levels[known, :, 1:] = xi[known] + alpha[known] * between
    return levels, fit.code


def log_hazards(exponential: Floats) -> Floats:
    """log(-log F) of ordered samples, ascending samples first, from independent exponential variates; (R, m) both."""
    m = exponential.shape[1]
    return np.ascontiguousarray(np.log(np.cumsum(exponential / (m - np.arange(m)), axis=1))[:, ::-1])


def _largest(ordered: Floats, valid: Ints) -> Floats:
    """Largest valid sample of each cell; NaN without one."""
    return np.take_along_axis(ordered, np.maximum(valid - 1, 0)[:, None], axis=1)[:, 0]


def _check(x: Floats, periods: Floats, method: str, lower: float | None, resamples: int) -> None:
    if x.ndim != 2 or x.shape[1] == 0 or x.dtype.kind not in "fiu":
        raise ValueError(f"samples must be numbers of shape (cells, years), got {x.dtype} {x.shape}")
    if infinite := int(np.isinf(x).sum()):
        raise ValueError(f"{infinite} samples in {int(np.isinf(x).any(axis=1).sum())} of {len(x)} cells are infinite")
    if periods.ndim != 1 or not (np.isfinite(periods) & (periods > 1.0)).all():
        raise ValueError(f"return periods are numbers of years above 1, got {periods.tolist()}")
    if method != "gev":
        raise ValueError(f"the method is 'gev', not {method!r}")
    if resamples < 100:
        raise ValueError(f"an interval needs at least 100 resamples, got {resamples}")
    if lower is None:
        return
    if not math.isfinite(lower):
        raise ValueError(f"the lower bound must be finite, got {lower}")
    if under := int((x < lower).sum()):
        raise ValueError(
            f"{under} samples in {int((x < lower).any(axis=1).sum())} of {len(x)} cells are below {lower=}"
        )


@kernel
def _fill_levels(parameters: Floats, share: float, periods: Floats, out: Floats) -> None:
    """Levels (C, P) of GEVs (C, 3) above the bound; NaN where there is none."""
    for c in prange(parameters.shape[0]):
        for p in range(periods.size):
            out[c, p] = level_of(periods[p], share, parameters[c, 0], parameters[c, 1], parameters[c, 2])


@kernel
def fill_levels_above_zero(ordered: Floats, periods: Floats, out: Floats) -> None:
    """Levels (R, P) of rows of ascending losses (R, N), 0 or more, by a GEV of those above 0; NaN where none fits."""
    for r in prange(len(ordered)):
        n = ordered.shape[1]
        zeros = np.searchsorted(ordered[r], 0.0, side="right")
        code, xi, alpha, k = fit_gev(ordered[r, zeros:], MIN_ABOVE)
        for p in range(periods.size):
            level = level_of(periods[p], (n - zeros) / n, xi, alpha, k)
            out[r, p] = max(level, 0.0) if code == FITTED else math.nan


@kernel
def _fill_ends(
    shapes: Floats, log_hazard: Floats, shares: Floats, share: float, periods: Floats, out: Floats
) -> None:  # fmt: skip
    """Ends (K, P, 2) of the intervals of GEVs of location 0, scale 1 and these shapes (K,).

    log_hazard : (R, m) of `log_hazards`; shares : (R,) resampled shares above the bound
    """
    for at in prange(shapes.size):
        k = shapes[at]
        drawn, count, sample = np.empty((periods.size, len(shares))), 0, np.empty(log_hazard.shape[1])
        for r in range(len(shares)):
            for j in range(sample.size):
                h = log_hazard[r, j]
                sample[j] = -h if abs(k) < NO_SHAPE else -math.expm1(k * h) / k
            code, location, scale, shape = fit_gev(sample, 3)
            if code == FITTED:
                for p in range(periods.size):
                    drawn[p, count] = level_of(periods[p], shares[r], location, scale, shape)
                count += 1
        for p in range(periods.size):
            level = level_of(periods[p], share, 0.0, 1.0, k)
            low, high = corrected_interval(drawn[p, :count], level, sample.size)
            out[at, p, 0], out[at, p, 1] = low, high


@helper
def level_of(period: float, share: float, xi: float, alpha: float, k: float) -> float:
    """Level of a return period; minus infinity where 1 / T is not below the share of samples above the bound."""
    rate = 1.0 / (period * share) if share > 0.0 else math.inf
    if rate >= 1.0 - _ONE:
        return -math.inf
    return gev_quantile_at(-math.log1p(-rate), xi, alpha, k)


@helper
def corrected_interval(drawn: Floats, value: float, samples: int) -> tuple[float, float]:
    """Bias-corrected 90 % interval of a value from what resampling so many samples found; drawn is sorted in place."""
    n = len(drawn)
    if n == 0:
        return math.nan, math.nan
    drawn.sort()
    below = 0.0
    for each in drawn:
        below += 1.0 if each < value else 0.5 if each == value else 0.0
    share = min(max(below / n, 0.5 / n), 1.0 - 0.5 / n)
    z0 = normal_quantile(share) if share <= 0.5 else -normal_quantile(1.0 - share)
    t = student95((samples - 3.0) / 3.0)
    return _percentile(drawn, normal_cdf(2.0 * z0 - t)), _percentile(drawn, normal_cdf(2.0 * z0 + t))


@helper
def _percentile(ordered: Floats, p: float) -> float:
    """Interpolated linearly between order statistics; minus infinity next to it, which is the bound of every cell."""
    position = p * (len(ordered) - 1)
    below = min(int(position), len(ordered) - 2)
    if ordered[below] == ordered[below + 1] or ordered[below] == -math.inf:
        return float(ordered[below])
    return float(ordered[below] + (position - below) * (ordered[below + 1] - ordered[below]))
