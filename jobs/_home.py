"""The machine without configuration: an embedded server in `ENGINE_HOME`, filled from a sample through the loaders."""

from __future__ import annotations

import importlib
import logging
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg

from engine.core.errors import EngineError
from engine.io.climate import filling
from engine.io.db import migrate, postgres
from engine.io.db.embedded import APPLICATION, WAREHOUSE, EmbeddedServer
from engine.io.results import risk_partitions
from jobs import _console
from jobs._samples import SAMPLES

log = logging.getLogger("jobs")

_STAMP = ".complete"


def databases(server: EmbeddedServer) -> tuple[str, str]:
    """Addresses of warehouse and application database, made and up to date."""
    urls = []
    for name, family in ((WAREHOUSE, "warehouse"), (APPLICATION, "results")):
        url = server.create(name)
        with postgres.connect(url) as connection:
            migrate.apply(connection, family)
            if family == "results":
                risk_partitions.add_missing(connection)
        urls.append(url)
    return urls[0], urls[1]


def is_made(home: Path) -> bool:
    """Whether there is an embedded server in a folder, running or not."""
    return (home / "postgres" / "PG_VERSION").is_file()


def is_sample(home: Path, sample: str) -> bool:
    """Whether the files of a sample are there: whoever loaded other data did not need them."""
    return (home / "sample" / sample / _STAMP).is_file()


def has_data(warehouse: str) -> bool:
    """Whether anything was loaded into a warehouse."""
    with closing(postgres.connect(warehouse)) as connection:
        return bool(filling.published_scopes(connection))


def rehearsal(url: str | None, home: Path, stack: ExitStack, *, lattice: bool) -> tuple[str, bool]:
    """A warehouse in which a load can be tried, and whether it is an empty one that goes with the stack.

    url     : None: there is none yet, and a load would make it in `home`
    lattice : the load begins with the lattice. A warehouse without one is left alone then: what is placed in cells
              could not be tried there
    """
    if url is None:
        log.info("a load would make an embedded PostgreSQL in %s", home / "postgres")
    else:
        with closing(postgres.connect(url)) as connection:
            missing = migrate.pending(connection, "warehouse")
            has_tables = filling.has_schema(connection)
            has_cells = has_tables and filling.has_lattice(connection)
        if missing:
            log.warning("a load would first change the schema of %s: %s", postgres.describe(url), ", ".join(missing))
        if has_cells or (has_tables and not lattice):
            return url, False
    log.info("the files are checked against an empty warehouse, which is removed afterwards")
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="climate-risk-", ignore_cleanup_errors=True))
    empty = stack.enter_context(EmbeddedServer(Path(folder))).create(WAREHOUSE)
    with closing(postgres.connect(empty)) as connection:
        migrate.apply(connection, "warehouse")
    return empty, True


def would_make(home: Path, sample: str) -> list[str]:
    """List what a first run makes before it computes."""
    scope = SAMPLES[sample].scope
    made = [] if is_made(home) else [f"an embedded PostgreSQL in {home / 'postgres'}"]
    made += (
        [] if is_sample(home, sample) else [f"the files of the {scope} sample {sample} in {home / 'sample' / sample}"]
    )
    return [*made, f"a warehouse of the {scope} sample {sample}"]


def fill(warehouse: str, sample: str, home: Path) -> None:
    """Write the sample's files once and load them; leaves a warehouse alone that somebody filled with other data.

    Of several jobs that start together one loads; the others wait, and find it done.

    raises : EngineError when a loader fails
    """
    with closing(postgres.connect(warehouse)) as connection:
        postgres.wait_for_lock(connection, "sample")
        _fill(connection, warehouse, sample, home)


def _fill(connection: psycopg.Connection, warehouse: str, sample: str, home: Path) -> None:
    # imported here: most jobs want the databases alone, and the sample and the loaders take seconds to import
    from engine import kernels
    from engine.io.etl import run_loaders
    from engine.io.etl.loading import LoadOptions

    module, version, scope = SAMPLES[sample].module, SAMPLES[sample].version, SAMPLES[sample].scope
    if other := sorted(filling.published_scopes(connection) - {scope}):
        log.info("the embedded warehouse holds data of scope %s: the sample is not loaded", ", ".join(other))
        return
    data = home / "sample" / sample
    started = time.perf_counter()
    if (found := _version(data)) != version:
        done = "completing" if found else "writing"
        log.info("%s the %s sample (%s) to %s", done, sample, scope, data)
        if scope == "observed":  # made of daily values
            kernels.warm_up(log.info, "derive")
        made = importlib.import_module(module)
        (made.complete if found else made.build)(data)
        (data / _STAMP).write_text(version, "ascii")
        log.info("sample written in %.1f s", time.perf_counter() - started)
    started = time.perf_counter()
    reports = run_loaders(warehouse, ["all"], LoadOptions(data=data, scope=scope), _console.load_lines())
    if bad := [report for report in reports if report.status in ("failed", "not given")]:
        raise EngineError(f"loading the sample failed: {': '.join(filter(None, (bad[0].table, bad[0].message)))}")
    loaded = [report for report in reports if report.status == "published"]
    seconds = time.perf_counter() - started
    if loaded:
        rows = sum(report.rows for report in loaded)
        log.info("sample: %d tables loaded, %s rows, in %.1f s", len(loaded), f"{rows:,}", seconds)
    else:
        log.info("sample: %d tables checked, up to date (%.1f s)", len(reports), seconds)


def _version(data: Path) -> str:
    """Of the files of a sample; "" where they were never finished. The first stamps were empty."""
    stamp = data / _STAMP
    return (stamp.read_text("ascii", "replace").strip() or "1") if stamp.exists() else ""
