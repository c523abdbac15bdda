"""The same building in every cell of the country: a layer, the cells near the site that would lose less, a sheet."""

from __future__ import annotations

import gzip
import json
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import polars as pl
from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from engine.assess.job import what_if, where_else
from engine.assess.job.assessor import Assessor
from engine.assess.job.loss_years import Pair
from engine.assess.job.where_else import Country, Elsewhere
from engine.assess.rules.everywhere import TOTAL
from engine.assess.rules.offered import RISKS
from engine.assess.rules.prepare import prepare_checked
from engine.core import names
from engine.core.caveats import loss_note
from engine.core.errors import EngineError
from engine.core.period import window
from engine.core.scenario import ScenarioNames, label
from engine.io.results import published_runs, published_scenarios
from engine.io.sites import place_names, site_regions
from engine.service import models, what_if_models
from engine.service.bodies import json_object
from engine.service.context import Context, Shared
from engine.service.problems import InvalidError, fault
from engine.service.routes_what_if import CSV, TAKEN, assessor_of, attached, body_of, in_words, site_of

router = APIRouter(tags=["what-if"])
#: countries (a scenario and period of a run each, 8 MB of 97,377 cells) and answers that are kept
COUNTRIES, ANSWERS = 3, 2
_WITHIN, _FARTHEST, _LISTED, _MOST = 30.0, 2000.0, 20, 200
_BODY = {
    "type": "object",
    "required": ["site"],
    "properties": {
        "site": {"$ref": "#/components/schemas/Site"},
        "within_km": {"type": "number", "exclusiveMinimum": 0, "maximum": _FARTHEST, "default": _WITHIN},
        "most": {"type": "integer", "minimum": 1, "maximum": _MOST, "default": _LISTED},
    },
}


class _Asked(NamedTuple):
    site: dict[str, Any]
    within_km: float
    most: int


class Found(NamedTuple):
    """An answer, before it is in any form."""

    country: Country
    elsewhere: Elsewhere
    pair: Pair


@router.post(
    "/api/v1/where-else",
    response_model=what_if_models.WhereElse,
    responses={
        **TAKEN,
        200: {"content": {"application/octet-stream": {}, "text/csv": {}}},
    },
    openapi_extra=body_of(_BODY),
)
async def read_where_else(
    context: Shared,
    request: Request,
    format: Literal["json", "values", "csv"] = "json",
    risk_type: Annotated[models.RiskName | None, Query(description="of `values`; the total without it")] = None,
) -> Response:
    """The building of a site in every cell that has results, in the one scenario and period that it names: its AAL
    there by risk and in all, net of insurance. `json` has the cells within a distance that would lose less, the least
    first; `values` a 32-bit float a cell, little-endian, the north-west one first, NaN where a risk has no result,
    -infinity where there is no cell; `csv` a row a cell. Nothing is stored."""
    body = await json_object(request)
    asked = _asked(body)
    return await run_in_threadpool(_answer, context, request, asked, format, risk_type and names.risk(risk_type))


def _asked(body: dict[str, Any]) -> _Asked:
    """The body, checked."""
    site = site_of(body, ("site", "within_km", "most"))
    far, most = body.get("within_km", _WITHIN), body.get("most", _LISTED)
    if isinstance(far, bool) or not isinstance(far, int | float) or not 0 < far <= _FARTHEST:
        raise InvalidError([fault(["body", "within_km"], f"Give kilometres above 0, at most {_FARTHEST:g}", far)])
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= _MOST:
        raise InvalidError([fault(["body", "most"], f"Give a whole number of 1 to {_MOST}", most)])
    for name in ("scenario_ids", "time_periods"):
        if len(set(site.get(name) or [0])) > 1:
            raise InvalidError(
                [fault(["body", "site", name], "Where else is of one scenario and one period", site[name])]
            )
    return _Asked(site, float(far), most)


def _answer(context: Context, request: Request, asked: _Asked, form: str, risk: str | None) -> Response:
    with in_words("site"), assessor_of(context) as assessor:
        found = _found(request, assessor, asked.site)
        scenario_names = published_scenarios.names(assessor.application)
        if form == "json":
            more = where_else.candidates(
                assessor.warehouse,
                assessor.application,
                found.country,
                found.elsewhere,
                within_km=asked.within_km,
                most=asked.most,
            )
            place = [found.elsewhere.prepared.sites[name].to_numpy() for name in ("latitude", "longitude")]
            region = site_regions.regions_of(assessor.warehouse, *place).row(0, named=True)
            paths = place_names.paths(assessor.warehouse, [region["admin_code"]])
            named = {"admin_name": region["admin_name"], "region": paths.get(region["admin_code"])}
            return _told(context, found, asked, more, named)
    accepted = "gzip" in request.headers.get("accept-encoding", "")
    if form == "csv":
        return _sheet(found, scenario_names, packed=accepted)
    return _values(context, found.elsewhere, risk, packed=accepted)


