"""Cell of a place: its own, or the nearest one with results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.core.grid import GridDefinition
from engine.core.sphere import EARTH_RADIUS_M, SAME_M, great_circle

Floats = NDArray[np.float64]
Cells = NDArray[np.int32]
#: (k,) distinct cells -> (k,) which of them have results
HasResults = Callable[[Cells], NDArray[np.bool_]]
#: places at a time, and columns of cells that are looked at to either side at most (close to a pole a cell is narrow)
_PART, _ASIDE = 50_000, 40


@dataclass(frozen=True, slots=True)
class Chosen:
    """Of (P,) places.

    grid_id : the cell; 0: no cell with results within reach
    nearest : True where it is not the cell that the place lies in
    metres  : from the place to the cell's centre; NaN without a cell
    """

    grid_id: Cells
    nearest: NDArray[np.bool_]
    metres: Floats


def choose(latitude: ArrayLike, longitude: ArrayLike, grid: GridDefinition, has_results: HasResults | None) -> Chosen:
    """The cell of each place: the one it lies in when that has results, else the nearest that has, up to the diagonal
    of a cell away, so that a place on the shore is not lost because its cell is sea.

    latitude, longitude : (P,) degrees
    has_results : asked twice at most, for the places' own cells and for the cells around those without; None: no
                  results are read, the cell of a place is its own
    """
    lat, lon = np.atleast_1d(np.asarray(latitude, float)), np.atleast_1d(np.asarray(longitude, float))
    own = grid.locate(lat, lon)
    ids = own
    if has_results is not None:
        ids = np.where(np.isin(own, _with_results(own[own > 0], has_results)), own, 0)
        left = np.flatnonzero(ids == 0)
        ids[left] = _nearest(lat[left], lon[left], grid, has_results)
    metres, there = np.full(len(lat), np.nan), ids > 0
    rows, columns = grid.indices(ids[there])
    metres[there] = great_circle(lat[there], lon[there], grid.latitudes[rows], grid.longitudes[columns])
    return Chosen(ids, there & (ids != own), metres)


def reach(latitude: ArrayLike, grid: GridDefinition) -> Floats:
    """Metres within which a place takes the nearest cell with results: the diagonal of a cell at its latitude."""
    return np.asarray(np.radians(grid.step) * EARTH_RADIUS_M * np.hypot(1.0, _narrow(latitude)))


def _narrow(latitude: ArrayLike) -> Floats:
    """A degree of longitude over one of latitude; a little above 0 at the poles."""
    return np.asarray(np.maximum(np.cos(np.radians(latitude)), 1e-6))


def _nearest(lat: Floats, lon: Floats, grid: GridDefinition, has_results: HasResults) -> Cells:
    """Cell with results that is nearest to each place, 0 for none within reach; of cells equally far, to within
    `SAME_M`, the lowest number."""
    parts = [slice(start, start + _PART) for start in range(0, len(lat), _PART)]
    around = [_around(lat[part], lon[part], grid) for part in parts]
    if not around:
        return np.empty(0, np.int32)
    known = _with_results(np.concatenate([cells[cells > 0] for cells, _ in around]), has_results)
    found = []
    for cells, metres in around:
        order = np.where(np.isin(cells, known), metres, np.inf)
        least = order.min(axis=1, keepdims=True)
        lowest = np.where(order <= least + SAME_M, cells, np.iinfo(np.int32).max).min(axis=1)
        found.append(np.where(np.isfinite(least[:, 0]), lowest, 0))
    return np.concatenate(found).astype(np.int32)


def _with_results(cells: Cells, has_results: HasResults) -> Cells:
    distinct = np.unique(cells)
    return distinct[has_results(distinct)] if len(distinct) else distinct


def _around(lat: Floats, lon: Floats, grid: GridDefinition) -> tuple[Cells, Floats]:
    """(P, K) cells whose centres may be within reach of each place, 0 for none there, and metres to them, infinite
    beyond the diagonal of a cell at the place's latitude."""
    narrow, limit = _narrow(lat), reach(lat, grid)
    aside = int(min(np.floor(0.5 + np.hypot(1.0, 1 / narrow).max()), _ASIDE))
    north, east = np.meshgrid(np.arange(-1, 2), np.arange(-aside, aside + 1), indexing="ij")
    # a place a whole number of steps aside lies as far aside in its cell, so the lattice itself says which cell that is
    cells = grid.locate(lat[:, None] + north.ravel() * grid.step, lon[:, None] + east.ravel() * grid.step)
    rows, columns = np.divmod(np.maximum(cells, 1) - 1, grid.n_lon)
    metres = great_circle(lat[:, None], lon[:, None], grid.lat0 + rows * grid.step, grid.lon0 + columns * grid.step)
    held = (cells > 0) & (metres <= limit[:, None])
    return np.where(held, cells, np.int32(0)), np.where(held, metres, np.inf)
