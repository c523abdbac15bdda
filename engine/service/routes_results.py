"""Published results: probability and hazard of a cell, stored assessments of a site."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Annotated, Any, LiteralString
from uuid import UUID

import psycopg
from fastapi import APIRouter, HTTPException, Query
from psycopg.rows import dict_row

from engine.assess.rules.vocabulary import OUTSIDE_GRID
from engine.core.caveats import LOSS_NOTE, ONE_STORM, OVERLAP_NOTE
from engine.core.names import RISK_NAMES
from engine.core.scenario import DEFAULT_SCENARIO
from engine.io.results import published_runs
from engine.service import cells, models
from engine.service.context import Context, Shared
from engine.service.problems import Problem

router = APIRouter(tags=["results"], responses={404: {"model": Problem, "description": "Nothing is stored there"}})
RiskType = Annotated[models.RiskName, Query(description="a risk, or an older name of one")]
_DEFAULT = int(DEFAULT_SCENARIO)


def cell_of(context: Context, connection: psycopg.Connection, latitude: float, longitude: float) -> cells.Row:
    """The cell that speaks for a place, or 404."""
    found = cells.at(connection, context.grid, round(latitude, 6), round(longitude, 6))
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
    """Bin probabilities, AAL and its standard error of the cell that holds the point, or of the nearest with results.

    `full`, the whole time axis of the run, exists for scenario 2 only and is its default; that of the others is
    `mid_term`.
    """
    period = models.period_of(scenario_id, time_period)
    risk = cells.canonical(risk_type)
    with context.database() as connection:
        cell = cell_of(context, connection, lat, lon)
        found = cells.probability(connection, cell["grid_id"], [risk], scenario_id, period)
        made = published_runs.read(connection, [cell["grid_id"]], [risk], [published_runs.PROBABILITY])
    if risk not in found:
        raise HTTPException(404, "No probability results for the requested location")
    return models.Probability(**found[risk] | cell | made.statement())


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
    risk = cells.canonical(risk_type)
    with context.database() as connection:
        cell = cell_of(context, connection, lat, lon)
        found = cells.hazard(connection, cell["grid_id"], [risk], scenario_id, period)
        made = published_runs.read(connection, [cell["grid_id"]], [risk], [published_runs.HAZARD])
    if risk not in found:
        raise HTTPException(404, "No hazard results for the requested location")
    return models.Hazard(**found[risk] | cell | made.statement())


@router.get("/api/v1/cell")
def read_cell(context: Shared, lat: models.Latitude, lon: models.Longitude) -> models.Cell:
    """All published results of the cell that holds the point, or of the nearest with results: every risk, scenario and
    window."""
    with context.database() as connection:
        cell = cell_of(context, connection, lat, lon)
        found = cells.everything(connection, cell["grid_id"])
        made = published_runs.read(connection, [cell["grid_id"]], RISK_NAMES)
    if found is None:
        raise HTTPException(404, "No results for the requested location")
    centre = {name: cell[name] for name in ("latitude", "longitude")}
    statement = made.statement()
    for each in found["risks"].values():
        each |= {name: each[name] and each[name] | centre for name in ("probability", "hazard")}
        for window in each["windows"]:
            window["scenario"] = models.scenario_name(window["scenario_id"], statement["scope"])
    return models.Cell(**found | cell | statement)


_STORED: dict[str, LiteralString] = {
    "exposure": "SELECT risk_type, exposure_score, proximity_factor, normalized_asset_value, status, reason,"
    " is_default, calculated_at FROM exposure_results WHERE site_id = %s",
    "vulnerability": "SELECT risk_type, vulnerability_score, vulnerability_level, factors, status, reason, is_default,"
    " calculated_at FROM vulnerability_results WHERE site_id = %s",
    # of several periods the newest, of those of one assessment `full` first
    "aal_scaled": "SELECT DISTINCT ON (risk_type) risk_type, scenario_id, time_period, base_aal,"
    " vulnerability_scale::float8, insurance_rate::float8, final_aal, 100 * final_aal AS final_aal_percentage,"
    " expected_loss, calibrated, aal_capped, run_id, status, reason, is_default, calculated_at FROM aal_scaled_results"
    " WHERE site_id = %s AND scenario_id = 2 ORDER BY risk_type, calculated_at DESC, time_period",
}
_ASSETS: LiteralString = """
SELECT e.site_id AS site_uuid, a.given_id AS site_id, max(e.calculated_at) AS calculated_at
  FROM exposure_results e LEFT JOIN site_assets a USING (site_id)
 WHERE e.latitude = %s AND e.longitude = %s GROUP BY 1, 2 ORDER BY 3 DESC, 1
