"""Station series in NetCDF, brought to one shape: variables (station, time), a latitude and a longitude a station.

Source: CF conventions 1.11, chapter 9 and appendix H (discrete sampling geometries): the orthogonal, the incomplete
multidimensional, the contiguous ragged and the indexed ragged array of time series, and the single one, whose
coordinates are scalars. What lies on a lattice, or has that shape already, is left alone and unread.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from engine.core.counted import agree, counted
from engine.core.errors import SchemaError
from engine.io.netcdf import cf, packing, timeaxis

Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]
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
        return _scattered(data, latitude, longitude, time, *ragged, file)
    if time.ndim == 2:
        return _scattered(data, latitude, longitude, time, *_of_matrix(time, latitude), file)
    if latitude.size == longitude.size == 1 and latitude.ndim <= 1 and longitude.ndim <= 1:
        return _single(data, latitude, longitude, time)
    if latitude.ndim + longitude.ndim == 1:
        return _row_of_lattice(data, latitude, longitude, time)
    return data


def _coordinate(data: xr.Dataset, standard_name: str, short: str) -> xr.Variable | None:
    for key, variable in data.variables.items():
        if str(key).lower() in (standard_name, short) or cf.text(variable.attrs, "standard_name") == standard_name:
            return variable.to_base_variable()
    return None


def _time(data: xr.Dataset) -> xr.Variable | None:
    """The variable that holds the dates: its unit says `since`, its standard name, if it has one, `time`."""
    for variable in data.variables.values():
        said = cf.text(variable.attrs, "standard_name") in ("", "time")
        if variable.ndim and said and " since " in cf.text(variable.attrs, "units"):
            return variable.to_base_variable()
    return None


def _single(data: xr.Dataset, latitude: xr.Variable, longitude: xr.Variable, time: xr.Variable) -> xr.Dataset:
    """One place: every variable along time becomes that of a list of one."""
    along = str(time.dims[0])
    bounds = cf.text(time.attrs, "bounds")
    found = {}
    for key, variable in data.variables.items():
        if str(key) == bounds:
            found[str(key)] = variable.to_base_variable()
        elif along in variable.dims and str(key) != along:
            values = np.asarray(variable.values)
            longer = [dimension for dimension in variable.dims if dimension == along or variable.sizes[dimension] > 1]
            shape = [1, *(variable.sizes[dimension] for dimension in longer)]
            found[str(key)] = xr.Variable((STATION, *longer), values.reshape(shape), variable.attrs)
        elif variable.size == 1 and str(key) != along:  # such as the level of the values
            found[str(key)] = xr.Variable((), np.asarray(variable.values).ravel()[0], variable.attrs)
    return _assembled(found, latitude, longitude, along, time, data.attrs)


def _row_of_lattice(data: xr.Dataset, latitude: xr.Variable, longitude: xr.Variable, time: xr.Variable) -> xr.Dataset:
    """A line of a lattice, cut out with one coordinate fixed: the fixed one becomes an axis of length 1."""
    fixed, name = (latitude, "latitude") if latitude.ndim == 0 else (longitude, "longitude")
    along = {(longitude if latitude.ndim == 0 else latitude).dims[0], *time.dims}
    variables: dict[str, xr.Variable] = {}
    for key, each in data.variables.items():
        if along <= set(each.dims):
            variables[str(key)] = xr.Variable((name, *each.dims), np.asarray(each.values)[None], each.attrs)
        else:
            variables[str(key)] = each.to_base_variable()
    variables[name] = xr.Variable((name,), np.atleast_1d(fixed.values), fixed.attrs)
    return xr.Dataset(variables, attrs=data.attrs)


def _of_observations(data: xr.Dataset, file: str) -> tuple[Ints, int] | None:
    """(station of each observation, number of stations) of a ragged array."""
    for key, variable in data.variables.items():
        if sample := cf.text(variable.attrs, "sample_dimension"):
            counts = np.asarray(variable.values, np.int64)
            if sample not in data.sizes or (counts < 0).any() or counts.sum() != data.sizes[sample]:
                held = data.sizes.get(sample, 0)
                raise SchemaError(
                    f"{file}: {key} counts {counted(counts.sum(), 'value')} of dimension {sample}, which has {held}"
                )
            return np.repeat(np.arange(len(counts)), counts), len(counts)
        if instance := cf.text(variable.attrs, "instance_dimension"):
            station = np.asarray(variable.values, np.int64)
            size = data.sizes.get(instance, 0)
            if variable.ndim != 1 or (station < 0).any() or (station >= size).any():
                raise SchemaError(f"{file}: {key} names stations outside the {size} of dimension {instance}")
            return station, size
    return None


def _of_matrix(time: xr.Variable, latitude: xr.Variable) -> tuple[Ints, int]:
    """(station of each value, number of stations) of an incomplete array, whose stations have each their own times."""
    axis = time.dims.index(latitude.dims[0]) if latitude.dims and latitude.dims[0] in time.dims else 0
    return np.indices(time.shape)[axis].ravel(), time.shape[axis]


def _scattered(
    data: xr.Dataset,
    latitude: xr.Variable,
    longitude: xr.Variable,
    time: xr.Variable,
    station: Ints,
    stations: int,
    file: str,
) -> xr.Dataset:
    """Observations one after another, put where station and day belong; stations may read at different hours."""
    numbers = _stamps(data, time, file)
    known = np.isfinite(numbers)
    units, calendar = cf.text(time.attrs, "units"), cf.text(time.attrs, "calendar") or "standard"
    first = int(timeaxis.months(numbers[known], units, calendar, file).min()) // 12
    day = timeaxis.days_since(numbers[known], units, calendar, file, first)
    steps, column = np.unique(day, return_inverse=True)
    position = station[known] * len(steps) + column
    if duplicates := len(position) - len(np.unique(position)):
        found = timeaxis.spacing(timeaxis.in_days(numbers[known][station[known] == station[known][0]], units, file))
        if timeaxis.is_shorter_than_a_day(found):
            raise SchemaError(f"{file}: {found} data, expected daily")
        raise SchemaError(
            f"{file}: {counted(duplicates, 'day')} of a station {agree(duplicates, 'comes', 'come')} twice"
        )
    series = {}
    for key, variable in data.variables.items():
        if variable.dims != time.dims or variable.dtype.kind not in "iuf" or cf.text(variable.attrs, "units") == units:
            continue
        whole = tuple(slice(None) for _ in variable.dims)
        block = np.full(stations * len(steps), np.nan, np.float32)
        block[position] = packing.values(variable.to_base_variable(), whole, f"{file}: {key}", _FILLED).ravel()[known]
        attributes = {name: value for name, value in variable.attrs.items() if name not in _PACKING}
        series[str(key)] = xr.Variable((STATION, TIME), block.reshape(stations, len(steps)), attributes)
    said = {"units": f"days since {first:04d}-01-01", "calendar": calendar}
    return _assembled(series, latitude, longitude, TIME, xr.Variable((TIME,), steps.astype(float), said), data.attrs)


def _stamps(data: xr.Dataset, time: xr.Variable, file: str) -> Floats:
    """Time of every observation, in the middle of its bounds where it has them; NaN where filled up."""
    numbers = packing.numbers(time, f"{file}: time").ravel()
    bounds = data.variables.get(cf.text(time.attrs, "bounds"))
    if bounds is not None and bounds.shape == (*time.shape, 2):
        numbers = packing.numbers(bounds.to_base_variable(), f"{file}: bounds of time").mean(axis=-1).ravel()
    return np.where(np.abs(numbers) > _FILLED, np.nan, numbers)


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
