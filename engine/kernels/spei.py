"""Standardised precipitation-evapotranspiration index. C cells, T months from a January on.

A climatic water balance is summed over a window of months, each calendar month is given its own log-logistic
distribution by unbiased probability-weighted moments over the calibration years, and the probability of a sum becomes
a standard normal quantile.

Sources: Vicente-Serrano, Begueria and Lopez-Moreno (2010), doi:10.1175/2009JCLI2909.1; Begueria et al. (2014),
doi:10.1002/joc.3887 (unbiased moments); Hosking and Wallis (1997), Regional Frequency Analysis, appendix A.7 (the
generalised logistic, of which the three-parameter log-logistic is another spelling).
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from engine.kernels._compile import comparison, helper, kernel, light
from engine.kernels.arrays import by_cell
from engine.kernels.normal import central_quantile, is_central, outer_quantile

Floats = NDArray[np.float64]

MONTHS = 12
#: a calendar month with fewer calibration values than this is not fitted
MIN_CALIBRATION = 10
#: months of a window; numpy's sum of more, whose order is kept here, would split once more
LONGEST = 128
#: cells that are fitted side by side, so that each step of sorting and summing takes many calendar months at once
SIDE = 8
LANES = SIDE * MONTHS
#: largest index told apart: the normal quantile of the float64 next to 1
LIMIT = 8.21


def accumulate(balance: Floats, window: int = MONTHS) -> Floats:
    """Sum over a month and those before it.

    balance : (C, T), precipitation minus evapotranspiration, mm/month; NaN = missing
    window  : months, 1 to 128
    returns : (C, T), mm; NaN in the first `window - 1` months and wherever a month of the window is missing
    raises  : ValueError when the window is another number
    """
    balance = by_cell(balance, "balance")
    if not 1 <= window <= LONGEST:
        raise ValueError(f"a window has 1 to {LONGEST} months, got {window}")
    out = np.full(balance.shape, np.nan)
    if balance.shape[1] >= window:
        single = np.float32 if balance.dtype == np.float32 else np.float64
        _fill_sums(np.require(balance, single, ["C", "A"]), int(window), out)
    return out


def fit(sums: Floats, calibration: slice) -> Floats:
    """Log-logistic parameters of each calendar month.

    sums        : (C, T), mm, of `accumulate`; the first column is a January
    calibration : columns of the calibration years, whole years
    returns     : (C, 12, 3) location xi mm, scale alpha mm, shape k of the generalised logistic; NaN with fewer than
                  10 calibration values or when all, or all but one, are equal
    raises      : ValueError when the calibration is not whole years inside the series
    """
    sums = by_cell(sums, "sums")
    first, stop, step = calibration.indices(sums.shape[1])
    if step != 1 or first >= stop or first % MONTHS or stop % MONTHS:
        raise ValueError(f"calibration {calibration} is not whole years of {sums.shape[1]} months")
    out = np.empty((len(sums), MONTHS, 3))
    _fill_fit(np.ascontiguousarray(sums[:, first:stop]), out)
    return out


def standardise(sums: Floats, parameters: Floats) -> Floats:
    """The index of each month under given parameters, so that scenarios can share one calibration.

    sums       : (C, T), mm; the first column is a January
    parameters : (C, 12, 3) of `fit`
    returns    : (C, T), 1, within -8.21..8.21; NaN where the sum or the fit is missing
    raises     : ValueError when shapes disagree
    """
    sums = by_cell(sums, "sums")
    if parameters.shape != (len(sums), MONTHS, 3):
        raise ValueError(f"{parameters.shape=}, expected {(len(sums), MONTHS, 3)}")
    out = np.empty(sums.shape)
    _fill_index(sums, parameters, out)
    return out


@kernel
def _fill_sums(balance: Floats, window: int, out: Floats) -> None:
    for c in prange(balance.shape[0]):
        _sum_windows(balance[c], window, out[c, window - 1 :])


@helper
def _sum_windows(row: Floats, window: int, out: Floats) -> None:
    """Sums of `window` values -> out (T - window + 1,), from eight on in eight parts, which is numpy's order."""
    at_once = 8 if window >= 8 else 1
    whole = window // at_once * at_once
    parts = np.empty((at_once, out.size), row.dtype)
    for i in range(at_once):
        parts[i] = row[i : i + out.size]
    for i in range(at_once, whole):
        _add(row, i, parts[i % at_once])
    if at_once == 8:
        for i, j in ((0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (4, 6), (0, 4)):
            _add(parts[j], 0, parts[i])
    for i in range(whole, window):
        _add(row, i, parts[0])
    for t in range(out.size):
        out[t] = parts[0, t] + 0.0  # a sum of zeros below nothing is 0.0


@light
def _add(values: Floats, first: int, sums: Floats) -> None:
    """Add values[first:] to sums, as many as these are."""
    for t in range(sums.size):
        sums[t] += values[first + t]


@kernel
def _fill_fit(sums: Floats, out: Floats) -> None:
    for block in prange((sums.shape[0] + SIDE - 1) // SIDE):
        first, last = block * SIDE, min((block + 1) * SIDE, sums.shape[0])
        _fit_side_by_side(sums[first:last], out[first:last])


@helper
def _fit_side_by_side(sums: Floats, out: Floats) -> None:
    """Fits of up to SIDE cells: every calendar month of each is a column of `values`."""
    years, used = sums.shape[1] // MONTHS, len(sums) * MONTHS
    values, moments, count = np.full((years, LANES), math.inf), np.zeros((3, LANES)), np.zeros(LANES)
    for c in range(len(sums)):
        for y in range(years):
            for month in range(MONTHS):
                value = sums[c, y * MONTHS + month]
                if not math.isnan(value):  # what is missing is sorted behind the rest
                    values[y, c * MONTHS + month] = value
                    count[c * MONTHS + month] += 1.0
    _sort_columns(values)
    for rank in range(years):
        _add_ranked(values[rank], rank, count, moments[0])
        _add_weighted(values[rank], rank, count, moments[1], moments[2])
    for lane in range(used):
        n = int(count[lane])
        spread = n >= MIN_CALIBRATION and values[0, lane] != values[n - 1, lane]
        xi, alpha, k = math.nan, math.nan, math.nan
        if spread:
            xi, alpha, k = _generalised_logistic(moments[0, lane] / n, moments[1, lane] / n, moments[2, lane] / n)
        fitted = out[lane // MONTHS, lane % MONTHS]
        fitted[0], fitted[1], fitted[2] = xi, alpha, k


@light
def _sort_columns(values: Floats) -> None:
    """Sort each column by Batcher's merge exchange (Knuth 1998, 5.2.2 M): its steps do not depend on the values."""
    n, top = len(values), 1
    while 2 * top < n:
        top *= 2
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            for i in range(n - d):
                if i & p == r:
                    _exchange(values[i], values[i + d])
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2


@comparison
def _exchange(low: Floats, high: Floats) -> None:
    """Put the lesser of each pair into `low`."""
    for lane in range(LANES):
        a, b = low[lane], high[lane]
        low[lane], high[lane] = min(a, b), max(a, b)


@light
def _add_ranked(values: Floats, rank: int, count: Floats, b0: Floats) -> None:
    """Add the values of a rank, counted from 0, where there are more than `rank`."""
    for lane in range(LANES):
        b0[lane] += values[lane] if rank < count[lane] else 0.0


@light
def _add_weighted(values: Floats, rank: int, count: Floats, b1: Floats, b2: Floats) -> None:
    """Add them as often as probability-weighted moments 1 and 2 count them."""
    for lane in range(LANES):
        n = count[lane]
        once = values[lane] * rank / (n - 1.0)
        twice = once * (rank - 1) / (n - 2.0)
        b1[lane] += once if rank < n else 0.0
        b2[lane] += twice if rank < n else 0.0


@light
def _generalised_logistic(b0: float, b1: float, b2: float) -> tuple[float, float, float]:
    """Location, scale and shape by probability-weighted moments; NaN where no distribution has them."""
    l2 = 2.0 * b1 - b0
    k = -(6.0 * b2 - 6.0 * b1 + b0) / l2
    if abs(k) > 1.0 - 1e-9:  # all values equal but one: no distribution has this L-skewness
        return math.nan, math.nan, math.nan
    if abs(k) < 1e-6:  # the logistic itself: the formulas below divide by k
        return b0, l2, 0.0
    angle = math.pi * k
    alpha = l2 * math.sin(angle) / angle
    return b0 - alpha * (1.0 / k - math.pi / math.sin(angle)), alpha, k


@kernel
def _fill_index(sums: Floats, parameters: Floats, out: Floats) -> None:
    for c in prange(sums.shape[0]):
        _standardise_cell(sums[c], parameters[c], out[c])


@helper
def _standardise_cell(sums: Floats, parameters: Floats, out: Floats) -> None:
    """Indices of one cell, some years at a time: steps free of branches, which take many months at once, and others."""
    xi, alpha, k = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    for lane in range(LANES):
        xi[lane], alpha[lane], k[lane] = parameters[lane % MONTHS]
    y, tail = np.empty(LANES), np.empty(LANES)
    for first in range(0, sums.size, LANES):
        x, z = sums[first : first + LANES], out[first : first + LANES]
        _fill_insides(x, xi, alpha, k, y)
        for t in range(x.size):
            y[t] = _reduced(y[t], x[t], xi[t], alpha[t], k[t])
            # the smaller tail keeps its digits; 1 - F would lose them
            tail[t] = math.exp(abs(y[t]))
        _fill_quantiles(tail, y, z)
        for t in range(x.size):
            if math.isnan(y[t]):
                z[t] = math.nan
            elif not is_central(tail[t]):
                quantile = -outer_quantile(tail[t]) if tail[t] > 0.0 else math.inf
                z[t] = math.copysign(min(quantile, LIMIT), y[t])


@light
def _fill_insides(x: Floats, xi: Floats, alpha: Floats, k: Floats, inside: Floats) -> None:
    """1 - k (x - xi) / alpha."""
    for t in range(x.size):
        inside[t] = 1.0 - k[t] * ((x[t] - xi[t]) / alpha[t])


@light
def _reduced(inside: float, x: float, xi: float, alpha: float, k: float) -> float:
    """Reduced variate, log(F / (1 - F)); infinite beyond the bounded end of the distribution."""
    if k == 0.0:
        return (x - xi) / alpha
    if inside <= 0.0:
        return math.copysign(math.inf, k)
    return -math.log(inside) / k


@light
def _fill_quantiles(tail: Floats, y: Floats, z: Floats) -> None:
    """exp(|y|) -> the smaller tail, in place; the index -> z, right where the tail is central."""
    for t in range(z.size):
        tail[t] = 1.0 / (1.0 + tail[t])
        z[t] = math.copysign(min(-central_quantile(tail[t]), LIMIT), y[t])
