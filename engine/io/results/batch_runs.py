"""The rows of batch runs in `batch_jobs`: opened when a run begins, ended with it, and found when nobody ended them.

A run holds session locks for as long as it lives, so a row that is `running` while its locks are free belongs to a
process that is gone. A run that is resumed has a new row with the same `run_id`: rows that have ended do not change.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from engine.core.errors import SettingsError, SinkError
from engine.io.db import postgres
from engine.io.queue import batch_jobs
from engine.io.results import progress
from engine.io.results.sink import LOCKS, WRITES, JobType, RunRecord, Status

log = logging.getLogger(__name__)

#: a running batch that has missed so many of its beats is lost, if its locks are free as well
SILENT_AFTER = timedelta(seconds=3 * progress.BEAT)
#: first key of the locks, and the rows of `pg_locks` that are of this database and of two keys
HELD = f"""
SELECT l.objid::bigint FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
 WHERE l.locktype = 'advisory' AND l.classid::bigint = {postgres.LOCK_SPACE} AND l.objsubid = 2 AND l.granted
"""
#: the key of a lock by its name, as `pg_locks` shows it
KEY = "(hashtext('job ' || {}::text)::bigint & 4294967295)"


@dataclass(frozen=True, slots=True)
class Lost:
    """A row whose process was gone. published: the run had been switched in before; command: how it was started."""

    batch_id: UUID
    job_type: str
    run_id: int | None
    published: bool
    command: str | None

    def __str__(self) -> str:
        if self.published:
            return f"run {self.run_id} ({self.job_type}) was published, then its process was killed"
        if self.run_id is None:
            return f"job {self.batch_id} ({self.job_type}) lost its process before a run began"
        line = resume_line(self.command, self.job_type, self.run_id)
        return f"run {self.run_id} ({self.job_type}) lost its process; continue with: {line}"


def resume_line(command: str | None, job_type: str, run_id: int) -> str:
    """Command that resumes a run. command: how it was started, None when that is not known."""
    return f"{command or f'python -m jobs.{job_type}'} --resume {run_id}"


def open_row(connection: psycopg.Connection, record: RunRecord, run_id: int) -> UUID | None:
    """The run's row, running: a new one, or that of the trigger that asked for it; None when it cannot be written.

    raises : SettingsError for a trigger that is not waiting for this run
    """
    try:
        with connection.transaction():  # a savepoint: the run begins without its row rather than not at all
            if record.batch_id is None:
                return _insert(connection, record, run_id)
            _adopt(connection, record, run_id)
            return record.batch_id
    except psycopg.Error as err:
        reason = err.diag.message_primary or str(err).strip().split("\n")[0]
        log.warning("the run has no row in batch_jobs, its progress is not shown: %s", reason)
        return None


def _insert(connection: psycopg.Connection, record: RunRecord, run_id: int) -> UUID:
    batch_id = uuid4()
    connection.execute(
        "INSERT INTO batch_jobs (batch_id, job_type, status, current_step, total_items, input_params, worker_id,"
        " started_at, run_id, attempts) VALUES (%s, %s, 'running', %s, %s, %s, %s, now(), %s, 1)",
        (
            batch_id,
            record.job_type,
            progress.FIRST_STEP,
            record.total_grids,
            Jsonb({"origin": "command line", "command": record.command}),
            batch_jobs.worker(),
            run_id,
        ),
    )
    return batch_id


def _adopt(connection: psycopg.Connection, record: RunRecord, run_id: int) -> None:
    taken = connection.execute(
        "UPDATE batch_jobs SET current_step = %s, total_items = %s, input_params = input_params || %s, worker_id = %s,"
        " run_id = %s, updated_at = now() WHERE batch_id = %s AND job_type = %s AND status = 'running'",
        (
            progress.FIRST_STEP,
            record.total_grids,
            Jsonb({"command": record.command}),
            batch_jobs.worker(),
            run_id,
            record.batch_id,
            record.job_type,
        ),
    ).rowcount
    if not taken:
        raise SettingsError(f"--job {record.batch_id}: no {record.job_type} job of that id is waiting for its run")


def end_row(
    connection: psycopg.Connection,
    batch_id: UUID,
    status: Status,
    *,
    processed: int | None,
    failed: int | None,
    error: str | None,
    details: Mapping[str, object],
    is_triggered: bool,
) -> None:
    """End the row of a run as its log row ends; one that somebody ended before stays as it is.

    details      : kept in `results` (`run_id`, and of a failure whether it may pass: `transient`)
    is_triggered : a failure is noted, whoever started the process ends the row or lets it wait for another attempt
    """
    results, message = dict(details), error
    if status in ("completed", "partial"):
        state, message = "completed", None
        results["status"] = "success" if status == "completed" else "partial"
        step = "Finished" if status == "completed" else f"Finished in part: {error}"
    elif status == "cancelled":
        state, step = "cancelled", "Interrupted at: "
        message = f"interrupted; continue with --resume {details['run_id']}"
    else:
        state, step = "running" if is_triggered else "failed", "Failed at: "
    is_end = state == "completed"
    with postgres.failures("recording the end of the run", SinkError):
        connection.execute(
            "UPDATE batch_jobs SET status = %s, progress = CASE WHEN %s THEN 100 ELSE progress END, error_message = %s,"
            " current_step = left(%s || CASE WHEN %s THEN '' ELSE coalesce(current_step, '') END, 200), results = %s,"
            " completed_items = coalesce(%s, completed_items), failed_items = coalesce(%s, failed_items),"
            " items_per_second = NULL, completed_at = CASE WHEN %s <> 'running' THEN now() END, updated_at = now(),"
            " actual_duration_seconds = round(extract(epoch FROM now() - started_at))"
            " WHERE batch_id = %s AND status = 'running'",
            (state, is_end, message, step, is_end, Jsonb(results), processed, failed, state, batch_id),
        )


def lose(connection: psycopg.Connection, ids: Sequence[UUID]) -> list[Lost]:
    """End rows whose process is gone, with their log rows; of a run that was published before, as completed."""
    with postgres.failures("recording lost runs", SinkError), connection.transaction():
        rows = connection.execute(
            "UPDATE batch_jobs j SET completed_at = now(), updated_at = now(),"
            " status = CASE WHEN r.published_at IS NULL THEN 'failed' ELSE 'completed' END,"
            " progress = CASE WHEN r.published_at IS NULL THEN j.progress ELSE 100 END,"
            " results = CASE WHEN r.published_at IS NOT NULL THEN jsonb_build_object('run_id', r.run_id, 'status',"
            "   CASE r.summary ->> 'status' WHEN 'partial' THEN 'partial' ELSE 'success' END) END,"
            " error_message = CASE WHEN r.published_at IS NOT NULL THEN NULL WHEN r.run_id IS NULL THEN 'Worker lost'"
            "   ELSE 'Worker lost; continue with --resume ' || r.run_id END,"
            " current_step = left(CASE WHEN r.published_at IS NULL THEN 'Lost at: ' || coalesce(j.current_step, '')"
            "   ELSE 'Finished; the process was killed after the switch' END, 200)"
            " FROM batch_jobs own LEFT JOIN result_runs r ON r.run_id = own.run_id"
            " WHERE own.batch_id = j.batch_id AND j.batch_id = ANY(%s) AND j.status = 'running'"
            " RETURNING j.batch_id, j.job_type, r.run_id, r.published_at IS NOT NULL, j.input_params ->> 'command'",
            (list(ids),),
        ).fetchall()
        lost = [Lost(*row) for row in rows]
        connection.execute(
            "UPDATE batch_job_logs l SET completed_at = now(), error_message = 'the process was killed',"
            " status = CASE WHEN r.published_at IS NULL THEN 'failed'"
            " ELSE coalesce(r.summary ->> 'status', 'completed') END"
            " FROM batch_job_logs own LEFT JOIN result_runs r ON r.run_id = own.run_id"
            " WHERE own.id = l.id AND l.status = 'running' AND l.batch_id = ANY(%s)",
            ([each.batch_id for each in lost],),
        )
    return lost


def lose_silent(connection: psycopg.Connection) -> list[Lost]:
    """`lose` the running batches that have said nothing for `SILENT_AFTER` and whose locks nobody holds."""
    kinds = [(kind, name) for kind, names in LOCKS.items() for name in names]
    with postgres.failures("looking for lost runs", SinkError):
        found = connection.execute(
            f"SELECT batch_id FROM batch_jobs j WHERE status = 'running' AND job_type = ANY(%s)"
            f" AND updated_at < now() - %s AND NOT EXISTS (SELECT FROM unnest(%s::text[], %s::text[]) AS k(kind, name)"
            f" WHERE k.kind = j.job_type AND {KEY.format('k.name')} IN ({HELD}))".encode(),
            (list(LOCKS), SILENT_AFTER, [kind for kind, _ in kinds], [name for _, name in kinds]),
        ).fetchall()
    return lose(connection, [batch_id for (batch_id,) in found]) if found else []


def lose_of_logs(connection: psycopg.Connection, kinds: Sequence[JobType | str]) -> list[Lost]:
    """`lose` the batches of these kinds that the log calls running. The caller holds the locks of all of them."""
    with postgres.failures("looking for lost runs", SinkError):
        found = connection.execute(
            "SELECT batch_id FROM batch_job_logs WHERE status = 'running' AND job_type = ANY(%s)"
            " AND batch_id IS NOT NULL",
            (list(kinds),),
        ).fetchall()
    return lose(connection, [batch_id for (batch_id,) in found]) if found else []


def keep_alive(connection: psycopg.Connection, running: Sequence[UUID]) -> list[Lost]:
    """Say that these processes are going on, and end the runs of which nobody has said so for long; returns those."""
    with postgres.failures("keeping runs alive", SinkError):
        connection.execute("UPDATE batch_jobs SET updated_at = now() WHERE batch_id = ANY(%s)", (list(running),))
    return lose_silent(connection)


def is_going(connection: psycopg.Connection, kind: JobType) -> bool:
    """True while a run of this kind, or of one that writes the same tables, is going in any process."""
    with postgres.failures("looking at the locks", SinkError):
        for name in LOCKS[kind]:
            key = (postgres.LOCK_SPACE, f"job {name}")
            # given back with its transaction, whoever is between us and the server
            row = connection.execute("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", key).fetchone()
            if not (row and row[0]):
                return True
    return False


def has_started_since(connection: psycopg.Connection, kind: JobType, moment: datetime) -> bool:
    """True when the log names a run of this kind, or one that includes it, from this moment on."""
    covering = [other for other in WRITES if set(WRITES[kind]) <= set(WRITES[other])]
    with postgres.failures("reading the log of runs", SinkError):
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM batch_job_logs WHERE job_type = ANY(%s) AND started_at >= %s)",
            (covering, moment),
        ).fetchone()
    return bool(row and row[0])
