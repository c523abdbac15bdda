"""Names under which files hold the daily variables: those of CMIP and of the provider, of ERA5, E-OBS and others, and
the standard names of CF."""

from __future__ import annotations

import re
from typing import NamedTuple

import xarray as xr

from engine.core.errors import SchemaError
from engine.io.netcdf import cf

MEAN, MAXIMUM, MINIMUM = "mean", "maximum", "minimum"


class _Known(NamedTuple):
    """Marks of a variable: names (lower case), standard names, and what its `cell_methods` must not contradict."""

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
#: what is no value of the variable itself: the spread along any dimension, along time also a part of the values
_SPREAD = re.compile(
    r"(?:\b\w+:\s*)+(standard_deviation|std_?dev|variance|range|root_mean_square|sum_of_squares)\b"
    r"|\b(?:\w*time|t):\s*(?:\w+:\s*)*(median|mode|mid_range|\w*absolute_value\w*|mean_of_upper_decile)\b"
)
_REMARKS = re.compile(r"\([^)]*\)")
#: standard names of other quantities, and of what CF keeps beside a quantity
_OTHER = re.compile(
    r".*anomaly.*|(tendency_of|change)_.*|(dew_point|wet_bulb|sea_surface|soil|brightness|virtual)_.*temperature"
    r"|.*_of_gust|.* (standard_error|status_flag|number_of_observations|detection_minimum)"
)
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
                check(variable, str(key), name, file)
                named.setdefault(name, []).append(str(key))
            elif _is_marked(str(key), variable, known):
                if str(key).lower() in _ANY_TEMPERATURE:
                    check(variable, str(key), name, file)
                marked.setdefault(name, []).append(str(key))
    chosen = marked | named
    for name, keys in chosen.items():
        if len(keys) > 1:
            raise SchemaError(f"{file}: {' and '.join(keys)} can both be {name}; leave one out (ncks -x -v {keys[1]})")
    if not chosen:
        _refuse_spread(data, file)
    return {name: chosen[name][0] for name in _KNOWN if name in chosen}


def check(variable: xr.Variable, key: str, name: str, file: str) -> None:
    """Refuse a variable, known as the daily variable `name`, that its attributes call another quantity."""
    if spread := _spread(variable):
        raise SchemaError(
            f"{file}: {key} stands for {name}, but its cell_methods say {spread}: give the values themselves"
        )
    standard = cf.text(variable.attrs, "standard_name").lower()
    others = {other for known in _KNOWN.values() for other in known.standard_names} - {*_KNOWN[name].standard_names}
    if standard in others or _OTHER.fullmatch(standard):
        raise SchemaError(f"{file}: {key} stands for {name}, but its standard_name is {standard}")


def _refuse_spread(data: xr.Dataset, file: str) -> None:
    """Of a file in which no variable is known, say that one would be if it were no spread."""
    standard_names = {name for known in _KNOWN.values() for name in known.standard_names}
    for key, variable in data.variables.items():
        if (spread := _spread(variable)) and cf.text(variable.attrs, "standard_name").lower() in standard_names:
            raise SchemaError(f"{file}: cell_methods of {key} say {spread}: give the values themselves")


def _spread(variable: xr.Variable) -> str:
    """The method by which values are no mean, sum, maximum or minimum; "" for none."""
    found = _SPREAD.search(_REMARKS.sub("", cf.text(variable.attrs, "cell_methods").lower()))
    return "" if found is None else found[1] or found[2]


def _is_marked(key: str, variable: xr.Variable, known: _Known) -> bool:
    """Known by its standard name and what it is over time."""
    method = _method(variable)
    if key.lower() in _ANY_TEMPERATURE:
        return known.standard_names == _TEMPERATURE and (method or MEAN) == known.method
    if cf.text(variable.attrs, "standard_name").lower() not in known.standard_names or _spread(variable):
        return False
    return (method or ("" if known.standard_names == _TEMPERATURE else MEAN)) == known.method


def is_mean(variable: xr.Variable) -> bool:
    """True when `cell_methods` call the values means over time."""
    return _TIME_METHOD.findall(cf.text(variable.attrs, "cell_methods").lower()) == [MEAN]


def _method(variable: xr.Variable) -> str:
    """Method over time in `cell_methods`: mean (also sum and point), maximum, minimum, "" for nothing."""
    words = set(_TIME_METHOD.findall(cf.text(variable.attrs, "cell_methods").lower()))
    extremes = [word for word in (MAXIMUM, MINIMUM) if word in words]
    return extremes[0] if extremes else MEAN if words else ""
