"""The lattice: cell number <-> indices <-> coordinates. Indices are compared, never float degrees."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.core.errors import SchemaError
from engine.core.period import Years

BANDS = 16
TURN = 360.0


@dataclass(frozen=True, slots=True)
class GridDefinition:
    """A regular latitude-longitude lattice and the time axis of its climate tables.

    lat0, lon0 : centre of the south-west cell, degrees; lon0 in -180..180
    n_lat, n_lon : points northward and eastward, across the date line where it comes to that, once round at most
    step : degrees
    first_year, last_year : both included

    `grid_id = lat_idx * n_lon + lon_idx + 1`, so ids are computed and survive every reload.
    """

    lat0: float
    lon0: float
    n_lat: int
    n_lon: int
    step: float
    first_year: int
    last_year: int

    def __post_init__(self) -> None:
        if not (self.step > 0 and self.n_lat > 0 and self.n_lon > 0 and self.first_year <= self.last_year):
            raise SchemaError(f"not a lattice: {self}")
        if self.n_lat * self.n_lon > np.iinfo(np.int32).max:
            raise SchemaError(f"{self.n_lat} x {self.n_lon} cells do not fit a 32-bit grid_id")
        if not -180.0 <= self.lon0 <= 180.0:
            raise SchemaError(
                f"lon0 = {self.lon0:g} of a lattice lies outside -180..180:"
                f" the same meridian is {(self.lon0 + 180.0) % 360.0 - 180.0:g}"
            )
        if self.n_lon * self.step > TURN + self.step / 2:  # half: a step such as 0.666667 is rounded
            raise SchemaError(
                f"{self.n_lon} columns of {self.step:g} degree go more than once round the Earth: the meridian"
                f" {self.lon0:g} is twice among them, leave one out"
            )

    @property
    def axis(self) -> Years:
        """The years every climate table covers."""
        return Years(self.first_year, self.last_year)

    @property
    def n_cells(self) -> int:
        """Points of the lattice, sea included."""
        return self.n_lat * self.n_lon

    @property
    def latitudes(self) -> NDArray[np.float64]:
        """(n_lat,) northward, rounded to the 6 digits that the tables keep."""
        return np.round(self.lat0 + np.arange(self.n_lat) * self.step, 6)

    @property
    def longitudes(self) -> NDArray[np.float64]:
        """(n_lon,) from the west, 6 digits, in -180..180 as everywhere: they do not ascend across the date line."""
        east = self.meridians
        return np.where(east > 180.0, np.round(east - TURN, 6), east)

    @property
    def meridians(self) -> NDArray[np.float64]:
        """(n_lon,) `longitudes` that ascend, beyond 180 across the date line: axes of files, edges of pictures."""
        return np.round(self.lon0 + np.arange(self.n_lon) * self.step, 6)

    def grid_id(self, lat_idx: ArrayLike, lon_idx: ArrayLike) -> NDArray[np.int32]:
        """Cell numbers of index pairs; the caller has checked the range."""
        rows, columns = np.asarray(lat_idx, np.int64), np.asarray(lon_idx, np.int64)
        return (rows * self.n_lon + columns + 1).astype(np.int32)

    def indices(self, grid_id: ArrayLike) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """(lat_idx, lon_idx) of cell numbers; refuses a number outside the grid."""
        ids = np.asarray(grid_id, np.int64)
        if outside := int(((ids < 1) | (ids > self.n_cells)).sum()):
            raise SchemaError(f"{outside} grid_id outside 1..{self.n_cells}")
        return ((ids - 1) // self.n_lon).astype(np.int16), ((ids - 1) % self.n_lon).astype(np.int16)

    def locate(self, latitude: ArrayLike, longitude: ArrayLike) -> NDArray[np.int32]:
        """Cell numbers of points; 0 where a point lies outside the grid, never the nearest edge cell. Longitudes may be
        a turn away from the lattice's: 359 is -1."""
        # 1e-9 of a step: a point exactly between two cells must not depend on the last bit of a division
        rows = np.floor((np.asarray(latitude, float) - self.lat0) / self.step + 0.5 + 1e-9)
        columns = np.floor((self.eastward(longitude) - self.lon0) / self.step + 0.5 + 1e-9)
        inside = (rows >= 0) & (rows < self.n_lat) & (columns >= 0) & (columns < self.n_lon)
        ids = np.where(inside, rows * self.n_lon + columns + 1, 0)
        return ids.astype(np.int32)

    def eastward(self, longitude: ArrayLike) -> NDArray[np.float64]:
        """The same meridians within one turn from the western edge of the lattice; one that is, to the last bit."""
        # half a step and a little before the first column: a point on that border must not go once round the Earth
        edge, degrees = self.lon0 - self.step * (0.5 + 1e-9), np.asarray(longitude, float)
        with np.errstate(invalid="ignore"):  # a place that a projection does not have is infinite: outside
            return np.asarray(degrees - TURN * np.floor((degrees - edge) / TURN))

    def inside(self, other: GridDefinition) -> bool:
        """Whether every centre of this lattice lies between the outer centres of another."""
        (south, north), (west, east) = (axis[[0, -1]] for axis in (other.latitudes, other.longitudes))
        return bool(
            south <= self.latitudes.min()
            and self.latitudes.max() <= north
            and west <= self.longitudes.min()
            and self.longitudes.max() <= east
        )

    def apart(self, grid_id: ArrayLike) -> bool:
        """Whether most of these cells have no other next to them: places of a list, as stations are, and no area."""
        rows, columns = (index.astype(np.int64) for index in self.indices(grid_id))
        width = self.n_lon + 2  # a column to either side, so that the ends of a row are not next to each other
        ids = rows * width + columns
        around = [north * width + east for north in (-1, 0, 1) for east in (-1, 0, 1) if (north, east) != (0, 0)]
        alone = ~np.any([np.isin(ids + step, ids) for step in around], axis=0)
        return 2 * int(alone.sum()) > len(ids)

    def bands(self) -> list[tuple[int, int]]:
        """At most 16 latitude bands as half-open ranges of grid_id: the partitions of every climate table."""
        size = math.ceil(self.n_lat / BANDS) * self.n_lon
        return [(lo, min(lo + size, self.n_cells + 1)) for lo in range(1, self.n_cells + 1, size)]


def from_the_west(longitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) longitudes of -180..180, ascending eastward from the widest gap between them: beyond 180 where it is not at
    the date line."""
    east = np.sort(longitude)
    gaps = np.diff(east)
    if len(gaps) and gaps.max() > east[0] + TURN - east[-1] + 1e-6:
        east = np.roll(east, -1 - int(gaps.argmax()))
        east = np.where(east < east[0], east + TURN, east)
    return east


#: South Korea, 1 km: the provider's lattice.
KOREA = GridDefinition(33.00, 124.50, 601, 751, 0.01, 2021, 2100)
