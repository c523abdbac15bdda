"""Rows per second of the PostgreSQL source, against `psql \\copy ... (format binary)` to /dev/null and other readers.

The same server, tables, rows, blocks and number of connections. psql decodes nothing and keeps nothing: it is the bar.
ADBC, connectorx and DuckDB end as Arrow tables of rows; ours ends as arrays in place, duplicate rows and gaps counted.
Without a psql client the bar is psycopg's binary COPY, thrown away, and the row says so.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from benchmarks import harness, readers, scratch
from benchmarks.harness import Options
from engine.batch.request import BLOCK_CELLS
from engine.core.scenario import Scenario
from engine.core.variables import BY_TABLE, variable
from engine.io import open_source
from engine.io.climate.source import ClimateSource

CELLS = 4_000
CONNECTIONS = 2


def blocks_of(source: ClimateSource) -> list[pl.DataFrame]:
    cells = source.cells()
    return [cells.slice(start, BLOCK_CELLS) for start in range(0, cells.height, BLOCK_CELLS)]


def read_all(source: ClimateSource) -> int:
    """Every climate row of the warehouse as arrays; returns how many values are missing."""
    names = [BY_TABLE[table].name for table in source.tables if table in BY_TABLE]
    missing = 0
    for block in blocks_of(source):
        panel = source.read(block, names, list(Scenario))
        assert not panel.duplicates
        # of one small variable: the rival must not pay for our looking at everything
        missing += int(np.isnan(panel.arrays["wsdi", Scenario.SSP126]).sum())
    return missing


def queries(blocks: Sequence[pl.DataFrame], variables: Sequence[str]) -> list[str]:
    """A query a block and variable, for all scenarios."""
    asked = []
    for block in blocks:
        lo, hi = block["grid_id"][0], block["grid_id"][-1]
        for each in map(variable, variables):
            columns = f"grid_id, {each.time_column}, ssp1, ssp2, ssp3, ssp5"
            asked.append(f"SELECT {columns} FROM {each.table} WHERE grid_id >= {lo} AND grid_id <= {hi}")
    return asked


def discard(asked: Sequence[str], clients: Sequence[Any]) -> None:
    """Read the rows of the queries, one a client at a time."""
    idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for client in clients:
        idle.put(client)

    def one(query: str) -> None:
        client = idle.get()
        client.discard(query)
        idle.put(client)

    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(one, asked))


def measure(options: Options) -> list[dict[str, Any]]:
    """One row a layout and rival: rows/s of both and their ratio."""
    cells, rows = options.cells or CELLS, []
    with scratch.server(options.scratch) as server, closing(open_source(scratch.store(options.scratch, cells))) as made:
        for layout in ("ours", "seed"):
            url = scratch.warehouse(server, made, layout, cells)
            with closing(open_source(url, connections=CONNECTIONS)) as source:
                total = sum(
                    source.cells().height * source.axis.n * BY_TABLE[t].steps for t in source.tables if t in BY_TABLE
                )
                seconds = _contest(source, url, options.rounds)
            for number, rival in enumerate(readers.here()):
                ratio = seconds[rival.name] / seconds["ours"]
                rows.append(
                    {
                        "layout": layout,
                        "cells": cells,
                        "rows": total,
                        "connections": CONNECTIONS,
                        "rival": rival.name,
                        "ours, M rows/s": total / seconds["ours"] / 1e6,
                        "rival, M rows/s": total / seconds[rival.name] / 1e6,
                        "ratio": ratio,
                        "target": "" if number else harness.verdict(ratio, at_least=0.8),
                        "server": scratch.server_version(url),
                    }
                )
    return rows


def _contest(source: ClimateSource, url: str, rounds: int) -> dict[str, float]:
    """Best seconds of ours and of each rival, by name."""
    clients = {rival.name: [rival(url) for _ in range(CONNECTIONS)] for rival in readers.here()}
    contest: dict[str, Callable[[], Any]] = {"ours": partial(read_all, source)}
    names = [BY_TABLE[table].name for table in source.tables if table in BY_TABLE]
    asked = queries(blocks_of(source), names)
    contest |= {name: partial(discard, asked, held) for name, held in clients.items()}
    seconds, answers = harness.in_turn(contest, rounds)
    for held in clients.values():
        for client in held:
            client.close()
    assert answers["ours"] == 0
    return seconds
