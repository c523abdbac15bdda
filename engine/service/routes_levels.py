"""Return levels of the intensity in a cell."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from engine.core import names
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.io.results import published_runs, published_scenarios
from engine.io.results.published_figures import AAL
from engine.service import models
from engine.service.cell_levels import Asked, CellLevels
from engine.service.context import Shared
from engine.service.loss_models import ReturnLevels
from engine.service.problems import Problem
from engine.service.routes_climate import tagged
from engine.service.routes_results import RiskType, cell_of

router = APIRouter(tags=["results"], responses={404: {"model": Problem, "description": "No cell within reach"}})


@router.get("/api/v1/cell/return-levels", response_model=ReturnLevels, responses={304: {"description": "Unchanged"}})
def read_return_levels(
    context: Shared,
    request: Request,
    lat: models.Latitude,
    lon: models.Longitude,
    risk_type: RiskType,
    scenario_id: models.ScenarioId = int(DEFAULT_SCENARIO),
    time_period: models.Period | None = None,
) -> Response:
    """What a year of the scenario and period reaches once in 10, 20, 50 and 100 years: a rain, a wind, an index, with
    its 90 % interval. Where there are no levels, `levels` is null and `reason` says why."""
    period, risk = models.period_of(scenario_id, time_period), names.risk(risk_type)
    with context.database() as connection:
        cell = cell_of(context, connection, lat, lon)
        statement = published_runs.read(connection, [cell["grid_id"]], [risk], [AAL]).statement()
        made = [run["run_id"] for run in statement["runs"]]
        run = published_runs.every(connection).get(max(made)) if made else None
        shown = published_scenarios.names(connection)
    reader: CellLevels = request.app.state.levels
    told = reader.read(context, Asked(cell["grid_id"], risk, Scenario(scenario_id), period), run)
    of = {
        "risk_type": risk,
        "scenario_id": scenario_id,
        "scenario": models.scenario_name(scenario_id, statement["scope"], shown),
        "time_period": period,
    }
    return tagged(request, ReturnLevels.model_validate(cell | statement | of | told).model_dump_json().encode())
