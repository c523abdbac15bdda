"""Annual mean sea level of one scenario at points of the ocean, and which points lie around a lattice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition

Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]
#: points this far outside the lattice are kept, degrees: the ocean of a coarse model begins far from the coast
REACH = 3.0
#: numbers that (j, i) of a point may have
_MOST = 32_767


@dataclass(frozen=True, slots=True)
class SeaLevel:
    """One scenario: points (j, i) and their annual means (years, j, i) in cm, NaN where masked or missing."""

    latitude: Floats
    longitude: Floats
    years: NDArray[np.int64]
    values: Float32
    scope: str
    unit: str
    note: str


def around(latitude: Floats, longitude: Floats, grid: GridDefinition | None, file: str) -> NDArray[np.bool_]:
    """Which points lie in the lattice or within REACH of it; of any shape; all without a lattice.

    raises : SchemaError where none does
    """
    if grid is None:
        return np.ones(latitude.shape, bool)
    south, north = float(grid.latitudes[0]) - REACH, float(grid.latitudes[-1]) + REACH
    west, width = float(grid.meridians[0]) - REACH, float(grid.meridians[-1] - grid.meridians[0]) + 2 * REACH
    near = (latitude >= south) & (latitude <= north) & ((longitude - west) % 360.0 <= width)
    if not near.any():
        raise SchemaError(
            f"{file}: none of its points lies within {REACH:g} degrees of the lattice ({south + REACH:g}.."
            f"{north - REACH:g} N, {west + REACH:g}..{west + width - REACH:g} E)"
        )
    return near


def refuse_too_many(points: int, file: str) -> None:
    """Refuse more points of a list than can be numbered."""
    if points > _MOST:
        raise SchemaError(
            f"{file}: {points:,} points are more than {_MOST:,}: load `grid` first, around whose lattice they are kept,"
            " or cut the file to the region"
        )
