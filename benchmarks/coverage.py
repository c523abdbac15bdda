"""Coverage of the 90 % interval of the AAL: climates of known AAL, thousands of draws of each.

An edition's edges that are quantiles are drawn as well: of 30 other years of the same climate, once as sample quantiles
(what 2025-11 and 2025-12 take) and once of a fitted distribution (what 2026-kr takes). The truth is then the loss at
the quantiles of the climate itself.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from benchmarks.harness import Options
from benchmarks.truths import Truth, truths
from engine import kernels
from engine.batch.edges import MONTHS, quantile_edges
from engine.batch.estimates import estimate
from engine.kernels.estimator import Baseline
from engine.kernels.normal import Z95
from engine.risks import RISKS, load_edition
from engine.risks.bins import Bins

DRAWS, YEARS, BASELINE = 3000, (20, 30, 80), 30
FAMILY = {"river_flood": "gev", "extreme_heat": "gamma", "extreme_cold": "gamma"}


def measure(options: Options) -> list[dict[str, Any]]:
    """One row a climate, kind of edges and number of years."""
    return table(options.cells or DRAWS, YEARS, options.seed)


def table(draws: int, years: tuple[int, ...], seed: int) -> list[dict[str, Any]]:
    """Bias, coverage and misses on each side, per cent, of so many draws of each climate."""
    kernels.warm_up()
    rows = []
    for number, truth in enumerate(truths()):
        for edges, bins in _kinds(truth):
            for n in years:
                random = np.random.default_rng([seed, number, n])
                rows.append({"risk": truth.risk, "edition": truth.edition, "climate": truth.name, "edges": edges,
                             "years": n, **cover(truth, bins, draws, n, random)})  # fmt: skip
    return rows


def _kinds(truth: Truth) -> list[tuple[str, Bins]]:
    bins = load_edition(truth.edition).bins[truth.risk]
    if not bins.of_baseline:
        return [("fixed", bins)]
    if bins.fit is not None:
        return [("fitted", bins)]
    return [("sample", bins), ("fitted", dataclasses.replace(bins, fit=FAMILY[truth.risk]))]


def cover(truth: Truth, bins: Bins, draws: int, years: int, random: np.random.Generator) -> dict[str, float]:
    """Draws of one climate against its truth.

    returns : per cent: bias of the AAL; intervals that hold the truth, lie wholly below it, lie above it (of those that
              are told), and that cannot be told; and what the AAL with 1.645 standard errors on each side holds
    """
    x, edges, baseline = truth.draw(random, draws, years), np.asarray(bins.edges), None
    rates = np.asarray(bins.rates)
    right = edges
    if bins.of_baseline:
        assert truth.level is not None
        right = truth.level(edges)
        group = MONTHS if RISKS[truth.risk].intensities[bins.intensity].monthly else 1
        edges, without, _ = quantile_edges(truth.draw(random, draws, BASELINE), bins, group)
        baseline = Baseline(without, np.full(BASELINE, -1, np.int32))
    exact = rates[-1] + (truth.below(right) * (rates[:-1] - rates[1:])).sum()
    intensity = RISKS[truth.risk].intensities[bins.intensity]
    found, _ = estimate(x, edges, bins, intensity, baseline=baseline)
    assert found.aal is not None
    assert found.aal_se is not None
    assert found.aal_low is not None
    assert found.aal_high is not None
    low, high = found.aal_low, found.aal_high
    told = ~np.isnan(low)
    below, above = (high < exact)[told].mean(), (low > exact)[told].mean()
    return {
        "bias %": 100 * (found.aal.mean() / exact - 1),
        "cover %": 100 * (1 - below - above),
        "below %": 100 * below,
        "above %": 100 * above,
        "none %": 100 * (1 - told.mean()),
        "1.645 SE %": 100 * (np.abs(found.aal - exact) <= Z95 * found.aal_se).mean(),
    }
