"""Bin edges of a block's cells: fixed, or quantiles of each cell's own baseline."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.period import Years
from engine.core.scenario import DEFAULT_SCENARIO
from engine.kernels import baseline_quantiles, fitted_quantiles, warm_up
from engine.kernels.lmoments import FITTED
from engine.risks.bins import Bins
from engine.risks.definition import Intensity
from engine.risks.inputs import Inputs
from engine.risks.samples import samples_of

#: a baseline with fewer values (for an atom: values above it) gives no sample quantiles
MIN_BASELINE_VALUES = 10


class Edges(NamedTuple):
    """Edges of the cells of a block.

    inner     : (bins - 1,) for all cells or (cells, bins - 1), the intensity's unit
    fallbacks : cells whose baseline gave no quantiles; None where edges are fixed
    """

    inner: NDArray[np.float64]
    fallbacks: int | None


def edges_of(inputs: Inputs, baseline: Years, intensity: Intensity, bins: Bins) -> Edges:
    """Edges that an edition asks for; cells without quantiles get its fallback."""
    if not bins.of_baseline:
        return Edges(np.asarray(bins.edges, np.float64), None)
    x = samples_of(inputs, intensity, DEFAULT_SCENARIO, baseline)
    quantiles, known = _sample_quantiles(x, bins) if bins.fit is None else _fitted_quantiles(x, bins, bins.fit)
    inner = np.where(known[:, None], quantiles, np.asarray(bins.fallback, np.float64))
    return Edges(inner, int((~known).sum()))


def _sample_quantiles(x: NDArray[np.floating[Any]], bins: Bins) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    valid = ~np.isnan(x)
    enough = valid.sum(axis=1) >= MIN_BASELINE_VALUES
    if bins.atom and bins.lower is not None:
        enough &= (valid & (x > bins.lower)).sum(axis=1) >= MIN_BASELINE_VALUES
    return baseline_quantiles(x, bins.edges), enough


def _fitted_quantiles(
    x: NDArray[np.floating[Any]], bins: Bins, fit: str
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    warm_up(of="fits")  # kernels of few editions: not among those that every run has compiled
    quantiles, code = fitted_quantiles(x, bins.edges, fit=fit, lower=bins.lower, atom=bins.atom)
    return quantiles, code == FITTED
