"""Course of `jobs.report`."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import polars as pl
import psycopg

from engine.core import settings
from engine.core.errors import EngineError, SettingsError, SourceError
from engine.core.grid import GridDefinition
from engine.core.settings import Settings
from engine.io import open_source
from engine.io.climate import catalog, filling
from engine.io.db import postgres
from engine.io.results import published, published_ensembles
from engine.io.results.published import DirectoryResults, Results, Run, RunDirectoryResults
from engine.io.results.published_database import DatabaseResults
from engine.io.sites import site_inputs
from engine.report import maps, page, places, rare, translated
from engine.report.figures import RiskFigures
from engine.report.page import Earlier, Input, Warehouse
from engine.report.places import Places
from engine.report.rare import Rare
from engine.risks import EDITIONS, load_edition
from engine.risks.edition import Edition
from jobs import _addresses, _console

log = logging.getLogger("jobs")


def run(args: argparse.Namespace) -> int:
    """Read, write."""
    started = time.perf_counter()
    config = settings.load()
    runs = args.run_dir or str(config.engine_home / "runs")
    with ExitStack() as stack:
        sink, warehouse = _ends(args, config, stack)
        newest = _published(sink, stack) if sink else None
        results = _results(args.run, newest, runs)
        log.info("run %s from %s", results.run["run_id"], results.where)
        out = args.out or _default(results.run)
        figures = page.read_figures(results)
        if not figures:
            raise EngineError(f"{results.where} holds no result of run {results.run['run_id']}")
        places_of = [each.cells.select("grid_id", "latitude", "longitude") for each in figures.values()]
        cells = pl.concat(places_of).unique("grid_id").sort("grid_id")
        climate = stack.enter_context(closing(postgres.connect(warehouse))) if warehouse else None
        apart = bool((results.run["summary"] or {}).get("apart"))
        frame = maps.frame_of(cells, _lattice(climate) if climate else None, apart=apart)
        regions = None
        if frame is not None:
            regions = places.of_warehouse(climate, cells, frame.step) if climate else None
            regions = regions or places.shipped(cells, frame.step)
        edition = _edition(results, args.edition)
        text = page.render(
            Input(
                results=results,
                figures=figures,
                frame=frame,
                places=regions,
                edition=edition,
                earlier=_earlier(args.against, results, newest, runs),
                warehouse=None
                if climate is None or warehouse is None
                else Warehouse(
                    where=postgres.describe(warehouse),
                    loads=catalog.published(climate),
                    unchanged=_fingerprint(climate) == results.run["source_fingerprint"],
                ),
                ensemble=_ensemble(args.ensemble, newest),
                rare=_rare(warehouse, edition, results.run, figures, regions),
            )
        )
    try:
        out.write_text(translated.page(text, args.lang), "utf-8")
    except OSError as err:
        raise EngineError(f"{out} could not be written: {err}") from err
    log.info(
        "report=%s run=%s risks=%d cells=%d megabytes=%.1f seconds=%.1f",
        out,
        results.run["run_id"],
        len(figures),
        cells.height,
        len(text.encode()) / 1e6,
        time.perf_counter() - started,
    )
    return _console.COMPLETE


def _default(run: Run) -> Path:
    """The file where none is named; refuses one that is there and is not of this run."""
    path = Path(f"report-{run['run_id']}.html")
    try:
        if path.exists() and not page.is_report_of(path, run):
            raise SettingsError(
                f"{path} is there, and it is not a report of this run (runs are numbered by each folder and database):"
                " name another file with --out"
            )
    except OSError as err:
        raise EngineError(f"{path} cannot be read: {err.strerror}; name another file with --out") from err
    return path


def _ends(args: argparse.Namespace, config: Settings, stack: ExitStack) -> tuple[str | None, str | None]:
    """Addresses of results and climate data; None for what cannot be named."""
    if args.sink is None and config.application_url is None and args.run is not None and args.run_dir:
        return None, _addresses.given("--warehouse", args.warehouse) or config.warehouse_url
    absent = "no results: give --sink, set APP_*, or run jobs.yearly, which makes an embedded database"
    return _addresses.to_look_at(config, args.sink, args.warehouse, stack, absent, migrated=True)


def _published(sink: str, stack: ExitStack) -> Results:
    """Published results of a sink."""
    if folder := _addresses.folder_of(sink):
        return DirectoryResults(folder)
    connection = stack.enter_context(closing(postgres.connect(sink)))
    return DatabaseResults(connection, sink)


def _results(run: int | None, newest: Results | None, runs: str) -> Results:
    if newest is not None and run in (None, newest.run["run_id"]):
        return newest
    if run is None:
        raise SettingsError("no run was named and no sink given")
    return RunDirectoryResults(runs, run, newest.runs if newest else None)


def _earlier(against: str | None, results: Results, newest: Results | None, runs: str) -> Earlier | None:
    """The run to compare with: as told, else the one published before."""
    known = newest.runs if newest else {}
    if against is not None and not against.isdigit():
        folder = Path(against)
        if (folder / "manifest.json").is_file() and folder.name.isdigit():
            other: Results = RunDirectoryResults(folder.parent, int(folder.name))
        else:
            other = DirectoryResults(folder)
        return Earlier(run=other.run, results=other)
    number = int(against) if against else published.earlier_run(known, results.run, runs)
    if number is None:
        return None
    other = RunDirectoryResults(runs, number, known)
    return Earlier(run=other.run, results=other)


def _ensemble(folder: Path | None, newest: Results | None) -> Run | None:
    """The ensemble to show: of the directory that was named, else of the published results; None without one."""
    if folder is not None:
        return published_ensembles.in_folder(folder)
    return published_ensembles.newest(newest.runs) if newest else None


def _edition(results: Results, file: str | None) -> Edition | None:
    """The figures of the run's methodology, if they are at hand and still the same."""
    name = results.run["edition"]
    if file is None and name not in EDITIONS:
        return None
    edition = load_edition(file or name)
    if edition.checksum == results.run["edition_checksum"]:
        return edition
    if file is not None:
        raise SettingsError(f"--edition {file}: its figures are not those of run {results.run['run_id']}")
    return None


