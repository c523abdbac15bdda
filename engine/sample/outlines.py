"""Municipality of 2013 that holds a point: real outlines, with the codes of Statistics Korea."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from engine.sample import terrain

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Municipalities:
    """Outlines, statistical codes of five digits and Korean names, in one order."""

    shapes: NDArray[np.object_]
    codes: tuple[str, ...]
    names: tuple[str, ...]

    def holding(self, latitude: Floats, longitude: Floats) -> NDArray[np.intp]:
        """(n,) place of the municipality that holds each point, the first where borders meet; -1 without one."""
        owner = np.full(len(latitude), -1, np.intp)
        # the tree over the points: a prepared outline is tried against all the points in its box at once
        shape, point = shapely.STRtree(shapely.points(longitude, latitude)).query(self.shapes, predicate="intersects")
        order = np.argsort(-shape, kind="stable")
        owner[point[order]] = shape[order]
        return owner


def municipalities() -> Municipalities:
    """Read from the map layers of the sample."""
    (path,) = sorted(terrain.MAP.glob("municipalities*.geojson"))
    text = path.read_text("utf-8")
    told = [feature["properties"] for feature in json.loads(text)["features"]]
    shapes = shapely.get_parts(shapely.from_geojson(text))
    return Municipalities(shapes, tuple(row["code"] for row in told), tuple(row["name"] for row in told))
