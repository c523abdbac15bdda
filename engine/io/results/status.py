"""Status of the engine: runs, published results and their age, rows and bytes. Plain values, ready for JSON."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pyarrow.parquet as pq
from psycopg.rows import dict_row

from engine.core.errors import SourceError
from engine.io.climate import catalog
from engine.io.db import postgres
from engine.io.queue import job_states
from engine.io.results import batch_state, published_ensembles, published_runs, result_folder, spool
from engine.io.results.published import Run
from engine.io.results.published_figures import AAL, HAZARD
from engine.io.results.result_tables import MADE_BY, TABLES
from engine.io.results.sink import WRITES

Row = dict[str, Any]
#: of the log
NEWEST = 10
_LOG = """
SELECT run_id, job_type, status, started_at, completed_at, total_grids, processed_grids, failed_grids, error_message
  FROM batch_job_logs WHERE job_type <> 'check' ORDER BY started_at DESC, id DESC LIMIT %s
"""
_ROWS_BY_RUN = """
SELECT '{table}' AS "table", risk_type, run_id, count(*) AS rows FROM {table} GROUP BY risk_type, run_id
"""
# loading analyses every partition, so the catalogue knows its rows; -1: never analysed
_TABLES = """
SELECT parent.relname AS "table", sum(greatest(c.reltuples, 0))::bigint AS rows,
       sum(pg_total_relation_size(c.oid))::bigint AS bytes
  FROM pg_class parent JOIN pg_inherits i ON i.inhparent = parent.oid JOIN pg_class c ON c.oid = i.inhrelid
 WHERE parent.relname = ANY(%s) AND pg_table_is_visible(parent.oid) GROUP BY 1 ORDER BY 1
