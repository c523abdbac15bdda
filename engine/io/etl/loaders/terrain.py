"""Slope and wetness of the cells: points of many rasters on one common raster, and what its neighbours say.

Slope: Horn (1981), doi:10.1109/PROC.1981.11918. Wetness index ln(a / tan slope), a the upslope area per metre of
contour: Beven and Kirkby (1979), doi:10.1080/02626667909491834; flow directions by pyflwdir, depressions filled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyproj
from numpy.typing import NDArray

from engine.core.errors import needs
from engine.core.grid import GridDefinition
from engine.core.quality import WARNING, Finding
from engine.io.etl.loaders import xyz
from engine.io.etl.loading import Progress

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

#: a coarser model flattens the slopes of Korea's hills to half or less, so it gives none
MAX_SPACING_M = 150.0
#: nodes of the common raster: South Korea at 90 m has 45 million, which take 2 GB
MAX_NODES = 80_000_000
#: tan of the gentlest slope in the wetness index: flat ground would be infinitely wet
FLATTEST = 0.001
_NODATA = -9999.0
_ROWS = 256
_TABLE = "grid_attributes"


@dataclass(slots=True)
class Outline:
    """Extent and spacing of one file's raster, gathered block by block."""

    west: float = math.inf
    south: float = math.inf
    east: float = -math.inf
    north: float = -math.inf
    spacing: float = math.inf

    def add(self, x: Floats, y: Floats) -> None:
        """Take (n,) points in."""
        if not len(x):
            return
        self.west, self.east = min(self.west, float(x.min())), max(self.east, float(x.max()))
        self.south, self.north = min(self.south, float(y.min())), max(self.north, float(y.max()))
        for values in (x, y):
            steps = np.diff(np.unique(np.round(values, 1)))
            if len(steps):
                self.spacing = min(self.spacing, round(float(steps.min()), 1))


def of_cells(
    points: Sequence[xyz.Points], outlines: Sequence[Outline], crs: pyproj.CRS, grid: GridDefinition, progress: Progress
) -> tuple[pl.DataFrame, Finding | None]:
    """`grid_id`, `slope_mean_deg`, `wetness_index` of every cell with a slope, and why there are none.

    points, outlines : of the same files
    """
    schema = {"grid_id": pl.Int32, "slope_mean_deg": pl.Float64, "wetness_index": pl.Float64}
    spacing = min(outline.spacing for outline in outlines)
    uneven = max(outline.spacing for outline in outlines) > 1.5 * spacing
    if spacing > MAX_SPACING_M or uneven or not crs.is_projected:
        message = (
            f"no slope and no wetness: points {spacing:g} m apart{' and unevenly' if uneven else ''}, wanted is one"
            f" raster of at most {MAX_SPACING_M:g} m in a projected CRS"
        )
        return pl.DataFrame(schema=schema), Finding(WARNING, _TABLE, message)
    west, south = min(o.west for o in outlines), min(o.south for o in outlines)
    columns = math.floor((max(o.east for o in outlines) - west) / spacing) + 1
    rows = math.floor((max(o.north for o in outlines) - south) / spacing) + 1
    if rows * columns > MAX_NODES:
        message = f"no slope and no wetness: {rows} x {columns} nodes are more than {MAX_NODES:,}; load regions apart"
        return pl.DataFrame(schema=schema), Finding(WARNING, _TABLE, message)
    raster = np.full((rows, columns), np.nan, np.float32)
    for number, (text, outline) in enumerate(zip(points, outlines, strict=True)):
        progress("terrain", number, len(points))
        _lay(raster, own_raster(text, outline), outline, west, south, spacing)
    tangent = slope_tangent(raster, spacing)
    wetness, finding = _wetness(raster, tangent, spacing)
    to_degrees = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    sums = np.zeros((4, grid.n_cells + 1))
    for first in range(0, rows, _ROWS):
        part = tangent[first : first + _ROWS]
        i, j = np.nonzero(~np.isnan(part))
        longitude, latitude = to_degrees.transform(west + j * spacing, south + (i + first) * spacing)
        ids = grid.locate(latitude, longitude)
        degrees, wet = np.degrees(np.arctan(part[i, j])), wetness[i + first, j]
        known = ~np.isnan(wet)
        for row, (of, weights) in enumerate(
            ((ids, None), (ids, degrees), (ids[known], None), (ids[known], wet[known]))
        ):
            sums[row] += np.bincount(of, weights, grid.n_cells + 1)
    held = np.flatnonzero(sums[0, 1:]) + 1
    mean = np.full(len(held), np.nan)
    np.divide(sums[3, held], sums[2, held], where=sums[2, held] > 0, out=mean)
    frame = pl.DataFrame([held, sums[1, held] / sums[0, held], mean], schema=schema)
    return frame.with_columns(pl.col("wetness_index").fill_nan(None)), finding


