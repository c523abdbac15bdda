"""Bin edges of a block's cells: fixed, or quantiles of each cell's own baseline."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.period import Years
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.kernels import baseline_quantiles, fitted_quantiles, warm_up
from engine.kernels.estimator import Baseline
from engine.kernels.lmoments import FITTED
from engine.risks.bins import Bins
from engine.risks.definition import Intensity
from engine.risks.inputs import Inputs
from engine.risks.samples import samples_of

#: a monthly risk has this many columns a year
MONTHS = 12

#: a baseline with fewer values (for an atom: values above it) gives no sample quantiles
MIN_BASELINE_VALUES = 10


class Edges(NamedTuple):
    """Edges of the cells of a block.

    inner     : (bins - 1,) for all cells or (cells, bins - 1), the intensity's unit
    fallbacks : cells whose baseline gave no quantiles; None where edges are fixed
    without   : (cells, years, bins - 1), `inner` without each year of the baseline; None where edges are fixed
    """

    inner: NDArray[np.float64]
    fallbacks: int | None
    without: NDArray[np.float64] | None = None

    def of_samples(self, intensity: Intensity, baseline: Years, scenario: Scenario, years: Years) -> Baseline | None:
        """Edges without each year of the baseline, and which year of a scenario's and window's samples that is."""
        if self.without is None:
            return None
        length = self.without.shape[1]
        if intensity.scale is not None:  # the years of the track record, whatever the window
            return Baseline(self.without, np.arange(length, dtype=np.int32))
        at = np.arange(length) + (baseline.first - years.first)
        same = (scenario == DEFAULT_SCENARIO) & (at >= 0) & (at < years.n)
        return Baseline(self.without, np.where(same, at, -1).astype(np.int32))


def edges_of(inputs: Inputs, baseline: Years, intensity: Intensity, bins: Bins) -> Edges:
    """Edges that an edition asks for; cells without quantiles get its fallback."""
    if not bins.of_baseline:
        return Edges(np.asarray(bins.edges, np.float64), None)
    x = samples_of(inputs, intensity, DEFAULT_SCENARIO, baseline)
    inner, without, known = quantile_edges(x, bins, MONTHS if intensity.monthly else 1)
    return Edges(inner, int((~known).sum()), without)


def quantile_edges(
    x: NDArray[np.floating[Any]], bins: Bins, group: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Edges as quantiles of a baseline x (cells, samples), `group` samples a year.

    returns : (cells, bins - 1); the same without each year, (cells, years, bins - 1), by the same rule; and which
              cells have them: the others take the fallback
    """
    quantiles, known = _sample_quantiles(x, bins) if bins.fit is None else _fitted_quantiles(x, bins, bins.fit)
    inner = np.where(known[:, None], quantiles, np.asarray(bins.fallback, np.float64))
    without = np.empty((len(x), x.shape[1] // group, inner.shape[1]))
    for year in range(without.shape[1]):
        rest = np.delete(x, slice(year * group, (year + 1) * group), axis=1)
        if bins.fit is None:
            moved = baseline_quantiles(rest, bins.edges)
        else:
            moved, _ = fitted_quantiles(rest, bins.edges, fit=bins.fit, lower=bins.lower, atom=bins.atom, least=(3, 3))
        without[:, year] = np.where(known[:, None] & ~np.isnan(moved), moved, inner)
    return inner, without, known


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
