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

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray
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
from engine.io.results import sample_years

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
    """One row: seconds of both and their ratio, of ours without year losses (curves, contributions), and of the same
    portfolio once more, from the caches.

    raises : AssertionError when not every row is there and ok
    """
    n = options.sites or SITES
    options.scratch.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        server = stack.enter_context(scratch.server(options.scratch))
        folder = options.scratch / f"portfolio={n}"
        folder.mkdir(exist_ok=True)
        warehouse, application = (stack.enter_context(closing(postgres.connect(url))) for url in databases(server))
        table = assess.sites(n, gaps=0.0)
        table.write_parquet(folder / "sites.parquet")
        cells = assess.cells_of(table)
        publish(application, cells)
        publish_years(application, np.unique(cells["grid_id"].to_numpy()))
        assessor = Assessor(
            warehouse=warehouse,
            application=application,
            config=AssessConfig(),
            limits=Limits(10**9, n),
            connections=CONNECTIONS,
        )
        again: list[float] = []
        without: list[float] = []

        def ours() -> float:
            empty(application)
            assessor.year_losses = False
            without.append(_run(assessor, folder))
            empty(application)
            assessor.year_losses = True
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
            "ours without year losses, s": min(without),
            "ours again, from the caches, s": min(again),
            "server": version,
        }
    ]


def databases(server: EmbeddedServer) -> tuple[str, str]:
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


def publish_years(connection: psycopg.Connection, cells: NDArray[np.int32]) -> None:
    """Year losses of the cells: skewed, the same year bad in many of them."""
    model, track = list(range(2041, 2061)), list(range(1979, 2024))
    with connection.transaction():
        connection.execute("TRUNCATE modelops_year_losses, result_runs CASCADE")
        [(run,)] = connection.execute(
            "INSERT INTO result_runs (job_type, scope, edition, edition_checksum, source_fingerprint, baseline,"
            " published_at) VALUES ('yearly', 'full', '', repeat('0', 64), repeat('0', 64), '', now()) RETURNING run_id"
        ).fetchall()
        years = {risk: track if risk == "typhoon" else model for risk in RISKS}
        listed = {
            risk: [(scenario, assess.PERIOD, own) for scenario in assess.SCENARIOS] for risk, own in years.items()
        }
        sample_years.insert(connection, run, sample_years.frame(run, listed))
        for place, (risk, own) in enumerate(years.items()):
            rng, n = np.random.default_rng(place), len(own) * len(assess.SCENARIOS)
            bad = rng.gamma(0.5, 0.02, n)
            losses = (bad * rng.random((len(cells), 1)) * (0.5 + rng.random((len(cells), n)))).astype("<f4")
            command = "COPY modelops_year_losses (grid_id, risk_type, run_id, losses) FROM STDIN (FORMAT binary)"
            with connection.cursor() as cursor, cursor.copy(command) as copying:
                copying.set_types(["int4", "varchar", "int4", "bytea"])
                for cell, row in zip(cells.tolist(), losses, strict=True):
                    copying.write_row((cell, risk, run, row.tobytes()))
    connection.execute("ANALYZE modelops_year_losses")


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
