"""Course of `jobs.etl derive`."""

from __future__ import annotations

import argparse
import logging
import time

from engine import kernels
from engine.core import settings
from engine.core.period import parse_years
from engine.core.quality import load_ranges
from engine.core.scenario import Scenario
from engine.io.etl.derive import place_cells
from engine.io.etl.derive.derive import derive
from engine.io.etl.derive.derive_job import Request
from engine.io.etl.loaders.grid import read_lattice
from jobs import _console, _station_tables

log = logging.getLogger("jobs")


def run(args: argparse.Namespace) -> int:
    """Derive, and tell what came of it."""
    started = time.perf_counter()
    config = settings.load()
    kernels.keep_compiled_in(config.kernel_cache)
    kernels.use_threads(config.compute_threads)
    with _console.cell_progress("derive") as progress:
        kernels.warm_up(progress.announce, "derive")
        request = Request(
            files=args.daily,
            base=parse_years(args.base),
            scenario=Scenario.parse(args.scenario) if args.scenario else None,
            base_files=args.base_files,
            years=parse_years(args.years) if args.years else None,
            grid=read_lattice(args.lattice) if args.lattice else None,
            step=args.step or place_cells.STEP,
            scope=args.scope,
            units=_station_tables.units(args),
            tables=_station_tables.options(args),
            dry_spells_cross_years=args.dry_spells_cross_years,
            ranges=load_ranges(args.gate) if args.gate else None,
        )
        derived = derive(request, args.out, progress=progress)
    for finding in derived.findings:
        log.warning("%s", finding.message)
    reasons: dict[str, list[str]] = {}
    for what, why in derived.missing.items():
        reasons.setdefault(why, []).append(what)
    for why, names in reasons.items():
        log.error("no value, so not written: %s (%s)", ", ".join(names), why)
    log.info(
        "files=%d missing=%d warnings=%d out=%s seconds=%.1f",
        len(derived.files), len(derived.missing), len(derived.findings), args.out, time.perf_counter() - started,
    )  # fmt: skip
    return _console.PARTIAL if derived.missing else _console.COMPLETE
