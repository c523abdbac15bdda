"""Station series in NetCDF, brought to one shape: variables (station, time), a latitude and a longitude a station.

Source: CF conventions 1.11, chapter 9 and appendix H (discrete sampling geometries): the orthogonal, the incomplete
multidimensional, the contiguous ragged and the indexed ragged array of time series, and the single one, whose
coordinates are scalars. What lies on a lattice, or has that shape already, is left alone and unread.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from engine.errors import SchemaError
from engine.io.etl import netcdf

Float32 = NDArray[np.float32]
Ints = NDArray[np.int64]

STATION, TIME = "station", "time"
#: numbers of a time axis above this are fill values: NetCDF's own is 9.97e36
_FILLED = 1e30
_PACKING = {"_FillValue", "missing_value", "scale_factor", "add_offset", "valid_min", "valid_max", "valid_range",
            "_Unsigned", "coordinates", "grid_mapping", "ancillary_variables"}  # fmt: skip


def as_list(data: xr.Dataset, file: str) -> xr.Dataset:
    """The dataset itself, or its station series in the one shape.

    raises : SchemaError for a ragged array whose parts do not fit together
    """
    latitude, longitude = _coordinate(data, "latitude", "lat"), _coordinate(data, "longitude", "lon")
    if latitude is None or longitude is None:
        return data
    time = _time(data)
    if time is None:
        return data
    if ragged := _of_observations(data, file):
        return _scattered(data, latitude, longitude, time, *ragged)
    if time.ndim == 2:
        return _scattered(data, latitude, longitude, time, *_of_matrix(time, latitude))
    if latitude.size == longitude.size == 1 and latitude.ndim <= 1 and longitude.ndim <= 1:
        return _single(data, latitude, longitude, time)
    if latitude.ndim + longitude.ndim == 1:
        return _row_of_lattice(data, latitude, longitude)
    return data


def _coordinate(data: xr.Dataset, standard_name: str, short: str) -> xr.Variable | None:
    for key, variable in data.variables.items():
        if str(key).lower() in (standard_name, short) or netcdf.text(variable.attrs, "standard_name") == standard_name:
            return variable.to_base_variable()
    return None


def _time(data: xr.Dataset) -> xr.Variable | None:
    """The variable that holds the dates: its unit says `since`."""
    for variable in data.variables.values():
        if " since " in netcdf.text(variable.attrs, "units"):
            return variable.to_base_variable()
    return None


def _single(data: xr.Dataset, latitude: xr.Variable, longitude: xr.Variable, time: xr.Variable) -> xr.Dataset:
    """One place: every variable along time becomes that of a list of one."""
    along = str(time.dims[0])
    found = {}
    for key, variable in data.variables.items():
        others = [dimension for dimension in variable.dims if dimension != along]
        if along not in variable.dims or str(key) == along:
            continue
        if any(data.sizes[other] > 1 for other in others):
            continue  # bounds and the like
        values = np.asarray(variable.values).reshape(1, -1)
        found[str(key)] = xr.Variable((STATION, along), values, variable.attrs, variable.encoding)
    return _assembled(found, latitude, longitude, along, time, data.attrs)


def _row_of_lattice(data: xr.Dataset, latitude: xr.Variable, longitude: xr.Variable) -> xr.Dataset:
    """A line of a lattice, cut out with one coordinate fixed: the fixed one becomes an axis of length 1."""
    fixed, name = (latitude, "latitude") if latitude.ndim == 0 else (longitude, "longitude")
    line = (longitude if latitude.ndim == 0 else latitude).dims[0]
    variables = {
        key: xr.Variable((name, *variable.dims), np.asarray(variable.values)[None], variable.attrs, variable.encoding)
        if variable.ndim > 1 and line in variable.dims
        else variable
        for key, variable in data.variables.items()
        if not (variable.ndim == 0 and variable.to_base_variable().identical(fixed))
    }
    variables[name] = xr.Variable((name,), np.atleast_1d(fixed.values), fixed.attrs)
    return xr.Dataset(variables, attrs=data.attrs)


def _of_observations(data: xr.Dataset, file: str) -> tuple[Ints, int] | None:
    """(station of each observation, number of stations) of a ragged array."""
    for key, variable in data.variables.items():
        if sample := netcdf.text(variable.attrs, "sample_dimension"):
            counts = np.asarray(variable.values, np.int64)
            if sample not in data.sizes or (counts < 0).any() or counts.sum() != data.sizes[sample]:
                held = data.sizes.get(sample, 0)
                raise SchemaError(f"{file}: {key} counts {counts.sum()} values of dimension {sample}, which has {held}")
            return np.repeat(np.arange(len(counts)), counts), len(counts)
        if instance := netcdf.text(variable.attrs, "instance_dimension"):
            station = np.asarray(variable.values, np.int64)
            size = data.sizes.get(instance, 0)
            if variable.ndim != 1 or (station < 0).any() or (station >= size).any():
                raise SchemaError(f"{file}: {key} names stations outside the {size} of dimension {instance}")
            return station, size
    time = _time(data)
    return None


def _of_matrix(time: xr.Variable, latitude: xr.Variable) -> tuple[Ints, int]:
    """(station of each value, number of stations) of an incomplete array, whose stations have each their own times."""
    axis = time.dims.index(latitude.dims[0]) if latitude.dims and latitude.dims[0] in time.dims else 0
    return np.indices(time.shape)[axis].ravel(), time.shape[axis]


def _raw(time: xr.Variable) -> NDArray[np.float64]:
    """Numbers of a time variable; NaN where filled up."""
    numbers = np.array(time.values, float)
    for name in ("_FillValue", "missing_value"):
        if name in time.attrs:
            numbers[numbers == float(np.ravel(time.attrs[name])[0])] = np.nan
    numbers[np.abs(numbers) > _FILLED] = np.nan
    return numbers


def _scattered(
    data: xr.Dataset, latitude: xr.Variable, longitude: xr.Variable, time: xr.Variable, station: Ints, stations: int
) -> xr.Dataset:
    numbers = _raw(time).ravel()
    known = np.isfinite(numbers)
    steps, column = np.unique(numbers[known], return_inverse=True)
    found = {}
    for key, variable in data.variables.items():
        if (
            variable.dims != time.dims
            or variable.to_base_variable().identical(time)
            or variable.dtype.kind not in "iuf"
        ):
            continue
        values = netcdf.values(variable, tuple(slice(None) for _ in variable.dims)).ravel()
        block = np.full((stations, len(steps)), np.nan, np.float32)
        block[station[known], column] = values[known]
        attributes = {name: value for name, value in variable.attrs.items() if name not in _PACKING}
        found[str(key)] = xr.Variable((STATION, TIME), block, attributes)
    axis = xr.Variable((TIME,), steps, {name: time.attrs[name] for name in ("units", "calendar") if name in time.attrs})
    return _assembled(found, latitude, longitude, TIME, axis, data.attrs)


def _assembled(
    series: dict[str, xr.Variable],
    latitude: xr.Variable,
    longitude: xr.Variable,
    along: str,
    time: xr.Variable,
    attributes: dict[str, object],
) -> xr.Dataset:
    places = {
        name: xr.Variable((STATION,), np.atleast_1d(np.asarray(variable.values, float)).ravel(), variable.attrs)
        for name, variable in (("latitude", latitude), ("longitude", longitude))
    }
    return xr.Dataset({**series, **places, along: time}, attrs=attributes)
