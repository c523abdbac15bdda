"""Two portfolios, or two assessments of one, beside each other."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import polars as pl
from fastapi import APIRouter, Query, Request, Response

from engine.assess.job import compare, difference_output
from engine.assess.job.compare import Chosen
from engine.core.errors import SettingsError
from engine.service import models, what_if_models
from engine.service.context import Shared
from engine.service.problems import InvalidError, Problem, fault
from engine.service.routes_portfolio import PATH, result_file
from engine.service.routes_what_if import CSV, XLSX, attached
from engine.service.spoken import language_of

router = APIRouter(tags=["portfolios"])
_MOST = 50_000


@router.get(
    f"{PATH}/{{request_id}}/compare",
    response_model=what_if_models.Comparison,
    responses={
        200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in (XLSX, "text/csv")}},
        404: {"model": Problem},
        409: {"model": Problem, "description": "Not finished"},
    },
)
def read_comparison(  # many: one parameter a field of the query
    context: Shared,
    request: Request,
    request_id: UUID,
    other: Annotated[UUID, Query(alias="with", description="id of the second portfolio; the same one will do")],
    scenario_id: models.ScenarioId | None = None,
    time_period: models.Period | None = None,
    with_scenario_id: models.ScenarioId | None = None,
    with_time_period: models.Period | None = None,
    format: Literal["json", "csv", "xlsx"] = "json",
) -> Response:
    """Two finished portfolios beside each other, each in one scenario and period (without one, its first): sums, risks,
    curves, and assets joined by their ids: new, gone, changed with the fields that changed, or of other results."""
    chosen = [
        Chosen(result_file(context, number, "portfolio.json").parent, scenario, period)
        for number, scenario, period in (
            (request_id, scenario_id, time_period),
            (other, with_scenario_id, with_time_period),
        )
    ]
    try:
        found = compare.of_folders(*chosen)
    except SettingsError as err:
        raise InvalidError([fault(["query", "scenario_id"], str(err))]) from None
    if format == "csv":
        return attached(difference_output.comparison_csv(found.told, found.table), CSV, "comparison.csv")
    if format == "xlsx":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "comparison.xlsx"
            difference_output.comparison_workbook(path, found.told, found.table, language_of(request.scope))
            return attached(path.read_bytes(), XLSX, "comparison.xlsx")
    told: dict[str, Any] = dict(found.told)
    for which, number in zip(compare.WHICH, (request_id, other), strict=True):
        told[which] = told[which] | {"request_id": number}
    told["assets"] = found.table.filter(pl.col("status") != "same").head(_MOST).to_dicts()
    model = what_if_models.Comparison.model_validate(told)
    return Response(model.model_dump_json(), media_type="application/json")
