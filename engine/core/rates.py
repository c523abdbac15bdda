"""Rates of exchange into the currency of results, each of a day."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from engine.core.errors import SettingsError
from engine.core.names import shortened

COLUMNS = ("currency", "rate", "date")
#: no two currencies are further apart: an Iranian rial is 8.5e-7 euro
_SMALLEST, _LARGEST = 1e-9, 1e9


class LackingRates(SettingsError):
    """Values in currencies without a rate. currencies: their codes, sorted"""

    def __init__(self, message: str, currencies: Sequence[str]) -> None:
        super().__init__(message)
        self.currencies = tuple(currencies)


class Rate(NamedTuple):
    """rate: units of the currency of results for one unit; day: that it is of"""

    rate: float
    day: date


def parse(lines: Iterable[Sequence[str]], where: str) -> dict[str, Rate]:
    """Rates of a table with a header, a row a currency.

    lines  : cells of its lines, the header first, in any order of columns
    where  : what it is called in messages
    raises : SettingsError naming line and column
    """
    rows = iter(lines)
    names = [cell.strip().casefold() for cell in next(rows, ())]
    if sorted(names) != sorted(COLUMNS):
        raise SettingsError(
            f"{where}: its columns are {shortened(', '.join(names)) or 'none'}; a table of rates has"
            f" {', '.join(COLUMNS)}"
        )
    found: dict[str, Rate] = {}
    for number, cells in enumerate(rows, 2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            raise SettingsError(f"{where}: line {number} has {len(cells)} cells, the header {len(names)}")
        currency, rate, day = (cells[names.index(name)].strip() for name in COLUMNS)
        code = currency.upper()
        if not is_code(code):
            raise SettingsError(f"{where}: line {number}: currency {shortened(currency)!r} is no code such as EUR")
        if code in found:
            raise SettingsError(f"{where}: line {number}: {code} is there twice: keep one rate, of one day")
        found[code] = Rate(_rate(rate, where, number), _day(day, where, number))
    if not found:
        raise SettingsError(f"{where} holds no rate")
    return found


def is_code(text: str) -> bool:
    """Whether it has the form of a currency of ISO 4217: three letters."""
    return len(text) == 3 and text.isascii() and text.isalpha()


def _rate(text: str, where: str, number: int) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not _SMALLEST <= rate <= _LARGEST or "_" in text:
        raise SettingsError(
            f"{where}: line {number}: rate {shortened(text)!r} is no number from {_SMALLEST:g} to {_LARGEST:g}, such as"
            " 1480.5"
        )
    return rate


def _day(text: str, where: str, number: int) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{where}: line {number}: date {shortened(text)!r} is no day such as 2026-11-27") from None
    if day > date.today() + timedelta(days=1):  # it may be tomorrow already elsewhere
        raise SettingsError(f"{where}: line {number}: date {text} is yet to come: give a rate of a day that was")
    return day


def require(currencies: Mapping[str, int], rates: Mapping[str, Rate], into: str, where: str) -> None:
    """Refuse values in a currency that has no rate.

    currencies : code -> rows whose values are in it
    into       : currency of results, which needs none
    where      : of the values, in messages
    raises     : LackingRates with what to do
    """
    if lacking := {code: rows for code, rows in currencies.items() if code != into and code not in rates}:
        listed = ", ".join(
            f"{code} ({rows:,} {'row' if rows == 1 else 'rows'})" for code, rows in sorted(lacking.items())
        )
        raise LackingRates(
            f"{where}: no rate for {shortened(listed, 300)} into {into}, the currency of the results: give jobs.assess"
            " --rates FILE.csv with the columns currency, rate, date",
            sorted(lacking),
        )
