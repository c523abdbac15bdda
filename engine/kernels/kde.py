"""Probability mass of bins of one cell under a Gaussian KDE, analytic, with a bound or without.

n samples (the first n of the work arrays x and g), m bins, m - 1 inner edges t_k; h the bandwidth; Phi the normal
distribution function; L the lower bound.

    F(t)   = mean_j Phi((t - x_j) / h)
    none   : P(X < t) = F(t)
    reflect: P(X < t) = F(t) - F(2L - t)                    0 at L, 1 at infinity
    truncate: P(X < t) = (F(t) - F(L)) / (1 - F(L))         0 at L, 1 at infinity

The average loss is the mean over the samples of g_j = sum_i (damage rate of bin i) * (share of kernel j in bin i), that
is of (last rate) + sum_k (rate_k - rate_{k+1}) * (share of kernel j below t_k): one more sum in the same pass. Under
truncation the loss is a quotient of two means, A = a / d with d = 1 - F(L), so g_j is the sample's influence on it,
A + (a_j - A d_j) / d: the mean is the loss again, and the spread the one that the standard error needs.

Sources: Silverman (1986), Density Estimation for Statistics and Data Analysis, ch. 2.10 (bounds); Scott (1992),
Multivariate Density Estimation, ch. 6 (bandwidth).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.kernels._compile import arithmetic, comparison, light
from engine.kernels.normal import SATURATED, normal_cdf

Floats = NDArray[np.float64]

NO_BOUND, REFLECT, TRUNCATE = 0, 1, 2
SMALLEST = 1e-150
_DENSITY = 0.3989422804014327  # of the standard normal at 0
_THIRD, _FOURTH, _FIFTH, _SIXTH, _SEVENTH, _EIGHTH = 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40320


class Samples(NamedTuple):
    """Samples of one cell: the first `n` of `x`, none of them NaN, the risk's unit."""

    x: Floats
    n: int
    least: float
    most: float


@comparison
def ends(x: Floats, n: int) -> tuple[float, float]:
    """Least and largest of x[:n]; none of them is NaN. Infinities the wrong way round for n = 0."""
    least, most = math.inf, -math.inf
    for j in range(n):
        least = min(least, x[j])
        most = max(most, x[j])
    return least, most


@arithmetic
def variance(x: Floats, n: int) -> float:
    """Variance of x[:n] with ddof 1; n is 2 or more."""
    total = 0.0
    for j in range(n):
        total += x[j]
    mean = total / n
    squares, rest = 0.0, 0.0
    for j in range(n):
        squares += (x[j] - mean) * (x[j] - mean)
        rest += x[j] - mean  # what rounding left of the mean; counts when the spread is a few units in the last place
    return (squares - rest * rest / n) / (n - 1)


@light
def scott_bandwidth(x: Floats, n: int) -> float:
    """h = s n^(-1/5), s with ddof 1; 0 when s is too small for its square (1e-150)."""
    h = math.sqrt(variance(x, n)) * n**-0.2
    return h if h > SMALLEST else 0.0


@arithmetic
def _add_below(x: Floats, n: int, t: float, scale: float, weight: float, g: Floats) -> float:
    total = 0.0
    for j in range(n):
        share = normal_cdf((t - x[j]) * scale)
        total += share
        g[j] += weight * share
    return total


@arithmetic
def _sum_below(x: Floats, n: int, t: float, scale: float) -> float:
    total = 0.0
    for j in range(n):
        total += normal_cdf((t - x[j]) * scale)
    return total


@light
def sum_below(samples: Samples, t: float, scale: float) -> float:
    """Sum over the samples of the kernels' shares below t.

    An edge out of every kernel's reach (mostly a mirrored one) costs nothing: its shares are all 0, or all 1.
    """
    if (t - samples.least) * scale < -SATURATED:
        return 0.0
    if (t - samples.most) * scale > SATURATED:
        return float(samples.n)
    return _sum_below(samples.x, samples.n, t, scale)


@light
def add_below(samples: Samples, t: float, scale: float, weight: float, g: Floats) -> float:
    """`sum_below`; g (n,) grows by `weight` times each share, (0,): not asked for."""
    if g.size == 0:
        return sum_below(samples, t, scale)
    if (t - samples.least) * scale < -SATURATED:
        return 0.0
    if (t - samples.most) * scale > SATURATED:
        for j in range(samples.n):
            g[j] += weight
        return float(samples.n)
    return _add_below(samples.x, samples.n, t, scale, weight, g)


@arithmetic
def _sum_slopes(x: Floats, n: int, t: float, scale: float) -> float:
    """Sum of z exp(-z^2 / 2), z = (t - x) scale.

    The exponential is 1 / q^16, with q the series of exp(z^2 / 32) up to the eighth power. It is free of calls, so that
    a compiler vectorises it, and right to 1e-9 where it counts.
    """
    total = 0.0
    for j in range(n):
        z = (t - x[j]) * scale
        u = min(z * z, SATURATED * SATURATED) * 0.03125
        u2 = u * u
        low = (1.0 + u) + u2 * (0.5 + u * _THIRD) + u2 * u2 * (_FOURTH + u * _FIFTH)
        q = low + u2 * u2 * u2 * (_SIXTH + u * _SEVENTH + u2 * _EIGHTH)
        q2 = q * q
        q4 = q2 * q2
        q8 = q4 * q4
        total += z / (q8 * q8)
    return total


