"""Course of `jobs.status`."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

import rich.box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from engine import settings
from engine.errors import SettingsError
from engine.io import batch_jobs, postgres, status
from engine.io.embedded import APPLICATION, WAREHOUSE
from engine.settings import Settings
from jobs import _addresses, _console


def run(args: argparse.Namespace) -> int:
    """Look, print."""
    config = settings.load()
    with ExitStack() as stack:
        sink, warehouse = _ends(args, config, stack)
        if args.batch_id is not None:
            told = _job(sink, args.batch_id)
            print(json.dumps(told, indent=1, default=str, ensure_ascii=False) if args.json else _lines(told))
            return _console.COMPLETE
        runs = Path(args.run_dir) if args.run_dir else config.engine_home / "runs"
        told = {"sink": _sink(sink), "runs": status.of_runs(runs)}
        if warehouse is not None:
            with closing(postgres.connect(warehouse)) as connection:
                told["warehouse"] = {"where": postgres.describe(warehouse), **status.of_warehouse(connection)}
    if args.json:
        print(json.dumps(told, indent=1, default=str, ensure_ascii=False))
    else:
        _show(_console.console(), told)
    return _console.COMPLETE


def _ends(args: argparse.Namespace, config: Settings, stack: ExitStack) -> tuple[str, str | None]:
    sink = args.sink or config.application_url
    warehouse = _addresses.given("--warehouse", args.warehouse) or config.warehouse_url
    if sink is not None:
        return sink, warehouse
    absent = "nothing to show: give --sink, set APP_*, or run jobs.yearly, which makes a database"
    server = stack.enter_context(_addresses.existing(config, absent))
    return server.url(APPLICATION), warehouse or server.url(WAREHOUSE)


def _sink(sink: str) -> dict[str, Any]:
    if folder := _addresses.folder_of(sink):
        if not (folder / ".runs").is_dir():
            raise SettingsError(f"{folder} is no directory of results: no run was ever written there")
        return {"where": str(folder), **status.of_directory(folder)}
    with closing(postgres.connect(sink)) as connection:
        return {"where": postgres.describe(sink), **status.of_database(connection)}


def _job(sink: str, batch_id: UUID) -> dict[str, Any]:
    if _addresses.folder_of(sink):
        raise SettingsError(f"{sink} is a directory: only a database has jobs")
    with closing(postgres.connect(sink)) as connection:
        job = batch_jobs.read(connection, batch_id)
    if job is None:
        raise SettingsError(f"no job {batch_id}")
    return asdict(job)


def _lines(job: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in job.items() if value is not None)


def _show(out: Console, told: dict[str, Any]) -> None:
    sink, runs = told["sink"], told["runs"]
    out.print(f"results: {sink['where']}, {decimal(sink['bytes'])}")
    log = _table("run", "job", "status", "started (UTC)", "ended", "cells", "done", "failed", "error")
    for row in sink["runs"]:
        ended = row.get("completed_at")
        cells = [row.get(name) for name in ("total_grids", "processed_grids", "failed_grids")]
        log.add_row(
            *_texts(row["run_id"], row["job_type"], row["status"], _short(row["started_at"]), _short(ended)),
            *_texts(*cells, row.get("error_message")),
        )
    _print(out, log, "no run was ever started")
    held = _table("published", "risk", "rows", "run", "edition", "baseline", "scope", "age, days")
    for row in sink["published"]:
        stated = [row[name] for name in ("edition", "baseline", "scope", "age_days")]
        held.add_row(*_texts(row["table"], row["risk_type"], row["rows"], row["run_id"], *stated))
    _print(out, held, "nothing is published")
    for row in sink["tables"]:
        out.print(f"{row['table']}: {row['rows']:,} rows, {decimal(row['bytes'])}")
    for job, counts in sink["jobs"].items():
        out.print(f"jobs {job}: {', '.join(f'{count} {state}' for state, count in counts.items())}")
    if "warehouse" in told:
        _show_warehouse(out, told["warehouse"])
    size = decimal(sum(run["bytes"] for run in runs["runs"]))
    out.print(
        f"run directories: {len(runs['runs'])} in {runs['where']}, {size}; {decimal(runs['disk_free_bytes'])} free"
    )
    for run in runs["runs"]:
        if run["missing_blocks"]:
            out.print(f"run {run['run_id']} is unfinished: {run['missing_blocks']} of {run['blocks']} blocks missing")


def _show_warehouse(out: Console, warehouse: dict[str, Any]) -> None:
    loads = warehouse["loads"]
    out.print(f"climate data: {warehouse['where']}, {decimal(warehouse['bytes'])}, {len(loads)} published loads")
    if not loads:
        return
    ages = [load["age_days"] for load in loads if load["age_days"] is not None]
    scopes = ", ".join(sorted({load["scope"] for load in loads}))
    rows = sum(load["rows"] or 0 for load in loads)
    oldest, newest = (f"{pick(ages):g}" if ages else "?" for pick in (max, min))
    out.print(f"scope {scopes}, {rows:,} rows, loaded {oldest} to {newest} days ago")
    for load in loads:
        if load["findings"]:
            out.print(f"{load['table']} ({load['loader']}): {load['findings']} findings of the gate, see jobs.check")


def _table(*names: str) -> Table:
    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for name in names:
        table.add_column(name, justify="right" if name in ("rows", "cells", "done", "failed", "age, days") else "left")
    return table


def _print(out: Console, table: Table, nothing: str) -> None:
    out.print(table if table.row_count else nothing)


def _texts(*values: object) -> list[str]:
    return ["-" if value is None else f"{value:,}" if isinstance(value, int) else str(value) for value in values]


def _short(moment: str | None) -> str | None:
    return moment and moment[:16].replace("T", " ")
