"""The same values in many of the ways a CF file may hold them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from hypothesis import strategies as st

#: multiples of a half, so that every packing below holds them exactly
LATITUDE = np.array([50.0, 50.5, 51.0])
LONGITUDE = np.array([-0.5, 0.0, 0.5, 1.0])
_DAY = 86400

_TIMES = st.sampled_from(
    (
        ("days since {} 00:00:00", 1, 0),
        ("days since {}T12:00:00Z", 1, -0.5),
        ("days since {} 00:00 +09:00", 1, 0),
        ("hours since {} 18:30:00.0", 24, -18.5),
        ("hours since {} 12:00:00 UTC", 24, -12),
        ("minutes since {} 06:15", 1440, -375),
        ("seconds since {} 23:00:00", _DAY, -82800),
    )
)
_MISSING = st.sampled_from(("nan", "fill", "double", "vector", "text", "range", "minimum", "maximum"))
_PACKINGS = st.sampled_from(("f4", "f8", "i2", "u1", "i4"))
_AXES = st.sampled_from(("lat", "Latitude", "y", "north", "grid", "nav"))
_RAIN = st.sampled_from(
    (("pr", ""), ("TP", ""), ("precip", ""), ("v", "precipitation_flux"), ("v", "precipitation_amount"))
)
_UNITS = st.sampled_from(("mm/day", "mm.day-1", "mm d^-1", "kg m**-2 day**-1", "kg/(m^2 day)", "l m-2 d-1"))
_BOUNDS = st.sampled_from(("", "end", "middle"))


@st.composite
def encodings(draw: st.DrawFn) -> dict[str, Any]:
    """Everything that may differ."""
    return {
        "time": draw(_TIMES),
        "reference": draw(st.sampled_from(("2017-12-31", "1850-1-1", "2018-02-28"))),
        "calendar": draw(st.sampled_from(("standard", "gregorian", "proleptic_gregorian", "Standard"))),
        "bounds": draw(_BOUNDS),
        "missing": draw(_MISSING),
        "packing": draw(_PACKINGS),
        "axes": draw(_AXES),
        "single": draw(st.booleans()),
        "west": draw(st.sampled_from((0.0, 360.0, -360.0))),
        "descending": draw(st.booleans()),
        "order": draw(st.permutations(range(3))),
        "member": draw(st.booleans()),
        "name": draw(_RAIN),
        "unit": draw(_UNITS),
        "classic": draw(st.booleans()),
    }


def write(path: Path, values: np.ndarray, ends: np.ndarray, how: Mapping[str, Any]) -> Path:
    """Write (time, lat, lon) values, NaN = missing, of steps from ends[i] to ends[i + 1], days since 2018-01-01."""
    variables: dict[str, xr.Variable] = {}
    order = slice(None, None, -1) if how["descending"] else slice(None)
    north, east = _coordinates(variables, how, order)
    time = _time(variables, ends, how)
    name, standard = how["name"]
    attributes: dict[str, Any] = {"units": how["unit"], **({"standard_name": standard} if standard else {})}
    data = _packed(np.asarray(values[:, order], np.float64), attributes, how)
    dimensions = [time, north, east]
    cube = xr.Variable(dimensions, data).transpose(*(dimensions[i] for i in how["order"]))
    block, along = np.ascontiguousarray(cube.values), list(map(str, cube.dims))
    if how["member"]:
        variables["member"] = xr.Variable(("member",), np.array([7], np.int32))
        block, along = block[:, None], [along[0], "member", *along[1:]]
    cube = xr.Variable(along, block, attributes)
    for variable in (cube, *variables.values()):
        variable.encoding["_FillValue"] = None
    if "_FillValue" in attributes:
        del cube.encoding["_FillValue"]
    # no coordinates: xarray would make them of the two-dimensional ones
    data_set = xr.Dataset({**variables, name: cube})
    classic = how["classic"] and data.dtype.kind != "u"
    data_set.to_netcdf(path, engine="scipy" if classic else "h5netcdf")
    return path


def _coordinates(variables: dict[str, xr.Variable], how: Mapping[str, Any], order: slice) -> tuple[str, str]:
    kind = np.float32 if how["single"] else np.float64
    degrees = (
        LATITUDE[order].astype(kind),
        ((LONGITUDE + how["west"]) % 360 if how["west"] > 0 else LONGITUDE).astype(kind),
    )
    names = {"lat": ("lat", "lon"), "Latitude": ("Latitude", "Longitude"), "y": ("y", "x"), "north": ("a", "b")}
    north, east = names.get(how["axes"], ("j", "i"))
    if how["axes"] in ("grid", "nav"):
        plane = np.meshgrid(*degrees, indexing="ij")
        marks = [{"standard_name": "latitude"}, {"standard_name": "longitude"}] if how["axes"] == "grid" else [{}, {}]
        keys = ("p", "q") if how["axes"] == "grid" else ("nav_lat", "nav_lon")
        for key, block, mark in zip(keys, plane, marks, strict=True):
            variables[key] = xr.Variable((north, east), block, mark)
        return north, east
    marks = {
        "y": ({"standard_name": "latitude", "units": "degrees"}, {"axis": "X", "units": "degrees"}),
        "north": ({"units": "degrees_north"}, {"units": "degree_E"}),
    }.get(how["axes"], ({}, {}))
    for key, block, mark in zip((north, east), degrees, marks, strict=True):
        variables[key] = xr.Variable((key,), block, dict(mark))
    return north, east


def _time(variables: dict[str, xr.Variable], ends: np.ndarray, how: Mapping[str, Any]) -> str:
    form, per_day, offset = how["time"]
    shift = (np.datetime64("2018-01-01") - _date(how["reference"])).astype(int)
    numbers = (ends + shift) * per_day + offset
    stamps = {"": numbers[:-1], "end": numbers[1:], "middle": (numbers[:-1] + numbers[1:]) / 2}[how["bounds"]]
    attributes = {"units": form.format(how["reference"]), "calendar": how["calendar"]}
    if how["bounds"]:
        variables["time_bnds"] = xr.Variable(("valid_time", "two"), np.stack([numbers[:-1], numbers[1:]], axis=1))
        attributes["bounds"] = "time_bnds"
    variables["valid_time"] = xr.Variable(("valid_time",), stamps, attributes)
    return "valid_time"


def _date(text: str) -> np.datetime64:
    year, month, day = text.split("-")
    return np.datetime64(f"{year}-{int(month):02d}-{int(day):02d}")


def _packed(values: np.ndarray, attributes: dict[str, Any], how: Mapping[str, Any]) -> np.ndarray:
    """Values in 0..100 as stored, and the attributes that say how."""
    kind, absent = np.dtype(how["packing"]), np.isnan(values)
    missing = how["missing"]
    if kind.kind == "f":
        fill: Any = -99.99 if missing != "maximum" else 5000.5
        stored = np.where(absent, np.nan if missing == "nan" else kind.type(fill), values).astype(kind)
        low, high = -1.0, 4000.0
    else:
        attributes["scale_factor"], attributes["add_offset"] = (np.float64(0.5), np.float64(-2.0))
        fill = {"i2": -30000, "i4": 30_000_000, "u1": 250}[how["packing"]]
        if missing == "maximum":
            fill = abs(fill)
        stored = np.where(absent, fill, np.nan_to_num((values + 2.0) / 0.5)).astype(kind)
        low, high = 0, 240
        if kind.itemsize == 1 and how["classic"]:  # classic files know no unsigned bytes
            stored, fill, high = stored.view(np.int8), fill - 256, 240 - 256
            attributes["_Unsigned"] = "true"
    own = stored.dtype.type
    if missing in ("nan", "fill") and not (kind.kind == "f" and missing == "nan"):
        attributes["_FillValue"] = own(fill)
    elif missing == "double":
        attributes["missing_value"] = np.float64(np.float32(fill))
    elif missing == "vector":
        attributes["missing_value"] = np.array([fill - 1, fill], stored.dtype)
    elif missing == "text":
        attributes["missing_value"] = f"{fill}"
    elif missing == "range":
        attributes["valid_range"] = np.array([low, high], stored.dtype)
    elif missing == "minimum":
        attributes["valid_min"] = own(low)
        if fill > high >= 0 or "_Unsigned" in attributes:
            attributes["valid_max"] = own(high)
    elif missing == "maximum":
        attributes["valid_max"] = own(high)
    return stored
