"""Values of a lattice as a GeoTIFF: 32-bit floats, a band a figure, EPSG:4326, north up, no library needed.

Baseline TIFF 6.0 with strips of rows, one plane a band, deflate; pixel scale, tie point and keys of GeoTIFF 1.1 (OGC
19-008r4); names of bands and further facts in the tag that GDAL keeps for them (42112).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

_SHORT, _LONG, _DOUBLE, _ASCII = 3, 4, 12, 2
_SIZES = {_SHORT: "H", _LONG: "I", _DOUBLE: "d"}
#: GTModelType 2 (geographic), GTRasterType 1 (a pixel is an area), GeographicType 4326 (WGS 84)
_KEYS = (1, 1, 1, 3, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 4326)
_ROWS = 64  # of a strip
_DEFLATE, _GREY, _SEPARATE, _FLOAT = 8, 1, 2, 3
_HEADER = 8


def encode(
    bands: Mapping[str, NDArray[np.float32]], *, west: float, north: float, step: float, tags: Mapping[str, str]
) -> bytes:
    """A GeoTIFF.

    bands       : name -> (rows, columns), the north-west cell first; NaN where there is no value
    west, north : outer edges of the north-west cell, degrees; step: of the lattice
    tags        : name -> text, any characters
    raises      : ValueError without a band, or for bands of several shapes
    """
    shapes = {band.shape for band in bands.values()}
    if len(shapes) != 1:
        raise ValueError(f"bands of a GeoTIFF have one shape, got {sorted(shapes)}")
    [(height, wide)] = shapes
    strips = [
        zlib.compress(np.ascontiguousarray(band[row : row + _ROWS], "<f4").tobytes(), 6)
        for band in bands.values()
        for row in range(0, height, _ROWS)
    ]
    count = len(bands)
    fields: list[tuple[int, int, Sequence[float] | bytes]] = [
        (256, _LONG, [wide]),
        (257, _LONG, [height]),
        (258, _SHORT, [32] * count),
        (259, _SHORT, [_DEFLATE]),
        (262, _SHORT, [_GREY]),
        (273, _LONG, []),  # where strips begin, put in below
        (277, _SHORT, [count]),
        (278, _LONG, [_ROWS]),
        (279, _LONG, [len(strip) for strip in strips]),
        (284, _SHORT, [_SEPARATE]),
        *([(338, _SHORT, [0] * (count - 1))] if count > 1 else []),  # samples beyond the first are no alpha
        (339, _SHORT, [_FLOAT] * count),
        (33550, _DOUBLE, [step, step, 0.0]),
        (33922, _DOUBLE, [0.0, 0.0, 0.0, west, north, 0.0]),
        (34735, _SHORT, _KEYS),
        (42112, _ASCII, _metadata(bands, tags)),
        (42113, _ASCII, b"nan\0"),
    ]
    return _written(fields, strips)


def _metadata(bands: Mapping[str, object], tags: Mapping[str, str]) -> bytes:
    names = "".join(
        f'<Item name="DESCRIPTION" sample="{place}" role="description">{_text(name)}</Item>'
        for place, name in enumerate(bands)
    )
    told = "".join(f"<Item name={quoteattr(name)}>{_text(text)}</Item>" for name, text in tags.items())
    return f"<GDALMetadata>{told}{names}</GDALMetadata>".encode() + b"\0"


def _text(text: str) -> str:
    return escape(escape(text))  # GDAL writes and reads this text escaped twice


def _written(fields: list[tuple[int, int, Sequence[float] | bytes]], strips: list[bytes]) -> bytes:
    """Header, directory, values that do not fit into it, strips; little-endian."""
    directory = 2 + 12 * len(fields) + 4
    values = {tag: _packed(kind, value) for tag, kind, value in fields}
    values[273] = b"\0" * 4 * len(strips)
    beyond, at = {}, _HEADER + directory
    for tag, _, _ in fields:
        if len(values[tag]) > 4:
            beyond[tag] = at
            at += len(values[tag]) + len(values[tag]) % 2
    begins = at + np.concatenate([[0], np.cumsum([len(strip) for strip in strips])[:-1]])
    values[273] = begins.astype("<u4").tobytes()
    parts = [struct.pack("<2sHIH", b"II", 42, _HEADER, len(fields))]
    for tag, kind, _ in fields:
        size = 1 if kind == _ASCII else struct.calcsize(_SIZES[kind])
        place = struct.pack("<I", beyond[tag]) if tag in beyond else values[tag].ljust(4, b"\0")
        parts.append(struct.pack("<HHI", tag, kind, len(values[tag]) // size) + place)
    parts.append(struct.pack("<I", 0))
    parts += [values[tag] + b"\0" * (len(values[tag]) % 2) for tag in beyond]
    return b"".join(parts + strips)


def _packed(kind: int, value: Sequence[float] | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    return struct.pack(f"<{len(value)}{_SIZES[kind]}", *value)
