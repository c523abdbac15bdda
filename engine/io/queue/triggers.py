"""Triggers of batch runs: a row in `batch_jobs`, and the notification that says it is there.

A notification is lost while nobody listens, the row is not. Both together start one run: the row remembers which
session notified, so a notification from a session without a row is known to be a bare one.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from uuid import UUID

import psycopg

from engine.core.errors import SinkError
from engine.io.db import postgres, transient
from engine.io.queue import batch_jobs, job_logs
from engine.io.queue.batch_jobs import Job

#: seconds before the second, third and fourth attempt of a batch that met a passing fault; then it fails
BATCH_PAUSES = (60, 300, 900)
_FAILED, _REFUSED = 1, 2


def announce(application: str, notify: str, channel: str, kind: str, origin: str) -> UUID:
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


def is_announced(connection: psycopg.Connection, kind: str, session: int) -> bool:
    """True when a row of the last hour belongs to a notification of this session."""
    with postgres.failures("looking for a trigger", SinkError):
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM batch_jobs WHERE job_type = %s AND created_at > now() - interval '1 hour'"
            " AND input_params->'notified_by' = to_jsonb(%s::integer))",
            (kind, session),
        ).fetchone()
    return bool(row and row[0])


def skip(connection: psycopg.Connection, job: Job, why: str) -> None:
    """End a taken trigger that must not run, and log it as skipped."""
    with postgres.failures("recording a skipped trigger", SinkError), connection.transaction():
        batch_jobs.cancel(connection, job.batch_id, why)
        job_logs.log_skipped(connection, job, why)


def finish(connection: psycopg.Connection, job: Job, exit_code: int, last_error: str | None) -> int | None:
    """Record how the process of a run ended, where the run could not do it itself.

    A fault that passes lets the job wait for another attempt, which goes on with the run.

    exit_code  : of the job, negative when a signal ended the process
    last_error : the last error it reported
    returns    : seconds until the next attempt; None when the job has ended
    """
    message = last_error or (f"ended by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}")
    with postgres.failures("recording the end of a run", SinkError), connection.transaction():
        run_id = job_logs.end_attempt(connection, job, succeeded=exit_code == 0, message=message)
        row = connection.execute(
            "SELECT results -> 'transient' FROM batch_jobs WHERE batch_id = %s AND status = 'running' FOR UPDATE",
            (job.batch_id,),
        ).fetchone()
        if row is None:  # the run ended its row itself
            return None
        if exit_code in (0, 3):
            results = {"status": "success" if exit_code == 0 else "partial", "run_id": run_id}
            batch_jobs.complete(connection, job.batch_id, results, completed=0, failed=0)
        elif exit_code == 130:
            why = f"interrupted; continue with --resume {run_id}" if run_id else "interrupted"
            batch_jobs.cancel(connection, job.batch_id, why)
        elif (pause := _pause(job, exit_code, row[0], message)) is not None:
            batch_jobs.requeue(connection, job.batch_id, message, pause)
            if exit_code == _REFUSED:  # the run cannot be gone on with: the next attempt starts anew
                connection.execute("UPDATE batch_jobs SET run_id = NULL WHERE batch_id = %s", (job.batch_id,))
            return pause
        else:
            batch_jobs.fail(connection, job.batch_id, message, results={"exit_code": exit_code, "run_id": run_id})
    return None


def _pause(job: Job, exit_code: int, noted: bool | None, message: str) -> int | None:
    """Seconds until another attempt, None for none. noted: what the run itself said of its fault."""
    passes = noted if noted is not None else transient.sounds_transient(message)
    # an attempt that goes on with a run may be refused because a restarted server forgot what identifies its tables
    may_retry = passes if exit_code == _FAILED else exit_code == _REFUSED and job.run_id is not None
    return BATCH_PAUSES[job.attempts - 1] if may_retry and job.attempts <= len(BATCH_PAUSES) else None
