"""States of jobs, read for those who watch them: of one, of many at once, counted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from engine.core.errors import SinkError
from engine.io.db import postgres


@dataclass(frozen=True, slots=True)
class State:
    """A job as its row says. results: of a completed one; risks: asked for, none for all"""

    job_type: str
    status: str
    progress: int
    step: str | None
    error: str | None = None
    results: Any = None
    risks: Collection[str] = ()


class Short(NamedTuple):
    """A job without its results, which may be large."""

    status: str
    progress: int
    step: str | None


class Count(NamedTuple):
    """Jobs of a type and status."""

    job_type: str
    status: str
    jobs: int


class Backlog(NamedTuple):
    """The same with `lost`: those whose worker was, and `waited`: seconds that the longest queued one has."""

    job_type: str
    status: str
    jobs: int
    lost: int
    waited: float


def read(connection: psycopg.Connection, batch_id: UUID) -> Short | None:
    """The state of a job, None for an unknown id."""
    with postgres.failures("reading a job", SinkError), connection.cursor(row_factory=class_row(Short)) as cursor:
        return cursor.execute(
            "SELECT status, progress, current_step AS step FROM batch_jobs WHERE batch_id = %s", (batch_id,)
        ).fetchone()


def read_many(connection: psycopg.Connection, ids: Sequence[UUID]) -> dict[UUID, State]:
    """States of jobs by id, in one query; unknown ids are absent."""
    rows = connection.execute(
        "SELECT batch_id, job_type, status, progress, current_step, error_message,"
        " CASE status WHEN 'completed' THEN results END, input_params -> 'risk_types' FROM batch_jobs"
        " WHERE batch_id = ANY(%s)",
        (list(ids),),
    ).fetchall()
    return {
        batch_id: State(kind, status, progress, step, error, results, risks if isinstance(risks, list) else ())
        for batch_id, kind, status, progress, step, error, results, risks in rows
    }


def ended(connection: psycopg.Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Those of these jobs that are not running any more."""
    if not ids:
        return set()
    with postgres.failures("reading the state of runs", SinkError):
        rows = connection.execute(
            "SELECT batch_id FROM batch_jobs WHERE batch_id = ANY(%s) AND status <> 'running'", (list(ids),)
        ).fetchall()
    return {batch_id for (batch_id,) in rows}


def counts(connection: psycopg.Connection) -> list[Count]:
    """How many jobs there are of each type and status, in their order; for every role that may see jobs at all."""
    with connection.cursor(row_factory=class_row(Count)) as cursor:
        return cursor.execute(
            "SELECT job_type, status, count(*) AS jobs FROM batch_jobs GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()


def backlog(connection: psycopg.Connection) -> list[Backlog]:
    """`counts` with what only roles that work on jobs may read."""
    with connection.cursor(row_factory=class_row(Backlog)) as cursor:
        return cursor.execute(
            "SELECT job_type, status, count(*) AS jobs,"
            " count(*) FILTER (WHERE starts_with(error_message, 'Worker lost')) AS lost,"
            " coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE status = 'queued')), 0)::float"
            " AS waited FROM batch_jobs GROUP BY 1, 2"
        ).fetchall()
