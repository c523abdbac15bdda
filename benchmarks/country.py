"""The yearly run of the whole country from PostgreSQL to PostgreSQL, as a user runs it, and its stages against rivals.

`python -m jobs.yearly --servers` is a process of its own, with DW_URL and APP_URL at two databases of the benchmark's
server: nine risks, 13 pairs, both kinds, losses of single years. Server and run share the machine. Afterwards reading
is raced alone against `psql \\copy ... (format binary)`, a block of cells in turn, and loading against raw COPY of the
same rows, over as many connections as the run had. `process` is the run's peak resident memory; `server` that of all
processes of PostgreSQL, memory that they share counted once, read every second, without the system's page cache.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg
from psycopg import sql

from benchmarks import harness, load, read, readers, scratch
from benchmarks.harness import Options
from benchmarks.rehearsal import Held
from engine.batch.execute import execute
from engine.batch.plan import make_plan
from engine.batch.request import Request
from engine.core.scenario import Scenario
from engine.core.settings import Settings
from engine.core.variables import variable
from engine.io import open_source
from engine.io.db.embedded import EmbeddedServer
from engine.risks import RISKS, load_edition

CELLS = 97_377
#: of the land grid
MOST_SECONDS, MOST_GIB = 360.0, 4.0
#: blocks of cells that are read in turn with the rival
_RACED = 4
_STAGES = re.compile(r"^stages .*: (.*); wall ([\d.]+) s$", re.MULTILINE)
_LAST = re.compile(r"^job=yearly run=(\d+) status=(\w+) .*\bcells=(\d+) .*\brows=(\d+) ", re.MULTILINE)


class Ran(NamedTuple):
    """What a run said of itself, and what it took: wall seconds from start to end of the process, peaks in GiB.

    stages : seconds by name; reading and spooling overlap computing
    server : None where the memory of the server's processes cannot be read
    """

    run_id: int
    cells: int
    rows: int
    wall: float
    stages: dict[str, float]
    process: float
    server: float | None


def settings_of(warehouse: str, results: str, home: Path) -> dict[str, str]:
    """Environment of a run between two databases; the settings of whoever runs the benchmark do not hold for it."""
    names = {name.upper() for name in Settings.model_fields} | {"ENV_FILE"}
    kept = {name: value for name, value in os.environ.items() if name not in names}
    # in a line of 80 characters the table would be broken, and its last lines
    return kept | {"DW_URL": warehouse, "APP_URL": results, "ENGINE_HOME": str(home), "COLUMNS": "1000"}


def apart(warehouse: str, results: str, home: Path) -> Ran:
    """The run in a process of its own.

    raises : RuntimeError when it does not end complete
    """
    command = [sys.executable, "-P", "-m", "jobs.yearly", "--servers"]
    with _peak_of_server(warehouse) as server, (home / "said").open("w+") as said:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=settings_of(warehouse, results, home), cwd=home, stdout=said)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    if process.returncode:
        raise RuntimeError(f"jobs.yearly ended with exit code {process.returncode}")
    return ran(text, wall, used.ru_maxrss / 2**20, server[0] if server else None)


def ran(text: str, wall: float, process: float, server: float | None) -> Ran:
    """A run by what it printed.

    raises : RuntimeError for one that is not complete
    """
    stages, last = _STAGES.search(text), _LAST.search(text)
    if stages is None or last is None or last[2] != "completed":
        raise RuntimeError(f"jobs.yearly did not end complete: {text[-2000:]}")
    seconds = {name: float(taken) for name, taken in re.findall(r"(\w+) ([\d.]+) s", stages[1])}
    return Ran(int(last[1]), int(last[3]), int(last[4]), wall, seconds, process, server)


@contextmanager
def _peak_of_server(url: str) -> Iterator[list[float]]:
    """The largest memory of the server's processes in GiB, in a list that is empty where it cannot be read."""
    with psycopg.connect(url) as connection:
        postmaster = psutil.Process(connection.info.backend_pid).parent()
    peak: list[float] = []
    over = threading.Event()

    def look() -> None:
        while postmaster is not None and not over.wait(1.0):
            total = sum(_share(process) for process in [postmaster, *postmaster.children(recursive=True)])
            if total:
                peak[:] = [max([total / 2**30, *peak])]

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def _share(process: psutil.Process) -> int:
    """Bytes of a process, those that it shares with others in part; 0 for one that has ended or cannot be asked."""
    try:
        return int(getattr(process.memory_full_info(), "pss", 0))
    except psutil.Error:
        return 0


