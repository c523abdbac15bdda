"""One daily variable of one file: what it holds, in which unit, on which days.

Monthly means of a daily variable are taken, too, where no file has its days: each day of the month has the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.core.period import Years
from engine.io.netcdf import cf, daily_names, levels, packing, timeaxis, units
from engine.kernels.indices import DAYS_360, NOLEAP, STANDARD, DayAxis

Float32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: daily variable by its CF (CMIP) name -> unit it is computed in
UNITS = {"tas": "degC", "tasmax": "degC", "tasmin": "degC", "pr": "mm/day", "hurs": "%", "sfcWind": "m/s",
         "rsds": "MJ/m2/day"}  # fmt: skip
#: calendar of a file -> one of the three that are computed in
CALENDARS = {"standard": STANDARD, "gregorian": STANDARD, "proleptic_gregorian": STANDARD, "noleap": NOLEAP,
              "365_day": NOLEAP, "360_day": DAYS_360}  # fmt: skip
DAILY, MONTHLY = "daily", "monthly"
#: how days are made of shorter steps, in the words of cdo
_DAILY = {"tasmax": "daymax", "tasmin": "daymin"}


@dataclass(frozen=True, slots=True)
class Piece:
    """One daily variable of one file: on a lattice, or of places in a list (CF: time series of stations).

    step      : daily or monthly; amounts: of a month, to be spread over its days

    axes      : positions of (latitude, longitude, time) among its dimensions; of a list (place, time)
    latitude, longitude : of its rows and columns; of a list those of its places
    """

    file: str
    name: str
    variable: xr.Variable
    axes: tuple[int, ...]
    latitude: Floats
    longitude: Floats
    time: xr.Variable
    conversion: tuple[float, float]
    scope: str
    is_table: bool
    step: str
    amounts: bool

    @property
    def is_list(self) -> bool:
        return len(self.axes) == 2

    @property
    def calendar(self) -> str:
        return str(self.time.attrs["calendar"])

    def years(self) -> Years:
        year = cf.months(self.time, self.file) // 12
        return Years(int(year.min()), int(year.max()))

    def days(self, axis: DayAxis) -> Ints:
        """Column of the axis of every day that has a value; a day off the axis is negative or too large."""
        return self.placed(axis)[1]

    def placed(self, axis: DayAxis) -> tuple[Ints, Ints]:
        """(time step, column of the axis as in `days`) of every day that has a value."""
        numbers = self.time.to_numpy()
        if self.step == DAILY:
            since = timeaxis.days_since(numbers, self.time.attrs["units"], self.calendar, self.file, axis.years.first)
            return np.arange(len(numbers)), since
        months = cf.months(self.time, self.file) - 12 * axis.years.first
        steps = np.flatnonzero((months >= 0) & (months < 12 * axis.years.n))
        starts, lengths = axis.month_starts[months[steps]], np.diff(axis.month_starts)[months[steps]]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return np.repeat(steps, lengths), np.repeat(starts, lengths) + within

    def month_lengths(self) -> Floats:
        """Days of the month of every time step."""
        axis = DayAxis.of(self.years(), known_calendar(self))
        months = cf.months(self.time, self.file) - 12 * axis.years.first
        return np.diff(axis.month_starts)[months].astype(np.float64)


def step_of(data: xr.Dataset, time: xr.Variable, file: str) -> str:
    """Time step of a series, as `timeaxis.spacing` calls it; of a single step by what the file says, else daily."""
    said = MONTHLY if cf.text(data.attrs, "frequency").lower().startswith("mon") else DAILY
    return cf.spacing(time, file) or said


def conversion_of(step: str) -> Callable[..., units.Conversion]:
    """The function of `units` that reads the unit of values of a step."""
    return units.monthly_conversion if step == MONTHLY else units.daily_conversion


def of_one_step(group: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Days where some file has them, without the months of the same years.

    raises : SchemaError for months of years that no file has days of
    """
    days = [piece for piece in group if piece.step != MONTHLY]
    months = [piece for piece in group if piece.step == MONTHLY]
    if not days or not months:
        return group
    held = {year for piece in days for year in range(piece.years().first, piece.years().last + 1)}
    for piece in months:
        if not held.issuperset(range(piece.years().first, piece.years().last + 1)):
            raise SchemaError(
                f"{piece.file} has months of {piece.name} in {piece.years()}, {days[0].file} days of it in other years:"
                " give one time step for all years"
            )
    return tuple(days)