def _rare(
    warehouse: str | None,
    edition: Edition | None,
    run: Run,
    figures: Mapping[str, RiskFigures],
    regions: Places | None,
) -> Rare:
    """Return levels by province from the warehouse; the report goes without them where it cannot be read whole."""
    if warehouse is None:
        return rare.nothing("no warehouse was at hand when this report was made")
    if edition is None:
        return rare.nothing(f"the figures of the edition {run['edition']} are not at hand")
    if regions is None:
        return rare.nothing("the cells are too few for provinces, or lie on no common lattice")
    if regions.cells["province"].null_count() == regions.cells.height:
        return rare.nothing(
            "no regions are known: the warehouse holds none (--regions FILE of jobs.yearly, or loader admin)"
        )
    try:
        with closing(open_source(warehouse)) as source:
            return rare.by_province(source, edition, run, figures, regions)
    except EngineError as err:
        log.warning("no return levels: %s", err)
        return rare.nothing(f"the warehouse cannot be read: {err}")


def _lattice(climate: psycopg.Connection) -> GridDefinition | None:
    """Of the warehouse; None where it was not filled by the loaders."""
    with postgres.failures("reading grid_definition", SourceError):
        if not filling.has_lattice(climate):
            return None
    return site_inputs.grid_definition(climate)


def _fingerprint(climate: psycopg.Connection) -> str:
    """Of the warehouse as it is now; without a snapshot, which not every connection can have (`pooler`)."""
    with postgres.failures("reading the loads", SourceError):
        return catalog.fingerprint(climate, catalog.published(climate), catalog.present(climate))
