"""The frame of active cells: places joined with their attributes, the same from every source."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core import sphere
from engine.core.attributes import ATTRIBUTES
from engine.core.counted import counted
from engine.core.errors import SchemaError

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
        raise SchemaError(f"location_grid: {counted(lost, 'cell')} without a latitude and longitude")
    if attributes is None:
        return active.with_columns(pl.lit(None, kind).alias(name) for name, kind in ATTRIBUTES.items())
    described = _columns(attributes, {"grid_id": pl.Int32} | ATTRIBUTES)
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
    """`grid_id` of the nearest point by great circle, chosen as the loaders choose it (`sphere.nearest`).

    latitude, longitude : (cells,) degrees
    points              : frame of `grid_id`, `latitude`, `longitude`, at least one with a place
    returns             : (cells,); of equally near points the one with the lowest id
    """
    placed = points.filter(pl.col("latitude").is_finite() & pl.col("longitude").is_finite()).sort("grid_id")
    found, _ = sphere.nearest(latitude, longitude, placed["latitude"].to_numpy(), placed["longitude"].to_numpy())
    return placed["grid_id"].cast(pl.Int32).to_numpy()[found]
