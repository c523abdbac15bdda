"""Make the coast and borders of the world that maps draw where a warehouse has none.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python docs/natural_earth.py package/countries-50m.json

Reads the TopoJSON of the npm package world-atlas, which is Natural Earth 1:50m. An arc of one country is coast, an
arc of two is a border. Writes `engine/maps/data/natural_earth_50m.npz`, whose layout `engine.maps.world` describes.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.maps.world import FILE, PER_DEGREE

Points = NDArray[np.float64]
#: degrees; edges that only close a polygon at the date line or the pole are no coast
_SEAM = 0.01


def main(source: Path) -> None:
    """Write the file."""
    topology = json.loads(source.read_text("utf-8"))
    scale, translate = (np.array(topology["transform"][name]) for name in ("scale", "translate"))
    arcs = [np.cumsum(np.array(arc), axis=0) * scale + translate for arc in topology["arcs"]]
    countries = topology["objects"]["countries"]["geometries"]
    uses: Counter[int] = Counter()
    for country in countries:
        uses.update({index if index >= 0 else ~index for index in _indices(country.get("arcs", []))})
    coast = [piece for index, n in sorted(uses.items()) if n == 1 for piece in _without_seams(arcs[index])]
    borders = [piece for index, n in sorted(uses.items()) if n > 1 for piece in _without_seams(arcs[index])]
    packed = {}
    for name, strokes in (("coast", coast), ("borders", borders)):
        points = np.rint(np.concatenate(strokes) * PER_DEGREE).astype(np.int32)
        packed[f"{name}_steps"] = np.diff(points, axis=0, prepend=np.zeros((1, 2), np.int32))
        packed[f"{name}_lengths"] = np.array([len(stroke) for stroke in strokes], np.int32)
    np.savez_compressed(FILE, **packed)
    sys.stdout.write(f"{FILE}: {len(coast)} strokes of coast, {len(borders)} of borders\n")


def _indices(nested: Any) -> Iterator[int]:
    for each in nested:
        if isinstance(each, int):
            yield each
        else:
            yield from _indices(each)


def _without_seams(arc: Points) -> Iterator[Points]:
    """Parts of an arc between edges along and across the date line, and along the south pole."""
    at_date_line, at_pole = np.abs(arc[:, 0]) > 180 - _SEAM, arc[:, 1] < -90 + _SEAM
    across = np.abs(np.diff(arc[:, 0])) > 180.0
    on_seam = across | (at_date_line[:-1] & at_date_line[1:]) | (at_pole[:-1] & at_pole[1:])
    for piece in np.split(arc, np.flatnonzero(on_seam) + 1):
        if len(piece) > 1:
            yield piece


if __name__ == "__main__":
    main(Path(sys.argv[1]))