def measure(options: Options) -> list[dict[str, Any]]:
    """A row for the run, one for reading and two a group of result tables; the results are dropped afterwards."""
    cells = options.cells or CELLS
    home = (options.scratch / "country").resolve()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    with scratch.server(options.scratch) as server, closing(open_source(scratch.store(options.scratch, cells))) as made:
        warehouse = scratch.warehouse(server, made, "ours", cells)
        results = scratch.results(server, "country_results")
        found = apart(warehouse, results, home)
        connections = Settings(_env_file=None).parallel_workers  # type: ignore[call-arg]
        with closing(open_source(warehouse, connections=connections)) as source:
            rows = [_whole(found, source, cells), _reading(source, warehouse, cells, connections)]
            held = _held(source, home / "runs", found.run_id)
        rows += _loading(results, held, cells, options, connections)
        _drop(server, "country_results")
    shutil.rmtree(home)
    return rows


def _request(resume: int | None = None) -> Request:
    return Request(
        job_type="yearly", edition=load_edition("2025-11"), risks=tuple(RISKS), year_losses=True, resume=resume
    )


def _rows_read(source: Any, cells: int) -> int:
    """Rows of the climate tables that a run of so many cells needs."""
    return cells * source.axis.n * sum(variable(name).steps for name in make_plan(source, _request()).variables)


def _whole(found: Ran, source: Any, cells: int) -> dict[str, Any]:
    total = _rows_read(source, found.cells)
    whole = cells == CELLS
    targets = [harness.verdict(found.wall, at_most=MOST_SECONDS) if whole else ""]
    targets += [f"process {harness.verdict(found.process, at_most=MOST_GIB)}" if whole else ""]
    return _row(
        "the whole run",
        cells=found.cells,
        rows=total,
        seconds=found.wall,
        process=found.process,
        server=found.server,
        target="; ".join(filter(None, targets)),
        stages=", ".join(f"{name} {seconds:.1f}" for name, seconds in found.stages.items())
        + f"; {found.rows:,} rows loaded",
    )


def _row(
    what: str,
    *,
    cells: int,
    rows: int,
    seconds: float,
    process: float | None = None,
    server: float | None = None,
    rival: str = "",
    rival_seconds: float | None = None,
    target: str = "",
    stages: str = "",
) -> dict[str, Any]:
    return {
        "what": what,
        "cells": cells,
        "rows": rows,
        "ours, s": seconds,
        "ours, M rows/s": rows / seconds / 1e6,
        "process, GiB": "" if process is None else process,
        "server, GiB": "" if server is None else server,
        "rival": rival,
        "rival, s": "" if rival_seconds is None else rival_seconds,
        "ratio": "" if rival_seconds is None else rival_seconds / seconds,
        "target": target,
        "stages, s (reading and spooling overlap)": stages,
    }


def _reading(source: Any, url: str, cells: int, connections: int) -> dict[str, Any]:
    """Some blocks, each by both; who comes first finds the block on disk, so they take turns at that, too."""
    variables = make_plan(source, _request()).variables
    blocks = read.blocks_of(source)
    chosen = blocks[:: max(1, len(blocks) // _RACED)][:_RACED]
    rival = readers.here()[0]
    clients = [rival(url) for _ in range(connections)]
    seconds = {"ours": 0.0, rival.name: 0.0}
    for number, block in enumerate(chosen):
        turns = [
            ("ours", lambda block=block: source.read(block, variables, list(Scenario))),
            (rival.name, lambda block=block: read.discard(read.queries([block], variables), clients)),
        ]
        for name, turn in turns[:: 1 if number % 2 else -1]:
            started = time.perf_counter()
            turn()
            seconds[name] += time.perf_counter() - started
    for client in clients:
        client.close()
    count = sum(block.height for block in chosen)
    return _row(
        f"reading alone, {len(chosen)} of {len(blocks)} blocks, {connections} connections",
        cells=count,
        rows=_rows_read(source, count),
        seconds=seconds["ours"],
        rival=rival.name,
        rival_seconds=seconds[rival.name],
        target=harness.verdict(seconds[rival.name] / seconds["ours"], at_least=0.8) if cells == CELLS else "",
    )


def _held(source: Any, runs: Path, run_id: int) -> Held:
    """The finished run's directory and what it publishes: nothing is left to compute."""
    held = Held()
    execute(source, held, _request(resume=run_id), runs, progress=lambda *_: None)
    return held


def _loading(url: str, held: Held, cells: int, options: Options, connections: int) -> list[dict[str, Any]]:
    rows = []
    with psycopg.connect(url, autocommit=True) as connection:
        groups = load.GROUPS | load.YEARS
        for group, raced in load.race(connection, url, held, groups, options, connections):
            for each in raced:
                rows.append(
                    _row(
                        f"loading alone, {group}, {connections} connections",
                        cells=cells,
                        rows=each["rows"],
                        seconds=each["ours, s"],
                        rival=each["rival"],
                        rival_seconds=each["rival, s"],
                        target=each["target"],
                    )
                )
    return rows


def _drop(server: EmbeddedServer, name: str) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
