"""Radiation from hours of sunshine. C places, D days."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

#: Angstrom's coefficients where no local ones are known, and the solar constant in MJ/m2/min: FAO-56 eq. 35 and 21
ANGSTROM_A, ANGSTROM_B = 0.25, 0.50
SOLAR = 0.0820


def global_radiation(sunshine: NDArray[np.floating], day_of_year: NDArray[np.int64], latitude: ArrayLike) -> Floats:
    """Solar radiation of a day from its hours of sunshine.

    sunshine    : (C, D), hours; NaN = missing
    day_of_year : (D,), from 1
    latitude    : scalar or (C,), degrees north
    returns     : (C, D), MJ/m2/day
    source      : Angstrom's formula, FAO-56 (Allen et al. 1998) eq. 21-25, 34 and 35
    """
    out = np.empty(sunshine.shape)
    for place, degrees in enumerate(np.broadcast_to(np.asarray(latitude, float), len(sunshine)).tolist()):
        top, possible = sun(day_of_year, degrees)
        # tenths of an hour and a flat horizon: a clear day may exceed the possible hours a little
        share = np.minimum(np.divide(sunshine[place], possible, out=np.zeros(len(top)), where=possible > 0), 1.0)
        out[place] = (ANGSTROM_A + ANGSTROM_B * np.where(np.isnan(sunshine[place]), np.nan, share)) * top
    return out


def sun(day_of_year: NDArray[np.int64], latitude: float) -> tuple[Floats, Floats]:
    """(radiation above the atmosphere MJ/m2/day, possible hours of sunshine) of days of the year, FAO-56 eq. 21-34."""
    phi, angle = math.radians(latitude), 2 * np.pi * day_of_year / 365
    distance, declination = 1 + 0.033 * np.cos(angle), 0.409 * np.sin(angle - 1.39)
    sunset = np.arccos(np.clip(-math.tan(phi) * np.tan(declination), -1.0, 1.0))
    height = sunset * math.sin(phi) * np.sin(declination) + math.cos(phi) * np.cos(declination) * np.sin(sunset)
    return 24 * 60 / np.pi * SOLAR * distance * height, 24 / np.pi * sunset
