"""Units of the provider's elements: what is accepted, and the factor and offset to the unit that is stored.

The unit attribute decides. Only solar radiation is checked against physics, because its unit is stated in three ways
that differ by a factor of 11.6 and 30: the clearness (surface over top-of-atmosphere radiation) must be believable
under exactly one reading.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import SchemaError, SettingsError
from engine.core.quality import Range
from engine.core.variables import VARIABLES, Variable
from engine.io.netcdf import unit_text

Floats = NDArray[np.float64]
Times = Literal["", "days", "per day"]

#: numbers above the first and up to the second are values; others are what providers write for "missing": -999, 1e20
LOWEST, HIGHEST = -900.0, 1e6
#: MJ/m2/day above the atmosphere, FAO-56: 24 * 60 * 0.0820
_SOLAR = 118.08


@dataclass(frozen=True, slots=True)
class Conversion:
    """stored = found * factor (* or / days in the month) + offset. `note` is for the gate report."""

    found: str
    factor: float = 1.0
    offset: float = 0.0
    times: Times = ""
    note: str = ""
    #: an amount of its step, such as mm, as against a rate, such as mm/day
    amount: bool = False

    def factors(self, days: Floats) -> NDArray[np.float32]:
        """(steps,) multiplier of every time step; `days` is the length of its month."""
        if self.times == "days":
            return np.asarray(self.factor * days, dtype=np.float32)
        if self.times == "per day":
            return np.asarray(self.factor / days, dtype=np.float32)
        return np.full(len(days), self.factor, np.float32)

    @property
    def identity(self) -> bool:
        """True when values are stored as found."""
        return self.factor == 1.0 and self.offset == 0.0 and not self.times


#: stored unit -> units a file may have it in, as dimensions: (of `unit_text`, what becomes of the length of the month)
_READINGS: dict[str, tuple[tuple[str, Times], ...]] = {
    "degC": (("degC", ""),),
    "mm/month": (("mm", ""), ("mm/calendar_month", ""), ("mm/day", "days")),
    "m/s": (("m/s", ""),),
    "%": (("percent", ""),),
    "1": (("dimensionless", ""),),
    "days": (("day", ""), ("dimensionless", "")),
    "mm": (("mm", ""), ("mm/day", "")),
    "mm/day": (("mm/day", ""), ("mm", "")),
    "MJ/m2/day": (("MJ/m**2/day", ""), ("MJ/m**2/calendar_month", "per day")),
    "cm": (("cm", ""),),
}
#: what to write, for messages; nothing else is accepted of a sea level, whose unit is checked against its size
_EXAMPLES = {
    "degC": "degC, K", "mm/month": "mm/month, mm/day, kg m-2 s-1", "m/s": "m/s, km/h", "%": "%, 1", "1": "1",
    "days": "days, hours", "mm": "mm, mm/day", "mm/day": "mm/day, kg m-2 s-1", "MJ/m2/day": "MJ/m2/day, W/m2",
    "cm": "cm, m, mm",
}  # fmt: skip
#: unit of a day -> unit that amounts of a month are read by
_OF_MONTHS = {"mm/day": "mm/month", "MJ/m2/day": "MJ/m2/day"}
_FIVE_DAYS = ("mm/5day", "mm/5days")
_SOLAR_READINGS = {
    "MJ/m2/day": Conversion("MJ/m2/day"),
    "W/m2": Conversion("W/m2", 0.0864),
    "MJ/m2/month": Conversion("MJ/m2/month", times="per day"),
}


def conversion(variable: Variable, attribute: str, override: str | None, name: str) -> Conversion:
    """Conversion from the unit of a file to the stored one, for every variable but `si`.

    attribute : the unit attribute, "" when the file has none: then the stored unit is assumed and the note says so
    override  : `--unit` of the caller, which wins
    raises    : SchemaError for an unknown unit; SettingsError for an unknown override
    """
    if override is not None:
        return _overridden(variable.name, variable.unit, override)
    if not attribute.strip():
        if variable.unit in ("1", "days"):
            return Conversion(variable.unit)
        return Conversion(variable.unit, note=f"no unit attribute, taken as {variable.unit}")
    found = _reading(attribute, variable.unit)
    if found is None:
        raise SchemaError(
            f"{name}: unit {attribute!r} is not known for {variable.name}, stored in {variable.unit};"
            f" --unit {variable.name}=UNIT states another ({_EXAMPLES[variable.unit]})"
        )
    return found


def ceiling(variable: Variable, attribute: str, override: str | None) -> float:
    """The largest value, as found, that is believed before the unit is decided on; see `highest`."""
    text = override or attribute
    found = _reading(text, variable.unit) or (_energy(text) if variable.name == "si" else None)
    return highest(found.factor if found else 1.0)


def highest(factor: float) -> float:
    """The largest value that is believed, as found, of a variable that is stored as `found * factor`."""
    return HIGHEST / min(1.0, factor)


def daily_conversion(name: str, stored: str, attribute: str | None, override: str | None, file: str) -> Conversion:
    """Conversion from the unit of a daily file to the unit of the computation.

    name, stored : of the variable, and the unit it is computed in
    attribute    : the unit attribute, None when the file has none
    raises       : SchemaError for an unknown unit or none; SettingsError for an unknown override
    """
    if override is not None:
        return _overridden(name, stored, override, daily=True)
    if attribute is None:
        raise SchemaError(f"{file}: {name} has no unit; --unit {name}=UNIT states it ({_EXAMPLES[stored]})")
    # an empty unit is that of a pure number
    found = _daily_reading(attribute.strip() or "1", stored)
    if found is None:
        raise SchemaError(
            f"{file}: unit {attribute!r} of {name} is not known; it is computed in {stored}"
            f" (--unit {name}=UNIT states another: {_EXAMPLES[stored]})"
        )
    return found


def monthly_conversion(name: str, stored: str, attribute: str | None, override: str | None, file: str) -> Conversion:
    """Conversion from the unit of monthly values of a daily variable to that of a day, as `daily_conversion`.

    returns : `times` is "per day" for an amount of the month, such as mm/month, and "" for a rate or a mean
    raises  : SchemaError for an energy without a time and a rain in metres, too, which may be of a day (ERA5) or of a
              month
    """
    text = (override or attribute or "").strip()
    if stored not in _OF_MONTHS:
        return daily_conversion(name, stored, attribute, override, file)
    if (found := _reading(text, _OF_MONTHS[stored])) is not None:
        amount = stored == "mm/day" and not found.times
        return replace(found, times="per day" if amount or found.times == "per day" else "")
    found = daily_conversion(name, stored, attribute, override, file)
    if found.amount:
        raise SchemaError(
            f"{file}: unit {text!r} of monthly {name} may be of a day or of the month: --unit {name}=UNIT states it"
            f" ({text}/day, {text}/month)"
        )
    return found


def solar_conversion(
    attribute: str, override: str | None, mean: Floats, latitude: float, days: Floats, limits: Range, name: str
) -> Conversion:
    """Conversion of solar radiation: the attribute when physics allows it, else the one reading that it allows.

    mean     : (12,) mean of the values of each calendar month over the domain, as found
    latitude : mean of the cells, degrees
    days     : (12,) mean length of the months
    limits   : clearness that is believed
    raises   : SchemaError when no reading, or without an attribute more than one, is believable
    source   : FAO Irrigation and Drainage Paper 56, eq. 21
    """
    if override is not None:
        return _overridden("si", "MJ/m2/day", override)
    top = float(np.mean(extraterrestrial_radiation(latitude)))
    clearness = {unit: float(np.mean(mean * reading.factors(days))) / top for unit, reading in _SOLAR_READINGS.items()}
    believable = [unit for unit, ratio in clearness.items() if limits.low <= ratio <= limits.high]
    for declared in _declared(attribute):
        if limits.low <= float(np.mean(mean * declared.factors(days))) / top <= limits.high:
            return declared
    if len(believable) != 1:
        ratios = ", ".join(f"{ratio:.2f} as {unit}" for unit, ratio in clearness.items())
        raise SchemaError(
            f"{name}: the unit of solar radiation ({attribute or 'no attribute'}) cannot be told: its share of the"
            f" radiation above the atmosphere is {ratios}, believed is {limits.low:g} to {limits.high:g};"
            " give --unit si=UNIT"
        )
    reading = _SOLAR_READINGS[believable[0]]
    stated = f"unit attribute {attribute!r}" if attribute.strip() else "no unit attribute"
    ratio = clearness[reading.found]
    note = f"{stated}, taken as {reading.found} because that gives a clearness of {ratio:.2f}"
    return replace(reading, note=note)


def check_overrides(overrides: Mapping[str, str]) -> None:
    """Refuse units of `--unit` that are not known, before anything is read."""
    for name, unit in overrides.items():
        if name == "sea_level":
            sea_level_factor(unit)
        else:
            _overridden(name, VARIABLES[name].unit, unit)


def sea_level_factor(unit: str) -> float:
    """Factor to cm."""
    return _overridden("sea_level", "cm", unit).factor


def sea_level_conversion(attribute: str, name: str) -> Conversion:
    """To cm, from the unit attribute of a file; without one, cm."""
    found = _reading(attribute or "cm", "cm")
    if found is None:
        raise SchemaError(f"{name}: unit {attribute!r} is not one of {_EXAMPLES['cm']}")
    return found


def extraterrestrial_radiation(latitude: float) -> Floats:
    """(12,) MJ/m2/day above the atmosphere at the middle of each month (FAO-56, eq. 21-25); degrees north."""
    phi = math.radians(latitude)
    day = 30.4 * np.arange(1, 13) - 15
    distance = 1 + 0.033 * np.cos(2 * np.pi / 365 * day)
    declination = 0.409 * np.sin(2 * np.pi / 365 * day - 1.39)
    sunset = np.arccos(np.clip(-math.tan(phi) * np.tan(declination), -1, 1))
    return np.asarray(
        _SOLAR / np.pi * distance
        * (sunset * math.sin(phi) * np.sin(declination) + math.cos(phi) * np.cos(declination) * np.sin(sunset))
    )  # fmt: skip


def _overridden(name: str, stored: str, override: str, *, daily: bool = False) -> Conversion:
    chosen = (_daily_reading if daily else _reading)(override, stored)
    if chosen is None:
        raise SettingsError(f"--unit {name}={override}: not one of {_EXAMPLES[stored]} or alike")
    return replace(chosen, note=f"unit {override} by --unit")


def _reading(text: str, stored: str) -> Conversion | None:
    """A unit as one of those that a stored unit is made from; None for any other."""
    text = text.strip()
    if stored == "mm" and "".join(text.lower().split()) in _FIVE_DAYS:
        return Conversion(text)
    for target, times in _READINGS[stored]:
        found = unit_text.conversion(text, target)
        # the largest amount of a day may be called a rate per day, not one per hour
        if found is None or (stored == "mm" and target == "mm/day" and not unit_text.names_a_day(text)):
            continue
        # months in metres are those of ERA5, where they are means of the daily sums
        return (
            None
            if (stored, target, found[0]) == ("mm/month", "mm", 1000.0)
            else Conversion(text, *found, times, amount=target == "mm")
        )
    return None


def _daily_reading(text: str, stored: str) -> Conversion | None:
    """A unit of daily values: an energy is that of the day, and nothing is a sum of a month."""
    found = _reading(text, stored) or (_energy(text) if stored == "MJ/m2/day" else None)
    return None if found is None or found.times else found


def _energy(text: str) -> Conversion | None:
    """An energy per area and step, such as J m-2."""
    found = unit_text.conversion(text, "MJ/m**2")
    return None if found is None else Conversion(text, *found, amount=True)


def _declared(attribute: str) -> list[Conversion]:
    """Readings of the unit of solar radiation: an energy without a time is that of a day or of a month."""
    stated, energy = _reading(attribute, "MJ/m2/day"), _energy(attribute)
    if stated is not None:
        return [stated]
    return [] if energy is None else [energy, replace(energy, times="per day")]
