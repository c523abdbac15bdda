"""Check that a shapefile is whole: its parts against their own headers and against each other.

GDAL reads a shapefile that was cut in copying as far as it goes, and gives features without geometry for the rest.
Layout: ESRI (1998), ESRI Shapefile Technical Description; the attributes: dBase III.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.core.counted import agree, counted
from engine.core.errors import SchemaError
from engine.io.files import reading, source_files

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_HEADER, _ENTRY = 100, 8
_MAGIC, _VERSION = 9994, 1000
#: types of records that begin with their own box: lines, polygons, points in sets, with z and m
_BOXED = (3, 5, 8, 13, 15, 18, 23, 25, 28)
#: bytes of a record's type and box
_BOX_ENDS = 36
_KEPT, _DELETED, _END = 0x20, 0x2A, 0x1A
#: of the largest coordinate; writers round
_BOX_TOLERANCE = 1e-6
_NEEDED = (".shx", ".dbf")


def whole(path: Path) -> int:
    """Compare the parts of a shapefile; returns how many features they hold.

    raises : SchemaError for a missing part, a part longer or shorter than it says, and parts that differ
    """
    parts = {part.suffix.lower(): part for part in source_files.parts(path)}
    if absent := [f"{path.stem}{suffix}" for suffix in _NEEDED if suffix not in parts]:
        raise SchemaError(f"{path.name}: {' and '.join(absent)} of the shapefile {'is' if len(absent) == 1 else 'are'}"
                          " missing; copy all its parts")  # fmt: skip
    offsets, sizes = _index(parts[".shx"])
    _headers_fit(path, offsets, sizes)
    rows, kept = _attributes(parts[".dbf"])
    if rows != len(offsets):
        raise SchemaError(
            f"{path.name}: {counted(len(offsets), 'shape')} in {parts['.shx'].name} but"
            f" {counted(rows, 'row')} in {parts['.dbf'].name};"
            " the parts do not belong together"
        )
    return kept


def boxes(path: Path) -> Floats:
    """(records, 4) west, south, east, north that the records state, in the file's CRS; NaN without."""
    offsets, sizes = _index(next(part for part in source_files.parts(path) if part.suffix.lower() == ".shx"))
    found = np.full((len(offsets), 4), np.nan)
    if len(offsets):
        raw = np.memmap(path, np.uint8, "r")
        content = raw[np.minimum(offsets[:, None] + _ENTRY + np.arange(_BOX_ENDS), len(raw) - 1)]
        kinds = np.ascontiguousarray(content[:, :4]).view("<i4")[:, 0]
        boxed = (sizes >= _BOX_ENDS) & np.isin(kinds, _BOXED)
        found[boxed] = np.ascontiguousarray(content[boxed, 4:]).view("<f8")
    return found


def outside_their_boxes(bounds: Floats, stated: Floats) -> NDArray[np.bool_]:
    """(features,) whose coordinates leave the box that their record states; both (features, 4)."""
    # writers that do not bother leave zeros
    known = ~np.isnan(stated).any(1) & (stated != 0).any(1)
    room = _BOX_TOLERANCE * np.abs(stated).max(1, keepdims=True)
    beyond = (bounds - stated) * np.array([-1, -1, 1, 1]) > room
    return np.asarray(known & beyond.any(1))


def encoding(path: Path) -> str | None:
    """Of the text in the attributes: what a .cpg says (None: left to GDAL), else UTF-8 where it is that, else cp949.

    A shapefile that names no encoding comes from a Korean Windows, or from a program that writes UTF-8 without a word.
    """
    parts = {part.suffix.lower(): part for part in source_files.parts(path)}
    if ".cpg" in parts:
        return None
    raw = reading.bytes_of(parts[".dbf"])
    text = raw[int.from_bytes(raw[8:10], "little") :]
    for name in ("utf-8", "cp949"):
        try:
            text.decode(name)
        except UnicodeDecodeError:
            continue
        return name
    log.warning("%s holds text that is neither UTF-8 nor cp949: some letters are lost", parts[".dbf"].name)
    return "cp949"


