"""Time of a NetCDF file -> (year, month), for the calendars climate data come in. Nothing is inferred from position."""

from __future__ import annotations

import calendar as gregorian
import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.core.period import Years

Ints = NDArray[np.int64]

_SECONDS = 86400.0
_PER_DAY = {"day": 1.0, "hour": 24.0, "minute": 1440.0, "second": _SECONDS, "millisecond": 86400e3}
_ALIASES = {"d": "day", "h": "hour", "hr": "hour", "hrs": "hour", "min": "minute", "mins": "minute", "s": "second",
            "sec": "second", "secs": "second", "ms": "millisecond", "msec": "millisecond"}  # fmt: skip
#: length in days of a unit that is no fixed number of days, to tell how far apart steps are
_ABOUT = {"month": 30.4375, "year": 365.25}
#: days are those of the time zone that the file names, so the zone is read past
_SINCE = re.compile(
    r"\s*([a-z]+)\s+since\s+(\d{1,4})-(\d{1,2})(?:-(\d{1,2}))?"
    r"(?:(?:\s+|t)(\d{1,2})(?::(\d{1,2})(?::(\d{1,2}(?:\.\d*)?))?)?)?"
    r"\s*(?:z|utc|gmt|[+-]\d{1,2}(?::?\d{2})?)?\s*",
    re.IGNORECASE,
)
_NOLEAP = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ALL_LEAP = (31, 29, *_NOLEAP[2:])
_FIXED = {
    "noleap": _NOLEAP,
    "365_day": _NOLEAP,
    "all_leap": _ALL_LEAP,
    "366_day": _ALL_LEAP,
    "360_day": (30,) * 12,
}
#: steps closer than this are parts of a day; shortest distance of two steps, in days -> what they are called
_ALMOST_A_DAY = 0.9
_SPACINGS = ((0.0, 1.5, "daily"), (27.0, 32.0, "monthly"), (88.0, 93.0, "3-monthly"), (359.0, 367.0, "yearly"))
_GREGORIAN = ("standard", "gregorian", "proleptic_gregorian")


class _Reference(NamedTuple):
    """What a time unit counts, and from when: unit in the singular, (year, month, day), seconds of that day."""

    word: str
    date: tuple[int, int, int]
    seconds: float


def months(numbers: NDArray[np.float64], units: str, calendar: str, name: str) -> Ints:
    """Months since year 0 (`year * 12 + month - 1`) of time stamps, wherever in the month they lie.

    numbers, units, calendar : as in the file; `hours since 2020-12-31 12:00`, `360_day` ...
    raises : SchemaError naming the file for a unit, calendar or reference date that cannot be decoded
    """
    since = _reference(numbers, units, name)
    year, month, _ = since.date
    if since.word in _ABOUT:
        steps = np.floor(numbers).astype(np.int64) * (12 if since.word == "year" else 1)
        return np.asarray(year * 12 + month - 1 + steps)
    days, calendar = _days(numbers, since, units, calendar, name)
    if calendar in _FIXED:
        return _fixed_months(days, since.date, _FIXED[calendar])
    return np.asarray(
        (_date(since.date) + days.astype("timedelta64[D]")).astype("datetime64[M]").astype(np.int64) + 1970 * 12
    )


def days_since(numbers: NDArray[np.float64], units: str, calendar: str, name: str, first_year: int) -> Ints:
    """Days after 1 January of `first_year`, in the file's own calendar, of time stamps, wherever in the day they lie.

    raises : as `months`
    """
    since = _reference(numbers, units, name)
    days, calendar = _days(numbers, since, units, calendar, name)
    year, month, day = since.date
    if calendar in _FIXED:
        lengths = _FIXED[calendar]
        return days + (year - first_year) * sum(lengths) + sum(lengths[: month - 1]) + day - 1
    return days + int((_date(since.date) - _date((first_year, 1, 1))).astype(np.int64))


def in_days(numbers: NDArray[np.float64], units: str, name: str) -> NDArray[np.float64]:
    """Time stamps in days, from wherever the file counts; a month or year has its mean length. raises : as `months`"""
    word = _reference(numbers, units, name).word
    if word not in _ABOUT and word not in _PER_DAY:
        raise _unknown(name, units)
    return np.asarray(numbers * _ABOUT[word] if word in _ABOUT else numbers / _PER_DAY[word])


