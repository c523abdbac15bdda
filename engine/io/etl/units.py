"""Units of the provider's elements: what is accepted, and the factor and offset to the unit that is stored.

The unit attribute decides. Only solar radiation is checked against physics, because its unit is stated in three ways
that differ by a factor of 11.6 and 30: the clearness (surface over top-of-atmosphere radiation) must be believable
under exactly one reading.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import SchemaError, SettingsError
from engine.quality import Range
from engine.variables import VARIABLES, Variable

Floats = NDArray[np.float64]
Times = Literal["", "days", "per day"]

#: sea level: unit -> factor to cm
SEA_LEVEL = {"cm": 1.0, "m": 100.0, "mm": 0.1}
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


def _table(*entries: tuple[str, Conversion]) -> dict[str, Conversion]:
    return {spelling: conversion for spellings, conversion in entries for spelling in spellings.split()}


_CELSIUS = _table(
    ("degc c celsius degreecelsius degreescelsius degree_celsius degrees_celsius °c ℃ degreec", Conversion("degC")),
    ("k kelvin degk", Conversion("K", offset=-273.15)),
)
_RAIN_SUM = _table(
    ("mm mm/month mm/mon mmmonth-1 mmmon-1 kgm-2 kg/m2 kgm-2month-1", Conversion("mm/month")),
    ("mm/day mm/d mmday-1 mmd-1 kgm-2day-1 kgm-2d-1 kg/m2/day", Conversion("mm/day", times="days")),
    ("kgm-2s-1 kg/m2/s kg/(m2s) mms-1 mm/s", Conversion("kg m-2 s-1", 86_400.0, times="days")),
)
_DAYS = _table(
    ("days day d 1 count timedelta64[d]", Conversion("days")),
    ("hours hour h timedelta64[h]", Conversion("hours", 1 / 24)),
    ("seconds second s timedelta64[s]", Conversion("seconds", 1 / 86_400)),
    ("nanoseconds nanosecond ns timedelta64[ns]", Conversion("nanoseconds", 1 / 86_400e9)),
)
_SOLAR_READINGS = {
    "MJ/m2/day": Conversion("MJ/m2/day"),
    "W/m2": Conversion("W/m2", 0.0864),
    "MJ/m2/month": Conversion("MJ/m2/month", times="per day"),
}
_RADIATION = _table(
    ("mj/m2/day mj/m2/d mjm-2day-1 mjm-2d-1 mj/(m2day)", _SOLAR_READINGS["MJ/m2/day"]),
    ("w/m2 wm-2", _SOLAR_READINGS["W/m2"]),
    ("mj/m2/month mj/m2/mon mjm-2month-1 mjm-2mon-1", _SOLAR_READINGS["MJ/m2/month"]),
)
_ACCEPTED: dict[str, dict[str, Conversion]] = {
    "degC": _CELSIUS,
    "mm/month": _RAIN_SUM,
    "m/s": _table(("m/s ms-1 m/sec", Conversion("m/s"))),
    "%": _table(("% percent pct", Conversion("%")), ("1 fraction ratio", Conversion("1", 100.0))),
    "1": _table(("1 - dimensionless unitless none", Conversion("1"))),
    "days": _DAYS,
    "mm": _table(("mm mm/day mmday-1 mmd-1 mm/d mm/5day mm/5days kgm-2 kg/m2", Conversion("mm"))),
    "mm/day": _table(("mm/day mm/d mmday-1 mmd-1 mm kgm-2day-1 kgm-2d-1", Conversion("mm/day"))),
}


def conversion(variable: Variable, attribute: str, override: str | None, name: str) -> Conversion:
    """How to store what a file holds, for every variable but `si`.

    attribute : the unit attribute, "" when the file has none: then the stored unit is assumed and the note says so
    override  : `--unit` of the caller, which wins
    raises    : SchemaError for an unknown unit; SettingsError for an unknown override
    """
    accepted = _ACCEPTED[variable.unit]
    if override is not None:
        return _overridden(variable, accepted, override)
    if not attribute.strip():
        if variable.unit in ("1", "days"):
            return Conversion(variable.unit)
        return Conversion(variable.unit, note=f"no unit attribute, taken as {variable.unit}")
    found = accepted.get(_spelling(attribute))
    if found is None:
        raise SchemaError(f"{name}: unit {attribute!r} is not known for {variable.name}, stored in {variable.unit}")
    return found


def solar_conversion(
    attribute: str, override: str | None, mean: Floats, latitude: float, days: Floats, limits: Range, name: str
) -> Conversion:
    """How to store solar radiation: the attribute when physics allows it, else the one reading that it allows.

    mean     : (12,) mean of the values of each calendar month over the domain, as found
    latitude : mean of the cells, degrees
    days     : (12,) mean length of the months
    limits   : clearness that is believed
    raises   : SchemaError when no reading, or without an attribute more than one, is believable
    source   : FAO Irrigation and Drainage Paper 56, eq. 21
    """
    if override is not None:
        return _overridden(VARIABLES["si"], _RADIATION, override)
    top = float(np.mean(extraterrestrial_radiation(latitude)))
    clearness = {unit: float(np.mean(mean * reading.factors(days))) / top for unit, reading in _SOLAR_READINGS.items()}
    believable = [unit for unit, ratio in clearness.items() if limits.low <= ratio <= limits.high]
    declared = _RADIATION.get(_spelling(attribute))
    if declared is not None and declared.found in believable:
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
    return Conversion(reading.found, reading.factor, reading.offset, reading.times, note)


def check_overrides(overrides: Mapping[str, str]) -> None:
    """Refuse units of `--unit` that are not known, before anything is read."""
    for name, unit in overrides.items():
        if name == "sea_level":
            sea_level_factor(unit)
        else:
            variable = VARIABLES[name]
            _overridden(variable, _RADIATION if name == "si" else _ACCEPTED[variable.unit], unit)


def sea_level_factor(unit: str) -> float:
    """Factor to cm."""
    if unit.strip().lower() not in SEA_LEVEL:
        raise SettingsError(f"--unit sea_level={unit}: not one of {', '.join(SEA_LEVEL)}")
    return SEA_LEVEL[unit.strip().lower()]


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


def _overridden(variable: Variable, accepted: dict[str, Conversion], override: str) -> Conversion:
    chosen = accepted.get(_spelling(override))
    if chosen is None:
        known = ", ".join(dict.fromkeys(reading.found for reading in accepted.values()))
        raise SettingsError(f"--unit {variable.name}={override}: not one of {known}")
    return Conversion(chosen.found, chosen.factor, chosen.offset, chosen.times, f"unit {override} by --unit")


def _spelling(unit: str) -> str:
    """One spelling of `MJ m**-2 day^-1`, `MJ m-2 day-1`, ...: lower case, without blanks and power signs."""
    text = unit.strip().lower().replace("**", "").replace("^", "").replace("·", "").replace("²", "2")
    return "".join(text.split())
