"""Probabilities and losses of a block's cells by the estimator that the edition chooses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.kernels import BinProbabilities, bin_probabilities, fitted_probabilities
from engine.risks.bins import COUNT, FITTED, Bins

#: a monthly risk has this many columns a year: its standard error groups them
MONTHS = 12


def estimate(
    x: NDArray[np.floating[Any]], edges: NDArray[np.float64], bins: Bins, *, monthly: bool
) -> BinProbabilities:
    """Bin probabilities of one scenario and window; without an AAL where the edition does not price the risk.

    x     : (cells, samples), the intensity's unit; edges: as of `edges_of`
    """
    group = MONTHS if monthly else 1
    if bins.estimator == FITTED and bins.fit is not None:
        return fitted_probabilities(
            x, edges, fit=bins.fit, lower=bins.lower, atom=bins.atom, damage_rates=bins.rates, group=group
        )
    # with more samples asked for than there are, no cell is smoothed
    least = {"min_kde_samples": x.shape[1] + 2} if bins.estimator == COUNT else {}
    return bin_probabilities(x, edges, lower=bins.lower, atom=bins.atom, damage_rates=bins.rates, group=group, **least)
