"""The level that values of a NetCDF file belong to: what is computed here is that of the surface, so data of a pressure
level, of a model level or of another height above the ground are refused by the coordinate that says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import xarray as xr

from engine.core.errors import SchemaError
from engine.io.netcdf import cf, packing, unit_text

#: daily variable -> heights above the ground, m, at which it is believed (WMO-No. 8: thermometers 1.25 to 2, wind 10)
_NEAR_2_M, _NEAR_10_M = (0.0, 3.0), (8.0, 12.0)
_HEIGHTS = {"tas": _NEAR_2_M, "tasmax": _NEAR_2_M, "tasmin": _NEAR_2_M, "hurs": _NEAR_2_M, "sfcWind": _NEAR_10_M}
#: a height that no variable names as its own may be that of another variable of the file
_EVERY = (_NEAR_2_M, _NEAR_10_M)

_PRESSURE, _HEIGHT, _DEPTH, _MODEL = "pressure", "height", "depth", "model level"
_UPPER = (_PRESSURE, _MODEL)
_STANDARD = {"air_pressure": _PRESSURE, "height": _HEIGHT, "depth": _DEPTH, "model_level_number": _MODEL}
_OF_PRESSURE = re.compile(r"([hkmd]|hecto|kilo)?pa|(hecto|kilo)?pascals?|[md]?bars?|mb|millibars?|atm", re.IGNORECASE)
_OF_LENGTH = re.compile(r"[kcm]?m|(kilo|centi)?met(re|er)s?|f(t|eet|oot)", re.IGNORECASE)
#: names of levels; `plev` and alike are pressures without a unit, too
_PLEV = re.compile(r"plevs?\d*(_\d+)?|p(ressure)?_?levels?|isobaric\w*", re.IGNORECASE)
_LEVEL = re.compile(rf"{_PLEV.pattern}|(model_?)?lev(el)?s?(_\d+)?|pressure|height\w*|depth\w*|z", re.IGNORECASE)


def surface_cube(data: xr.Dataset, key: str, name: str, file: str, member: str | None = None) -> cf.Cube:
    """`cf.cube` of a variable that is to be the daily variable `name` (also its means over months and years).

    raises : SchemaError as `cf.cube`, and for values that do not lie near the surface
    """
    variable = data.variables[key]
    for dimension in map(str, variable.dims):
        if variable.sizes[dimension] > 1 and dimension in data.variables and _kind(data, dimension) in _UPPER:
            raise _refused(data, key, dimension, file, "expected near the surface")
    cube = cf.cube(data, key, file, member)
    for level in _levels(data, key):
        if set(data.variables[level].dims) & set(cube.variable.dims):
            continue  # along latitude, longitude, time or a list of places lies no level
        if (kind := _kind(data, level)) in _UPPER:
            raise _refused(data, key, level, file, "expected near the surface")
        # a height beside a list is as a rule the altitude of its one place
        if kind in (_HEIGHT, _DEPTH) and name in _HEIGHTS and len(cube.axes) == 3:
            believed = [_HEIGHTS[name], *(() if level in _coordinates(variable) or level in variable.dims else _EVERY)]
            metres = _metres(data.variables[level], f"{file}: {level}") * (-1.0 if kind == _DEPTH else 1.0)
            if not any(low <= metres <= high for low, high in believed):
                wanted = "expected {:g} to {:g} m above the ground".format(*_HEIGHTS[name])
                raise _refused(data, key, level, file, wanted)
    return cube


def _levels(data: xr.Dataset, key: str) -> Iterator[str]:
    """Variables of at most one dimension that may tell the level of another: that of a dimension, one value among its
    `coordinates`, or one value that no variable names as its coordinate, under the name of a level."""
    dimensions, own = set(data.variables[key].dims), _coordinates(data.variables[key])
    of_others = {name for other in data.variables.values() for name in _coordinates(other)} - own
    for name, variable in data.variables.items():
        if name == key or variable.ndim > 1 or variable.size != 1 or variable.dtype.kind not in "iuf":
            continue
        alone = name not in of_others and set(variable.dims) <= dimensions and _LEVEL.fullmatch(str(name))
        if name in dimensions or name in own or alone:
            yield str(name)


def _coordinates(variable: xr.Variable) -> set[str]:
    """Names in the attribute `coordinates`."""
    return set(cf.text(variable.attrs, "coordinates").split())


def _kind(data: xr.Dataset, name: str) -> str:
    """Level of a coordinate, "" for none: by its standard name, else its unit, else its name."""
    variable = data.variables[name]
    standard, unit = cf.text(variable.attrs, "standard_name").lower(), cf.text(variable.attrs, "units")
    if re.fullmatch(r"atmosphere_\w+_coordinate", standard):
        return _MODEL
    if standard in _STANDARD:
        return _STANDARD[standard]
    # a variable may be a pressure and no level, such as that of the surface
    if _OF_PRESSURE.fullmatch(unit) and (not standard or name in variable.dims):
        return _PRESSURE
    if standard:
        return ""
    if not _LEVEL.fullmatch(name):
        return ""
    if name.lower().startswith(("height", "depth")):
        return _HEIGHT if name.lower().startswith("height") else _DEPTH
    if _OF_LENGTH.fullmatch(unit):
        return _HEIGHT
    return _PRESSURE if _PLEV.fullmatch(name) and unit in ("", "1") else ""


def _metres(variable: xr.Variable, name: str) -> float:
    """The one height of a coordinate; NaN where it has none or its unit is no length."""
    found = unit_text.conversion(cf.text(variable.attrs, "units") or "m", "m")
    value = float(packing.numbers(variable, name).ravel()[0])
    return float("nan") if found is None else value * found[0]


def _refused(data: xr.Dataset, key: str, level: str, file: str, expected: str) -> SchemaError:
    variable = data.variables[level]
    unit, values = cf.text(variable.attrs, "units"), packing.numbers(variable, f"{file}: {level}").ravel()
    kind = _kind(data, level)
    if len(values) > 1:
        at = f"has {len(values)} entries along {level}, of {kind}"
    else:
        at = f"lies at {kind} {values[0]:.10g} {unit}".rstrip() + f" ({level})"
    return SchemaError(
        f"{file}: {key} {at}, {expected}: give data of the surface (such as tas, hurs, sfcWind); if only {level} is"
        f" wrong, remove or correct it"
    )
