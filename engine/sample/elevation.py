"""Elevations of the sample as points in the provider's text layout, so that they come in through the same loader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyproj
from numpy.typing import NDArray

from engine.core.grid import GridDefinition

Floats = NDArray[np.float64]

CRS = "EPSG:5186"
#: spacing of the points for a step of one degree: about a hundred in a cell, whatever the lattice
METRES_PER_DEGREE = 10_000.0


def write(
    path: Path,
    grid: GridDefinition,
    grid_id: NDArray[np.int32],
    altitude: Callable[[Floats, Floats], Floats],
    on_land: Callable[[Floats, Floats], NDArray[np.bool_]],
) -> None:
    """`x y z` a line, metres, blank separated, column by column southward, without a header.

    grid_id  : the cells to cover
    altitude : of (n,) latitudes and longitudes, m above the sea
    on_land  : the same places; the sea has no points
    """
    spacing = METRES_PER_DEGREE * grid.step
    plane = pyproj.Transformer.from_crs(CRS, "OGC:CRS84", always_xy=True)
    rows, columns = grid.indices(grid_id)
    (left, right), (bottom, top) = (
        (degrees[index.min()] - grid.step, degrees[index.max()] + grid.step)
        for degrees, index in ((grid.longitudes, columns), (grid.latitudes, rows))
    )
    inverse = pyproj.enums.TransformDirection.INVERSE
    west, south, east, north = plane.transform_bounds(left, bottom, right, top, direction=inverse)
    x, y = np.arange(west, east, spacing), np.arange(north, south, -spacing)
    x, y = np.repeat(x, len(y)), np.tile(y, len(x))
    longitude, latitude = plane.transform(x, y)
    wanted = np.isin(grid.locate(latitude, longitude), grid_id)
    wanted[wanted] = on_land(latitude[wanted], longitude[wanted])
    z = altitude(latitude[wanted], longitude[wanted])
    path.parent.mkdir(parents=True, exist_ok=True)
    points = pl.DataFrame({"x": x[wanted], "y": y[wanted], "z": z})
    points.write_csv(path, separator=" ", include_header=False, float_precision=2)
