"""Samples of many years set on one year: what they would be in the climate of that year, by a line of the year.

C cells, Y years of `group` samples each, m - 1 inner edges. In each calendar month (a yearly value: in the year) a
straight line is fitted by least squares, in the values or in their logarithms, and each sample keeps its distance from
it: x'_j = x_j - line(t_j) + line(t0). So the spread of the samples holds no slope, and all years tell of the year t0.

A climate that rises, then falls, is no line. What the lines leave is averaged over the months of each year, and a
parabola is fitted to these means. Its share w = max(0, 1 - 1/F) is added to the lines, F the square of its coefficient
over that of its standard error: of curvature that is noise nearly nothing is added, of a real one nearly all.
`curved` adds all of it, for what is known to bend.

The lines are estimates. Without year y the line at t0 moves, against the mean of the samples, by

    c_y = r_y / (n - 1) - (sum over k of p_k(t0) p_k(t_y) / S_k) r_y / (1 - h_y)

with p_k the polynomials of degree k that are orthogonal over the n years, S_k their sums of squares, r_y the distance
of the year from its line and h_y its leverage. Samples that all move by c_y meet the edges as if these moved by -c_y,
so `edges_without` gives the edges of that year's leaving, in the form of a baseline's (`bins.Baseline`), and the
interval and the standard error hold the error of the lines. Months move by different amounts: at each edge they count
by their density there.

Source: Miller (1974), doi:10.1214/aos/1176342762 (jackknife of a regression); the share is that of James and Stein
(1961) for one coefficient. Measured: docs/methodology.md.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from engine.core.period import MIN_SAMPLES
from engine.kernels import kde
from engine.kernels._compile import helper, kernel
from engine.kernels.arrays import by_cell, numbers
from engine.kernels.bins import LARGEST

Floats = NDArray[np.float64]


class SetOnYear(NamedTuple):
    """Samples of C cells set on one year."""

    x: Floats  # (C, Y * group), the samples' unit; NaN where there was none
    moves: Floats  # (C, Y, group), move of the line at that year without each year, in the unit of the line
    logs: NDArray[np.bool_]  # (C,), whether the cell's lines are of logarithms


class _Line(NamedTuple):
    at: float  # the year, counted from the first sample's
    group: int
    curved: bool
    logs: bool
    lower: float  # NaN without a bound


class _Bend(NamedTuple):
    """Parabola over the years, orthogonal to lines: size ((y - middle)^2 - slope (y - middle) - level)."""

    size: float
    middle: float
    level: float
    slope: float
    squares: float  # sum of the squares over the years of what size multiplies


def set_on_year(
    x: ArrayLike, at: float, *, group: int = 1, curved: bool = False, logs: bool = False, lower: float | None = None
) -> SetOnYear:
    """Samples as they would be in one year, by lines of the year through all of them.

    x      : (C, n), the risk's unit, years in order, `group` samples of each side by side; NaN is a missing sample
    at     : the year, counted from the first: 9 is the tenth year of the samples
    group  : samples of a year, each with a line of its own; 12 for a monthly risk
    curved : give the lines their whole curvature
    logs   : fit lines to logarithms; a cell with a sample of 0 or less takes the values themselves
    lower  : bound of the support: samples that would lie below it are at it

    A calendar month with fewer than 10 samples stays as it is.

    raises : ValueError when shapes disagree, a sample is infinite (or beyond 1e150) or below `lower`
    """
    samples = np.require(by_cell(x, "x"), np.float64, ["C", "A"])
    if samples.ndim != 2 or group < 1 or samples.shape[1] % group:
        raise ValueError(f"samples must be (cells, years of {group}), got {samples.shape}")
    if infinite := np.count_nonzero(np.abs(samples) > LARGEST):
        raise ValueError(f"{infinite} samples are infinite")
    if lower is not None and (under := np.count_nonzero(samples < lower)):
        raise ValueError(f"{under} samples are below {lower=}")
    cells, years = len(samples), samples.shape[1] // group
    found = SetOnYear(np.empty_like(samples), np.empty((cells, years, group)), np.empty(cells, np.bool_))
    line = _Line(float(at), int(group), bool(curved), bool(logs), math.nan if lower is None else float(lower))
    _fill(samples, line, found)
    return found


def edges_without(found: SetOnYear, edges: ArrayLike) -> Floats:
    """Edges as the samples meet them when a year is left out of the lines, (C, Y, m - 1), the samples' unit.

    edges : (m - 1,), (C, m - 1), or (C, Y, m - 1) where they move without a year themselves
    """
    inner = numbers(edges, "edges").astype(np.float64, copy=False)
    cells, years, _ = found.moves.shape
    own = inner[:, None] if inner.ndim == 2 else inner
    moved = np.array(np.broadcast_to(own, (cells, years, inner.shape[-1])), np.float64, order="C")
    _move_edges(found.x, found.moves, found.logs, moved)
    return moved


@kernel
def _fill(x: Floats, line: _Line, found: SetOnYear) -> None:
    for c in prange(len(x)):
        _fill_cell(x[c], line, found.x[c], found.moves[c], found.logs, c)


@helper
def _fill_cell(row: Floats, line: _Line, out: Floats, moves: Floats, logs: NDArray[np.bool_], c: int) -> None:
    at, group, _, in_logs, lower = line
    for sample in row:
        in_logs = in_logs and not sample <= 0.0
    logs[c] = in_logs
    z = np.log(row).reshape(-1, group) if in_logs else row.copy().reshape(-1, group)
    years = len(z)
    lines, left = np.empty((group, 5)), np.empty(years)
    _fit_lines(z, lines, left)
    bend = _bend_of(left, line.curved)
    for y in range(years if bend.squares > 0.0 else 0):
        z[y] -= bend.size * _bend_at(bend, y)
    _fit_lines(z, lines, left)
    curve = _bend_at(bend, at)
    for y in range(years):
        of_bend = _bend_at(bend, y)
        for m in range(group):
            level, slope, middle, spread, n = lines[m]
            moves[y, m], out[y * group + m] = 0.0, row[y * group + m]
            r = z[y, m] - level - slope * (y - middle)
            if math.isnan(r):  # no sample, or too few for a line
                continue
            value = r + level + slope * (at - middle) + bend.size * curve
            value = math.exp(value) if in_logs else value
            out[y * group + m] = lower if value < lower else value
            leverage = 1.0 / n + (y - middle) * (y - middle) / spread
            move = r / n + (at - middle) * (y - middle) / spread * r
            if bend.squares > 0.0:
                leverage += of_bend * of_bend / bend.squares
                move += curve * of_bend / bend.squares * left[y]
            # less what the mean of the samples moves by when the year is no longer among them
            moves[y, m] = r / (n - 1.0) - move / (1.0 - leverage)


@helper
def _fit_lines(z: Floats, lines: Floats, left: Floats) -> None:
    """Level, slope, middle year, sum of squares and number of the years of each month -> (group, 5), NaN: too few; and
    the mean over the months of what the lines leave of each year -> (Y,), NaN: nothing."""
    number = np.zeros(len(z))
    left[:] = 0.0
    for m in range(z.shape[1]):
        n, middle, level = 0, 0.0, 0.0
        for y in range(len(z)):
            if not math.isnan(z[y, m]):
                n += 1
                middle += y
                level += z[y, m]
        lines[m] = math.nan
        if n < MIN_SAMPLES:
            continue
        middle, level, spread, products = middle / n, level / n, 0.0, 0.0
        for y in range(len(z)):
            if not math.isnan(z[y, m]):
                spread += (y - middle) * (y - middle)
                products += (y - middle) * (z[y, m] - level)
        slope = products / spread
        lines[m] = np.array([level, slope, middle, spread, n])
        for y in range(len(z)):
            if not math.isnan(z[y, m]):
                left[y] += z[y, m] - level - slope * (y - middle)
                number[y] += 1.0
    for y in range(len(z)):
        left[y] = left[y] / number[y] if number[y] > 0.0 else math.nan


@helper
def _bend_of(left: Floats, curved: bool) -> _Bend:
    """Parabola through what the lines leave of the years; with `squares` 0 there is none."""
    n, middle = 0, 0.0
    for y in range(left.size):
        if not math.isnan(left[y]):
            n += 1
            middle += y
    if n < MIN_SAMPLES:
        return _Bend(0.0, 0.0, 0.0, 0.0, 0.0)
    middle, second, third = middle / n, 0.0, 0.0
    for y in range(left.size):
        if not math.isnan(left[y]):
            second += (y - middle) ** 2
            third += (y - middle) ** 3
    bend = _Bend(1.0, middle, second / n, third / second, 0.0)
    squares, products, whole = 0.0, 0.0, 0.0
    for y in range(left.size):
        if not math.isnan(left[y]):
            p = _bend_at(bend, y)
            squares += p * p
            products += p * left[y]
            whole += left[y] * left[y]
    explained = products * products / squares
    noise = max(whole - explained, 0.0) / (n - 3)
    share = 1.0 if curved else max(0.0, 1.0 - noise / explained) if explained > 0.0 else 0.0
    return _Bend(share * products / squares, middle, bend.level, bend.slope, squares if share > 0.0 else 0.0)


@helper
def _bend_at(bend: _Bend, year: float) -> float:
    t = year - bend.middle
    return t * t - bend.slope * t - bend.level


@kernel
def _move_edges(x: Floats, moves: Floats, logs: NDArray[np.bool_], edges: Floats) -> None:
    for c in prange(len(x)):
        _move_edges_of(x[c], moves[c], logs[c], edges[c])


@helper
def _move_edges_of(row: Floats, moves: Floats, in_logs: bool, edges: Floats) -> None:
    years, group = moves.shape
    weight = np.empty(group)
    for k in range(edges.shape[1]):
        if group == 1:
            weight[0] = 1.0
        else:
            _fill_weights(row, edges[0, k], weight)
        for y in range(years):
            move = 0.0
            for m in range(group):
                move += weight[m] * moves[y, m]
            if not in_logs:
                edges[y, k] -= move
            elif edges[y, k] > 0.0:  # nothing of a cell in logarithms is at 0 or below
                edges[y, k] *= math.exp(-move)
    for y in range(years):  # an edge keeps its place among the others
        for k in range(1, edges.shape[1]):
            edges[y, k] = max(edges[y, k], edges[y, k - 1])


@helper
def _fill_weights(row: Floats, edge: float, weight: Floats) -> None:
    """Share of each month in the density of the samples at an edge -> (group,), sum 1; equal where there is none."""
    n, group = 0, weight.size
    valid = np.empty(row.size)
    for sample in row:
        if not math.isnan(sample):
            valid[n] = sample
            n += 1
    h = kde.scott_bandwidth(valid, n) if n > 1 else 0.0
    weight[:] = 0.0
    total = 0.0
    for j in range(row.size if h > 0.0 else 0):
        if not math.isnan(row[j]):
            t = (edge - row[j]) / h
            density = math.exp(-0.5 * t * t)
            weight[j % group] += density
            total += density
    for m in range(group):
        weight[m] = weight[m] / total if total > 0.0 else 1.0 / group
