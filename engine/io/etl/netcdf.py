"""Gridded NetCDF of the provider: what is inside, checked against the lattice, read once in the file's own order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from engine.errors import SchemaError
from engine.grid import GridDefinition
from engine.io.etl import containers, timeaxis
from engine.variables import Variable

Float32 = NDArray[np.float32]
Ints = NDArray[np.int64]

SUFFIXES = (".nc", ".nc4")
_ENGINES = {"hdf5": "h5netcdf", "classic": "scipy", "cdf5": "netcdf4"}
LATITUDES, LONGITUDES = ("latitude", "lat"), ("longitude", "lon")
#: what providers write for "missing" beside the attributes: -999, -9990, 9.97e36, 1e20
_LOWEST, _HIGHEST = np.float32(-900.0), np.float32(1e6)
#: bytes read at a time
_SLAB = 128 << 20
#: coordinates may be off the lattice by this share of a step
_TOLERANCE = 0.1


@contextmanager
def dataset(path: Path) -> Iterator[xr.Dataset]:
    """Open a NetCDF file, or the one inside an archive, with nothing decoded.

    raises : SchemaError for a broken file, an error page, an archive with none or several NetCDF files
    """
    kinds: tuple[containers.Kind, ...] = ("hdf5", "classic", "cdf5")
    with containers.opened(path, SUFFIXES, kinds) as content:
        try:
            opened = xr.open_dataset(
                content.path, engine=_ENGINES[content.kind], decode_cf=False, decode_times=False, decode_timedelta=False
            )
        except ImportError as err:
            raise SchemaError(f"{path.name} is NetCDF CDF-5, which needs the package netCDF4 (extra [geo])") from err
        except (ValueError, TypeError, KeyError, IndexError, AssertionError) as err:  # truncated classic files
            raise SchemaError(f"{path.name} is broken: {err or type(err).__name__}") from err
        with opened:
            yield opened


def text(attributes: Any, name: str) -> str:
    """A text attribute, "" when absent."""
    return str(attributes.get(name, "")).strip()


def data_variable(data: xr.Dataset, fits: Any, wanted: str, name: str) -> xr.Variable:
    """The one three-dimensional variable whose lower-case name `fits`; refuses none and several."""
    cubes = [str(key) for key, value in data.variables.items() if value.ndim == 3]
    found = [key for key in cubes if fits(key.lower())]
    if len(found) != 1:
        held = ", ".join(cubes) or "none"
        raise SchemaError(f"{name}: {len(found)} three-dimensional variables named {wanted}, expected 1; it has {held}")
    return data.variables[found[0]]


def stamps(data: xr.Dataset, dimension: str, name: str) -> tuple[Ints, str]:
    """(months since year 0 of every time step, calendar); see `timeaxis.months`."""
    if dimension not in data.variables:
        raise SchemaError(f"{name}: dimension {dimension} has no coordinate variable to tell the dates")
    time = data.variables[dimension]
    calendar = text(time.attrs, "calendar") or "standard"
    numbers = np.asarray(time.values, dtype=float)
    return timeaxis.months(numbers, text(time.attrs, "units"), calendar, name), calendar


def values(variable: xr.Variable, part: tuple[slice, ...]) -> Float32:
    """A part of a variable, unpacked, NaN where missing: its `_FillValue` and `missing_value`, and every value at or
    below -900 or above 1e6."""
    block, missing = _unpacked(variable, part)
    # a new array: callers convert it in place, and what was read may belong to the variable
    return np.where(missing, np.float32(np.nan), block)


def _unpacked(variable: xr.Variable, part: tuple[slice, ...]) -> tuple[Float32, NDArray[np.bool_]]:
    """A part of a variable, unpacked, and which of its values are missing (they are left as found)."""
    raw = np.asarray(variable[part].values)
    packed = "scale_factor" in variable.attrs or "add_offset" in variable.attrs
    fills = [fill for fill in map(variable.attrs.get, ("_FillValue", "missing_value")) if fill is not None]
    block: Float32 = raw.astype(np.float32, copy=False)
    if packed:
        scale, offset = (float(variable.attrs.get(key, rest)) for key, rest in (("scale_factor", 1), ("add_offset", 0)))
        block = (raw * scale + offset).astype(np.float32)
    good = block > _LOWEST  # not NaN
    good &= block <= _HIGHEST
    for fill in np.ravel(np.asarray(fills, dtype=float)):
        if packed or _LOWEST < fill <= _HIGHEST:
            good &= raw != fill
    return block, np.logical_not(good, out=good)


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
def field(path: Path, variable: Variable, grid: GridDefinition) -> Iterator[Field]:
    """Open one variable of one scenario and check it against the lattice and its years.

    raises : SchemaError naming the file, what was found and what was expected
    """
    with dataset(path) as data:
        cube = data_variable(data, lambda key: key == variable.element.lower(), variable.element, path.name)
        latitude, longitude = (coordinate(data, names, path.name) for names in (LATITUDES, LONGITUDES))
        dimensions = [str(dimension) for dimension in cube.dims]
        y, x = latitude.dims[0], longitude.dims[0]
        if y not in dimensions or x not in dimensions:
            raise SchemaError(
                f"{path.name}: {variable.element} has dimensions {', '.join(dimensions)}, not {y} and {x}"
            )
        y_axis, x_axis = dimensions.index(str(y)), dimensions.index(str(x))
        t_axis = 3 - y_axis - x_axis
        months, calendar = stamps(data, dimensions[t_axis], path.name)
        timeaxis.check_axis(months, grid.axis, variable.monthly, path.name)
        degrees = np.asarray(latitude.values, float)
        rows = _lattice_index(degrees - grid.lat0, grid.step, grid.n_lat, "latitude", path.name)
        eastward = (np.asarray(longitude.values, float) - grid.lon0 + grid.step / 2) % 360 - grid.step / 2
        columns = _lattice_index(eastward, grid.step, grid.n_lon, "longitude", path.name)
        fill = cube.attrs.get("_FillValue", cube.attrs.get("missing_value"))
        yield Field(
            path.name,
            cube,
            (y_axis, x_axis, t_axis),
            rows,
            columns,
            len(months),
            calendar,
            text(cube.attrs, "units") or _timedelta_unit(cube),
            text(cube.attrs, "cell_methods"),
            None if fill is None else float(np.ravel(fill)[0]),
            text(data.attrs, "scope"),
            {str(key): str(value) for key, value in data.attrs.items()},
        )


def read_cells(source: Field, grid: GridDefinition, scratch: Path | None) -> tuple[Ints, Float32]:
    """Every cell with a value, ascending, and its whole series: (cells,) lattice index from 0, (cells, steps).

    scratch : file that holds the array when all cells are kept, sea included; None = only cells with values, in memory
    """
    collected = _Collected(grid.n_cells, source.steps, scratch)
    for key, span in _slabs(source):
        # time first, as most files have it: then nothing is moved before the sea is left out
        block, missing = _unpacked(source.variable, key)
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


def coordinate(data: xr.Dataset, names: tuple[str, ...], name: str) -> xr.Variable:
    """The one-dimensional coordinate of one of these names, in any case."""
    for key, variable in data.variables.items():
        if str(key).lower() in names:
            if variable.ndim != 1:
                raise SchemaError(
                    f"{name}: {key} has {variable.ndim} dimensions, expected the axis of a regular lattice"
                )
            return variable
    raise SchemaError(f"{name}: no coordinate {' or '.join(names)}; it has {', '.join(map(str, data.variables))}")


def _lattice_index(offset: NDArray[np.float64], step: float, n: int, what: str, name: str) -> Ints:
    found = offset / step
    index = np.rint(found)
    if len(found) != n:
        raise SchemaError(f"{name}: {len(found)} {what}s where grid_definition has {n}")
    if not np.isfinite(found).all() or (off := float(np.abs(found - index).max())) > _TOLERANCE:
        where = "not finite" if not np.isfinite(found).all() else f"up to {off:.2f} steps off the lattice"
        raise SchemaError(f"{name}: {what}s are {where} of grid_definition (step {step:g})")
    if not np.array_equal(np.sort(index), np.arange(n)):
        raise SchemaError(
            f"{name}: {what}s cover index {int(index.min())}..{int(index.max())} where grid_definition has 0..{n - 1},"
            " each once"
        )
    return index.astype(np.int64)


def _timedelta_unit(cube: xr.Variable) -> str:
    kind = text(cube.attrs, "dtype")
    return kind if kind.startswith("timedelta64") else ""
