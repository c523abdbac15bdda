"""Gridded NetCDF of the provider: what is inside, checked against the lattice, read once in the file's own order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from engine.core.errors import SchemaError, needs
from engine.core.grid import GridDefinition
from engine.core.variables import Variable
from engine.io.files import containers
from engine.io.netcdf import cf, daily_names, hdf5, levels, packing, regular, timeaxis, units

Float32 = NDArray[np.float32]
Ints = NDArray[np.int64]

SUFFIXES = (".nc", ".nc4")
_ENGINES = {"hdf5": "h5netcdf", "classic": "scipy", "cdf5": "netcdf4"}
_BROKEN = (ValueError, TypeError, KeyError, IndexError, AssertionError, RuntimeError, AttributeError)
#: bytes read at a time
_SLAB = 128 << 20
#: elements of the provider -> the daily variable whose other names they may have
_ALSO = {"ta": "tas", "tamax": "tasmax", "tamin": "tasmin", "rn": "pr", "rhm": "hurs", "ws": "sfcWind", "si": "rsds"}


@contextmanager
def dataset(path: Path) -> Iterator[xr.Dataset]:
    """Open a NetCDF file, or the one inside an archive, with nothing decoded.

    raises : SchemaError for a broken file, an error page, an archive with none or several NetCDF files
    """
    kinds: tuple[containers.Kind, ...] = ("hdf5", "classic", "cdf5")
    with containers.opened(path, SUFFIXES, kinds) as content:
        try:
            opened = _opened(content)
        except ImportError as err:
            raise SchemaError(f"{path.name} is NetCDF CDF-5, which {needs('geo')}") from err
        except _BROKEN as err:  # what xarray, h5py and scipy raise on damaged files, beside OSError
            what = "it was cut short, get it again" if "truncated" in str(err) else err or type(err).__name__
            raise SchemaError(f"{path.name} is broken: {what}") from err
        with opened:
            yield opened


def _opened(content: containers.Content) -> xr.Dataset:
    """By the package that can decompress the file; a variable that none can is marked."""
    engine, codes = _ENGINES[content.kind], hdf5.unavailable(content.path) if content.kind == "hdf5" else {}
    if any(hdf5.netcdf4_reads(content.path, code) for code in set(codes.values())):
        engine, codes = "netcdf4", {k: code for k, code in codes.items() if not hdf5.netcdf4_reads(content.path, code)}
    opened = xr.open_dataset(content.path, engine=engine, decode_cf=False, decode_times=False, decode_timedelta=False)
    for name, code in codes.items():
        if name in opened.variables:
            opened.variables[name].encoding[packing.UNREADABLE] = hdf5.lacking(code)
    return opened


def data_variable(data: xr.Dataset, fits: Callable[[str], bool], wanted: str, name: str) -> str:
    """The one variable of three dimensions (those of length 1 apart) whose lower-case name `fits`; refuses none and
    several."""
    cubes = [str(key) for key, value in data.variables.items() if value.ndim - value.shape.count(1) == 3]
    more = [str(key) for key, value in data.variables.items() if value.ndim >= 3]  # of several members, or levels
    found = [key for key in cubes if fits(key.lower())] or [key for key in more if fits(key.lower())]
    cubes = cubes or more
    if len(found) != 1:
        held = ", ".join(cubes) or "none"
        raise SchemaError(f"{name}: {len(found)} three-dimensional variables named {wanted}, expected 1; it has {held}")
    return found[0]


@dataclass(frozen=True, slots=True)
class Field:
    """One variable of one file, on the lattice.

    axes     : positions of (latitude, longitude, time) among the variable's dimensions
    rows, columns : lattice index of every latitude and longitude of the file
    """

    name: str
    variable: xr.Variable
    axes: tuple[int, int, int]
    rows: Ints
    columns: Ints
    steps: int
    calendar: str
    unit: str
    cell_method: str
    fill_value: float | None
    scope: str
    attributes: dict[str, str]


@contextmanager
def field(path: Path, variable: Variable, grid: GridDefinition, member: str | None = None) -> Iterator[Field]:
    """Open one variable of one scenario and check it against the lattice and its years.

    member : the one to read of a file with several
    raises : SchemaError naming the file, what was found and what was expected
    """
    with dataset(path) as data:
        key, name = _element(data, variable, path.name), _ALSO.get(variable.element.lower(), "")
        if name:
            daily_names.check(data.variables[key], key, name, path.name)
        if name:
            cube = levels.surface_cube(data, key, name, path.name, member)
        else:
            cube = cf.cube(data, key, path.name, member)
        held = cube.variable
        if len(cube.axes) != 3:
            raise SchemaError(f"{path.name}: {variable.element} is a list of places, expected latitudes and longitudes")
        months = cf.months(cube.time, path.name)
        timeaxis.check_axis(months, grid.axis, variable.monthly, path.name, cf.spacing(cube.time, path.name))
        rows, columns = regular.positions(cube.latitude, cube.longitude, grid, path.name)
        fills = packing.Packing.of(held, f"{path.name}: {variable.element}").fills
        yield Field(
            path.name,
            held,
            (cube.axes[0], cube.axes[1], cube.axes[2]),
            rows,
            columns,
            len(months),
            cube.time.attrs["calendar"],
            cf.text(held.attrs, "units") or _timedelta_unit(held),
            cf.text(held.attrs, "cell_methods"),
            float(fills[0]) if len(fills) else None,
            cf.text(data.attrs, "scope"),
            {str(key): str(value) for key, value in data.attrs.items()},
        )


def _element(data: xr.Dataset, variable: Variable, name: str) -> str:
    """The variable called by the element, else the one that CF or a usual name says is the same."""
    element = variable.element.lower()
    if element in _ALSO and not any(str(key).lower() == element for key in data.variables):
        found = daily_names.found(data, name).get(_ALSO[element])
        if found is not None:
            return found
    return data_variable(data, lambda key: key == element, variable.element, name)


def read_cells(
    source: Field, grid: GridDefinition, scratch: Path | None, ceiling: float = units.HIGHEST
) -> tuple[Ints, Float32]:
    """Every cell with a value, ascending, and its whole series: (cells,) lattice index from 0, (cells, steps).

    ceiling : the largest value, as found, that is not taken as missing
    scratch : file that holds the array when all cells are kept, sea included; None = only cells with values, in memory
    """
    collected = _Collected(grid.n_cells, source.steps, scratch)
    for key, span in _slabs(source):
        # time first, as most files have it: then nothing is moved before the sea is left out
        block, missing = packing.unpacked(source.variable, key, source.name, ceiling)
        block, missing = (np.moveaxis(block, source.axes, (1, 2, 0)), np.moveaxis(missing, source.axes, (1, 2, 0)))
        rows, columns = source.rows[key[source.axes[0]]], source.columns[key[source.axes[1]]]
        cells = (rows[:, None] * grid.n_lon + columns[None, :]).ravel()
        collected.put(cells, span, block.reshape(len(block), -1), missing.reshape(len(block), -1))
    return collected.result()


def _slabs(source: Field) -> Iterator[tuple[tuple[slice, ...], slice]]:
    """Parts of the file, each read once: latitude bands of the whole time axis, or pieces of time of the whole map.

    A file stored in slices of time would be decompressed once per band, so the layout decides, not the wish.
    """
    y_axis, _, t_axis = source.axes
    shape = source.variable.shape
    chunks = source.variable.encoding.get("chunksizes") or source.variable.encoding.get("preferred_chunks")
    chunk = tuple(chunks.values()) if isinstance(chunks, dict) else chunks
    along_time = chunk[t_axis] * 4 >= shape[t_axis] if chunk else t_axis != 0
    axis = y_axis if along_time else t_axis
    tile = chunk[axis] if chunk else 1
    size = 4 * int(np.prod(shape)) // shape[axis]
    length = max(1, _SLAB // (size * tile)) * tile
    starts = range(0, shape[axis], length)
    # southernmost first, so that cells come out in ascending order
    descending = along_time and source.rows[0] > source.rows[-1]
    for start in reversed(starts) if descending else starts:
        part = slice(start, min(start + length, shape[axis]))
        key = [slice(0, extent) for extent in shape]
        key[axis] = part
        yield tuple(key), key[t_axis]


class _Collected:
    """Series of cells, gathered piece by piece. Rows of the array are handed out as cells turn up; pages that are never
    written cost no memory."""

    def __init__(self, n_cells: int, steps: int, scratch: Path | None) -> None:
        self._slot = np.full(n_cells, -1, np.int64)
        self._used = 0
        self._steps = steps
        self._values: Float32 = np.empty((n_cells, steps), np.float32)
        self._every = scratch is not None
        if scratch is not None:
            self._values = np.memmap(scratch, np.float32, "w+", shape=(n_cells, steps))
            self._slot[:] = np.arange(n_cells)
            self._used = n_cells

    def put(self, cells: Ints, span: slice, block: Float32, missing: NDArray[np.bool_]) -> None:
        """Take (steps, cells) values of some steps."""
        if not self._every:
            held = np.flatnonzero(~missing.all(axis=0))
            cells, block, missing = cells[held], block[:, held], missing[:, held]
            new = cells[self._slot[cells] < 0]
            self._slot[new] = np.arange(self._used, self._used + len(new))
            if span.stop - span.start < self._steps:
                self._values[self._used : self._used + len(new)] = np.nan
            self._used += len(new)
        np.copyto(block, np.nan, where=missing)
        slots = self._slot[cells]
        first = int(slots[0]) if len(slots) else 0
        if np.array_equal(slots, np.arange(first, first + len(slots))):  # as a rule; twice as fast
            self._values[first : first + len(slots), span] = block.T
        else:
            self._values[slots, span] = block.T

    def result(self) -> tuple[Ints, Float32]:
        cells = np.flatnonzero(self._slot >= 0)
        order = self._slot[cells]
        if np.array_equal(order, np.arange(len(order))):
            return cells, self._values[: self._used]
        return cells, self._values[order]


def _timedelta_unit(cube: xr.Variable) -> str:
    kind = cf.text(cube.attrs, "dtype")
    return kind if kind.startswith("timedelta64") else ""
