"""The real ground under the sample, of any point: height above the sea, and whether it is land."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAP = Path(__file__).with_name("data") / "map"

Floats = NDArray[np.float64]


def altitude(latitude: Floats, longitude: Floats) -> Floats:
    """Metres above the sea, between the points of a coarse terrain model; the sea counts as 0."""
    with np.load(MAP / "altitude.npz") as stored:
        height, lat, lon = np.nan_to_num(stored["elevation_m"]), stored["lat"], stored["lon"]
    row = (latitude - lat[0]) / (lat[1] - lat[0])
    column = (longitude - lon[0]) / (lon[1] - lon[0])
    i = np.clip(row.astype(np.intp), 0, len(lat) - 2)
    j = np.clip(column.astype(np.intp), 0, len(lon) - 2)
    u, v = row - i, column - j
    south = (1 - v) * height[i, j] + v * height[i, j + 1]
    north = (1 - v) * height[i + 1, j] + v * height[i + 1, j + 1]
    return np.asarray(np.maximum((1 - u) * south + u * north, 0.0), float)


def on_land(latitude: Floats, longitude: Floats) -> NDArray[np.bool_]:
    """Points whose nearest pixel of the land mask is land."""
    with np.load(MAP / "land_mask.npz") as stored:
        land, lat, lon = stored["land"], stored["lat"], stored["lon"]
    rows = np.rint((latitude - lat[0]) / (lat[1] - lat[0])).astype(np.intp)
    columns = np.rint((longitude - lon[0]) / (lon[1] - lon[0])).astype(np.intp)
    return np.asarray(land[rows, columns], np.bool_)
