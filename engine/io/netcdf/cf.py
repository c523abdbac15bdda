"""Latitude, longitude and time of a NetCDF file, found by the CF conventions and by the usual names.

One reading for all: loaders and `derive` get a variable with its three axes, coordinates in degrees (longitudes in
-180..180) and time stamps in the middle of their bounds, or a refusal that names what the file really is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from engine.core.counted import agree, counted
from engine.core.errors import SchemaError
from engine.io.netcdf import members, packing, timeaxis

Floats = NDArray[np.float64]


class _Kind(NamedTuple):
    """Marks of a coordinate; `weak` names and the axis letter count only where the values can be degrees."""

    name: str
    units: re.Pattern[str]
    names: tuple[str, ...]
    weak: str
    limit: float


_LATITUDE = _Kind("latitude", re.compile(r"degrees?_?n(orth)?", re.I), ("latitude", "lat", "nav_lat"), "y", 90.0)
_LONGITUDE = _Kind("longitude", re.compile(r"degrees?_?e(ast)?", re.I), ("longitude", "lon", "nav_lon"), "x", 360.0)
_TIMES = ("time", "valid_time", "t")
_DEGREES = re.compile(r"(degrees?)?", re.I)
_REMEDY = "bring it to a latitude-longitude lattice of one step first, such as cdo remapbil (remapcon for rain)"
#: a time step of a series is a month or a year; longer bounds are those of a climatology, days
_LONGEST_STEP = 367.0
#: larger numbers are fills, whatever the unit: nanoseconds since 1970 are 2e18
_NO_TIME = 1e20


@dataclass(frozen=True, slots=True)
class Cube:
    """A variable with its axes; dimensions of length 1 that are none of them are gone.

    axes      : positions of (latitude, longitude, time) among its dimensions; of a list of places (place, time)
    latitude, longitude : of its rows and columns, degrees, longitude in -180..180; of a list those of its places
    time      : stamps as numbers, in the middle of their bounds where the file has these; attributes units and calendar
    """

    variable: xr.Variable
    axes: tuple[int, ...]
    latitude: Floats
    longitude: Floats
    time: xr.Variable


@dataclass(frozen=True, slots=True)
class Still:
    """A variable of one moment on a lattice.

    axes      : positions of (latitude, longitude) among its two dimensions
    latitude, longitude : of its rows and columns, degrees, longitude in -180..180
    """

    variable: xr.Variable
    axes: tuple[int, int]
    latitude: Floats
    longitude: Floats


def text(attributes: Any, name: str) -> str:
    """A text attribute, "" when absent; an array of one text is that text."""
    found = attributes.get(name, "")
    if isinstance(found, np.ndarray | list) and np.size(found) == 1:
        found = np.ravel(found)[0]
    return (found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)).strip()


def still(data: xr.Dataset, key: str, file: str) -> Still:
    """A variable on a lattice with no time, or one.

    raises : SchemaError for one that lies on no latitude-longitude lattice, or has further dimensions of more than one
             entry
    """
    variable, what = data.variables[key], f"{file}: {key}"
    north, east = (_horizontal(data, kind, variable.dims, what) for kind in (_LATITUDE, _LONGITUDE))
    if north is None or east is None or north.dimension == east.dimension:
        raise _no_lattice(data, variable, what)
    rest = [str(dimension) for dimension in variable.dims if dimension not in (north.dimension, east.dimension)]
    _refuse_several(variable, rest, what)
    variable = _squeezed(variable, dict.fromkeys(rest, 0))
    dimensions = [str(dimension) for dimension in variable.dims]
    axes = (dimensions.index(north.dimension), dimensions.index(east.dimension))
    return Still(variable, axes, north.degrees, wrapped(east.degrees))


def cube(data: xr.Dataset, key: str, file: str, member: object = None) -> Cube:
    """A variable with its axes.

    member : name of the one to read of a file with several (`members`), or `members.FIRST`
    raises : SchemaError for one that lies on no latitude-longitude lattice and is no list of places, has no time, or
             further dimensions of more than one entry; for several members of which none is chosen
    """
    variable, what = data.variables[key], f"{file}: {key}"
    north, east = (_horizontal(data, kind, variable.dims, what) for kind in (_LATITUDE, _LONGITUDE))
    if north is None or east is None:
        raise _no_lattice(data, variable, what)
    places = list(dict.fromkeys((north.dimension, east.dimension)))
    rest = [str(dimension) for dimension in variable.dims if dimension not in places]
    time = _time_dimension(data, rest, what)
    rest.remove(time)
    members.refuse_none(data, rest, member, what)
    one = members.chosen(data, variable, rest, member, what)
    rest = [dimension for dimension in rest if dimension not in one]
    _refuse_several(variable, rest, what)
    variable = _squeezed(variable, dict.fromkeys(rest, 0) | one)
    dimensions = [str(dimension) for dimension in variable.dims]
    return Cube(
        variable,
        tuple(map(dimensions.index, [*places, time])),
        north.degrees,
        wrapped(east.degrees),
        stamps(data, time, file),
    )


def _refuse_several(variable: xr.Variable, dimensions: list[str], what: str) -> None:
    for dimension in dimensions:
        if (size := variable.sizes[dimension]) > 1:
            raise SchemaError(
                f"{what} has {size} entries along {dimension}, expected one: choose it, such as ncks -d {dimension},0"
            )


def plane(data: xr.Dataset, file: str) -> tuple[xr.Variable, Floats, Floats]:
    """Latitude and longitude of a curvilinear grid: (the variable of the latitudes, degrees, degrees in -180..180)."""
    found = []
    for kind in (_LATITUDE, _LONGITUDE):
        flat = [key for key in _candidates(data, kind, None) if data.variables[key].ndim == 2]
        if not flat:
            raise SchemaError(f"{file}: no two-dimensional coordinate {kind.name}")
        found.append(flat[0])
    north, east = (data.variables[key] for key in found)
    if north.dims != east.dims:
        raise SchemaError(f"{file}: dimensions {north.dims} of {found[0]} and {east.dims} of {found[1]} do not fit")
    degrees = [packing.numbers(data.variables[key], f"{file}: {key}") for key in found]
    return north, degrees[0], wrapped(degrees[1])


def stamps(data: xr.Dataset, dimension: str, file: str) -> xr.Variable:
    """The time stamps along a dimension; see `Cube`.

    raises : SchemaError for a dimension without dates, for bounds that contradict them and for a climatology
    """
    key = next(iter(_times(data, [dimension])), None)
    if key is None:
        raise SchemaError(f"{file}: dimension {dimension} has no coordinate variable to tell the dates")
    time = data.variables[key]
    numbers = packing.numbers(time, f"{file}: {key}")
    said = {"units": text(time.attrs, "units"), "calendar": text(time.attrs, "calendar") or "standard"}
    held = text(time.attrs, "climatology") or text(time.attrs, "bounds")
    if not held or (held not in data.variables and _stamps_tell(numbers, said, file)):
        return xr.Variable((dimension,), numbers, said)
    ends, bounds = _ends(data, key, held, file), data.variables[held]
    own = {name: text(bounds.attrs, name) or said[name] for name in said}
    if own == said and ((numbers < ends[:, 0] - _slack(ends)) | (numbers > ends[:, 1] + _slack(ends))).any():
        raise SchemaError(
            f"{file}: stamps of {key} lie outside their bounds {held}; correct one of them, or remove the attribute"
            f" that names the bounds"
        )
    steps = np.ptp(timeaxis.in_days(ends, own["units"], file), axis=1)
    if (wide := steps > _LONGEST_STEP).any():
        if not wide.all() and "climatology" not in time.attrs:
            raise _no_bounds(f"{int(wide.sum())} of {len(steps)} steps are longer than a year", key, held, file)
        raise SchemaError(
            f"{file}: a step of {key} stands for {steps.max() / 365.25:.0f} years ({held}): a climatology, not a series"
        )
    return xr.Variable((dimension,), ends.mean(axis=1), own)


def _stamps_tell(numbers: Floats, said: Mapping[str, str], file: str) -> bool:
    """Whether daily stamps tell their days where the bounds that a file names were lost, as on cutting out a part: they
    lie within the days, or from midnights on that begin with a month and end with one. Stamps at the ends of days do
    neither."""
    days = timeaxis.in_days(numbers, said["units"], file)
    if timeaxis.spacing(days) != "daily":
        return False
    passed = timeaxis.since_midnight(numbers, said["units"], file)
    if ((passed > 0.01) & (passed < 0.99)).all():
        return True
    since = re.sub(r"^\s*\w+", "days", said["units"])
    around = np.array([days.min() - 1, days.min(), days.max(), days.max() + 1])
    before, first, last, after = timeaxis.months(around, since, said["calendar"], file)
    return bool(before < first and last < after)


def _ends(data: xr.Dataset, key: str, held: str, file: str) -> Floats:
    """(steps, 2) lower and upper end of the bounds `held` of a time, also of those stored as (2, steps)."""
    time, bounds = data.variables[key], data.variables.get(held)
    if bounds is None:
        raise _no_bounds("there is no such variable", key, held, file)
    steps = time.size
    turned = bounds.shape == (2, steps) and (steps != 2 or (bounds.dims[1] == time.dims[0] != bounds.dims[0]))
    if not turned and bounds.shape != (steps, 2):
        raise _no_bounds(f"they have the shape {bounds.shape}, expected {(steps, 2)}", key, held, file)
    ends = packing.numbers(bounds, f"{file}: {held}")
    if bad := int((~(np.abs(ends) < _NO_TIME)).sum()):
        raise _no_bounds(
            f"{bad} of their {counted(ends.size, 'value')} {agree(bad, 'is', 'are')} missing", key, held, file
        )
    return np.asarray(np.sort(ends.T if turned else ends, axis=1))


def _no_bounds(why: str, key: str, held: str, file: str) -> SchemaError:
    return SchemaError(
        f"{file}: bounds {held} of {key} cannot be used: {why}; correct them, or where the stamps alone tell the steps"
        f" remove the attribute that names the bounds (ncatted -a bounds,{key},d,,)"
    )


def months(time: xr.Variable, file: str) -> NDArray[np.int64]:
    """Months since year 0 of the time of a `Cube`; see `timeaxis.months`."""
    return timeaxis.months(time.to_numpy(), time.attrs["units"], time.attrs["calendar"], file)


def spacing(time: xr.Variable, file: str) -> str:
    """Name of the time step of a `Cube`; see `timeaxis.spacing`."""
    return timeaxis.spacing(timeaxis.in_days(time.to_numpy(), time.attrs["units"], file))


def wrapped(longitude: Floats) -> Floats:
    """Degrees east in -180..180, where 180 is -180: the one place where longitudes are brought into range."""
    inside = (longitude >= -180.0) & (longitude < 180.0)
    return np.where(inside, longitude, (longitude + 180.0) % 360.0 - 180.0)


class _Found(NamedTuple):
    dimension: str
    degrees: Floats


def _horizontal(data: xr.Dataset, kind: _Kind, dimensions: Collection[Any], what: str) -> _Found | None:
    """The coordinate along one of these dimensions; None when there is none, or only one that curves."""
    for key in _candidates(data, kind, dimensions):
        variable = data.variables[key]
        degrees = packing.numbers(variable, f"{what.partition(':')[0]}: {key}")
        dimension = str(variable.dims[0])
        if variable.ndim == 2:
            axis = _straight(degrees, (0, 1) if kind is _LATITUDE else (1, 0))
            if axis is None:
                continue
            degrees, dimension = np.take(degrees, 0, axis=1 - axis), str(variable.dims[axis])
        if text(variable.attrs, "units").lower().startswith("rad"):
            raise SchemaError(f"{what}: {key} is in radians, expected degrees")
        if bad := int((~(np.abs(degrees) <= kind.limit + 1e-6)).sum()):
            raise SchemaError(
                f"{what}: {counted(bad, 'value')} of {key} {agree(bad, 'is', 'are')}"
                f" missing or no {kind.name} in degrees"
            )
        return _Found(dimension, degrees)
    return None


def _straight(degrees: Floats, axes: tuple[int, int]) -> int | None:
    """The axis along which a two-dimensional coordinate changes, when it does so along one only."""
    for axis in axes:
        if np.ptp(degrees, axis=1 - axis).max(initial=0.0) <= 1e-4:
            return axis
    return None


def _candidates(data: xr.Dataset, kind: _Kind, dimensions: Collection[Any] | None) -> list[str]:
    """Variables that can be a coordinate, likeliest first: straight before curved ones, attributes before names."""
    ranked = []
    for key, variable in _coordinates(data, dimensions):
        standard, units = text(variable.attrs, "standard_name").lower(), text(variable.attrs, "units")
        if standard == kind.name:
            rank = 0
        elif standard:
            continue  # grid_latitude, projection_y_coordinate: not what the name or the unit says
        elif kind.units.fullmatch(units):
            rank = 1
        elif key.lower() in kind.names:
            rank = 2
        elif _may_be(data, key, kind):
            rank = 3
        else:
            continue
        if variable.ndim <= 2:
            ranked.append((rank == 3, variable.ndim, rank, key not in variable.dims, key))
    return [key for *_, key in sorted(ranked)]


def _may_be(data: xr.Dataset, key: str, kind: _Kind) -> bool:
    """A `y` or an axis Y in degrees, or in no unit and not merely a count of the rows."""
    variable = data.variables[key]
    named = key.lower() == kind.weak or text(variable.attrs, "axis").lower() == kind.weak
    if not named or variable.ndim != 1 or not _DEGREES.fullmatch(text(variable.attrs, "units")):
        return False
    values = packing.numbers(variable, key)
    counted = any(np.array_equal(values, np.arange(len(values)) + first) for first in (0, 1))
    return not counted and bool(np.abs(values).max(initial=0.0) <= kind.limit)


def _coordinates(data: xr.Dataset, dimensions: Collection[Any] | None) -> Iterator[tuple[str, xr.Variable]]:
    """Variables of numbers along these dimensions that are not the bounds of another."""
    bounds = {str(value.attrs.get(name)) for value in data.variables.values() for name in ("bounds", "climatology")}
    for key, variable in data.variables.items():
        fits = dimensions is None or set(variable.dims) <= set(dimensions)
        if variable.ndim and fits and variable.dtype.kind in "iuf" and str(key) not in bounds:
            yield str(key), variable


def _times(data: xr.Dataset, dimensions: Collection[str]) -> list[str]:
    """Variables that can be the time along one of these dimensions, likeliest first."""
    ranked = []
    for key, variable in _coordinates(data, dimensions):
        if variable.ndim != 1:
            continue
        own, standard = key in variable.dims, text(variable.attrs, "standard_name").lower()
        since = " since " in text(variable.attrs, "units")
        signs = (
            standard == "time",
            own and (since or text(variable.attrs, "axis").upper() == "T"),
            own and key.lower() in _TIMES,
            since and not standard,
        )
        if any(signs):
            ranked.append((signs.index(True), not own, key))
    return [key for *_, key in sorted(ranked)]


def _time_dimension(data: xr.Dataset, rest: list[str], what: str) -> str:
    found = _times(data, rest)
    if found:
        return str(data.variables[found[0]].dims[0])
    named = [dimension for dimension in rest if dimension.lower() in _TIMES] or rest
    if len(named) != 1:
        raise SchemaError(f"{what} has no time among its dimensions; beside latitude and longitude: {_listed(rest)}")
    return named[0]


def _squeezed(variable: xr.Variable, dimensions: dict[str, int]) -> xr.Variable:
    """At one place of these dimensions and without them, unread; the chunks of the file follow."""
    if not dimensions:
        return variable
    left = variable.isel(dimensions)
    chunks = variable.encoding.get("chunksizes")
    left.encoding = dict(variable.encoding)
    left.encoding.pop("preferred_chunks", None)
    if chunks is not None:
        left.encoding["chunksizes"] = tuple(
            size for dimension, size in zip(variable.dims, chunks, strict=True) if dimension not in dimensions
        )
    return left


def _slack(ends: Floats) -> Floats:
    """Tolerance of a stamp outside its bounds, from rounding."""
    return np.asarray(1e-6 * np.maximum(np.ptp(ends, axis=1), 1e-3))


def _no_lattice(data: xr.Dataset, variable: xr.Variable, what: str) -> SchemaError:
    """Reason that a variable has no straight latitudes and longitudes, by the name of its grid."""
    mapping = data.variables.get(text(variable.attrs, "grid_mapping").partition(":")[0])
    projection = "" if mapping is None else text(mapping.attrs, "grid_mapping_name")
    along = [one for _, one in _coordinates(data, variable.dims)]
    standard = {text(one.attrs, "standard_name").lower() for one in along}
    lengths = any(one.ndim == 1 and text(one.attrs, "units").lower() in ("m", "km", "metre", "metres", "meters")
                  and text(one.attrs, "standard_name") in ("", "projection_x_coordinate", "projection_y_coordinate")
                  for one in along)  # fmt: skip
    if "rotated" in projection or "grid_latitude" in standard or "rlat" in variable.dims:
        return SchemaError(f"{what} lies on a grid with a rotated pole: {_REMEDY}")
    if projection not in ("", "latitude_longitude") or "projection_y_coordinate" in standard or lengths:
        named = f" ({projection})" if projection else ""
        return SchemaError(f"{what} lies on a projected grid{named}, whose coordinates are lengths: {_REMEDY}")
    curved = [key for key in _candidates(data, _LATITUDE, variable.dims) if data.variables[key].ndim == 2]
    if curved:
        return SchemaError(f"{what} lies on a curvilinear grid, its {curved[0]} has two dimensions: {_REMEDY}")
    return SchemaError(
        f"{what} has dimensions {_listed(variable.dims)}, expected time, latitude, longitude, or time and a list of"
        f" places with a latitude and longitude each; the file has {_listed(data.variables)}"
    )


def _listed(names: Collection[Any]) -> str:
    return ", ".join(map(str, names)) or "none"
