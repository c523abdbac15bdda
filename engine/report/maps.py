"""Maps of the report: one picture a layer, a pixel a cell, with coast and provinces drawn over it and a legend."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import polars as pl
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from engine.core.common_step import common_step
from engine.core.grid import TURN, GridDefinition, from_the_west
from engine.maps import picture
from engine.maps.picture import DIVERGING, NO_VALUE, SCALES, Scale

Lines = Sequence[Sequence[Sequence[float]]]
#: a class of its own: not reached by the hazard is another thing than the lowest loss
NOT_EXPOSED = "#e4e9ee"
_WIDTH = 1000.0
_CLASSES = 7
#: shares of the extent: of an area, and of points, which stand clear of the frame
_MARGIN, _MARGIN_APART = 0.02, 0.08
#: a step found from the cells that needs more is no lattice: places at random
_PIXELS = 30_000_000


@dataclass(frozen=True, slots=True)
class LegendRow:
    """One class. share: of the cells that have a row."""

    colour: str
    label: str
    share: float


@dataclass(frozen=True, slots=True)
class Map:
    """A layer ready to be shown.

    png    : data URI
    points : x, y in the units of the drawing and the colour of each cell, where cells are shown as points; else empty
    """

    png: str
    unit: str
    legend: tuple[LegendRow, ...]
    points: tuple[tuple[float, float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of the lattice that holds the results, and a margin of empty cells.

    west, north : outer edge of the north-western cell, degrees; step: degrees
    stated      : False where the step was found from the cells alone: those of the run may be smaller
    apart       : the cells are places of a list, such as stations, and no area: drawn as points
    """

    west: float
    north: float
    step: float
    n_lat: int
    n_lon: int
    stated: bool = True
    apart: bool = False

    @property
    def width(self) -> float:
        """Of the drawing, in its own units."""
        return _WIDTH

    @property
    def height(self) -> float:
        """A degree of longitude is as much shorter as the middle latitude says."""
        south = self.north - self.n_lat * self.step
        stretch = math.cos(math.radians((self.north + south) / 2))
        return round(_WIDTH * self.n_lat / (self.n_lon * stretch), 1)

    @property
    def east(self) -> float:
        """Outer edge of the easternmost cells, degrees: beyond 180 across the date line."""
        return self.west + self.n_lon * self.step

    @property
    def _turns(self) -> tuple[float, ...]:
        """By how much lines in -180..180 lie within the frame: once more where it crosses the date line."""
        return (0.0, *([TURN] if self.east > 180.0 else []), *([-TURN] if self.west < -180.0 else []))

    def beside(self, longitude: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same meridians within half a turn of the middle of the frame."""
        return longitude + TURN * np.rint(((self.west + self.east) / 2 - longitude) / TURN)

    def path(self, lines: Lines) -> str:
        """Lines of [longitude, latitude] as an SVG path in the units of the drawing; without those that lie outside."""
        east, south = self.east, self.north - self.n_lat * self.step
        parts = []
        for line, turn in product(lines, self._turns):
            xy = np.asarray(line) + np.array([turn, 0.0])
            if (
                xy[:, 0].max() < self.west
                or xy[:, 0].min() > east
                or xy[:, 1].max() < south
                or xy[:, 1].min() > self.north
            ):
                continue
            x = (xy[:, 0] - self.west) / (self.n_lon * self.step) * self.width
            y = (self.north - xy[:, 1]) / (self.n_lat * self.step) * self.height
            parts.append("M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)))
        return "".join(parts)


def frame_of(cells: pl.DataFrame, lattice: GridDefinition | None = None, *, apart: bool = False) -> Frame | None:
    """The part of the lattice that holds these cells; None when they are too few to show one, or lie on none.

    cells   : columns grid_id, latitude, longitude
    lattice : of the warehouse; counts where every cell is one of its own. Else the greatest step that all cells lie on
    apart   : as of the run's summary
    """
    axes = [np.unique(np.round(cells[name].to_numpy(), 6)) for name in ("latitude", "longitude")]
    axes[1] = from_the_west(axes[1])
    stated = lattice is not None and _holds(lattice, cells)
    step = lattice.step if lattice is not None and stated else common_step(axes)
    if step is None or all(len(axis) == 1 for axis in axes):
        return None
    n_lat, n_lon = (round((axis[-1] - axis[0]) / step) + 1 for axis in axes)
    if not stated and n_lat * n_lon > _PIXELS:
        return None
    margin = 1 + round((_MARGIN_APART if apart else _MARGIN) * max(n_lat, n_lon))
    edge = (margin + 0.5) * step
    return Frame(axes[1][0] - edge, axes[0][-1] + edge, step, n_lat + 2 * margin, n_lon + 2 * margin, stated, apart)


def _holds(lattice: GridDefinition, cells: pl.DataFrame) -> bool:
    """Check whether every cell has the number that the lattice gives its place: another warehouse's does not count."""
    latitude, longitude = (cells[name].to_numpy() for name in ("latitude", "longitude"))
    return np.array_equal(lattice.locate(latitude, longitude), cells["grid_id"].to_numpy())


def draw(
    frame: Frame,
    cells: pl.DataFrame,
    values: NDArray[np.float32],
    scale: Scale,
    unsure: NDArray[np.bool_] | None = None,
) -> Map:
    """A layer of values.

    cells  : columns latitude, longitude, in the order of the values; NaN is grey
    unsure : of these cells, those that get lines across
    """
    rows = np.rint((frame.north - cells["latitude"].to_numpy()) / frame.step - 0.5).astype(int)
    columns = np.rint((frame.beside(cells["longitude"].to_numpy()) - frame.west) / frame.step - 0.5).astype(int)
    classes = picture.classify(values, scale)
    places = np.zeros((frame.n_lat, frame.n_lon), np.uint8)
    places[frame.n_lat - 1 - rows, columns] = classes
    if unsure is not None:
        lines = np.zeros(places.shape, np.bool_)
        lines[frame.n_lat - 1 - rows, columns] = unsure
        places = picture.hatched(places, lines, scale)
    png = base64.b64encode(picture.paint(places, scale)).decode()
    counts = np.bincount(classes, minlength=len(scale.labels) + 2) / max(len(classes), 1)
    legend = [
        LegendRow(colour, label, float(share))
        for colour, label, share in zip(scale.colours, scale.labels, counts[2:], strict=True)
    ]
    if counts[1]:
        legend.append(LegendRow(NO_VALUE, "no result", float(counts[1])))
    painted = ("", NO_VALUE, *scale.colours)
    points = _points(frame, rows, columns, [painted[each] for each in classes]) if frame.apart else ()
    return Map(f"data:image/png;base64,{png}", scale.unit, tuple(legend), points)


def _points(
    frame: Frame, rows: NDArray[np.int64], columns: NDArray[np.int64], colours: Sequence[str]
) -> tuple[tuple[float, float, str], ...]:
    x = ((columns + 0.5) / frame.n_lon * frame.width).round(1).tolist()
    y = ((rows + 0.5) / frame.n_lat * frame.height).round(1).tolist()
    return tuple(zip(x, y, colours, strict=True))


def own_scale(values: NDArray[np.float32], exposed: NDArray[np.bool_]) -> Scale:
    """Classes of an AAL for one risk alone: round limits over the middle 96 % of the exposed cells.

    values  : (cells,) ratio, NaN where unknown; shown as per cent
    exposed : (cells,) False where the hazard cannot reach: such cells have the value 0 and a class of their own
    """
    known = values[exposed & ~np.isnan(values)].astype(np.float64) * 100
    unit = SCALES["aal"].unit
    spared = not exposed.all()
    breaks: list[float] = []
    smallest = float(np.nextafter(np.float32(0), np.float32(1)))
    if known.size:
        low, high = np.quantile(known, [0.02, 0.98])
        if high > low:
            ticks = MaxNLocator(_CLASSES, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
            breaks = [tick for tick in ticks if known.min() < tick <= known.max() and tick / 100 > smallest]
    labels = _between([f"{value:.4g}" for value in breaks]) if breaks else [_single(known)]
    colours = Scale(unit, tuple(breaks), labels).colours
    if spared:
        return Scale(
            unit, (smallest, *(value / 100 for value in breaks)), ["not exposed: 0", *labels], (NOT_EXPOSED, *colours)
        )
    return Scale(unit, tuple(value / 100 for value in breaks), labels)


def _single(known: NDArray[np.float64]) -> str:
    return f"{np.median(known):.4g}" if known.size else "-"


def change_scale(differences: NDArray[np.float64], unit: str) -> Scale:
    """Seven classes around zero, less to more. differences: (cells,), finite, in the unit."""
    reach = float(np.quantile(np.abs(differences), 0.98)) if differences.size else 0.0
    step = float(MaxNLocator(3, steps=[1, 2, 2.5, 5, 10]).tick_values(0, reach or 1.0)[1])
    breaks = tuple(step * k for k in (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5))
    return Scale(unit, breaks, _between([f"{value:+.3g}" for value in breaks]), DIVERGING)


def _between(limits: list[str]) -> list[str]:
    return [f"below {limits[0]}", *(f"{low} to {high}" for low, high in pairwise(limits)), f"{limits[-1]} and more"]
