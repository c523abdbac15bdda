"""Published results: probability and hazard of a cell, stored assessments of a site."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Annotated, Any

import psycopg
from fastapi import APIRouter, HTTPException, Query

from engine.assess.rules.vocabulary import OUTSIDE_GRID
from engine.core import names
from engine.core.caveats import LOSS_NOTE, overlap_note
from engine.core.names import RISK_NAMES
from engine.core.scenario import DEFAULT_SCENARIO
from engine.io.results import published_cells, published_runs, published_scenarios
from engine.io.results.published_figures import AAL, HAZARD
from engine.io.sites import stored_sites
from engine.io.sites.stored_sites import Exposure, ScaledAal, Vulnerability
from engine.service import cell_answers, models
from engine.service.context import Context, Shared
from engine.service.problems import Problem

router = APIRouter(tags=["results"], responses={404: {"model": Problem, "description": "Nothing is stored there"}})
RiskType = Annotated[models.RiskName, Query(description="a risk, or an older name of one")]
_DEFAULT = int(DEFAULT_SCENARIO)


def cell_of(context: Context, connection: psycopg.Connection, latitude: float, longitude: float) -> cell_answers.Row:
    """The cell that speaks for a place, or 404."""
    found = cell_answers.at(connection, context.grid, round(latitude, 6), round(longitude, 6))
    if found is None:
        raise HTTPException(404, OUTSIDE_GRID)
    return found


@router.get("/api/v1/probability")
def read_probability(
    context: Shared,
    lat: models.Latitude,
    lon: models.Longitude,
    risk_type: RiskType,
    scenario_id: models.ScenarioId = _DEFAULT,
    time_period: models.Period | None = None,
) -> models.Probability:
    """Bin probabilities, AAL and its standard error of the cell that holds the point, or of the nearest with results;
    and its AAL over several climate models, where an ensemble is published.

    `full`, the whole time axis of the run, exists for scenario 2 only and is its default; that of the others is
    `mid_term`.
    """
    period = models.period_of(scenario_id, time_period)
    risk = names.risk(risk_type)
    with context.database() as connection:
        cell = cell_of(context, connection, lat, lon)
        found = published_cells.losses(connection, cell["grid_id"], [risk], scenario_id, period)
        made = published_runs.read(connection, [cell["grid_id"]], [risk], [AAL])
        told = published_runs.published_risks(connection)
        several = cell_answers.ensemble(connection, cell["grid_id"], risk, scenario_id, period)
    if risk not in found:
        raise HTTPException(404, "No probability results for the requested location")
    answer = cell_answers.loss(found[risk], told) | cell | made.statement() | {"ensemble": several}
    return models.Probability(**answer)


@router.get("/api/v1/hazard")
def read_hazard(
    context: Shared,
    lat: models.Latitude,
    lon: models.Longitude,
    risk_type: RiskType,
    scenario_id: models.ScenarioId = _DEFAULT,
    time_period: models.Period | None = None,
) -> models.Hazard:
    """Hazard score of the cell that holds the point, or of the nearest with results."""
    period = models.period_of(scenario_id, time_period)
    risk = names.risk(risk_type)
    with context.database() as connection:
        cell = cell_of(context, connection, lat, lon)
        found = published_cells.hazards(connection, cell["grid_id"], [risk], scenario_id, period)
        made = published_runs.read(connection, [cell["grid_id"]], [risk], [HAZARD])
    if risk not in found:
        raise HTTPException(404, "No hazard results for the requested location")
    return models.Hazard(**found[risk]._asdict() | cell | made.statement())


@router.get("/api/v1/cell")
def read_cell(context: Shared, lat: models.Latitude, lon: models.Longitude) -> models.Cell:
    """All published results of the cell that holds the point, or of the nearest with results: every risk, scenario and
    window."""
    with context.database() as connection:
        cell = cell_of(context, connection, lat, lon)
        found = cell_answers.everything(connection, cell["grid_id"])
        made = published_runs.read(connection, [cell["grid_id"]], RISK_NAMES)
        names = published_scenarios.names(connection)
    if found is None:
        raise HTTPException(404, "No results for the requested location")
    centre = {name: cell[name] for name in ("latitude", "longitude")}
    statement = made.statement()
    for each in found["risks"].values():
        each |= {name: each[name] and each[name] | centre for name in ("probability", "hazard")}
        for window in each["windows"]:
            window["scenario"] = models.scenario_name(window["scenario_id"], statement["scope"], names)
    return models.Cell(**found | cell | statement)


@router.get("/api/v1/risk-assessment/results/{lat}/{lon}")
def read_site(
    context: Shared,
    lat: models.PathLatitude,
    lon: models.PathLongitude,
    site_id: Annotated[str | None, models.SiteId] = None,
) -> models.SiteResults:
    """The newest assessment stored at a coordinate, to six decimals. Several assets may stand there: the answer is
    about one, the newest or the one that is asked for, and lists the others."""
    place = Decimal(f"{lat:.6f}"), Decimal(f"{lon:.6f}")
    with context.database() as connection:
        assets = stored_sites.assets(connection, *place)
        asked = [each for each in assets if site_id in (None, each.site_id, str(each.site_uuid))]
        if not asked:
            what = "requested location" if site_id is None else "requested asset at this location"
            raise HTTPException(404, f"No assessment is stored for the {what}")
        asset = asked[0]
        stored = stored_sites.read(connection, asset.site_uuid)._asdict()
        parts = {name: _by_risk(rows) for name, rows in stored.items()}
        made = published_runs.of_numbers(connection, {row["run_id"] for row in parts["aal_scaled"].values()})
    stamps = [row["calculated_at"] for part in parts.values() for row in part.values()]
    for part in parts.values():
        for row in part.values():
            row["site_id"], row["site_uuid"] = asset.site_id, str(asset.site_uuid)
            row["calculated_at"] = row["calculated_at"].isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return models.SiteResults(
        site_id=asset.site_id,
        site_uuid=asset.site_uuid,
        latitude=float(place[0]),
        longitude=float(place[1]),
        others=[models.Asset(**each._asdict()) for each in assets if each is not asset],
        summary=_summary(parts),
        calculated_at=max(stamps),
        exposure=parts["exposure"],
        vulnerability=parts["vulnerability"],
        aal_scaled=parts["aal_scaled"],
        **made,
    )


def _by_risk(rows: Sequence[Exposure | Vulnerability | ScaledAal]) -> dict[str, Any]:
    found = {row.risk_type: row._asdict() for row in rows}
    for row in found.values():
        del row["risk_type"]
    return {risk: found[risk] for risk in RISK_NAMES if risk in found}


def _summary(parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Failed risks are excluded from the sums and listed; what is calibrated on losses is summed apart."""
    aal = parts["aal_scaled"]
    good = {risk: row for risk, row in aal.items() if row["status"] == "ok" and not row["is_default"]}
    losses = {risk: row["expected_loss"] for risk, row in good.items() if row["expected_loss"] is not None}
    known = {risk: row["final_aal"] for risk, row in good.items() if row["final_aal"] is not None}
    index = {risk: loss for risk, loss in losses.items() if not good[risk]["calibrated"]}
    failed = {risk for part in parts.values() for risk, row in part.items() if row["status"] != "ok"}
    return {
        "total_expected_loss": _sum(losses.values()),
        "total_expected_loss_calibrated": _sum([loss for risk, loss in losses.items() if risk not in index]),
        "total_expected_loss_uncalibrated": _sum(index.values()),
        "loss_note": LOSS_NOTE if index else None,
        "overlap_note": overlap_note({risk: risk not in index for risk in losses}),
        "highest_aal_risk": max(known, key=lambda risk: known[risk], default=None),
        "failed_risks": [risk for risk in RISK_NAMES if risk in failed],
    }


def _sum(losses: Collection[int]) -> int | None:
    return sum(losses) if losses else None
