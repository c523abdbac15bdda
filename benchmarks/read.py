"""Rows per second of the PostgreSQL source, against `psql \\copy ... (format binary)` to /dev/null.

The same server, tables, rows, blocks and number of connections; the rival decodes nothing and keeps nothing, ours ends
as arrays in place, with doubled rows and gaps counted. Without a psql client the rival is psycopg's binary COPY, thrown
away, and the row says so.
"""

from __future__ import annotations

import queue
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import psycopg

from benchmarks import harness, scratch
from benchmarks.harness import Options
from engine.io import open_source
from engine.io.source import ClimateSource
from engine.pipeline import BLOCK_CELLS
from engine.scenario import Scenario
from engine.variables import BY_TABLE

CELLS = 4_000
CONNECTIONS = 2


class Psql:
    """A psql process that runs one command after the other."""

    name = "psql \\copy"

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def discard(self, query: str) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"\\copy ({query}) to '/dev/null' (format binary)\n\\echo done\n")
        stdin.flush()
        if stdout.readline().strip() != "done":
            raise RuntimeError(f"psql stopped: {query}")

    def close(self) -> None:
        with suppress(BrokenPipeError):
            self._process.communicate("\\q\n", timeout=10)


class Psycopg:
    """The driver's COPY, its bytes thrown away."""

    name = "psycopg COPY (no psql here)"

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url)

    def discard(self, query: str) -> None:
        with self._connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)") as copy:
            for _ in copy:
                pass

    def close(self) -> None:
        self._connection.close()


def blocks_of(source: ClimateSource) -> list[pl.DataFrame]:
    cells = source.cells()
    return [cells.slice(start, BLOCK_CELLS) for start in range(0, cells.height, BLOCK_CELLS)]


def read_all(source: ClimateSource) -> int:
    """Every climate row of the warehouse as arrays; returns how many values are missing."""
    names = [BY_TABLE[table].name for table in source.tables if table in BY_TABLE]
    missing = 0
    for block in blocks_of(source):
        panel = source.read(block, names, list(Scenario))
        assert not panel.doubled
        # of one small variable: the rival must not pay for our looking at everything
        missing += int(np.isnan(panel.arrays["wsdi", Scenario.SSP126]).sum())
    return missing


def discard_all(source: ClimateSource, clients: list[Any]) -> None:
    queries = []
    for block in blocks_of(source):
        lo, hi = block["grid_id"][0], block["grid_id"][-1]
        for each in (BY_TABLE[table] for table in source.tables if table in BY_TABLE):
            columns = f"grid_id, {each.time_column}, ssp1, ssp2, ssp3, ssp5"
            queries.append(f"SELECT {columns} FROM {each.table} WHERE grid_id >= {lo} AND grid_id <= {hi}")
    idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for client in clients:
        idle.put(client)

    def discard(query: str) -> None:
        client = idle.get()
        client.discard(query)
        idle.put(client)

    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(discard, queries))


def measure(options: Options) -> list[dict[str, Any]]:
    """One row a layout: value rows/s of both and their ratio."""
    cells = options.cells or CELLS
    rival: type[Psql | Psycopg] = Psql if shutil.which("psql") else Psycopg
    rows = []
    with scratch.server(options.scratch) as server, closing(open_source(scratch.store(options.scratch, cells))) as made:
        for layout in ("ours", "seed"):
            url = scratch.warehouse(server, made, layout, cells)
            with closing(open_source(url, connections=CONNECTIONS)) as source:
                total = sum(
                    source.cells().height * source.axis.n * BY_TABLE[t].steps for t in source.tables if t in BY_TABLE
                )
                clients = [rival(url) for _ in range(CONNECTIONS)]
                contest: dict[str, Callable[[], Any]] = {
                    "ours": partial(read_all, source),
                    "rival": partial(discard_all, source, clients),
                }
                seconds, answers = harness.in_turn(contest, options.rounds)
                for client in clients:
                    client.close()
            assert answers["ours"] == 0
            ratio = seconds["rival"] / seconds["ours"]
            rows.append(
                {
                    "layout": layout,
                    "cells": cells,
                    "rows": total,
                    "connections": CONNECTIONS,
                    "rival": rival.name,
                    "ours, M rows/s": total / seconds["ours"] / 1e6,
                    "rival, M rows/s": total / seconds["rival"] / 1e6,
                    "ratio": ratio,
                    "target": harness.verdict(ratio, at_least=0.8),
                    "server": scratch.server_version(url),
                }
            )
    return rows
