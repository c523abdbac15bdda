"""Explanation of a published figure: why this number."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import psycopg
from fastapi import APIRouter, HTTPException, Request, Response

from engine.core import names
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.io.results import published_cells, published_runs
from engine.io.results.published_figures import AAL
from engine.io.sites import stored_sites
from engine.service import cell_explanations, models
from engine.service.cell_explanations import Asked, CannotExplainError, CellExplanations
from engine.service.context import Shared
from engine.service.explain_models import Explained
from engine.service.problems import Problem
from engine.service.routes_climate import tagged
from engine.service.routes_results import RiskType, cell_of
from engine.service.turn import TurnTakenError

router = APIRouter(tags=["results"], responses={404: {"model": Problem, "description": "No cell, figure or asset"}})
BUSY = "Explanations of too many figures are asked for at once: ask again"
#: as `engine.assess.rules.scaling` computes it
SITE_SENTENCE = (
    "final_aal is base_aal x vulnerability_scale x (1 - insurance_rate), at most 1; vulnerability_scale is 0.9 +"
    " 0.002 x vulnerability_score; expected_loss is final_aal x the asset's value"
)


@router.get(
    "/api/v1/explain",
    response_model=Explained,
    responses={
        304: {"description": "Unchanged"},
        409: {"model": Problem, "description": "The figure cannot be recomputed: data or edition are away or changed"},
    },
)
def read_explanation(  # many: one parameter a field of the query
    context: Shared,
    request: Request,
    lat: models.Latitude,
    lon: models.Longitude,
    risk_type: RiskType,
    scenario_id: models.ScenarioId = int(DEFAULT_SCENARIO),
    time_period: models.Period | None = None,
    site_id: Annotated[str | None, models.SiteId] = None,
) -> Response:
    """Why a figure is what it is: inputs, samples, bins, damage rates, edition and source of the cell that speaks for
    the point, recomputed from the run's climate data beside the stored figure. With `site_id` also what makes the loss
    of that asset."""
    period, risk = models.period_of(scenario_id, time_period), names.risk(risk_type)
    models.require_text(site_id)
    with context.database() as connection:
        cell = cell_of(context, connection, lat, lon)
        found = published_cells.losses(connection, cell["grid_id"], [risk], scenario_id, period)
        if risk not in found:
            raise HTTPException(404, "No probability results for the requested location")
        statement = published_runs.read(connection, [cell["grid_id"]], [risk], [AAL]).statement()
        made = [run["run_id"] for run in statement["runs"]]
        run = published_runs.every(connection).get(max(made)) if made else None
        site = None if site_id is None else _site(connection, (lat, lon), site_id, (risk, scenario_id, period))
    reader: CellExplanations = request.app.state.explained
    asked = Asked(cell["latitude"], cell["longitude"], risk, Scenario(scenario_id), period)
    try:
        told = reader.read(context, asked, run)
    except CannotExplainError as err:
        raise HTTPException(409, str(err)) from None
    except TurnTakenError:
        raise HTTPException(503, BUSY, {"Retry-After": "5"}) from None
    if site is not None and site["loss"] is not None:
        site["same_run"] = run is not None and site["loss"]["run_id"] == run["run_id"]
    more = {"stored": cell_explanations.stored(found[risk], told), "site": site}
    return tagged(request, Explained.model_validate(told | cell | statement | more).model_dump_json().encode())


def _site(
    connection: psycopg.Connection, place: tuple[float, float], site_id: str, of: tuple[str, int, str]
) -> dict[str, Any]:
    """Stored factors of an asset. of: risk, scenario and period"""
    latitude, longitude = (Decimal(f"{degrees:.6f}") for degrees in place)
    known = stored_sites.assets(connection, latitude, longitude)
    asked = [each for each in known if site_id in (each.site_id, str(each.site_uuid))]
    if not asked:
        raise HTTPException(404, "No assessment is stored for the requested asset at this location")
    site = asked[0].site_uuid
    parts = stored_sites.read(connection, site)
    loss = stored_sites.scaled(connection, site, *of)
    return {
        "site_id": asked[0].site_id,
        "site_uuid": site,
        "sentence": SITE_SENTENCE,
        "exposure": next((row._asdict() for row in parts.exposure if row.risk_type == of[0]), None),
        "vulnerability": next((row._asdict() for row in parts.vulnerability if row.risk_type == of[0]), None),
        "loss": loss and loss._asdict(),
        "same_run": None,
    }
