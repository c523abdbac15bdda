"""Random fields: smooth functions of place whose coefficients walk through time as red noise.

A field at (x, y, t) is the sum over waves of a fixed pattern of place times a coefficient of time. A cell therefore
depends on its own coordinates alone, whatever block it is computed in, and any resolution samples the same field.
Every pattern comes as a cosine and sine pair of equal weight, so the variance is one everywhere.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: wavelength scale in km and number of wave pairs; before them stands one constant, the whole country
SCALES = ((350.0, 6), (90.0, 12), (20.0, 12))
#: seeds the patterns of place, which all variables share so that fields can be mixed by mixing coefficients
PATTERN_SEED = 20_250_101
KM_PER_DEGREE = 111.2
_REFERENCE = (36.0, 127.5)


@dataclass(frozen=True, slots=True)
class Texture:
    """Texture of the anomalies of one variable in space and time.

    country, regional, local, fine : shares of the variance, sum 1
    lag1 : correlation of successive steps
    slow : share of the variance that lives in an annual red noise (correlation 0.6)
    """

    country: float
    regional: float
    local: float
    fine: float
    lag1: float = 0.0
    slow: float = 0.0


def patterns(latitude: Floats, longitude: Floats) -> Floats:
    """(cells, waves) values of the fixed patterns at points in degrees."""
    y = (latitude - _REFERENCE[0]) * KM_PER_DEGREE
    x = (longitude - _REFERENCE[1]) * KM_PER_DEGREE * np.cos(np.radians(_REFERENCE[0]))
    generator = np.random.Generator(np.random.PCG64(PATTERN_SEED))
    columns = [np.ones((len(latitude), 1))]
    for scale, pairs in SCALES:
        # one wave in every sector of directions: drawn freely, a few would line up and show as stripes
        heading = np.pi * (np.arange(pairs) + generator.uniform(0, 1, pairs)) / pairs
        number = np.exp(generator.uniform(-0.7, 0.7, pairs)) / scale
        phase = number * (x[:, None] * np.cos(heading) + y[:, None] * np.sin(heading))
        columns += [np.cos(phase), np.sin(phase)]
    return np.hstack(columns)


def coefficients(name: str, seed: int, scenario: int, years: int, steps: int, texture: Texture) -> Floats:
    """(waves, years * steps) coefficients of one variable and scenario: red noise of unit variance, weighted by scale.

    name, seed, scenario : the stream; no two share a number
    steps : a year
    """
    shares = (texture.country, texture.regional, texture.local, texture.fine)
    spread = [np.full(2 * pairs, share / pairs) for share, (_, pairs) in zip(shares[1:], SCALES, strict=True)]
    weight = np.sqrt(np.concatenate([[shares[0]], *spread]))
    stream = np.random.SeedSequence([seed, scenario, zlib.crc32(name.encode())])
    generator = np.random.Generator(np.random.PCG64(stream))
    fast = _red_noise(generator.standard_normal((years * steps, len(weight))), texture.lag1)
    slow = _red_noise(generator.standard_normal((years, len(weight))), 0.6).repeat(steps, axis=0)
    noise = np.sqrt(1 - texture.slow) * fast + np.sqrt(texture.slow) * slow
    return np.ascontiguousarray((noise * weight).T)


def _red_noise(white: Floats, lag1: float) -> Floats:
    """First-order autoregression down the rows, unit variance from the first row on."""
    out = white.copy()
    innovation = np.sqrt(1 - lag1**2)
    for t in range(1, len(out)):
        out[t] = lag1 * out[t - 1] + innovation * white[t]
    return out


def draw(numbers: NDArray[np.integer[Any]], stream: int) -> Floats:
    """Uniform 0..1, a function of each number and the stream alone. Source: splitmix64 (Steele et al. 2014)."""
    offset = np.uint64(stream * 0xD1B54A32D192ED03 % 2**64)
    z = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + offset
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((z ^ (z >> np.uint64(31))) >> np.uint64(11), float) * 2.0**-53
