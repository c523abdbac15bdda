"""Inputs that benchmarks share, kept in the scratch folder: stores of N cells, warehouses, an embedded server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import psycopg

from engine.io.climate import snapshot
from engine.io.climate.source import ClimateSource
from engine.io.db import migrate, postgres
from engine.io.db.embedded import EmbeddedServer
from engine.io.etl import copy_warehouse
from engine.io.etl.copy_warehouse import Layout
from engine.io.results import risk_partitions
from engine.sample.national import NationalClimate

#: a second process takes some seconds to start
_WORTH_A_PROCESS = 2_000


@cache
def store(scratch: Path, cells: int) -> Path:
    """The store of so many land cells, made when it is not there: some minutes for the whole country."""
    folder = scratch / f"cells={cells}"
    with closing(NationalClimate(cells, processes=2 if cells > _WORTH_A_PROCESS else 1)) as source:
        snapshot.write(source, folder)
    return folder


@contextmanager
def server(scratch: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(scratch) as running:
        yield running


def warehouse(server: EmbeddedServer, source: ClimateSource, layout: Layout, cells: int) -> str:
    """A database filled with the first cells of a source, unless it is there already; returns its address."""
    name = f"{layout}_{cells}_{source.fingerprint[:8]}"
    url = server.create(name)
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT to_regclass('benchmark_filled') IS NOT NULL").fetchone()
        if row is not None and not row[0]:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")  # what a stopped filling left
            copy_warehouse.fill(source, url, layout, cells)
            connection.execute("CREATE TABLE benchmark_filled ()")
    return url


def results(server: EmbeddedServer, name: str) -> str:
    """An empty database with the tables of results; returns its address."""
    url = server.create(name)
    with closing(postgres.connect(url)) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        migrate.apply(connection, "results")
        risk_partitions.add_missing(connection)
    return url


def server_version(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]) if row else "unknown"
