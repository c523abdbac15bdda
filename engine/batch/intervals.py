"""Intervals of the AAL of an edition: sampling as the kernels tell it, damage rates and their level as the edition
states them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from engine.core.intervals import combined
from engine.kernels import BinProbabilities, drawn_interval
from engine.risks.bins import Bins
from engine.risks.edition_draws import Rates

Floats = NDArray[np.float64]


class Ends(NamedTuple):
    """90 % intervals of N AALs, NaN where they cannot be told.

    low, high : by all that is known: sampling of years, damage rates, level
    rates     : low and high by damage rates and level alone; None where the edition states neither
    """

    low: Floats
    high: Floats
    rates: tuple[Floats, Floats] | None = None


def ends_of(found: Sequence[BinProbabilities], bins: Bins, draws: Rates | None) -> Ends:
    """Intervals of the AALs of one risk, the cells of one estimate after those of the other.

    draws : of the edition for this risk, before the factor; None: it has none

    Sampling, rates and level are independent on the log scale. An edition without draws and factor says nothing of its
    rates: the interval is that of the sampling.
    """
    n = sum(len(each.p) for each in found)
    if any(each.aal is None for each in found):
        return Ends(np.full(n, np.nan), np.full(n, np.nan))
    aal, low, high = (
        np.concatenate([cast("Floats", getattr(each, name)) for each in found])
        for name in ("aal", "aal_low", "aal_high")
    )
    parts = []
    if draws is not None:
        value = bins.factor.value if bins.factor else 1.0
        parts.append(drawn_interval(np.concatenate([each.p for each in found]), value * np.asarray(draws)))
    if bins.factor is not None:
        parts.append((aal * (bins.factor.low / bins.factor.value), aal * (bins.factor.high / bins.factor.value)))
    if not parts:
        return Ends(low, high)
    by_rates = combined(aal, *parts)
    whole = combined(aal, (low, high), by_rates)
    return Ends(whole[0], np.minimum(whole[1], 1.0), (by_rates[0], np.minimum(by_rates[1], 1.0)))
