"""Probabilities and losses of a block's cells by the estimator that the edition chooses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.batch.edges import MONTHS
from engine.kernels import (
    BinProbabilities,
    YearLosses,
    bin_probabilities,
    bin_year_losses,
    fitted_probabilities,
    fitted_year_losses,
)
from engine.kernels.estimator import Baseline
from engine.risks.bins import COUNT, FITTED, Bins
from engine.risks.definition import Intensity


def estimate(
    x: NDArray[np.floating[Any]],
    edges: NDArray[np.float64],
    bins: Bins,
    intensity: Intensity,
    *,
    baseline: Baseline | None = None,
    by_year: bool = False,
    moves: bool = False,
    spread: NDArray[np.float64] | None = None,
) -> tuple[BinProbabilities, YearLosses | None]:
    """Bin probabilities of one scenario and window, and the losses of its years where they are asked for.

    x       : (cells, samples), the intensity's unit; edges: as of `edges_of`
    spread  : (cells,) scatter that smooths, of samples that follow a trend: no one distribution is fitted to these
    returns : without AAL and year losses where the edition does not price the risk
    """
    how: dict[str, Any] = {
        "lower": bins.lower,
        "atom": bins.atom,
        "group": MONTHS if intensity.monthly else 1,
        "span": intensity.span,
        "baseline": baseline,
        "moves": moves,
    }
    fitted = bins.estimator == FITTED and spread is None
    if fitted:
        how["fit"] = bins.fit
    else:
        how["spread"] = spread
    if bins.estimator == COUNT:
        how["min_kde_samples"] = x.shape[1] + 2  # more than there are: no cell is smoothed
    if by_year and bins.rates is not None:
        with_years = fitted_year_losses if fitted else bin_year_losses
        return with_years(x, edges, damage_rates=bins.rates, **how)
    alone = fitted_probabilities if fitted else bin_probabilities
    return alone(x, edges, damage_rates=bins.rates, **how), None
