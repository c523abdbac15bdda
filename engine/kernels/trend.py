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
so `edges_without` gives the edges of that year's leaving, in the form of a baseline's (`estimator.Baseline`), and the
interval and the standard error hold the error of the lines. Months move by different amounts: at each edge they count
by their samples near it.

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
from engine.kernels._compile import helper, kernel
from engine.kernels.arrays import by_cell, numbers
from engine.kernels.estimator import LARGEST
from engine.kernels.face import checked

Floats = NDArray[np.float64]


class Lines(NamedTuple):
    """Lines through the years of C cells, `group` months of a year each with its own."""

    distances: Floats  # (C, Y, group), of the samples from them, in the unit of the line; NaN where there is none
    lines: Floats  # (C, group, 5): level in the middle of the years, slope, middle, sum of squares and number of years
    bends: Floats  # (C, 5), of `_Bend`
    logs: NDArray[np.bool_]  # (C,), whether the cell's lines are of logarithms


class SetOnYear(NamedTuple):
    """Samples of C cells set on one year."""

    x: Floats  # (C, Y * group), the samples' unit; NaN where there was none
    moves: Floats  # (C, Y, group), move of the line at that year without each year, in the unit of the line
    logs: NDArray[np.bool_]  # (C,), whether the cell's lines are of logarithms


class _Bend(NamedTuple):
    """Parabola over the years, orthogonal to lines: size ((y - middle)^2 - slope (y - middle) - level)."""

    size: float
    middle: float
    level: float
    slope: float
    squares: float  # sum of the squares over the years of what size multiplies; 0: there is no parabola


