"""Sheets of a classified raster: the class of every pixel by a legend, and where the pixel lies."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray

from engine.core.errors import SchemaError, needs
from engine.core.grid import TURN, GridDefinition
from engine.io.etl.loaders import lccs
from engine.io.etl.places import crs_of, to_degrees
from engine.io.files.reading import reading
from engine.io.netcdf import lattice_files

#: of a pixel that is masked or that the file leaves out
NO_CLASS = 255
NETCDF = (".nc", ".nc4", ".nc.gz")
_ROWS = 512
_WIDEST = 4_000_000  # pixels; half the Earth's circumference at 5 m
_WHOLE = ("uint8", "int8", "uint16", "int16", "int32", "uint32")
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]


class Sheet:
    """One open raster: its classes by legend, and the plane it lies in. What the file masks, in whichever of the ways
    that GeoTIFF has (a nodata value, a mask, an alpha band), has no class."""

    def __init__(self, source: Any, path: Path, legend: Mapping[int, int], crs: str | None) -> None:
        with reading(path):
            bands = [index for index in source.indexes if source.colorinterp[index - 1].name != "alpha"]
            own = source.crs.to_wkt() if source.crs else None
        if len(bands) != 1 or source.dtypes[bands[0] - 1] not in _WHOLE:
            raise SchemaError(f"{path.name}: {source.count} bands of {source.dtypes[0]}, expected one of whole numbers")
        _refuse_unplaced(source, path)
        self.source, self.path, self.legend, self.band = source, path, legend, bands[0]
        self.crs = crs_of(path, crs, own)
        self.degrees = to_degrees(self.crs, path.name)
        #: once round the Earth along x; 0 where x is a length
        self.turn = 2 * np.pi / self.crs.axis_info[0].unit_conversion_factor if self.crs.is_geographic else 0.0

    def pixels(self) -> Iterator[tuple[NDArray[np.intp], Floats, Floats]]:
        """(n,) class, longitude and latitude of the pixels that have a class, some rows at a time."""
        columns = np.arange(self.source.width) + 0.5
        for first in range(0, self.source.height, _ROWS):
            rows = min(_ROWS, self.source.height - first)
            classes = self._classes(first, rows)
            held = classes != NO_CLASS
            if held.any():
                x, y = self._plane(columns, np.arange(first, first + rows)[:, None] + 0.5)
                longitude, latitude = self.degrees.transform(x[held], y[held])
                yield classes[held].astype(np.intp), np.asarray(longitude), np.asarray(latitude)

    @property
    def pixel(self) -> float:
        """Degrees of a pixel, the longer way."""
        west, south, east, north = self.outline()
        return float(max((east - west) % TURN / self.source.width, (north - south) / self.source.height))

    def _plane(self, column: Floats, row: Floats) -> tuple[Floats, Floats]:
        """x, y of places counted in pixels."""
        a, b, c, d, e, f = self.source.transform[:6]
        return a * column + b * row + c, d * column + e * row + f

    def outline(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        x, y = self._plane(np.array([0.0, self.source.width] * 2), np.repeat([0.0, self.source.height], 2))
        with reading(self.path):
            west, south, east, north = self.degrees.transform_bounds(x.min(), y.min(), x.max(), y.max())
        return west, south, east, north

    def _classes(self, first: int, rows: int) -> Bytes:
        from rasterio.windows import Window

        window = Window(0, first, self.source.width, rows)
        with reading(self.path):
            values = self.source.read(self.band, window=window)
            masked = self.source.read_masks(self.band, window=window) == 0
        classes = np.full(values.shape, NO_CLASS, np.uint8)
        for value, index in self.legend.items():
            classes[values == value] = index
        classes[masked] = NO_CLASS
        # a file that names no value for "nothing" means 0
        unknown = (classes == NO_CLASS) & ~masked & ((values != 0) | (self.source.nodata is not None))
        if unknown.any():
            value = int(values[unknown][0])
            raise SchemaError(f"{self.path.name}: value {value} in {int(unknown.sum())} pixels is not in the legend")
        return classes

    def covers(self, longitude: Floats, latitude: Floats) -> NDArray[np.bool_]:
        """(n,) places where this sheet has a class."""
        x, y = self.degrees.transform(longitude, latitude, direction=pyproj.enums.TransformDirection.INVERSE)
        a, b, c, d, e, f = self.source.transform[:6]
        if self.turn:  # the same meridian in the sheet's own way of counting them
            west = c + min(a * self.source.width, 0.0) + min(b * self.source.height, 0.0)
            with np.errstate(invalid="ignore"):
                x = np.asarray(x) - self.turn * np.floor((np.asarray(x) - west) / self.turn)
        x, y, area = np.asarray(x) - c, np.asarray(y) - f, a * e - b * d
        column, row = (e * x - b * y) / area, (a * y - d * x) / area
        inside = (column >= 0) & (column < self.source.width) & (row >= 0) & (row < self.source.height)
        held = np.zeros(len(longitude), bool)
        if inside.any():
            i, j = row[inside].astype(np.intp), column[inside].astype(np.intp)
            top = int(i.min())
            held[inside] = self._classes(top, int(i.max()) - top + 1)[i - top, j] != NO_CLASS
        return held


def _refuse_unplaced(source: Any, path: Path) -> None:
    a, b, c, d, e, f = source.transform[:6]
    if source.transform.is_identity:
        raise SchemaError(
            f"{path.name} does not say where its pixels lie: it has no transform and no world file beside it;"
            " georeference it"
        )
    if not (np.isfinite((a, b, c, d, e, f)).all() and a * e != b * d):
        raise SchemaError(f"{path.name} is broken: its transform {(a, b, c, d, e, f)} places no pixel")
    if source.width > _WIDEST:
        raise SchemaError(f"{path.name}: {source.width} x {source.height} pixels; cut it into sheets")


class Sheets:
    """All sheets, opened until the stack closes, and the outline of each in degrees.

    legend : of the GeoTIFF sheets; maps in NetCDF bring their own
    """

    def __init__(
        self,
        stack: ExitStack,
        paths: Sequence[Path],
        legend: Mapping[int, int],
        grid: GridDefinition,
        crs: str | None,
    ) -> None:
        self.maps = [
            lccs.LccsMap(stack.enter_context(lattice_files.dataset(path)), path, grid)
            for path in paths
            if is_netcdf(path)
        ]
        lccs.refuse_several_years(self.maps)
        of_netcdf = iter(self.maps)
        self.sheets: list[Sheet | lccs.LccsMap] = [
            next(of_netcdf) if is_netcdf(path) else Sheet(_opened(stack, path), path, legend, crs) for path in paths
        ]
        self.outlines = [sheet.outline() for sheet in self.sheets]

    @property
    def pixel(self) -> float:
        """Degrees of the largest pixel."""
        return max(sheet.pixel for sheet in self.sheets)

    def earlier_over(
        self, number: int, west: float, south: float, east: float, north: float
    ) -> Iterator[Sheet | lccs.LccsMap]:
        """Sheets before one that may lie over a window."""
        for sheet, (left, bottom, right, top) in zip(self.sheets[:number], self.outlines[:number], strict=True):
            wide = right - left if left <= right else right - left + TURN  # PROJ: west beyond east is the date line
            beside = (left - west) % TURN <= east - west or (west - left) % TURN <= wide
            if (beside or (left <= east and west <= right)) and bottom <= north and south <= top:
                yield sheet


def is_netcdf(path: Path) -> bool:
    """By the ending of the name."""
    return path.name.lower().endswith(NETCDF)


def _opened(stack: ExitStack, path: Path) -> Any:
    try:
        import rasterio
    except ImportError:
        raise SchemaError(f"{path.name}: GeoTIFF {needs('geo')}") from None
    with reading(path), warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)  # refused in our words
        return stack.enter_context(rasterio.open(path))
