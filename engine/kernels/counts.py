"""Bin probabilities as shares of samples: for cells with too few of them, or too little spread, to be smoothed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.kernels._compile import light

Floats = NDArray[np.float64]


@light
def bin_of(sample: float, edges: Floats, lower: float) -> int:
    """Bin of a sample, counted from 0; bins hold their lower edge. A sample at `lower` (NaN: none) is in bin 0
    even if an edge collapsed onto it: no event costs what no event costs."""
    if sample <= lower:
        return 0
    bin_ = 0
    for k in range(edges.size):
        if sample >= edges[k]:
            bin_ += 1
    return bin_


@light
def fill_shares(x: Floats, n: int, edges: Floats, lower: float, rates: Floats, p: Floats, g: Floats) -> None:
    """Share of the first n samples x in each bin -> p (m,), damage rate of each sample -> g."""
    for i in range(p.size):
        p[i] = 0.0
    for j in range(n):
        bin_ = bin_of(x[j], edges, lower)
        p[bin_] += 1.0
        g[j] = rates[bin_]
    for i in range(p.size):
        p[i] /= n


@light
def share_below(x: Floats, n: int, t: float, lower: float) -> float:
    """Share of the first n samples x below t; a sample at `lower` is below every edge, as in `bin_of`."""
    below = 0
    for j in range(n):
        below += x[j] < t or x[j] <= lower
    return below / n
