"""Standardised precipitation-evapotranspiration index. C cells, T months from a January on.

A climatic water balance is summed over a window of months, each calendar month is given its own log-logistic
distribution by unbiased probability-weighted moments over the calibration years, and the probability of a sum becomes
a standard normal quantile.

Sources: Vicente-Serrano, Begueria and Lopez-Moreno (2010), doi:10.1175/2009JCLI2909.1; Begueria et al. (2014),
doi:10.1002/joc.3887 (unbiased moments); Hosking and Wallis (1997), Regional Frequency Analysis, appendix A.7 (the
generalised logistic, of which the three-parameter log-logistic is another spelling); Wichura (1988), AS 241 (quantile).
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from engine.kernels._compile import helper, kernel
from engine.kernels.arrays import by_cell

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
    z = -_normal_quantile(tail) if tail > 0.0 else math.inf
    return math.copysign(min(z, LIMIT), y)


@helper
def _normal_quantile(p: float) -> float:
    """Quantile of the standard normal for 0 < p <= 0.5, to 16 digits (Wichura 1988, PPND16)."""
    q = p - 0.5
    if q >= -0.425:
        r = 0.180625 - q * q
        upper = 2.5090809287301226727e3
        for a in (3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
                  1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2,
                  3.3871328727963666080e0):  # fmt: skip
            upper = upper * r + a
        lower = 5.2264952788528545610e3
        for b in (2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
                  5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0):  # fmt: skip
            lower = lower * r + b
        return q * upper / lower
    r = math.sqrt(-math.log(p))
    if r <= 5.0:
        r -= 1.6
        upper = 7.74545014278341407640e-4
        for a in (2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
                  3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0,
                  1.42343711074968357734e0):  # fmt: skip
            upper = upper * r + a
        lower = 1.05075007164441684324e-9
        for b in (5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
                  6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0):  # fmt: skip
            lower = lower * r + b
    else:
        r -= 5.0
        upper = 2.01033439929228813265e-7
        for a in (2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
                  2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0,
                  6.65790464350110377720e0):  # fmt: skip
            upper = upper * r + a
        lower = 2.04426310338993978564e-15
        for b in (1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
                  1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0):  # fmt: skip
            lower = lower * r + b
    return -upper / lower
