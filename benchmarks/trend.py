"""Error of the AAL of windows in climates that rise: by a trend, and as if the years of a window were alike.

The climates are those of `truths.rising`, each along several courses. A trend is measured against the AAL of the
window's middle year, the other against the mean of the window's years: each against what it says it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import Options
from benchmarks.truths import Rising, rising
from engine import kernels
from engine.batch.estimates import estimate
from engine.batch.trends import along_line, as_they_are, lines_of, set_on, with_errors
from engine.core.period import FIRST_WINDOW, FULL, PERIODS, Years
from engine.kernels import BinProbabilities
from engine.risks import RISKS, load_edition
from engine.risks.bins import Bins
from engine.risks.definition import Intensity

#: courses of which every period is shown
_WHOLE = ("linear", "its own")
DRAWS, AXIS = 2000, Years(*PERIODS[FULL])


def measure(options: Options) -> list[dict[str, Any]]:
    """One row a climate, course and period; of courses that are not straight the first window."""
    return table(options.cells or DRAWS, options.seed)


def table(draws: int, seed: int) -> list[dict[str, Any]]:
    """Bias and error of both, of so many draws of each climate."""
    kernels.warm_up()
    rows = []
    for number, truth in enumerate(rising()):
        for period in PERIODS if truth.course in _WHOLE else (FIRST_WINDOW,):
            random = np.random.default_rng([seed, number])
            rows.append({"risk": truth.risk, "climate": truth.name, "course": truth.course, "period": period,
                         **compare(truth, period, draws, random)})  # fmt: skip
    return rows


def compare(truth: Rising, period: str, draws: int, random: np.random.Generator) -> dict[str, float]:
    """Draws of one climate against its truth.

    returns : bias of both, per cent; error (root mean square) of the trend over that of years that are alike; mean
              standard error over true scatter of the trend; how often its interval holds the truth, per cent of those
              told. NaN where there is no loss, or no scatter, to speak of
    """
    x, window = truth.draw(random, draws, np.arange(AXIS.n)), Years(*PERIODS[period])
    bins = load_edition(truth.edition).bins[truth.risk]
    intensity, inner = RISKS[truth.risk].intensities[bins.intensity], np.asarray(bins.edges)
    at = window.middle - AXIS.first
    years = np.arange(window.first, window.last + 1) - AXIS.first
    mean = float(np.mean([_exact(truth, bins, year) for year in years]))
    exact = mean if period == FULL else _exact(truth, bins, at)
    group = x.shape[1] // AXIS.n
    alike, _ = estimate(x[:, years[0] * group : (years[-1] + 1) * group], inner, bins, intensity)
    found = on_trend(x, bins, intensity, period, at)
    aal, was = np.asarray(found.aal), np.asarray(alike.aal)
    error, low, high = (np.asarray(each) for each in (found.aal_se, found.aal_low, found.aal_high))
    told = ~np.isnan(low)
    if exact < 1e-7:  # of the mean of the window's years: no loss to speak of
        return dict.fromkeys(("AAL %", "bias %", "bias alike %", "error / alike", "SE / scatter", "cover %"), np.nan)
    return {
        "AAL %": 100 * exact,
        "bias %": 100 * (aal.mean() / exact - 1),
        "bias alike %": 100 * (was.mean() / mean - 1),
        "error / alike": float(np.sqrt(((aal - exact) ** 2).mean() / ((was - mean) ** 2).mean())),
        "SE / scatter": float(np.nanmean(error) / aal.std()) if aal.std() > 1e-3 * exact else np.nan,
        "cover %": 100 * float(((low <= exact) & (exact <= high))[told].mean()),
    }


def on_trend(x: np.ndarray[Any, Any], bins: Bins, intensity: Intensity, period: str, at: int) -> BinProbabilities:
    """Estimates of a period under a trend, samples x of the whole axis; at: the period's middle year on it."""
    intensity, inner = along_line(intensity), np.asarray(bins.edges)
    lines = lines_of(x, intensity, bins)
    samples = as_they_are(x, lines, bins, None) if period == FULL else set_on(x, lines, at, bins, inner)
    found, _ = estimate(samples.x, inner, bins, intensity, baseline=samples.baseline, moves=True, spread=samples.spread)
    return with_errors(found, samples.baseline, bins, intensity.span, whole=period == FULL)


def _exact(truth: Rising, bins: Bins, year: int) -> float:
    rates = np.asarray(bins.rates)
    return float(rates[-1] + (truth.below(np.asarray(bins.edges), year) * (rates[:-1] - rates[1:])).sum())
