"""Distributions fitted to each cell's samples above its atom by L-moments, and their quantiles. C cells, n samples.

With a share a of the samples at the atom (at `lower`, "no event") and G fitted to the others, F = a + (1 - a) G: the
quantile of level q is G's of level (q - a) / (1 - a), and `lower` where q is not above a. What G has below `lower`
counts as being at it.

gev     : three parameters, see `lmoments`
gamma   : shape k and scale s of x - lower;  l2 / l1 = Gamma(k + 1/2) / (sqrt(pi) Gamma(k + 1)),  s = l1 / k
weibull : shape k and scale s of x - lower;  l2 / l1 = 1 - 2^(-1/k),  s = l1 / Gamma(1 + 1/k)

Sources: Hosking (1990), doi:10.1111/j.2517-6161.1990.tb01775.x, table 1; NIST Digital Library of Mathematical Functions
8.11.4 (series) and 8.9.2 (continued fraction) of the incomplete gamma function.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from engine.kernels._compile import helper, kernel
from engine.kernels.arrays import by_cell, numbers
from engine.kernels.face import of_cells
from engine.kernels.lmoments import (
    CONSTANT,
    FITTED,
    NO_FIT,
    TOO_FEW,
    fit_gev,
    gev_cdf_at,
    gev_quantile_at,
    sorted_moments,
)

Floats = NDArray[np.float64]

FAMILIES = ("gev", "gamma", "weibull")
#: families that start at a lower bound
BOUNDED = ("gamma", "weibull")
GEV, GAMMA, WEIBULL = 0, 1, 2

#: samples that a fit of the baseline needs: valid ones, and such above the atom
MIN_VALID, MIN_ABOVE = 20, 12

LARGEST_SHAPE = 1e6  # of a gamma: a spread of a thousandth of the mean above the bound
SMALLEST_SHAPE = 1e-3
STEPS = 200


class Curve(NamedTuple):
    """Distribution of one cell. a: share at the atom; lower: NaN without a bound; the rest as in `lmoments.fit_gev`."""

    code: int
    family: int
    a: float
    lower: float
    location: float
    scale: float
    shape: float


@of_cells("x")
def fitted_quantiles(
    x: ArrayLike,
    q: ArrayLike,
    *,
    fit: str,
    lower: float | None = None,
    atom: bool = False,
    least: tuple[int, int] = (MIN_VALID, MIN_ABOVE),
) -> tuple[Floats, NDArray[np.uint8]]:
    """Quantiles of the distribution fitted to the valid samples of each cell.

    x       : (C, n), the risk's unit; NaN is a missing sample
    q       : (Q,), above 0 and below 1; a return period T is 1 - 1 / T
    fit     : family; gamma and weibull start at `lower`
    lower   : lower bound of the support; atom: samples equal to it are a point mass
    least   : valid samples, and samples above the atom, that a fit needs
    returns : (C, Q), same unit, none below `lower`, NaN for a cell without a fit; and (C,) index into `lmoments.FITS`:
              too_few with fewer samples than `least`
    raises  : ValueError when x is not a matrix, a sample is infinite or below `lower`, q leaves 0..1, or a family lacks
              its bound
    """
    x, levels = checked(x, fit, lower, atom), numbers(q, "q").astype(np.float64)
    if levels.ndim != 1 or not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"quantiles must be a list of numbers between 0 and 1, got {levels.tolist()}")
    out, code = np.empty((len(x), len(levels))), np.empty(len(x), np.uint8)
    bound = math.nan if lower is None else float(lower)
    _fill_quantiles(x, levels, FAMILIES.index(fit), bound, bool(atom), least, out, code)
    return out, code


def checked(x: ArrayLike, fit: str, lower: float | None, atom: bool) -> Floats:
    """Samples as the loops take them; ValueError as in `fitted_quantiles`."""
    x = by_cell(x, "x")
    if x.ndim != 2 or x.dtype.kind not in "fiu":
        raise ValueError(f"samples must be numbers of shape (cells, samples), got {x.dtype} {x.shape}")
    if fit not in FAMILIES:
        raise ValueError(f"fit is one of {', '.join(FAMILIES)}, not {fit!r}")
    if lower is None and (atom or fit in BOUNDED):
        raise ValueError("an atom needs a lower bound" if atom else f"a {fit} distribution needs a lower bound")
    if infinite := int(np.isinf(x).sum()):
        raise ValueError(f"{infinite} samples in {int(np.isinf(x).any(axis=1).sum())} of {len(x)} cells are infinite")
    if lower is not None and (under := int((x < lower).sum())):
        raise ValueError(
            f"{under} samples in {int((x < lower).any(axis=1).sum())} of {len(x)} cells are below {lower=}"
        )
    return np.require(x, np.float64, ["C", "A"])


@kernel
def _fill_quantiles(
    x: Floats,
    q: Floats,
    family: int,
    lower: float,
    atom: bool,
    least: tuple[int, int],
    out: Floats,
    code: NDArray[np.uint8],
) -> None:
    for c in prange(x.shape[0]):
        above, at = split(x[c], lower, atom)
        curve = fit_curve(above, at, family, lower, least[0], least[1])
        code[c] = curve.code
        for i in range(q.size):
            out[c, i] = quantile(curve, q[i])


@helper
def split(row: Floats, lower: float, atom: bool) -> tuple[Floats, int]:
    """Valid samples above the atom, ascending, and how many are at it."""
    above, at, n = np.empty(row.size), 0, 0
    for sample in row:
        if math.isnan(sample):
            continue
        if atom and sample == lower:
            at += 1
        else:
            above[n] = sample
            n += 1
    above = above[:n]
    above.sort()
    return above, at


@helper
def fit_curve(above: Floats, at: int, family: int, lower: float, min_valid: int, min_above: int) -> Curve:
    """Distribution of ascending samples above an atom that holds `at` more."""
    n = above.size
    location, scale, shape = math.nan, math.nan, math.nan
    if n + at < min_valid or n < min_above:
        code = TOO_FEW
    elif family == GEV:
        code, location, scale, shape = fit_gev(above, 3)
    elif above[0] == above[n - 1]:
        code = CONSTANT
    else:
        location = lower
        code, scale, shape = _fit_bounded(above, family, lower)
    return Curve(code, family, at / max(n + at, 1), lower, location, scale, shape)


@helper
def _fit_bounded(above: Floats, family: int, lower: float) -> tuple[int, float, float]:
    l1, l2, _, _ = sorted_moments(above)
    l1 -= lower
    ratio = l2 / l1 if l1 > 0.0 else math.nan
    if not 0.0 < ratio < 1.0:
        return NO_FIT, math.nan, math.nan
    if family == WEIBULL:
        shape = -math.log(2.0) / math.log1p(-ratio)
        scale = l1 / math.gamma(1.0 + 1.0 / shape)
    else:
        shape = gamma_shape(ratio)
        scale = l1 / shape
    if math.isnan(shape) or not scale > 0.0:
        return NO_FIT, math.nan, math.nan
    return FITTED, scale, shape


@helper
def gamma_shape(ratio: float) -> float:
    """Shape k whose l2 / l1 is `ratio`, by the Illinois rule on log k; NaN beyond SMALLEST_SHAPE and LARGEST_SHAPE."""
    low, high = math.log(SMALLEST_SHAPE), math.log(LARGEST_SHAPE)
    target = math.log(ratio)
    at_low, at_high = _log_ratio(low) - target, _log_ratio(high) - target
    if at_low < 0.0 or at_high > 0.0:
        return math.nan
    side, u = 0, 0.5 * (low + high)
    for _ in range(STEPS):
        u = (low * at_high - high * at_low) / (at_high - at_low)
        here = _log_ratio(u) - target
        if abs(here) < 1e-15 or high - low < 1e-15:
            break
        if here > 0.0:
            low, at_low = u, here
            at_high = at_high * 0.5 if side == 1 else at_high
            side = 1
        else:
            high, at_high = u, here
            at_low = at_low * 0.5 if side == -1 else at_low
            side = -1
    return math.exp(u)


@helper
def _log_ratio(u: float) -> float:
    """log(l2 / l1) of a gamma whose log shape is u; it falls from 0."""
    k = math.exp(u)
    return math.lgamma(k + 0.5) - math.lgamma(k + 1.0) - 0.5 * math.log(math.pi)


@helper
def cdf(curve: Curve, x: float) -> float:
    """Probability of a value below x, no event included wherever x stands: what is at the bound is below every edge."""
    if not math.isnan(curve.lower):
        x = max(x, curve.lower)
    if curve.family == GEV:
        g = gev_cdf_at(x, curve.location, curve.scale, curve.shape)
    else:
        z = (x - curve.location) / curve.scale
        g = -math.expm1(-math.pow(z, curve.shape)) if curve.family == WEIBULL else lower_gamma(curve.shape, z)
    return curve.a + (1.0 - curve.a) * g


@helper
def quantile(curve: Curve, q: float) -> float:
    """Value not exceeded with probability q, 0 < q < 1; the bound where the atom holds more, NaN without a fit."""
    if curve.code != FITTED:
        return math.nan
    if q <= curve.a:
        return curve.lower
    q = (q - curve.a) / (1.0 - curve.a)
    if curve.family == GEV:
        x = gev_quantile_at(-math.log(q), curve.location, curve.scale, curve.shape)
        return x if math.isnan(curve.lower) else max(x, curve.lower)
    if curve.family == WEIBULL:
        return curve.location + curve.scale * math.pow(-math.log1p(-q), 1.0 / curve.shape)
    return curve.location + curve.scale * gamma_quantile(curve.shape, q)


@helper
def lower_gamma(k: float, z: float) -> float:
    """Regularised lower incomplete gamma function P(k, z), k > 0: the distribution function of a gamma of scale 1."""
    if z <= 0.0:
        return 0.0
    front = math.exp(k * math.log(z) - z - math.lgamma(k))
    if z < k + 1.0:
        term = 1.0 / k
        total, step = term, k
        while term > 1e-17 * total:
            step += 1.0
            term *= z / step
            total += term
        return min(front * total, 1.0)
    # Lentz's rule for the fraction of 1 - P
    b = z + 1.0 - k
    c, d = 1e300, 1.0 / b
    fraction, i = d, 0.0
    for _ in range(100_000):
        i += 1.0
        weight = -i * (i - k)
        b += 2.0
        d = 1.0 / (weight * d + b)
        c = b + weight / c
        fraction *= d * c
        if abs(d * c - 1.0) < 1e-16:
            break
    return max(1.0 - front * fraction, 0.0)


@helper
def gamma_quantile(k: float, q: float) -> float:
    """Value z of P(k, z) = q, 0 < q < 1, by Newton inside a bracket."""
    low, high = 0.0, k + 1.0
    while lower_gamma(k, high) < q:
        low, high = high, 2.0 * high
    # near 0 a gamma is a power, P = z^k / Gamma(k + 1)
    z = math.exp((math.log(q) + math.lgamma(k + 1.0)) / k)
    for _ in range(STEPS):
        if not low < z < high:
            z = 0.5 * (low + high)
        error = lower_gamma(k, z) - q
        if error > 0.0:
            high = z
        else:
            low = z
        slope = math.exp((k - 1.0) * math.log(z) - z - math.lgamma(k))
        step = error / slope if slope > 0.0 else math.inf
        if abs(step) <= 1e-15 * z or high - low <= 1e-15 * high:
            break
        z -= step
    return z
