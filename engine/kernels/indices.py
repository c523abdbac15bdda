"""Yearly climate indices and monthly means from daily data. C cells, D days, Y years.

Each kernel passes once over a (C, D) float32 block of whole years; sums run in float64. Definitions are those of the
ETCCDI (Zhang et al. 2011, doi:10.1002/wcc.147) as the library xclim states them, and equal it number for number:

- A year is missing with more than 15 days missing, or more than 3 in one month (ETCCDI). Within that, a missing day is
  passed over: it counts for nothing, ends a spell, and closes no window of five days. It is never taken as dry.
- A monthly sum with a missing day is missing. A monthly mean allows 10 missing days and 4 in a row (WMO-No. 1203,
  2017, section 4.4.1).
- Spells end with the year. `rain_indices` may let dry spells go on: then one belongs, whole, to the year it begins in.
- The five days of `rx5day` belong to the year of the last of them; the first four days of a record close no window.
- Percentiles come from the base years as they are, without resampling of years inside the base period.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import prange
from numpy.typing import NDArray

from engine.core.period import Years
from engine.kernels._compile import helper, kernel
from engine.kernels.arrays import by_cell

Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STANDARD, NOLEAP, DAYS_360 = "standard", "noleap", "360_day"
CALENDARS = (STANDARD, NOLEAP, DAYS_360)

SPELL_DAYS = 6
WET_MM, HEAVY_MM = 1.0, 80.0
HOT_DEGC, TROPICAL_DEGC, FROST_DEGC = 33.0, 25.0, 0.0
PERCENTILE_WINDOW = 5
#: ETCCDI: a year is missing with more days missing than this, in the year or in one of its months
YEAR_GAP, MONTH_GAP = 15, 3
#: WMO-No. 1203: a monthly mean is missing with this many days missing, or this many in a row
WMO_MISSING, WMO_MISSING_RUN = 11, 5


@dataclass(frozen=True, slots=True)
class DayAxis:
    """Days of whole years: from 1 January of the first year to the last day of the last.

    year_starts  : (Y + 1,) index of each 1 January; the last entry is the number of days
    month_starts : (12 * Y + 1,) index of the first of each month
    """

    years: Years
    calendar: str
    year_starts: Ints
    month_starts: Ints

    @classmethod
    def of(cls, years: Years, calendar: str) -> DayAxis:
        """The axis of a calendar; refuses one that is not in `CALENDARS`."""
        if calendar == STANDARD:
            months = np.arange((years.first - 1970) * 12, (years.last - 1969) * 12 + 1).astype("datetime64[M]")
            lengths = np.diff(months.astype("datetime64[D]").astype(np.int64))
        elif calendar == NOLEAP:
            lengths = np.tile([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], years.n)
        elif calendar == DAYS_360:
            lengths = np.full(12 * years.n, 30)
        else:
            raise ValueError(f"unknown calendar {calendar!r}; known: {', '.join(CALENDARS)}")
        month_starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return cls(years, calendar, month_starts[::12].copy(), month_starts)

    @property
    def n(self) -> int:
        """Number of days."""
        return int(self.year_starts[-1])

    @property
    def day_of_year(self) -> Ints:
        """(days,) from 1."""
        return np.concatenate([np.arange(1, length + 1) for length in np.diff(self.year_starts)])

    def date(self, day: int) -> str:
        """`2018-02-28`, in the axis's own calendar."""
        month = int(np.searchsorted(self.month_starts, day, side="right")) - 1
        year, of_year = self.years.first + month // 12, month % 12 + 1
        return f"{year}-{of_year:02d}-{day - int(self.month_starts[month]) + 1:02d}"

    @property
    def longest_year(self) -> int:
        """Days in the calendar's longest year: 366, 365 or 360."""
        return {STANDARD: 366, NOLEAP: 365, DAYS_360: 360}[self.calendar]


