"""The frame of active cells: places joined with their attributes, the same from every source."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.io.climate import schema

Floats = NDArray[np.float64]
_PLACES: dict[str, type[pl.DataType]] = {
    "grid_id": pl.Int32,
    "latitude": pl.Float64,
    "longitude": pl.Float64,
    "basin_code": pl.Int16,
    "slr_grid_id": pl.Int32,
}


def active_cells(location: pl.DataFrame, attributes: pl.DataFrame | None) -> pl.DataFrame:
    """Cells with climate values, ascending `grid_id`; columns that a table lacks are null.

    location   : `location_grid`, with `has_climate`
    attributes : `grid_attributes`, or None
    raises     : SchemaError for duplicate cells or cells without coordinates
    """
    active = _columns(location.filter(pl.col("has_climate")), _PLACES).sort("grid_id")
    if duplicates := active.height - active["grid_id"].n_unique():
        raise SchemaError(f"location_grid: {duplicates} duplicate grid_id")
    places = pl.all_horizontal(pl.col("latitude").is_between(-90, 90), pl.col("longitude").is_between(-180, 180))
    if lost := active.height - active.filter(places).height:
        raise SchemaError(f"location_grid: {lost} cells without a latitude and longitude")
    if attributes is None:
        return active.with_columns(pl.lit(None, kind).alias(name) for name, kind in schema.ATTRIBUTES.items())
    described = _columns(attributes, {"grid_id": pl.Int32} | schema.ATTRIBUTES)
    if duplicates := described.height - described["grid_id"].n_unique():
        raise SchemaError(f"grid_attributes: {duplicates} duplicate grid_id")
    return active.join(described, on="grid_id", how="left", maintain_order="left")


def _columns(frame: pl.DataFrame, wanted: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    """The wanted columns in their types; NaN and a missing column become null."""
    return frame.select(
        pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind).alias(name)
        for name, kind in wanted.items()
    ).with_columns(pl.selectors.float().fill_nan(None))


def nearest(latitude: Floats, longitude: Floats, points: pl.DataFrame) -> NDArray[np.int32]:
    """`grid_id` of the nearest point by great circle.

    latitude, longitude : (cells,) degrees; points: frame of `grid_id`, `latitude`, `longitude`, not empty
    returns             : (cells,); of equally near points the one with the lowest id
    """
    here, there = _unit_vectors(latitude, longitude), points.sort("grid_id")
    chosen = np.zeros(len(latitude), np.int32)
    best = np.full(len(latitude), -np.inf)
    for grid_id, *place in there.select("grid_id", "latitude", "longitude").iter_rows():
        cosine = here @ _unit_vectors(np.array(place[:1]), np.array(place[1:]))[0]
        nearer = cosine > best
        chosen[nearer], best[nearer] = grid_id, cosine[nearer]
    return chosen


def _unit_vectors(latitude: Floats, longitude: Floats) -> Floats:
    """(n, 3) points of the unit sphere; the largest dot product is the shortest great circle."""
    lat, lon = np.radians(latitude.astype(float)), np.radians(longitude.astype(float))
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
