"""Published results: probability and hazard of a cell, stored assessments of a site."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, LiteralString, get_args

import psycopg
from fastapi import APIRouter, HTTPException, Query
from psycopg.rows import dict_row

from engine.assess.vocabulary import OUTSIDE_GRID
from engine.scenario import DEFAULT_SCENARIO
from engine.service import cells, models
from engine.service.context import Context, Shared
from engine.service.problems import Problem

router = APIRouter(tags=["results"], responses={404: {"model": Problem, "description": "Nothing is stored there"}})
RiskType = Annotated[models.RiskName, Query(description="one of the nine risks, or an older name")]
_DEFAULT = int(DEFAULT_SCENARIO)


def _cell(context: Context, latitude: float, longitude: float) -> int:
    cell = int(context.grid.locate(round(latitude, 6), round(longitude, 6)))
    if not cell:
        raise HTTPException(404, OUTSIDE_GRID)
    return cell


@router.get("/api/v1/probability")
def read_probability(
    context: Shared,
    lat: models.Latitude,
    lon: models.Longitude,
    risk_type: RiskType,
    scenario_id: models.ScenarioId = _DEFAULT,
    time_period: models.Period | None = None,
) -> models.Probability:
    """Bin probabilities, AAL and its standard error of the cell that holds the point.

    `full` (2021-2100) exists for scenario 2 only and is its default; that of the others is `mid_term`.
    """
    period = models.period_of(scenario_id, time_period)
    cell, risk = _cell(context, lat, lon), cells.canonical(risk_type)
    with context.database() as connection:
        found = cells.probability(connection, cell, [risk], scenario_id, period)
    if risk not in found:
        raise HTTPException(404, "No probability results for the requested location")
    return models.Probability(**found[risk])


@router.get("/api/v1/hazard")
def read_hazard(
    context: Shared,
    lat: models.Latitude,
    lon: models.Longitude,
    risk_type: RiskType,
    scenario_id: models.ScenarioId = _DEFAULT,
    time_period: models.Period | None = None,
) -> models.Hazard:
    """Hazard score of the cell that holds the point."""
    period = models.period_of(scenario_id, time_period)
    cell, risk = _cell(context, lat, lon), cells.canonical(risk_type)
    with context.database() as connection:
        found = cells.hazard(connection, cell, [risk], scenario_id, period)
    if risk not in found:
        raise HTTPException(404, "No hazard results for the requested location")
    return models.Hazard(**found[risk])


@router.get("/api/v1/cell")
def read_cell(context: Shared, lat: models.Latitude, lon: models.Longitude) -> models.Cell:
    """All published results of the cell that holds the point: nine risks, every scenario and window."""
    cell = _cell(context, lat, lon)
    with context.database() as connection:
        found = cells.everything(connection, cell)
    if found is None:
        raise HTTPException(404, "No results for the requested location")
    return models.Cell(**found)


_STORED: dict[str, LiteralString] = {
    "exposure": "SELECT risk_type, exposure_score, proximity_factor, normalized_asset_value, status, reason,"
    " is_default, site_id::text, calculated_at FROM exposure_results_latest WHERE latitude = %s AND longitude = %s",
    "vulnerability": "SELECT risk_type, vulnerability_score, vulnerability_level, factors, status, reason, is_default,"
    " site_id::text, calculated_at FROM vulnerability_results_latest WHERE latitude = %s AND longitude = %s",
    "aal_scaled": "SELECT risk_type, scenario_id, time_period, base_aal, vulnerability_scale::float8,"
    " insurance_rate::float8, final_aal, 100 * final_aal AS final_aal_percentage, expected_loss, aal_capped, status,"
    " reason, is_default, site_id::text, calculated_at FROM aal_scaled_results_latest"
    " WHERE latitude = %s AND longitude = %s",
}


@router.get("/api/v1/risk-assessment/results/{lat}/{lon}")
def read_site(context: Shared, lat: models.PathLatitude, lon: models.PathLongitude) -> models.SiteResults:
    """The newest assessment stored at a coordinate, to six decimals."""
    place = tuple(Decimal(f"{value:.6f}") for value in (lat, lon))
    with context.database() as connection:
        parts = {name: _by_risk(connection, query, place) for name, query in _STORED.items()}
    stamps = [row["calculated_at"] for part in parts.values() for row in part.values()]
    if not stamps:
        raise HTTPException(404, "No assessment is stored for the requested location")
    newest = max(stamps)
    for part in parts.values():
        for row in part.values():
            row["calculated_at"] = row["calculated_at"].isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return models.SiteResults(
        latitude=float(place[0]), longitude=float(place[1]), summary=_summary(parts), calculated_at=newest, **parts
    )


def _by_risk(connection: psycopg.Connection, query: LiteralString, place: tuple[Decimal, ...]) -> dict[str, Any]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = {row.pop("risk_type"): row for row in cursor.execute(query, place).fetchall()}
    ordered = [*get_args(models.RiskName)]
    return {risk: rows[risk] for risk in sorted(rows, key=ordered.index)}


def _summary(parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Failed risks are excluded from the sum and listed."""
    aal = parts["aal_scaled"]
    good = {risk: row for risk, row in aal.items() if row["status"] == "ok" and not row["is_default"]}
    losses = [row["expected_loss"] for row in good.values() if row["expected_loss"] is not None]
    failed = {risk for part in parts.values() for risk, row in part.items() if row["status"] != "ok"}
    return {
        "total_expected_loss": sum(losses) if losses else None,
        "highest_aal_risk": max(good, key=lambda risk: good[risk]["final_aal"], default=None),
        "failed_risks": sorted(failed, key=[*get_args(models.RiskName)].index),
    }