def _found(request: Request, assessor: Assessor, site: dict[str, Any]) -> Found:
    """The site everywhere: kept from before, as long as no other run is published."""
    state, run = request.app.state, published_runs.newest(assessor.application)
    version = run and (run.run_id, str(run.published_at))
    key = (version, json.dumps(site, sort_keys=True))
    found: Found | None = state.elsewhere.get(key)
    if found is not None:
        return found
    prepared = prepare_checked(what_if.of_request(assessor, site).checked, assessor.config)
    if prepared.sites.is_empty():
        raise EngineError("; ".join(prepared.failures["reason"].unique(maintain_order=True)))
    scenario, period = prepared.requests.select("scenario_id", "time_period").row(0)
    pair = (int(scenario), str(period))
    country: Country | None = state.countries.get((version, pair))
    if country is None:
        country = where_else.read_country(assessor.warehouse, assessor.application, assessor.config.grid, pair)
        state.countries.put((version, pair), country)
    found = Found(country, where_else.compute(assessor.application, prepared, country, assessor.config), pair)
    state.elsewhere.put(key, found)
    return found


def _told(context: Context, found: Found, asked: _Asked, more: dict[str, Any], named: dict[str, Any]) -> Response:
    of, site = found.elsewhere, found.elsewhere.prepared.sites.row(0, named=True)
    lacking = of.table.filter(pl.col("lacking").list.len() > 0)
    here = {"grid_id": site["grid_id"], "latitude": site["latitude"], "longitude": site["longitude"]}
    answer = {
        **of.published.runs.statement(),
        "scenario_id": found.pair[0],
        "time_period": found.pair[1],
        "years": str(window(found.pair[1], context.grid.axis)),
        "counted": of.counted,
        "left_out": of.left_out,
        "loss_note": loss_note([risk in of.published.config.calibrated for risk in of.counted]),
        "overlap_note": of.here["overlap_note"],
        "risk_notes": dict(of.published.notes),
        "here": {**of.here, **here, **named},
        "cells": of.table.height,
        "cells_without": lacking.height,
        "without": dict(lacking["lacking"].explode().value_counts(sort=True).iter_rows()),
        "within_km": asked.within_km,
        **more,
    }
    told = what_if_models.WhereElse.model_validate(answer)
    return Response(told.model_dump_json(), media_type="application/json")


def _values(context: Context, of: Elsewhere, risk: str | None, *, packed: bool) -> Response:
    grid = context.grid
    cells = np.full((grid.n_lat, grid.n_lon), -np.inf, "<f4")
    cells[grid.indices(of.table["grid_id"].to_numpy())] = of.table[risk or TOTAL].fill_null(np.nan).to_numpy()
    return _packed(Response(cells[::-1].tobytes(), media_type="application/octet-stream"), packed=packed)


def _sheet(found: Found, scenario_names: ScenarioNames, *, packed: bool) -> Response:
    """A row a cell, with what it lacks and what its figures are of."""
    of = found.elsewhere
    stated = of.published.runs.statement()
    table = of.table.select(
        "grid_id",
        "latitude",
        "longitude",
        pl.lit(label(found.pair[0], scenario_names)).alias("scenario"),
        pl.lit(found.pair[1]).alias("time_period"),
        *(pl.col(risk).alias(f"aal_{risk}") for risk in RISKS),
        total_aal=TOTAL,
        counted=pl.lit(";".join(of.counted)),
        lacking=pl.col("lacking").list.join(";"),
        calibrated=pl.lit(all(risk in of.published.config.calibrated for risk in of.counted)),
        scope=pl.lit(stated["scope"]),
        run_ids=pl.lit(";".join(str(run["run_id"]) for run in stated["runs"])),
    )
    return _packed(attached(table.write_csv().encode(), CSV, "where-else.csv"), packed=packed)


def _packed(answer: Response, *, packed: bool) -> Response:
    answer.headers["Vary"] = "Accept-Encoding"
    if packed:
        body = gzip.compress(bytes(answer.body), 1)
        answer.body = body
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Content-Length"] = str(len(body))
    return answer
