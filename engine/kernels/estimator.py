"""Estimate the bins of every cell: the compiled half of `bins`, which checks its arguments.

C cells, n samples a cell in Y = n / group years, m bins with m - 1 inner edges. Which estimator a cell gets is decided
here, by the number and the spread of its samples; the smoothed mass is `kde.fill_mass`, the counted share
`counts.fill_shares`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from engine.core.period import MIN_SAMPLES
from engine.kernels import counts, intervals, kde
from engine.kernels._compile import helper, kernel, light

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

INSUFFICIENT, COUNT, KDE = 0, 1, 2
LARGEST = 1e150  # squares of larger intensities overflow
BLOCK = 64  # cells that share one set of work arrays


class Baseline(NamedTuple):
    """Edges that are estimated of Y0 years of a baseline: what they are without each of these."""

    without: Floats  # (C, Y0, m - 1), the samples' unit; those of a year that has no part in them are the edges
    shared: Ints  # (Y0,), which year of the samples each is, -1 for none
    near: bool = False  # edges move by so little that the density at them tells what that does


class Estimator(NamedTuple):
    """Estimator of the probabilities of a cell, with the options of `bin_probabilities`; rates are (m,)."""

    lower: float  # NaN without a bound
    bound: int  # NO_BOUND, REFLECT or TRUNCATE
    atom: bool
    rates: Floats
    min_kde_samples: int
    group: int
    span: int
    spread: Floats  # (C,) standard deviations that bandwidths are made of; (0,): those of the samples
    near: bool  # edges that are estimated move by little


class Estimates(NamedTuple):
    """Estimates of C cells, to be filled."""

    p: Floats  # (C, m)
    loss: Floats  # (C, 4), AAL, its standard error, low and high end of its interval; (C, 0): not asked for
    valid: Ints  # (C,), valid samples
    method: NDArray[np.uint8]  # (C,)
    bad: Ints  # (C, 2), samples that are infinite, samples below the bound
    by_year: Floats  # (C, Y) losses of the years; (C, 0): not asked for
    samples: Ints  # (C, Y) or (C, 0), valid samples of each year
    moves: Floats  # (C, Y + Y0) or (C, 0), change of the AAL without each year of the samples, and of the baseline


class Work(NamedTuple):
    """Arrays that the cells of a block share, one cell after the other."""

    year_of: Ints  # (n,), year of each column
    v: Floats  # (n,), valid samples
    at: Ints  # (n,), their years
    g: Floats  # (n,), their parts in the loss
    years: Floats  # (Y, 2)
    shifts: Floats  # (Y0,)
    room: Floats  # of `intervals.room_of`


@kernel
def fill(x: Floats, edges: Floats, without: Floats, shared: Ints, how: Estimator, found: Estimates) -> None:
    for block in prange((len(x) + BLOCK - 1) // BLOCK):
        first, last = block * BLOCK, min((block + 1) * BLOCK, len(x))
        _fill_block(x, edges, without, shared, how, first, last, found)


@helper
def _fill_block(
    x: Floats, edges: Floats, without: Floats, shared: Ints, how: Estimator, first: int, last: int, found: Estimates
) -> None:
    n = x.shape[1]
    years = n // how.group
    work = Work(
        (np.arange(n) // how.group).astype(np.int32),
        np.empty(n),
        np.empty(n, np.int32),
        np.empty(n),
        np.empty((years, 2)),
        np.empty(shared.size),
        intervals.room_of(years, shared.size),
    )
    _fill_cells(x, edges, Baseline(without, shared, how.near), how, first, last, found, work)


@light
def _fill_cells(
    x: Floats, edges: Floats, baseline: Baseline, how: Estimator, first: int, last: int, found: Estimates, work: Work
) -> None:
    for c in range(first, last):
        above, n, least, most = _gather(x[c], how.lower, how.atom, work, found.bad[c])
        found.valid[c] = n
        found.loss[c] = math.nan
        if n < MIN_SAMPLES or 5 * (x.shape[1] - n) > x.shape[1]:
            found.method[c] = INSUFFICIENT
            for i in range(how.rates.size):
                found.p[c, i] = math.nan
            _fill_years(work.g, n, work.at, how.group, found.by_year[c], found.samples[c])
            found.by_year[c] = math.nan
            continue
        # equal samples are asked for first: their rounded mean may differ from them, and leave a spread
        h = kde.scott_bandwidth(work.v, above) if above >= how.min_kde_samples and least < most else 0.0
        if h > 0.0 and how.spread.size > 0:
            h = how.spread[c] * above**-0.2
            h = h if h > kde.SMALLEST else 0.0
        smoothed, slope, p = kde.Samples(work.v, above, least, most), 0.0, found.p[c]
        if h > 0.0:
            found.method[c] = KDE
            parts = work.g[: n if found.loss.shape[1] > 0 else 0]
            kde.fill_mass(smoothed, edges[c], how.lower, how.bound, h, how.rates, p, parts)
            if parts.size > 0 and how.spread.size == 0:
                slope = kde.loss_slope(smoothed, edges[c], how.lower, how.bound, h, how.rates, p)
            for j in range(above, n):
                work.g[j] = how.rates[0]
            for i in range(how.rates.size):
                p[i] *= above / n
            p[0] += (n - above) / n
        else:
            found.method[c] = COUNT
            counts.fill_shares(work.v, n, edges[c], how.lower, how.rates, p, work.g)
        if found.loss.shape[1] > 0:
            told = _fill_loss(n, how, h, p, found.loss[c], work)
            _fill_years(work.g, n, work.at, how.group, found.by_year[c], found.samples[c])
            if told:
                moved = Baseline(baseline.without[c], baseline.shared, baseline.near)
                _fill_interval(smoothed, n, edges[c], moved, how, (h, slope), (found.loss[c], found.moves[c]), work)


@light
def _fill_loss(n: int, how: Estimator, h: float, p: Floats, loss: Floats, work: Work) -> bool:
    """AAL and its standard error -> loss[:2]. False where all samples are counted in one bin, which tells no error."""
    loss[0], fullest = 0.0, 0.0
    for i in range(how.rates.size):
        loss[0] += p[i] * how.rates[i]
        fullest = max(fullest, p[i])
    told = h > 0.0 or fullest < 1.0
    if told:
        loss[1] = _standard_error(work.g, n, work.at, how.group, work.years)
    return told


@light
def _fill_interval(
    smoothed: kde.Samples,
    n: int,
    edges: Floats,
    baseline: Baseline,
    how: Estimator,
    bandwidth: tuple[float, float],
    wanted: tuple[Floats, Floats],
    work: Work,
) -> None:
    """Ends of the interval -> loss[2:]; g is changed.

    baseline  : of this cell, without (Y0, m - 1)
    bandwidth : h and h dA/dh, zeros where samples are counted
    wanted    : loss (4,) and moves (Y + Y0,), or (0,), of this cell
    """
    h, slope = bandwidth
    loss, moves = wanted
    rates, g, shifts = how.rates, work.g, work.shifts
    least, most = rates[0], rates[0]
    for i in range(1, rates.size):
        least, most = min(least, rates[i]), max(most, rates[i])
    if least == most:
        return
    if shifts.size > 0:
        _fill_shifts(smoothed, n, edges, baseline.without, how, h, shifts)
    if h > 0.0:
        intervals.add_bandwidth(smoothed.x, smoothed.n, n, slope, g)
    blocks = intervals.Blocks(len(work.years), how.group, how.span, shifts, baseline.shared, work.room)
    if moves.size > 0:
        intervals.fill_moves(g, n, work.at, blocks, moves)
    variance, degrees = intervals.variance(g, n, work.at, blocks)
    low, high = intervals.ends(loss[0], variance, degrees, least, most)
    if how.atom and shifts.size == 0 and not math.isnan(low):
        second = intervals.envelope(smoothed.x, smoothed.n, n, work.at, edges, how.lower, rates, blocks)
        if not math.isnan(second[0]):
            low, high = min(low, second[0]), max(high, second[1])
    loss[2], loss[3] = min(low, loss[0]), max(high, loss[0])


@light
def _fill_shifts(
    smoothed: kde.Samples,
    n: int,
    edges: Floats,
    without: Floats,
    how: Estimator,
    h: float,
    shifts: Floats,
) -> None:
    """Change of the loss without each year in the edges -> shifts (Y0,); linear from the edge to the farthest, or by
    the density at the edge."""
    rates, lower = how.rates, how.lower
    shifts[:] = 0.0
    for k in range(edges.size):
        weight = rates[k] - rates[k + 1]
        t, low, high = edges[k], edges[k], edges[k]
        for y in range(shifts.size):
            low, high = min(low, without[y, k]), max(high, without[y, k])
        if weight == 0.0 or low == high:
            continue
        if h > 0.0 and how.near:
            density = smoothed.n / n * weight * kde.density_at(smoothed, t, lower, how.bound, h)
            for y in range(shifts.size):
                shifts[y] += density * (without[y, k] - t)
            continue
        if h > 0.0:
            share = smoothed.n / n * weight
            here = kde.share_below(smoothed, t, lower, how.bound, h)
            down = kde.share_below(smoothed, low, lower, how.bound, h) - here
            up = kde.share_below(smoothed, high, lower, how.bound, h) - here
            for y in range(shifts.size):
                if without[y, k] < t:
                    shifts[y] += share * down * (t - without[y, k]) / (t - low)
                elif without[y, k] > t:
                    shifts[y] += share * up * (without[y, k] - t) / (high - t)
        else:
            here = counts.share_below(smoothed.x, n, t, lower)
            for y in range(shifts.size):
                if without[y, k] != t:
                    shifts[y] += weight * (counts.share_below(smoothed.x, n, without[y, k], lower) - here)


@light
def _gather(row: Floats, lower: float, atom: bool, work: Work, bad: Ints) -> tuple[int, int, float, float]:
    """Put the valid samples of a row into work.v, those above the atom first, and their years into work.at.

    returns : how many are above the atom, how many are valid, least and largest above the atom
    bad     : gets how many are infinite, how many below the bound
    """
    year_of, v, at = work.year_of, work.v, work.at
    usual, under, none = 0, 0, 0
    for j in range(row.size):  # counts of whole numbers, without a branch, so that it can use vector instructions
        usual += abs(row[j]) <= LARGEST
        under += row[j] < lower
        none += row[j] == lower
    if usual == row.size and not (atom and none > 0):  # nothing is missing, which is nearly every row
        for j in range(row.size):
            v[j] = row[j]
            at[j] = year_of[j]
        bad[0], bad[1] = 0, under
        least, most = kde.ends(v, row.size)
        return row.size, row.size, least, most
    above, infinite, under = 0, 0, 0
    for j in range(row.size):
        sample = row[j]
        if abs(sample) > LARGEST:
            infinite += 1  # refused once all cells were seen; no use computing with it
        elif not math.isnan(sample) and not (atom and sample == lower):
            under += sample < lower
            v[above] = sample
            at[above] = year_of[j]
            above += 1
    n = above
    if atom:
        for j in range(row.size):
            if row[j] == lower:
                v[n] = lower
                at[n] = year_of[j]
                n += 1
    bad[0], bad[1] = infinite, under
    least, most = kde.ends(v, above)
    return above, n, least, most


@light
def _fill_years(g: Floats, n: int, at: Ints, group: int, loss: Floats, samples: Ints) -> None:
    """Mean of the parts g (n,) of each year's samples -> loss (Y,), how many of them there are -> samples (Y,)."""
    # a sum of rounded shares may fall below zero by a unit in the last place of a rate: no year brings a gain
    if group == 1:
        for y in range(loss.size):
            loss[y], samples[y] = math.nan, 0
        for j in range(n if loss.size > 0 else 0):
            loss[at[j]], samples[at[j]] = max(g[j], 0.0), 1
        return
    for y in range(loss.size):
        loss[y], samples[y] = 0.0, 0
    for j in range(n if loss.size > 0 else 0):
        loss[at[j]] += g[j]
        samples[at[j]] += 1
    for y in range(loss.size):
        loss[y] = max(loss[y] / samples[y], 0.0) if samples[y] > 0 else math.nan


@light
def _standard_error(g: Floats, n: int, at: Ints, group: int, years: Floats) -> float:
    """Standard error of the mean of g: g (n,) parts in the loss, at (n,) their years, years (Y, 2) for the work."""
    if group == 1:
        return math.sqrt(kde.variance(g, n) / n)
    for y in range(len(years)):
        years[y, 0], years[y, 1] = 0.0, 0.0
    for j in range(n):
        years[at[j], 0] += g[j]
        years[at[j], 1] += 1.0
    present, total = 0, 0.0
    for y in range(len(years)):
        if years[y, 1] > 0.0:
            years[y, 0] /= years[y, 1]
            total += years[y, 0]
            present += 1
    if present < 2:
        return math.nan
    mean = total / present
    squares, products, pairs = 0.0, 0.0, 0
    for y in range(len(years)):
        if years[y, 1] > 0.0:
            squares += (years[y, 0] - mean) ** 2
            if y > 0 and years[y - 1, 1] > 0.0:
                products += (years[y, 0] - mean) * (years[y - 1, 0] - mean)
                pairs += 1
    covariance = products / pairs if pairs > 0 else 0.0
    return math.sqrt((squares / (present - 1) + 2.0 * max(covariance, 0.0)) / present)
