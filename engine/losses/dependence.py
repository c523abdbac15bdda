"""Share of the sampling errors of many losses that is left in their sum, told by the losses of single years."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

import numpy as np

from engine.losses.factors import SitesOfRisk, cell_weights
from engine.losses.table import TYPHOON, CellYears, added


def dependence(
    cells: Iterable[CellYears], by_risk: Mapping[str, SitesOfRisk], risks: Collection[str] | None = None
) -> float | None:
    """Standard error of a sum of mean losses over the sum of the standard errors of its parts.

    cells   : completed year losses of the sites' cells, a risk each, of one scenario and period
    by_risk : factors of the sites; risks: those of the sum, None: all
    returns : 0..1: 1 where all sites and risks have their bad years together; model years and track years are
              independent. None without a loss that differs from year to year
    """
    apart, climate, track = 0.0, [], 0.0
    for each in cells:
        of_risk, n = by_risk.get(each.risk_type), len(each.years)
        if of_risk is None or n < 2 or (risks is not None and each.risk_type not in risks):
            continue
        weight = cell_weights(each.cells, of_risk)
        apart += float(np.einsum("c,c->", weight, each.loss.std(axis=1, ddof=1))) / math.sqrt(n)
        loss = np.einsum("c,cy->y", weight, each.loss)
        if each.risk_type == TYPHOON:
            track = float(loss.var(ddof=1)) / n
        else:
            climate.append((each.years, loss))
    if apart <= 0.0:
        return None
    total = added(climate)[1] if climate else np.zeros(2)
    return min(math.sqrt(float(total.var(ddof=1)) / len(total) + track) / apart, 1.0)
