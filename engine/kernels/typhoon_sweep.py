"""Loops over cells and track points of `typhoon`. C cells, K points, Y years; first[j]..last[j]: the points of year j.

Neighbouring cells are swept together. For a tile of cells within rho km of its middle, a point at d km from the middle
brings each of them at least what it brings somewhere in d - rho .. d + rho, and at most the most of it. The largest
least of a year is a floor under every cell's maximum, so points that cannot reach it are passed over, a few dozen of a
thousand are left, and the maximum is the same number as over all of them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from engine.kernels._compile import helper, kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EARTH_RADIUS = 6371.0  # km, mean sphere
KM_PER_DEGREE = 111.0
TILE = 64  # cells: 8 km square at 0.01 degree; half or twice as many cost more
_HAIR = 1e-9  # relative; keeps rounding from dropping a point that equals the floor


class WindPoints(NamedTuple):
    """Points of tracks with the radial profile of their wind; of year j those in first[j]..last[j]."""

    place: Floats  # (K, 3) unit vectors
    vmax: Floats  # (K,) m/s
    rm: Floats  # (K,) km
    decay: Floats  # (K,)
    reach: Floats  # (K,) km
    reach2: Floats  # (K,) squared chord of the reach
    first: Ints  # (Y,)
    last: Ints  # (Y,)


class IndexPoints(NamedTuple):
    """Points of tracks for the cyclone index; of year j those in first[j]..last[j]."""

    place: Floats  # (K, 3) unit vectors
    wind: Floats  # (K,), 0 or more
    first: Ints  # (Y,)
    last: Ints  # (Y,)


class Ellipses(NamedTuple):
    """Fixes with the ellipses of their storm and gale winds; of year j those in first[j]..last[j]."""

    north: Floats  # (K,) degrees
    east: Floats  # (K,) degrees
    storm: Floats  # (K, 4) sine and cosine of the long half axis, one over both half axes in km; NaN without an ellipse
    gale: Floats  # (K, 4), the same
    storm_weight: Floats  # (K,)
    gale_weight: Floats  # (K,)
    first: Ints  # (Y,)
    last: Ints  # (Y,)


@helper
def _distance(chord2: float) -> float:
    return 2.0 * EARTH_RADIUS * math.asin(0.5 * math.sqrt(min(chord2, 4.0)))


@helper
def _chord2(places: Floats, k: int, x: float, y: float, z: float) -> float:
    return float((places[k, 0] - x) ** 2 + (places[k, 1] - y) ** 2 + (places[k, 2] - z) ** 2)


@helper
def _middle(cells: Floats) -> tuple[float, float, float, float]:
    """Unit vector of the middle of a tile, and the distance of its farthest cell, km."""
    x, y, z = 0.0, 0.0, 0.0
    for c in range(cells.shape[0]):
        x, y, z = x + cells[c, 0], y + cells[c, 1], z + cells[c, 2]
    length = math.sqrt(x * x + y * y + z * z)
    if length == 0.0:  # cells all around the earth: any middle will do, every cell lies within half of it
        return 1.0, 0.0, 0.0, math.pi * EARTH_RADIUS
    x, y, z = x / length, y / length, z / length
    farthest = 0.0
    for c in range(cells.shape[0]):
        farthest = max(farthest, _chord2(cells, c, x, y, z))
    return x, y, z, _distance(farthest) * (1.0 + _HAIR) + _HAIR


@helper
def _wind(r: float, vmax: float, rm: float, decay: float) -> float:
    return vmax * (r / rm if r < rm else (rm / r) ** decay)


@kernel
def fill_wind(cells: Floats, points: WindPoints, out: Floats) -> None:
    """Highest wind of each cell, (C, 3) unit vectors, and year -> out (C, Y), m/s."""
    places, vmax, rm, decay, reach, reach2, first, last = points
    for tile in prange((cells.shape[0] + TILE - 1) // TILE):
        start, stop = tile * TILE, min((tile + 1) * TILE, cells.shape[0])
        x, y, z, rho = _middle(cells[start:stop])
        chosen, most = np.empty(places.shape[0], np.int64), np.empty(places.shape[0])
        for j in range(first.shape[0]):
            floor, n = 0.0, 0
            for k in range(first[j], last[j]):
                if vmax[k] < floor:
                    continue
                d = _distance(_chord2(places, k, x, y, z))
                nearest, farthest = max(d - rho, 0.0), d + rho
                if nearest > reach[k]:
                    continue
                if nearest < rm[k] < farthest:
                    upper = vmax[k]
                else:
                    upper = _wind(nearest if nearest >= rm[k] else farthest, vmax[k], rm[k], decay[k])
                upper *= 1.0 + _HAIR
                if upper < floor:
                    continue
                chosen[n], most[n] = k, upper
                n += 1
                if farthest < reach[k]:
                    lower = min(_wind(nearest, vmax[k], rm[k], decay[k]), _wind(farthest, vmax[k], rm[k], decay[k]))
                    floor = max(floor, lower)
            for c in range(start, stop):
                best = 0.0
                for i in range(n):
                    if most[i] >= floor and most[i] >= best:
                        k = chosen[i]
                        chord2 = _chord2(places, k, cells[c, 0], cells[c, 1], cells[c, 2])
                        if chord2 <= reach2[k]:
                            best = max(best, _wind(_distance(chord2), vmax[k], rm[k], decay[k]))
                out[c, j] = best


@kernel
def fill_index(
    cells: Floats, points: IndexPoints, weight: float, scale: Floats, rain: Floats, reach: float, reach2: float,
    out: Floats,
) -> None:  # fmt: skip
    """Mean over the years of the highest (weight min(wind scale, 1) + rain) (1 - distance / reach) -> out (C, P).

    cells : (C, 3) unit vectors; scale, rain : (C, P) of each cell and period, NaN = unknown; 0 or more
    reach, reach2 : km, and its squared chord
    """
    places, wind, first, last = points
    for tile in prange((cells.shape[0] + TILE - 1) // TILE):
        start, stop = tile * TILE, min((tile + 1) * TILE, cells.shape[0])
        x, y, z, rho = _middle(cells[start:stop])
        chosen, most = np.empty(places.shape[0], np.int64), np.empty(places.shape[0])
        driest, wettest, weakest, strongest = math.inf, 0.0, math.inf, 0.0
        for c in range(start, stop):
            for p in range(rain.shape[1]):
                if rain[c, p] >= 0.0 and scale[c, p] >= 0.0:
                    driest, wettest = min(driest, rain[c, p]), max(wettest, rain[c, p])
                    weakest, strongest = min(weakest, scale[c, p]), max(strongest, scale[c, p])
        total, highest = np.zeros((stop - start, rain.shape[1])), np.empty(rain.shape[1])
        for j in range(first.shape[0]):
            floor, n = 0.0, 0
            for k in range(first[j], last[j]):
                d = _distance(_chord2(places, k, x, y, z))
                if d - rho > reach:
                    continue
                upper = weight * min(wind[k] * strongest, 1.0) + wettest
                upper = upper * (1.0 - max(d - rho, 0.0) / reach) * (1.0 + _HAIR) + _HAIR
                if upper < floor:
                    continue
                chosen[n], most[n] = k, upper
                n += 1
                if d + rho < reach and driest <= wettest:
                    lower = weight * min(wind[k] * weakest, 1.0) + driest
                    floor = max(floor, lower * (1.0 - (d + rho) / reach))
            # loops over p, not slices: numba takes two seconds longer to compile those
            for c in range(start, stop):
                for p in range(rain.shape[1]):
                    highest[p] = 0.0
                for i in range(n):
                    if most[i] >= floor:
                        k = chosen[i]
                        chord2 = _chord2(places, k, cells[c, 0], cells[c, 1], cells[c, 2])
                        if chord2 <= reach2:
                            nearness = 1.0 - _distance(chord2) / reach
                            for p in range(rain.shape[1]):
                                part = weight * min(wind[k] * scale[c, p], 1.0) + rain[c, p]
                                highest[p] = max(highest[p], part * nearness)
                for p in range(rain.shape[1]):
                    total[c - start, p] += highest[p]
        for c in range(start, stop):
            for p in range(rain.shape[1]):
                unknown = math.isnan(rain[c, p]) or math.isnan(scale[c, p])
                out[c, p] = math.nan if unknown else total[c - start, p] / first.shape[0]


@kernel
def fill_exposure(lat: Floats, lon: Floats, fixes: Ellipses, out: Floats) -> None:
    """Sum of the weights of the fixes whose ellipse holds the cell, (C,) degrees -> out (C, Y)."""
    north, east, storm, gale, storm_weight, gale_weight, first, last = fixes
    for c in prange(lat.shape[0]):
        for j in range(first.shape[0]):
            total = 0.0
            for k in range(first[j], last[j]):
                dy = (lat[c] - north[k]) * KM_PER_DEGREE
                degrees = (lon[c] - east[k] + 180.0) % 360.0 - 180.0
                dx = degrees * KM_PER_DEGREE * math.cos(math.radians(0.5 * (lat[c] + north[k])))
                along, across = dx * storm[k, 0] + dy * storm[k, 1], dx * storm[k, 1] - dy * storm[k, 0]
                if (along * storm[k, 2]) ** 2 + (across * storm[k, 3]) ** 2 <= 1.0:
                    total += storm_weight[k]
                    continue
                along, across = dx * gale[k, 0] + dy * gale[k, 1], dx * gale[k, 1] - dy * gale[k, 0]
                if (along * gale[k, 2]) ** 2 + (across * gale[k, 3]) ** 2 <= 1.0:
                    total += gale_weight[k]
            out[c, j] = total
