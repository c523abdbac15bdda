"""The life of an on-demand job: its row in `batch_jobs`, from `queued` to an end that nothing changes any more."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, LiteralString
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import class_row

from engine.core.errors import BusyError, EngineError, SettingsError, SinkError
from engine.io.db import postgres

JobType = Literal["ondemand_risk_calculation", "portfolio_risk_calculation"]
SITE: JobType = "ondemand_risk_calculation"
PORTFOLIO: JobType = "portfolio_risk_calculation"
#: a running job that says nothing for so long has lost its worker
LOST_AFTER = timedelta(minutes=10)
#: seconds before the second, third and fourth attempt of an assessment that met a passing fault; then it fails
ASSESSMENT_PAUSES = (5, 30, 120)
_COLUMNS = (
    "batch_id, job_type, status, progress, current_step, total_items, completed_items, failed_items, input_params,"
    " results, error_message, created_at, started_at, completed_at, updated_at, actual_duration_seconds, run_id,"
    " attempts"
)


class EndedError(EngineError):
    """The job was ended by somebody else (cancelled, or its worker taken for lost): stop working on it."""


@dataclass(frozen=True, slots=True)
class Job:
    """A row of `batch_jobs`; without the stack trace, which does not leave the database."""

    batch_id: UUID
    job_type: str
    status: str
    progress: int
    current_step: str | None
    total_items: int
    completed_items: int
    failed_items: int
    input_params: Mapping[str, Any]
    results: Mapping[str, Any] | None
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime
    actual_duration_seconds: int | None
    run_id: int | None
    attempts: int


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def worker(process: int | None = None) -> str:
    """Worker name of a process of this host, by default this one: host and process number."""
    return f"{socket.gethostname()}:{process or os.getpid()}"


def create(connection: psycopg.Connection, job_type: str, parameters: Mapping[str, Any], total_items: int = 0) -> UUID:
    """Queue a job; returns its id."""
    [made] = create_many(connection, job_type, [(parameters, total_items)])
    return made


def create_many(
    connection: psycopg.Connection, job_type: str, asked: Sequence[tuple[Mapping[str, Any], int]]
) -> list[UUID]:
    """Queue jobs of one type by one statement. asked: parameters and items of each; returns their ids in order."""
    ids = [uuid4() for _ in asked]
    rows = [
        {"batch_id": str(batch_id), "input_params": parameters, "total_items": items}
        for batch_id, (parameters, items) in zip(ids, asked, strict=True)
    ]
    with postgres.failures("queuing a job", SinkError):
        connection.execute(
            "INSERT INTO batch_jobs (batch_id, job_type, current_step, input_params, total_items)"
            " SELECT batch_id, %s, 'queued', input_params, total_items"
            " FROM jsonb_to_recordset(%s) AS asked(batch_id uuid, input_params jsonb, total_items integer)",
            (job_type, _json(rows)),
        )
    return ids


def read(connection: psycopg.Connection, batch_id: UUID) -> Job | None:
    """The job, or None for an unknown id."""
    with postgres.failures("reading a job", SinkError), connection.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(f"SELECT {_COLUMNS} FROM batch_jobs WHERE batch_id = %s".encode(), (batch_id,)).fetchone()


def start(connection: psycopg.Connection, batch_id: UUID) -> Job:
    """Take a queued job, so that no other worker has it.

    raises : SettingsError for an unknown id, BusyError when the job is not queued any more
    """
    with postgres.failures("starting a job", SinkError):
        taken = connection.execute(
            "UPDATE batch_jobs SET status = 'running', started_at = now(), updated_at = now(), worker_id = %s,"
            " attempts = attempts + 1, error_message = NULL WHERE batch_id = %s AND status = 'queued'",
            (worker(), batch_id),
        ).rowcount
    job = read(connection, batch_id)
    if job is None:
        raise SettingsError(f"no job {batch_id}")
    if not taken:
        raise BusyError(f"job {batch_id} is {job.status}, it cannot be started")
    return job


def start_next(connection: psycopg.Connection, job_types: Sequence[str] = (SITE, PORTFOLIO)) -> Job | None:
    """Take the oldest queued job of some types; None when there is none. Workers do not wait for each other."""
    taken = start_many(connection, 1, job_types)
    return taken[0] if taken else None


def start_many(connection: psycopg.Connection, most: int, job_types: Sequence[str]) -> list[Job]:
    """Take the oldest queued jobs of some types, at most so many, the oldest first."""
    with postgres.failures("starting a job", SinkError), connection.cursor(row_factory=class_row(Job)) as cursor:
        jobs = cursor.execute(
            # the array is read once; IN (SELECT ... LIMIT) may be planned so that it is read again and takes more
            f"""UPDATE batch_jobs SET status = 'running', started_at = now(), updated_at = now(), worker_id = %s,
                    attempts = attempts + 1, current_step = 'starting', error_message = NULL
                WHERE batch_id = ANY (ARRAY(
                    SELECT batch_id FROM batch_jobs WHERE status = 'queued' AND job_type = ANY(%s)
                        AND (not_before IS NULL OR not_before <= now())
                    ORDER BY created_at, batch_id LIMIT %s FOR UPDATE SKIP LOCKED))
                RETURNING {_COLUMNS}""".encode(),
            (worker(), list(job_types), most),
        ).fetchall()
    return sorted(jobs, key=lambda job: (job.created_at, job.batch_id))


def advance(
    connection: psycopg.Connection,
    batch_id: UUID,
    progress: int,
    step: str,
    *,
    completed: int,
    failed: int = 0,
    total: int | None = None,
) -> None:
    """Say how far a running job is. Progress never falls, and 100 comes with the end alone.

    completed : items finished in this stage; failed: in any stage so far
    raises    : EndedError when the job is not running any more
    """
    with postgres.failures("reporting progress", SinkError):
        changed = connection.execute(
            "UPDATE batch_jobs SET progress = greatest(progress, least(greatest(%s, 0), 99)), current_step = %s,"
            " completed_items = %s, failed_items = %s, total_items = coalesce(%s, total_items), updated_at = now()"
            " WHERE batch_id = %s AND status = 'running'",
            (progress, step[:200], completed, failed, total, batch_id),
        ).rowcount
    if not changed:
        raise EndedError(f"job {batch_id} was ended while it was being worked on")


def advance_many(connection: psycopg.Connection, states: Sequence[tuple[UUID, int, int, int]], step: str) -> None:
    """`advance` of several jobs by one statement; those that are not running any more are left as they are.

    states : id, progress, completed items, items of each
    """
    rows = [
        {"batch_id": str(batch_id), "progress": progress, "completed": completed, "total": total}
        for batch_id, progress, completed, total in states
    ]
    with postgres.failures("reporting progress", SinkError):
        connection.execute(
            "UPDATE batch_jobs j SET progress = greatest(j.progress, least(greatest(s.progress, 0), 99)),"
            " current_step = %s, completed_items = s.completed, total_items = s.total, updated_at = now()"
            " FROM jsonb_to_recordset(%s) AS s(batch_id uuid, progress integer, completed integer, total integer)"
            " WHERE j.batch_id = s.batch_id AND j.status = 'running'",
            (step[:200], _json(rows)),
        )


def complete(
    connection: psycopg.Connection, batch_id: UUID, results: Mapping[str, Any], *, completed: int, failed: int
) -> None:
    """End a running job well.

    raises : EndedError when the job is not running any more
    """
    if not complete_many(connection, [(batch_id, results, completed, failed)]):
        raise EndedError(f"job {batch_id} was ended while it was being worked on")


def complete_many(connection: psycopg.Connection, ends: Sequence[tuple[UUID, Mapping[str, Any], int, int]]) -> int:
    """End running jobs well, by one statement; returns how many of them were running still.

    ends : id, results, completed items, failed items of each
    """
    rows = [
        {"batch_id": str(batch_id), "results": results, "completed": completed, "failed": failed}
        for batch_id, results, completed, failed in ends
    ]
    with postgres.failures("completing a job", SinkError):
        return connection.execute(
            "UPDATE batch_jobs j SET status = 'completed', progress = 100, results = e.results,"
            " current_step = CASE e.results ->> 'status' WHEN 'partial' THEN 'Finished in part' ELSE 'Finished' END,"
            " completed_items = e.completed, failed_items = e.failed, completed_at = now(), updated_at = now(),"
            " actual_duration_seconds = round(extract(epoch FROM now() - started_at))"
            " FROM jsonb_to_recordset(%s) AS e(batch_id uuid, results jsonb, completed integer, failed integer)"
            " WHERE j.batch_id = e.batch_id AND j.status = 'running'",
            (_json(rows),),
        ).rowcount


def fail(
    connection: psycopg.Connection,
    batch_id: UUID,
    message: str,
    trace: str | None = None,
    *,
    results: Mapping[str, Any] | None = None,
    failed: int | None = None,
) -> bool:
    """End a job badly; its progress keeps its last value, its step says where. False when it had ended already."""
    record = None if results is None else _json(results)
    with postgres.failures("recording a failed job", SinkError):
        changed = connection.execute(
            "UPDATE batch_jobs SET status = 'failed', error_message = %s, error_stack_trace = %s, results = %s,"
            " current_step = left('Failed at: ' || coalesce(current_step, ''), 200),"
            " failed_items = coalesce(%s, failed_items), completed_at = now(), updated_at = now(),"
            " actual_duration_seconds = round(extract(epoch FROM now() - started_at))"
            " WHERE batch_id = %s AND status IN ('queued', 'running')",
            (message, trace, record, failed, batch_id),
        ).rowcount
    return bool(changed)


def cancel(connection: psycopg.Connection, batch_id: UUID, why: str | None = None) -> bool:
    """End a job that is queued or running; its worker notices at its next report. False when it had ended already."""
    with postgres.failures("cancelling a job", SinkError):
        changed = connection.execute(
            "UPDATE batch_jobs SET status = 'cancelled', error_message = %s, completed_at = now(), updated_at = now(),"
            " current_step = left('Cancelled at: ' || coalesce(current_step, ''), 200)"
            " WHERE batch_id = %s AND status IN ('queued', 'running')",
            (why, batch_id),
        ).rowcount
    return bool(changed)


def requeue(connection: psycopg.Connection, batch_id: UUID, why: str, seconds: float) -> bool:
    """Let a running job that met a passing fault wait for its next attempt; False when it is not running any more.

    why     : the fault, shown until the next attempt begins
    seconds : until then
    """
    with postgres.failures("queuing a job again", SinkError):
        changed = connection.execute(
            "UPDATE batch_jobs SET status = 'queued', worker_id = NULL, updated_at = now(), error_message = %s,"
            " not_before = now() + make_interval(secs => %s),"
            " current_step = left(format('waiting for attempt %%s: %%s', attempts + 1, %s::text), 200)"
            " WHERE batch_id = %s AND status = 'running'",
            (why, seconds, why, batch_id),
        ).rowcount
    return bool(changed)


_LOSE: LiteralString = (
    "UPDATE batch_jobs SET status = 'failed', error_message = 'Worker lost', completed_at = now(), updated_at = now(),"
    " current_step = left('Lost at: ' || coalesce(current_step, ''), 200)"
    " WHERE status = 'running' AND {} RETURNING batch_id"
)


def fail_lost(connection: psycopg.Connection, job_types: Sequence[str] = (SITE, PORTFOLIO)) -> list[UUID]:
    """Mark running jobs whose worker has said nothing for `LOST_AFTER` as failed, "Worker lost"; returns their ids."""
    return _lose(connection, "job_type = ANY(%s) AND updated_at < now() - %s", (list(job_types), LOST_AFTER))


def fail_of_worker(connection: psycopg.Connection, name: str) -> list[UUID]:
    """The same for the jobs of a worker that is known to be gone, at once. name: as of `worker`"""
    return _lose(connection, "worker_id = %s", (name,))


def _lose(connection: psycopg.Connection, which: LiteralString, values: tuple[object, ...]) -> list[UUID]:
    with postgres.failures("looking for lost jobs", SinkError):
        return [row[0] for row in connection.execute(_LOSE.format(which), values).fetchall()]


def retry(connection: psycopg.Connection, batch_id: UUID) -> UUID:
    """A new job with the parameters of one that failed or was cancelled.

    raises : SettingsError for an unknown job, BusyError for one that is still queued or running, or is completed
    """
    job = read(connection, batch_id)
    if job is None:
        raise SettingsError(f"no job {batch_id}")
    if job.status not in ("failed", "cancelled"):
        raise BusyError(f"job {batch_id} is {job.status}: nothing to retry")
    return create(connection, job.job_type, job.input_params, job.total_items)
