"""PostgreSQL read and loaded: psycopg, ADBC, connectorx and DuckDB against the engine's reader and writer.

Time is wall time: a server works beside both. Reading is `benchmarks read`. Loading starts from the same values in
memory and ends with the same rows of a climate table, made anew and without indexes; each rival sends what it sends
best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from importlib import import_module, util
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from benchmarks import read, readers, scratch
from benchmarks.harness import Options
from benchmarks.rivals.contest import Raced, Took, in_turn, not_raced, row
from engine.io.db import copy_binary

#: cells that are read, and that are loaded
READ, LOADED = 200, 1_000
SCENARIOS = ("ssp1", "ssp2", "ssp3", "ssp5")
TABLE = "rival_load"
_TYPES = {"grid_id": "int4", "observation_date": "date", **dict.fromkeys(SCENARIOS, "float4")}
_CHUNK = 1_024
#: rows that psycopg is timed on: it takes them one by one
_ROW_BY_ROW = 100_000
_ABSENT = {
    "connectorx": ("connectorx", "connectorx is not installed"),
    "DuckDB": ("duckdb_extension_postgres", "duckdb or duckdb-extension-postgres is not installed"),
}


def race_reading(options: Options) -> list[dict[str, Any]]:
    """Rows of `read.measure`, one a layout and rival, and those that are not there."""
    found = read.measure(replace(options, cells=options.cells or READ))
    rows = []
    for each in found:
        seconds = (each["rows"] / each[f"{who}, M rows/s"] / 1e6 for who in ("ours", "rival"))
        ours, rival = (Took(wall, float("nan")) for wall in seconds)
        kept = "keeps no row" if each["rival"] in (readers.Psql.name, readers.Psycopg.name) else "ends as Arrow rows"
        raced = Raced(
            f"reading, layout {each['layout']}", each["rival"],
            f"{each['rows']:,} rows, {each['connections']} connections",
            "same rows", f"{kept}; ours ends as arrays in place", 0.8 if "psql" in each["rival"] else None,
        )  # fmt: skip
        rows.append(row(raced, ours, rival, by="wall"))
    return [*rows, *_absent("reading")]


def _absent(race: str) -> list[dict[str, Any]]:
    return [not_raced(race, name, why) for name, (module, why) in _ABSENT.items() if util.find_spec(module) is None]


class Arrays:
    """A climate table in memory: cells (C,), months (M,) and values (scenarios, C, M)."""

    def __init__(self, cells: int) -> None:
        self.cells = np.arange(1, cells + 1, dtype=np.int32)
        self.months = np.arange("2021-01", "2101-01", dtype="datetime64[M]")
        drawn = np.random.default_rng(2).normal(12.0, 9.0, (len(SCENARIOS), cells, len(self.months)))
        self.values = drawn.astype(np.float32).round(2)

    @property
    def rows(self) -> int:
        return self.cells.size * self.months.size

    def arrow(self) -> Any:
        """As an Arrow table of rows; the rivals that want one are not charged for it."""
        pa = import_module("pyarrow")
        days = self.months.astype("datetime64[D]")
        columns = {
            "grid_id": np.repeat(self.cells, len(days)),
            "observation_date": pa.array(np.tile(days, self.cells.size)),
        }
        return pa.table(columns | {name: self.values[n].reshape(-1) for n, name in enumerate(SCENARIOS)})


def _fresh(connection: psycopg.Connection) -> None:
    columns = ", ".join(f"{name} real" for name in SCENARIOS)
    connection.execute(f"DROP TABLE IF EXISTS {TABLE}")
    connection.execute(f"CREATE TABLE {TABLE} (grid_id integer NOT NULL, observation_date date NOT NULL, {columns})")


def ours(url: str, held: Arrays) -> None:
    days = copy_binary.pg_days(held.months)

    def blocks() -> Iterator[NDArray[np.void]]:
        for start in range(0, held.cells.size, _CHUNK):
            part = slice(start, start + _CHUNK)
            rows = copy_binary.empty_rows(_TYPES, held.cells[part].size * days.size).reshape(-1, days.size)
            rows["grid_id"], rows["observation_date"] = held.cells[part, None], days
            for n, name in enumerate(SCENARIOS):
                rows[name] = held.values[n, part]
            yield rows.reshape(-1)

    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        _fresh(connection)
        copy_binary.copy_rows(cursor, TABLE, list(_TYPES), blocks(), freeze=True)


def with_psycopg(url: str, table: Any) -> None:
    """COPY with `write_row` in binary, as psycopg's documentation has it."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        _fresh(connection)
        with cursor.copy(f"COPY {TABLE} FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(list(_TYPES.values()))
            for each in zip(*(column.to_pylist() for column in table.columns), strict=True):
                copy.write_row(each)


def with_adbc(url: str, table: Any) -> None:
    """`adbc_ingest` of the Arrow table."""
    with psycopg.connect(url) as connection:
        _fresh(connection)
    with import_module("adbc_driver_postgresql.dbapi").connect(url) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest(TABLE, table, mode="append")
        connection.commit()


def with_duckdb(url: str, table: Any) -> None:
    """INSERT of the Arrow table through DuckDB's extension, which sends binary COPY."""
    with psycopg.connect(url) as connection:
        _fresh(connection)
    with closing(readers.duckdb_with_postgres()) as duck:
        duck.execute(f"ATTACH '{url}' AS warehouse (TYPE postgres)")
        duck.register("held", table)
        duck.execute(f"INSERT INTO warehouse.{TABLE} SELECT * FROM held")


def _contents(url: str) -> tuple[Any, ...]:
    sums = ", ".join(f"sum({name}::numeric)" for name in SCENARIOS)
    with psycopg.connect(url) as connection:
        found = connection.execute(
            f"SELECT count(*), sum(grid_id), max(observation_date), {sums} FROM {TABLE}"
        ).fetchone()
    assert found is not None
    return found


def race_loading(options: Options) -> list[dict[str, Any]]:
    """One row a rival.

    raises : AssertionError when a rival's table has other rows
    """
    held = Arrays(options.cells or LOADED)
    table = held.arrow()
    few = table.slice(0, min(_ROW_BY_ROW, held.rows))
    rivals: dict[str, Callable[[str], None]] = {
        "ours": partial(ours, held=held),
        "ADBC ingest": partial(with_adbc, table=table),
    }
    if util.find_spec("duckdb_extension_postgres"):
        rivals["DuckDB"] = partial(with_duckdb, table=table)
    rivals["psycopg COPY, row by row"] = partial(with_psycopg, table=few)
    with scratch.server(options.scratch) as server:
        url = server.create("rivals")
        took, _ = in_turn({name: partial(run, url) for name, run in rivals.items()}, options.rounds)
        contents = {}
        for name, run in rivals.items():
            if "row by row" not in name or few.num_rows == held.rows:
                run(url)
                contents[name] = _contents(url)
        with psycopg.connect(url) as connection:
            connection.execute(f"DROP TABLE {TABLE}")
    assert len(set(contents.values())) == 1, f"other rows: {contents}"
    rows = []
    for name in list(rivals)[1:]:
        rival, remark = took[name], ""
        if "row by row" in name:
            share = held.rows / few.num_rows
            rival, remark = (
                Took(rival.wall * share, rival.processor * share),
                f"extrapolated from {few.num_rows:,} rows",
            )
        raced = Raced("loading a climate table", name, f"{held.rows:,} rows, one connection", "same rows", remark)
        rows.append(row(raced, took["ours"], rival, by="wall"))
    return [*rows, *(each for each in _absent("loading a climate table") if each["rival"] == "DuckDB")]
