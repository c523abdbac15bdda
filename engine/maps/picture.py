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
}


def classify(values: NDArray[np.float32], scale: Scale) -> NDArray[np.uint8]:
    """Palette places: (n,) values -> (n,) uint8; NaN is grey."""
    places = np.searchsorted(np.asarray(scale.breaks), values, side="right") + _FIRST
    return np.where(np.isnan(values), _GREY, places).astype(np.uint8)


def paint(places: NDArray[np.uint8], scale: Scale) -> bytes:
    """A PNG of palette places.

    places : (n_lat, n_lon), northward; 0 is transparent
    """
    height, width = places.shape
    colours = ("#000000", NO_VALUE, *scale.colours)
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
