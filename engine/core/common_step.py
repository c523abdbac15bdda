"""Step of a lattice that is known by its points alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

#: of a coordinate, degrees: six digits, or single precision
_ERRORS = (5e-7, 8e-6)


def common_step(axes: Sequence[NDArray[np.float64]]) -> float | None:
    """The greatest step of which all distances along (n,) ascending axes are multiples; None without one."""
    gaps = np.unique(np.concatenate([np.diff(axis) for axis in axes]))
    if not gaps.size:
        return None
    longest = max(float(axis[-1] - axis[0]) for axis in axes)
    for error in _ERRORS:
        rough: float = reduce(lambda a, b: _common(a, b, error), gaps.tolist())
        step = longest / round(longest / rough)  # the longest distance has the least of the rounding
        off = [np.abs((axis - axis[0]) - np.rint((axis - axis[0]) / step) * step).max() for axis in axes]
        if max(off) <= 4 * error < step / 4:
            short = float(round(step, 6))
            return short if abs(short - step) * longest <= error * step else step
    return None


def _common(first: float, second: float, error: float) -> float:
    """Euclid's greatest common divisor of two distances between coordinates of that error."""
    large, small = max(first, second), min(first, second)
    while True:
        times = round(large / small)
        rest = abs(large - times * small)
        if rest <= 2 * error * (1 + times):
            return small
        large, small = small, rest
