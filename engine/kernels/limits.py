"""Limits of the mean climate of a month on earth: outside lies another unit, a missing code, or no number.

Wider than the records, and than the quality gate of any region: what a loader has let through is not refused here.
Records: WMO Archive of Weather and Climate Extremes, wmo.asu.edu (air -89.2 to 56.7 degC; 9,300 mm of rain in a
month; 25 m/s of mean wind in a month at Cape Denison); FAO-56 eq. 21 (at most 49 MJ/m2/day reach the top of the
atmosphere). Humidity is clipped to 0..100 % by its users, because models leave that range a little. An array of it
without a value above 1 % holds fractions: the driest deserts have monthly means of about 10 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from engine.kernels._compile import helper

TA_LOW, TA_HIGH = -100.0, 70.0  # degC
RHM_LOW, RHM_FRACTION, RHM_HIGH = -5.0, 1.0, 150.0  # %
WS_HIGH = 50.0  # m/s
SI_HIGH = 50.0  # MJ/m2/day
RN_HIGH = 10_000.0  # mm/month

#: lowest, highest, and the unit that they are in
_RANGES = {
    "ta": (TA_LOW, TA_HIGH, "degC"),
    "tmin": (TA_LOW, TA_HIGH, "degC"),
    "tmax": (TA_LOW, TA_HIGH, "degC"),
    "rhm": (RHM_LOW, RHM_HIGH, "%"),
    "ws": (0.0, WS_HIGH, "m/s"),
    "si": (0.0, SI_HIGH, "MJ/m2/day"),
    "rn": (0.0, RN_HIGH, "mm/month"),
}


class ImpossibleWeatherError(ValueError):
    """Values of a climate that cannot be: whose data they are knows what to call them."""


@helper
def impossible_weather(ta: float, rhm: float, ws: float) -> bool:
    """True when one of these cannot be a mean of a month; NaN is missing and can."""
    # | and not `or`: without branches the loops keep their vector instructions
    return (ta < TA_LOW) | (ta > TA_HIGH) | (rhm < RHM_LOW) | (rhm > RHM_HIGH) | (ws < 0.0) | (ws > WS_HIGH)


def refuse(inputs: Mapping[str, NDArray[Any]]) -> None:
    """Say which inputs hold impossible values, and how many; the loops have found that there are some.

    inputs : of `ta`, `rhm`, `ws`, `si`, `rn`, as the loops saw them
    raises : ImpossibleWeatherError
    """
    faults = []
    for name, values in inputs.items():
        low, high, unit = _RANGES[name]
        bad = (values < low) | (values > high)
        if bad.any():
            faults.append(f"{int(bad.sum())} of {values.size} values of {name} are outside {low:g}..{high:g} {unit}")
        elif name == "rhm" and not (values > RHM_FRACTION).any() and (fractions := int((values > 0.0).sum())):
            faults.append(f"{fractions} of {values.size} values of rhm are fractions of 1, none is above 1 %")
    raise ImpossibleWeatherError(f"not the climate of a month: {'; '.join(faults)}")
