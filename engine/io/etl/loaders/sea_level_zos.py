"""Sea level of ocean models: `zos` of CF and CMIP files, monthly or yearly, on a straight or a curvilinear grid.

`zos` is the height of the sea above the geoid as currents and density shape it. The expansion of the ocean as a whole
(`zostoga`) is added from a file beside it; melt of land ice and sinking land are in neither.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.io.etl.loaders.sea_level_points import Float32, Floats, SeaLevel, around
from engine.io.netcdf import cf, lattice_files, packing, units

_STANDARD = ("sea_surface_height_above_geoid", "sea_surface_height_above_sea_level")
_EXPANSION = "zostoga"
_MONTHS = 12
_ZERO_YEARS = 20
ALONE = "zos alone: without the expansion of the ocean as a whole (zostoga), without land ice and sinking land"
WITH = "zos and zostoga: without land ice and sinking land"


def variable(data: xr.Dataset) -> str | None:
    """Name of the variable of sea level; None where the file has none."""
    held = [str(key) for key in data.variables]
    by_standard = [key for key in held if cf.text(data.variables[key].attrs, "standard_name").lower() in _STANDARD]
    return "zos" if "zos" in held else by_standard[0] if len(by_standard) == 1 else None


def read(
    data: xr.Dataset, key: str, file: str, unit: str | None, grid: GridDefinition | None, expansion: Path | None
) -> SeaLevel:
    """Annual means, cm above the mean of the first 20 years, of the part of the grid around the lattice.

    expansion : file with `zostoga` of the same run
    raises    : SchemaError for other dimensions than time and the two of the grid, and years that `zostoga` lacks
    """
    cube, (latitude, longitude), (time, j, i) = _axes(data, key, file)
    near = around(latitude, longitude, grid, file)
    rows, columns = (
        slice(found[0], found[-1] + 1) for found in map(np.flatnonzero, (near.any(axis=1), near.any(axis=0)))
    )
    window = [slice(None)] * 3
    window[j], window[i] = rows, columns
    values = np.moveaxis(packing.values(cube, tuple(window), f"{file}: {key}"), (time, j, i), (0, 1, 2))
    stamps = cf.stamps(data, str(cube.dims[time]), file)
    years, means = _yearly(values, cf.months(stamps, file), cf.spacing(stamps, file), file)
    stated = cf.text(cube.attrs, "units")
    factor = units.sea_level_factor(unit) if unit else units.sea_level_conversion(stated or "m", file).factor
    means *= factor
    # models have their geoids a metre apart: each point counts from its own first years
    means -= means[:_ZERO_YEARS].mean(axis=0)
    if expansion is not None:
        means += _of_expansion(expansion, years)[:, None, None]
    return SeaLevel(
        latitude[rows, columns], longitude[rows, columns], years, means.astype(np.float32),
        cf.text(data.attrs, "scope"), unit or stated or "m", ALONE if expansion is None else WITH,
    )  # fmt: skip


def _axes(data: xr.Dataset, key: str, file: str) -> tuple[xr.Variable, tuple[Floats, Floats], tuple[int, int, int]]:
    """The variable, (j, i) degrees, and the positions of time, j and i."""
    cube = data.variables[key]
    dims = [str(dimension) for dimension in cube.dims]
    if len(dims) != 3:
        raise SchemaError(f"{file}: {key} has the dimensions {', '.join(dims)}, expected time and the two of the grid")
    flat = [each for each in data.variables.values() if each.ndim == 2 and set(map(str, each.dims)) < set(dims)]
    if any(cf.text(each.attrs, "units").lower().startswith("degree") for each in flat):
        plane, *degrees = cf.plane(data, file)
        j, i = (dims.index(str(dimension)) for dimension in plane.dims)
        return cube, (degrees[0], degrees[1]), (3 - j - i, j, i)
    straight = cf.cube(data, key, file)
    j, i, time = straight.axes
    north, east = np.meshgrid(straight.latitude, straight.longitude, indexing="ij")
    return straight.variable, (north, east), (time, j, i)


def _yearly(values: Float32, months: NDArray[np.int64], spacing: str, file: str) -> tuple[NDArray[np.int64], Floats]:
    """Years and their means (years, j, i); a year without all twelve months is left out."""
    if (np.diff(months) <= 0).any():
        raise SchemaError(f"{file}: its {len(months)} {spacing} steps do not ascend, or several lie in one month")
    years, first, counts = np.unique(months // _MONTHS, return_index=True, return_counts=True)
    if (counts == 1).all() and len(years) > 1:
        return years, values.astype(np.float64)
    whole = counts == _MONTHS
    if not whole.any():
        raise SchemaError(f"{file}: no year has a value, or one for each of its twelve months: it has {spacing} steps")
    return years[whole], np.stack([values[at : at + _MONTHS].mean(axis=0, dtype=np.float64) for at in first[whole]])


def _of_expansion(path: Path, years: NDArray[np.int64]) -> Floats:
    """Annual means of `zostoga` in these years, cm."""
    with lattice_files.dataset(path) as data:
        if _EXPANSION not in data.variables:
            raise SchemaError(f"{path.name}: it has no variable {_EXPANSION}")
        series = data.variables[_EXPANSION]
        long = [str(dimension) for dimension in series.dims if series.sizes[dimension] > 1]
        if len(long) != 1:
            raise SchemaError(
                f"{path.name}: {_EXPANSION} has the dimensions {', '.join(map(str, series.dims))}, expected time"
            )
        stamps = cf.stamps(data, long[0], path.name)
        values = packing.values(series, (slice(None),) * series.ndim, f"{path.name}: {_EXPANSION}").reshape(-1, 1, 1)
        own, means = _yearly(values, cf.months(stamps, path.name), cf.spacing(stamps, path.name), path.name)
        factor = units.sea_level_conversion(cf.text(series.attrs, "units") or "m", path.name).factor
    if lacking := sorted({*years.tolist()} - {*own.tolist()}):
        raise SchemaError(f"{path.name}: it lacks {len(lacking)} of the years of zos, the first is {lacking[0]}")
    return np.asarray(means[np.searchsorted(own, years), 0, 0] * factor)
