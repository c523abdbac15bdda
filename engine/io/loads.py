"""What stands in a warehouse: the published loads of every table, and what the gate found in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from engine.errors import SourceError
from engine.io import postgres


@dataclass(frozen=True, slots=True)
class Load:
    """A published row of `etl_load`. source_files: name, bytes, sha256, scenario; findings: as `quality.Finding`."""

    loader: str
    table_name: str
    scope: str
    n_rows: int | None
    n_rejected: int | None
    finished_at: datetime | None
    source_files: list[dict[str, Any]]
    findings: list[dict[str, Any]]


def published(connection: psycopg.Connection) -> list[Load]:
    """Published loads by table; empty for a warehouse that was not filled by the loaders."""
    with postgres.failures("reading etl_load", SourceError):
        if connection.execute("SELECT to_regclass('etl_load')").fetchone() == (None,):
            return []
        with connection.cursor(row_factory=class_row(Load)) as cursor:
            return cursor.execute(
                "SELECT loader, table_name, scope, n_rows, n_rejected, finished_at, source_files,"
                " coalesce(gate_report -> 'findings', '[]'::jsonb) AS findings"
                " FROM etl_load WHERE status = 'published' ORDER BY table_name, loader"
            ).fetchall()
