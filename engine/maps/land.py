"""Land as areas to fill behind points of a map: what the lines of a coast enclose, and which side of them is land."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from engine.core.grid import TURN
from engine.maps import world
from engine.maps.borders import TOLERANCE

Areas = NDArray[np.object_]
#: degrees; a meridian through a vertex of the coast is not counted well, and no vertex lies so far between thousandths
_ASIDE = 0.000_317
#: degrees; longest step of the coast across the date line
_GAP = 0.5
#: square degrees: an area of a finer coast that the world at 1:50m does not resolve is an island
_ISLAND = 0.05
#: shares of an area that is land at 1:50m beyond which it is of one kind
_SEA, _LAND = 0.1, 0.9


def rings(coast: Sequence[BaseGeometry], box: world.Box, tolerance: float = TOLERANCE) -> list[list[list[float]]]:
    """Rings of land as [longitude, latitude], simplified within `tolerance` degrees, to be filled by the rule of even
    and odd: a lake is a ring in a ring.

    coast : lines or areas, EPSG:4326, longitudes in -180..180. Where they do not part land from sea, the coast of the
            world (`world.coast`) does
    box   : what is filled
    """
    parts = shapely.get_parts(np.asarray(coast, object))
    is_area = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    strokes = np.concatenate([parts[~is_area], shapely.boundary(parts[is_area])])
    found: list[list[list[float]]] = []
    for west, south, east, north in _parts(box):
        areas = shapely.simplify(_land(strokes, shapely.box(west, south, east, north)), tolerance)
        for area in areas[~shapely.is_empty(areas)]:  # slivers along the box vanish
            for ring in (area.exterior, *area.interiors):
                found.append([[round(x, 3), round(y, 3)] for x, y in ring.coords])
    return found


def _parts(box: world.Box) -> list[world.Box]:
    """The box in longitudes of -180..180: in two where it crosses the date line."""
    west, south, east, north = box
    turned = [(max(west + turn, -180.0), min(east + turn, 180.0)) for turn in (-TURN, 0.0, TURN)]
    return [(lo, max(south, -90.0), hi, min(north, 90.0)) for lo, hi in turned if lo < hi]


def _land(strokes: Areas, box: BaseGeometry) -> Areas:
    """Areas of land within a box: by these strokes where they reach, else by the coast of the world."""
    known = shapely.union_all(_of_world(box))
    inner = shapely.intersection(box, shapely.box(*shapely.total_bounds(strokes))) if len(strokes) else box
    if not len(strokes) or inner.area == 0.0:
        return _areas([known])
    faces = _faces(strokes, inner)
    share = shapely.area(shapely.intersection(faces, known)) / shapely.area(faces)
    at_edge = shapely.length(shapely.intersection(shapely.boundary(faces), inner.boundary))
    is_island = (shapely.area(faces) < _ISLAND) & (at_edge == 0.0)
    is_land = is_island | (share > _LAND)
    is_open = ~is_land & (share > _SEA)
    return _areas([*faces[is_land], *shapely.intersection(faces[is_open], known), shapely.difference(known, inner)])


def _of_world(box: BaseGeometry) -> Areas:
    coast = np.asarray(world.coast(box.bounds), object)
    faces = _faces(np.concatenate([coast, _to_the_date_line(coast)]), box)
    inside = shapely.get_coordinates(shapely.point_on_surface(faces))
    # the north pole is sea: an odd number of coasts lies between it and land
    return faces[[world.coasts_to_pole(x + _ASIDE, y) % 2 == 1 for x, y in inside]]


def _to_the_date_line(coast: Areas) -> Areas:
    """Steps from strokes that end shortly before the date line, beyond which they have no point, to it."""
    is_open = ~shapely.is_closed(coast)
    ends = np.array([stroke.coords[place] for stroke in coast[is_open] for place in (0, -1)]).reshape(-1, 2)
    near = ends[(np.abs(ends[:, 0]) > 180.0 - _GAP) & (np.abs(ends[:, 0]) < 180.0)]
    steps: Areas = shapely.linestrings(np.stack([near, np.column_stack([180.0 * np.sign(near[:, 0]), near[:, 1]])], 1))
    return steps


def _faces(strokes: Areas, box: BaseGeometry) -> Areas:
    """Areas into which the strokes cut the box."""
    west, south, east, north = box.bounds
    within = shapely.clip_by_rect(strokes, west, south, east, north)
    lines = shapely.union_all([*within, box.boundary])
    faces: Areas = shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))
    return faces


def _areas(shapes: Sequence[BaseGeometry]) -> Areas:
    parts = shapely.get_parts(shapely.get_parts(np.asarray(shapes, object)))  # of collections of multiple areas
    areas: Areas = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    return areas
