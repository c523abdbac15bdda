"""Numbers as people write them in a spreadsheet: thousands, Korean and other units, signs of currency, degrees.

What can be read in two ways is not read.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from itertools import pairwise

import polars as pl

from engine.assess.rules import value_units
from engine.assess.rules.value_units import plain

_PLAIN = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
_BLANK = "\u0020\u00a0\u2009\u202f\u3000"
_GROUPS = re.compile(r"[+-]?\d{1,3}(?:([,'_ ])\d{3})(?:\1\d{3})*(?:\.\d+)?")
_POINTS = re.compile(r"[+-]?\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?")
_HEAD = re.compile(r"[+-]?[\d.][\d.,'_ ]*(?:e[+-]?\d+)?")
_DIGITS = {sign: place for place, sign in enumerate("영일이삼사오육칠팔구")}
_SMALL = {"십": 10, "백": 100, "천": 1000}
_LARGE = {"만": 10**4, "억": 10**8, "조": 10**12, "경": 10**16}
_KOREAN = re.compile(r"(\d[\d,]*(?:\.\d+)?|[영일이삼사오육칠팔구])|([십백천만억조경])")
_ALIKE = str.maketrans(
    {"º": "°", "˚": "°", "″": '"', "”": '"', "“": '"', "′": "'", "’": "'", "‘": "'", "´": "'", "\u2212": "-"}
)
_DEGREES = re.compile(
    r"(?P<first>[nsew]|북위|남위|동경|서경)?\s*(?P<sign>[+-])?(?P<d>\d{1,3}(?:\.\d+)?)"
    r"(?:\s*(?:°|º|도|:|d|deg)\s*(?:(?P<m>\d{1,2}(?:\.\d+)?)\s*(?:'|분|:|m|min)?\s*"
    r"(?:(?P<s>\d{1,2}(?:\.\d+)?)\s*(?:\"|''|초|s|sec)?)?)?)?\s*(?P<last>[nsew])?"
)
_SIDES = {"n": 1, "북위": 1, "s": -1, "남위": -1, "e": 1, "동경": 1, "w": -1, "서경": -1}
_AXIS = {"latitude": {"n", "s", "북위", "남위"}, "longitude": {"e", "w", "동경", "서경"}}


def read(
    text: pl.Series, field: str, *, factor: int | Decimal = 1, lone_groups: bool = True, whole: bool = False
) -> pl.Series:
    """Text of a column as plain numbers in the unit of its field, as text again; null for what is no number.

    factor      : what one is in the unit of the field, of numbers that stand without a unit
    lone_groups : `1,500` is 1500; False: only where the column has a number of several groups, since it may be 1.5
    whole       : of a field of whole numbers: digits alone come back where the number is one
    """
    odd = text.is_not_null() & (~text.str.contains(_PLAIN) if factor == 1 else pl.repeat(True, len(text), eager=True))
    if not odd.any():
        return text
    words = text.filter(odd).unique()
    groups = lone_groups or bool(words.str.contains(r"\d[,'’ ]\d{3}[,'’ ]\d{3}").any())
    read_as = {word: _text(_number(word, field, groups, factor), whole) for word in words}
    found = text.replace_strict(read_as, default=None, return_dtype=pl.String)
    return found.zip_with(odd, text)


def _text(value: Decimal | None, whole: bool) -> str | None:
    if value is None:
        return None
    if whole and value == value.to_integral_value():
        return str(int(value))
    return format(value, "f")


def _number(word: str, field: str, groups: bool, factor: int | Decimal = 1) -> Decimal | None:
    try:
        if field in _AXIS:
            return _degrees(word, field)
        return _amount(word, field, groups, factor)
    except (InvalidOperation, ValueError, OverflowError):
        return None


def _clean(word: str) -> str:
    """Compatible forms as one (full-width digits, ㎡, no-break blanks), without capitals."""
    word = unicodedata.normalize("NFKC", word.translate(_ALIKE))
    return re.sub(f"[{_BLANK}]+", " ", word).strip().casefold().replace("\u2212", "-")


def _amount(word: str, field: str, groups: bool, factor: int | Decimal) -> Decimal | None:
    text = _clean(word)
    units = value_units.of(field)
    if field == "total_asset_value":
        for sign in value_units.signs():
            text = text.removeprefix(sign).removesuffix(sign).strip()
        if (korean := _korean(text)) is not None:
            return korean
    if field == "floors_below":
        text = re.sub(r"^(지하\s*|b\s*)(?=\d)", "", text)
    if field == "floors_above":
        text = re.sub(r"^(지상\s*)(?=\d)", "", text)
    if (found := _HEAD.match(text)) is None:
        return None
    value, rest = _plain(found[0].strip(), groups), plain(text[found.end() :])
    if value is None or (rest and rest not in units):
        return None
    return value * (units[rest] if rest else factor)


def _plain(text: str, groups: bool) -> Decimal | None:
    if _NUMBER.fullmatch(text):
        return Decimal(text)
    if (found := _GROUPS.fullmatch(text)) and (groups or text.count(found[1]) > 1):
        return Decimal(text.replace(found[1], ""))
    if _POINTS.fullmatch(text):
        return Decimal(text.replace(".", "").replace(",", "."))
    return None


def _korean(text: str) -> Decimal | None:
    """`1조 2,000억`, `5백억`, `3억5천만`: None for a text without a Korean unit, or with units out of order."""
    compact = text.replace(" ", "")
    if not re.search("[십백천만억조경]", compact) or "".join(m[0] for m in _KOREAN.finditer(compact)) != compact:
        return None
    total, section, number = Decimal(0), Decimal(0), None
    last_large, last_small = 10**20, 10**4
    for found in _KOREAN.finditer(compact):
        digits, unit = found.groups()
        if digits:
            if number is not None:
                return None
            number = Decimal(_DIGITS[digits]) if digits in _DIGITS else _plain(digits, groups=True)
            if number is None:
                return None
        elif unit in _SMALL:
            if _SMALL[unit] >= last_small:
                return None
            last_small = _SMALL[unit]
            section, number = section + (Decimal(1) if number is None else number) * last_small, None
        else:
            if _LARGE[unit] >= last_large or (number is None and not section):
                return None
            last_large, last_small = _LARGE[unit], 10**4
            total, section, number = total + (section + (number or 0)) * last_large, Decimal(0), None
    return total + section + (number or 0)


def _degrees(word: str, axis: str) -> Decimal | None:
    text = re.sub(r"\s+", " ", _clean(word))
    found = _DEGREES.fullmatch(text)
    if found is None:
        return None
    sides = [side for side in (found["first"], found["last"]) if side]
    if len(sides) > 1 or (sides and (sides[0] not in _AXIS[axis] or found["sign"])):
        return None
    parts = [Decimal(found[name]) if found[name] else None for name in ("d", "m", "s")]
    degrees, minutes, seconds = parts
    if degrees is None or any(part is not None and part >= 60 for part in (minutes, seconds)):
        return None
    if any(part is not None and before != before.to_integral_value() for before, part in _pairs(parts)):
        return None  # a fraction of degrees, and minutes as well
    size = degrees + (minutes or 0) / Decimal(60) + (seconds or 0) / Decimal(3600)
    return -size if found["sign"] == "-" or (sides and _SIDES[sides[0]] < 0) else size


def _pairs(parts: list[Decimal | None]) -> list[tuple[Decimal, Decimal | None]]:
    return [(before, part) for before, part in pairwise(parts) if before is not None]