"""
_STATED = ("edition", "edition_checksum", "scope", "baseline", "published_at")


def loaded_rows(connection: psycopg.Connection) -> dict[str, int]:
    """Rows of each table of a run as they were counted when it was loaded: counting 48 million takes seconds."""
    found = connection.execute(
        "SELECT t.name, coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM unnest(%s::text[]) AS t(name)"
        " LEFT JOIN pg_inherits i ON i.inhparent = to_regclass(t.name) LEFT JOIN pg_class c ON c.oid = i.inhrelid"
        " GROUP BY 1",
        (list(WRITES["yearly"]),),
    ).fetchall()
    rows: dict[str, int] = dict(found)
    return {table: rows[table] for table in WRITES["yearly"]}


def of_database(connection: psycopg.Connection) -> Row:
    """Of an application database.

    returns : runs (the newest of the log), published (a row a table, risk and run), ensemble (the newest, None: none),
              tables (rows, bytes), jobs (type -> status -> count), bytes (of the whole database), batches
              (`batch_state.of`)
    raises  : SourceError when it has no results schema
    """
    runs, batches = published_runs.every(connection), batch_state.of(connection)
    with postgres.failures("reading the state", SourceError), connection.cursor(row_factory=dict_row) as cursor:
        log = cursor.execute(_LOG.encode(), (NEWEST,)).fetchall()
        held = [
            row
            for table in MADE_BY.values()
            for row in cursor.execute(_ROWS_BY_RUN.format(table=table).encode()).fetchall()
        ]
        tables = cursor.execute(_TABLES.encode(), (list(TABLES),)).fetchall()
        counts = job_states.counts(connection)
        size = cursor.execute("SELECT pg_database_size(current_database()) AS bytes").fetchall()
    jobs: dict[str, dict[str, int]] = {}
    for each in counts:
        jobs.setdefault(each.job_type, {})[each.status] = each.jobs
    return {
        "runs": [row | {name: _text(row[name]) for name in ("started_at", "completed_at")} for row in log],
        "published": _published(held, runs),
        "ensemble": _ensemble(runs),
        "tables": tables,
        "jobs": jobs,
        "bytes": size[0]["bytes"],
        "batches": batches,
    }


def of_directory(folder: Path) -> Row:
    """The same of a directory sink; it has no queue of jobs."""
    present, entries = result_folder.current(folder), result_folder.entries(folder)
    log = [{"run_id": number, **entry["log"]} for number, entry in entries.items()]
    tables, held = [], []
    for table in TABLES.values():
        path = present / f"{table.name}.parquet"
        if path.is_file():
            rows = pq.read_metadata(path).num_rows
            tables.append({"table": table.name, "rows": rows, "bytes": path.stat().st_size})
            if table.name in MADE_BY.values():
                counted = pl.scan_parquet(path, glob=False).group_by("risk_type", "run_id").agg(rows=pl.len())
                held += [{"table": table.name, **row} for row in counted.collect(engine="streaming").to_dicts()]
    return {
        "runs": sorted(log, key=lambda row: str(row["started_at"]), reverse=True)[:NEWEST],
        "published": _published(held, {number: entry["run"] for number, entry in entries.items()}),
        "ensemble": _ensemble({number: entry["run"] for number, entry in entries.items()}),
        "tables": tables,
        "jobs": {},
        "batches": {"going": [], "waiting": [], "unfinished": [], "check": None},
        "bytes": _size(folder),
    }


def of_warehouse(connection: psycopg.Connection) -> Row:
    """Published loads of a warehouse: table, loader, scope, rows, age, findings; and the size of the database."""
    with postgres.failures("reading the state", SourceError):
        found = catalog.published(connection)
        size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return {
        "loads": [
            {
                "table": load.table,
                "loader": load.loader,
                "scope": load.scope,
                "rows": load.rows,
                "loaded_at": _text(load.finished_at),
                "age_days": _age(_text(load.finished_at)),
                "findings": len(load.findings),
            }
            for load in found
        ],
        "bytes": size[0] if size else None,
    }


def of_runs(folder: Path) -> Row:
    """Run directories and the disk they lie on; a run whose process was killed is here as unfinished."""
    there = sorted(spool.run_ids(folder))
    disk = shutil.disk_usage(next(part for part in (folder, *folder.absolute().parents) if part.is_dir()))
    return {
        "where": str(folder),
        "runs": [
            {
                "run_id": number,
                "job_type": run.identity.get("job_type"),
                "blocks": len(run.blocks),
                "missing_blocks": len(run.missing),
                "bytes": _size(folder / str(number)),
            }
            for number in there
            for run in (spool.RunDirectory.open(folder, number),)
        ],
        "disk_free_bytes": disk.free,
        "disk_bytes": disk.total,
    }


def _published(held: Iterable[Row], runs: Mapping[int, Run]) -> list[Row]:
    order = {AAL.full: 0, HAZARD.full: 1}
    rows = []
    for row in held:
        told = {name: (runs.get(row["run_id"]) or {}).get(name) for name in _STATED}
        rows.append(row | told | {"age_days": _age(told["published_at"])})
    return sorted(rows, key=lambda row: (order[row["table"]], row["risk_type"], row["run_id"]))


def _ensemble(runs: Mapping[int, Run]) -> Row | None:
    """The newest published ensemble: what it is of, its risks, and the runs it was made of."""
    run = published_ensembles.newest(runs)
    if run is None:
        return None
    told = {name: run[name] for name in ("run_id", *_STATED)}
    risks, members = (run["summary"] or {}).get("risks"), published_ensembles.members_of(run)
    return told | {"risks": risks, "members": members, "age_days": _age(run["published_at"])}


def _age(moment: str | None) -> float | None:
    """Days since a moment."""
    if moment is None:
        return None
    return round((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds() / 86_400, 2)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _size(folder: Path) -> int:
    """Bytes of the files, each once: a directory of results has links and second names."""
    files = (path.lstat() for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum({(file.st_dev, file.st_ino): file.st_size for file in files}.values())
