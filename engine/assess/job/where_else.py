"""Relocation: the building of a site in every cell of the country, in one scenario and period. Nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import psycopg

from engine.assess.job.loss_years import Pair
from engine.assess.job.published_inputs import PublishedInputs
from engine.assess.rules import everywhere
from engine.assess.rules.assessment import by_request, run_scaling, run_vulnerability, with_intervals
from engine.assess.rules.config import AssessConfig
from engine.assess.rules.intervals import CELL_ENDS
from engine.assess.rules.losses import losses
from engine.assess.rules.offered import RISKS
from engine.assess.rules.prepare import Prepared, wants
from engine.core.errors import EngineError
from engine.core.grid import GridDefinition
from engine.io.results import published_cells, published_layers
from engine.io.results.published_figures import AAL
from engine.io.sites import place_names, site_inputs, site_regions

NO_RESULT_HERE = "no result at the site: not compared"
NO_RESULT_ANYWHERE = "no result in this scenario and period"
NOT_PRICED = "its edition gives no damage rates: no loss"
NOT_ASKED = "not asked for"


@dataclass(frozen=True, slots=True)
class Country:
    """Cells with an AAL in one scenario and period, and what vulnerability reads of their places.

    cells : (C,) `grid_id`, ascending, `latitude`, `longitude`, `elevation`, `in_flood_zone`
    base  : (C,) AAL, a column a risk that has results, null where a cell has none
    """

    cells: pl.DataFrame
    base: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A site's building everywhere.

    table      : of `everywhere.aal_everywhere`
    counted    : risks of the total; left_out: the others, each with the reason
    here       : figures of the site where it stands, as its assessment gives them
    """

    table: pl.DataFrame
    counted: list[str]
    left_out: dict[str, str]
    here: dict[str, Any]
    prepared: Prepared
    published: PublishedInputs


def read_country(
    warehouse: psycopg.Connection, application: psycopg.Connection, grid: GridDefinition, pair: Pair
) -> Country:
    """Read the AAL of all cells, and the attributes of the cells."""
    layers = {risk: published_layers.read(application, AAL, risk, *pair) for risk in RISKS}
    held = {risk: layer for risk, layer in layers.items() if len(layer[0])}
    ids = np.unique(np.concatenate([np.empty(0, np.int32), *(layer[0] for layer in held.values())]))
    base = {}
    for risk, (own, values) in held.items():
        whole = np.full(len(ids), np.nan, np.float32)
        whole[np.searchsorted(ids, own)] = values
        # a real is read as the decimal number that it prints, as an assessment reads it
        base[risk] = pl.Series(risk, whole).fill_nan(None).cast(pl.String).cast(pl.Float64)
    rows, columns = grid.indices(ids)
    latitude, longitude = grid.latitudes[rows], grid.longitudes[columns]
    numbers = pl.Series("grid_id", ids, pl.Int32)
    known, elevations = site_inputs.cell_elevations(warehouse)
    attributes = pl.DataFrame({"grid_id": known, "elevation": elevations})
    zones = site_inputs.in_flood_zone(warehouse, latitude, longitude) if len(ids) else None
    cells = pl.DataFrame(
        {
            "grid_id": numbers,
            "latitude": latitude,
            "longitude": longitude,
            "in_flood_zone": pl.Series(zones if zones is not None else [None] * len(ids), dtype=pl.Boolean),
        }
    ).join(attributes, on="grid_id", how="left", maintain_order="left")
    return Country(cells.with_columns(pl.col("elevation").fill_nan(None)), pl.DataFrame(base))


def compute(application: psycopg.Connection, prepared: Prepared, country: Country, config: AssessConfig) -> Elsewhere:
    """A site's building in every cell.

    prepared : one site inside the grid with one request, filled from the warehouse
    raises   : EngineError where none of its risks has a loss at the site
    """
    published = PublishedInputs.read(application, prepared, config, apart=False)
    own = by_request(prepared, published.probabilities, "aal").row(0, named=True)
    counted, left_out = [], {}
    for risk in RISKS:
        reason = (
            NOT_ASKED
            if not prepared.sites[wants(risk)][0]
            else NOT_PRICED
            if risk in published.config.not_priced
            else NO_RESULT_ANYWHERE
            if risk not in country.base.columns
            else NO_RESULT_HERE
            if own[risk] is None
            else None
        )
        if reason is None:
            counted.append(risk)
        else:
            left_out[risk] = reason
    if not counted:
        raise EngineError("no risk of the site has a loss here: there is nothing to compare with other places")
    table = everywhere.aal_everywhere(prepared, country.cells, country.base, counted, published.config)
    [here] = _figures(prepared, published, published.probabilities, counted)
    return Elsewhere(table, counted, left_out, here, prepared, published)


