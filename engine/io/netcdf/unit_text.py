"""Text of a unit attribute -> factor and offset to a unit that is wanted, by the library pint.

pint knows the units; what is added here are the spellings of UDUNITS and of providers, calendar months and years as
units of their own (no number of days), and water, 1 kg of which is 1 litre. Factors are fractions until the last step,
so 86,400 is 86,400.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from threading import Lock
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pint

#: `m-2` and `s-1` of UDUNITS: an exponent without a sign for it (from MetPy's registry, as cf-xarray and xclim have it)
_EXPONENT = re.compile(r"(?<=[A-Za-z])(?![A-Za-z])(?<![0-9\-][eE])(?<![0-9\-])(?=[0-9\-])")
_DOT = re.compile(r"(?<=[A-Za-z0-9)])\.(?=[A-Za-z(])")
_DEGREES = re.compile(r"(?:degrees?|deg|°|º)?[\s_.]*(c|celsius|centigrade|f|fahrenheit|k|kelvins?)", re.IGNORECASE)
_SCALES = {"c": "degC", "f": "degF", "k": "kelvin"}
_TIMEDELTA = re.compile(r"timedelta64\[(\w+)\]", re.IGNORECASE)
_TIMEDELTAS = {"d": "day", "h": "hour", "m": "minute", "s": "second", "ms": "ms", "us": "us", "ns": "ns"}
_OF_WATER = re.compile(r"\s+of\s+(?:liquid\s+)?water(?:\s+equivalent)?", re.IGNORECASE)
_WORDS = {
    "months": "calendar_month", "month": "calendar_month", "mon": "calendar_month",
    "years": "calendar_year", "year": "calendar_year", "yr": "calendar_year", "a": "calendar_year",
    "pct": "percent", "fraction": "dimensionless", "ratio": "dimensionless", "unitless": "dimensionless",
    "none": "dimensionless", "count": "dimensionless", "counts": "dimensionless",
}  # fmt: skip
_WORD = re.compile(r"(?<![A-Za-z_])(?:" + "|".join(_WORDS) + r")(?![A-Za-z_])", re.IGNORECASE)
#: what can be a unit at all: pint would evaluate 9**9**9**9
_PLAUSIBLE = re.compile(r"[\w\s.,*/^()%°ºµμ·×⋅℃²³⁻⁰-⁹¹+-]{1,60}")
_IMPLAUSIBLE = re.compile(r"\d{5}|(?:\*\*|\^)[^A-Za-z]*(?:\*\*|\^)")
#: spellings that hold in any case and without their blanks, as providers write them (`Mm`, `kgm-2s-1`)
_FOLDED = {
    "".join(text.lower().split()): text
    for text in (
        "mm", "mm/month", "mm/mon", "mm month-1", "mm mon-1", "kg m-2", "kg/m2", "kg m-2 month-1",
        "mm/day", "mm/d", "mm day-1", "mm d-1", "kg m-2 day-1", "kg m-2 d-1", "kg/m2/day",
        "kg m-2 s-1", "kg/m2/s", "kg/(m2 s)", "mm s-1", "mm/s", "m/s", "m s-1", "m/sec",
        "MJ/m2/day", "MJ/m2/d", "MJ m-2 day-1", "MJ m-2 d-1", "MJ/(m2 day)", "W/m2", "W m-2",
        "MJ/m2/month", "MJ/m2/mon", "MJ m-2 month-1", "MJ m-2 mon-1",
        "day", "days", "d", "hour", "hours", "h", "second", "seconds", "s", "percent",
    )
} | {"kmph": "km/h", "kmh": "km/h", "kph": "km/h"}  # fmt: skip
#: units that a prefix makes sense of: to pint `kmph` is a thousand miles per hour
_WITH_PREFIX = {"meter", "gram", "liter", "second", "joule", "watt", "calorie"}
#: what climate data are measured in: rain in furlongs is a mistake
_USUAL = {
    "meter", "inch", "gram", "liter", "second", "minute", "hour", "day", "calendar_month", "joule", "watt", "calorie",
    "langley", "kelvin", "degree_Celsius", "degree_Fahrenheit", "percent",
}  # fmt: skip
_OF_WIND = {"mile", "knot", "foot", "kilometer_per_hour", "mile_per_hour"}
#: what pint raises, beside its own errors, on texts that are no unit
_NO_UNIT = (TokenError, SyntaxError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, AssertionError)
#: loaders of several variables ask at the same time, and quantities of two registries do not mix
_ONE_AT_A_TIME = Lock()


def conversion(text: str, target: str) -> tuple[float, float] | None:
    """(factor, offset) of `target = found * factor + offset`; None for a text that is no such unit.

    text   : as in the file, such as `kg m**-2 s**-1`, `mm.day-1`, `degrees C`
    target : of pint, such as `mm/day`; a mass of water per area is its depth
    """
    with _ONE_AT_A_TIME:
        return _conversion(text, target)


def names_a_day(text: str) -> bool:
    """True for an amount per day, as against one per hour or second."""
    with _ONE_AT_A_TIME:
        quantity = _quantity(text)
        return quantity is not None and dict(quantity.unit_items()).get("day") == -1


@lru_cache(maxsize=512)
def _conversion(text: str, target: str) -> tuple[float, float] | None:
    quantity = _quantity(text)
    if quantity is None:
        return None
    registry = _registry()
    parsed = [registry.parse_unit_name(name)[0] for name, _ in quantity.unit_items()]
    bases = {base for _, base, _ in parsed}
    if any(prefix and base not in _WITH_PREFIX for prefix, base, _ in parsed):
        return None
    if not bases <= (_USUAL | _OF_WIND if target == "m/s" else _USUAL):
        return None
    wanted = registry.Quantity(Fraction(1), target)
    if wanted.dimensionless and quantity.units not in (registry.dimensionless, wanted.units):
        return None  # an angle is no share, days per year are no number, and neither is a share of the days
    if not quantity.is_compatible_with(wanted) and "[mass]" in quantity.dimensionality:
        quantity = quantity / registry.Quantity(Fraction(1), "kg/liter")
    if not quantity.is_compatible_with(wanted):
        return None
    at_one, at_zero = (
        registry.Quantity(size, quantity.units).to(wanted.units).magnitude
        for size in (quantity.magnitude, 0 * quantity.magnitude)
    )
    return (float(at_one - at_zero), float(at_zero)) if at_one > at_zero else None


@lru_cache(maxsize=512)
def _quantity(text: str) -> Any:
    """The quantity that one of these units is; None for a text that is none."""
    import pint

    prepared = _prepared(text)
    if prepared is None:
        return None
    registry = _registry()
    try:
        found = registry.parse_expression(prepared)
    except (*_NO_UNIT, pint.PintError):
        return None
    return found if isinstance(found, registry.Quantity) else registry.Quantity(Fraction(found), "dimensionless")


def _prepared(text: str) -> str | None:
    """A unit in the spelling of pint."""
    text = _OF_WATER.sub("", text.strip())
    if delta := _TIMEDELTA.fullmatch(text):
        return _TIMEDELTAS.get(delta[1].lower())
    if not _PLAUSIBLE.fullmatch(text) or _IMPLAUSIBLE.search(text):
        return None
    if degrees := _DEGREES.fullmatch(text.replace("℃", "degC")):
        return _SCALES[degrees[1][0].lower()]
    if text == "-":
        return "dimensionless"
    folded = text.lower().replace("**", "").replace("^", "").replace("·", "").replace("²", "2")
    text = _FOLDED.get("".join(folded.split()), text)
    text = _DOT.sub(" ", text.replace("%", " percent ").replace("·", " ").replace("⋅", " ").replace("×", " "))
    text = _EXPONENT.sub("**", text)
    return _WORD.sub(lambda word: _WORDS[word[0].lower()], text)


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry[Any]:
    import pint  # a third of a second, which commands that read no file do not wait for

    registry: pint.UnitRegistry[Any] = pint.UnitRegistry(non_int_type=Fraction)
    registry.define("calendar_month = [calendar_month]")
    registry.define("calendar_year = [calendar_year]")
    return registry
