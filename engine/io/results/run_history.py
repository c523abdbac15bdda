"""Batch runs as they went: rows of `result_runs` with the jobs that asked for them, and jobs that are no run yet."""

from __future__ import annotations

from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from engine.core.errors import SourceError
from engine.io.db import postgres

Row = dict[str, Any]
#: a run may have been resumed: the newest line of its log counts
_RUNS: LiteralString = """
WITH everything AS (
  SELECT r.run_id, l.batch_id, r.job_type, coalesce(l.status, CASE WHEN r.published_at IS NULL THEN 'unknown'
         ELSE 'completed' END) AS status, r.scope, r.edition, r.edition_checksum, r.edition_checksums, r.baseline,
         r.source_fingerprint, r.started_at, l.completed_at, r.published_at, l.total_grids AS total_cells,
         l.processed_grids AS processed_cells, l.failed_grids AS failed_cells,
         coalesce(l.error_message, b.error_message) AS error_message, b.progress, b.current_step, b.updated_at,
         r.summary
    FROM result_runs r
    LEFT JOIN LATERAL (SELECT * FROM batch_job_logs WHERE run_id = r.run_id ORDER BY started_at DESC, id DESC LIMIT 1) l
         ON true
    LEFT JOIN batch_jobs b USING (batch_id)
  UNION ALL
  SELECT NULL, b.batch_id, b.job_type, b.status, NULL, NULL, NULL, NULL, NULL, NULL,
         coalesce(b.started_at, b.created_at), b.completed_at, NULL, NULL, NULL, NULL, b.error_message, b.progress,
         b.current_step, b.updated_at, NULL
    FROM batch_jobs b
   WHERE b.job_type IN ('probability', 'hazard', 'yearly', 'ensemble')
     AND NOT EXISTS (SELECT FROM batch_job_logs l WHERE l.batch_id = b.batch_id AND l.run_id IS NOT NULL)
)
SELECT {} FROM everything WHERE {} {}
"""
_ORDER: LiteralString = "ORDER BY started_at DESC, run_id DESC NULLS LAST, batch_id LIMIT %(limit)s OFFSET %(offset)s"
_ASKED: LiteralString = "(%(job_type)s::text IS NULL OR job_type = %(job_type)s)"


def page(connection: psycopg.Connection, job_type: str | None, limit: int, offset: int) -> tuple[int, list[Row]]:
    """(how many there are, some of them, the newest first). job_type: None for all"""
    asked = {"job_type": job_type, "limit": limit, "offset": offset}
    with postgres.failures("reading the runs", SourceError), connection.cursor(row_factory=dict_row) as cursor:
        [counted] = cursor.execute(_RUNS.format("count(*) AS n", _ASKED, ""), asked).fetchall()
        return int(counted["n"]), cursor.execute(_RUNS.format("*", _ASKED, _ORDER), asked).fetchall()


def one(connection: psycopg.Connection, number: int | UUID) -> Row | None:
    """A run by its number, or by the id of the job that asked for it."""
    where: LiteralString = "run_id = %(id)s" if isinstance(number, int) else "batch_id = %(id)s"
    newest: LiteralString = "ORDER BY started_at DESC LIMIT 1"
    with postgres.failures("reading a run", SourceError), connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_RUNS.format("*", where, newest), {"id": number}).fetchone()
