"""Attributes of a cell by name: land cover, terrain, distances. docs/data-dictionary.md has their units."""

from __future__ import annotations

import polars as pl

#: `grid_attributes` as the panel carries them; what a warehouse lacks is null
ATTRIBUTES: dict[str, type[pl.DataType]] = {
    "elevation_mean_m": pl.Float32,
    "elevation_min_m": pl.Float32,
    "slope_mean_deg": pl.Float32,
    "wetness_index": pl.Float32,
    "landcover_mode": pl.String,
    "impervious_ratio": pl.Float32,
    "forest_ratio": pl.Float32,
    "building_density_km2": pl.Float32,
    "dist_coast_m": pl.Float32,
    "dist_river_m": pl.Float32,
    "dist_forest_m": pl.Float32,
    "river_grade": pl.Int16,
    "stream_order": pl.Int16,
    "watershed_area_km2": pl.Float32,
}
#: columns of `location_grid` that a risk reads the same way
PLACES = ("latitude", "longitude", "basin_code", "slr_grid_id")
KNOWN = (*ATTRIBUTES, *PLACES)