def percentile_of_days(x: Float32, axis: DayAxis, base: Years, percent: float) -> Floats:
    """Percentile of each calendar day over the base years, five days around it.

    x       : (C, D), NaN = missing and left out
    base    : years of `axis` that the percentile is taken over
    percent : 0..100
    returns : (C, 366), (C, 365) or (C, 360) by calendar; NaN where no base day is valid
    raises  : ValueError when the shape is not the axis's or the base lies outside it
    source  : quantile estimator 8 of Hyndman and Fan (1996), as ETCCDI's software. Day 366 has a quarter of the
              samples, so days 1..365 are stretched over 1..366.
    """
    x = _check(x, axis)
    columns = axis.years.columns_of(base)
    regular = min(axis.longest_year, 365)
    out = np.empty((len(x), regular))
    _fill_percentiles(x, axis.year_starts[columns.start : columns.stop + 1], percent / 100.0, out)
    return _stretched(out, axis.longest_year) if regular < axis.longest_year else out


def warm_indices(tasmax: Float32, axis: DayAxis, percentile_90: Floats) -> dict[str, Float32]:
    """Warm-spell days, days above the percentile and days of 33 degC or more, by year.

    tasmax        : (C, D), degC
    percentile_90 : (C, longest year), degC, of `percentile_of_days`
    returns       : `wsdi` (days in spells of at least 6), `tx90p`, `hw33`, each (C, Y) days; NaN = missing. A day
                    without a percentile counts as missing for the first two
    raises        : ValueError when shapes disagree
    """
    yearly = _temperature_years(tasmax, axis, percentile_90, 1.0, HOT_DEGC)
    return {"wsdi": yearly[0], "tx90p": yearly[1], "hw33": yearly[2]}


def cold_indices(tasmin: Float32, axis: DayAxis, percentile_10: Floats) -> dict[str, Float32]:
    """Cold-spell days, nights below the percentile, tropical nights, frost days and the yearly minimum.

    tasmin        : (C, D), degC
    percentile_10 : (C, longest year), degC
    returns       : `csdi`, `tn10p`, `tr25` (at least 25 degC), `fd0` (below 0 degC), each (C, Y) days, and `tnn`,
                    degC; NaN = missing
    raises        : ValueError when shapes disagree
    """
    yearly = _temperature_years(tasmin, axis, percentile_10, -1.0, TROPICAL_DEGC)
    return {"csdi": yearly[0], "tn10p": yearly[1], "tr25": yearly[2], "fd0": yearly[3], "tnn": yearly[4]}


def rain_indices(pr: Float32, axis: DayAxis, *, spells_cross_years: bool = False) -> dict[str, Float32]:
    """Largest sums of one and five days, longest dry spell, days of 80 mm, mean of wet days.

    pr      : (C, D), mm/day
    spells_cross_years : dry spells go on over New Year, and belong to the year they begin in
    returns : `rx1day`, `rx5day` mm, `cdd`, `rain80` days, `sdii` mm/day (0 in a year without a day of 1 mm), each
              (C, Y); NaN = missing
    raises  : ValueError when the shape is not the axis's
    """
    pr = _check(pr, axis)
    out = np.empty((5, len(pr), axis.years.n), np.float32)
    _fill_rain(pr, axis.month_starts, spells_cross_years, out)
    return {"rx1day": out[0], "rx5day": out[1], "cdd": out[2], "rain80": out[3], "sdii": out[4]}


def monthly_means(x: Float32, axis: DayAxis) -> Float32:
    """(C, 12 * Y) mean of each month's valid days; NaN with 11 days missing, or 5 in a row."""
    return _means(x, axis, axis.month_starts, WMO_MISSING, WMO_MISSING_RUN).astype(np.float32)


def monthly_sums(x: Float32, axis: DayAxis) -> Float32:
    """(C, 12 * Y) sum of each month; NaN with a missing day."""
    lengths = np.diff(axis.month_starts)
    return np.asarray(_means(x, axis, axis.month_starts, 1, 1) * lengths, np.float32)


def yearly_means(x: Float32, axis: DayAxis) -> Float32:
    """(C, Y) mean of each year's valid days; NaN with more than 15 days missing, or more than 3 in one month."""
    _check(x, axis)
    out = np.empty((len(x), axis.years.n))
    _fill_yearly_means(x, axis.month_starts, out)
    return out.astype(np.float32)


def _check(x: Float32, axis: DayAxis) -> Float32:
    x = by_cell(x, "x")
    if x.ndim != 2 or x.shape[1] != axis.n:
        raise ValueError(f"{x.shape=}, but the axis {axis.years} ({axis.calendar}) has {axis.n} days")
    return x


