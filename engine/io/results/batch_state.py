"""State of batches: running, waiting, lost, unfinished; and the findings of the listener's dry run.

Read without changing anything, by any role: columns that the role may not read, or that an older schema does not have,
are null. That a run is alive is seen by its locks, which its session holds and nobody can leave behind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from engine.core.errors import SourceError
from engine.io.db import postgres
from engine.io.queue import job_logs
from engine.io.queue.batch_jobs import Job
from engine.io.results.batch_runs import HELD, KEY, SILENT_AFTER, resume_line
from engine.io.results.sink import LOCKS, WRITES

Row = dict[str, Any]
#: of `batch_jobs`, as far as they can be read
_WANTED = (
    "batch_id",
    "job_type",
    "status",
    "progress",
    "current_step",
    "total_items",
    "completed_items",
    "items_per_second",
    "run_id",
    "attempts",
    "not_before",
    "created_at",
    "started_at",
    "updated_at",
)
_READABLE = """
SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass('batch_jobs') AND attnum > 0 AND NOT attisdropped
   AND has_column_privilege(attrelid, attnum, 'SELECT')
"""
_RUNNING_LOGS = """
SELECT batch_id, run_id, job_type, started_at, total_grids, processed_grids FROM batch_job_logs
 WHERE status = 'running' AND job_type = ANY(%s) ORDER BY id
"""
_UNPUBLISHED = """
SELECT r.run_id, r.job_type, r.published_at, l.status, l.completed_at, l.error_message
  FROM result_runs r LEFT JOIN LATERAL
       (SELECT * FROM batch_job_logs WHERE run_id = r.run_id ORDER BY id DESC LIMIT 1) l ON true
 ORDER BY r.run_id DESC LIMIT 100
