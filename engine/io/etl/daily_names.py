"""Names under which files hold the daily variables: those of CMIP and of the provider, of ERA5, E-OBS and others, and
the standard names of CF."""

from __future__ import annotations

import re
from typing import NamedTuple

import xarray as xr

from engine.errors import SchemaError
from engine.io.etl import cf

MEAN, MAXIMUM, MINIMUM = "mean", "maximum", "minimum"


class _Known(NamedTuple):
    """What marks a variable: names (lower case), standard names, and what its `cell_methods` must not contradict."""

    names: tuple[str, ...]
    standard_names: tuple[str, ...]
    method: str = MEAN


_TEMPERATURE = ("air_temperature",)
_KNOWN = {
    "tas": _Known(("tas", "ta", "tg", "tmean"), _TEMPERATURE),
    "tasmax": _Known(("tasmax", "tamax", "tx", "tmax", "mx2t"), _TEMPERATURE, MAXIMUM),
    "tasmin": _Known(("tasmin", "tamin", "tn", "tmin", "mn2t"), _TEMPERATURE, MINIMUM),
    "pr": _Known(
        ("pr", "rn", "tp", "precip", "prcp", "rr"),
        ("precipitation_flux", "lwe_precipitation_rate", "precipitation_amount",
         "lwe_thickness_of_precipitation_amount"),
    ),
    "hurs": _Known(("hurs", "rhm"), ("relative_humidity",)),
    "sfcWind": _Known(("sfcwind", "ws", "si10"), ("wind_speed",)),
    "rsds": _Known(
        ("rsds", "si", "ssrd"),
        ("surface_downwelling_shortwave_flux_in_air", "surface_downwelling_shortwave_flux",
         "integral_wrt_time_of_surface_downwelling_shortwave_flux_in_air"),
    ),
}  # fmt: skip
#: ERA5 calls the temperature at 2 m so, be it a mean, a maximum or a minimum
_ANY_TEMPERATURE = ("t2m", "2t")
_TIME_METHOD = re.compile(r"\btime:\s*(?:\w+:\s*)*(mean|sum|maximum|minimum|point)\b")


def found(data: xr.Dataset, file: str) -> dict[str, str]:
    """Daily variable -> name of the variable of the file that holds it.

    A name known for a variable decides; without one, the standard name with `cell_methods` (a temperature must have
    these: its standard name says nothing of mean, maximum and minimum).

    raises : SchemaError for two variables that can be the same, and for a name that `cell_methods` contradicts
    """
    named: dict[str, list[str]] = {}
    marked: dict[str, list[str]] = {}
    for key, variable in data.variables.items():
        if variable.ndim == 0 or key in data.dims or variable.dtype.kind not in "iuf":
            continue
        for name, known in _KNOWN.items():
            if str(key).lower() in known.names:
                if _method(variable) not in ("", known.method):
                    raise SchemaError(f"{file}: {key} stands for {name}, but its cell_methods say {_method(variable)}")
                named.setdefault(name, []).append(str(key))
            elif _is_marked(str(key), variable, known):
                marked.setdefault(name, []).append(str(key))
    chosen = marked | named
    for name, keys in chosen.items():
        if len(keys) > 1:
            raise SchemaError(f"{file}: {' and '.join(keys)} can both be {name}; leave one out (ncks -x -v {keys[1]})")
    return {name: chosen[name][0] for name in _KNOWN if name in chosen}


def _is_marked(key: str, variable: xr.Variable, known: _Known) -> bool:
    """Known by its standard name and what it is over time."""
    method = _method(variable)
    if key.lower() in _ANY_TEMPERATURE:
        return known.standard_names == _TEMPERATURE and (method or MEAN) == known.method
    if cf.text(variable.attrs, "standard_name").lower() not in known.standard_names:
        return False
    return (method or ("" if known.standard_names == _TEMPERATURE else MEAN)) == known.method


def is_mean(variable: xr.Variable) -> bool:
    """True when `cell_methods` call the values means over time."""
    return _TIME_METHOD.findall(cf.text(variable.attrs, "cell_methods").lower()) == [MEAN]


def _method(variable: xr.Variable) -> str:
    """What `cell_methods` say of time: mean (also sum and point), maximum, minimum, "" for nothing."""
    words = set(_TIME_METHOD.findall(cf.text(variable.attrs, "cell_methods").lower()))
    extremes = [word for word in (MAXIMUM, MINIMUM) if word in words]
    return extremes[0] if extremes else MEAN if words else ""
