"""Estimates under a trend: all years of a scenario set on the middle year of a window, and the mean over all years.

A window's AAL is that of its middle year: its samples are all years of the scenario, as they would be in that year
(`kernels.trend`). `full` is the mean over all years: the years as they are, smoothed by the scatter about their lines
instead of their spread, which holds the rise; its standard error is that of neighbouring years from each other, as a
year of the rise stands for itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from engine.batch.changes import apart, jackknife
from engine.batch.edges import MONTHS, Edges
from engine.batch.plan import Pair
from engine.core.period import FULL, Years
from engine.core.scenario import DEFAULT_SCENARIO
from engine.kernels import BinProbabilities, edges_without, set_on_year, warm_up
from engine.kernels.bins import Baseline
from engine.kernels.intervals import ends_of
from engine.risks.bins import Bins
from engine.risks.definition import Intensity
from engine.risks.inputs import Inputs
from engine.risks.samples import samples_of

Floats = NDArray[np.floating[Any]]


class Samples(NamedTuple):
    """Samples of C cells under one scenario and window.

    x        : (C, n), the intensity's unit
    baseline : edges that were estimated, or are met by samples that were moved; None: they are known
    spread   : (C,) scatter that the bandwidth is made of; None: that of the samples
    """

    x: Floats
    baseline: Baseline | None
    spread: NDArray[np.float64] | None = None


def along_line(intensity: Intensity) -> Intensity:
    """The intensity as its distances from a line are: their years depend on each other by the line's span."""
    return replace(intensity, span=intensity.line.span)


def samples_on_line(
    inputs: Inputs, intensity: Intensity, bins: Bins, edges: Edges, baseline: Years, pair: Pair
) -> Samples:
    """All years of the pair's scenario, set on the middle year of its window; as they are for the whole axis."""
    warm_up(of="trend")  # kernels of few editions: not among those that every run has compiled
    axis, line = inputs.panel.axis, intensity.line
    x = samples_of(inputs, intensity, pair.scenario, axis)
    own = edges.of_samples(intensity, baseline, pair.scenario, axis)
    on = axis.middle if pair.period == FULL else pair.years.middle
    found = set_on_year(
        x,
        on - axis.first,
        group=MONTHS if intensity.monthly else 1,
        curved=line.curved,
        logs=line.logs,
        lower=bins.lower,
    )
    if pair.period == FULL:
        return Samples(x, own, _spread(found.x))
    moved = edges_without(found, edges.inner)
    years = np.arange(axis.n, dtype=np.int32)
    if own is None:
        return Samples(found.x, Baseline(moved, years))
    if pair.scenario != DEFAULT_SCENARIO:  # the baseline's years are others
        both = np.concatenate([own.without, moved], axis=1)
        return Samples(found.x, Baseline(both, np.concatenate([own.shared, years])))
    first = int(own.shared[0])
    without = np.repeat(edges.inner[:, None], axis.n, axis=1)
    without[:, first : first + own.shared.size] = own.without
    return Samples(found.x, Baseline(edges_without(found, without), years))


def with_errors(
    found: BinProbabilities, baseline: Baseline | None, bins: Bins, span: int, *, whole: bool
) -> BinProbabilities:
    """Estimates with a standard error that holds the error of the line; of the whole axis, with an interval as well.

    found : with its `moves`; whole: of all years as they are
    """
    rates = bins.rates
    if rates is None or found.moves is None:
        return found
    aal, error = cast("NDArray[np.float64]", found.aal), cast("NDArray[np.float64]", found.aal_se)
    parts, others = apart(found.moves, baseline)
    variance, degrees = jackknife(parts, span, drift=whole)
    if others.size:
        more, fewer = jackknife(others, span)
        variance, degrees = variance + more, min(degrees, fewer)
    told = ~np.isnan(error)
    changed: dict[str, Any] = {"aal_se": np.where(told, np.sqrt(variance), np.nan)}
    if whole:
        low, high = ends_of(aal, np.where(told, variance, np.nan), degrees, min(rates), max(rates))
        changed |= {"aal_low": low, "aal_high": high}
    return replace(found, **changed)


def _spread(x: Floats) -> NDArray[np.float64]:
    """(C,) standard deviation of the samples of each cell; NaN with fewer than two."""
    valid = ~np.isnan(x)
    n = valid.sum(axis=1)
    mean = np.where(valid, x, 0.0).sum(axis=1) / np.maximum(n, 1)
    squares = np.where(valid, (x - mean[:, None]) ** 2, 0.0).sum(axis=1)
    return np.where(n > 1, np.sqrt(squares / np.maximum(n - 1, 1)), np.nan)