"""


def readable(connection: psycopg.Connection) -> set[str]:
    """Columns of `batch_jobs` that this role may read here."""
    with postgres.failures("reading the jobs", SourceError):
        return {name for (name,) in connection.execute(_READABLE).fetchall()}


def of(connection: psycopg.Connection) -> dict[str, Any]:
    """Batches of an application database.

    returns : going (state running, starting or lost), waiting (queued), unfinished (runs that --resume continues and no
              later run has replaced), check (of the schedule, None before the first)
    """
    columns = readable(connection)
    with postgres.failures("reading the jobs", SourceError), connection.cursor(row_factory=dict_row) as cursor:
        going = _going(cursor, columns)
        if any(row["state"] == "lost" for row in going):  # or it has ended between two looks
            still = {_key(row): row["state"] for row in _going(cursor, columns)}
            going = [row for row in going if _key(row) in still]
        commands = _commands(cursor, columns)
        for row in going:
            row["resume"] = _line(commands, row) if row["run_id"] is not None else None
        waiting = [_told(row) for row in _jobs(cursor, columns, "queued")]
        unfinished = _unfinished(cursor, {row["run_id"] for row in going})
        check = job_logs.newest_check(connection)
    return {
        "going": going,
        "waiting": waiting,
        "unfinished": [row | {"resume": _line(commands, row)} for row in unfinished],
        "check": check and {name: _text(value) for name, value in check._asdict().items()},
    }


def job(connection: psycopg.Connection, batch_id: UUID) -> Row | None:
    """The row of a job, as far as this role may read it; None for an unknown id."""
    columns = readable(connection)
    shown = [field.name for field in fields(Job) if field.name in columns]
    with postgres.failures("reading a job", SourceError), connection.cursor(row_factory=dict_row) as cursor:
        query = f"SELECT {', '.join(shown) or 'NULL'} FROM batch_jobs WHERE batch_id = %s"
        return cursor.execute(query.encode(), (batch_id,)).fetchone()


def _jobs(cursor: psycopg.Cursor[Row], columns: Collection[str], status: str) -> list[Row]:
    if not {"job_type", "status"} <= set(columns):
        return []
    shown = ", ".join(name if name in columns else f"NULL AS {name}" for name in _WANTED)
    query = f"SELECT {shown} FROM batch_jobs WHERE status = %s AND job_type = ANY(%s) ORDER BY job_type"
    return cursor.execute(query.encode(), (status, list(LOCKS))).fetchall()


def _going(cursor: psycopg.Cursor[Row], columns: Collection[str]) -> list[Row]:
    """Rows that say they run, of both tables: an older engine wrote the log alone."""
    jobs = _jobs(cursor, columns, "running")
    logs = cursor.execute(_RUNNING_LOGS, (list(LOCKS),)).fetchall()
    by_job = {log["batch_id"]: log for log in logs if log["batch_id"] is not None}
    alone = [log for log in logs if log["batch_id"] not in {job["batch_id"] for job in jobs}]
    held = _held(cursor)
    rows = []
    for job in jobs:
        log = by_job.get(job["batch_id"], {})
        job["run_id"] = job["run_id"] if job["run_id"] is not None else log.get("run_id")
        rows.append(_told(job) | {"state": _state(job, held)})
    for log in alone:
        is_held = held.issuperset(LOCKS[log["job_type"]])
        rows.append(
            dict.fromkeys(_told({}))
            | {
                "batch_id": _text(log["batch_id"]),
                "job_type": log["job_type"],
                "run_id": log["run_id"],
                "cells": log["total_grids"],
                "cells_done": log["processed_grids"],
                "since": _text(log["started_at"]),
                "state": "running" if is_held else "lost",
            }
        )
    return rows


def _held(cursor: psycopg.Cursor[Row]) -> set[str]:
    """Names of the locks of batches that some session holds."""
    names = sorted({name for names in LOCKS.values() for name in names})
    query = f"SELECT name FROM unnest(%s::text[]) AS k(name) WHERE {KEY.format('name')} IN ({HELD})"
    return {row["name"] for row in cursor.execute(query.encode(), (names,)).fetchall()}


def _state(job: Row, held: set[str]) -> str:
    if held.issuperset(LOCKS[job["job_type"]]):
        return "running"
    silent = datetime.now(UTC) - job["updated_at"] if job["updated_at"] is not None else SILENT_AFTER
    # a run holds its locks from its number on; another attempt of one has its number before its locks
    was_held = job["run_id"] is not None and (job["attempts"] or 0) <= 1
    return "lost" if was_held or silent >= SILENT_AFTER else "starting"


def _told(job: Mapping[str, Any]) -> Row:
    beat = job.get("updated_at")
    return {
        "job_type": job.get("job_type"),
        "run_id": job.get("run_id"),
        "batch_id": _text(job.get("batch_id")),
        "step": job.get("current_step"),
        "percent": job.get("progress"),
        "cells_done": job.get("completed_items"),
        "cells": job.get("total_items"),
        "cells_per_second": job.get("items_per_second"),
        "attempt": job.get("attempts"),
        "not_before": _text(job.get("not_before")),
        "asked_at": _text(job.get("created_at")),
        "since": _text(job.get("started_at")),
        "last_beat": _text(beat),
        "silent_seconds": None if beat is None else max(0, round((datetime.now(UTC) - beat).total_seconds())),
    }


def _unfinished(cursor: psycopg.Cursor[Row], going: Collection[int | None]) -> list[Row]:
    """Unpublished runs, the newest first, that no published run of the same tables has followed."""
    found, published = [], set[str]()
    for row in cursor.execute(_UNPUBLISHED).fetchall():
        kind = row["job_type"]
        if row["published_at"] is not None:
            published.update(WRITES.get(kind, ()))
        elif row["run_id"] not in going and kind in WRITES and not published.issuperset(WRITES[kind]):
            ended = {"status": row["status"], "ended": _text(row["completed_at"]), "error": row["error_message"]}
            found.append({"run_id": row["run_id"], "job_type": kind, **ended})
    return found


def _commands(cursor: psycopg.Cursor[Row], columns: Collection[str]) -> dict[int, str]:
    """Commands that started the runs, where this role may read them."""
    if not {"run_id", "input_params"} <= set(columns):
        return {}
    rows = cursor.execute(
        "SELECT DISTINCT ON (run_id) run_id, input_params ->> 'command' AS command FROM batch_jobs"
        " WHERE run_id IS NOT NULL AND input_params ? 'command' ORDER BY run_id DESC, created_at LIMIT 200"
    ).fetchall()
    return {row["run_id"]: row["command"] for row in rows if row["command"]}


def _line(commands: Mapping[int, str], row: Row) -> str:
    return resume_line(commands.get(row["run_id"]), row["job_type"], row["run_id"])


def _key(row: Row) -> tuple[object, object]:
    return row["batch_id"], row["run_id"]


def _text(value: object) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return None if value is None else str(value)
