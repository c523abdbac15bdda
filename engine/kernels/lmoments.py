"""Sample L-moments of each cell, and distributions fitted by them. C cells, n samples.

L-moments are linear in the ordered sample: one odd year moves them less than it moves variance and skewness, and at
20 to 100 years a fit by them errs less than maximum likelihood. A distribution has three kinds of functions here, of
one cell for other kernels and of whole arrays for callers: `fit_gev` / `gev_fit`, `gev_cdf_at` / `gev_cdf`,
`gev_quantile_at` / `gev_quantile`.

The generalised extreme value distribution (GEV) with location xi, scale alpha > 0 and shape k:

    F(x) = exp(-(1 - k (x - xi) / alpha)^(1/k)),    k = 0: exp(-exp(-(x - xi) / alpha))

k is Hosking's: positive with an upper end, negative with a heavy tail (scipy's `c`; climatology's xi is -k). It is the
root of tau3(k) = 2 (1 - 3^-k) / (1 - 2^-k) - 3; Hosking's polynomial, which is the start here, errs by 9e-4.

Sources: Hosking (1990), doi:10.1111/j.2517-6161.1990.tb01775.x; Hosking, Wallis and Wood (1985), doi:10.2307/1269706.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from engine.kernels._compile import helper, kernel
from engine.kernels.arrays import by_cell, numbers

Floats = NDArray[np.float64]

#: what became of the fit of a cell; `Fit.code` is an index into this
FITS = ("fitted", "too_few", "constant", "no_fit")
FITTED, TOO_FEW, CONSTANT, NO_FIT = 0, 1, 2, 3

LN2, LN3 = math.log(2.0), math.log(3.0)
#: of Gamma(1 + k) = 1 - EULER k + SECOND k^2 - THIRD k^3 + ...
EULER, SECOND, THIRD = 0.5772156649015329, 0.9890559953279725, 0.9074790760808863
NO_SHAPE = 1e-16  # a shape nearer to 0 leaves no trace in any value, and its products lose their digits
SMALL_SHAPE = 1e-4  # below it (1 - Gamma(1 + k)) / k loses more digits to rounding than the series leaves out
LARGEST_SHAPE = 10.0  # L-skewness -0.998: a sample of which nearly all values are its maximum
EDGE = 1e-9  # L-skewness nearer to -1 or 1 than this: all values equal but one
STEPS = 100


class Fit(NamedTuple):
    """Parameters of a distribution of C cells."""

    parameters: Floats  # (C, 3): location and scale in the samples' unit, shape; NaN where nothing was fitted
    code: NDArray[np.uint8]  # (C,), index into FITS


def l_moments(x: ArrayLike) -> Floats:
    """Sample L-moments of each cell from unbiased probability-weighted moments.

    x       : (C, n), any unit; NaN is a missing sample
    returns : (C, 4): mean l1 and L-scale l2 in the unit of x, L-skewness t3, L-kurtosis t4; NaN where a moment needs
              more valid samples than there are (as many as its number) and, for the ratios, where all are equal
    raises  : ValueError when x is not a matrix or a sample is infinite
    source  : Hosking (1990), section 3
    """
    x = _samples(x)
    out = np.empty((len(x), 4))
    _fill_moments(x, out)
    return out


def gev_fit(x: ArrayLike, min_samples: int = 20) -> Fit:
    """GEV of each cell by L-moments.

    x           : (C, n), any unit; NaN is a missing sample
    min_samples : cells with fewer valid samples are not fitted (`too_few`), 3 or more
    returns     : xi and alpha in the unit of x, k without unit (C, 3), and the word of each cell: `constant` when all
                  samples are equal, `no_fit` when all are equal but one or two, so that no GEV has their L-skewness
    raises      : ValueError when x is not a matrix, a sample is infinite or min_samples is below 3
    source      : Hosking (1990), table 1
    """
    if min_samples < 3:
        raise ValueError(f"three parameters need at least 3 samples, got {min_samples=}")
    x = _samples(x)
    found = Fit(np.empty((len(x), 3)), np.empty(len(x), np.uint8))
    _fill_gev(x, int(min_samples), found.parameters, found.code)
    return found


def gev_cdf(x: ArrayLike, parameters: ArrayLike) -> Floats:
    """Probability that a value of the fitted GEV is x or less.

    x          : (C, q), the unit of the samples
    parameters : (C, 3), of `gev_fit`
    returns    : (C, q), 0..1; NaN where x or a parameter is
    raises     : ValueError when shapes disagree
    """
    x, parameters = _pair(x, parameters, "x")
    out = np.empty(x.shape)
    _fill_gev_cdf(x, parameters, out)
    return out


def gev_quantile(p: ArrayLike, parameters: ArrayLike) -> Floats:
    """Value of the fitted GEV that is not exceeded with probability p.

    p          : (q,) for all cells alike or (C, q), 0..1
    parameters : (C, 3), of `gev_fit`
    returns    : (C, q), the unit of the samples; infinite at an end that is open, NaN where a parameter is
    raises     : ValueError when shapes disagree or p leaves 0..1
    """
    probability = numbers(p, "p")
    if probability.ndim == 1:
        probability = np.broadcast_to(probability, (len(numbers(parameters, "parameters")), probability.size))
    probability, parameters = _pair(probability, parameters, "p")
    if outside := int((~((probability >= 0.0) & (probability <= 1.0))).sum()):
        raise ValueError(f"{outside} of {probability.size} probabilities are outside 0..1")
    out = np.empty(probability.shape)
    _fill_gev_quantile(probability, parameters, out)
    return out


def _samples(x: ArrayLike) -> Floats:
    x = by_cell(x, "x")
    if x.ndim != 2 or x.dtype.kind not in "fiu":
        raise ValueError(f"samples must be numbers of shape (cells, samples), got {x.dtype} {x.shape}")
    if infinite := int(np.isinf(x).sum()):
        raise ValueError(f"{infinite} samples in {int(np.isinf(x).any(axis=1).sum())} of {len(x)} cells are infinite")
    return np.require(x, np.float64, ["C", "A"])


def _pair(values: ArrayLike, parameters: ArrayLike, what: str) -> tuple[Floats, Floats]:
    array, fitted = numbers(values, what), numbers(parameters, "parameters")
    if array.ndim != 2 or fitted.shape != (len(array), 3):
        raise ValueError(f"{what} is (cells, values) and parameters (cells, 3), got {array.shape} and {fitted.shape}")
    return np.require(array, np.float64, ["C", "A"]), np.require(fitted, np.float64, ["C", "A"])


@kernel
def _fill_moments(x: Floats, out: Floats) -> None:
    for c in prange(x.shape[0]):
        sample = x[c][~np.isnan(x[c])]
        sample.sort()
        out[c, 0], out[c, 1], out[c, 2], out[c, 3] = sorted_moments(sample)


@kernel
def _fill_gev(x: Floats, min_samples: int, parameters: Floats, code: NDArray[np.uint8]) -> None:
    for c in prange(x.shape[0]):
        sample = x[c][~np.isnan(x[c])]
        sample.sort()
        code[c], parameters[c, 0], parameters[c, 1], parameters[c, 2] = fit_gev(sample, min_samples)


@kernel
def _fill_gev_cdf(x: Floats, parameters: Floats, out: Floats) -> None:
    for c in prange(x.shape[0]):
        for q in range(x.shape[1]):
            out[c, q] = gev_cdf_at(x[c, q], parameters[c, 0], parameters[c, 1], parameters[c, 2])


@kernel
def _fill_gev_quantile(p: Floats, parameters: Floats, out: Floats) -> None:
    for c in prange(p.shape[0]):
        for q in range(p.shape[1]):
            out[c, q] = gev_quantile_at(-math.log(p[c, q]), parameters[c, 0], parameters[c, 1], parameters[c, 2])


@helper
def sorted_moments(sample: Floats) -> tuple[float, float, float, float]:
    """l1, l2, t3, t4 of ascending samples; NaN as in `l_moments`."""
    n = len(sample)
    if n == 0:
        return math.nan, math.nan, math.nan, math.nan
    middle = sample[n // 2]  # moments of the distances from it keep their digits where the spread is small
    b0, b1, b2, b3 = 0.0, 0.0, 0.0, 0.0
    for j in range(n):
        value = sample[j] - middle
        b0 += value
        value *= j / (n - 1.0)
        b1 += value
        value *= (j - 1) / (n - 2.0)
        b2 += value
        value *= (j - 2) / (n - 3.0)
        b3 += value
    b0, b1, b2, b3 = b0 / n, b1 / n, b2 / n, b3 / n
    l2 = 2.0 * b1 - b0 if n > 1 else math.nan
    t3, t4 = math.nan, math.nan
    if n > 2 and l2 > 0.0:
        t3 = (6.0 * b2 - 6.0 * b1 + b0) / l2
    if n > 3 and l2 > 0.0:
        t4 = (20.0 * b3 - 30.0 * b2 + 12.0 * b1 - b0) / l2
    return middle + b0, l2, t3, t4


@helper
def fit_gev(sample: Floats, min_samples: int) -> tuple[int, float, float, float]:
    """Index into FITS, xi, alpha and k of ascending samples."""
    n = len(sample)
    if n < min_samples:
        return TOO_FEW, math.nan, math.nan, math.nan
    if sample[0] == sample[n - 1]:
        return CONSTANT, math.nan, math.nan, math.nan
    l1, l2, t3, _ = sorted_moments(sample)
    if not (l2 > 0.0 and abs(t3) < 1.0 - EDGE):
        return NO_FIT, math.nan, math.nan, math.nan
    k = gev_shape(t3)
    if math.isnan(k):
        return NO_FIT, math.nan, math.nan, math.nan
    alpha = l2 / gev_l_scale(k)
    return FITTED, l1 - alpha * gev_mean(k), alpha, k


@helper
def gev_shape(t3: float) -> float:
    """Shape k whose L-skewness is t3, -1 < t3 < 1, by Newton inside a bracket; NaN where it is beyond LARGEST_SHAPE."""
    c = 2.0 / (3.0 + t3) - LN2 / LN3
    k = 7.8590 * c + 2.9554 * c * c  # Hosking, Wallis and Wood (1985)
    low, high = -1.0, LARGEST_SHAPE  # tau3 falls from 1 to -1
    if not _tau3(high) < t3:
        return math.nan
    for _ in range(STEPS):
        if not low < k < high:
            k = 0.5 * (low + high)
        error = _tau3(k) - t3
        if error > 0.0:
            low = k
        else:
            high = k
        step = error / _slope(k)
        if abs(step) <= 2e-16 * (1.0 + abs(k)):
            break
        k -= step
    return k


@helper
def _tau3(k: float) -> float:
    if abs(k) < NO_SHAPE:
        return 2.0 * LN3 / LN2 - 3.0
    return 2.0 * math.expm1(-k * LN3) / math.expm1(-k * LN2) - 3.0


@helper
def _slope(k: float) -> float:
    """Derivative of tau3; it is negative."""
    if abs(k) < SMALL_SHAPE:
        return -LN3 / LN2 * (LN3 - LN2)
    three, two = math.expm1(-k * LN3), math.expm1(-k * LN2)
    return 2.0 * (three * LN2 * (two + 1.0) - two * LN3 * (three + 1.0)) / (two * two)


@helper
def gev_l_scale(k: float) -> float:
    """L-scale of a GEV of scale 1, (1 - 2^-k) Gamma(1 + k) / k."""
    return (LN2 if abs(k) < NO_SHAPE else -math.expm1(-k * LN2) / k) * math.gamma(1.0 + k)


@helper
def gev_mean(k: float) -> float:
    """Mean of a GEV of location 0 and scale 1, (1 - Gamma(1 + k)) / k; k > -1."""
    if abs(k) < SMALL_SHAPE:
        return EULER - k * (SECOND - k * THIRD)
    return (1.0 - math.gamma(1.0 + k)) / k


@helper
def gev_cdf_at(x: float, xi: float, alpha: float, k: float) -> float:
    """Probability of x or less."""
    z = (x - xi) / alpha
    if abs(k) < NO_SHAPE:
        return math.exp(-math.exp(-z))
    if k * z >= 1.0:  # beyond the end of the distribution
        return 1.0 if k > 0.0 else 0.0
    return math.exp(-math.exp(math.log1p(-k * z) / k))


@helper
def gev_quantile_at(hazard: float, xi: float, alpha: float, k: float) -> float:
    """Value of which -log F is `hazard`: for a return period T that is -log1p(-1 / T), which keeps its digits."""
    y = -math.log(hazard)
    if abs(k) < NO_SHAPE:
        return xi + alpha * y
    return xi - alpha * math.expm1(-k * y) / k
