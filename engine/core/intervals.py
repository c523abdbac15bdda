"""Intervals of one figure from several causes, each told apart, as one interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def combined(value: ArrayLike, *parts: tuple[ArrayLike, ArrayLike]) -> tuple[Floats, Floats]:
    """Ends of an interval for causes that are independent on the log scale.

    value   : (n,), 0..1 or money, not negative
    parts   : (low, high) of each cause alone, (n,) or numbers, with low <= value <= high; an end beyond the value
              counts as the value. NaN: not known
    returns : low, high: value exp(-+ sqrt(sum of squares of the logs of end / value)); 0 and the largest high where
              the value is 0; NaN where any part is not known
    """
    centre = np.asarray(value, np.float64)
    down, up, most = np.zeros(centre.shape), np.zeros(centre.shape), np.zeros(centre.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        for low, high in parts:
            ends = np.broadcast_to(np.asarray(low, np.float64), centre.shape), np.asarray(high, np.float64)
            unknown = np.isnan(ends[0]) | np.isnan(ends[1])
            down += np.where(unknown, np.nan, np.log(np.maximum(centre / ends[0], 1.0)) ** 2)
            up += np.where(unknown, np.nan, np.log(np.maximum(ends[1] / centre, 1.0)) ** 2)
            most = np.maximum(most, ends[1])
        known = ~np.isnan(down + up) | ((centre == 0.0) & ~np.isnan(most))
        low = np.where(centre > 0.0, centre * np.exp(-np.sqrt(down)), 0.0)
        high = np.where(centre > 0.0, centre * np.exp(np.sqrt(up)), most)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)