"""


@router.get("/api/v1/risk-assessment/results/{lat}/{lon}")
def read_site(
    context: Shared,
    lat: models.PathLatitude,
    lon: models.PathLongitude,
    site_id: Annotated[str | None, models.SiteId] = None,
) -> models.SiteResults:
    """The newest assessment stored at a coordinate, to six decimals. Several assets may stand there: the answer is
    about one, the newest or the one that is asked for, and lists the others."""
    place = tuple(Decimal(f"{value:.6f}") for value in (lat, lon))
    with context.database() as connection:
        assets = _rows(connection, _ASSETS, place)
        asked = [each for each in assets if site_id in (None, each["site_id"], str(each["site_uuid"]))]
        if not asked:
            what = "requested location" if site_id is None else "requested asset at this location"
            raise HTTPException(404, f"No assessment is stored for the {what}")
        asset = asked[0]
        parts = {name: _by_risk(connection, query, asset["site_uuid"]) for name, query in _STORED.items()}
        made = published_runs.of_numbers(connection, {row["run_id"] for row in parts["aal_scaled"].values()})
    stamps = [row["calculated_at"] for part in parts.values() for row in part.values()]
    for part in parts.values():
        for row in part.values():
            row["site_id"], row["site_uuid"] = asset["site_id"], str(asset["site_uuid"])
            row["calculated_at"] = row["calculated_at"].isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return models.SiteResults(
        site_id=asset["site_id"],
        site_uuid=asset["site_uuid"],
        latitude=float(place[0]),
        longitude=float(place[1]),
        others=[models.Asset(**each) for each in assets if each is not asset],
        summary=_summary(parts),
        calculated_at=max(stamps),
        exposure=parts["exposure"],
        vulnerability=parts["vulnerability"],
        aal_scaled=parts["aal_scaled"],
        **made,
    )


def _rows(connection: psycopg.Connection, query: LiteralString, values: tuple[object, ...]) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values).fetchall()


def _by_risk(connection: psycopg.Connection, query: LiteralString, site: UUID) -> dict[str, Any]:
    rows = {row.pop("risk_type"): row for row in _rows(connection, query, (site,))}
    return {risk: rows[risk] for risk in RISK_NAMES if risk in rows}


def _summary(parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Failed risks are excluded from the sums and listed; what is calibrated on losses is summed apart."""
    aal = parts["aal_scaled"]
    good = {risk: row for risk, row in aal.items() if row["status"] == "ok" and not row["is_default"]}
    losses = {risk: row["expected_loss"] for risk, row in good.items() if row["expected_loss"] is not None}
    index = {risk: loss for risk, loss in losses.items() if not good[risk]["calibrated"]}
    failed = {risk for part in parts.values() for risk, row in part.items() if row["status"] != "ok"}
    return {
        "total_expected_loss": _sum(losses.values()),
        "total_expected_loss_calibrated": _sum([loss for risk, loss in losses.items() if risk not in index]),
        "total_expected_loss_uncalibrated": _sum(index.values()),
        "loss_note": LOSS_NOTE if index else None,
        "overlap_note": OVERLAP_NOTE if len(index.keys() & set(ONE_STORM)) > 1 else None,
        "highest_aal_risk": max(good, key=lambda risk: good[risk]["final_aal"], default=None),
        "failed_risks": [risk for risk in RISK_NAMES if risk in failed],
    }


def _sum(losses: Collection[int]) -> int | None:
    return sum(losses) if losses else None
