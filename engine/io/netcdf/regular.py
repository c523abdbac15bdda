"""Coordinates of a file against a lattice: which one they form, and which of its rows and columns they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition, from_the_west

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: coordinates may be off the lattice by this share of a step
_TOLERANCE = 0.1
_GAUSSIAN = ", as those of a Gaussian grid"
_REMAP = "remap the file to one step first (cdo remapbil, remapcon for rain)"


def lattice_of(latitude: Floats, longitude: Floats, file: str) -> tuple[float, float, int, int, float]:
    """(lat0, lon0, n_lat, n_lon, step) of coordinates in any order; longitudes in -180..180, on both sides of
    the date line too.

    raises : SchemaError saying what the coordinates are instead of a lattice of one step
    """
    north, east = np.sort(latitude), from_the_west(longitude)
    steps = [_step(degrees, what, file) for degrees, what in ((north, "latitudes"), (east, "longitudes"))]
    known = [step for step in steps if step is not None]
    if not known:
        raise SchemaError(f"{file} holds one point, which has no step: give the lattice as grid.toml")
    if abs(known[-1] - known[0]) * max(len(north), len(east)) > _TOLERANCE * known[0]:
        gaussian = f"{_GAUSSIAN}," if np.ptp(np.diff(north)) > 1e-3 * known[0] else ""
        raise SchemaError(
            f"{file}: cells are {known[0]:g} degree of latitude{gaussian} by {known[1]:g} of longitude; those of a"
            f" lattice are as wide as they are high: {_REMAP}"
        )
    step = known[0] if len(north) >= len(east) else known[-1]
    return float(np.round(north[0], 6)), float(np.round(east[0], 6)), len(north), len(east), step


def positions(latitude: Floats, longitude: Floats, grid: GridDefinition, file: str) -> tuple[Ints, Ints]:
    """Lattice row and column of every latitude and longitude of a file that holds the whole lattice.

    raises : SchemaError when it holds other coordinates, some twice or not all
    """
    east = (longitude - grid.lon0 + grid.step / 2) % 360.0 - grid.step / 2
    rows = _index(latitude - grid.lat0, grid.step, grid.n_lat, "latitude", file)
    return rows, _index(east, grid.step, grid.n_lon, "longitude", file)


def _step(degrees: Floats, what: str, file: str) -> float | None:
    """The distance of neighbours, which must be the same everywhere; None of a single one."""
    if len(degrees) == 1:
        return None
    step = float(np.round((degrees[-1] - degrees[0]) / (len(degrees) - 1), 6))
    gaps = np.diff(degrees)
    if gaps.min() <= 1e-6:
        raise SchemaError(f"{file}: {degrees[int(gaps.argmin())]:g} is twice among the {what}: leave one out")
    even = degrees[0] + step * np.arange(len(degrees))
    if step <= 0 or np.abs(degrees - even).max() > _TOLERANCE * step:
        gaussian = _GAUSSIAN if what == "latitudes" and np.ptp(gaps) < 0.1 * step else ""
        raise SchemaError(
            f"{file}: {what} lie {gaps.min():g} to {gaps.max():g} degree apart{gaussian}; those of a lattice are evenly"
            f" spaced: {_REMAP}"
        )
    return step


def _index(offset: Floats, step: float, n: int, what: str, file: str) -> Ints:
    found = offset / step
    if len(found) != n:
        raise SchemaError(f"{file}: {len(found)} {what}s where the lattice has {n}")
    index = np.rint(found)
    if (off := float(np.abs(found - index).max())) > _TOLERANCE:
        raise SchemaError(f"{file}: {what}s are up to {off:.2f} steps off the lattice (step {step:g})")
    if not np.array_equal(np.sort(index), np.arange(n)):
        raise SchemaError(
            f"{file}: {what}s cover index {int(index.min())}..{int(index.max())} where the lattice has 0..{n - 1},"
            " each once"
        )
    return index.astype(np.int64)
