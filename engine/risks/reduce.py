"""Months to years, years to periods, values to 0..1. Missing stays missing: NaN never becomes a number.

C cells, Y years.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.period import Years

Floats = NDArray[np.floating[Any]]
#: a year with fewer valid months is missing
MIN_MONTHS = 10
#: a mean over a period needs this share of its years, as a probability does
MIN_SHARE_OF_YEARS = 0.8


def _annual(months: Floats, identity: float, ufunc: np.ufunc) -> NDArray[np.float64]:
    missing = np.isnan(months)
    enough = (~missing).sum(axis=2) >= MIN_MONTHS
    reduced = ufunc.reduce(np.where(missing, months.dtype.type(identity), months), axis=2, dtype=None)
    return np.where(enough, reduced, np.nan).astype(np.float64)


def annual_maximum(months: Floats) -> NDArray[np.float64]:
    """(C, Y, 12) -> (C, Y); NaN in a year with fewer than 10 valid months."""
    return _annual(months, -np.inf, np.maximum)


def annual_minimum(months: Floats) -> NDArray[np.float64]:
    """(C, Y, 12) -> (C, Y); NaN in a year with fewer than 10 valid months."""
    return _annual(months, np.inf, np.minimum)


def annual_mean(months: Floats) -> NDArray[np.float64]:
    """(C, Y, 12) -> (C, Y); NaN in a year with fewer than 10 valid months."""
    missing = np.isnan(months)
    count = (~missing).sum(axis=2)
    total = np.where(missing, 0.0, months).sum(axis=2, dtype=np.float64)
    return np.where(count >= MIN_MONTHS, total / np.maximum(count, 1), np.nan)


def period_mean(years: Floats, axis: Years, period: Years) -> NDArray[np.float64]:
    """Mean over the years of a period, (C, Y) -> (C,); NaN when more than a fifth of them are missing."""
    part = years[:, axis.columns_of(period)]
    missing = np.isnan(part)
    count = (~missing).sum(axis=1)
    total = np.where(missing, 0.0, part).sum(axis=1, dtype=np.float64)
    return np.where(count >= MIN_SHARE_OF_YEARS * period.n, total / np.maximum(count, 1), np.nan)


def between(x: Floats, zero_at: float, one_at: float) -> NDArray[np.float64]:
    """0 at `zero_at`, 1 at `one_at`, linear between and clipped; `one_at` may be the smaller (cold)."""
    return np.clip((np.asarray(x, np.float64) - zero_at) / (one_at - zero_at), 0.0, 1.0)


def through(x: Floats, knots: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Piecewise linear through (value, score) knots, constant outside."""
    values, scores = zip(*knots, strict=True)
    scored: NDArray[np.float64] = np.interp(np.asarray(x, np.float64), values, scores)  # NaN stays NaN
    return scored
