"""Months to years, and years to a period, in one pass. C cells, Y years; NaN is missing, and so is what has too few.

A year with 10 or 11 valid months is completed: a missing month takes the cell's own mean of that calendar month over
all years of the array; without a single such month the year is missing. Scaling by 12 / valid would say that the
missing month is like the others, which is wrong by a factor of ten where a rainy season is missing.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from engine.kernels._compile import helper, kernel
from engine.kernels.arrays import by_cell, shapes, single
from engine.kernels.face import of_cells

Months = NDArray[np.floating]
Floats = NDArray[np.float64]

MONTHS = 12
#: a year with fewer valid months is missing
MIN_MONTHS = 10
_MAXIMUM, _MINIMUM, _MEAN, _SURPLUS = range(4)


@of_cells("months", axes=2)
def annual_maximum(months: ArrayLike) -> Floats:
    """Largest month of each year.

    months  : (C, Y, 12)
    returns : (C, Y) float64, NaN in a year with fewer than 10 valid months. In a year with 10 or 11 the missing ones
              count with the mean of their calendar month: a little low, as a mean is below the largest of its years
    raises  : ValueError when the last axis is not twelve months
    """
    return _reduce(months, None, _MAXIMUM)


@of_cells("months", axes=2)
def annual_minimum(months: ArrayLike) -> Floats:
    """Smallest month of each year; otherwise as `annual_maximum`."""
    return _reduce(months, None, _MINIMUM)


@of_cells("months", axes=2)
def annual_mean(months: ArrayLike) -> Floats:
    """Mean of the months of each year, each counted alike; otherwise as `annual_maximum`."""
    return _reduce(months, None, _MEAN)


@of_cells("gain", axes=2)
def annual_surplus(gain: ArrayLike, loss: ArrayLike) -> Floats:
    """Sum over the year's months of max(gain - loss, 0): months with a deficit give nothing.

    gain, loss : (C, Y, 12), the same unit; a month is valid when both are
    returns    : (C, Y) float64, NaN with fewer than 10 valid months. In a year with 10 or 11 the missing part, gain or
                 loss or both, is the mean of its calendar month; the part that is there is kept
    raises     : ValueError when shapes differ or the last axis is not twelve months
    """
    return _reduce(gain, loss, _SURPLUS)


@of_cells("years")
def period_mean(years: ArrayLike, columns: slice, min_share: float) -> NDArray[np.float64]:
    """Mean of the valid years of a period.

    years     : (C, Y)
    columns   : of the period's years, a slice with start and stop
    min_share : of the period's years that must be valid, 0..1
    returns   : (C,) float64, NaN in a cell with fewer (or none)
    raises    : ValueError when years is not a matrix that holds these columns
    """
    values = by_cell(years, "years")
    if values.ndim != 2 or not 0 <= columns.start < columns.stop <= values.shape[1]:
        raise ValueError(f"no columns {columns.start}..{columns.stop} in years of shape {values.shape}")
    out = np.empty(len(values))
    # float64 always, which changes no value: one compiled form, and a matrix of years is small
    _fill_means(np.require(values[:, columns], np.float64, ["C", "A", "W"]), min_share, out)
    return out


def _reduce(months: ArrayLike, loss: ArrayLike | None, kind: int) -> Floats:
    first = by_cell(months, "months")
    if first.ndim != 3 or first.shape[2] != MONTHS:
        raise ValueError(f"months are (cells, years, 12), got {first.shape}")
    second = first if loss is None else by_cell(loss, "loss")
    if second.shape != first.shape:
        raise ValueError(f"shapes differ: {shapes((first, second))}")
    dtype = single((first, second))
    out = np.empty(first.shape[:2])
    _fill(np.require(first, dtype, ["C"]), np.require(second, dtype, ["C"]), kind, out)
    return out


@kernel
def _fill(months: Months, loss: Months, kind: int, out: Floats) -> None:
    for c in prange(out.shape[0]):
        gaps = False
        for y in range(out.shape[1]):
            valid, low, high, total = 0, math.inf, -math.inf, 0.0
            for m in range(MONTHS):
                value: float = np.float64(months[c, y, m])
                if kind == _SURPLUS:
                    value = value - np.float64(loss[c, y, m])
                    value = max(value, 0.0) if not math.isnan(value) else value
                if not math.isnan(value):
                    valid += 1
                    low, high, total = min(low, value), max(high, value), total + value
            out[c, y] = _of_year(kind, low, high, total) if valid == MONTHS else math.nan
            gaps = gaps or MIN_MONTHS <= valid < MONTHS
        if gaps:
            _complete(months[c], loss[c], kind, out[c])


@helper
def _of_year(kind: int, low: float, high: float, total: float) -> float:
    if kind == _MAXIMUM:
        return high
    if kind == _MINIMUM:
        return low
    if kind == _MEAN:
        return total / 12.0
    return total * 12.0 / 12.0  # not the same number as the total: it keeps the last bit of what was published


@helper
def _complete(months: Months, loss: Months, kind: int, out: Floats) -> None:
    """Years of one cell, (Y, 12), that lack one or two months -> out (Y,); the others are left as they are."""
    usual, usual_loss = _calendar_means(months), _calendar_means(loss)
    for y in range(out.size):
        valid, low, high, total = 0, math.inf, -math.inf, 0.0
        for m in range(MONTHS):
            value: float = np.float64(months[y, m])
            less: float = np.float64(loss[y, m]) if kind == _SURPLUS else 0.0
            if not math.isnan(value - less):
                valid += 1
            value = usual[m] if math.isnan(value) else value
            less = usual_loss[m] if math.isnan(less) else less
            value = value - less
            if kind == _SURPLUS and value < 0.0:
                value = 0.0
            low, high, total = min(low, value), max(high, value), total + value
        if MIN_MONTHS <= valid < MONTHS:
            # a month that is missing in every year is still NaN, and so is the sum
            out[y] = math.nan if math.isnan(total) else _of_year(kind, low, high, total)


@helper
def _calendar_means(months: Months) -> Floats:
    """(12,) mean over the years of each calendar month, (Y, 12); NaN for one that is never there."""
    out = np.empty(MONTHS)
    for m in range(MONTHS):
        valid, total = 0, 0.0
        for y in range(months.shape[0]):
            value: float = np.float64(months[y, m])
            if not math.isnan(value):
                valid += 1
                total += value
        out[m] = total / valid if valid > 0 else math.nan
    return out


@helper
def _fill_means(years: NDArray[np.float64], min_share: float, out: NDArray[np.float64]) -> None:
    for c in range(out.shape[0]):
        valid, total = 0, 0.0
        for value in years[c]:
            if not math.isnan(value):
                valid += 1
                total += value
        enough = valid > 0 and valid >= min_share * years.shape[1]
        out[c] = total / valid if enough else math.nan
