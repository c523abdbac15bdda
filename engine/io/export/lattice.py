"""Places of the cells of a run: a lattice with two axes, or a list of points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core.common_step import common_step
from engine.core.grid import TURN, from_the_west

#: a lattice that its cells fill more thinly is a list of places
_THINNEST = 0.001
_DIGITS = 6


class Lattice(NamedTuple):
    """The part of a lattice that holds the cells.

    latitude, longitude : (n_lat,), (n_lon,) middles of rows and columns, ascending; longitudes go beyond 180 across the
                          date line
    step                : degrees
    row, column         : (cells,) of each cell, in the order of the cells
    """

    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    step: float
    row: NDArray[np.intp]
    column: NDArray[np.intp]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Outer edges: west, south, east, north, degrees."""
        half = self.step / 2
        return (
            round(float(self.longitude[0]) - half, 9),
            round(float(self.latitude[0]) - half, 9),
            round(float(self.longitude[-1]) + half, 9),
            round(float(self.latitude[-1]) + half, 9),
        )

    def spread(self, values: NDArray[np.generic], fill: object) -> NDArray[np.generic]:
        """(n_lat, n_lon) of values in the order of the cells; `fill` where no cell is."""
        whole = np.full((len(self.latitude), len(self.longitude)), fill, values.dtype)
        whole[self.row, self.column] = values
        return whole


def lattice_of(cells: pl.DataFrame, *, apart: bool) -> Lattice | None:
    """The lattice of cells; None for places of a list, such as stations, and for cells that lie on none.

    cells : grid_id, latitude, longitude
    apart : as of the run's summary
    """
    if apart or cells.height < 2:
        return None
    latitude = np.unique(np.round(cells["latitude"].to_numpy(), _DIGITS))
    longitude = from_the_west(np.unique(np.round(cells["longitude"].to_numpy(), _DIGITS)))
    step = common_step([latitude, longitude])
    if step is None:
        return None
    axes = [_axis(each, step) for each in (latitude, longitude)]
    if cells.height < _THINNEST * len(axes[0]) * len(axes[1]):
        return None
    east = cells["longitude"].to_numpy()
    east = np.where(east < longitude[0] - step / 2, east + TURN, east)
    row = np.rint((cells["latitude"].to_numpy() - latitude[0]) / step).astype(np.intp)
    return Lattice(axes[0], axes[1], step, row, np.rint((east - longitude[0]) / step).astype(np.intp))


def _axis(points: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    count = round((points[-1] - points[0]) / step) + 1
    return np.asarray(np.round(points[0] + np.arange(count) * step, _DIGITS))
