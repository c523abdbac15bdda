"""Triggers of batch runs: a row in `batch_jobs`, and the notification that says it is there.

A notification is lost while nobody listens, the row is not. Both together start one run: the row remembers which
session notified, so a notification from a session without a row is known to be a bare one.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import datetime
from typing import get_args
from uuid import UUID

import psycopg

from engine.errors import SinkError
from engine.io import batch_jobs, postgres
from engine.io.batch_jobs import Job
from engine.io.sink import LOCKS, JobType

KINDS: tuple[JobType, ...] = get_args(JobType)
#: channels whose name is the kind, beside the one whose payload is
PLAIN_CHANNELS: Mapping[str, JobType] = {"probability": "probability", "hazard": "hazard"}


def kind_of(channel: str, payload: str) -> JobType | None:
    """What a notification asks for; None when its payload is no kind."""
    if channel in PLAIN_CHANNELS:
        return PLAIN_CHANNELS[channel]
    word = payload.strip().lower()
    return next((kind for kind in KINDS if kind == word), None)


def announce(application: str, notify: str, channel: str, kind: JobType, origin: str) -> UUID:
    """Queue a run and notify the listener; returns the id of the row.

    application, notify : addresses of the jobs and of LISTEN/NOTIFY, most often the same
    origin              : who asks, kept in the row
    raises              : SourceError, SinkError; once the row is written a listener finds it, notified or not
    """
    with ExitStack() as stack:
        jobs = stack.enter_context(closing(postgres.connect(application)))
        caller = jobs if notify == application else stack.enter_context(closing(postgres.connect(notify)))
        # one transaction, so that a pooler does not change the session in between
        with postgres.failures("notifying", SinkError), caller.transaction():
            [(session,)] = caller.execute("SELECT pg_backend_pid()").fetchall()
            batch_id = batch_jobs.create(jobs, kind, {"origin": origin, "notified_by": session})
            caller.execute("SELECT pg_notify(%s, %s)", (channel, kind))
        return batch_id


def is_announced(connection: psycopg.Connection, kind: JobType, session: int) -> bool:
    """True when a row of the last hour belongs to a notification of this session."""
    with postgres.failures("looking for a trigger", SinkError):
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM batch_jobs WHERE job_type = %s AND created_at > now() - interval '1 hour'"
            " AND input_params->'notified_by' = to_jsonb(%s::integer))",
            (kind, session),
        ).fetchone()
    return bool(row and row[0])


def is_locked(connection: psycopg.Connection, kind: JobType) -> bool:
    """True while a run of this kind, or of one that writes the same tables, is going in any process."""
    with postgres.failures("looking at the locks", SinkError):
        for name in LOCKS[kind]:
            key = (postgres.LOCK_SPACE, f"job {name}")
            # given back with its transaction, whoever is between us and the server
            row = connection.execute("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", key).fetchone()
            if not (row and row[0]):
                return True
    return False


def skip(connection: psycopg.Connection, job: Job, why: str) -> None:
    """End a taken trigger that must not run, and log it as skipped."""
    with postgres.failures("recording a skipped trigger", SinkError), connection.transaction():
        batch_jobs.cancel(connection, job.batch_id, why)
        connection.execute(
            "INSERT INTO batch_job_logs (batch_id, job_type, started_at, completed_at, status, error_message)"
            " VALUES (%s, %s, now(), now(), 'skipped', %s)",
            (job.batch_id, job.job_type, why),
        )


def finish(connection: psycopg.Connection, job: Job, exit_code: int, last_error: str | None) -> None:
    """End the row of a run whose process has ended, and tie its log row to it.

    exit_code  : of the job, negative when a signal ended the process
    last_error : the last error it reported
    """
    message = last_error or (f"ended by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}")
    # the kind's lock is exclusive, so a log row of this kind since the start is this run's; a killed process leaves it
    # running, and one that failed before its run began leaves none
    with postgres.failures("recording the end of a run", SinkError), connection.transaction():
        connection.execute(
            "UPDATE batch_job_logs SET batch_id = %s WHERE batch_id IS NULL AND job_type = %s AND started_at >= %s"
            " AND status <> 'skipped'",
            (job.batch_id, job.job_type, job.started_at),
        )
        connection.execute(
            "UPDATE batch_job_logs SET status = 'failed', completed_at = now(), error_message = %s"
            " WHERE batch_id = %s AND status = 'running'",
            (message, job.batch_id),
        )
        row = connection.execute(
            "SELECT run_id, status FROM batch_job_logs WHERE batch_id = %s ORDER BY id DESC LIMIT 1", (job.batch_id,)
        ).fetchone()
        if row is None:
            connection.execute(
                "INSERT INTO batch_job_logs (batch_id, job_type, started_at, completed_at, status, error_message)"
                " VALUES (%s, %s, %s, now(), %s, %s)",
                (job.batch_id, job.job_type, job.started_at, "completed" if exit_code == 0 else "failed", message),
            )
        run_id = row[0] if row else None
        if exit_code in (0, 3):
            results = {"status": "success" if exit_code == 0 else "partial", "run_id": run_id}
            batch_jobs.complete(connection, job.batch_id, results, completed=0, failed=0)
        elif exit_code == 130:
            why = f"interrupted; continue with --resume {run_id}" if run_id else "interrupted"
            batch_jobs.cancel(connection, job.batch_id, why)
        else:
            batch_jobs.fail(connection, job.batch_id, message, results={"exit_code": exit_code, "run_id": run_id})


def keep_alive(connection: psycopg.Connection, running: list[UUID]) -> None:
    """Say that these runs are going on, and end those of which nobody has said so for long."""
    with postgres.failures("keeping runs alive", SinkError):
        connection.execute("UPDATE batch_jobs SET updated_at = now() WHERE batch_id = ANY(%s)", (running,))
    batch_jobs.fail_lost(connection, KINDS)


def has_started_since(connection: psycopg.Connection, kind: JobType, moment: datetime) -> bool:
    """True when the log names a run of this kind, or one that includes it, from this moment on."""
    covering = [other for other in KINDS if set(LOCKS[kind]) <= set(LOCKS[other])]
    with postgres.failures("reading the log of runs", SinkError):
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM batch_job_logs WHERE job_type = ANY(%s) AND started_at >= %s)",
            (covering, moment),
        ).fetchone()
    return bool(row and row[0])
