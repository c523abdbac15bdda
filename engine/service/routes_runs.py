"""Batch runs: those that were published, those that are going, those that failed."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel, Field

from engine.core.caveats import scope_note
from engine.core.rows import JobType
from engine.io.results import run_history
from engine.service import models
from engine.service.context import Shared
from engine.service.problems import InvalidError, Problem, fault

router = APIRouter(tags=["runs"])
_LARGEST = 2**31 - 1
_GOING = ("queued", "running")


class Run(BaseModel):
    """One run. Null is not known: a job that waits has no run_id yet."""

    run_id: int | None
    batch_id: UUID | None = Field(description="job that asked for it")
    job_type: str = Field(description="probability, hazard, yearly (both) or ensemble")
    status: str = Field(description="queued, running, completed, partial, failed, cancelled; unknown: no log of it")
    is_published: bool
    progress: int | None = Field(ge=0, le=100, description="of one that is going")
    current_step: str | None
    updated_at: models.Stamp | None = Field(description="last word of one that is going")
    total_cells: int | None
    processed_cells: int | None
    failed_cells: int | None
    scope: str | None = Field(description="of its input: full, sample:N, synthetic or observed")
    scope_note: str | None
    edition: str | None = Field(examples=["2025-11"])
    baseline: str | None
    started_at: models.Stamp
    completed_at: models.Stamp | None
    published_at: models.Stamp | None
    error_message: str | None


class RunInFull(Run):
    """The same with what it was made of and came to."""

    edition_checksum: str | None = Field(description="SHA-256 over the figures of the edition")
    edition_checksums: dict[str, str] | None = Field(description="risk -> SHA-256 over its own figures")
    source_fingerprint: str | None = Field(description="state of the input")
    summary: dict[str, Any] | None = Field(description="counts, means, parts used, warnings, what is missing")


class Runs(BaseModel):
    """A page of runs, the newest first. total: of all pages"""

    total: int
    limit: int
    offset: int
    runs: list[Run]


@router.get("/api/v1/runs")
def list_runs(
    context: Shared,
    job_type: Annotated[JobType | None, Query()] = None,
    limit: models.Limit = 20,
    offset: models.Offset = 0,
) -> Runs:
    """Runs, the newest first: published ones, those that are going with their progress, those that wait or failed."""
    with context.database() as connection:
        total, rows = run_history.page(connection, job_type, limit, offset)
    return Runs(total=total, limit=limit, offset=offset, runs=[Run.model_validate(_told(row)) for row in rows])


@router.get("/api/v1/runs/{run_id}", responses={404: {"model": Problem}})
def read_run(
    context: Shared, run_id: Annotated[str, Path(description="number of the run, or UUID of its job", examples=["1"])]
) -> RunInFull:
    """One run with its checksums and its summary."""
    with context.database() as connection:
        row = run_history.one(connection, _number(run_id))
    if row is None:
        raise HTTPException(404, "Run not found")
    return RunInFull.model_validate(_told(row))


def _number(text: str) -> int | UUID:
    if text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= _LARGEST:
        return int(text)
    try:
        return UUID(text)
    except ValueError:
        words = "A run is named by its number, or by the UUID of its job"
        raise InvalidError([fault(["path", "run_id"], words, text)]) from None


def _told(row: run_history.Row) -> dict[str, Any]:
    going = row["status"] in _GOING
    scope = row["scope"]
    step = row["current_step"] if going else None
    return row | {
        "is_published": row["published_at"] is not None,
        "scope_note": None if scope is None else scope_note(scope),
        "progress": row["progress"] if going else None,
        "current_step": "starting" if row["status"] == "running" and step == "queued" else step,
        "updated_at": row["updated_at"] if going else None,
    }