def _temperature_years(x: Float32, axis: DayAxis, limit: Floats, sign: float, level: float) -> Float32:
    x = _check(x, axis)
    if limit.shape != (len(x), axis.longest_year):
        raise ValueError(f"{limit.shape=}, expected {(len(x), axis.longest_year)}")
    out = np.empty((5, len(x), axis.years.n), np.float32)
    _fill_temperature(x, limit, sign, level, axis.month_starts, out)
    return out


def _means(x: Float32, axis: DayAxis, starts: Ints, missing: int, run: int) -> Floats:
    x = _check(x, axis)
    out = np.empty((len(x), len(starts) - 1))
    _fill_means(x, starts, missing, run, out)
    return out


def _stretched(regular: Floats, days: int) -> Floats:
    """(C, 365) -> (C, 366) by linear interpolation; written as scipy's `interp1d` computes it, bit for bit."""
    known, wanted = np.linspace(1, days, regular.shape[1]), np.arange(1, days + 1)
    upper = np.searchsorted(known, wanted).clip(1, len(known) - 1)
    lower = upper - 1
    slope = (regular[:, upper] - regular[:, lower]) / (known[upper] - known[lower])
    return np.asarray(slope * (wanted - known[lower]) + regular[:, lower])


@kernel
def _fill_percentiles(x: Float32, starts: Ints, share: float, out: Floats) -> None:
    years, days = len(starts) - 1, out.shape[1]
    half = PERCENTILE_WINDOW // 2
    for c in prange(x.shape[0]):
        # the values of one calendar day, sorted once: each takes part in the windows of five days
        columns, counts = np.empty((days + 2 * half, years)), np.zeros(days + 2 * half, np.int64)
        for column in range(days + 2 * half):
            n = 0
            for y in range(years):
                # the window runs over the days of the base period, so it stops at its two ends
                t = starts[y] + column - half
                if starts[0] <= t < starts[years] and not math.isnan(x[c, t]):
                    columns[column, n] = x[c, t]
                    n += 1
            counts[column] = n
            columns[column, :n].sort()
        for day in range(days):
            window = slice(day, day + PERCENTILE_WINDOW)
            out[c, day] = _quantile_8(columns[window], counts[window], share)


@helper
def _quantile_8(columns: Floats, counts: Ints, share: float) -> float:
    """Median-unbiased quantile of sorted columns. Both branches round as numpy's linear interpolation does."""
    n = counts.sum()
    if n == 0:
        return math.nan
    third = 1.0 / 3.0
    position = n * share + (third + share * (1.0 - third - third)) - 1.0
    below = min(max(int(position), 0), n - 1)
    low, high = _neighbours(columns, counts, below)
    if position >= n - 1 or position < 0.0:
        return low
    weight = position - below
    step = high - low
    if weight >= 0.5:
        return float(high - step * (1.0 - weight))
    return float(low + step * weight)


@helper
def _neighbours(columns: Floats, counts: Ints, below: int) -> tuple[float, float]:
    """The values at two ranks, `below` and the next, of all columns together: merged from the nearer end."""
    n = counts.sum()
    low, high = math.nan, math.nan
    taken = np.zeros(len(counts), np.int64)
    if 2 * below < n:
        for _ in range(min(below + 2, n)):
            best = -1
            for k in range(len(counts)):
                if taken[k] < counts[k] and (best < 0 or columns[k, taken[k]] < columns[best, taken[best]]):
                    best = k
            low, high = high, columns[best, taken[best]]
            taken[best] += 1
        return (high, high) if n == 1 else (low, high)
    for _ in range(n - below):
        best = -1
        for k in range(len(counts)):
            if taken[k] < counts[k] and (
                best < 0 or columns[k, counts[k] - 1 - taken[k]] > columns[best, counts[best] - 1 - taken[best]]
            ):
                best = k
        low, high = columns[best, counts[best] - 1 - taken[best]], low
        taken[best] += 1
    return low, high


@helper
def _enough(x: Float32, limit: Floats, with_limit: bool, months: Ints) -> bool:
    """Check whether gaps of a year are within ETCCDI's. x: every day; months: (13,) where the year's months begin."""
    absent = 0
    for m in range(12):
        of_month = 0
        for t in range(months[m], months[m + 1]):
            of_month += math.isnan(x[t]) or (with_limit and math.isnan(limit[t - months[0]]))
        if of_month > MONTH_GAP:
            return False
        absent += of_month
    return absent <= YEAR_GAP


