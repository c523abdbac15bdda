"""Loading a whole run into PostgreSQL, against raw COPY of bytes encoded beforehand.

Both build the same partitions, with the same checks, keys and statistics, over the same number of connections, and swap
them in. Ours starts from the Parquet of the run directory and encodes while it loads; the rivals only send: the very
text that ours sends, and, as a second rival, the binary form that the server itself wrote of the same rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks import harness, rehearsal, scratch
from benchmarks.harness import Options
from benchmarks.rehearsal import Held
from engine import kernels
from engine.io import open_source
from engine.io.db import copy_in, migrate
from engine.io.results import load, result_tables
from engine.io.results.result_tables import TABLES, YEAR_LOSSES, ResultTable

CELLS = 97_377
CONNECTIONS = 2
GROUPS = {
    "result tables": ("probability_results", "hazard_results"),
    "scenario tables": ("modelops_probability_scores", "modelops_hazard_scores"),
}
#: of a run that is recorded in the database, for whose number the years are
YEARS = {"year losses": (YEAR_LOSSES.name,)}
_CHUNK = 1 << 20
Parts = Mapping[str, Sequence[str]]


class _Writer:
    """Takes the place of a connection in `copy_rows`: its bytes go to a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def cursor(self) -> _Writer:
        return self

    def copy(self, command: object) -> _Writer:  # noqa: ARG002
        return self

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None:
        self._file.close()


def encode(held: Held, parts: Parts, folder: Path) -> None:
    """The bytes that ours sends, a file a partition."""
    assert held.run is not None
    for name, risks in parts.items():
        for risk in risks:
            frames = result_tables.read_rows(held.run, TABLES[name], risk, held.styles, ranked=True)
            with closing(_Writer(folder / f"{name}_{risk}.text")) as writer:
                copy_in.copy_rows(writer, name, TABLES[name].columns, frames, freeze=True)  # type: ignore[arg-type]


def encode_binary(url: str, parts: Parts, folder: Path) -> None:
    """The published partitions as the server writes them."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for name, risks in parts.items():
            names = sql.SQL(", ").join(map(sql.Identifier, TABLES[name].columns))
            for risk in risks:
                table = sql.Identifier(result_tables.partition(name, risk))
                with (
                    (folder / f"{name}_{risk}.binary").open("wb") as file,
                    cursor.copy(sql.SQL("COPY {} ({}) TO STDOUT (FORMAT binary)").format(table, names)) as copy,
                ):
                    for data in copy:
                        file.write(data)


def raw(url: str, parts: Parts, folder: Path, form: str, run_id: int, connections: int) -> None:
    """Partitions like ours from the files, switched in by the same transaction."""

    def build(table: ResultTable, risk: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            raw_partition(connection, table, risk, folder / f"{table.name}_{risk}.{form}", form, run_id)

    with ThreadPoolExecutor(connections) as pool:
        # the largest table first, as ours does
        tasks = [pool.submit(build, table, risk) for name, table in TABLES.items() for risk in parts.get(name, ())]
        for task in tasks:
            task.result()
    with psycopg.connect(url, autocommit=True) as connection:
        load._switch_with_patience(connection, parts, run_id, {})  # autovacuum may hold a partition for a moment
        load.drop_leftovers(connection, parts)


def raw_partition(
    connection: psycopg.Connection, table: ResultTable, risk: str, path: Path, form: str, run_id: int
) -> None:
    name = load.fresh_partition(table.name, risk, run_id)
    fresh = sql.Identifier(name)
    connection.execute("SET maintenance_work_mem = '256MB'")
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS "
                "INCLUDING STORAGE)"
            ).format(fresh, sql.Identifier(table.name))
        )
        names = sql.SQL(", ").join(map(sql.Identifier, table.columns))
        command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT {}, FREEZE)").format(fresh, names, sql.SQL(form))
        with path.open("rb") as file, cursor.copy(command) as copy:
            while data := file.read(_CHUNK):
                copy.write(data)
        load.add_keys(connection, table, risk, name)
    connection.execute(sql.SQL("ANALYZE {}").format(fresh))


def _counts(url: str, parts: Parts) -> dict[str, int]:
    counts = {}
    with psycopg.connect(url) as connection:
        for name in parts:
            row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
            counts[name] = row[0] if row else 0
    return counts


def measure(options: Options) -> list[dict[str, Any]]:
    """One row a group of tables and rival: seconds of both, ratio of their speeds."""
    cells = options.cells or CELLS
    runs = options.scratch / "runs-load"
    shutil.rmtree(runs, ignore_errors=True)
    kernels.warm_up()
    with closing(open_source(scratch.store(options.scratch, cells))) as source:
        _, held = rehearsal.rehearse(source, runs, None)
    rows: list[dict[str, Any]] = []
    with scratch.server(options.scratch) as server:
        url = server.create("results")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            migrate.apply(connection, "results")
            for group, raced in race(connection, url, held, GROUPS, options, CONNECTIONS):
                rows += [{"tables": group, "cells": cells, **row} for row in raced]
    shutil.rmtree(runs)
    return rows


def race(
    connection: psycopg.Connection,
    url: str,
    held: Held,
    groups: Mapping[str, Sequence[str]],
    options: Options,
    connections: int,
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Name and rows of each group of tables of a run, loaded over so many connections."""
    for group, names in groups.items():
        parts = {name: held.parts[name] for name in names}
        yield group, _contest(connection, url, held, parts, options, connections)


def _contest(
    connection: psycopg.Connection, url: str, held: Held, parts: Parts, options: Options, connections: int
) -> list[dict[str, Any]]:
    run = held.run
    assert run is not None
    folder = options.scratch / "encoded"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    def ours() -> dict[str, int]:
        return load.replace(
            connection,
            url,
            run,
            parts,
            held.styles,
            ranked=True,
            connections=connections,
            summary={},
            loaded=lambda *_: None,
        )

    loaded = ours()
    # year losses go as binary rows: their bytes as text have no reader
    forms = ("binary",) if YEAR_LOSSES.name in parts else ("text", "binary")
    if "text" in forms:
        encode(held, parts, folder)
    encode_binary(url, parts, folder)
    contest: dict[str, Callable[[], Any]] = {"ours": ours}
    for form in forms:
        contest[form] = partial(raw, url, parts, folder, form, run.run_id, connections)
    seconds, _ = harness.in_turn(contest, options.rounds)
    assert _counts(url, parts) == loaded, "the rivals load other rows"
    rows = []
    for form in forms:
        size = sum(path.stat().st_size for path in folder.glob(f"*.{form}"))
        ratio = seconds[form] / seconds["ours"]
        rows.append(
            {
                "rows": sum(loaded.values()),
                "rival": f"raw COPY, {form}, {size / 1e6:,.0f} MB",
                "ours, s": seconds["ours"],
                "rival, s": seconds[form],
                "ours, rows/s": sum(loaded.values()) / seconds["ours"],
                "ratio": ratio,
                "target": harness.verdict(ratio, at_least=0.8),
                "server": scratch.server_version(url),
            }
        )
    shutil.rmtree(folder)
    return rows
