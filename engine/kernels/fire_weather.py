"""Monthly fire weather index: how hot, dry and windy a month is, on the scale of the daily index's classes."""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from engine.kernels._compile import kernel
from engine.kernels.arrays import alike, shapes, single
from engine.kernels.face import labelled
from engine.kernels.limits import RHM_FRACTION, RN_HIGH, impossible_weather, refuse


@labelled
def fire_weather_index(
    ta: ArrayLike, rhm: ArrayLike, ws: ArrayLike, rn: ArrayLike, *, rain_coefficient: float = 0.0005
) -> NDArray[np.floating]:
    """Monthly proxy of the fire weather index, scaled to the EFFIS danger classes; not the daily Van Wagner index.

        FWI = 5 sqrt(1 - RHM/100) exp(0.05039 * 3.6 WS) exp(0.08 (TA - 5)) exp(-rain_coefficient RN)

    ta      : any shape, mean air temperature of the month, degC
    rhm     : same shape, mean relative humidity, %; clipped to 0..100
    ws      : same shape, mean wind speed, m/s
    rn      : same shape, rain of the month, mm
    rain_coefficient : 1/mm. The default hardly feels rain: at Seoul the proxy peaks in August, the daily index in
              spring. 0.0035 was fitted to the daily index at Seoul (monthly correlation 0.77 instead of 0.51).
    returns : same shape, 1, never negative; NaN where an input is. float32 when all inputs are.
    raises  : ValueError when shapes differ, the coefficient is negative or not finite, or a value cannot be the mean of
              a month (`engine.kernels.limits`); the message counts them
    source  : exponents of wind and rain: Van Wagner (1987), Development and Structure of the Canadian Forest Fire
              Weather Index System, Forestry Technical Report 35; the combination is a project methodology
    """
    inputs = alike(ta=ta, rhm=rhm, ws=ws, rn=rn)
    if len({each.shape for each in inputs}) != 1:
        raise ValueError(f"shapes differ: ta, rhm, ws, rn are {shapes(inputs)}")
    if not 0 <= rain_coefficient < math.inf:
        raise ValueError(f"the rain coefficient must be 0 or more, got {rain_coefficient}")
    dtype = single(inputs)
    air, humidity, wind, rain = (np.require(each.ravel(), dtype, ["C", "A", "W"]) for each in inputs)
    out = np.empty(air.shape, dtype)
    impossible, fractions, percents = _fill(air, humidity, wind, rain, float(rain_coefficient), out)
    if impossible or (fractions and not percents):
        refuse({"ta": air, "rhm": humidity, "ws": wind, "rn": rain})
    return out.reshape(inputs[0].shape)


@kernel
def _fill(
    ta: NDArray[np.floating],
    rhm: NDArray[np.floating],
    ws: NDArray[np.floating],
    rn: NDArray[np.floating],
    rain_coefficient: float,
    out: NDArray[np.floating],
) -> tuple[int, int, int]:
    """Indices -> out; returns months with an impossible value, and with a humidity in 0..1 % and above."""
    impossible, fractions, percents = 0, 0, 0
    for i in prange(out.size):
        fractions += (rhm[i] > 0.0) & (rhm[i] <= RHM_FRACTION)
        percents += rhm[i] > RHM_FRACTION
        impossible += impossible_weather(ta[i], rhm[i], ws[i]) | (rn[i] < 0.0) | (rn[i] > RN_HIGH)
        dryness: float = 1.0 - np.float64(rhm[i]) / 100.0
        if not math.isnan(dryness):
            dryness = min(max(dryness, 0.0), 1.0)
        exponent = (
            0.05039 * 3.6 * np.float64(ws[i]) + 0.08 * (np.float64(ta[i]) - 5.0) - rain_coefficient * np.float64(rn[i])
        )
        out[i] = 5.0 * math.sqrt(dryness) * math.exp(exponent)
    return impossible, fractions, percents
