"""Daily NetCDF input: what is in the files, on which lattice and days, read a latitude band at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
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
from engine.io.etl.derive.pieces import (
    DAILY,
    MONTHLY,
    UNITS,
    Piece,
    duplicates_in,
    known_calendar,
    of_one_step,
    part_of,
    pieces_of,
)
from engine.io.etl.derive.station_tables import PLAIN, TableOptions
from engine.io.netcdf import regular, timeaxis
from engine.kernels.indices import DayAxis

Float32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DailyRecord:
    """The daily files of one scenario, opened: several variables, each in one or more pieces of time."""

    pieces: Mapping[str, tuple[Piece, ...]]
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
        pieces: dict[str, tuple[Piece, ...]] = {}
        for data, file, is_table in opened:
            for piece in pieces_of(data, file, {} if is_table else overrides or {}, is_table, member):
                pieces[piece.name] = (*pieces.get(piece.name, ()), piece)
        pieces = {name: of_one_step(group) for name, group in pieces.items()}
        every = [piece for group in pieces.values() for piece in group]
        calendar = _one((known_calendar(piece) for piece in every), "calendars", files)
        scope = _one((piece.scope for piece in every), "scopes", files)
        spans = [piece.years() for piece in every]
        covered = Years(min(span.first for span in spans), max(span.last for span in spans))
        axis = DayAxis.of(covered, calendar)
        for name, group in pieces.items():
            if duplicates := duplicates_in(group, axis):
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
                    series = part_of(piece, (slice(int(place[i]), int(place[i]) + 1), span))
                    block[row[i] - rows.start, column[i], target] = series[0, source]
                continue
            row, column = regular.positions(piece.latitude, piece.longitude, grid, piece.file)
            wanted = np.flatnonzero((row >= rows.start) & (row < rows.stop))
            found = part_of(piece, (slice(int(wanted[0]), int(wanted[-1]) + 1), slice(None), span))
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


def _held(piece: Piece, grid: GridDefinition) -> tuple[Ints, Ints, Ints]:
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
