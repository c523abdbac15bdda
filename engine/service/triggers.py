"""Triggers of batch runs: a row in `batch_jobs`, and the notification that says it is there.

A notification is lost while nobody listens, the row is not. Both together start one run: the row remembers which
session notified, so a notification from a session without a row is known to be a bare one.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import datetime
from typing import NamedTuple, get_args
from uuid import UUID

import psycopg

from engine.core.errors import SinkError
from engine.io.db import postgres, transient
from engine.io.queue import batch_jobs
from engine.io.queue.batch_jobs import Job
from engine.io.results import batch_runs
from engine.io.results.batch_runs import Lost
from engine.io.results.sink import LOCKS, JobType

KINDS: tuple[JobType, ...] = get_args(JobType)
#: channels whose name is the kind, beside the one whose payload is
PLAIN_CHANNELS: Mapping[str, JobType] = {"probability": "probability", "hazard": "hazard"}
#: whose members may ask for a batch by a bare notification, where the role exists
BATCH_ROLE = "climate_batch"
#: seconds before the second, third and fourth attempt of a batch that met a passing fault; then it fails
BATCH_PAUSES = (60, 300, 900)


class Sender(NamedTuple):
    """Who sent a notification. role: None when its session is gone; may_run: it may start a batch."""

    role: str | None
    may_run: bool


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


def sender_of(connection: psycopg.Connection, session: int) -> Sender:
    """Who a session of this server belongs to, asked while it is there."""
    with postgres.failures("looking for the sender of a notification", SinkError):
        rows = connection.execute(
            "SELECT a.usename::text, coalesce(pg_has_role(a.usesysid, to_regrole(b.role), 'MEMBER'),"
            " to_regrole(b.role) IS NULL)"
            " FROM (VALUES (%s::text)) AS b(role) LEFT JOIN pg_stat_activity a ON a.pid = %s"
            " AND a.datname = current_database()",
            (BATCH_ROLE, session),
        ).fetchall()
    return Sender(*rows[0])


def why_ignored(kind: JobType, sender: Sender) -> str:
    """The words for a notification that starts nothing."""
    who = "whose session is gone, so nobody can tell whose it was" if sender.role is None else f"of role {sender.role}"
    reason = "" if sender.role is None else f", no member of {BATCH_ROLE}"
    return f"ignored NOTIFY for {kind} {who}{reason}; ask for the run with: python -m jobs.trigger {kind}"


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


def finish(connection: psycopg.Connection, job: Job, exit_code: int, last_error: str | None) -> int | None:
    """Record how the process of a run ended, where the run could not do it itself.

    A fault that passes lets the job wait for another attempt, which goes on with the run.

    exit_code  : of the job, negative when a signal ended the process
    last_error : the last error it reported
    returns    : seconds until the next attempt; None when the job has ended
    """
    message = last_error or (f"ended by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}")
    with postgres.failures("recording the end of a run", SinkError), connection.transaction():
        run_id = _end_log(connection, job, exit_code, message)
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


_FAILED, _REFUSED = 1, 2


def _pause(job: Job, exit_code: int, noted: bool | None, message: str) -> int | None:
    """Seconds until another attempt, None for none. noted: what the run itself said of its fault."""
    passes = noted if noted is not None else transient.sounds_transient(message)
    # an attempt that goes on with a run may be refused because a restarted server forgot what identifies its tables
    may_retry = passes if exit_code == _FAILED else exit_code == _REFUSED and job.run_id is not None
    return BATCH_PAUSES[job.attempts - 1] if may_retry and job.attempts <= len(BATCH_PAUSES) else None


def _end_log(connection: psycopg.Connection, job: Job, exit_code: int, message: str) -> int | None:
    """The log rows of this attempt are ended; one that failed before its run began gets one. Returns the run."""
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
        (job.batch_id, job.job_type, job.started_at, "completed" if exit_code == 0 else "failed", message),
    )
    return job.run_id


def keep_alive(connection: psycopg.Connection, running: list[UUID]) -> list[Lost]:
    """Say that these processes are going on, and end the runs of which nobody has said so for long; returns those."""
    with postgres.failures("keeping runs alive", SinkError):
        connection.execute("UPDATE batch_jobs SET updated_at = now() WHERE batch_id = ANY(%s)", (running,))
    return batch_runs.lose_silent(connection)


def ended(connection: psycopg.Connection, ids: list[UUID]) -> set[UUID]:
    """Those of these jobs that are not running any more."""
    if not ids:
        return set()
    with postgres.failures("reading the state of runs", SinkError):
        rows = connection.execute(
            "SELECT batch_id FROM batch_jobs WHERE batch_id = ANY(%s) AND status <> 'running'", (ids,)
        ).fetchall()
    return {batch_id for (batch_id,) in rows}


def has_started_since(connection: psycopg.Connection, kind: JobType, moment: datetime) -> bool:
    """True when the log names a run of this kind, or one that includes it, from this moment on."""
    covering = [other for other in KINDS if set(LOCKS[kind]) <= set(LOCKS[other])]
    with postgres.failures("reading the log of runs", SinkError):
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM batch_job_logs WHERE job_type = ANY(%s) AND started_at >= %s)",
            (covering, moment),
        ).fetchone()
    return bool(row and row[0])
