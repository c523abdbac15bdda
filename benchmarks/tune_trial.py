"""One trial of `python -m benchmarks tune`, in a process of its own: nothing of another is in its memory.

    echo '{"kind": "run", ...}' | python -m benchmarks.tune_trial

prints one JSON line: what was done in a second, seconds by stage, peak memory, and a checksum of the results, which no
knob may change. Addresses come over standard input, where no other user of the machine sees their passwords.
"""

from __future__ import annotations

import hashlib
import json
import resource
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from benchmarks import portfolio
from benchmarks.rehearsal import Held
from engine import kernels
from engine.batch.execute import Request, execute
from engine.core import settings
from engine.core.variables import variable
from engine.io import etl, open_sink, open_source
from engine.io.db import postgres
from engine.io.etl.loading import LoadOptions
from engine.io.queue import batch_jobs
from engine.io.results.spool import RunDirectory
from engine.risks import RISKS, load_edition
from engine.service.worker import Worker

VARIABLE = variable("ta")
_KEYS = ("scenario_id", "time_period", "grid_id")
#: names a row of a table of assessments
_ROW = ("row", "risk_type", "scenario_id", "time_period")
#: of the rows of an assessment: when they were made
_OF_THE_CLOCK = ("calculated_at", "timestamp", "duration_seconds")


def run(
    source: str, sink: str | None, runs: str, cells: int, block_cells: int, threads: int, connections: int
) -> dict[str, Any]:
    """The yearly run of the first cells, nine risks and 13 pairs; with a sink also into its result tables."""
    kernels.use_threads(threads)
    kernels.warm_up()
    request = Request(
        job_type="yearly",
        edition=load_edition("2025-11"),
        risks=tuple(RISKS),
        cells=str(cells),
        block_cells=block_cells,
    )
    shutil.rmtree(runs, ignore_errors=True)
    with ExitStack() as stack:
        opened = stack.enter_context(closing(open_source(source, connections=connections)))
        into = stack.enter_context(closing(Held() if sink is None else open_sink(sink, connections=connections)))
        started = time.perf_counter()
        outcome = execute(opened, into, request, Path(runs), progress=lambda *_: None)
        seconds = time.perf_counter() - started
    done: dict[str, Any] = {"done": outcome.summary.cells, "seconds": seconds, "gib": _peak()}
    done |= {"stages": {name: taken for name, taken in outcome.watch.seconds.items() if name != "compile"}}
    done |= {"checksum": _of_run(RunDirectory.open(runs, outcome.run_id))}
    shutil.rmtree(runs)
    return done


def load(warehouse: str, data: str, workers: int) -> dict[str, Any]:
    """One monthly variable from its four NetCDF files into the warehouse."""
    options = LoadOptions(data=Path(data), force=True, variables=(VARIABLE.name,), workers=workers)
    started = time.perf_counter()
    (report,) = etl.run_loaders(warehouse, ["monthly_grid"], options, lambda *_: None)
    seconds = time.perf_counter() - started
    if report.status != "published":
        raise RuntimeError(report.message)
    digest, peak = hashlib.sha256(), _peak()
    order = sql.SQL(", ").join(map(sql.Identifier, ("grid_id", VARIABLE.time_column)))
    query = sql.SQL("COPY (SELECT * FROM {} ORDER BY {}) TO STDOUT").format(sql.Identifier(VARIABLE.table), order)
    with psycopg.connect(warehouse) as connection, connection.cursor() as cursor, cursor.copy(query) as copying:
        for part in copying:
            digest.update(part)
    cells = report.rows // (VARIABLE.steps * load_years(warehouse))
    return {"done": cells, "seconds": seconds, "gib": peak, "stages": {}, "checksum": digest.hexdigest()}


def load_years(warehouse: str) -> int:
    """Years of the lattice."""
    with psycopg.connect(warehouse) as connection:
        row = connection.execute("SELECT last_year - first_year + 1 FROM grid_definition").fetchone()
    assert row is not None
    return int(row[0])


def portfolios(warehouse: str, application: str, folder: str, workers: int, batch_size: int) -> dict[str, Any]:
    """The portfolios of a folder, queued at once and worked on by a worker's threads until the last is done."""
    config = settings.Settings(_env_file=None).model_copy(  # type: ignore[call-arg]
        update={"assess_workers": workers, "batch_size": batch_size}
    )
    paths = sorted(Path(folder).glob("*.parquet"))
    out = Path(folder, "out")
    shutil.rmtree(out, ignore_errors=True)
    worker = Worker(config, warehouse, application)
    with closing(postgres.connect(application)) as queue:
        portfolio.empty(queue)
        queue.execute("DELETE FROM batch_jobs")
        jobs = []
        started = time.perf_counter()
        for path in paths:
            parameters = {"sites": str(path), "out": str(out / path.stem), "workbook": False}
            jobs.append(batch_jobs.create(queue, batch_jobs.PORTFOLIO, parameters))
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            _wait(queue, len(jobs))
        finally:
            seconds = time.perf_counter() - started
            worker.stop()
            thread.join()
    done: dict[str, Any] = {"done": sum(pl.scan_parquet(path).select(pl.len()).collect().item() for path in paths)}
    done |= {"seconds": seconds, "gib": _peak(), "stages": {}, "checksum": _of_files(out)}
    shutil.rmtree(out)
    return done


def _wait(queue: psycopg.Connection, jobs: int) -> None:
    """Until so many portfolios are done, all of them well."""
    while True:
        found: dict[str, int] = dict(
            queue.execute("SELECT status, count(*) FROM batch_jobs GROUP BY status").fetchall()
        )
        if set(found) - {"queued", "running", "completed"}:
            raise RuntimeError(f"portfolios ended as {found}")
        if found.get("completed", 0) == jobs:
            return
        time.sleep(0.02)


def _of_run(directory: RunDirectory) -> str:
    """Checksum of a run's rows, whatever its blocks."""
    digest = hashlib.sha256()
    for table in ("probability", "hazard"):
        scans = [directory.scan(table, number) for number in range(len(directory.blocks))]
        for risk in sorted(RISKS):
            rows = pl.concat([scan.filter(pl.col("risk_type") == risk) for scan in scans]).collect()
            digest.update(rows.sort(_KEYS).write_ndjson().encode())
    return digest.hexdigest()


def _of_files(folder: Path) -> str:
    """Checksum of the tables of assessments."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.parquet")):
        rows = pl.read_parquet(path).drop(_OF_THE_CLOCK, strict=False)
        rows = rows.sort([name for name in _ROW if name in rows.columns], maintain_order=True)  # parts end elsewhere
        digest.update(f"{path.relative_to(folder)}".encode())
        digest.update(rows.write_ndjson().encode())
    return digest.hexdigest()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


KINDS: Mapping[str, Callable[..., dict[str, Any]]] = {"run": run, "load": load, "portfolios": portfolios}


def main(text: str | None = None) -> int:
    """Run the trial that standard input describes."""
    asked = json.loads(sys.stdin.read() if text is None else text)
    print(json.dumps(KINDS[asked.pop("kind")](**asked)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
