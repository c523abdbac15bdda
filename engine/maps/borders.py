"""Coast and provinces as lines to draw over a map, and those of the country that come with the sample."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Literal, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from engine.core import country
from engine.core.grid import KOREA
from engine.core.profile import LEGAL_DONG
from engine.maps import world

Floats = NDArray[np.float64]

#: degrees; a cell is 0.01
TOLERANCE = 0.003


class Backdrop(NamedTuple):
    """Lines behind values where a warehouse has none. source: `shipped` with the engine for the country, or `world`"""

    coast: list[BaseGeometry]
    borders: list[BaseGeometry]
    source: Literal["shipped", "world"]


def backdrop(latitude: Floats, longitude: Floats) -> Backdrop:
    """The outlines of the country of the process where all places lie in it; else coast and borders of the world.

    latitude, longitude : (n,) degrees; longitudes of -180..180, or going on beyond 180 across the date line
    """
    box = world.box_around(latitude, longitude)
    south, north, west, east = latitude.min(), latitude.max(), longitude.min(), longitude.max()
    (low, high), (left, right) = (axis[[0, -1]] for axis in (KOREA.latitudes, KOREA.longitudes))
    if low <= south and north <= high and left <= west and east <= right and (coast := shipped_coastline()):
        return Backdrop(coast, shipped_provinces(), "shipped")
    return Backdrop(world.coast(box), world.borders(box), "world")


def shipped_coastline() -> list[BaseGeometry]:
    """The coast of South Korea that comes with the sample; none for another country."""
    return _shipped("coastline_korea.geojson")


def shipped_provinces() -> list[BaseGeometry]:
    """Provinces of South Korea in 2013, likewise."""
    return _shipped("provinces_korea_2013.geojson")


def _shipped(name: str) -> list[BaseGeometry]:
    if country.current().regions.codes != LEGAL_DONG:
        return []
    text = (resources.files("engine.sample") / "data" / "map" / name).read_text("utf-8")
    return [*shapely.get_parts(shapely.from_geojson(text))]


def lines(shapes: Sequence[BaseGeometry], tolerance: float = TOLERANCE) -> list[list[list[float]]]:
    """Rings of areas and strokes of lines as [longitude, latitude], simplified within `tolerance` degrees."""
    simple = shapely.simplify(np.asarray(shapes, object), tolerance)
    parts = shapely.get_parts(simple)
    areas = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    strokes = [*shapely.get_exterior_ring(parts[areas]), *parts[~areas]]
    return [[[round(x, 3), round(y, 3)] for x, y in shapely.get_coordinates(stroke)] for stroke in strokes]
