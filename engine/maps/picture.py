"""Values of a lattice as a picture: one pixel a cell, north up, classes of a colour-blind-safe palette."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: viridis from its light end, twelve steps: order survives every kind of colour blindness and grey print
PALETTE = (
    "#fde725",
    "#c2df23",
    "#86d549",
    "#52c569",
    "#2ab07f",
    "#1e9b8a",
    "#25858e",
    "#2d708e",
    "#38588c",
    "#433e85",
    "#482173",
    "#440154",
)
NO_VALUE = "#b8b8b8"
_TRANSPARENT, _GREY, _FIRST = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Scale:
    """Classes of a quantity. breaks: inner limits, ascending, a class holds its lower one; labels: one a class.

    own : colours, one a class, where steps of PALETTE are not wanted
    """

    unit: str
    breaks: tuple[float, ...]
    labels: Sequence[str]
    own: tuple[str, ...] = ()

    @property
    def colours(self) -> tuple[str, ...]:
        """One a class, the lowest first."""
        if self.own:
            return self.own
        steps = np.round(np.linspace(0, len(PALETTE) - 1, len(self.labels))).astype(int)
        return tuple(PALETTE[step] for step in steps)


#: purple less, orange more: seven steps of ColorBrewer's PuOr, safe for every kind of colour blindness
DIVERGING = ("#542788", "#998ec3", "#d8daeb", "#f7f7f7", "#fee0b6", "#f1a340", "#b35806")
#: lines over cells that a map does not tell apart from noise
HATCH = "#404040"
#: pixels of a hatched picture across, at least: lines are finer than the cells of a small lattice
_FINE = 640


def _labels(far: str, middle: str, near: str) -> list[str]:
    less = [f"below -{far}", f"-{far} to -{middle}", f"-{middle} to -{near}"]
    return [*less, f"-{near} to +{near}", f"+{near} to +{middle}", f"+{middle} to +{far}", f"+{far} and more"]


_SHARES = ((-0.5, -0.2, -0.05, 0.05, 0.2, 0.5), _labels("50", "20", "5"))
#: the same for all risks, scenarios and periods, so that pictures can be compared
SCALES = {
    "aal": Scale(
        "AAL, % of value a year",
        (0.0005, 0.001, 0.002, 0.005, 0.008, 0.012, 0.016, 0.02, 0.03, 0.05, 0.1),
        [
            "< 0.05",
            "0.05-0.1",
            "0.1-0.2",
            "0.2-0.5",
            "0.5-0.8",
            "0.8-1.2",
            "1.2-1.6",
            "1.6-2",
            "2-3",
            "3-5",
            "5-10",
            "≥ 10",
        ],
    ),
    "hazard": Scale(
        "Hazard score, 0 to 100",
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        [f"{low}-{low + 10}" for low in range(0, 100, 10)],
    ),
    # of the AAL itself, so that risks and editions can be compared whose AAL differ a thousandfold
    "change": Scale("Change of AAL against the short term, % of it", *_SHARES, DIVERGING),
    "relative_difference": Scale("Difference of AAL, % of the reference", *_SHARES, DIVERGING),
    "difference": Scale(
        "Difference of AAL, points of % of value a year",
        (-0.005, -0.002, -0.0005, 0.0005, 0.002, 0.005),
        _labels("0.5", "0.2", "0.05"),
        DIVERGING,
    ),
    "hazard_difference": Scale(
        "Difference of the hazard score, points of 100",
        (-0.2, -0.1, -0.02, 0.02, 0.1, 0.2),
        _labels("20", "10", "2"),
        DIVERGING,
    ),
    "interval": Scale(
        "Width of the 90 % interval, % of the AAL",
        (0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0),
        ["< 20", "20-40", "40-60", "60-80", "80-100", "100-150", "150-200", "200-300", "300-500", "≥ 500"],
    ),
}


def classify(values: NDArray[np.float32], scale: Scale) -> NDArray[np.uint8]:
    """Palette places: (n,) values -> (n,) uint8; NaN is grey."""
    places = np.searchsorted(np.asarray(scale.breaks), values, side="right") + _FIRST
    return np.where(np.isnan(values), _GREY, places).astype(np.uint8)


def relative(change: NDArray[np.float32], aal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Change as a share of what was: (n,) each, aal after the change; 0 where nothing was and is, NaN is not known."""
    before = aal.astype(np.float64) - change
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(change == 0.0, 0.0, change / np.maximum(before, 0.0))
    return np.where(np.isnan(change) | np.isnan(aal), np.nan, share).astype(np.float32)


def hatched(places: NDArray[np.uint8], unsure: NDArray[np.bool_], scale: Scale) -> NDArray[np.uint8]:
    """Palette places with lines across cells, each cell k x k pixels so that lines are seen on a small lattice, too.

    places, unsure : (n_lat, n_lon), northward
    """
    times = max(1, -(-_FINE // places.shape[1]))
    pixels, lines = (np.repeat(np.repeat(each, times, axis=0), times, axis=1) for each in (places, unsure))
    period = max(7, pixels.shape[1] // 110)
    diagonal = np.arange(pixels.shape[0])[:, None] + np.arange(pixels.shape[1])
    drawn = lines & (diagonal % period < max(1, period // 4))
    return np.where(drawn, np.uint8(_FIRST + len(scale.colours)), pixels)


def paint(places: NDArray[np.uint8], scale: Scale) -> bytes:
    """A PNG of palette places.

    places : (n_lat, n_lon), northward; 0 is transparent, the one behind the classes a line of `hatched`
    """
    height, width = places.shape
    colours = ("#000000", NO_VALUE, *scale.colours, HATCH)
    palette = b"".join(bytes.fromhex(colour[1:]) for colour in colours)
    rows = np.zeros((height, width + 1), np.uint8)  # each row starts with its filter: none
    rows[:, 1:] = places[::-1]
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = (
        (b"IHDR", header),
        (b"PLTE", palette),
        (b"tRNS", b"\x00"),
        (b"IDAT", zlib.compress(rows.tobytes(), 6)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