def _figures(
    prepared: Prepared, published: PublishedInputs, probabilities: pl.DataFrame, counted: Sequence[str]
) -> list[dict[str, Any]]:
    """AAL and losses of prepared sites with intervals, one request each: the sum over the counted risks."""
    vulnerable = run_vulnerability(prepared)
    base = by_request(prepared, probabilities, "aal")
    scaled = run_scaling(prepared, vulnerable, base, published.config)
    whole = with_intervals(prepared, scaled, vulnerable, probabilities)
    only = [risk for risk in RISKS if risk not in counted]
    asking = prepared.sites.with_columns(pl.lit(value=False).alias(wants(risk)) for risk in only)
    sums = losses(
        Prepared(asking, prepared.requests, prepared.outside, prepared.outside_requests, prepared.failures), whole
    )
    ratios = pl.DataFrame({risk: whole[risk]["final_aal"] for risk in RISKS})
    kept = ("total_expected_loss", "total_expected_loss_low", "total_expected_loss_high", "loss_note", "overlap_note")
    found = []
    for ratio, money in zip(ratios.iter_rows(named=True), sums.select(kept).iter_rows(named=True), strict=True):
        total = sum(ratio[risk] for risk in counted) if all(ratio[risk] is not None for risk in counted) else None
        found.append({"by_risk": ratio, "total_aal": total, **money})
    return found


def candidates(
    warehouse: psycopg.Connection,
    application: psycopg.Connection,
    country: Country,
    found: Elsewhere,
    *,
    within_km: float,
    most: int,
) -> dict[str, Any]:
    """Cells near a site in which its building would lose less, the least first, and what the cells near it lack.

    returns : `cells_near`, `cells_near_without` (those that lack a counted risk, which have no rank), `near_without`
              (risk -> how many lack it), `candidates`
    """
    site = found.prepared.sites.row(0, named=True)
    near = everywhere.within(found.table, site["latitude"], site["longitude"], within_km)
    chosen = everywhere.ranked(near, found.here["total_aal"], site["grid_id"], most)
    lacking = near.filter(pl.col("lacking").list.len() > 0)
    return {
        "cells_near": near.height,
        "cells_near_without": lacking.height,
        "near_without": dict(lacking["lacking"].explode().value_counts(sort=True).iter_rows()),
        "candidates": _told(warehouse, application, country, found, chosen) if chosen.height else [],
    }


def _told(
    warehouse: psycopg.Connection,
    application: psycopg.Connection,
    country: Country,
    found: Elsewhere,
    chosen: pl.DataFrame,
) -> list[dict[str, Any]]:
    """Candidates with their regions and intervals."""
    cells = chosen.select("grid_id").join(country.cells, on="grid_id", how="left", maintain_order="left")
    places = cells.select("grid_id", "latitude", "longitude")
    prepared = everywhere.moved(found.prepared, cells)
    risks = [risk for risk in RISKS if found.prepared.sites[wants(risk)][0]]
    pair = found.prepared.requests.select("scenario_id", "time_period").row(0)
    figures = published_cells.scores(application, AAL, cells["grid_id"].sort(), risks, [pair], more=CELL_ENDS)
    sums = _figures(prepared, found.published, figures, found.counted)
    regions = site_regions.regions_of(warehouse, places["latitude"].to_numpy(), places["longitude"].to_numpy())
    paths = place_names.paths(warehouse, regions["admin_code"])
    here = found.here["total_expected_loss"]
    told = []
    named = regions.select("admin_name", "admin_code").iter_rows()
    for place, far, (name, code), own in zip(
        cells.iter_rows(named=True), chosen["kilometres"], named, sums, strict=True
    ):
        loss = own["total_expected_loss"]
        told.append(
            place
            | {"admin_name": name, "region": paths.get(code), "kilometres": round(far, 2)}
            | {key: value for key, value in own.items() if key not in ("loss_note", "overlap_note")}
            | {"saving": None if here is None or loss is None else here - loss}
        )
    return told
