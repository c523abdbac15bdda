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

from engine.kernels._compile import helper, kernel
from engine.kernels.arrays import by_cell
from engine.kernels.normal import normal_quantile

Floats = NDArray[np.float64]

MONTHS = 12
#: a calendar month with fewer calibration values than this is not fitted
MIN_CALIBRATION = 10
#: largest index told apart: the normal quantile of the float64 next to 1
LIMIT = 8.21


def accumulate(balance: Floats, window: int = MONTHS) -> Floats:
    """Sum over a month and those before it.

    balance : (C, T), precipitation minus evapotranspiration, mm/month; NaN = missing
    returns : (C, T), mm; NaN in the first `window - 1` months and wherever a month of the window is missing
    """
    balance = by_cell(balance, "balance")
    out = np.full(balance.shape, np.nan)
    if balance.shape[1] >= window:
        out[:, window - 1 :] = np.lib.stride_tricks.sliding_window_view(balance, window, axis=1).sum(axis=2)
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
def _fill_fit(sums: Floats, out: Floats) -> None:
    for c in prange(sums.shape[0]):
        for month in range(MONTHS):
            sample = sums[c, month::MONTHS]
            xi, alpha, k = _generalised_logistic(sample[~np.isnan(sample)])
            out[c, month, 0] = xi
            out[c, month, 1] = alpha
            out[c, month, 2] = k


@helper
def _generalised_logistic(sample: Floats) -> tuple[float, float, float]:
    n = len(sample)
    if n < MIN_CALIBRATION:
        return math.nan, math.nan, math.nan
    sample.sort()
    if sample[0] == sample[n - 1]:
        return math.nan, math.nan, math.nan
    b0, b1, b2 = 0.0, 0.0, 0.0
    for j in range(n):
        b0 += sample[j]
        b1 += sample[j] * j / (n - 1)
        b2 += sample[j] * j / (n - 1) * (j - 1) / (n - 2)
    b0, b1, b2 = b0 / n, b1 / n, b2 / n
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
        for t in range(sums.shape[1]):
            xi, alpha, k = parameters[c, t % MONTHS]
            out[c, t] = _standard_normal(sums[c, t], xi, alpha, k)


@helper
def _standard_normal(x: float, xi: float, alpha: float, k: float) -> float:
    y = (x - xi) / alpha
    if math.isnan(y):
        return math.nan
    if k != 0.0:
        inside = 1.0 - k * y
        if inside <= 0.0:  # beyond the bounded end of the distribution
            return LIMIT if k > 0.0 else -LIMIT
        y = -math.log(inside) / k
    # the smaller tail keeps its digits; 1 - F would lose them
    tail = 1.0 / (1.0 + math.exp(abs(y)))
    z = -normal_quantile(tail) if tail > 0.0 else math.inf
    return math.copysign(min(z, LIMIT), y)
