"""Savings of a measure: at one site, or at the sites of a portfolio. Nothing is stored."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from engine.assess.job import difference_output, what_if
from engine.assess.job.assessor import Assessor
from engine.assess.job.loss_years import Pair
from engine.assess.job.what_if import WhatIf
from engine.assess.rules.measures import CHANGEABLE, Measure, measure_of
from engine.assess.rules.offered import RISKS
from engine.core.errors import EngineError, SettingsError
from engine.core.language import Language
from engine.service import models, what_if_models
from engine.service.bodies import json_object
from engine.service.context import Context, Shared
from engine.service.intake import faults_of
from engine.service.problems import InvalidError, Problem, fault
from engine.service.routes_assess import BODY_REFUSALS, find
from engine.service.routes_portfolio import PATH, in_our_words, result_file
from engine.service.spoken import language_of
from engine.service.turn import TurnTakenError

router = APIRouter(tags=["what-if"])
BUSY = "Others are being computed: try again in a moment"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv; charset=utf-8"
_MOST = 50_000
#: portfolios whose sites are kept as the warehouse filled them, up to so many sites each; sites of one answer
FILLED, KEPT_SITES, MOST_SITES = 2, 50_000, 200_000
_MONEY = {"type": "number", "minimum": 0}
MEASURE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "set": {"type": "object", "description": f"fields and their values with the measure: {', '.join(CHANGEABLE)}"},
        "prevents": {
            "type": "object",
            "description": "risk -> share of its loss that the measure prevents, 0 to 1",
            "properties": {risk: {"type": "number", "exclusiveMinimum": 0, "maximum": 1} for risk in RISKS},
        },
        "cost": {
            "type": "object",
            "properties": {
                **dict.fromkeys(("per_site", "total", "upkeep_per_site", "upkeep_total"), _MONEY),
                "discount_rate": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
                "years": {"type": "integer", "minimum": 1, "maximum": 200},
            },
        },
        "sites": {
            "type": "object",
            "description": "where it is taken; all sites without it",
            "properties": {
                "rows": {"type": "array", "items": {"type": "integer"}},
                "site_ids": {"type": "array", "items": {"type": "string"}},
            },
        },
    },
    "example": {
        "name": "Raise the ground floor, flood gates",
        "set": {"floors_below": 0},
        "prevents": {"river_flood": 0.4},
        "cost": {"per_site": 50_000_000, "upkeep_per_site": 500_000},
    },
}
_SITE_BODY = {
    "type": "object",
    "required": ["site", "measure"],
    "properties": {"site": {"$ref": "#/components/schemas/Site"}, "measure": MEASURE},
}
TAKEN: dict[int | str, dict[str, Any]] = {
    **BODY_REFUSALS,
    404: {"model": Problem, "description": "No results there"},
}


def body_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Description of a body that the engine checks itself."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@contextmanager
def in_words(*loc: str) -> Iterator[None]:
    """Refusals of the engine as those of the service; loc: of what is refused."""
    try:
        yield
    except SettingsError as err:
        raise InvalidError([fault(["body", *loc], str(err))]) from None
    except TurnTakenError:
        raise HTTPException(503, BUSY, {"Retry-After": "5"}) from None
    except EngineError as err:
        if type(err) is not EngineError:  # a database that is away
            raise
        raise HTTPException(404, str(err)) from None


def part(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object of the body.

    raises : InvalidError
    """
    value = body.get(name)
    if not isinstance(value, dict):
        raise InvalidError([fault(["body", name], f"Give {name} as an object", value)])
    return value


