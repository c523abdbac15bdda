"""Vector layers as they are stored: (F,) geometries, their properties, and what the file says of its CRS.

Formats that GDAL reads are compared with what they say of themselves first: it reads what is left of a cut file and
keeps silent about the rest.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import warnings
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import shapely
from numpy.typing import NDArray

from engine.core.errors import SchemaError, needs
from engine.io.files import shapefile
from engine.io.files.reading import json_of, reading

log = logging.getLogger(__name__)

Geometries = NDArray[np.object_]
Stored = tuple[Geometries, list[Mapping[str, Any]], str | None]


def read_geojson(path: Path) -> Stored:
    """A FeatureCollection; None for a geometry that is null."""
    document = json_of(path)
    features = document.get("features") if isinstance(document, dict) else None
    if not (isinstance(features, list) and all(isinstance(each, dict) and "geometry" in each for each in features)):
        raise SchemaError(f"{path.name} is not a GeoJSON FeatureCollection: it has no list of features with geometry")
    properties = [feature.get("properties") or {} for feature in features]
    if wrong := [number for number, held in enumerate(properties, 1) if not isinstance(held, dict)]:
        raise SchemaError(f"{path.name} is not a GeoJSON FeatureCollection: feature {wrong[0]} has no properties")
    texts = [json.dumps(feature["geometry"]) if feature["geometry"] else None for feature in features]
    with reading(path):
        geometries = np.asarray(shapely.from_geojson(texts), object)
    return geometries, properties, _crs_member(document)


def _crs_member(document: Mapping[str, Any]) -> str:
    """RFC 7946 knows only WGS84; older files may carry the member `crs`."""
    member = document.get("crs") or {}
    properties = member.get("properties") if isinstance(member, dict) else None
    named = properties.get("name") if isinstance(properties, dict) else None
    return "OGC:CRS84" if member == {} else str(named)


def read_with_pyogrio(path: Path) -> Stored:
    """A shapefile or the one layer of a GeoPackage; needs the extra `geo`."""
    try:
        import pyogrio
    except ImportError:
        raise SchemaError(f"{path.name}: a {path.suffix} layer {needs('geo')}; GeoJSON needs none") from None
    shp = path.suffix.lower() == ".shp"
    expected = shapefile.whole(path) if shp else _rows_of_geopackage(path)
    with reading(path, (RuntimeError,)), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            meta, _, wkb, columns = pyogrio.raw.read(path, encoding=shapefile.encoding(path) if shp else None)
        except UnboundLocalError as err:  # pyogrio 0.13: GDAL has read the CRS and cannot write it down
            beside = "the .prj beside it" if shp else "its table of CRS"
            raise SchemaError(f"{path.name}: {beside} states a CRS that cannot be understood; mend it") from err
    for sentence in dict.fromkeys(str(warning.message) for warning in said):
        log.warning("%s: %s", path.name, sentence)
    if len(wkb) != expected:
        raise SchemaError(f"{path.name}: {len(wkb)} of its {expected} features can be read; copy it again")
    with reading(path):
        geometries = np.asarray(shapely.from_wkb(wkb), object)
    if shp:
        _refuse_displaced(path, geometries)
    names = [str(name) for name in meta["fields"]]
    properties: list[Mapping[str, Any]] = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return geometries, properties or [{}] * len(wkb), meta["crs"]


def _refuse_displaced(path: Path, geometries: Geometries) -> None:
    stated = shapefile.boxes(path)
    if len(stated) != len(geometries):  # rows marked as deleted are not read
        return
    if len(wrong := np.flatnonzero(shapefile.outside_their_boxes(shapely.bounds(geometries), stated))):
        raise SchemaError(
            f"{path.name} is broken: coordinates of feature {wrong[0] + 1} lie outside the box that its record states"
        )


def _rows_of_geopackage(path: Path) -> int:
    """Features of the one layer; refuses a file that SQLite finds damaged, and several layers."""
    with reading(path), path.open("rb") as stream:
        if stream.read(15) != b"SQLite format 3":
            raise SchemaError(f"{path.name} is no GeoPackage: it is not an SQLite file")
    with reading(path), closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)) as held:
        (state,) = held.execute("PRAGMA quick_check(1)").fetchone()
        if state != "ok":
            raise SchemaError(f"{path.name} is broken: {' '.join(state.split())[:200]}")
        layers = [name for (name,) in held.execute("SELECT table_name FROM gpkg_contents WHERE data_type = 'features'")]
        if len(layers) != 1:
            raise SchemaError(
                f"{path.name} holds {len(layers)} layers ({', '.join(layers) or 'none'}), one is wanted: keep each in"
                " a file of its own"
            )
        quoted = layers[0].replace('"', '""')
        (rows,) = held.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()
    return int(rows)
