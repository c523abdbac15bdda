"""Course of `jobs.report --portfolio`."""

from __future__ import annotations

import argparse
import logging
import time
from contextlib import ExitStack, closing
from pathlib import Path
from uuid import UUID

import polars as pl

from engine.core import settings
from engine.core.errors import EngineError, SettingsError
from engine.core.grid import from_the_west
from engine.core.settings import Settings
from engine.io.climate import boundaries
from engine.io.db import postgres
from engine.io.queue import batch_jobs
from engine.io.sites.portfolio_results import SUMMARY, PortfolioResults, read_portfolio
from engine.maps import borders
from engine.report.committee import at_risk, page
from engine.report.committee.site_maps import Borders
from jobs import _addresses, _console, _paths

log = logging.getLogger("jobs")


def run(args: argparse.Namespace) -> int:
    """Read, write."""
    started = time.perf_counter()
    config = settings.load()
    with ExitStack() as stack:
        folder, warehouse = _found(args, config, stack)
        out = args.out or _default(args.portfolio, args.lang)
        _paths.new_file("--out", out)
        results = read_portfolio(folder)
        log.info("portfolio %s from %s", results.summary["name"], folder)
        threshold = at_risk.parse(args.threshold or at_risk.DEFAULT)
        text = page.render(results, threshold, _borders(warehouse, results), args.lang)
    try:
        out.write_text(text, "utf-8")
    except OSError as err:
        raise EngineError(f"{out} could not be written: {err}") from err
    log.info(
        "report=%s portfolio=%s sites=%d megabytes=%.1f seconds=%.1f",
        out,
        results.summary["name"],
        results.summary["rows"],
        len(text.encode()) / 1e6,
        time.perf_counter() - started,
    )
    return _console.COMPLETE


def _default(portfolio: str, language: str) -> Path:
    """The file where none is named, one for each portfolio: in its folder, or by its id."""
    folder = Path(portfolio)
    return folder / f"report-{language}.html" if folder.is_dir() else Path(f"portfolio-{portfolio}-{language}.html")


def _found(args: argparse.Namespace, config: Settings, stack: ExitStack) -> tuple[Path, str | None]:
    """(folder of the results, climate data whose coast and borders are drawn or None)"""
    folder = Path(args.portfolio)
    if folder.is_dir():
        if args.sink is not None:
            raise SettingsError("--sink names the database of a portfolio's id: leave it out with a folder")
        return folder, _addresses.given("--warehouse", args.warehouse) or config.warehouse_url
    try:
        batch_id = UUID(args.portfolio)
    except ValueError:
        raise SettingsError(
            f"--portfolio {args.portfolio} is neither a folder that is there nor the id of a portfolio"
        ) from None
    absent = "no results: give --sink, set APP_*, or name the folder of the portfolio"
    sink, warehouse = _addresses.to_look_at(config, args.sink, args.warehouse, stack, absent, migrated=True)
    if _addresses.folder_of(sink) is not None:
        raise SettingsError(f"--sink {sink} is a folder: the ids of portfolios stand in the database of the service")
    return _of_job(sink, batch_id), warehouse


def _of_job(sink: str, batch_id: UUID) -> Path:
    """Folder of the results of a portfolio that the database knows.

    raises : SettingsError for an unknown id, a job of another kind, one that is not finished, and results that are gone
    """
    with closing(postgres.connect(sink)) as application:
        job = batch_jobs.read(application, batch_id)
    if job is None or job.job_type != batch_jobs.PORTFOLIO:
        raise SettingsError(f"--portfolio {batch_id}: {postgres.describe(sink)} knows no portfolio of this id")
    if job.status not in ("completed", "failed"):
        raise SettingsError(f"--portfolio {batch_id} is {job.status}: its results are not there yet")
    folder = Path(job.input_params["out"])
    if not (folder / SUMMARY).is_file():
        why = f" It failed: {job.error_message}" if job.status == "failed" else ""
        raise SettingsError(f"--portfolio {batch_id}: its results are not kept on this machine, in {folder}.{why}")
    return folder


def _borders(warehouse: str | None, results: PortfolioResults) -> Borders:
    """Coast and provinces of the warehouse; where it has none, lines behind the sites."""
    if warehouse is not None:
        with closing(postgres.connect(warehouse)) as climate:
            coast, provinces = boundaries.coastline(climate), boundaries.provinces(climate)
        if coast:
            return Borders(borders.lines(coast), borders.lines(provinces), "warehouse")
    sites = results.totals.filter(pl.col("latitude").is_not_null())
    if sites.is_empty():
        return Borders([], [], "world")
    behind = borders.backdrop(sites["latitude"].to_numpy(), from_the_west(sites["longitude"].to_numpy()))
    return Borders(borders.lines(behind.coast), borders.lines(behind.borders), behind.source)
