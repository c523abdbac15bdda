"""Portfolios: a table of sites is streamed to disk and becomes one job, its results are files."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool

from engine.assess.job import portfolio_check, portfolio_file
from engine.assess.rules.columns import stated
from engine.assess.rules.offered import RISKS
from engine.core import names
from engine.core.errors import EngineError, LimitError
from engine.core.language import DEFAULT
from engine.io.files import packed
from engine.io.files.packed import Limits
from engine.io.queue import batch_jobs
from engine.io.sites.assessment_files import SUFFIXES
from engine.service import models, uploads
from engine.service.answers import File
from engine.service.context import Context, Shared
from engine.service.problems import InvalidError, Problem, fault
from engine.service.routes_assess import find, socket_url
from engine.service.spoken import language_of

PATH = "/api/v1/risk-assessment/portfolio"
router = APIRouter(tags=["portfolios"])
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"schema": {"type": "object", "properties": {"file": _BINARY["schema"]}, "required": ["file"]}}
_CONTENT = {**dict.fromkeys(uploads.MEDIA_TYPES, _BINARY), uploads.FORM: _FORM}
#: of every route that takes a table: its body, and why it may be refused
BODY = {"requestBody": {"required": True, "content": _CONTENT}}
REFUSALS: dict[int | str, dict[str, Any]] = {
    408: {"model": Problem, "description": "The table did not arrive in time"},
    413: {"model": Problem, "description": "Too many bytes or rows, unpacked"},
    415: {"model": Problem, "description": "Neither a workbook nor Parquet, CSV or NDJSON, plain or packed"},
}
#: what a table of rates is called in the folder of its job
_RATES = "rates.csv"
#: 180 currencies of the world are 4,000 characters
Rates = Annotated[
    str | None,
    Query(
        max_length=5000,
        description="exchange rates into the currency of the results, for an OED file: a CSV with the columns currency,"
        " rate, date",
        examples=["currency,rate,date\nUSD,1470,2026-11-27\n"],
    ),
]
#: what is read back -> its file, its type; Parquet is a file a frame
_FILES = {
    "json": ("portfolio.json", "application/json"),
    "csv": ("sites.csv", "text/csv; charset=utf-8"),
    "xlsx": ("portfolio.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}
Frame = Literal[
    "totals", "exposure", "vulnerability", "aal", "risk", "failures", "year_losses", "curve", "contributions", "storms"
]


@router.post(
    PATH,
    status_code=202,
    responses=REFUSALS,
    openapi_extra=BODY,
)
async def send_portfolio(  # many: one parameter a field of the query
    context: Shared,
    request: Request,
    risk_types: Annotated[list[models.RiskName] | None, Query(description="of rows that name none")] = None,
    scenario_ids: Annotated[list[models.ScenarioId] | None, Query()] = None,
    time_periods: Annotated[list[models.Period] | None, Query()] = None,
    name: Annotated[
        str | None,
        Query(min_length=1, max_length=200, description="of the portfolio: with a row's own id it tells an asset"),
    ] = None,
    sheet: Annotated[str | None, Query(max_length=100, description="of a workbook")] = None,
    columns: Annotated[
        str | None,
        Query(
            max_length=5000,
            description="which column is which field: `latitude=Y,longitude=X`, or the same as a JSON object",
        ),
    ] = None,
    rates: Rates = None,
) -> models.AcceptedPortfolio:
    """Queue the assessment of many sites. Columns are named as the fields of a single request, without nesting; all
    others are carried through. A row is an asset, whatever ids and coordinates it shares. The file is the body, or the
    one file of a form; its encoding is found, whatever charset is stated.

    Sent again under the same name (without one: the same bytes), rows replace their earlier results. Invalid rows are
    counted and listed in the results; a table without a valid row is refused.
    """
    folder = context.portfolios / str(uuid.uuid4())
    parameters: dict[str, Any] = {"out": str(folder / "results")}
    if risk_types:
        parameters["risk_types"] = [names.risk(risk) for risk in risk_types]
    if scenario_ids:
        parameters["scenario_ids"] = scenario_ids
    if time_periods:
        parameters["time_periods"] = time_periods
    if name:
        parameters["name"] = name
    if (language := language_of(request.scope)) != DEFAULT:
        parameters["language"] = language
    uploads.make_private(folder)
    try:
        parameters |= options(sheet, columns, rates, folder)
        upload, digest = await uploads.receive(request, folder)
        parameters.setdefault("name", digest)  # another owner's file never is of this portfolio by chance
        batch_id, rows, valid = await run_in_threadpool(_queue, context, upload, parameters)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return models.AcceptedPortfolio(
        request_id=batch_id, accepted=valid, invalid=rows - valid, websocket_url=socket_url(request, batch_id)
    )


def options(sheet: str | None, columns: str | None, rates: str | None, folder: Path) -> dict[str, Any]:
    """Parameters of a job that say how its file is read. folder: of the job, which keeps a table of rates

    raises : InvalidError
    """
    parameters: dict[str, Any] = {"sheet": sheet} if sheet else {}
    if columns:
        try:
            parameters["columns"] = stated(columns)
        except EngineError as err:
            raise InvalidError([fault(["query", "columns"], str(err))]) from None
    if rates:
        path = folder / _RATES
        uploads.write_private(path, rates.encode())
        parameters["rates"] = str(path)
    return parameters


def in_our_words(text: str, folder: Path) -> str:
    """A message on a file of a folder of ours, which is nobody's business, with options as they are called here."""
    told = text.replace(f"--rates {folder / _RATES}", "rates").replace(str(folder / _RATES), "rates")
    told = re.sub(re.escape(str(folder)) + r"/[\w.]+", "portfolio", told)
    told = told.replace("jobs.assess --rates FILE.csv", "the query parameter rates, a table in CSV")
    return told.replace("leave --rates out", "leave rates out").replace("--columns", "the query parameter columns")


