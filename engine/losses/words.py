"""A loss once in so many years as one sentence, the same on a terminal, in files and on pages."""

from __future__ import annotations

import polars as pl

#: return period that a sentence names, or the rarest below it that the years tell
HEADLINE = 100.0
_LEAST = 0.001  # per cent
#: what the interval of a point of a curve holds, unlike the interval of an AAL
POINT_INTERVAL = "sampling of years alone; damage rates and their level are not in it"


def headline(points: pl.DataFrame) -> dict[str, float | str | None] | None:
    """The point of a curve that a sentence names: 100 years, or the rarest below; None without a point.

    points : `return_period` and further columns, of `curve_of`
    """
    told = points.filter(pl.col("return_period") <= HEADLINE).sort("return_period")
    return told.row(-1, named=True) if told.height else None


def once_in(return_period: float, percent: float, low: float | None = None, high: float | None = None) -> str:
    """`1 in 100 years: 3.2 % of value (90 %: 2.1 to 5 %, extrapolated; sampling of years alone; ...)`.

    Without an interval only the first part.

    percent, low, high : per cent of value; low and high: of a loss that is extrapolated
    """
    text = f"1 in {return_period:g} years: {_figure(percent)} % of value"
    if low is None or high is None:
        return text
    return f"{text} (90 %: {_figure(low)} to {_figure(high)} %, extrapolated; {POINT_INTERVAL})"


def _figure(percent: float) -> str:
    if 0.0 < percent < _LEAST:
        return f"below {_LEAST:g}"
    return f"{percent:.3g}" if percent < 1000.0 else f"{percent:.0f}"
