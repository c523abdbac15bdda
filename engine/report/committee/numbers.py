"""Amounts and shares as the report prints them: three digits, in the units of the language."""

from __future__ import annotations

import re

from engine.core import country
from engine.core.interval_words import digits
from engine.core.language import Language
from engine.core.profile import Currency

NONE = "–"
#: per cent
_LEAST = 0.0001
#: between the ends of an interval
DASH = {"en": "–", "ko": "~"}


def amount(value: float | None, language: Language, currency: Currency | None = None) -> str:
    """Money without its currency: `530 bn`, in Korean `5,305억`; in Korean a unit of 10,000 has up to four digits.

    currency : None: that of the country
    """
    if value is None:
        return NONE
    for size, word in (currency or country.current().currency).multiples[language]:
        if abs(value) >= size:
            return f"{_digits(value / size)}{' ' if word.isascii() else ''}{word}"
    return f"{value:,.0f}"


def money(value: float | None, language: Language, currency: Currency | None = None) -> str:
    """Money with its currency: `KRW 530 bn`, `5,305억원`."""
    its = currency or country.current().currency
    text = amount(value, language, its)
    return text if text == NONE else its.beside(text, language)


def ends(low: float | None, high: float | None, language: Language, currency: Currency | None = None) -> str:
    """An interval of money in a column: `491–563 bn`; the unit once where both ends have the same."""
    if low is None or high is None:
        return NONE
    first, last = amount(low, language, currency), amount(high, language, currency)
    (unit,), (other,) = (re.findall(r"[^\d,.]*$", text)[:1] for text in (first, last))
    return f"{first.removesuffix(unit) if unit == other else first}{DASH[language]}{last}"


def share(value: float | None) -> str:
    """A ratio in per cent, without the sign: three digits, two below one per cent."""
    if value is None:
        return NONE
    scaled = 100 * value
    if 0 < scaled < _LEAST:
        return f"< {_LEAST:.4f}"
    return digits(scaled) if abs(scaled) < 1 else _digits(scaled)


def _digits(value: float) -> str:
    """Three digits of a number from 1 on; all digits before the point."""
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"
