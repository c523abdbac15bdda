"""Regional sea-level projections of the IPCC AR6 tool: the median of each decade at tide gauges and grid points.

The tool gives the change since 1995-2014 in ten-year steps. A year between two steps lies on the line between them; the
years before the first on the line from zero in 2005, in the middle of 1995-2014.

Source: Fox-Kemper et al. (2021), IPCC AR6 WGI chapter 9; Garner et al. (2021), doi:10.5281/zenodo.5914709.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.io.etl.loaders.sea_level_points import Floats, SeaLevel, around, refuse_too_many
from engine.io.netcdf import cf, packing, units

_VARIABLE = "sea_level_change"
#: middle of the years that are the zero of the tool, and the first year that is given
ZERO, FIRST = 2005, 2015
#: ten years, and a little for files that leave a step out
_LONGEST_STEP = 20
NOTE = "AR6 median; years between its steps are on the line between them, and from zero in 2005 before the first"


def read(data: xr.Dataset, file: str, unit: str | None, grid: GridDefinition | None) -> SeaLevel:
    """Annual sea level of one file of the tool, cm above 1995-2014.

    raises : SchemaError for a file without years, places or the median, or whose steps are farther apart than 20 years
    """
    variable = data.variables[_VARIABLE]
    if set(map(str, variable.dims)) != {"quantiles", "years", "locations"}:
        raise SchemaError(f"{file}: {_VARIABLE} has the dimensions {', '.join(map(str, variable.dims))}, expected"
                          " quantiles, years, locations")  # fmt: skip
    years, quantiles, latitude, longitude = (_numbers(data, names, file) for names in _COORDINATES)
    median = np.flatnonzero(np.abs(quantiles - 0.5) < 1e-6)
    if len(median) != 1:
        raise SchemaError(f"{file}: quantiles hold the median {len(median)} times, expected once")
    if len(years) < 2 or (np.diff(years) <= 0).any() or (np.diff(years) > _LONGEST_STEP).any() or years[0] <= ZERO:
        raise SchemaError(
            f"{file}: years are {years[0]:g}..{years[-1]:g} in {len(years)} steps, expected decades after {ZERO}"
        )
    kept = np.flatnonzero(around(latitude, cf.wrapped(longitude), grid, file))
    refuse_too_many(len(kept), file)
    order = [list(map(str, variable.dims)).index(name) for name in ("quantiles", "years", "locations")]
    values = packing.values(variable, (slice(None),) * 3, f"{file}: {_VARIABLE}")
    change = np.moveaxis(values, order, (0, 1, 2))[median[0]][:, kept].astype(np.float64)
    stated = cf.text(variable.attrs, "units")
    factor = units.sea_level_factor(unit) if unit else units.sea_level_conversion(stated, file).factor
    axis = np.arange(FIRST, int(years[-1]) + 1)
    yearly = _on_years(np.append(ZERO, years), np.vstack([np.zeros(len(kept)), change]), axis) * factor
    return SeaLevel(
        latitude[kept][:, None], cf.wrapped(longitude[kept])[:, None], axis,
        np.asarray(yearly[:, :, None], np.float32), "", unit or stated, NOTE,
    )  # fmt: skip


_COORDINATES = (("years",), ("quantiles",), ("lat", "latitude"), ("lon", "longitude"))


def _numbers(data: xr.Dataset, names: tuple[str, ...], file: str) -> Floats:
    key = next((name for name in names if name in data.variables), None)
    if key is None:
        raise SchemaError(f"{file}: it has no variable {names[0]}")
    return np.asarray(packing.numbers(data.variables[key], f"{file}: {key}"), np.float64)


def _on_years(steps: Floats, change: Floats, axis: NDArray[np.int64]) -> Floats:
    """(axis, points) on the lines between (steps, points); a point that lacks a step lacks the years around it."""
    after = np.clip(np.searchsorted(steps, axis, side="left"), 1, len(steps) - 1)
    share = (axis - steps[after - 1]) / (steps[after] - steps[after - 1])
    return change[after - 1] * (1 - share)[:, None] + change[after] * share[:, None]
