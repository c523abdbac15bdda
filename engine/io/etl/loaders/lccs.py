"""Land cover as NetCDF: the yearly maps of ESA CCI and of the Copernicus Climate Change Service, `lccs_class`.

Their codes are those of the land-cover classification system of the United Nations (UN-LCCS), which the file spells out
itself, so that no legend has to be given. The grouping is the producers' own into the IPCC's land categories; of what
they call other land, shrubs count as grassland, thin and no vegetation, snow and ice as barren.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyproj
import xarray as xr
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.core.grid import TURN, GridDefinition
from engine.io.netcdf import cf, packing

VARIABLE = "lccs_class"
_STANDARD = "land_cover_lccs"
_WATER = "water"
#: the classes of a cell, in the order in which they are counted
CLASSES = ("urban", "agricultural", "forest", "grassland", "wetland", "barren", _WATER)
#: code -> (its name in the files, our class)
MEANINGS: dict[int, tuple[str, str]] = {
    10: ("cropland_rainfed", "agricultural"),
    11: ("cropland_rainfed_herbaceous_cover", "agricultural"),
    12: ("cropland_rainfed_tree_or_shrub_cover", "agricultural"),
    20: ("cropland_irrigated", "agricultural"),
    30: ("mosaic_cropland", "agricultural"),
    40: ("mosaic_natural_vegetation", "agricultural"),
    50: ("tree_broadleaved_evergreen_closed_to_open", "forest"),
    60: ("tree_broadleaved_deciduous_closed_to_open", "forest"),
    61: ("tree_broadleaved_deciduous_closed", "forest"),
    62: ("tree_broadleaved_deciduous_open", "forest"),
    70: ("tree_needleleaved_evergreen_closed_to_open", "forest"),
    71: ("tree_needleleaved_evergreen_closed", "forest"),
    72: ("tree_needleleaved_evergreen_open", "forest"),
    80: ("tree_needleleaved_deciduous_closed_to_open", "forest"),
    81: ("tree_needleleaved_deciduous_closed", "forest"),
    82: ("tree_needleleaved_deciduous_open", "forest"),
    90: ("tree_mixed", "forest"),
    100: ("mosaic_tree_and_shrub", "forest"),
    110: ("mosaic_herbaceous", "grassland"),
    120: ("shrubland", "grassland"),
    121: ("shrubland_evergreen", "grassland"),
    122: ("shrubland_deciduous", "grassland"),
    130: ("grassland", "grassland"),
    140: ("lichens_and_mosses", "barren"),
    150: ("sparse_vegetation", "barren"),
    151: ("sparse_tree", "barren"),
    152: ("sparse_shrub", "barren"),
    153: ("sparse_herbaceous", "barren"),
    160: ("tree_cover_flooded_fresh_or_brakish_water", "forest"),
    170: ("tree_cover_flooded_saline_water", "forest"),
    180: ("shrub_or_herbaceous_cover_flooded", "wetland"),
    190: ("urban", "urban"),
    200: ("bare_areas", "barren"),
    201: ("bare_areas_consolidated", "barren"),
    202: ("bare_areas_unconsolidated", "barren"),
    210: ("water", _WATER),
    220: ("snow_and_ice", "barren"),
}

#: codes whose meaning a file has to agree with where it spells it out
_TOLD = {10: "crop", 60: "tree", 190: "urban", 210: _WATER}
_SLAB = 16 << 20  # pixels read at a time


class LccsMap:
    """One open map on the part that a lattice covers; the rest of a map of the world is not read."""

    def __init__(self, data: xr.Dataset, path: Path, grid: GridDefinition) -> None:
        names = [str(key) for key, value in data.variables.items()
                 if str(key).lower() == VARIABLE or cf.text(value.attrs, "standard_name") == _STANDARD]  # fmt: skip
        if len(names) != 1:
            raise SchemaError(
                f"{path.name}: {len(names)} variables {VARIABLE}, expected 1; land cover of another kind is read from"
                " GeoTIFF with a legend.toml"
            )
        self.path, self.what = path, f"{path.name}: {names[0]}"
        self.crs = pyproj.CRS.from_epsg(4326)
        still = cf.still(data, names[0], path.name)
        _refuse_other_codes(still.variable, self.what)
        self.when = _when(data)
        self.scope = cf.text(data.attrs, "scope")
        self._variable, self._axes = still.variable, still.axes
        middle = grid.longitudes[0], grid.latitudes[0]
        inside = (
            grid.locate(still.latitude, np.full(len(still.latitude), middle[0])) > 0,
            grid.locate(np.full(len(still.longitude), middle[1]), still.longitude) > 0,
        )
        self.spans = [slice(*(np.flatnonzero(kept)[[0, -1]] + (0, 1))) if kept.any() else slice(0) for kept in inside]
        self.latitude, self.longitude = still.latitude[self.spans[0]], still.longitude[self.spans[1]]
        #: degrees northward and eastward from one row and column to the next
        self.steps = _step(still.latitude), _step(still.longitude)
        #: degrees of a pixel, the longer way
        self.pixel = max(map(abs, self.steps))
        self._class_of = np.full(256, -1, np.int8)
        for code, (_, name) in MEANINGS.items():
            self._class_of[code] = CLASSES.index(name)

    def pixels(self) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]]:
        """(n,) class, longitude and latitude of the pixels that have a class, some rows at a time."""
        rows, columns = len(self.latitude), len(self.longitude)
        step = max(1, _SLAB // max(columns, 1))
        for first in range(0, rows, step):
            classes = self._classes(slice(first, min(first + step, rows)))
            row, column = np.nonzero(classes >= 0)
            if len(row):
                kinds = classes[row, column].astype(np.intp)
                yield kinds, self.longitude[column], self.latitude[first + row]

    def outline(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees of what is read; west beyond east where the date line lies between."""
        if not (len(self.latitude) and len(self.longitude)):
            return 0.0, 0.0, 0.0, 0.0
        aside, up = (abs(step) / 2 for step in reversed(self.steps))
        west, east = (self.longitude[0], self.longitude[-1])[:: 1 if self.steps[1] > 0 else -1]
        south, north = self.latitude.min(), self.latitude.max()
        return float(west - aside), float(south - up), float(east + aside), float(north + up)

    def covers(self, longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n,) places where this map has a class."""
        held = np.zeros(len(longitude), bool)
        if not (len(self.latitude) and len(self.longitude)):
            return held
        north, east = self.steps
        i = np.rint((latitude - self.latitude[0]) / north).astype(np.intp)
        j = np.rint((np.sign(east) * (longitude - self.longitude[0]) + abs(east) / 2) % TURN / abs(east) - 0.5)
        j = j.astype(np.intp)
        inside = (i >= 0) & (i < len(self.latitude)) & (j >= 0) & (j < len(self.longitude))
        if inside.any():
            top = int(i[inside].min())
            held[inside] = self._classes(slice(top, int(i[inside].max()) + 1))[i[inside] - top, j[inside]] >= 0
        return held

    def _classes(self, rows: slice) -> NDArray[np.int8]:
        """(rows, columns) class, -1 where the map has none."""
        part: list[slice] = [slice(None)] * 2
        start = self.spans[0].start
        part[self._axes[0]] = slice(start + rows.start, start + rows.stop)
        part[self._axes[1]] = self.spans[1]
        values, missing = packing.unpacked(self._variable, tuple(part), self.what)
        if self._axes[0]:
            values, missing = values.T, missing.T
        missing |= values == 0
        codes = np.where(missing, 0, values).astype(np.int64)
        known = (codes >= 0) & (codes < len(self._class_of))
        classes = self._class_of[np.where(known, codes, 0)]
        if (odd := (classes < 0) & ~missing).any():
            raise SchemaError(
                f"{self.what} holds {int(codes[odd][0])} in {int(odd.sum())} pixels, which is no code of the LCCS"
            )
        return np.where(missing, np.int8(-1), classes)


def _step(along: NDArray[np.float64]) -> float:
    return float((along[1] - along[0] + TURN / 2) % TURN - TURN / 2) if len(along) > 1 else 1e-9


def _refuse_other_codes(variable: xr.Variable, what: str) -> None:
    values = [int(value) % 256 for value in np.ravel(variable.attrs.get("flag_values", []))]
    words = cf.text(variable.attrs, "flag_meanings").split()
    if len(words) != len(values):
        return
    for code, word in _TOLD.items():
        said = dict(zip(values, words, strict=True)).get(code, word)
        if word not in said.lower():
            raise SchemaError(f"{what}: code {code} means {said!r} there, expected {MEANINGS[code][0]!r}: not the LCCS")


def _when(data: xr.Dataset) -> str:
    """Year that the file states; "" without one."""
    time = data.variables.get("time")
    stated = cf.text(data.attrs, "time_coverage_start")
    if stated or time is None or time.size != 1:
        return stated
    return f"{time.to_numpy().ravel()[0]:g} {cf.text(time.attrs, 'units')}"


def refuse_several_years(maps: Sequence[LccsMap]) -> None:
    """Maps of one year may lie beside each other; of two years the older one would count unseen."""
    told = {one.when: one.path.name for one in maps if one.when}
    if len(told) > 1:
        named = ", ".join(f"{name} ({when})" for when, name in sorted(told.items()))
        raise SchemaError(f"land cover of {len(told)} different times: {named}; leave one of them")
