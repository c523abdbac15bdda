"""Intervals of the losses of sites: those of the cell's AAL, scaled as the AAL is; and of sums of losses.

Causes are kept apart until a sum is made. Damage rates and their level are wrong for all sites and risks together:
their ends add. Sampling errors of a sum are at most as wide as the sum of theirs: that is what a site's sum over its
risks takes. Of a portfolio the losses of single years tell which share of it is left (`engine.losses.dependence`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core.intervals import combined

Floats = NDArray[np.float64]
#: of the cells, beside their AAL; null where not known
CELL_ENDS = ("aal_low", "aal_high", "rates_low", "rates_high")
#: of a loss, money: its ends by sampling alone, and by damage rates and level alone; where one is not known, the loss
PARTS = ("sampling_loss_low", "sampling_loss_high", "rates_loss_low", "rates_loss_high")


class Sum(NamedTuple):
    """A sum of losses, money, and its 90 % interval: numbers or (n,) arrays."""

    loss: Floats
    low: Floats
    high: Floats


def scaled(rows: pl.DataFrame, factor: pl.Series, asset: pl.Series, ends: Mapping[str, pl.Series]) -> pl.DataFrame:
    """Rows of AAL of one risk with their intervals.

    rows    : N rows with `final_aal` and `expected_loss`
    factor  : (N,) final AAL over the AAL of the cell, but for its limit of 1
    asset   : (N,) money, null where not stated
    ends    : (N,) each of CELL_ENDS, ratios
    returns : the rows with `final_aal_low`, `final_aal_high` (ratios), `expected_loss_low`, `expected_loss_high`
              (money, rounded half-even), null where they cannot be told; and PARTS, null without a loss
    """
    final, scale, value, loss = (
        each.cast(pl.Float64).fill_null(np.nan).to_numpy()
        for each in (rows["final_aal"], factor, asset, rows["expected_loss"])
    )
    cut = [np.minimum(scale * ends[name].fill_null(np.nan).to_numpy(), 1.0) for name in CELL_ENDS]
    low, high, rates_low, rates_high = (np.where(np.isnan(final), np.nan, end) for end in cut)
    sampling = without(final, (low, high), (rates_low, rates_high))
    parts = (*sampling, rates_low, rates_high)
    money = {name: np.where(np.isnan(end), loss, end * value) for name, end in zip(PARTS, parts, strict=True)}
    whole = {"expected_loss_low": low * value, "expected_loss_high": high * value}
    return rows.with_columns(
        pl.Series("final_aal_low", low).fill_nan(None),
        pl.Series("final_aal_high", high).fill_nan(None),
        *(
            pl.Series(name, np.where(np.isnan(loss), np.nan, np.rint(each))).fill_nan(None).cast(pl.Int64)
            for name, each in whole.items()
        ),
        *(pl.Series(name, np.where(np.isnan(loss), np.nan, each)).fill_nan(None) for name, each in money.items()),
    )


def without(value: Floats, whole: tuple[Floats, Floats], rates: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Ends by one cause alone, of an interval of two that are independent on the log scale, (n,) each.

    whole : ends by both; rates: ends by the other alone, NaN where the interval is of the first alone
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        down = np.log(value / whole[0]) ** 2 - np.log(value / rates[0]) ** 2
        up = np.log(whole[1] / value) ** 2 - np.log(rates[1] / value) ** 2
        low = value * np.exp(-np.sqrt(np.maximum(down, 0.0)))
        high = value * np.exp(np.sqrt(np.maximum(up, 0.0)))
    nothing = ~(value > 0.0)
    return (
        np.where(np.isnan(rates[0]) | nothing | (whole[0] == 0.0), whole[0], low),
        np.where(np.isnan(rates[1]) | nothing, whole[1], high),
    )


def of_sum(loss: Floats | float, parts: Mapping[str, Floats | float], dependence: float = 1.0) -> Sum:
    """Interval of a sum of losses.

    loss       : the sum; parts: sums of each of PARTS
    dependence : standard error of the sum by its sampling, over the sum of the standard errors, 0..1; 1: all are wrong
                 together, which is never too narrow
    """
    whole = np.asarray(loss, np.float64)
    ends = [np.asarray(parts[name], np.float64) for name in PARTS]
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = (np.where(whole > 0.0, whole * (end / whole) ** dependence, end) for end in ends[:2])
    return Sum(whole, *combined(whole, (low, high), (ends[2], ends[3])))
