"""Enrichment of sites: open fields are filled from the warehouse in bulk, in a few queries, whatever their
number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray

from engine.assess.rules.config import AssessConfig
from engine.assess.rules.fields import BUILDING_NAMES, BY_NAME
from engine.assess.rules.prepare import placed, wants_expression
from engine.assess.rules.validation import DATABASE, Checked, within_range
from engine.assess.rules.vocabulary import LAND_COVERS
from engine.core.period import baseline_years
from engine.io.sites import site_inputs, site_regions

Floats = NDArray[np.float64]
#: fields that the cell's attributes fill
_FROM_CELL = ("elevation", "landcover_type", "imperviousness_ratio", "vegetation_ratio", "distance_to_forest_m")
_FROM_LINES = {
    "distance_to_coast_m": ("coastline", "cell_to_coast_m"),
    "distance_to_river_m": ("river", "cell_to_river_m"),
}
_FROM_CLIMATE = ("annual_rainfall_mm", "cdd_days")
_METRES_PER_DEGREE = 111_700.0  # the most on the ellipsoid


@dataclass(frozen=True, slots=True)
class Enriched:
    """checked : with what the warehouse knows; context : `site_uuid`, region and population of the sites that have a
    cell."""

    checked: Checked
    context: pl.DataFrame


def enrich(checked: Checked, warehouse: psycopg.Connection, config: AssessConfig, *, today: date) -> Enriched:
    """Fill the nulls of valid sites that have a cell; what the caller stated stays.

    Building: the nearest of the register within the search radius, for sites that state none; values outside the
    fields' ranges count as missing. Coast and river: metres to the nearest line. Flood zone: the official map. The
    rest: of the cell. A layer that is not loaded leaves its field null.

    checked : placed on the lattice (`prepare.placed`), or each site takes its own cell
    today   : the day on which a building's age is reckoned
    """
    if "grid_id" not in checked.valid.columns:
        checked = placed(checked, config.grid, None)
    sites = checked.valid
    inside = sites.filter(pl.col("grid_id") > 0)
    if inside.is_empty():
        return Enriched(checked, pl.DataFrame(schema={"site_uuid": pl.String(), **site_regions.CONTEXT}))
    filled = _with_buildings(inside, warehouse, config, today)
    filled = _with_cells(filled, warehouse)
    filled = _with_climate(filled, warehouse, config)
    filled = _with_lines(filled, warehouse, config)
    context = pl.concat(
        [filled.select("site_uuid"), site_regions.regions_of(warehouse, *_coordinates(filled))], how="horizontal"
    )
    valid = pl.concat([filled.select(sites.columns), sites.filter(pl.col("grid_id") == 0)]).sort("row")
    return Enriched(replace(checked, valid=valid), context)


def _coordinates(sites: pl.DataFrame) -> tuple[Floats, Floats]:
    return sites["latitude"].to_numpy(), sites["longitude"].to_numpy()


def _with_buildings(
    sites: pl.DataFrame, warehouse: psycopg.Connection, config: AssessConfig, today: date
) -> pl.DataFrame:
    unknown = sites.select(pl.all_horizontal(pl.col(name).is_null() for name in BUILDING_NAMES)).to_series()
    if not unknown.any():
        return sites
    bare = sites.filter(unknown)
    found = site_inputs.nearest_buildings(warehouse, *_coordinates(bare), config.building_search_radius_m, today)
    names = [name for name in found.columns if name != "found"]
    known = found.select(
        "found", *(pl.when(within_range(BY_NAME[name])).then(pl.col(name)).alias(name) for name in names)
    ).with_columns(row=bare["row"], building_source=pl.when("found").then(pl.lit(DATABASE)))
    return _coalesced(sites, known.drop("found"), "row", [*names, "building_source"])


def _with_cells(sites: pl.DataFrame, warehouse: psycopg.Connection) -> pl.DataFrame:
    attributes = site_inputs.cell_attributes(warehouse, sites["grid_id"].unique())
    attributes = attributes.with_columns(pl.selectors.float().fill_nan(None)).with_columns(
        landcover_type=pl.when(pl.col("landcover_type").is_in(LAND_COVERS)).then("landcover_type"),
    )
    near = attributes.select("grid_id", "cell_to_coast_m", "cell_to_river_m")
    sites = sites.join(near, on="grid_id", how="left", maintain_order="left")
    return _coalesced(sites, attributes.select("grid_id", *_FROM_CELL), "grid_id", list(_FROM_CELL))


def _with_climate(sites: pl.DataFrame, warehouse: psycopg.Connection, config: AssessConfig) -> pl.DataFrame:
    open_sites = pl.any_horizontal(pl.col(name).is_null() for name in _FROM_CLIMATE)
    lacking = sites.filter(open_sites & wants_expression("drought"))
    if lacking.is_empty():
        return sites
    climate = site_inputs.climatology(warehouse, lacking["grid_id"].unique(), baseline_years(config.grid.axis))
    return _coalesced(sites, climate, "grid_id", list(_FROM_CLIMATE))


def _with_lines(sites: pl.DataFrame, warehouse: psycopg.Connection, config: AssessConfig) -> pl.DataFrame:
    diagonal = 1.5 * config.grid.step * _METRES_PER_DEGREE
    for name, (layer, from_cell) in _FROM_LINES.items():
        lacking = sites.filter(pl.col(name).is_null())
        if lacking.is_empty():
            continue
        bound = lacking[from_cell].fill_null(float("nan")).to_numpy()
        metres = site_inputs.distance_to(warehouse, layer, *_coordinates(lacking), bound, diagonal)
        if metres is not None:
            sites = _coalesced(sites, lacking.select("row").with_columns(pl.Series(name, metres)), "row", [name])
    unknown = sites.filter(pl.col("in_flood_zone").is_null())
    if unknown.height:
        zones = site_inputs.in_flood_zone(warehouse, *_coordinates(unknown))
        if zones is not None:
            found = unknown.select("row").with_columns(pl.Series("in_flood_zone", zones))
            sites = _coalesced(sites, found, "row", ["in_flood_zone"])
    return sites


def _coalesced(sites: pl.DataFrame, found: pl.DataFrame, key: str, names: list[str]) -> pl.DataFrame:
    """Sites with the nulls of some columns taken from `found`, joined on `key`."""
    other = {name: f"found_{name}" for name in names}
    joined = sites.join(found.rename(other), on=key, how="left", maintain_order="left")
    return joined.with_columns(
        pl.coalesce(pl.col(name), pl.col(theirs).cast(sites.schema[name])).alias(name) for name, theirs in other.items()
    ).drop(other.values())
