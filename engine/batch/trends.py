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
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.kernels import BinProbabilities, Lines, edges_without, fit_lines, set_on_year, warm_up
from engine.kernels.estimator import Baseline
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


def lines_of(x: Floats, intensity: Intensity, bins: Bins) -> Lines:
    """Lines of all years of a scenario, samples x (C, n)."""
    warm_up(of="trend")  # kernels of few editions: not among those that every run has compiled
    group, line = MONTHS if intensity.monthly else 1, intensity.line
    return fit_lines(x, group=group, curved=line.curved, logs=line.logs, lower=bins.lower)


def set_on(x: Floats, lines: Lines, at: int, bins: Bins, inner: NDArray[np.float64]) -> Samples:
    """All years of a scenario set on one of them, counted from the first; edges (C, m - 1) or (C, Y, m - 1) without
    each of the years."""
    found = set_on_year(x, lines, at, lower=bins.lower)
    moved = edges_without(found, inner)
    return Samples(found.x, Baseline(moved, np.arange(moved.shape[1], dtype=np.int32), near=inner.ndim < 3))


def as_they_are(x: Floats, lines: Lines, bins: Bins, own: Baseline | None) -> Samples:
    """All years of a scenario, to be smoothed by their scatter about the lines in the middle of the years."""
    middle = (lines.distances.shape[1] - 1) / 2
    return Samples(x, own, _spread(set_on_year(x, lines, middle, lower=bins.lower).x))


def samples_of_pair(
    inputs: Inputs, intensity: Intensity, bins: Bins, edges: Edges, baseline: Years, pair: Pair
) -> Samples:
    """Samples of a scenario and window by the rule of the edition: those of the window's years; under a trend all years
    of the scenario, set on the middle year of the window, or as they are for the whole axis."""
    if bins.trend is None:
        x = samples_of(inputs, intensity, pair.scenario, pair.years)
        return Samples(x, edges.of_samples(intensity, baseline, pair.scenario, pair.years))
    axis = inputs.panel.axis
    x = samples_of(inputs, intensity, pair.scenario, axis)
    lines = _lines(inputs, intensity, bins, pair.scenario, x)
    own = edges.of_samples(intensity, baseline, pair.scenario, axis)
    if pair.period == FULL:
        return as_they_are(x, lines, bins, own)
    at = pair.years.middle - axis.first
    if own is None:
        return set_on(x, lines, at, bins, edges.inner)
    if pair.scenario == DEFAULT_SCENARIO:  # years of the baseline leave edges and lines at once
        without = np.repeat(edges.inner[:, None], axis.n, axis=1)
        without[:, own.shared] = own.without
        return set_on(x, lines, at, bins, without)
    samples = set_on(x, lines, at, bins, edges.inner)
    moved = cast("Baseline", samples.baseline)
    both = np.concatenate([own.without, moved.without], axis=1)
    return samples._replace(baseline=Baseline(both, np.concatenate([own.shared, moved.shared])))


def _lines(inputs: Inputs, intensity: Intensity, bins: Bins, scenario: Scenario, x: Floats) -> Lines:
    """Lines of a scenario, once for its windows that follow each other."""
    key, memo = ("lines", bins.intensity, scenario), inputs.memo
    if key not in memo:
        for other in [name for name in memo if isinstance(name, tuple) and name[0] == "lines"]:
            del memo[other]  # as large as the samples
        memo[key] = lines_of(x, intensity, bins)
    lines: Lines = memo[key]
    return lines


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