def site_of(body: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    """The site of a body, without a fault. known: what the body may hold

    raises : InvalidError with all faults
    """
    for name in body:
        if name not in known:
            raise InvalidError([fault(["body", name], f"Unknown field {name!r}: give {', '.join(known)}")])
    site = part(body, "site")
    if faults := faults_of(site):
        raise InvalidError([each | {"loc": ["body", "site", *each["loc"][1:]]} for each in faults])
    return site


@contextmanager
def assessor_of(context: Context) -> Iterator[Assessor]:
    """An assessor on both databases, for reading."""
    with context.climate() as warehouse, context.database() as application:
        yield Assessor.open(warehouse, application, context.config)


@router.post("/api/v1/what-if", responses=TAKEN, openapi_extra=body_of(_SITE_BODY))
async def what_if_of_site(context: Shared, request: Request) -> what_if_models.WhatIf:
    """Losses of one site without and with a measure, in the scenarios and periods that the site names: by risk and in
    all, with 90 % intervals, what is saved and, where a cost is stated, when it has paid. Nothing is stored."""
    body = await json_object(request)
    site = site_of(body, ("site", "measure"))
    measure = _measure(part(body, "measure"), "measure")
    if measure.rows is not None or measure.site_ids is not None:
        raise InvalidError([fault(["body", "measure", "sites"], "One site takes the measure: leave sites out")])
    return await run_in_threadpool(_of_site, context, request, site, measure)


def _measure(told: Mapping[str, Any], *loc: str) -> Measure:
    with in_words(*loc):
        return measure_of(told)


def _of_site(context: Context, request: Request, site: Mapping[str, Any], measure: Measure) -> what_if_models.WhatIf:
    with in_words("site"), assessor_of(context) as assessor:
        asked = what_if.of_request(assessor, site)
        with request.app.state.turn.taken():
            found = what_if.compute(assessor, asked, measure)
    sides = found.sides.select(what_if_models.SiteSide.model_fields.keys()).to_dicts()
    return what_if_models.WhatIf.model_validate(found.told | {"site_risks": sides, "saved_sites": []})


@router.post(
    f"{PATH}/{{request_id}}/what-if",
    response_model=what_if_models.WhatIf,
    responses={
        **TAKEN,
        200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in (XLSX, "text/csv")}},
        409: {"model": Problem, "description": "Not finished, or its file is not kept any more"},
    },
    openapi_extra=body_of(MEASURE),
)
async def what_if_of_portfolio(
    context: Shared,
    request: Request,
    request_id: UUID,
    scenario_id: models.ScenarioId,
    time_period: models.Period,
    format: Literal["json", "csv", "xlsx"] = "json",
    of: Annotated[
        Literal["all", "taken"], Query(description="sites that are summed: all, or those that take it")
    ] = "all",
    most: Annotated[int, Query(ge=0, le=_MOST, description="sites of the answer, those that save most")] = 1000,
) -> Response:
    """Losses of a finished portfolio without and with a measure in one scenario and period, both computed anew from
    what is published now: sums with 90 % intervals, by risk, by site, curves of year losses, pay-back. Nothing is
    stored."""
    measure = _measure(await json_object(request))
    pair = (scenario_id, models.period_of(scenario_id, time_period))
    asked = _Asked(request_id, measure, pair, only_taken=of == "taken")
    found = await run_in_threadpool(_of_portfolio, context, request, asked)
    if format == "csv":
        return attached(difference_output.what_if_csv(found.told, found.sites), CSV, "what_if.csv")
    if format == "xlsx":
        return attached(await run_in_threadpool(_workbook, found, language_of(request.scope)), XLSX, "what_if.xlsx")
    sites = found.sites.sort("saving", descending=True, nulls_last=True, maintain_order=True).head(most).to_dicts()
    told = what_if_models.WhatIf.model_validate(found.told | {"site_risks": [], "saved_sites": sites})
    return Response(told.model_dump_json(), media_type="application/json")


class _Asked(NamedTuple):
    request_id: UUID
    measure: Measure
    pair: Pair
    only_taken: bool


def _of_portfolio(context: Context, request: Request, of: _Asked) -> WhatIf:
    request_id = of.request_id
    path = result_file(context, request_id, "portfolio.json")
    rows, folder = json.loads(path.read_bytes())["rows"], path.parent
    if rows > MOST_SITES:
        what = f"A what-if over HTTP takes at most {MOST_SITES:,} sites, the portfolio has {rows:,}"
        raise HTTPException(413, f"{what}: run jobs.assess --what-if")
    parameters = portfolio_parameters(context, request_id)
    kept = request.app.state.filled
    with in_words(), assessor_of(context) as assessor:
        asked = kept.get((request_id,))
        if asked is None:
            try:
                asked = what_if.of_file(assessor, parameters)
            except SettingsError as err:
                raise HTTPException(409, in_our_words(str(err), folder.parent)) from None
            if rows <= KEPT_SITES:
                kept.put((request_id,), asked)
        with request.app.state.turn.taken():
            return what_if.compute(assessor, asked, of.measure, of.pair, only_taken=of.only_taken)


def portfolio_parameters(context: Context, request_id: UUID) -> Mapping[str, Any]:
    """Parameters of the job of a finished portfolio, or 409 where its file is gone."""
    parameters = find(context, request_id).input_params
    if not Path(parameters["sites"]).is_file():
        raise HTTPException(409, "The file of the portfolio is not kept any more")
    return parameters


def _workbook(found: WhatIf, language: Language) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "what_if.xlsx"
        difference_output.what_if_workbook(path, found.told, found.sites, language)
        return path.read_bytes()


def attached(data: bytes, kind: str, name: str) -> Response:
    """A file that a browser saves under a name."""
    return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
