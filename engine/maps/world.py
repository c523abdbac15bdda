"""Coast and land borders of the world, to draw where a warehouse holds none of its own.

Natural Earth 1:50m; `data/PROVENANCE.md` names source and licence, `docs/natural_earth.py` makes the file anew. It
holds, for `coast` and for `borders`, the number of points of each stroke and the steps from point to point through all
strokes, in thousandths of a degree.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from engine.core.grid import TURN

Floats = NDArray[np.float64]
FILE = Path(__file__).with_name("data") / "natural_earth_50m.npz"
PER_DEGREE = 1000
#: named where its lines are drawn
SOURCE = "Natural Earth, 1:50m"

#: west, south, east, north in degrees; east beyond 180 across the date line
Box = tuple[float, float, float, float]


def coast(box: Box) -> list[BaseGeometry]:
    """Coast within a box, EPSG:4326, longitudes in -180..180."""
    return _within("coast", box)


def borders(box: Box) -> list[BaseGeometry]:
    """Borders between countries within a box, likewise."""
    return _within("borders", box)


def coasts_to_pole(longitude: float, latitude: float) -> int:
    """Number of times that the meridian from a place to the north pole crosses the coast. degrees, -180..180"""
    meridian = shapely.linestrings([[longitude, latitude], [longitude, 90.0]])
    crossed = shapely.intersection(_layer("coast"), meridian)
    return len(shapely.get_parts(crossed[~shapely.is_empty(crossed)]))


def box_around(latitude: Floats, longitude: Floats) -> Box:
    """A box around places, with a quarter of its extent, and one degree at least, to every side.

    latitude, longitude : (n,) degrees; longitudes of -180..180, or going on beyond 180 across the date line
    """
    south, north = float(latitude.min()), float(latitude.max())
    west, east = float(longitude.min()), float(longitude.max())
    margin = max(1.0, (north - south) / 4, (east - west) / 4)
    return west - margin, south - margin, east + margin, north + margin


def _within(layer: Literal["coast", "borders"], box: Box) -> list[BaseGeometry]:
    west, south, east, north = box
    lines = _layer(layer)
    found: list[BaseGeometry] = []
    for turn in (-TURN, 0.0, TURN):  # the box may reach beyond the date line on either side
        lo, hi = max(west + turn, -180.0), min(east + turn, 180.0)
        if lo < hi:
            parts = shapely.get_parts(shapely.clip_by_rect(lines, lo, south, hi, north))
            found += [part for part in parts if not part.is_empty]
    return found


@cache
def _layer(name: str) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    with np.load(FILE) as held:
        points = np.cumsum(held[f"{name}_steps"], axis=0) / PER_DEGREE
        lengths = held[f"{name}_lengths"]
    strokes: np.ndarray[tuple[int], np.dtype[np.object_]] = shapely.linestrings(
        points, indices=np.repeat(np.arange(len(lengths)), lengths)
    )
    return strokes
