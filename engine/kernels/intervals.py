"""The 90 % interval of the average annual loss of one cell. n samples in Y years, m bins, B blocks of years.

A loss A lies between the smallest and the largest damage rate, r0 and r1, and its sampling distribution is skewed
towards r0. So the interval is Student's on the logit of (A - r0) / (r1 - r0), B - 1 degrees, and never leaves r0..r1.
At r0 or r1 itself there is no interval (NaN): samples of which none, or every one, is in the mildest bin cannot tell
how rare the others are.

The variance is that of a jackknife which leaves out a block of years at a time: one year, or several where years next
to each other depend on each other. In first order, with S_b the sum of what the samples of block b add to the mean, and
N samples of which N_b are in it,

    A(-b) - A = -S_b / (N - N_b) + what edges that are estimated without b change,    variance (B - 1) / B sum_b (...)^2

What sample j adds is its part g_j in the loss, less A, and its part in the bandwidth h = s n^(-1/5):
(h dA/dh) ((x_j - m)^2 / s^2 - 1) / 2, with m and s mean and standard deviation (with an atom: of the samples above it,
whose number enters as well). With it the first order is the whole jackknife to 1 to 2 % (a tenth less where one sample
lies far out of the others).

Edges that are quantiles of a baseline move with each of its years: `shifts` holds the change of A without it. Where
baseline and samples share years, both leave at once.

Where samples at the bound mean "no event", few are left above it, and the farther the damaging bins are beyond them,
the more a kernel's tail decides. There the interval is the envelope of this one and of a second: of the loss by a
generalised extreme value distribution (L-moments) of the samples above the atom. Edges that are quantiles lie among the
samples, and have none.

Sources: Efron and Stein (1981), doi:10.1214/aos/1176345462 (jackknife); Kuensch (1989), doi:10.1214/aos/1176347265
(blocks); Hosking (1990), doi:10.1111/j.2517-6161.1990.tb01775.x. Coverage: docs/methodology.md.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.kernels import kde
from engine.kernels._compile import helper, light
from engine.kernels.lmoments import EDGE, gev_cdf_at, gev_l_scale, gev_mean, gev_shape
from engine.kernels.normal import student95

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

MIN_ABOVE = 12  # samples above an atom that a distribution is fitted to
MIN_BLOCKS = 3


class Blocks(NamedTuple):
    """Years of one cell's samples and of the baseline of its edges.

    years       : Y
    group, span : samples of a year, years of a block
    shifts      : (Y0,) change of the loss when a year of the baseline is left out of the edges; (0,): edges are known
    shared      : (Y0,) which year of the samples that is, -1 for none
    room        : (2 Y + Y0,) to work in, of `room_of`; an array of its own for each cell would cost more than its use
    """

    years: int
    group: int
    span: int
    shifts: Floats
    shared: Ints
    room: Floats


@helper
def room_of(years: int, baseline_years: int) -> Floats:
    """Room to work in, for `Blocks`."""
    return np.empty(2 * years + baseline_years)


@light
def add_bandwidth(v: Floats, above: int, n: int, slope: float, g: Floats) -> None:
    """Add to the parts g (n,) in the loss those in the bandwidth; v (n,), `above` of them smoothed, slope = h dA/dh."""
    total = 0.0
    for j in range(above):
        total += v[j]
    mean, spread = total / above, kde.variance(v, above)
    for j in range(above):
        g[j] += slope * (((v[j] - mean) * (v[j] - mean) / spread - 1.0) / 2.0 - 0.2 * (n - above) / n)
    for j in range(above, n):
        g[j] += slope * 0.2 * above / n


@light
def variance(g: Floats, n: int, at: Ints, blocks: Blocks) -> tuple[float, float]:
    """Variance of the mean of g (n,), samples of the years `at`, and the degrees of freedom of its estimate."""
    years, group, span, shifts, _, room = blocks
    count = (years + span - 1) // span
    part, number, mean = room[:count], room[years : years + count], 0.0
    for j in range(n):
        mean += g[j]
    mean /= n
    for b in range(count):
        part[b], number[b] = 0.0, 0.0
    for j in range(n):
        b = at[j] if span == 1 else at[j] // span  # a division takes longer than the rest of this loop
        part[b] += g[j] - mean
        number[b] += 1.0
    present = 0
    for b in range(count):
        if number[b] > 0.0:
            present += 1
            part[b] /= number[b] - n  # change of the mean without the block
    if present < MIN_BLOCKS:
        return math.nan, math.nan
    factor = math.sqrt((present - 1.0) / present)
    for b in range(count):
        part[b] *= factor
    degrees = n / (group * span) - 1.0
    others = 0.0
    if shifts.size > 0:
        others, degrees = _add_shifts(blocks, part, degrees)
    squares = 0.0
    for b in range(count):
        squares += part[b] * part[b]
    return others + squares, degrees


@light
def fill_moves(g: Floats, n: int, at: Ints, blocks: Blocks, moves: Floats) -> None:
    """Change of the mean of g (n,) without each year, then of the edges without each of the baseline -> (Y + Y0,)."""
    years, number, mean = blocks.years, blocks.room, 0.0
    for y in range(years):
        number[y] = 0.0
    for j in range(n):
        mean += g[j]
        number[at[j]] += 1.0
    mean /= n
    for j in range(n):
        moves[at[j]] += (g[j] - mean) / (number[at[j]] - n)
    for y in range(blocks.shifts.size):
        moves[years + y] = blocks.shifts[y]


@light
def _add_shifts(blocks: Blocks, part: Floats, degrees: float) -> tuple[float, float]:
    """Add shifts of shared years to the parts of their blocks; returns the variance by the others, and the degrees."""
    years, _, span, shifts, shared, room = blocks
    there, total = 0, 0.0
    for shift in shifts:
        if not math.isnan(shift):
            there += 1
            total += shift
    if there < 2:
        return 0.0, degrees
    mean, factor = total / there, math.sqrt((there - 1.0) / there)
    own = room[2 * years : 2 * years + (shifts.size + span - 1) // span]
    for b in range(own.size):
        own[b] = 0.0
    for y in range(shifts.size):
        if math.isnan(shifts[y]):
            continue
        if shared[y] >= 0:
            part[shared[y] // span] += factor * (shifts[y] - mean)
        else:
            own[y // span] += factor * (shifts[y] - mean)
    squares = 0.0
    for b in range(own.size):
        squares += own[b] * own[b]
    return squares, min(degrees, there / span - 1.0)


@light
def ends(loss: float, variance_of: float, degrees: float, least: float, most: float) -> tuple[float, float]:
    """Low and high end of the 90 % interval of a loss between the rates `least` and `most`."""
    width = most - least
    u = (loss - least) / width if width > 0.0 else math.nan
    if not (0.0 < u < 1.0 and degrees > 0.0):  # NaN as well
        return math.nan, math.nan
    reach = student95(degrees) * math.sqrt(variance_of) / width / (u * (1.0 - u))
    odds, factor = u / (1.0 - u), math.exp(min(reach, 700.0))
    low, high = odds / factor, odds * factor
    high = least + width * (high / (1.0 + high) if high < 1e300 else 1.0)
    return least + width * (low / (1.0 + low)), min(high, most)


def ends_of(loss: Floats, variances: Floats, degrees: float, least: float, most: float) -> tuple[Floats, Floats]:
    """`ends` of C losses with these variances, (C,) each; NaN where one of them is."""
    found = [ends(*each, degrees, least, most) for each in zip(loss, variances, strict=True)]
    low, high = np.array(found, np.float64).reshape(-1, 2).T
    return low, high


@helper
def envelope(  # many: samples and what the loop over cells has of one cell; numba inlines the call
    v: Floats, above: int, n: int, at: Ints, edges: Floats, lower: float, rates: Floats, blocks: Blocks
) -> tuple[float, float]:
    """Interval of the loss by a distribution fitted above the atom; NaN without a fit.

    v, at : (n,) samples and their years, the first `above` above the atom
    """
    if above < MIN_ABOVE:
        return math.nan, math.nan
    order = np.argsort(v[:above])
    moments, changes = _moments(v, order)
    share = above / n
    loss = _fitted_loss(moments, edges, lower, rates)
    if math.isnan(loss):
        return math.nan, math.nan
    slopes = np.empty(3)
    for k in range(3):
        kept, step = moments[k], math.sqrt((above - 1.0) / above * np.sum(changes[:, k] ** 2))
        if not step > 0.0:
            return math.nan, math.nan
        # over a standard error and not at the point: the loss is far from linear where no sample is in a damaging bin
        moments[k] = kept + step
        slopes[k] = (_fitted_loss(moments, edges, lower, rates) - loss) / step
        moments[k] = kept
        if math.isnan(slopes[k]):
            return math.nan, math.nan
    g = np.empty(n)
    for r in range(above):
        moved = changes[r, 0] * slopes[0] + changes[r, 1] * slopes[1] + changes[r, 2] * slopes[2]
        # without it the mean changes by (mean - part) / (n - 1)
        g[order[r]] = loss - moved * (above - 1.0)
    for j in range(above, n):
        g[j] = rates[0]
    whole = share * loss + (1.0 - share) * rates[0]
    of_mean, degrees = variance(g, n, at, blocks)
    return ends(whole, of_mean, degrees, np.min(rates), np.max(rates))


@helper
def _moments(v: Floats, order: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """l1, l2 and l3 of the samples v in ascending order, (3,), and their changes without each of them, (n, 3)."""
    n = order.size
    sums = np.zeros(3)
    for i in range(n):
        x = v[order[i]]
        sums[0] += x
        sums[1] += i * x
        sums[2] += i * (i - 1.0) * x
    moments, changes = np.empty(3), np.empty((n, 3))
    _of_sums(sums[0], sums[1], sums[2], n, moments)
    beyond, twice = 0.0, 0.0  # sums over the samples above: x, and 2 (rank - 1) x
    for i in range(n - 1, -1, -1):
        x = v[order[i]]
        _of_sums(sums[0] - x, sums[1] - i * x - beyond, sums[2] - i * (i - 1.0) * x - twice, n - 1, changes[i])
        changes[i] -= moments
        beyond += x
        twice += 2.0 * (i - 1.0) * x
    return moments, changes


@light
def _of_sums(s0: float, s1: float, s2: float, n: int, out: Floats) -> None:
    b0, b1, b2 = s0 / n, s1 / (n * (n - 1.0)), s2 / (n * (n - 1.0) * (n - 2.0))
    out[0], out[1], out[2] = b0, 2.0 * b1 - b0, 6.0 * b2 - 6.0 * b1 + b0


@light
def _fitted_loss(moments: Floats, edges: Floats, lower: float, rates: Floats) -> float:
    """Loss of a generalised extreme value distribution with these L-moments; NaN where there is none."""
    l1, l2, l3 = moments
    if not (l2 > 0.0 and abs(l3 / l2) < 1.0 - EDGE):
        return math.nan
    k = gev_shape(l3 / l2)
    if math.isnan(k):
        return math.nan
    alpha = l2 / gev_l_scale(k)
    xi = l1 - alpha * gev_mean(k)
    loss = rates[edges.size]
    for i in range(edges.size):
        if edges[i] > lower:
            loss += (rates[i] - rates[i + 1]) * gev_cdf_at(edges[i], xi, alpha, k)
    return float(loss)
