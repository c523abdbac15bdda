"""Rows of `batch_job_logs`: runs and attempts as they went, and the outcome of the last dry run of the schedule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from engine.core.errors import SinkError
from engine.io.db import postgres
from engine.io.queue.batch_jobs import EndedError, Job

#: `job_type` of a dry run of the schedule
CHECK = "check"


@contextmanager
def logged(
    connection: psycopg.Connection, batch_id: UUID, job_type: str, total: int
) -> Iterator[Callable[[int, int], None]]:
    """A row around a run: written at its start, ended whatever happens.

    total  : items of the run
    yields : to be called with (succeeded, failed) when the run ends well
    """
    with postgres.failures("logging a run", SinkError):
        [(number,)] = connection.execute(
            "INSERT INTO batch_job_logs (batch_id, job_type, started_at, status, total_grids)"
            " VALUES (%s, %s, now(), 'running', %s) RETURNING id",
            (batch_id, job_type, total),
        ).fetchall()
    counts: list[int] = []

    def end(status: str, error: str | None) -> None:
        done, failed = counts or (None, None)
        connection.execute(
            "UPDATE batch_job_logs SET completed_at = now(), status = %s, processed_grids = %s, failed_grids = %s,"
            " success_rate = round(100.0 * %s / nullif(total_grids, 0), 2), error_message = %s WHERE id = %s",
            (status, done, failed, done, error, number),
        )

    try:
        yield lambda done, failed: counts.extend((done, failed))
    except BaseException as err:
        if not (connection.closed or connection.broken):
            end("cancelled" if isinstance(err, KeyboardInterrupt | EndedError) else "failed", str(err))
        raise
    with postgres.failures("logging a run", SinkError):
        end("partial" if counts and counts[1] else "completed", None)


def log_skipped(connection: psycopg.Connection, job: Job, why: str) -> None:
    """A row for a job that ended without a run, inside the caller's transaction."""
    connection.execute(
        "INSERT INTO batch_job_logs (batch_id, job_type, started_at, completed_at, status, error_message)"
        " VALUES (%s, %s, now(), now(), 'skipped', %s)",
        (job.batch_id, job.job_type, why),
    )


def end_attempt(connection: psycopg.Connection, job: Job, *, succeeded: bool, message: str) -> int | None:
    """End the rows of a job's attempt, inside the caller's transaction; an attempt that failed before its run began
    gets one. Returns the run."""
    connection.execute(
        "UPDATE batch_job_logs SET status = 'failed', completed_at = now(), error_message = %s"
        " WHERE batch_id = %s AND status = 'running'",
        (message, job.batch_id),
    )
    row = connection.execute(
        "SELECT run_id FROM batch_job_logs WHERE batch_id = %s AND started_at >= %s ORDER BY id DESC LIMIT 1",
        (job.batch_id, job.started_at),
    ).fetchone()
    if row is not None:
        return int(row[0]) if row[0] is not None else None
    connection.execute(
        "INSERT INTO batch_job_logs (batch_id, job_type, started_at, completed_at, status, error_message)"
        " VALUES (%s, %s, %s, now(), %s, %s)",
        (job.batch_id, job.job_type, job.started_at, "completed" if succeeded else "failed", message),
    )
    return job.run_id


class LastRun(NamedTuple):
    """The newest run of a kind that was not skipped. started : since 1970; seconds : it took, or has been going."""

    job_type: str
    status: str
    started: float
    seconds: float


def last_runs(connection: psycopg.Connection, kinds: Sequence[str]) -> list[LastRun]:
    """The newest run of each of these kinds; kinds that never ran are absent."""
    with connection.cursor(row_factory=class_row(LastRun)) as cursor:
        return cursor.execute(
            "SELECT DISTINCT ON (job_type) job_type, status, extract(epoch FROM started_at)::float AS started,"
            " extract(epoch FROM coalesce(completed_at, now()) - started_at)::float AS seconds"
            " FROM batch_job_logs WHERE job_type = ANY(%s) AND status <> 'skipped' ORDER BY job_type, started_at DESC",
            (list(kinds),),
        ).fetchall()


class ScheduleCheck(NamedTuple):
    """Outcome of a dry run of the schedule, found first at `since`, last at `checked_at`. faults : None for none."""

    status: str
    since: datetime
    checked_at: datetime
    faults: str | None


def newest_check(connection: psycopg.Connection) -> ScheduleCheck | None:
    """The newest outcome, None before the first."""
    with connection.cursor(row_factory=class_row(ScheduleCheck)) as cursor:
        return cursor.execute(
            "SELECT status, started_at AS since, completed_at AS checked_at, error_message AS faults"
            " FROM batch_job_logs WHERE job_type = %s ORDER BY id DESC LIMIT 1",
            (CHECK,),
        ).fetchone()


def record_check(connection: psycopg.Connection, status: str, faults: str | None) -> None:
    """Keep an outcome: one row for as long as it stays the same, `completed_at` is when it was found last."""
    with postgres.failures("recording the check of the schedule", SinkError):
        known = connection.execute(
            "UPDATE batch_job_logs SET completed_at = now() WHERE id = (SELECT max(id) FROM batch_job_logs"
            " WHERE job_type = %s) AND status = %s AND error_message IS NOT DISTINCT FROM %s",
            (CHECK, status, faults),
        ).rowcount
        if not known:
            connection.execute(
                "INSERT INTO batch_job_logs (job_type, started_at, completed_at, status, error_message)"
                " VALUES (%s, now(), now(), %s, %s)",
                (CHECK, status, faults),
            )