def pieces_of(
    data: xr.Dataset, file: str, overrides: Mapping[str, str], is_table: bool, member: str | None
) -> list[Piece]:
    """Daily variables of a dataset that nobody decoded.

    file   : what to call it in messages; member: as of `levels.surface_cube`
    overrides : daily variable -> unit, over the file's
    raises : SchemaError for a unit, a step or a level that cannot be used, and for a file without any of the variables
    """
    pieces = []
    for name, key in daily_names.found(data, file).items():
        cube = levels.surface_cube(data, key, name, file, member)
        held = cube.variable
        unit = str(held.attrs["units"]) if "units" in held.attrs else None
        step = step_of(data, cube.time, file)
        found = conversion_of(step)(name, UNITS[name], unit, overrides.get(name), file)
        if found.amount and name not in overrides and daily_names.is_mean(held):
            raise SchemaError(
                f"{file}: {key} is an amount ({found.found}) and a mean over time by its cell_methods: of which step is"
                f" the amount? Give daily sums (cdo daysum), or a rate (--unit {name}={UNITS[name]})"
            )
        scope = cf.text(data.attrs, "scope") or "full"
        piece = Piece(
            file, name, held, cube.axes, cube.latitude, cube.longitude, cube.time, (found.factor, found.offset), scope,
            is_table, step, found.times == "per day",
        )  # fmt: skip
        _refuse_other_steps(piece, found.amount)
        pieces.append(piece)
    if not pieces:
        raise SchemaError(f"{file} holds none of {', '.join(UNITS)}; it has {', '.join(map(str, data.variables))}")
    return pieces


def _refuse_other_steps(piece: Piece, amount: bool) -> None:
    """Refuse a series that is not daily, by what it is. Days are not made here of shorter steps: whether a sum belongs
    to the hour before or after its stamp, and to which time zone a day, the data do not say."""
    found = cf.spacing(piece.time, piece.file)
    if piece.step == MONTHLY or found in ("", DAILY):
        return
    if timeaxis.is_shorter_than_a_day(found):
        how = _DAILY.get(piece.name, "daysum" if amount else "daymean")
        raise SchemaError(
            f"{piece.file}: {found} data of {piece.name}, expected daily or monthly: make days of it, cdo {how} IN OUT"
        )
    raise SchemaError(f"{piece.file}: {found} data of {piece.name}, expected daily or monthly")


def known_calendar(piece: Piece) -> str:
    """Which of the three calendars that are computed in; refuses any other."""
    calendar = piece.calendar.strip().lower()
    if calendar not in CALENDARS:
        raise SchemaError(f"{piece.file}: calendar {calendar!r} is not one of {', '.join(CALENDARS)}")
    return CALENDARS[calendar]


def duplicates_in(group: Sequence[Piece], axis: DayAxis) -> int:
    """Days that the pieces of one variable hold twice at the same place; files of different stations share days."""
    days = [piece.days(axis) for piece in group]
    duplicates = sum(len(each) - len(np.unique(each)) for each in days)
    places = [
        {*zip(piece.latitude.tolist(), piece.longitude.tolist(), strict=False)} if piece.is_list else set()
        for piece in group
    ]
    for (one, here), (other, there) in combinations(enumerate(places), 2):
        if not (group[one].is_list and group[other].is_list and here.isdisjoint(there)):
            duplicates += len(np.intersect1d(days[one], days[other]))
    return duplicates


def part_of(piece: Piece, part: tuple[slice, ...]) -> Float32:
    """A part of a piece, asked for and given in the order of `axes`, in the unit that is computed in."""
    key = [slice(None)] * len(part)
    for axis, wanted in zip(piece.axes, part, strict=True):
        key[axis] = wanted
    factor, offset = piece.conversion
    ceiling = units.highest(factor)
    found = packing.values(piece.variable, tuple(key), f"{piece.file}: {piece.name}", ceiling)
    found = np.moveaxis(found, piece.axes, range(len(part)))
    if factor != 1.0:
        found *= np.float32(factor)
    if offset != 0.0:
        found += np.float32(offset)
    if piece.amounts:
        found /= piece.month_lengths()[part[-1]].astype(np.float32)
    return found
