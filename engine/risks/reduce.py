"""Years to periods, values to 0..1. Missing stays missing: NaN never becomes a number.

C cells, Y years.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import kernels
from engine.core.period import Years

Floats = NDArray[np.floating[Any]]
#: a mean over a period needs this share of its years, as a probability does
MIN_SHARE_OF_YEARS = 0.8


def period_mean(years: Floats, axis: Years, period: Years) -> NDArray[np.float64]:
    """Mean over the years of a period, (C, Y) -> (C,); NaN when more than a fifth of them are missing."""
    return kernels.period_mean(years, axis.columns_of(period), MIN_SHARE_OF_YEARS)


def between(x: Floats, zero_at: float, one_at: float) -> NDArray[np.float64]:
    """0 at `zero_at`, 1 at `one_at`, linear between and clipped; `one_at` may be the smaller (cold)."""
    return np.clip((np.asarray(x, np.float64) - zero_at) / (one_at - zero_at), 0.0, 1.0)


def through(x: Floats, knots: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Piecewise linear through (value, score) knots, constant outside."""
    values, scores = zip(*knots, strict=True)
    scored: NDArray[np.float64] = np.interp(np.asarray(x, np.float64), values, scores)  # NaN stays NaN
    return scored
