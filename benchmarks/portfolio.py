"""A portfolio through the database, 9 risks in 4 scenarios, against raw COPY of the rows that it leaves there.

Ours is the job as it is: the sites read and checked, hazard and AAL of their cells and the caches asked, everything
computed, five tables written over several connections, files written, progress told. The rival sends bytes encoded
beforehand into the same empty tables, keys, indexes and checks included, over one connection.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from benchmarks import assess, harness, scratch
from benchmarks.harness import Options
from engine.assess import AssessConfig
from engine.assess.job.assessor import Assessor
from engine.assess.rules.offered import RISKS
from engine.io.db import frames, migrate, postgres
from engine.io.db.embedded import EmbeddedServer
from engine.io.files.packed import Limits
from engine.io.queue import batch_jobs

SITES = 50_000
CONNECTIONS = 4
TABLES = (
    "exposure_results",
    "vulnerability_results",
    "aal_scaled_results",
    "modelops_vulnerability_cache",
    "modelops_aal_cache",
)
WAREHOUSE, RESULTS = "portfolio_warehouse", "portfolio_results"


def measure(options: Options) -> list[dict[str, Any]]:
    """One row: seconds of both and their ratio, and of the same portfolio once more, from the caches.

    raises : AssertionError when not every row is there and ok
    """
    n = options.sites or SITES
    options.scratch.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        server = stack.enter_context(scratch.server(options.scratch))
        folder = options.scratch / f"portfolio={n}"
        folder.mkdir(exist_ok=True)
        warehouse, application = (stack.enter_context(closing(postgres.connect(url))) for url in _databases(server))
        table = assess.sites(n, gaps=0.0)
        table.write_parquet(folder / "sites.parquet")
        publish(application, assess.cells_of(table))
        assessor = Assessor(
            warehouse=warehouse,
            application=application,
            config=AssessConfig(),
            limits=Limits(10**9, n),
            connections=CONNECTIONS,
        )
        again: list[float] = []

        def ours() -> float:
            empty(application)
            seconds = _run(assessor, folder)
            again.append(_run(assessor, folder))
            return seconds

        seconds, _ = harness.in_turn({"ours": ours}, 1, clock={"ours": float})
        data = {name: _bytes(application, name) for name in TABLES}

        def rival() -> float:
            empty(application)
            started = time.perf_counter()
            for name, (columns, rows) in data.items():
                command = sql.SQL("COPY {} ({}) FROM STDIN").format(
                    sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns))
                )
                with application.transaction(), application.cursor() as cursor, cursor.copy(command) as copying:
                    copying.write(rows)
            return time.perf_counter() - started

        more, _ = harness.in_turn({"rival": rival, "ours": ours}, options.rounds, clock={"rival": float, "ours": float})
        version = scratch.server_version(server.url(RESULTS))
    best = min(seconds["ours"], more["ours"])
    rows = n * len(RISKS) * (3 + 2 * len(assess.SCENARIOS))
    return [
        {
            "rival": f"raw COPY, text, {sum(len(rows) for _, rows in data.values()) / 1e6:,.0f} MB",
            "sites": n,
            "risks x scenarios": len(RISKS) * len(assess.SCENARIOS),
            "rows": rows,
            "ours, s": best,
            "rival, s": more["rival"],
            "ours, rows/s": rows / best,
            "ratio": more["rival"] / best,
            "ours again, from the caches, s": min(again),
            "server": version,
        }
    ]


def _databases(server: EmbeddedServer) -> tuple[str, str]:
    """A warehouse without any layer, because the sites state everything, and a database for results."""
    urls = []
    for name, family in ((WAREHOUSE, "warehouse"), (RESULTS, "results")):
        urls.append(server.create(name))
        with closing(postgres.connect(urls[-1])) as connection:
            migrate.apply(connection, family)
    return urls[0], urls[1]


def publish(connection: psycopg.Connection, cells: pl.DataFrame) -> None:
    """Hazard and AAL of the cells, as a yearly run leaves them."""
    keys = ["grid_id", "risk_type", "scenario_id", "time_period"]
    rows = cells.with_columns(score=pl.col("hazard_score").round(4), n_samples=pl.lit(80), method=pl.lit("kde"))
    with connection.transaction():
        connection.execute("TRUNCATE modelops_hazard_scores, modelops_probability_scores")
        frames.copy(connection, "modelops_hazard_scores", [*keys, "score"], rows)
        frames.copy(connection, "modelops_probability_scores", [*keys, "aal", "n_samples", "method"], rows)
    connection.execute("ANALYZE modelops_hazard_scores, modelops_probability_scores")


def empty(connection: psycopg.Connection) -> None:
    connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(map(sql.Identifier, (*TABLES, "site_assets")))))
    connection.execute("CHECKPOINT")


def _run(assessor: Assessor, folder: Path) -> float:
    """Seconds of a job from its start to its end."""
    parameters = {"sites": str(folder / "sites.parquet"), "out": str(folder / "out")}
    job = batch_jobs.start(
        assessor.application, batch_jobs.create(assessor.application, batch_jobs.PORTFOLIO, parameters)
    )
    started = time.perf_counter()
    outcome = assessor.run_job(job)
    seconds = time.perf_counter() - started
    assert outcome.status == "success", outcome.results["status"]
    n, sites = len(RISKS) * outcome.results["rows"], len(assess.SCENARIOS)
    for name in TABLES:
        row = assessor.application.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
        assert row == (n * sites if "aal" in name else n,), f"{name} holds {row} rows"
    return seconds


def _bytes(connection: psycopg.Connection, table: str) -> tuple[list[str], bytes]:
    """A table as COPY writes it, with its columns."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(table)))
        columns = [column.name for column in cursor.description or []]
        with cursor.copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copying:
            return columns, b"".join(bytes(part) for part in copying)