def refused(err: EngineError, folder: Path) -> Exception:
    """The answer to a file that cannot be read."""
    words = in_our_words(str(err), folder)
    return HTTPException(413, words) if isinstance(err, LimitError) else InvalidError([fault(["body"], words)])


def _queue(context: Context, upload: Path, parameters: dict[str, Any]) -> tuple[UUID, int, int]:
    limits = Limits(context.config.portfolio_max_bytes, context.config.portfolio_max_rows)
    try:
        plain = packed.unpacked(upload, upload.parent, SUFFIXES, limits.bytes)
        portfolio_file.require_rows(plain, limits, portfolio_file.asked_of(parameters))
        parameters["sites"] = str(plain)
        rows, valid = portfolio_check.check_portfolio(parameters, limits)
    except EngineError as err:
        raise refused(err, upload.parent) from None
    if plain != upload:
        upload.unlink()
        plain.chmod(0o600)
    with context.database() as connection:
        batch_id = batch_jobs.create(connection, batch_jobs.PORTFOLIO, parameters, valid * _risks(parameters))
    return batch_id, rows, valid


def _risks(parameters: Mapping[str, Any]) -> int:
    return len(parameters.get("risk_types") or RISKS)


@router.get(
    models.PORTFOLIO_RESULTS,
    response_class=File,
    responses={
        200: {
            "content": {
                "application/vnd.apache.parquet": _BINARY,
                **{
                    kind.partition(";")[0]: {"schema": {}} if kind == "application/json" else _BINARY
                    for _, kind in _FILES.values()
                },
            }
        },
        206: {"description": "The part that `Range` asks for"},
        400: {"model": Problem, "description": "`Range` is not understood"},
        404: {"model": Problem},
        416: {"model": Problem, "description": "`Range` lies outside the file"},
        409: {"model": Problem, "description": "Not finished"},
    },
)
def read_portfolio(
    context: Shared,
    request_id: UUID,
    format: Literal["parquet", "json", "csv", "xlsx"] = "parquet",
    frame: Annotated[
        Frame, Query(description="which table of Parquet; json holds the sums, csv a line a site, xlsx all")
    ] = "totals",
) -> File:
    """A table of a finished portfolio as Parquet, its summary as JSON, its sites as CSV, or all of it as a workbook."""
    name, kind = _FILES.get(format, (f"{frame}.parquet", "application/vnd.apache.parquet"))
    path = result_file(context, request_id, name)
    return File(path, media_type=kind, filename=name)


def result_file(context: Context, request_id: UUID, name: str) -> Path:
    """A file of a finished portfolio, or 404, 409."""
    job = find(context, request_id)
    if job.job_type != batch_jobs.PORTFOLIO:
        raise HTTPException(404, "Request ID not found")
    if job.status not in ("completed", "failed"):
        raise HTTPException(409, f"The portfolio is {job.status}")
    path = Path(job.input_params["out"]) / name
    if not path.is_file():
        if job.status == "failed":  # where every site failed there are tables, which say why
            raise HTTPException(409, f"The portfolio is failed: {job.error_message}")
        raise HTTPException(404, f"{name} is not kept any more")
    return path
