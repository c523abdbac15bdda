"""Baseline quantiles: the edges of bins that are cut relative to each cell's own climate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.kernels.arrays import by_cell, numbers
from engine.kernels.face import of_cells

Floats = NDArray[np.float64]

SLAB = 1 << 20  # samples sorted at a time, so that a whole grid is not doubled in memory


@of_cells("x")
def baseline_quantiles(x: ArrayLike, q: ArrayLike) -> Floats:
    """Quantiles of the valid samples of each cell, interpolated linearly between order statistics.

    x       : (C, n), the risk's unit; NaN is a missing sample
    q       : (Q,), 0..1
    returns : (C, Q), same unit; NaN for a cell without a valid sample
    raises  : ValueError when x is not a matrix, a sample is infinite or q leaves 0..1
    source  : Hyndman and Fan (1996), doi:10.2307/2684934, definition 7 (numpy's default)
    """
    x, q = by_cell(x, "x"), numbers(q, "q").astype(np.float64)
    if x.ndim != 2 or x.dtype.kind not in "fiu":
        raise ValueError(f"samples must be numbers of shape (cells, samples), got {x.dtype} {x.shape}")
    if q.ndim != 1 or not ((q >= 0) & (q <= 1)).all():
        raise ValueError(f"quantiles must be a list of numbers 0..1, got {q.tolist()}")
    cells, n = x.shape
    out = np.full((cells, len(q)), np.nan)
    if n == 0:
        return out
    step = max(1, SLAB // n)
    for start in range(0, cells, step):
        ordered = np.sort(x[start : start + step].astype(np.float64), axis=1)  # NaN last
        if infinite := np.count_nonzero(np.isinf(ordered)):
            raise ValueError(f"{infinite} samples in cells {start}..{start + len(ordered) - 1} are infinite")
        valid = n - np.isnan(ordered).sum(axis=1)
        position = np.maximum(valid - 1, 0)[:, None] * q
        below = position.astype(np.int64)
        weight = position - below
        left = np.take_along_axis(ordered, below, axis=1)
        right = np.take_along_axis(ordered, np.minimum(below + 1, np.maximum(valid - 1, 0)[:, None]), axis=1)
        step_up = right - left
        # from the nearer end, as numpy does, so that the result never leaves left..right
        out[start : start + step] = np.where(weight < 0.5, left + step_up * weight, right - step_up * (1 - weight))
    return out
