"""Interval of an AAL by its damage rates: how uncertain rates are that were fitted to losses."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from engine.kernels._compile import kernel
from engine.kernels.arrays import numbers
from engine.kernels.face import checked

Floats = NDArray[np.float64]


@checked
def drawn_interval(p: ArrayLike, draws: ArrayLike) -> tuple[Floats, Floats]:
    """5 and 95 % quantiles of the AAL over joint draws of the damage rates.

    p       : (C, m), bin probabilities; NaN where a cell has none
    draws   : (D, m), share of value lost in each bin, 0..1, a draw a row; D at least 2
    returns : low, high, (C,), share of value a year: quantiles of sum_i p_i d_i, linear between draws
    raises  : ValueError when the numbers of bins disagree, for a single draw, rates outside 0..1 and draws all of 0
    """
    shares, rates = (np.ascontiguousarray(numbers(x, name), np.float64) for x, name in ((p, "p"), (draws, "draws")))
    if shares.ndim != 2 or rates.ndim != 2 or shares.shape[1] != rates.shape[1]:
        raise ValueError(f"bins disagree: probabilities {shares.shape}, draws {rates.shape}")
    if len(rates) < 2:
        raise ValueError(f"{len(rates)} draws of the damage rates: an interval needs two or more")
    if outside := int((~((rates >= 0.0) & (rates <= 1.0))).sum()):
        raise ValueError(f"{outside} of {rates.size} drawn damage rates are outside 0..1")
    if not rates.any():
        raise ValueError(f"every one of {len(rates)} draws is 0: they say nothing of how uncertain rates are")
    low, high = np.empty(len(shares)), np.empty(len(shares))
    _fill(shares, rates, 0.05 * (len(rates) - 1), low, high)
    return low, high


@kernel
def _fill(p: Floats, draws: Floats, position: float, low: Floats, high: Floats) -> None:
    below = math.floor(position)
    kept, share = int(below) + 2, position - below
    for c in prange(p.shape[0]):
        # the few smallest and the few largest alone: sorting all draws of a cell takes five times as long
        smallest, largest = np.full(kept, np.inf), np.full(kept, -np.inf)
        for d in range(draws.shape[0]):
            aal = 0.0
            for i in range(p.shape[1]):
                aal += p[c, i] * draws[d, i]
            if aal < smallest[kept - 1]:
                k = kept - 1
                while k > 0 and smallest[k - 1] > aal:
                    smallest[k] = smallest[k - 1]
                    k -= 1
                smallest[k] = aal
            if aal > largest[kept - 1]:
                k = kept - 1
                while k > 0 and largest[k - 1] < aal:
                    largest[k] = largest[k - 1]
                    k -= 1
                largest[k] = aal
        if math.isnan(p[c, 0]):
            low[c] = high[c] = math.nan
        else:
            low[c] = smallest[kept - 2] + share * (smallest[kept - 1] - smallest[kept - 2])
            high[c] = largest[kept - 2] + share * (largest[kept - 1] - largest[kept - 2])
