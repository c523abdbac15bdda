"""Time of a NetCDF file -> (year, month), for the calendars climate data come in. Nothing is inferred from position."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from engine.errors import SchemaError
from engine.period import Years

Ints = NDArray[np.int64]

_PER_DAY = {"day": 1.0, "hour": 24.0, "minute": 1440.0, "second": 86400.0}
_ALIASES = {"d": "day", "h": "hour", "hr": "hour", "min": "minute", "s": "second", "sec": "second"}
_SINCE = re.compile(r"^\s*([a-z]+)\s+since\s+(\d{1,4})-(\d{1,2})-(\d{1,2})", re.IGNORECASE)
_NOLEAP = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ALL_LEAP = (31, 29, *_NOLEAP[2:])
_FIXED = {
    "noleap": _NOLEAP,
    "365_day": _NOLEAP,
    "all_leap": _ALL_LEAP,
    "366_day": _ALL_LEAP,
    "360_day": (30,) * 12,
}
_GREGORIAN = ("standard", "gregorian", "proleptic_gregorian")


def months(numbers: NDArray[np.float64], units: str, calendar: str, name: str) -> Ints:
    """Months since year 0 (`year * 12 + month - 1`) of time stamps, wherever in the month they lie.

    numbers, units, calendar : as in the file; `days since 2021-01-01`, `360_day` ...
    raises : SchemaError naming the file for a unit, calendar or reference date that cannot be decoded
    """
    word, start = _reference(numbers, units, name)
    if word in ("month", "year"):
        steps = np.floor(numbers).astype(np.int64) * (12 if word == "year" else 1)
        return np.asarray(start[0] * 12 + start[1] - 1 + steps)
    days, calendar = _days(numbers, word, start[0], units, calendar, name)
    if calendar in _FIXED:
        return _fixed_months(days, start, _FIXED[calendar])
    return np.asarray((_date(start) + days).astype("datetime64[M]").astype(np.int64) + 1970 * 12)


def days_since(numbers: NDArray[np.float64], units: str, calendar: str, name: str, first_year: int) -> Ints:
    """Days after 1 January of `first_year`, in the file's own calendar, of time stamps, wherever in the day they lie.

    raises : as `months`
    """
    word, start = _reference(numbers, units, name)
    days, calendar = _days(numbers, word, start[0], units, calendar, name)
    if calendar in _FIXED:
        lengths = _FIXED[calendar]
        return days + (start[0] - first_year) * sum(lengths) + sum(lengths[: start[1] - 1]) + start[2] - 1
    return days + int((_date(start) - _date((first_year, 1, 1))).astype(np.int64))


def _reference(numbers: NDArray[np.float64], units: str, name: str) -> tuple[str, tuple[int, int, int]]:
    """(unit in the singular, reference date) of a time unit."""
    match = _SINCE.match(units)
    if match is None:
        raise SchemaError(f"{name}: time unit is {units!r}, expected such as 'days since 2021-01-01'")
    word = match[1].lower()
    if not np.isfinite(numbers).all():
        raise SchemaError(f"{name}: {int((~np.isfinite(numbers)).sum())} of {len(numbers)} time stamps are missing")
    return _ALIASES.get(word, word.removesuffix("s")), (int(match[2]), int(match[3]), int(match[4]))


def _days(
    numbers: NDArray[np.float64], word: str, first_year: int, units: str, calendar: str, name: str
) -> tuple[Ints, str]:
    """(whole days after the reference date, the calendar's name as it is known here)."""
    if word not in _PER_DAY:
        raise SchemaError(f"{name}: time unit is {units!r}, expected days, hours, minutes or seconds since a date")
    # a millisecond of tolerance: hours and seconds in single precision fall short of midnight
    days = np.floor(numbers / _PER_DAY[word] + 1e-8).astype(np.int64)
    calendar = calendar.strip().lower() or "standard"
    if calendar not in (*_GREGORIAN, *_FIXED):
        raise SchemaError(f"{name}: calendar {calendar!r} is not one of {', '.join((*_GREGORIAN, *_FIXED))}")
    if calendar not in _FIXED and first_year < 1583 and calendar != "proleptic_gregorian":
        raise SchemaError(f"{name}: {units!r} lies before the Gregorian calendar, which {calendar!r} leaves ambiguous")
    return days, calendar


def _date(date: tuple[int, int, int]) -> np.datetime64:
    return np.datetime64(f"{date[0]:04d}-{date[1]:02d}-{date[2]:02d}", "D")


def _fixed_months(days: Ints, start: tuple[int, int, int], lengths: tuple[int, ...]) -> Ints:
    ends = np.cumsum(lengths)
    since = start[0] * int(ends[-1]) + int(ends[start[1] - 1]) - lengths[start[1] - 1] + start[2] - 1 + days
    year, rest = np.divmod(since, int(ends[-1]))
    return np.asarray(year * 12 + np.searchsorted(ends, rest, side="right"))


def days_in_months(axis: Years, calendar: str) -> NDArray[np.float64]:
    """(12 * years,) length of every month of the axis in the file's own calendar."""
    fixed = _FIXED.get(calendar.strip().lower())
    if fixed is not None:
        return np.tile(np.asarray(fixed, float), axis.n)
    starts = np.arange((axis.first - 1970) * 12, (axis.last - 1969) * 12 + 1).astype("datetime64[M]")
    return np.asarray(np.diff(starts.astype("datetime64[D]")).astype(float))


def check_axis(found: Ints, axis: Years, monthly: bool, name: str) -> None:
    """Refuse a time axis that is not every month (or year) of `axis`, once each, in order.

    found : months since year 0, as from `months`
    """
    steps = found if monthly else found // 12
    first = axis.first * 12 if monthly else axis.first
    expected = np.arange(first, first + axis.n * (12 if monthly else 1))
    if np.array_equal(steps, expected):
        return
    repeated = np.unique(steps)[np.unique(steps, return_counts=True)[1] > 1]
    missing, foreign = np.setdiff1d(expected, steps), np.setdiff1d(steps, expected)
    reasons = [
        f"{len(stamps)} {what} ({_stamp(int(stamps[0]), monthly)} first)"
        for stamps, what in ((missing, "missing"), (repeated, "repeated"), (foreign, "outside"))
        if len(stamps)
    ] or ["not in order"]
    span = f"{_stamp(int(expected[0]), monthly)} to {_stamp(int(expected[-1]), monthly)}"
    raise SchemaError(
        f"{name}: {len(found)} time steps where grid_definition has {len(expected)}, {span}: {', '.join(reasons)}"
    )


def _stamp(step: int, monthly: bool) -> str:
    return f"{step // 12}-{step % 12 + 1:02d}" if monthly else str(step)