@checked
def fit_lines(
    x: ArrayLike, *, group: int = 1, curved: bool = False, logs: bool = False, lower: float | None = None
) -> Lines:
    """Fit lines of the year to samples.

    x      : (C, n), the risk's unit, years in order, `group` samples of each side by side; NaN is a missing sample
    group  : samples of a year, each with a line of its own; 12 for a monthly risk
    curved : give the lines their whole curvature
    logs   : fit lines to logarithms; a cell with a sample of 0 or less takes the values themselves
    lower  : bound that no sample may lie below

    A calendar month with fewer than 10 samples has no line.

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
    found = Lines(
        np.empty((cells, years, group)), np.empty((cells, group, 5)), np.empty((cells, 5)), np.empty(cells, np.bool_)
    )
    _fit(samples, bool(curved), bool(logs), found)
    return found


def set_on_year(x: ArrayLike, lines: Lines, at: float, *, lower: float | None = None) -> SetOnYear:
    """Samples as they would be in one year, by lines through all of them.

    x     : (C, n), the samples that the lines were fitted to; those of a month without a line stay as they are
    at    : the year, counted from the first: 9 is the tenth year of the samples
    lower : bound of the support: samples that would lie below it are at it
    """
    samples = np.require(by_cell(x, "x"), np.float64, ["C", "A"])
    found = SetOnYear(np.empty_like(samples), np.empty_like(lines.distances), lines.logs)
    _set(samples, lines, float(at), math.nan if lower is None else float(lower), found.x, found.moves)
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
def _fit(x: Floats, curved: bool, logs: bool, found: Lines) -> None:
    for c in prange(len(x)):
        # an assignment to `found.logs[c]` here is taken for dead, and dropped: numba does not see through the tuple
        _fit_cell(x[c], curved, logs, found.distances[c], found.lines[c], found.bends[c], found.logs[c : c + 1])


@helper
def _fit_cell(
    row: Floats, curved: bool, logs: bool, z: Floats, lines: Floats, bends: Floats, own: NDArray[np.bool_]
) -> None:
    """Lines of a cell -> lines, bends; distances from them -> z; whether they are of logarithms -> own (1,)."""
    years, group = z.shape
    in_logs = logs
    for sample in row:
        in_logs = in_logs and not sample <= 0.0
    for y in range(years):
        for m in range(group):
            z[y, m] = math.log(row[y * group + m]) if in_logs else row[y * group + m]
    left = np.empty(years)
    _fit_months(z, lines)
    _fill_left(z, lines, left)
    bend = _bend_of(left, curved)
    bends[0], bends[1], bends[2], bends[3], bends[4] = bend
    if bend.squares > 0.0:
        for y in range(years):
            z[y] -= bend.size * _bend_at(bend, y)
        _fit_months(z, lines)
    for y in range(years):
        for m in range(group):
            z[y, m] -= lines[m, 0] + lines[m, 1] * (y - lines[m, 2])
    own[0] = in_logs


@helper
def _fit_months(z: Floats, lines: Floats) -> None:
    """Lines of z (Y, group) by month -> (group, 5); NaN where there are too few years."""
    years, group = z.shape
    sums, centre = np.zeros((group, 5)), (years - 1) / 2
    for y in range(years):
        t = y - centre
        for m in range(group):
            value = z[y, m]
            if not math.isnan(value):
                sums[m, 0] += 1.0
                sums[m, 1] += t
                sums[m, 2] += t * t
                sums[m, 3] += value
                sums[m, 4] += t * value
    for m in range(group):
        n, t, squares, total, products = sums[m]
        if n < MIN_SAMPLES:
            lines[m] = math.nan
            continue
        spread = squares - t * t / n
        slope = (products - t * total / n) / spread
        lines[m, 0], lines[m, 1], lines[m, 2], lines[m, 3], lines[m, 4] = total / n, slope, centre + t / n, spread, n


@helper
def _fill_left(z: Floats, lines: Floats, left: Floats) -> None:
    """Mean over the months of what the lines leave of each year -> (Y,); NaN where that is nothing."""
    for y in range(left.size):
        n, total = 0, 0.0
        for m in range(z.shape[1]):
            rest = z[y, m] - lines[m, 0] - lines[m, 1] * (y - lines[m, 2])
            if not math.isnan(rest):
                n += 1
                total += rest
        left[y] = total / n if n > 0 else math.nan


@kernel
def _set(x: Floats, lines: Lines, at: float, lower: float, out: Floats, moves: Floats) -> None:
    for c in prange(len(x)):
        _set_cell(x[c], lines.distances[c], lines.lines[c], lines.bends[c], lines.logs[c], at, lower, out[c])
        _fill_moves(lines.distances[c], lines.lines[c], lines.bends[c], at, moves[c])


@helper
def _set_cell(
    row: Floats, distances: Floats, lines: Floats, bends: Floats, in_logs: bool, at: float, lower: float, out: Floats
) -> None:
    years, group = distances.shape
    bend = _Bend(bends[0], bends[1], bends[2], bends[3], bends[4])
    there, j = np.empty(group), 0
    for m in range(group):
        there[m] = lines[m, 0] + lines[m, 1] * (at - lines[m, 2]) + bend.size * _bend_at(bend, at)
    for y in range(years):
        for m in range(group):
            value = distances[y, m] + there[m]
            if in_logs:
                value = math.exp(value)
            if math.isnan(value):  # no sample, or no line
                value = row[j]
            out[j] = lower if value < lower else value
            j += 1


@helper
def _fill_moves(distances: Floats, lines: Floats, bends: Floats, at: float, moves: Floats) -> None:
    """Move of the lines at a year without each year -> (Y, group)."""
    years, group = distances.shape
    bend = _Bend(bends[0], bends[1], bends[2], bends[3], bends[4])
    curve = _bend_at(bend, at)
    mean, rest, spread = 1.0 / lines[:, 4], 1.0 / (lines[:, 4] - 1.0), 1.0 / lines[:, 3]
    for y in range(years):
        n, left = 0, 0.0
        for r in distances[y]:
            if not math.isnan(r):
                n += 1
                left += r
        of_bend = _bend_at(bend, y) / bend.squares if bend.squares > 0.0 and n > 0 else 0.0
        bent = curve * of_bend * left / max(n, 1)
        for m in range(group):
            r, t = distances[y, m], y - lines[m, 2]
            leverage = mean[m] + t * t * spread[m] + of_bend * of_bend * bend.squares
            move = r * mean[m] + (at - lines[m, 2]) * t * spread[m] * r + bent
            # less what the mean of the samples moves by when the year is no longer among them
            move = r * rest[m] - move / (1.0 - leverage)
            moves[y, m] = 0.0 if math.isnan(move) else move


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
    last, weight = edges.shape[1], np.ones((edges.shape[1], group))
    reach = _reach(row) if group > 1 else 0.0
    for k in range(last if group > 1 else 0):
        _fill_weights(row, edges[0, k], reach, weight[k])
    for y in range(years):
        factor = math.exp(-moves[y, 0]) if in_logs and group == 1 else 1.0
        for k in range(last):
            move = 0.0
            for m in range(group):
                move += weight[k, m] * moves[y, m]
            if not in_logs:
                edges[y, k] -= move
            elif edges[y, k] > 0.0:  # nothing of a cell in logarithms is at 0 or below
                edges[y, k] *= factor if group == 1 else math.exp(-move)
            if k > 0:  # an edge keeps its place among the others
                edges[y, k] = max(edges[y, k], edges[y, k - 1])


@helper
def _reach(row: Floats) -> float:
    """Standard deviation of a row, times n^(-1/5): what counts as near an edge."""
    n, total, squares, first = 0, 0.0, 0.0, math.nan
    for sample in row:
        if not math.isnan(sample):
            first = sample if n == 0 else first
            n += 1
            total += sample - first
            squares += (sample - first) * (sample - first)
    return math.sqrt(max(squares - total * total / n, 0.0) / n) * n**-0.2 if n > 1 else 0.0


@helper
def _fill_weights(row: Floats, edge: float, reach: float, weight: Floats) -> None:
    """Share of each month in the samples near an edge -> (group,), sum 1; equal where there are none."""
    group, total = weight.size, 0.0
    weight[:] = 0.0
    for y in range(row.size // group):
        for m in range(group):
            near = 1.0 if abs(row[y * group + m] - edge) <= reach else 0.0
            weight[m] += near
            total += near
    for m in range(group):
        weight[m] = weight[m] / total if total > 0.0 else 1.0 / group
