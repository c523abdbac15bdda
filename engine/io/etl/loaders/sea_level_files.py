"""Files of annual mean sea level, one a scenario: the provider's, on a curvilinear grid, and the way to the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.io.etl.loaders import sea_level_ar6, sea_level_zos
from engine.io.etl.loaders.sea_level_points import Float32, SeaLevel
from engine.io.netcdf import cf, lattice_files, packing, units

#: annual means smaller than this everywhere are metres
METRES = 3.0
_CM_PER_METRE = 100.0
#: variable of the AR6 tool
AR6 = "sea_level_change"


def read_sea_level(
    path: Path, unit: str | None = None, grid: GridDefinition | None = None, expansion: Path | None = None
) -> SeaLevel:
    """One file of one scenario, by what it holds: `sea_level_change` of the AR6 tool, `zos`, else the provider's.

    unit      : cm, m or mm, in place of the file's; without it, annual means below 3 everywhere are metres
    grid      : the lattice, around which points of the whole ocean are kept; None: all are
    expansion : file with `zostoga`, which `zos` lacks
    raises    : SchemaError naming the file for anything unexpected
    """
    with lattice_files.dataset(path) as data:
        if AR6 in data.variables:
            return sea_level_ar6.read(data, path.name, unit, grid)
        if (key := sea_level_zos.variable(data)) is not None:
            return sea_level_zos.read(data, key, path.name, unit, grid, expansion)
        return _read_annual(data, path, unit)


def _read_annual(data: xr.Dataset, path: Path, unit: str | None) -> SeaLevel:
    key = lattice_files.data_variable(data, lambda key: "slr" in key, "slr_cm_annual_mean", path.name)
    cube = data.variables[key]
    plane, *degrees = cf.plane(data, path.name)
    dims = [str(dimension) for dimension in cube.dims]
    if not set(plane.dims) < set(dims) or len(dims) != 3:
        raise SchemaError(f"{path.name}: dimensions {', '.join(dims)} do not fit {', '.join(map(str, plane.dims))}")
    j, i = (dims.index(str(dimension)) for dimension in plane.dims)
    stamps = cf.stamps(data, dims[3 - j - i], path.name)
    years, spacing = cf.months(stamps, path.name) // 12, cf.spacing(stamps, path.name)
    found = packing.values(cube, (slice(None),) * 3, f"{path.name}: {key}")
    values = np.moveaxis(found, (3 - j - i, j, i), (0, 1, 2))
    scope, stated = cf.text(data.attrs, "scope"), cf.text(cube.attrs, "units")
    if not (np.diff(years) > 0).all():
        raise SchemaError(
            f"{path.name}: years are not ascending, each once: {len(years)} {spacing} steps,"
            f" {years.min()}..{years.max()}"
        )
    factor, found_unit, note = _unit(values, stated, unit, path.name)
    return SeaLevel(degrees[0], degrees[1], years, np.asarray(values * np.float32(factor)), scope, found_unit, note)


def _unit(values: Float32, stated: str, override: str | None, name: str) -> tuple[float, str, str]:
    """(factor to cm, unit found, note)."""
    if override is not None:
        return units.sea_level_factor(override), override, f"unit {override} by --unit"
    found = units.sea_level_conversion(stated, name)
    largest = float(np.fmax.reduce(np.abs(values), axis=None))
    if largest < METRES and found.factor != _CM_PER_METRE:
        return _CM_PER_METRE, "m", f"unit {found.found}, taken as metres because no value reaches {METRES:g}"
    return found.factor, found.found, "" if stated else "no unit attribute, taken as cm"