@light
def _slope_below(samples: Samples, t: float, scale: float) -> float:
    """h dF(t)/dh of the kernels' mean share below t."""
    if (t - samples.least) * scale < -SATURATED or (t - samples.most) * scale > SATURATED:
        return 0.0
    return -_sum_slopes(samples.x, samples.n, t, scale) * _DENSITY / samples.n


@arithmetic
def _sum_densities(x: Floats, n: int, t: float, scale: float) -> float:
    """Sum of exp(-z^2 / 2), z = (t - x) scale, by the same series."""
    total = 0.0
    for j in range(n):
        z = (t - x[j]) * scale
        u = min(z * z, SATURATED * SATURATED) * 0.03125
        u2 = u * u
        low = (1.0 + u) + u2 * (0.5 + u * _THIRD) + u2 * u2 * (_FOURTH + u * _FIFTH)
        q = low + u2 * u2 * u2 * (_SIXTH + u * _SEVENTH + u2 * _EIGHTH)
        q2 = q * q
        q4 = q2 * q2
        q8 = q4 * q4
        total += 1.0 / (q8 * q8)
    return total


@light
def density_at(samples: Samples, t: float, lower: float, bound: int, h: float) -> float:
    """Density of the samples at t, over their unit; under truncation before it is made whole again."""
    if bound != NO_BOUND and t <= lower:
        return 0.0
    scale, total = 1.0 / h, 0.0
    for place in (t, 2.0 * lower - t):
        if (place - samples.least) * scale >= -SATURATED and (place - samples.most) * scale <= SATURATED:
            total += _sum_densities(samples.x, samples.n, place, scale)
        if bound != REFLECT:
            break
    return total * scale * _DENSITY / samples.n


@light
def loss_slope(samples: Samples, edges: Floats, lower: float, bound: int, h: float, rates: Floats, p: Floats) -> float:
    """h dA/dh: change of the loss A when the bandwidth grows by 100 %, to first order.

    p : (m,) as `fill_mass` leaves it
    """
    scale, slope, below = 1.0 / h, 0.0, 0.0
    under, under_slope = 0.0, 0.0
    if bound == TRUNCATE:
        under = sum_below(samples, lower, scale) / samples.n
        under_slope = _slope_below(samples, lower, scale)
    for k in range(edges.size):
        t, weight = edges[k], rates[k] - rates[k + 1]
        below += p[k]
        if weight == 0.0 or (bound != NO_BOUND and t <= lower):
            continue
        moved = _slope_below(samples, t, scale)
        if bound == REFLECT:
            moved -= _slope_below(samples, 2.0 * lower - t, scale)
        if bound == TRUNCATE:
            moved = (moved - under_slope * (1.0 - below)) / (1.0 - under)
        slope += weight * moved
    return slope


@light
def share_below(samples: Samples, t: float, lower: float, bound: int, h: float) -> float:
    """Share of the samples' density below t, 0..1."""
    scale = 1.0 / h
    if bound != NO_BOUND and t <= lower:
        return 0.0
    share = sum_below(samples, t, scale)
    if bound == REFLECT:
        share -= sum_below(samples, 2.0 * lower - t, scale)
    share /= samples.n
    if bound == TRUNCATE:
        under = sum_below(samples, lower, scale) / samples.n
        share = (share - under) / (1.0 - under)
    return min(max(share, 0.0), 1.0)


@light
def fill_mass(
    samples: Samples, edges: Floats, lower: float, bound: int, h: float, rates: Floats, p: Floats, g: Floats
) -> None:
    """Mass of each bin -> p (m,), and every sample's part in the loss -> g (n,), for n samples of a cell.

    g (0,): the parts are not asked for

    samples, edges, lower, h : the risk's unit; no NaN, no sample below `lower`, h > 0
    bound : NO_BOUND, REFLECT or TRUNCATE; an edge at or under the bound has nothing below it
    """
    last, scale, n = edges.size, 1.0 / h, samples.n
    for j in range(g.size):
        g[j] = rates[last]
    under = sum_below(samples, lower, scale) / n if bound == TRUNCATE else 0.0
    below, loss, under_weight = 0.0, 0.0, -rates[last]
    for k in range(last):
        t, weight = edges[k], rates[k] - rates[k + 1]
        cumulative = 0.0
        if bound == NO_BOUND or t > lower:
            cumulative = add_below(samples, t, scale, weight, g) / n
            under_weight -= weight
            if bound == REFLECT:
                cumulative -= add_below(samples, 2.0 * lower - t, scale, -weight, g) / n
            if bound == TRUNCATE:
                cumulative = (cumulative - under) / (1.0 - under)
        cumulative = min(max(cumulative, below), 1.0)  # rounding in a saturated tail must not make a bin negative
        p[k] = cumulative - below
        loss += p[k] * rates[k]
        below = cumulative
    p[last] = 1.0 - below
    if bound == TRUNCATE:
        loss += p[last] * rates[last]
        add_below(samples, lower, scale, under_weight + loss, g)
        for j in range(min(n, g.size)):
            g[j] = loss + (g[j] - loss) / (1.0 - under)
