"""Months to years, and years to a period, in one pass. C cells, Y years; NaN is missing, and so is what has too few."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from engine.kernels._compile import helper, kernel

#: a year with fewer valid months is missing
MIN_MONTHS = 10
_MAXIMUM, _MINIMUM, _MEAN, _SURPLUS = range(4)


def annual_maximum(months: ArrayLike) -> NDArray[np.float64]:
    """Largest month of each year.

    months  : (C, Y, 12)
    returns : (C, Y) float64, NaN in a year with fewer than 10 valid months
    raises  : ValueError when the last axis is not twelve months
    """
    return _reduce(months, None, _MAXIMUM)


def annual_minimum(months: ArrayLike) -> NDArray[np.float64]:
    """Smallest month of each year; otherwise as `annual_maximum`."""
    return _reduce(months, None, _MINIMUM)


def annual_mean(months: ArrayLike) -> NDArray[np.float64]:
    """Mean of the valid months of each year; otherwise as `annual_maximum`."""
    return _reduce(months, None, _MEAN)


def annual_surplus(gain: ArrayLike, loss: ArrayLike) -> NDArray[np.float64]:
    """Sum over the year's months of max(gain - loss, 0): months with a deficit give nothing.

    gain, loss : (C, Y, 12), the same unit; a month is valid when both are
    returns    : (C, Y) float64, scaled to twelve months when one or two are missing, NaN with fewer than 10
    raises     : ValueError when shapes differ or the last axis is not twelve months
    """
    return _reduce(gain, loss, _SURPLUS)


def period_mean(years: ArrayLike, columns: slice, min_share: float) -> NDArray[np.float64]:
    """Mean of the valid years of a period.

    years     : (C, Y)
    columns   : of the period's years, a slice with start and stop
    min_share : of the period's years that must be valid, 0..1
    returns   : (C,) float64, NaN in a cell with fewer (or none)
    raises    : ValueError when years is not a matrix that holds these columns
    """
    values = np.asarray(years)
    if values.ndim != 2 or not 0 <= columns.start < columns.stop <= values.shape[1]:
        raise ValueError(f"no columns {columns.start}..{columns.stop} in years of shape {values.shape}")
    out = np.empty(len(values))
    # float64 always, which changes no value: one compiled form, and a matrix of years is small
    _fill_means(np.require(values[:, columns], np.float64, ["C", "A", "W"]), min_share, out)
    return out


def _reduce(months: ArrayLike, loss: ArrayLike | None, kind: int) -> NDArray[np.float64]:
    first = np.asarray(months)
    if first.ndim != 3 or first.shape[2] != 12:
        raise ValueError(f"months are (cells, years, 12), got {first.shape}")
    second = first if loss is None else np.asarray(loss)
    if second.shape != first.shape:
        raise ValueError(f"shapes differ: {first.shape} and {second.shape}")
    dtype = np.float32 if first.dtype == second.dtype == np.float32 else np.float64
    out = np.empty(first.shape[:2])
    _fill(np.require(first, dtype, ["C"]), np.require(second, dtype, ["C"]), kind, out)
    return out


@kernel
def _fill(months: NDArray[np.floating], loss: NDArray[np.floating], kind: int, out: NDArray[np.float64]) -> None:
    for c in prange(out.shape[0]):
        for y in range(out.shape[1]):
            valid, low, high, total = 0, math.inf, -math.inf, 0.0
            for m in range(12):
                value: float = np.float64(months[c, y, m])
                if kind == _SURPLUS:
                    value = value - np.float64(loss[c, y, m])
                    value = max(value, 0.0) if not math.isnan(value) else value
                if not math.isnan(value):
                    valid += 1
                    low, high, total = min(low, value), max(high, value), total + value
            if valid < MIN_MONTHS:
                out[c, y] = math.nan
            elif kind == _MAXIMUM:
                out[c, y] = high
            elif kind == _MINIMUM:
                out[c, y] = low
            elif kind == _MEAN:
                out[c, y] = total / valid
            else:
                out[c, y] = total * 12.0 / valid


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
