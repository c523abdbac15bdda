"""Daily NetCDF input: what is in the files, on which lattice and days, read a latitude band at a time.

Monthly means of a daily variable are taken, too, where no file has its days: each day of the month has the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from engine.core.counted import agree, counted, of_all
from engine.core.errors import SchemaError, SettingsError
from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.io.etl import layout
from engine.io.etl.derive import daily_files
from engine.io.etl.derive.station_tables import PLAIN, TableOptions
from engine.io.netcdf import cf, daily_names, levels, packing, regular, timeaxis, units
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
class _Piece:
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
        axis = DayAxis.of(self.years(), _known_calendar(self))
        months = cf.months(self.time, self.file) - 12 * axis.years.first
        return np.diff(axis.month_starts)[months].astype(np.float64)


@dataclass(frozen=True, slots=True)
class DailyRecord:
    """The daily files of one scenario, opened: several variables, each in one or more pieces of time."""

    pieces: Mapping[str, tuple[_Piece, ...]]
    axis: DayAxis
    scope: str
    #: what `axis` can be cut from: the first year of any file to the last
    covered: Years
    files: str

    @classmethod
    def open(
        cls,
        stack: ExitStack,
        paths: Sequence[Path],
        overrides: Mapping[str, str] | None = None,
        tables: TableOptions = PLAIN,
        member: str | None = None,
    ) -> DailyRecord:
        """Open files for the life of `stack`, on all their years; they must share calendar and scope.

        overrides : daily variable -> unit, over the files'
        tables : what tables of stations do not say themselves
        member : the one to read of files with several
        raises : SchemaError naming the file that cannot be used, and why
        """
        opened = daily_files.opened(stack, paths, tables, overrides or {})
        return cls.of(opened, ", ".join(path.name for path in paths), overrides, member)

    @classmethod
    def of(
        cls,
        opened: Iterable[tuple[xr.Dataset, str, bool]],
        files: str,
        overrides: Mapping[str, str] | None = None,
        member: str | None = None,
    ) -> DailyRecord:
        """Take datasets in memory, undecoded, as `open` does those of files.

        opened : dataset, what to call it in a message, whether it is of tables in the units that are computed in
        files  : what to call all of them
        """
        pieces: dict[str, tuple[_Piece, ...]] = {}
        for data, file, is_table in opened:
            for piece in _pieces_of(data, file, {} if is_table else overrides or {}, is_table, member):
                pieces[piece.name] = (*pieces.get(piece.name, ()), piece)
        pieces = {name: _of_one_step(group) for name, group in pieces.items()}
        every = [piece for group in pieces.values() for piece in group]
        calendar = _one((_known_calendar(piece) for piece in every), "calendars", files)
        scope = _one((piece.scope for piece in every), "scopes", files)
        spans = [piece.years() for piece in every]
        covered = Years(min(span.first for span in spans), max(span.last for span in spans))
        axis = DayAxis.of(covered, calendar)
        for name, group in pieces.items():
            if duplicates := _duplicates(group, axis):
                raise SchemaError(
                    f"{files}: {counted(duplicates, 'day')} of {name} {agree(duplicates, 'comes', 'come')} twice"
                )
            days = np.concatenate([piece.days(axis) for piece in group])
            if (found := timeaxis.spacing(days.astype(float))) not in ("", DAILY):  # files of one step each
                raise SchemaError(
                    f"{files}: {found} data of {name}, a step in each file: join them (cdo mergetime), expected are"
                    " daily or monthly values"
                )
        return cls(pieces, axis, scope, covered, files)

    @property
    def monthly(self) -> frozenset[str]:
        """Variables of which only months are known: nothing that needs days is derived of these."""
        return frozenset(name for name, group in self.pieces.items() if group[0].step == MONTHLY)

    def within(self, years: Years) -> DailyRecord:
        """The same files on some of their years."""
        if not self.covered.holds(years):
            raise SettingsError(f"{years} is not inside {self.covered}, the years of {self.files}")
        return replace(self, axis=DayAxis.of(years, self.axis.calendar))

    def lattice(self) -> tuple[float, float, int, int, float]:
        """(lat0, lon0, n_lat, n_lon, step) of the first file; refuses what forms no regular lattice."""
        first = next(iter(self.pieces.values()))[0]
        return regular.lattice_of(first.latitude, first.longitude, first.file)

    def read(self, name: str, grid: GridDefinition, rows: slice) -> Float32:
        """(cells, days) of a latitude band, south to north and west to east; NaN = missing or absent.

        raises : SchemaError when a file is not on the lattice
        """
        n_rows = rows.stop - rows.start
        block = np.full((n_rows, grid.n_lon, self.axis.n), np.nan, np.float32)
        for piece in self.pieces[name]:
            steps, days = piece.placed(self.axis)
            kept = (days >= 0) & (days < self.axis.n)
            if not kept.any():
                continue
            steps, days = steps[kept], days[kept]
            span = slice(int(steps.min()), int(steps.max()) + 1)
            source, target = _run(steps - span.start), _run(days)
            if piece.is_list:
                place, row, column = _held(piece, grid)
                wanted = np.flatnonzero((row >= rows.start) & (row < rows.stop))
                for i in wanted:
                    series = _part(piece, (slice(int(place[i]), int(place[i]) + 1), span))
                    block[row[i] - rows.start, column[i], target] = series[0, source]
                continue
            row, column = regular.positions(piece.latitude, piece.longitude, grid, piece.file)
            wanted = np.flatnonzero((row >= rows.start) & (row < rows.stop))
            found = _part(piece, (slice(int(wanted[0]), int(wanted[-1]) + 1), slice(None), span))
            for r in wanted:
                for c in range(grid.n_lon):  # one series at a time: long copies
                    block[row[r] - rows.start, column[c], target] = found[r - wanted[0], c, source]
        return block.reshape(n_rows * grid.n_lon, self.axis.n)

    def of_tables(self, name: str, grid: GridDefinition, rows: slice) -> NDArray[np.bool_]:
        """(cells,) of a latitude band, whether a table of stations holds the variable there."""
        found = np.zeros((rows.stop - rows.start, grid.n_lon), bool)
        for piece in self.pieces[name]:
            if piece.is_table:
                _, row, column = _held(piece, grid)
                wanted = (row >= rows.start) & (row < rows.stop)
                found[row[wanted] - rows.start, column[wanted]] = True
        return found.ravel()

    def left_out(self, grid: GridDefinition) -> list[str]:
        """A sentence for each file with places outside the lattice."""
        pieces = {piece.file: piece for group in self.pieces.values() for piece in group if piece.is_list}
        counts = {file: len(piece.latitude) - len(_held(piece, grid)[0]) for file, piece in pieces.items()}
        return [
            f"{file}: {of_all(count, len(pieces[file].latitude), 'place')}"
            f" {agree(count, 'lies', 'lie')} outside the lattice and are left out"
            for file, count in counts.items()
            if count
        ]


def write_daily(
    path: Path,
    grid: GridDefinition,
    axis: DayAxis,
    days: Mapping[str, Float32],
    *,
    scope: str,
    attributes: Mapping[str, str],
) -> None:
    """Daily values as one NetCDF file that `DailyRecord` reads.

    days : name of `UNITS` -> (cells, days) in its unit, cells south to north and west to east; NaN = missing
    """
    with layout.new_file(path, {"scope": scope, **attributes}) as file:
        file.dimensions = {"time": axis.n, "latitude": grid.n_lat, "longitude": grid.n_lon}
        time = file.create_variable("time", ("time",), np.int32, data=np.arange(axis.n, dtype=np.int32))
        time.attrs.update({"units": f"days since {axis.years.first}-01-01", "calendar": axis.calendar})
        for name, degrees in (("latitude", grid.latitudes), ("longitude", grid.meridians)):
            file.create_variable(name, (name,), np.float64, data=degrees)
        for name, values in days.items():
            cube = values.reshape(grid.n_lat, grid.n_lon, axis.n).transpose(2, 0, 1)
            data = file.create_variable(
                name, ("time", "latitude", "longitude"), np.float32,
                data=np.where(np.isnan(cube), layout.FILL, cube), fillvalue=layout.FILL,
                chunks=(axis.n, 1, min(grid.n_lon, 16)), compression="gzip", compression_opts=1, shuffle=True,
            )  # fmt: skip
            data.attrs["units"] = UNITS[name]


def step_of(data: xr.Dataset, time: xr.Variable, file: str) -> str:
    """Time step of a series, as `timeaxis.spacing` calls it; of a single step by what the file says, else daily."""
    said = MONTHLY if cf.text(data.attrs, "frequency").lower().startswith("mon") else DAILY
    return cf.spacing(time, file) or said


def conversion_of(step: str) -> Callable[..., units.Conversion]:
    """The function of `units` that reads the unit of values of a step."""
    return units.monthly_conversion if step == MONTHLY else units.daily_conversion


def _of_one_step(group: tuple[_Piece, ...]) -> tuple[_Piece, ...]:
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


def _pieces_of(
    data: xr.Dataset, file: str, overrides: Mapping[str, str], is_table: bool, member: str | None
) -> list[_Piece]:
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
        piece = _Piece(
            file, name, held, cube.axes, cube.latitude, cube.longitude, cube.time, (found.factor, found.offset), scope,
            is_table, step, found.times == "per day",
        )  # fmt: skip
        _refuse_other_steps(piece, found.amount)
        pieces.append(piece)
    if not pieces:
        raise SchemaError(f"{file} holds none of {', '.join(UNITS)}; it has {', '.join(map(str, data.variables))}")
    return pieces


def _refuse_other_steps(piece: _Piece, amount: bool) -> None:
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


def _known_calendar(piece: _Piece) -> str:
    calendar = piece.calendar.strip().lower()
    if calendar not in CALENDARS:
        raise SchemaError(f"{piece.file}: calendar {calendar!r} is not one of {', '.join(CALENDARS)}")
    return CALENDARS[calendar]


def _duplicates(group: Sequence[_Piece], axis: DayAxis) -> int:
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


def _part(piece: _Piece, part: tuple[slice, ...]) -> Float32:
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


def _held(piece: _Piece, grid: GridDefinition) -> tuple[Ints, Ints, Ints]:
    """Number, lattice row and column of the places of a list that lie on the lattice; refuses two in one cell."""
    ids = grid.locate(piece.latitude, piece.longitude).astype(np.int64)
    place = np.flatnonzero(ids)
    cells = ids[place] - 1
    if not len(place):
        raise SchemaError(f"{piece.file}: none of its {len(ids)} places lies on the lattice")
    if shared := len(cells) - len(np.unique(cells)):
        raise SchemaError(f"{piece.file}: {shared} of its places lie in a cell that holds another: a finer lattice?")
    return place, cells // grid.n_lon, cells % grid.n_lon


def _run(index: Ints) -> slice | Ints:
    """A slice when the numbers follow one another: numpy copies it many times faster."""
    first, last = int(index[0]), int(index[-1])
    return slice(first, last + 1) if np.array_equal(index, np.arange(first, last + 1)) else index


def _one(found: Iterable[str], what: str, files: str) -> str:
    kinds = sorted(set(found))
    if len(kinds) != 1:
        raise SchemaError(f"{files} have different {what}: {', '.join(kinds)}")
    return kinds[0]
