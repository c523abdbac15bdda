"""Synthetic annual mean sea level around Korea, on a curvilinear grid of an ocean model's coarseness.

Published rises at 2050 and 2100, a stronger rise in the East Sea, each point's own height of the sea surface above the
model's datum, and a red noise that neighbouring points share. Not a projection.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.sample import climate, fields
from engine.sample.fields import Texture

Floats = NDArray[np.float64]

AXIS = Years(2015, 2100)
SHAPE = (10, 8)
#: corners: longitude of the first and last column, latitude of the first and last row
WEST, EAST, SOUTH, NORTH = 124.5, 131.5, 33.49, 42.14
#: cm, standard deviation of a year around the path: the tide gauges of Korea show 2 to 3
NOISE_CM = 2.0
_TEXTURE = Texture(0.5, 0.35, 0.1, 0.05, lag1=0.4)


def grid() -> tuple[Floats, Floats]:
    """(10, 8) latitude and longitude of the points, degrees; rows bend a little, as an ocean model's do."""
    j, i = np.meshgrid(np.linspace(0, 1, SHAPE[0]), np.linspace(0, 1, SHAPE[1]), indexing="ij")
    bend = 0.25 * np.sin(np.pi * i) * np.sin(np.pi * j)
    latitude = SOUTH + (NORTH - SOUTH) * j + bend
    longitude = WEST + (EAST - WEST) * i + bend * (0.5 - i)
    return np.round(latitude, 4), np.round(longitude, 4)


def block(scenario: Scenario, *, seed: int = climate.SEED) -> NDArray[np.float32]:
    """(86, 10, 8) cm above the datum, 2015-2100, at every point of `grid`, land not yet masked."""
    latitude, longitude = (x.ravel() for x in grid())
    published = climate.projections()["sea_level"]
    path = PchipInterpolator(published["centres"], published[scenario.name])
    rise = np.asarray(path(np.arange(AXIS.first, AXIS.last + 1)))
    # the East Sea, deep and steric, rises more than the shallow Yellow Sea
    faster = 0.96 + 0.08 * np.clip((longitude - 126.0) / 5.0, 0.0, 1.0)
    # the mean sea surface slopes: higher in the warm south-east
    datum = 40.0 + 3.0 * (longitude - 128.0) - 2.0 * (latitude - 37.0)
    noise = fields.coefficients("sea_level", seed, scenario, AXIS.n, 1, _TEXTURE)
    around = NOISE_CM * (fields.patterns(latitude, longitude) @ noise)
    level = datum[:, None] + faster[:, None] * rise + around
    return np.asarray(np.round(level.T, 2), np.float32).reshape(AXIS.n, *SHAPE)