@kernel
def _fill_temperature(x: Float32, limit: Floats, sign: float, level: float, months: Ints, out: Float32) -> None:
    for c in prange(x.shape[0]):
        for y in range(out.shape[2]):
            first, last = months[12 * y], months[12 * y + 12]
            run, in_spells, beyond, at_level, frost = 0, 0, 0, 0, 0
            lowest = math.inf
            for t in range(first, last):
                value = float(x[c, t])
                if sign * value > sign * limit[c, t - first]:  # never true for a missing one
                    beyond += 1
                    run += 1
                    if run == SPELL_DAYS:
                        in_spells += SPELL_DAYS
                    elif run > SPELL_DAYS:
                        in_spells += 1
                else:
                    run = 0
                if not math.isnan(value):
                    at_level += value >= level
                    frost += value < FROST_DEGC
                    lowest = min(lowest, value)
            of_year = months[12 * y : 12 * y + 13]
            compared, measured = _enough(x[c], limit[c], True, of_year), _enough(x[c], limit[c], False, of_year)
            out[0, c, y] = in_spells if compared else math.nan
            out[1, c, y] = beyond if compared else math.nan
            out[2, c, y] = at_level if measured else math.nan
            out[3, c, y] = frost if measured else math.nan
            out[4, c, y] = lowest if measured else math.nan


@kernel
def _fill_rain(pr: Float32, months: Ints, spells_cross_years: bool, out: Float32) -> None:
    years = out.shape[2]
    for c in prange(pr.shape[0]):
        longest = np.zeros(years)
        dry, began = 0, 0
        for y in range(years):
            largest, largest_5, wet_sum = 0.0, -math.inf, 0.0
            wet, heavy = 0, 0
            if not spells_cross_years:
                dry = 0
            for t in range(months[12 * y], months[12 * y + 12]):
                value = float(pr[c, t])
                if value < WET_MM:
                    if dry == 0:
                        began = y
                    dry += 1
                    longest[began] = max(longest[began], dry)
                else:
                    dry = 0
                if math.isnan(value):
                    continue
                largest = max(largest, value)
                heavy += value >= HEAVY_MM
                if value >= WET_MM:
                    wet += 1
                    wet_sum += value
                if t >= 4:
                    window = 0.0
                    for back in range(4, -1, -1):
                        window += pr[c, t - back]
                    if window > largest_5:  # never true for a window with a missing day
                        largest_5 = window
            enough = _enough(pr[c], longest, False, months[12 * y : 12 * y + 13])
            out[0, c, y] = largest if enough else math.nan
            out[1, c, y] = largest_5 if enough and largest_5 > -math.inf else math.nan
            out[3, c, y] = heavy if enough else math.nan
            out[4, c, y] = (wet_sum / wet if wet else 0.0) if enough else math.nan
        for y in range(years):  # a spell may grow after its year has ended
            out[2, c, y] = math.nan if math.isnan(out[0, c, y]) else longest[y]


@kernel
def _fill_yearly_means(x: Float32, months: Ints, out: Floats) -> None:
    for c in prange(x.shape[0]):
        for y in range(out.shape[1]):
            total, valid = 0.0, 0
            for t in range(months[12 * y], months[12 * y + 12]):
                if not math.isnan(x[c, t]):
                    total += x[c, t]
                    valid += 1
            enough = _enough(x[c], out[c], False, months[12 * y : 12 * y + 13])
            out[c, y] = total / valid if enough else math.nan


@kernel
def _fill_means(x: Float32, starts: Ints, max_missing: int, max_run: int, out: Floats) -> None:
    for c in prange(x.shape[0]):
        for p in range(len(starts) - 1):
            total, valid, run, longest = 0.0, 0, 0, 0
            for t in range(starts[p], starts[p + 1]):
                if math.isnan(x[c, t]):
                    run += 1
                    longest = max(longest, run)
                else:
                    total += x[c, t]
                    valid += 1
                    run = 0
            absent = starts[p + 1] - starts[p] - valid
            out[c, p] = math.nan if absent >= max_missing or longest >= max_run else total / valid