def own_raster(text: xyz.Points, outline: Outline) -> Float32:
    """(rows, columns) of one file on its own raster, rows northward; NaN where it has no point."""
    shape = [
        round((high - low) / outline.spacing) + 1
        for low, high in ((outline.south, outline.north), (outline.west, outline.east))
    ]
    raster = np.full(shape, np.nan, np.float32)
    for x, y, z in text.blocks():
        i, j = np.rint((y - outline.south) / outline.spacing), np.rint((x - outline.west) / outline.spacing)
        raster[i.astype(np.intp), j.astype(np.intp)] = z
    return raster


def _lay(raster: Float32, own: Float32, outline: Outline, west: float, south: float, spacing: float) -> None:
    """Fill the empty nodes of the common raster, in place, bilinearly between the file's own nodes.

    Beside a node without a point the others count alone, so that a file reaches as far as its points.
    """
    first_row, first_column = math.ceil((outline.south - south) / spacing), math.ceil((outline.west - west) / spacing)
    rows = np.arange(first_row, min(math.floor((outline.north - south) / spacing) + 1, raster.shape[0]))
    columns = np.arange(first_column, min(math.floor((outline.east - west) / spacing) + 1, raster.shape[1]))
    v = (south + rows * spacing - outline.south) / outline.spacing
    u = (west + columns * spacing - outline.west) / outline.spacing
    i, j = np.floor(v + 1e-9).astype(np.intp), np.floor(u + 1e-9).astype(np.intp)
    total, weight = np.zeros((len(rows), len(columns)), np.float32), np.zeros((len(rows), len(columns)), np.float32)
    for di, dv in ((0, 1 - (v - i)), (1, v - i)):
        for dj, du in ((0, 1 - (u - j)), (1, u - j)):
            near = own[np.minimum(i + di, own.shape[0] - 1)[:, None], np.minimum(j + dj, own.shape[1] - 1)]
            share = np.where(np.isnan(near), 0, np.outer(dv, du)).astype(np.float32)
            total += share * np.nan_to_num(near)
            weight += share
    target = raster[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) and len(columns) else raster[:0]
    filled = np.full_like(total, np.nan)
    np.divide(total, weight, where=weight > 0.25, out=filled)
    np.copyto(target, filled, where=np.isnan(target))


def slope_tangent(raster: Float32, spacing: float) -> Float32:
    """(rows, columns) tangent of the steepest slope by Horn's eight neighbours; NaN at the edge and beside a gap."""
    steep = np.full_like(raster, np.nan)
    if min(raster.shape) < 3:
        return steep
    north, middle, south = raster[2:], raster[1:-1], raster[:-2]
    east = (north[:, 2:] + 2 * middle[:, 2:] + south[:, 2:]) - (north[:, :-2] + 2 * middle[:, :-2] + south[:, :-2])
    up = (north[:, :-2] + 2 * north[:, 1:-1] + north[:, 2:]) - (south[:, :-2] + 2 * south[:, 1:-1] + south[:, 2:])
    steep[1:-1, 1:-1] = np.hypot(east, up) / (8 * spacing)
    steep[np.isnan(raster)] = np.nan
    return steep


def _wetness(raster: Float32, tangent: Float32, spacing: float) -> tuple[Float32, Finding | None]:
    try:
        import pyflwdir
        from affine import Affine
    except ImportError:
        finding = Finding(WARNING, _TABLE, f"no wetness index, which {needs('geo')}")
        return np.full_like(raster, np.nan), finding
    northward = np.where(np.isnan(raster), np.float32(_NODATA), raster)[::-1]
    flow = pyflwdir.from_dem(
        np.ascontiguousarray(northward), nodata=_NODATA, transform=Affine(spacing, 0, 0, 0, -spacing, 0), latlon=False
    )
    area = flow.upstream_area("m2")[::-1]
    wet = np.log(np.maximum(area, spacing**2) / spacing / np.maximum(tangent, FLATTEST))
    return np.where(np.isnan(tangent), np.float32(np.nan), wet).astype(np.float32), None
