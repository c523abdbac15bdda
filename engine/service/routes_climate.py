"""Climate of a place: the series that the published figures were computed from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Literal

import psycopg
from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

from engine.core import refusals
from engine.core.caveats import scope_note
from engine.core.counted import agree, counted
from engine.core.errors import SettingsError
from engine.core.names import among
from engine.core.period import Years
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.core.variables import VARIABLES, Variable
from engine.io.climate import cell_series
from engine.io.results import published_scenarios
from engine.service import models
from engine.service.context import Shared
from engine.service.problems import InvalidError, Problem, fault
from engine.service.routes_results import cell_of

router = APIRouter(tags=["climate"])
#: values of an answer, about 8 bytes each
_MOST = 200_000
Year = Annotated[int | None, Query(ge=1, le=9999)]


class ClimateSeries(BaseModel):
    """One scenario. variables: name -> values in order of time, null where there is none"""

    grid_id: int
    scenario_id: int
    scenario: str = Field(examples=["SSP2-4.5"], description="of an observed record: Observed record")
    start_year: int
    end_year: int
    variables: dict[str, list[float | None]] = Field(
        description="12 values a year from January of start_year, or one a year: see `steps`"
    )


class Climate(ClimateSeries, models.Spoken):
    """Series of the cell that speaks for a place, of the first scenario that was asked for; others hold the rest."""

    latitude: float = Field(description="of the cell's centre")
    longitude: float
    scope: str = Field(description="of the climate data: full, sample:N, synthetic or observed")
    scope_note: str | None
    units: dict[str, str] = Field(examples=[{"ta": "degC"}])
    steps: dict[str, Literal["month", "year"]] = Field(examples=[{"ta": "month"}])
    meanings: dict[str, str] = Field(examples=[{"ta": "mean air temperature"}])
    others: list[ClimateSeries]


@router.get(
    "/api/v1/climate",
    response_model=Climate,
    responses={
        304: {"description": "Unchanged"},
        404: {"model": Problem, "description": "No cell within reach, or a variable that is not loaded"},
    },
)
def read_climate(
    context: Shared,
    request: Request,
    lat: models.Latitude,
    lon: models.Longitude,
    variables: Annotated[
        list[str] | None,
        Query(description="repeated, or separated by commas; left out: all that are loaded", examples=[["ta", "rn"]]),
    ] = None,
    scenarios: Annotated[
        list[str] | None,
        Query(description="ids or names, repeated or separated by commas; left out: 2, SSP2-4.5", examples=[["2"]]),
    ] = None,
    first: Annotated[Year, Query(alias="from", description="first year; left out: that of the data")] = None,
    last: Annotated[Year, Query(alias="to", description="last year, included")] = None,
) -> Response:
    """Monthly and yearly series of the cell that holds the point, or of the nearest with results. The answer has an
    `ETag`: sent back as `If-None-Match` it costs no transfer."""
    chosen = _scenarios(scenarios)
    years = _years(context.grid.axis, first, last)
    with context.database() as connection:
        cell = cell_of(context, connection, lat, lon)
        names = published_scenarios.names(connection)
    with context.climate() as connection:
        held = cell_series.loaded(connection)
        wanted = _variables(variables, held)
        if (values := sum(each.steps for each in wanted) * years.n * len(chosen)) > _MOST:
            raise InvalidError(
                [
                    fault(
                        ["query"],
                        f"{counted(values, 'value')} {agree(values, 'is', 'are')} asked for,"
                        f" more than {_MOST:,}: ask for fewer years",
                        values,
                    )
                ]
            )
        scope = cell_series.scope(connection)
        found = _read(connection, cell["grid_id"], {each: held[each] for each in wanted}, chosen, years)
    series = [
        {
            "grid_id": cell["grid_id"],
            "scenario_id": int(scenario),
            "scenario": models.scenario_name(scenario, scope, names),
            "start_year": years.first,
            "end_year": years.last,
            "variables": {each.name: found[each][place] for each in wanted},
        }
        for place, scenario in enumerate(chosen)
    ]
    told = Climate.model_validate(
        {
            **cell,
            **series[0],
            **_told_of(scope, wanted),
            "others": series[1:],
        }
    )
    return tagged(request, told.model_dump_json().encode())


def _told_of(scope: str, variables: Sequence[Variable]) -> dict[str, object]:
    return {
        "scope": scope,
        "scope_note": scope_note(scope),
        "units": {each.name: each.unit for each in variables},
        "steps": {each.name: "month" if each.monthly else "year" for each in variables},
        "meanings": {each.name: each.meaning for each in variables},
    }


def tagged(request: Request, body: bytes) -> Response:
    """A JSON body with its `ETag`; 304 for a client that has it."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _read(
    connection: psycopg.Connection,
    cell: int,
    held: dict[Variable, list[Scenario]],
    chosen: Sequence[Scenario],
    years: Years,
) -> dict[Variable, list[list[float | None]]]:
    """Variable -> a series for each chosen scenario; without a column for it there is no value."""
    found = {}
    for variable, columns in held.items():
        there = [scenario for scenario in chosen if scenario in columns]
        series = dict(zip(there, cell_series.read(connection, cell, variable, there, years), strict=True))
        nothing: list[float | None] = [None] * (years.n * variable.steps)
        found[variable] = [series.get(scenario, nothing) for scenario in chosen]
    return found


def _split(values: Sequence[str] | None) -> list[str]:
    return list(dict.fromkeys(part.strip() for text in values or () for part in text.split(",") if part.strip()))


def _scenarios(asked: Sequence[str] | None) -> list[Scenario]:
    found = []
    for text in _split(asked):
        try:
            found.append(Scenario.parse(text))
        except SettingsError:
            raise InvalidError([fault(["query", "scenarios"], refusals.scenario(text), text)]) from None
    return list(dict.fromkeys(found)) or [DEFAULT_SCENARIO]


def _years(axis: Years, first: int | None, last: int | None) -> Years:
    years = Years(max(first or axis.first, axis.first), min(last or axis.last, axis.last))
    if years.n < 1:
        words = f"No year from {first or axis.first} to {last or axis.last}: the data hold {axis}"
        name, value = ("to", last) if first is None else ("from", first)
        raise InvalidError([fault(["query", name], words, value)])
    return years


def _variables(asked: Sequence[str] | None, held: dict[Variable, list[Scenario]]) -> list[Variable]:
    names, there = _split(asked), [each.name for each in held]
    for name in names:
        if name not in VARIABLES:
            words = f"Unknown variable: {name}; {among(name, VARIABLES)}"
            raise InvalidError([fault(["query", "variables"], words, name)])
    if absent := [name for name in names if name not in there]:
        raise HTTPException(404, f"No data of {', '.join(absent)} are loaded; there are {', '.join(there) or 'none'}")
    return [VARIABLES[name] for name in names] or list(held)
