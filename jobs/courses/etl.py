"""Course of `jobs.etl` but for `derive` and `download`."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace

from rich.table import Table

from engine.core import settings
from engine.core.errors import SettingsError
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.core.variables import VARIABLES, variable
from engine.io import etl
from engine.io.db import migrate, postgres
from engine.io.etl.load_record import LoadReport
from engine.io.etl.loading import LoadOptions
from jobs import _addresses, _console, _home, _not_given
from jobs._parser import listed

log = logging.getLogger("jobs")

#: so many absent tables get a line each
_FEW = 3
#: the loader of the lattice
_LATTICE = "grid"


def run(args: argparse.Namespace) -> int:
    """Load, report."""
    started = time.perf_counter()
    config = settings.load()
    chosen = args.loaders or [etl.ALL]
    options = _options(args, config)
    etl.chosen_loaders(chosen, options)  # refuses what does not go together before a server is started
    if options.scenarios and DEFAULT_SCENARIO not in options.scenarios:
        log.warning(
            "%s is not loaded: jobs.yearly needs it for the baseline and will refuse this warehouse",
            DEFAULT_SCENARIO.code,
        )
    laid: list[LoadReport] = []
    with ExitStack() as stack:
        if options.dry_run:
            url = target = _addresses.warehouse_if_made(config, "--warehouse", args.warehouse, stack)
            lattice = bool({etl.ALL, _LATTICE} & set(chosen))
            url, empty = _home.rehearsal(url, config.engine_home, stack, lattice=lattice)
            if empty and lattice:
                # what is placed in cells can be tried only where there are some
                own = LoadOptions(data=options.data, force=options.force, lattice=options.lattice)
                with _console.load_progress() as progress:
                    laid = etl.run_loaders(url, [_LATTICE], own, progress)
        else:
            url = target = _addresses.warehouse_of(config, "--warehouse", args.warehouse, stack)
            with closing(postgres.connect(url)) as connection:
                migrate.apply(connection, "warehouse")
        with _console.load_progress() as progress:
            reports = etl.run_loaders(url, chosen, options, progress)
    if laid:
        tried = [replace(report, status="checked") if report.status == "published" else report for report in laid]
        reports = [*tried, *(report for report in reports if report.loader != _LATTICE)]
    print_reports(reports)
    failed = [report for report in reports if report.status == "failed"]
    log.info(
        "tables=%d failed=%d rows=%d warehouse=%s seconds=%.1f",
        len(reports),
        len(failed),
        sum(report.rows for report in reports if report.status == "published"),
        postgres.describe(target) if target else config.engine_home / "postgres",
        time.perf_counter() - started,
    )
    if _not_given.nothing_done(reports, chosen):
        if not failed:
            log.error("nothing was loaded: below %s is no file that a loader knows (docs/etl.md)", options.data)
        return _console.FAILED
    return _console.PARTIAL if failed else _console.COMPLETE


def _options(args: argparse.Namespace, config: settings.Settings) -> LoadOptions:
    data = args.data or config.data_dir
    if data is None:
        raise SettingsError("no source files: give --data DIR or set DATA_DIR")
    if not data.is_dir():
        raise SettingsError(f"data directory {data} does not exist")
    return LoadOptions(
        data=data,
        force=args.force,
        dry_run=args.dry_run,
        sample_limit=args.sample_limit or config.sample_limit,
        variables=tuple(variable(name).name for name in listed(args.variables)) if args.variables else None,
        scenarios=tuple(Scenario.parse(word) for word in listed(args.scenarios)) if args.scenarios else None,
        keep_ocean=args.keep_ocean,
        units=dict(_console.assigned("--unit", text, (*VARIABLES, "sea_level"), "si=W/m2") for text in args.unit),
        crs=args.crs,
        regions=args.regions,
        region_name=args.region_name,
        gate=args.gate,
        refresh=args.refresh,
        lattice=args.lattice,
        member=args.member,
        workers=config.etl_workers,
    )


def print_reports(reports: Sequence[LoadReport]) -> None:
    """One line a table, then what the gate found and why tables failed."""
    out = _console.console()
    table = Table("loader", "table", "status", box=None, pad_edge=False)
    for name in ("files", "rows", "rejected", "E", "W", "seconds"):
        table.add_column(name, justify="right")
    absent = [report for report in reports if report.status == "absent"]
    given = [report for report in reports if report.status != "not given"]
    shown = given if len(absent) <= _FEW else [report for report in given if report.status != "absent"]
    for report in shown:
        severities = [finding.severity for finding in report.findings]
        numbers = (report.files, report.rows, report.rejected, severities.count("E"), severities.count("W"))
        cells = (f"{number:,}" for number in numbers)
        table.add_row(report.loader, report.table, report.status, *cells, f"{report.seconds:.1f}")
    out.print(table)
    if len(shown) < len(given):
        names = ", ".join(dict.fromkeys(report.table or report.loader for report in absent))
        out.print(f"no files, and none needed: {names}", markup=False)
    for line in _not_given.lines(reports):
        out.print(line, markup=False)
    for report in shown:
        for finding in report.findings:
            out.print(str(finding), markup=False)
        if report.message:
            out.print(f"{report.status}: {report.message}", markup=False)
