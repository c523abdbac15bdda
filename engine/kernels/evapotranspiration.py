"""Reference evapotranspiration of a month by the Penman-Monteith equation of FAO-56.

C cells, K months. Names follow the source: ra, rs, rso extraterrestrial, measured and clear-sky radiation, rnl net
long-wave radiation (all MJ/m2/day); es, ea saturated and actual vapour pressure (kPa); delta, gamma slope of the vapour
pressure curve and psychrometric constant (kPa/degC); u2 wind at 2 m (m/s).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from engine.kernels._compile import helper, kernel
from engine.kernels.arrays import by_cell, numbers, shapes, single
from engine.kernels.face import of_cells
from engine.kernels.limits import RHM_FRACTION, SI_HIGH, TA_HIGH, TA_LOW, impossible_weather, refuse

Floats = NDArray[np.float64]

DAYS = (31.0, 28.25, 31.0, 30.0, 31.0, 30.0, 31.0, 31.0, 30.0, 31.0, 30.0, 31.0)
SOLAR = 0.0820  # solar constant, MJ/m2/min
BOLTZMANN = 4.903e-9  # Stefan-Boltzmann constant, MJ/K4/m2/day
LOWEST_M, HIGHEST_M = -500.0, 9000.0  # shore of the Dead Sea, top of Mount Everest
WIND_10M_TO_2M = 4.87 / math.log(67.8 * 10.0 - 5.42)


class _Weather(NamedTuple):
    """Monthly means, (C, K) each, in the units of `reference_evapotranspiration`."""

    ta: NDArray[np.floating]
    rhm: NDArray[np.floating]
    ws: NDArray[np.floating]
    si: NDArray[np.floating]
    tmin: NDArray[np.floating]
    tmax: NDArray[np.floating]


class _Day(NamedTuple):
    """The mean day of one month at one cell."""

    ta: float
    rhm: float
    ws: float
    rs: float
    tmin: float
    tmax: float


# nine arguments: the variables of the source, by their names
@of_cells("ta")
def reference_evapotranspiration(  # many: the quantities of FAO-56, equation 6
    ta: ArrayLike,
    rhm: ArrayLike,
    ws: ArrayLike,
    si: ArrayLike,
    latitude: ArrayLike,
    month: ArrayLike,
    *,
    elevation: ArrayLike = 0.0,
    tmin: ArrayLike | None = None,
    tmax: ArrayLike | None = None,
) -> NDArray[np.floating]:
    """Evapotranspiration of a grass reference surface, from monthly means.

    ta        : (C, K), mean air temperature, degC
    rhm       : (C, K), mean relative humidity, %; clipped to 0..100
    ws        : (C, K), mean wind speed at 10 m, m/s
    si        : (C, K), global radiation, MJ/m2/day
    latitude  : (C,), degrees north
    month     : (K,), 1..12, the calendar month of each column; February has 28.25 days
    elevation : scalar or (C,), m; NaN is unknown and counts as sea level
    tmin, tmax : (C, K), means of the daily extremes, degC, both or neither. With them es is the mean of the pressures
                at both (equation 12) and the long-wave radiation that of both (39); without, both are taken at ta
    returns   : (C, K), mm/month, never negative; NaN where an input is, and where the sun does not rise (the
                cloudiness of a polar night is unknown). float32 when ta, rhm, ws and si are.
    raises    : ValueError when shapes disagree, a latitude leaves -90..90 or a month 1..12, an elevation is on no land,
                or a value cannot be the mean of a month (`engine.kernels.limits`); the message counts them
    source    : Allen et al. (1998), FAO Irrigation and Drainage Paper 56, equations 6, 7, 8, 11-13, 21, 37-40, 47.
                Without tmin and tmax the result is low, the more the larger the daily range of temperature: at Fallon,
                Nevada, 9 % in January and 5 % in May; soil heat flux 0; rs / rso kept in 0.33..1
    """
    if (tmin is None) != (tmax is None):
        raise ValueError("tmin and tmax go together: give both or neither")
    named = {"ta": ta, "rhm": rhm, "ws": ws, "si": si}
    if tmin is not None and tmax is not None:
        named |= {"tmin": tmin, "tmax": tmax}
    inputs = {name: by_cell(each, name) for name, each in named.items()}
    latitude, month = numbers(latitude, "latitude").astype(np.float64), numbers(month, "month")
    _check(inputs, latitude, month)
    height = _height(elevation, latitude)
    dtype = single(list(inputs.values()))
    out = np.empty(inputs["ta"].shape, dtype)
    checked = {name: np.require(each, dtype, ["C", "A", "W"]) for name, each in inputs.items()}
    air = checked["ta"]
    weather = _Weather(**{"tmin": air, "tmax": air} | checked)
    months = month.astype(np.int64)
    impossible, fractions, percents = _fill(weather, "tmin" in named, latitude, months, height, out)
    if impossible or (fractions and not percents):
        refuse(checked)
    return out


def _check(inputs: dict[str, NDArray[Any]], latitude: Floats, month: NDArray[Any]) -> None:
    first, *_ = inputs.values()
    if len({each.shape for each in inputs.values()}) != 1 or first.shape != (*latitude.shape, *month.shape):
        raise ValueError(
            f"shapes disagree: {', '.join(inputs)} are {shapes(list(inputs.values()))}, "
            f"latitude {latitude.shape}, month {month.shape}"
        )
    if first.ndim != 2:
        raise ValueError(f"inputs must be (cells, months), got {first.shape}")
    if astray := np.count_nonzero(~(np.abs(latitude) <= 90)):
        raise ValueError(f"{astray} of {latitude.size} latitudes are not within -90..90")
    if astray := np.count_nonzero(~np.isin(month, np.arange(1, 13))):
        raise ValueError(f"{astray} of {month.size} months are not 1..12")


def _height(elevation: ArrayLike, latitude: Floats) -> Floats:
    """(C,) m, unknown heights at sea level."""
    height = numbers(elevation, "elevation").astype(np.float64)
    if height.shape not in ((), latitude.shape):
        raise ValueError(f"elevation must be one number or {latitude.shape}, got {height.shape}")
    if astray := np.count_nonzero((height < LOWEST_M) | (height > HIGHEST_M)):
        raise ValueError(f"{astray} of {height.size} elevations are outside {LOWEST_M:g}..{HIGHEST_M:g} m")
    return np.broadcast_to(np.where(np.isnan(height), 0.0, height), latitude.shape).copy()


@kernel
def _fill(
    weather: _Weather,
    extremes: bool,
    latitude: Floats,
    month: NDArray[np.int64],
    elevation: Floats,
    out: NDArray[np.floating],
) -> tuple[int, int, int]:
    """mm/month -> out; returns months with an impossible value, and with a humidity in 0..1 % and above."""
    ta, rhm, ws, si, tmin, tmax = weather
    impossible, fractions, percents = 0, 0, 0
    for c in prange(len(out)):
        ra = np.empty(13)
        for m in range(1, 13):
            ra[m] = _extraterrestrial(latitude[c], m)
        pressure = 101.3 * ((293.0 - 0.0065 * elevation[c]) / 293.0) ** 5.26
        clear = 0.75 + 2e-5 * elevation[c]
        wrong, fraction, percent = False, False, False
        for k in range(out.shape[1]):  # a loop of its own, in vector instructions
            wrong |= impossible_weather(ta[c, k], rhm[c, k], ws[c, k]) | (si[c, k] < 0.0) | (si[c, k] > SI_HIGH)
            wrong |= (tmin[c, k] < TA_LOW) | (tmax[c, k] > TA_HIGH)
            fraction |= (rhm[c, k] > 0.0) & (rhm[c, k] <= RHM_FRACTION)
            percent |= rhm[c, k] > RHM_FRACTION
        impossible, fractions, percents = impossible + wrong, fractions + fraction, percents + percent
        for k in range(out.shape[1]):
            day = _Day(
                np.float64(ta[c, k]),
                np.float64(rhm[c, k]),
                np.float64(ws[c, k]),
                np.float64(si[c, k]),
                np.float64(tmin[c, k]),
                np.float64(tmax[c, k]),
            )
            out[c, k] = DAYS[month[k] - 1] * _daily(day, extremes, clear * ra[month[k]], 0.665e-3 * pressure)
    return impossible, fractions, percents


@helper
def _extraterrestrial(latitude: float, month: int) -> float:
    """Radiation at the top of the atmosphere in the middle of a month, MJ/m2/day (equations 21-25)."""
    day = int(30.4 * month - 15.0)
    distance = 1.0 + 0.033 * math.cos(2.0 * math.pi * day / 365.0)
    declination = 0.409 * math.sin(2.0 * math.pi * day / 365.0 - 1.39)
    phi = math.radians(latitude)
    sunset = math.acos(min(max(-math.tan(phi) * math.tan(declination), -1.0), 1.0))
    height = sunset * math.sin(phi) * math.sin(declination)
    height += math.cos(phi) * math.cos(declination) * math.sin(sunset)
    return 24.0 * 60.0 / math.pi * SOLAR * distance * height


@helper
def _saturated(celsius: float) -> float:
    """kPa (equation 11)."""
    return 0.6108 * math.exp(17.27 * celsius / (celsius + 237.3))


@helper
def _daily(day: _Day, extremes: bool, rso: float, gamma: float) -> float:
    """mm/day (equation 6)."""
    ta, rhm, ws, rs, tmin, tmax = day
    if not rso > 1e-6:
        return math.nan
    humidity, cloudiness = rhm / 100.0, rs / rso
    if math.isnan(humidity) or math.isnan(cloudiness):
        return math.nan
    humidity = min(max(humidity, 0.0), 1.0)
    cloudiness = min(max(cloudiness, 0.33), 1.0)
    es = _saturated(ta)
    delta = 4098.0 * es / (ta + 237.3) ** 2
    black_body = (ta + 273.16) ** 4
    if extremes:
        es = 0.5 * (_saturated(tmin) + _saturated(tmax))
        black_body = 0.5 * ((tmin + 273.16) ** 4 + (tmax + 273.16) ** 4)
    ea = es * humidity
    u2 = ws * WIND_10M_TO_2M
    rnl = BOLTZMANN * black_body * (0.34 - 0.14 * math.sqrt(ea)) * (1.35 * cloudiness - 0.35)
    energy = 0.408 * delta * (0.77 * rs - rnl)
    air = gamma * 900.0 / (ta + 273.0) * u2 * (es - ea)
    et0 = (energy + air) / (delta + gamma * (1.0 + 0.34 * u2))
    return 0.0 if et0 < 0.0 else et0
