"""Values of station tables: brought to the unit that is computed in, and which blank days of rain were dry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.io.netcdf import unit_text, units

Float32 = NDArray[np.float32]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

SUNSHINE = "sunshine"
#: daily variable by its CF name -> unit it is computed in, and that of a column whose header states none
UNITS = {"tas": "degC", "tasmax": "degC", "tasmin": "degC", "pr": "mm/day", "hurs": "%", "sfcWind": "m/s",
         "rsds": "MJ/m2/day", SUNSHINE: "h"}  # fmt: skip


def converted(found: pl.Series, name: str, unit: str | None, override: str | None, path: Path) -> pl.Series:
    """A column in the unit of `UNITS`; null where the field is blank, NaN where it holds a code of missing values.

    unit     : of the column's header, None where it states none
    override : unit of `--unit`, over the header's
    raises   : SchemaError for an unknown unit; SettingsError for an unknown override
    """
    if name == SUNSHINE:
        factor, offset = _hours(unit, path)
    else:
        told = units.daily_conversion(name, UNITS[name], UNITS[name] if unit is None else unit, override, path.name)
        factor, offset = told.factor, told.offset
    values = found.cast(pl.Float32).fill_null(np.nan).to_numpy()
    believed = (values > np.float32(units.LOWEST)) & (values <= np.float32(units.HIGHEST))
    values = np.where(believed, values, np.float32(np.nan))
    if factor != 1.0:
        values = values * np.float32(factor)
    if offset != 0.0:
        values = values + np.float32(offset)
    return pl.select(pl.when(found.is_not_null()).then(pl.Series(values))).to_series().alias(name)


def _hours(unit: str | None, path: Path) -> tuple[float, float]:
    text = unit or UNITS[SUNSHINE]
    told = unit_text.conversion(text, "hour") or unit_text.conversion(text, "hour/day")
    if told is None:
        raise SchemaError(f"{path.name}: unit {unit!r} of {SUNSHINE} is not known; it is computed in h (h, min)")
    return told


def dry(blank: Bools, series: Mapping[str, Float32], year_starts: Ints) -> tuple[Bools, Bools]:
    """Blank days that were dry: those with another value, in a year in which the place has some value of rain.

    A gauge that is out of order, or was never there, leaves blanks, too: a year of them says nothing about rain.

    blank   : (places, days) no value of rain, nor a code that says it is missing
    series  : daily variable -> (places, days), NaN = missing, with pr
    year_starts : (Y + 1,) index of the first day of each calendar year; the last entry is the number of days
    returns : (places, days) the dry ones; (places,) whether blanks with other values stay missing for want of rain
    """
    reported = np.zeros(blank.shape, bool)
    for name, values in series.items():
        if name != "pr":
            reported |= ~np.isnan(values)
    open_ = blank & reported
    found = open_ & in_measured_years(series["pr"], year_starts)
    return found, np.asarray((open_ & ~found).any(axis=1))


def in_measured_years(rain: Float32, year_starts: Ints) -> Bools:
    """(places, days) whether the place has some value of rain in the calendar year of the day; starts as in `dry`."""
    measured = np.logical_or.reduceat(~np.isnan(rain), year_starts[:-1], axis=1)
    return np.repeat(measured, np.diff(year_starts), axis=1)
