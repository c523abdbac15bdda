"""The machine without configuration: an embedded server in `ENGINE_HOME`, filled from a sample through the loaders."""

from __future__ import annotations

import importlib
import logging
import time
from contextlib import closing
from pathlib import Path

import psycopg

from engine.errors import EngineError
from engine.io import migrate, postgres
from engine.io.embedded import APPLICATION, WAREHOUSE, EmbeddedServer

log = logging.getLogger("jobs")

#: sample -> (module whose `build` writes its files, scope of what it holds)
SAMPLES = {"korea": ("engine.sample.korea", "synthetic"), "seoul": ("engine.sample.seoul", "observed")}
#: version of the files, kept in the stamp beside them; where an older one is found, `complete` of the module adds to it
VERSIONS = {"korea": "2", "seoul": "1"}
_STAMP = ".complete"


def databases(server: EmbeddedServer) -> tuple[str, str]:
    """Addresses of warehouse and application database, made and up to date."""
    urls = []
    for name, family in ((WAREHOUSE, "warehouse"), (APPLICATION, "results")):
        url = server.create(name)
        with postgres.connect(url) as connection:
            migrate.apply(connection, family)
        urls.append(url)
    return urls[0], urls[1]


def fill(warehouse: str, sample: str, home: Path) -> None:
    """Write the sample's files once and load them; leaves a warehouse alone that somebody filled with other data.

    Of several jobs that start together one loads; the others wait, and find it done.

    raises : EngineError when a loader fails
    """
    with closing(postgres.connect(warehouse)) as connection:
        connection.execute("SELECT pg_advisory_lock(%s, hashtext('sample'))", (postgres.LOCK_SPACE,))
        _fill(connection, warehouse, sample, home)


def _fill(connection: psycopg.Connection, warehouse: str, sample: str, home: Path) -> None:
    # imported here: most jobs want the databases alone, and the sample and the loaders take seconds to import
    from engine import kernels
    from engine.io.etl import run_loaders
    from engine.io.etl.loading import LoadOptions

    module, scope = SAMPLES[sample]
    scopes = connection.execute("SELECT DISTINCT scope FROM etl_load WHERE status = 'published'").fetchall()
    if other := sorted({found for (found,) in scopes} - {scope}):
        log.info("the embedded warehouse holds data of scope %s: the sample is not loaded", ", ".join(other))
        return
    data = home / "sample" / sample
    started = time.perf_counter()
    if (held := _version(data)) != VERSIONS[sample]:
        done = "completing" if held else "writing"
        log.info("%s the %s sample (%s) to %s", done, sample, scope, data)
        if scope == "observed":  # made of daily values
            kernels.warm_up(log.info, "derive")
        made = importlib.import_module(module)
        (made.complete if held else made.build)(data)
        (data / _STAMP).write_text(VERSIONS[sample], "ascii")
        log.info("sample written in %.1f s", time.perf_counter() - started)
    started = time.perf_counter()
    reports = run_loaders(warehouse, ["all"], LoadOptions(data=data, scope=scope), _say)
    if bad := [report for report in reports if report.status in ("failed", "not given")]:
        raise EngineError(f"loading the sample failed: {': '.join(filter(None, (bad[0].table, bad[0].message)))}")
    rows = sum(report.rows for report in reports if report.status == "published")
    log.info("%s tables, %s rows loaded in %.1f s", len(reports), f"{rows:,}", time.perf_counter() - started)


def _version(data: Path) -> str:
    """Of the files of a sample; "" where they were never finished. The first stamps were empty."""
    stamp = data / _STAMP
    return (stamp.read_text("ascii", "replace").strip() or "1") if stamp.exists() else ""


def _say(what: str, done: int = 0, total: int = 0) -> None:  # noqa: ARG001 (the callback of the loaders)
    if done == 0:
        log.info("loading %s", what)