def since_midnight(numbers: NDArray[np.float64], units: str, name: str) -> NDArray[np.float64]:
    """Part of its day that has passed at each time stamp, 0 to 1. raises : as `months`"""
    return np.asarray((in_days(numbers, units, name) + _reference(numbers, units, name).seconds / _SECONDS) % 1.0)


def spacing(days: NDArray[np.float64]) -> str:
    """What the steps of a series are called: daily, 6-hourly, monthly, 5-daily ...; "" for a single step.

    days : time stamps in days, in any order; some may be absent, as long as two follow one another
    """
    gaps = np.diff(np.unique(np.round(days, 6)))
    if not len(gaps):
        return ""
    if (usual := float(np.median(gaps))) < _ALMOST_A_DAY:
        minutes = max(1, round(usual * 1440))
        return f"{minutes}-minute" if minutes < 55 else "hourly" if minutes < 75 else f"{round(minutes / 60)}-hourly"
    shortest = float(gaps.min())
    for low, high, found in _SPACINGS:
        if low <= shortest <= high:
            return found
    return f"{round(shortest)}-daily"


def is_shorter_than_a_day(spacing: str) -> bool:
    """Of what `spacing` returns."""
    return spacing.endswith(("hourly", "minute"))


def _reference(numbers: NDArray[np.float64], units: str, name: str) -> _Reference:
    match = _SINCE.fullmatch(units)
    if match is None:
        remedy = " (cdo -r copy IN OUT writes it so)" if " as %" in units else ""
        raise SchemaError(f"{name}: time unit is {units!r}, expected such as 'days since 2021-01-01'{remedy}")
    word = match[1].lower()
    if not np.isfinite(numbers).all():
        raise SchemaError(f"{name}: {int((~np.isfinite(numbers)).sum())} of {len(numbers)} time stamps are missing")
    date = int(match[2]), int(match[3]), int(match[4] or 1)
    hour, minute, second = int(match[5] or 0), int(match[6] or 0), float(match[7] or 0)
    if not (1 <= date[1] <= 12 and 1 <= date[2] <= 31 and hour <= 24 and minute < 60 and second <= 60):
        raise SchemaError(f"{name}: time unit is {units!r}, whose reference is no date and time")
    return _Reference(_ALIASES.get(word, word.removesuffix("s")), date, hour * 3600 + minute * 60 + second)


def _days(numbers: NDArray[np.float64], since: _Reference, units: str, calendar: str, name: str) -> tuple[Ints, str]:
    """(whole days after the reference date, the calendar's name as it is known here)."""
    if since.word not in _PER_DAY:
        raise _unknown(name, units)
    # a millisecond of tolerance: hours and seconds in single precision fall short of midnight
    days = np.floor(numbers / _PER_DAY[since.word] + (since.seconds / _SECONDS + 1e-8)).astype(np.int64)
    calendar = calendar.strip().lower() or "standard"
    if calendar not in (*_GREGORIAN, *_FIXED):
        raise SchemaError(f"{name}: calendar {calendar!r} is not one of {', '.join((*_GREGORIAN, *_FIXED))}")
    year, month, day = since.date
    if calendar not in _FIXED and year < 1583 and calendar != "proleptic_gregorian":
        raise SchemaError(f"{name}: {units!r} lies before the Gregorian calendar, which {calendar!r} leaves ambiguous")
    lengths = _FIXED.get(calendar, _ALL_LEAP if gregorian.isleap(year) else _NOLEAP)
    if day > lengths[month - 1]:
        raise SchemaError(f"{name}: {units!r} names a day that the calendar {calendar!r} does not have")
    return days, calendar


def _unknown(name: str, units: str) -> SchemaError:
    return SchemaError(f"{name}: time unit is {units!r}, expected days, hours, minutes or seconds since a date")


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


def check_axis(found: Ints, axis: Years, monthly: bool, name: str, steps_are: str = "") -> None:
    """Refuse a time axis that is not every month (or year) of `axis`, once each, in order.

    found     : months since year 0, as from `months`
    steps_are : what `spacing` calls them, so that daily data are not refused as months that come 30 times
    """
    steps = found if monthly else found // 12
    first = axis.first * 12 if monthly else axis.first
    expected = np.arange(first, first + axis.n * (12 if monthly else 1))
    if np.array_equal(steps, expected):
        return
    wanted = "monthly" if monthly else "yearly"
    if steps_are not in ("", wanted) and len(np.unique(steps)) < len(steps):
        how = "; `derive` makes monthly and yearly files of it" if steps_are == "daily" else ""
        raise SchemaError(f"{name}: {steps_are} data, expected {wanted}{how}")
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
