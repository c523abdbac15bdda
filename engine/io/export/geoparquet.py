"""GeoParquet 1.1: a file a risk, a row a cell, scenario and period, with the cell as polygon or point.

Source: GeoParquet specification 1.1.0 (metadata key `geo`, covering by a column of bounding boxes).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from engine.io.export.figures import FIGURES, PLACES
from engine.io.export.table import COLUMNS, Export

Geometry = Literal["polygon", "point"]
#: rows of a group: a band of cells, so that a reader may skip what lies elsewhere
_GROUP = 20_000
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def write(folder: Path, export: Export, geometry: Geometry) -> None:
    """A file a risk, named after it."""
    shapes = cell_shapes(export, geometry)
    places = export.layers.cells["grid_id"].to_numpy()
    wkb = pa.array(shapely.to_wkb(shapes), pa.binary())
    edges = shapely.bounds(shapes)
    boxes = pa.StructArray.from_arrays([pa.array(edges[:, side]) for side in range(4)], list(_SIDES))
    schema = _schema(export, shapes, edges)
    for risk in export.risks:
        with pq.ParquetWriter(folder / f"{risk}.parquet", schema, compression="zstd", write_page_index=True) as file:
            for key in export.of_risk(risk):
                rows = export.rows(key)
                at = pa.array(np.searchsorted(places, rows["grid_id"].to_numpy()))
                table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
                columns = [*(table[name] for name in COLUMNS), wkb.take(at), boxes.take(at)]
                arrays = [each.cast(field.type) for each, field in zip(columns, schema, strict=True)]
                file.write_table(pa.table(arrays, schema=schema), row_group_size=_GROUP)


def cell_shapes(export: Export, geometry: Geometry) -> Any:
    """(cells,) outlines of the cells, or their middles where they are places of a list or points are wanted. An outline
    that crosses the date line is cut there."""
    cells = export.layers.cells
    x, y = cells["longitude"].to_numpy(), cells["latitude"].to_numpy()
    if export.lattice is None or geometry == "point":
        return shapely.points(x, y)
    half = export.lattice.step / 2
    west, east = np.round(x - half, 9), np.round(x + half, 9)
    south, north = np.round(np.maximum(y - half, -90.0), 9), np.round(np.minimum(y + half, 90.0), 9)
    shapes = shapely.box(west, south, east, north)
    for at in np.flatnonzero((west < -180.0) | (east > 180.0)):
        first = max(west[at], -180.0), min(east[at], 180.0)
        rest = (west[at] + 360.0, 180.0) if west[at] < -180.0 else (-180.0, east[at] - 360.0)
        shapes[at] = shapely.MultiPolygon(
            [shapely.box(lo, south[at], hi, north[at]) for lo, hi in sorted((first, rest))]
        )
    return shapes


def _schema(export: Export, shapes: Any, edges: Any) -> pa.Schema:
    texts = {"risk_type", "scenario", "time_period", "method"}
    kinds = {
        "grid_id": pa.int32(),
        "latitude": pa.float64(),
        "longitude": pa.float64(),
        "scenario_id": pa.int16(),
        "first_year": pa.int16(),
        "last_year": pa.int16(),
        **dict.fromkeys(texts, pa.string()),
    }
    of_figure = {pl.Float32: pa.float32(), pl.Int16: pa.int16(), pl.Boolean: pa.bool_()}
    fields = []
    for name in COLUMNS:
        kind = kinds.get(name) or of_figure[type(FIGURES[name].kind)]
        fields.append(pa.field(name, kind, metadata=_words(name)))
    fields.append(pa.field("geometry", pa.binary(), nullable=False, metadata={"description": "The cell, WGS 84."}))
    box = pa.struct([pa.field(side, pa.float64(), nullable=False) for side in _SIDES])
    fields.append(pa.field("bbox", box, nullable=False, metadata={"description": "Outer edges of the geometry."}))
    about = {"geo": json.dumps(_geo(shapes, edges)), "climate_risk": json.dumps(export.about, ensure_ascii=False)}
    return pa.schema(fields, metadata=about)


def _words(name: str) -> dict[str, str]:
    if name in PLACES:
        return {"description": PLACES[name]}
    figure = FIGURES[name]
    return {"title": figure.title, "description": figure.tells, "unit": figure.unit}


def _geo(shapes: Any, edges: Any) -> dict[str, Any]:
    kinds: Sequence[str] = sorted({str(kind) for kind in np.unique([each.geom_type for each in shapes])})
    whole = [*edges[:, :2].min(axis=0).tolist(), *edges[:, 2:].max(axis=0).tolist()]
    column = {
        "encoding": "WKB",
        "geometry_types": list(kinds),
        "edges": "planar",
        "bbox": whole,
        "covering": {"bbox": {side: ["bbox", side] for side in _SIDES}},
    }
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
