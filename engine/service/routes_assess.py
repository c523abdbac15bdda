"""Assessments on demand: a request becomes a job, the job's row says how far it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request

from engine.core.errors import BusyError
from engine.core.names import ALIASES, RISK_NAMES
from engine.io.queue import batch_jobs, job_states
from engine.io.queue.batch_jobs import Job
from engine.service import milestones, models, proxy
from engine.service.bodies import json_object, risks_or_object
from engine.service.context import Context, Shared
from engine.service.intake import Intake
from engine.service.problems import Problem

BODY_REFUSALS: dict[int | str, dict[str, Any]] = {
    408: {"model": Problem, "description": "The body did not arrive in time"},
    413: {"model": Problem, "description": "The body is too large"},
    415: {"model": Problem, "description": "The body is packed"},
}
router = APIRouter(tags=["assessments"])
_UNKNOWN = "Request ID not found"


def _body(schema: str, *, required: bool, or_risks: bool = False) -> dict[str, Any]:
    """Description of a body that the engine checks itself. or_risks: a list of risks will do"""
    told: dict[str, Any] = {"$ref": f"#/components/schemas/{schema}"}
    if or_risks:
        names = {"type": "string", "enum": [*RISK_NAMES, *ALIASES]}
        risks = {"type": "array", "items": names, "example": ["extreme_heat"]}
        told = {"anyOf": [told, risks, {"type": "null"}]}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": told}}}}


def _intake(request: Request) -> Intake:
    intake: Intake = request.app.state.intake
    return intake


def socket_url(request: Request, batch_id: UUID) -> str:
    """Address of the WebSocket with the progress of a job."""
    return f"{proxy.base_url(request).replace('http', 'ws', 1)}/api/v1/risk-assessment/ws/{batch_id}"


@router.post(
    "/api/v1/risk-assessment/calculate",
    status_code=202,
    responses=BODY_REFUSALS,
    openapi_extra=_body("Site", required=True),
)
async def calculate(request: Request) -> models.Accepted:
    """Queue the assessment of one site. All faults of the request are listed at once."""
    body = await json_object(request)
    batch_id = await _intake(request).queue(body)
    return models.Accepted(request_id=batch_id, status="queued", websocket_url=socket_url(request, batch_id))


@router.post(
    "/api/risk/calculate",
    status_code=202,
    responses=BODY_REFUSALS,
    openapi_extra=_body("SiteHere", required=False, or_risks=True),
)
async def calculate_older(
    request: Request,
    latitude: Annotated[float | None, Query(ge=-90, le=90, allow_inf_nan=False)] = None,
    longitude: Annotated[float | None, Query(ge=-180, le=180, allow_inf_nan=False)] = None,
    risk_types: Annotated[list[str] | None, Query(description="repeated, or separated by commas")] = None,
) -> models.AcceptedBatch:
    """Older name of the same: parameters in the query, in the body, or both; the body wins. It may be a list of risks
    alone, with the coordinates in the query."""
    body = await risks_or_object(request)
    names = [part.strip() for text in risk_types or () for part in text.split(",") if part.strip()]
    stated = {"latitude": latitude, "longitude": longitude, "risk_types": names or None}
    body = {name: value for name, value in [*stated.items(), *body.items()] if value is not None}
    batch_id = await _intake(request).queue(body)
    return models.AcceptedBatch(batch_id=batch_id, status="queued", message="Risk calculation started")


def find(context: Context, batch_id: UUID, detail: str = _UNKNOWN) -> Job:
    """The job, or 404."""
    with context.database() as connection:
        job = batch_jobs.read(connection, batch_id)
    if job is None:
        raise HTTPException(404, detail)
    return job


@router.post(
    "/api/v1/risk-assessment/{request_id}/retry",
    status_code=202,
    responses={404: {"model": Problem}, 409: {"model": Problem, "description": "Not failed"}},
)
def retry(context: Shared, request: Request, request_id: UUID) -> models.Accepted:
    """Queue an assessment or a portfolio that failed once more, as a new job with the same input."""
    job = find(context, request_id)
    if job.job_type not in (batch_jobs.SITE, batch_jobs.PORTFOLIO):
        raise HTTPException(404, _UNKNOWN)
    if job.job_type == batch_jobs.PORTFOLIO and not Path(job.input_params["sites"]).is_file():
        raise HTTPException(409, "The portfolio is not kept any more")
    try:
        with context.database() as connection:
            batch_id = batch_jobs.retry(connection, request_id)
    except BusyError:
        raise HTTPException(409, f"The assessment is {job.status}: nothing to retry") from None
    return models.Accepted(request_id=batch_id, status="queued", websocket_url=socket_url(request, batch_id))


@router.get("/api/v1/risk-assessment/status/{request_id}", responses={404: {"model": Problem}})
def read_status(context: Shared, request_id: UUID) -> models.JobStatus:
    """Progress of an assessment."""
    with context.database() as connection:
        state = job_states.read(connection, request_id)
    if state is None:
        raise HTTPException(404, _UNKNOWN)
    status, progress, step = state
    return models.JobStatus.model_validate(
        {
            "request_id": request_id,
            "status": status,
            "progress": progress,
            "current_step": milestones.step_of(status, step),
        }
    )


@router.get("/api/batch/{batch_id}/status", responses={404: {"model": Problem}})
def read_batch(context: Shared, request: Request, batch_id: UUID) -> models.BatchStatus:
    """Older name of the same, with the results once there are any."""
    job = find(context, batch_id, "Batch not found")
    return models.BatchStatus.model_validate(
        replace(job, results=models.outward(batch_id, job.results, proxy.prefix(request))), from_attributes=True
    )
