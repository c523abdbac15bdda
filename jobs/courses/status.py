"""Course of `jobs.status`."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from uuid import UUID

import rich.box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from engine.core import settings
from engine.core.counted import counted
from engine.core.errors import SettingsError
from engine.core.names import RISK_NAMES
from engine.core.settings import Settings
from engine.core.translation import translate
from engine.io.db import postgres
from engine.io.results import batch_state, status
from engine.io.results.published_figures import AAL, HAZARD
from jobs import _addresses, _console, _look, _options

#: runs of the log that are printed; --json has ten
SHOWN = 5


def run(args: argparse.Namespace) -> int:
    """Look, print."""
    config = settings.load()
    with ExitStack() as stack:
        sink, warehouse = _ends(args, config, stack)
        if args.batch_id is not None:
            found = _job(sink, args.batch_id)
            print(json.dumps(found, indent=1, default=str, ensure_ascii=False) if args.json else _lines(found))
            return _console.COMPLETE
        runs = Path(args.run_dir) if args.run_dir else config.engine_home / "runs"
        found = {"sink": _sink(sink), "runs": status.of_runs(runs)}
        if warehouse is not None:
            with closing(postgres.connect(warehouse)) as connection:
                found["warehouse"] = {"where": postgres.describe(warehouse), **status.of_warehouse(connection)}
    if args.json:
        print(json.dumps(found, indent=1, default=str, ensure_ascii=False))
    else:
        _show(_console.console(), found)
    return _console.COMPLETE


def _ends(args: argparse.Namespace, config: Settings, stack: ExitStack) -> tuple[str, str | None]:
    absent = "nothing to show: give --sink, set APP_*, or run jobs.yearly, which makes a database"
    return _addresses.to_look_at(config, args.sink, args.warehouse, stack, absent, migrated=False)


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
        job = batch_state.job(connection, batch_id)
    if job is None:
        raise SettingsError(f"no job {batch_id}")
    return job


def _lines(job: dict[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in job.items() if value is not None)


def _show(out: Console, found: dict[str, Any]) -> None:
    sink, runs = found["sink"], found["runs"]
    out.print(f"results: {sink['where']}, {decimal(sink['bytes'])}")
    _show_batches(out, sink["batches"], runs)
    log = _table("run", "job", "status", "started (UTC)", "ended", "cells", "done", "failed", "error")
    lost = {row["run_id"] for row in sink["batches"]["going"] if row["state"] == "lost"}
    for row in sink["runs"][:SHOWN]:
        state = "lost" if row["status"] == "running" and row["run_id"] in lost else row["status"]
        cells = [row.get(name) for name in ("total_grids", "processed_grids", "failed_grids")]
        log.add_row(
            *_texts(row["run_id"], row["job_type"], state, _short(row["started_at"])),
            *_texts(_short(row.get("completed_at")), *cells, _first(row.get("error_message"), 60)),
        )
    _print(out, log, "no run was ever started")
    _show_published(out, sink["published"])
    if ensemble := sink["ensemble"]:
        members = ", ".join(f"{each['run_id']:,} ({each['place']})" for each in ensemble["members"])
        risks = f"{len(ensemble['risks'])} risks, edition {ensemble['edition']}, scope {ensemble['scope']}"
        _say(out, f"ensemble: run {ensemble['run_id']}, {risks}, {ensemble['age_days']:g} days old, of runs {members}")
    if sink["tables"]:
        rows, size = (sum(table[name] for table in sink["tables"]) for name in ("rows", "bytes"))
        out.print(f"result tables: {counted(rows, 'row')}, {decimal(size)}")
    for job, counts in sink["jobs"].items():
        out.print(f"jobs {job}: {', '.join(f'{count} {state}' for state, count in counts.items())}")
    if "warehouse" in found:
        _show_warehouse(out, found["warehouse"])
    size = decimal(sum(run["bytes"] for run in runs["runs"]))
    out.print(
        f"run directories: {len(runs['runs'])} in {runs['where']}, {size}; {decimal(runs['disk_free_bytes'])} free"
    )


def _show_batches(out: Console, batches: dict[str, Any], runs: dict[str, Any]) -> None:
    """A line for each batch that is going, waiting, lost or unfinished; and what the schedule would meet."""
    for row in batches["going"]:
        what = f"run {row['run_id']}" if row["run_id"] is not None else f"job {row['batch_id']}"
        if row["state"] == "lost":
            line = f"; continue with: {_look.resume(row['resume'])}" if row["resume"] else ""
            _say(out, f"LOST: {row['job_type']}, {what}, since {_short(row['since'])} UTC: its process is gone{line}")
            continue
        _say(out, f"{row['state']}: {row['job_type']}, {what}, {_progress(row)}")
    for row in batches["waiting"]:
        when = f", not before {_short(row['not_before'])} UTC" if row["not_before"] else ""
        _say(out, f"waiting: {row['job_type']}, since {_short(row['asked_at'])} UTC{when}, {row['step'] or 'queued'}")
    here = {run["run_id"]: run for run in runs["runs"]}
    known = {row["run_id"] for name in ("going", "unfinished") for row in batches[name]}
    for row in batches["unfinished"]:
        why = f" ({_first(row['error'], 80)})" if row["error"] else ""
        elsewhere = "" if row["run_id"] in here else f" (its directory is not in {runs['where']})"
        number = f"run {row['run_id']}{elsewhere}, {row['status']}{why}"
        _say(out, f"unfinished: {row['job_type']}, {number}; continue with: {_look.resume(row['resume'])}")
    for run in runs["runs"]:
        if run["missing_blocks"] and run["run_id"] not in known:
            _say(out, f"run {run['run_id']} is unfinished: {run['missing_blocks']} of {run['blocks']} blocks missing")
    check = batches["check"]
    if check is not None and check["faults"]:
        meets = "would fail" if check["status"] == "failed" else "would not be whole"
        _say(out, f"SCHEDULE: the next run {meets}, since {_short(check['since'])} UTC: {check['faults']}")


def _say(out: Console, text: str) -> None:
    """A line in which nothing is markup: errors and paths hold brackets."""
    out.print(text, markup=False)


def _progress(row: dict[str, Any]) -> str:
    parts = []
    if row["percent"] is not None:
        parts.append(f"{row['percent']} %")
    if row["cells"]:
        parts.append(f"{row['cells_done'] or 0:,} of {row['cells']:,} cells")
    if row["cells_per_second"]:
        parts.append(f"{row['cells_per_second']:,.0f} cells/s")
    if row["step"]:
        parts.append(row["step"])
    if (row["attempt"] or 0) > 1:
        parts.append(f"attempt {row['attempt']}")
    parts.append(f"since {_short(row['since'])} UTC")
    if row["silent_seconds"] is not None:
        parts.append(f"last beat {row['silent_seconds']} s ago")
    return ", ".join(parts)


def _show_published(out: Console, published: list[dict[str, Any]]) -> None:
    """A row for each run that has published rows."""
    runs = _table("published run", "edition", "baseline", "scope", "age, days", "probability of", "hazard of", "cells")
    for run in sorted({row["run_id"] for row in published}, reverse=True):
        mine = [row for row in published if row["run_id"] == run]
        stated = [mine[0][name] for name in ("edition", "baseline", "scope", "age_days")]
        risks = [[row["risk_type"] for row in mine if row["table"] == table] for table in (AAL.full, HAZARD.full)]
        shown = [
            f"all {len(RISK_NAMES)} risks" if len(each) == len(RISK_NAMES) else ", ".join(each) or None
            for each in risks
        ]
        runs.add_row(*_texts(run, *stated, *shown, max(row["rows"] for row in mine)))
    _print(out, runs, "nothing is published")


def _show_warehouse(out: Console, warehouse: dict[str, Any]) -> None:
    loads = warehouse["loads"]
    out.print(f"climate data: {warehouse['where']}, {decimal(warehouse['bytes'])}, {len(loads)} published loads")
    if not loads:
        return
    ages = [load["age_days"] for load in loads if load["age_days"] is not None]
    scopes = ", ".join(sorted({load["scope"] for load in loads}))
    rows = sum(load["rows"] or 0 for load in loads)
    oldest, newest = (f"{pick(ages):g}" if ages else "?" for pick in (max, min))
    out.print(f"scope {scopes}, {counted(rows, 'row')}, loaded {oldest} to {newest} days ago")
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


def _first(text: str | None, most: int) -> str | None:
    """Beginning of a sentence in the language of the reader, who could not be told that of a sentence cut short."""
    text = text and translate(text, _options.language())
    return text if text is None or len(text) <= most else f"{text[: most - 3]}..."


def _short(moment: str | None) -> str | None:
    return moment and moment[:16].replace("T", " ")
