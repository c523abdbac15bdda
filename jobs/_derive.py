"""`jobs.etl derive`: monthly means and yearly indices of daily files, in the layout that the loaders read."""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

from engine import kernels, settings
from engine.errors import SettingsError
from engine.io.etl import station_tables
from engine.io.etl.loading import OBSERVED
from engine.io.etl.station_tables import TableOptions
from engine.period import parse_years
from engine.quality import load_ranges
from engine.scenario import Scenario
from jobs import _console

log = logging.getLogger("jobs")

#: WMO normal period
NORMAL = "1991-2020"


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    made = _console.Parser(
        prog="python -m jobs.etl derive",
        description="Monthly means and yearly indices of daily files, written in the layout that the loaders read."
        " Exit codes: 0 complete, 1 failed, 2 bad arguments, 3 partial (a variable has no value), 130 interrupted.",
    )
    made.add_argument(
        "--daily", type=Path, nargs="+", required=True, metavar="FILE",
        help="daily NetCDF files, or tables of stations (CSV, Parquet, XLSX)",
    )  # fmt: skip
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")
    made.add_argument(
        "--base", default=NORMAL, metavar="FIRST-LAST", help="base years of percentiles (default %(default)s)"
    )
    made.add_argument(
        "--base-files", type=Path, nargs="+", default=[], metavar="FILE", help="daily files of the base years"
    )
    made.add_argument("--scenario", metavar="S", help="of all files (default: the code in each name)")
    made.add_argument("--years", metavar="FIRST-LAST", help="of the output (default all)")
    made.add_argument(
        "--lattice", type=Path, metavar="FILE", help="grid.toml or NetCDF (default: that of the first file); each place"
        " of a list becomes the cell that holds it",
    )  # fmt: skip
    made.add_argument(
        "--step", type=float, metavar="DEGREES",
        help="of the lattice made for places in a list when --lattice is left out (default 0.1)",
    )  # fmt: skip
    made.add_argument(
        "--scope", choices=("full", OBSERVED), help="observed: a record that may lack scenarios, years and variables"
        " (default: what the files say; tables of stations are observed, other files full)",
    )  # fmt: skip
    made.add_argument("--unit", action="append", default=[], metavar="V=U", help="unit of a daily variable, as tas=K")
    made.add_argument(
        "--column", action="append", default=[], metavar="V=HEADER",
        help="column of a table, as tas=AvgTemp or station_id=city",
    )  # fmt: skip
    made.add_argument(
        "--stations", type=Path, metavar="FILE", help="table with station_id, latitude, longitude, for tables without"
    )
    made.add_argument(
        "--blank-rain-is-dry", action="store_true",
        help="the provider leaves rain blank on days without rain: a blank is dry where the place reports something"
        " else that day and some rain in that calendar year; else it is missing",
    )  # fmt: skip
    made.add_argument(
        "--dry-spells-cross-years", action="store_true",
        help="CDD: dry spells go on over New Year and belong to the year they begin in; else they end with the year",
    )  # fmt: skip
    made.add_argument(
        "--gate", type=Path, metavar="FILE", help="TOML with ranges of the quality gate for another region"
    )
    return made


def run(args: argparse.Namespace) -> int:
    """Derive, and tell what came of it."""
    from engine.io.etl import place_cells
    from engine.io.etl.daily import UNITS
    from engine.io.etl.derive import derive
    from engine.io.etl.grid import read_lattice

    started = time.perf_counter()
    kernels.keep_compiled_in(settings.load().kernel_cache)
    if args.step is not None and not (args.lattice is None and 0 < args.step <= 10):
        raise SettingsError("--step is a number of degrees above 0 and up to 10, and goes without --lattice")
    with _console.cell_progress("derive") as progress:
        kernels.warm_up(progress.announce, "derive")
        derived = derive(
            args.daily,
            args.out,
            base=parse_years(args.base),
            scenario=Scenario.parse(args.scenario) if args.scenario else None,
            base_files=args.base_files,
            years=parse_years(args.years) if args.years else None,
            grid=read_lattice(args.lattice) if args.lattice else None,
            step=args.step or place_cells.STEP,
            scope=args.scope,
            units=dict(_console.assigned("--unit", text, UNITS, "tas=K") for text in args.unit),
            tables=TableOptions(
                dict(_console.assigned("--column", text, station_tables.NAMES, "tas=AvgTemp") for text in args.column),
                args.stations,
                args.blank_rain_is_dry,
            ),
            dry_spells_cross_years=args.dry_spells_cross_years,
            ranges=load_ranges(args.gate) if args.gate else None,
            progress=progress,
        )
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
