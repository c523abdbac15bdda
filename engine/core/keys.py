"""Keys of the reference tables: the columns that identify a row. The migration's primary keys; a test compares."""

from __future__ import annotations

from collections.abc import Mapping

KEYS: Mapping[str, tuple[str, ...]] = {
    # one row, which needs no key: all its columns
    "grid_definition": ("lat0", "lon0", "n_lat", "n_lon", "step", "first_year", "last_year"),
    "location_grid": ("grid_id",),
    "grid_attributes": ("grid_id",),
    "sea_level_grid": ("grid_id",),
    "sea_level_data": ("grid_id", "year"),
    "api_typhoon_besttrack": ("tcid", "obs_datetime"),
    "water_basin": ("basin_code",),
    "water_basin_province": ("basin_code", "gid_1"),
    # a basin has a row of its own (empty admin_code) beside those of its provinces
    "api_wamis_water_usage": ("basin_code", "admin_code", "year"),
    "api_wamis_stations": ("obs_code",),
    "api_wamis_flow": ("obs_code", "obs_date"),
    "water_stress_rankings": ("gid_0", "gid_1", "year", "scenario", "indicator_name", "weight"),
}