def _length_stated(path: Path) -> int:
    """Bytes that the header of a .shp or .shx says the file has; refuses another number of them."""
    with reading.reading(path), path.open("rb") as stream:
        head, held = stream.read(_HEADER), path.stat().st_size
    if len(head) < _HEADER or int.from_bytes(head[:4], "big") != _MAGIC:
        raise SchemaError(f"{path.name} is not part of a shapefile: it begins {head[:16]!r}")
    if int.from_bytes(head[28:32], "little") != _VERSION:
        raise SchemaError(f"{path.name} is broken: its header states no version {_VERSION}")
    stated = 2 * int.from_bytes(head[24:28], "big")
    if stated != held:
        what = "it was cut" if held < stated else "something was added"
        raise SchemaError(f"{path.name} has {held} bytes where its header states {stated}: {what}; copy it again")
    return stated


def _index(path: Path) -> tuple[Ints, Ints]:
    """(records,) offset and size of every record's content, bytes."""
    entries = (_length_stated(path) - _HEADER) // _ENTRY
    with reading.reading(path):
        pairs = np.fromfile(path, ">i4", 2 * entries, offset=_HEADER).reshape(-1, 2).astype(np.int64) * 2
    return pairs[:, 0], pairs[:, 1]


def _headers_fit(path: Path, offsets: Ints, sizes: Ints) -> None:
    """Every entry of the index points at a record of that size."""
    held = _length_stated(path)
    inside = (offsets >= _HEADER) & (sizes >= 4) & (offsets + _ENTRY + sizes <= held)
    if not inside.all():
        bad = int(np.flatnonzero(~inside)[0]) + 1
        raise SchemaError(f"{path.name} is broken: record {bad} lies outside the file")
    if not len(offsets):
        return
    with reading.reading(path):
        raw = np.memmap(path, np.uint8, "r")
    places = offsets[:, None] + np.arange(4, _ENTRY)
    stated = raw[places].astype(np.int64) @ np.array([1 << 24, 1 << 16, 1 << 8, 1]) * 2
    if (differs := stated != sizes).any():
        bad = int(np.flatnonzero(differs)[0])
        raise SchemaError(
            f"{path.name} is broken: record {bad + 1} has {stated[bad]} bytes by its own header and {sizes[bad]} by"
            " the index"
        )


def _attributes(path: Path) -> tuple[int, int]:
    """Rows of a .dbf, and those that are not marked as deleted."""
    with reading.reading(path):
        raw = np.fromfile(path, np.uint8)
    head = raw[:32].tobytes()
    if len(head) < 32:
        raise SchemaError(f"{path.name} is not part of a shapefile: it has {len(head)} bytes")
    rows = int.from_bytes(head[4:8], "little")
    start, width = int.from_bytes(head[8:10], "little"), int.from_bytes(head[10:12], "little")
    fields = (start - 33) // 32
    if start < 33 or width < 1 or len(raw) < start:
        raise SchemaError(f"{path.name} is broken: its header states {start} bytes of header and {width} a row")
    if len(raw) < start + rows * width:
        raise SchemaError(
            f"{path.name} has {len(raw)} bytes where {counted(rows, 'row')}"
            f" {agree(rows, 'needs', 'need')} {start + rows * width}: it was cut"
        )
    if set(raw[start + rows * width :].tolist()) - {_END, 0}:
        raise SchemaError(
            f"{path.name} has {len(raw)} bytes, too many for the {counted(rows, 'row')} that its header states"
        )
    lengths = raw[32 : 32 + 32 * fields].reshape(-1, 32)
    # a long text keeps the upper byte of its width where numbers keep their decimals
    widths = lengths[:, 16].astype(int) + np.where(lengths[:, 11] == ord("C"), lengths[:, 17].astype(int) << 8, 0)
    if int(widths.sum()) + 1 != width:
        raise SchemaError(f"{path.name} is broken: its columns take {int(widths.sum())} bytes, its rows {width - 1}")
    marks = raw[start : start + rows * width].reshape(rows, width)[:, 0]
    if strange := np.flatnonzero(~np.isin(marks, (_KEPT, _DELETED))).tolist():
        raise SchemaError(f"{path.name} is broken: row {strange[0] + 1} begins with byte {int(marks[strange[0]])}")
    return rows, int((marks == _KEPT).sum())
