"""Assess a site or a portfolio: exposure, AAL and integrated risk.

A portfolio is a table, a row an asset: a workbook, CSV, Parquet or NDJSON (docs/site-fields.md, "Columns"). Columns are
known by many names, Korean ones too; all others are carried through. OED location files are known by their header
(docs/oed.md). The folder of its results holds portfolio.xlsx
and sites.csv for people, portfolio.json, Parquet and CSV files for programs: what is lost in each year, once in 100
years, by which sites, in which storm (docs/year-losses.md). The results of jobs.yearly are needed. Without
configuration the embedded databases in ENGINE_HOME are taken.

examples:
    python -m jobs.assess --lat 37.5665 --lon 126.978
    python -m jobs.assess --lat 37.5665 --lon 126.978 --asset asset.json --json
    python -m jobs.assess --sites docs/examples/sites-ko.xlsx --out results
    python -m jobs.assess --sites loans.xlsx --out results --columns latitude=Y
    python -m jobs.assess --sites sites.csv --out results --scenarios 1,2,3,4
    python -m jobs.assess --sites oed.csv --out results --rates rates.csv
    python -m jobs.assess --sites sites.csv --out results --what-if gates.toml

exit codes:
    0    complete
    1    failed: no site could be assessed, database, disk
    2    bad arguments or settings, a file that cannot be read, or without a
         valid row
    3    partial: a row has a fault, or a risk lacked an input
    130  interrupted

settings: DW_*, APP_*, ENGINE_HOME, PORTFOLIO_MAX_ROWS, PORTFOLIO_MAX_BYTES
(python -m jobs.config shows them)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.core.names import RISK_NAMES, risk, unknown
from engine.core.period import PERIODS
from engine.core.scenario import Scenario
from jobs import _console
from jobs._parser import number, read_by

_KINDS = ".xlsx (.xlsm, .xls, .ods), .csv (.tsv, .txt), .parquet, .ndjson (.jsonl), also as .gz, .zst, .zip"
_WHICH = ("portfolio", "sites")


def _period(name: str) -> str:
    from engine.core.errors import SettingsError

    if name not in PERIODS:
        raise SettingsError(unknown("period", name, PERIODS))
    return name


def _year_losses(which: str) -> str:
    from engine.core.errors import SettingsError

    if which not in _WHICH:
        raise SettingsError(unknown("kind of year losses", which, _WHICH))
    return which


def parser() -> _console.Parser:
    """The options of the job."""
    made = _console.Parser("assess", __doc__)
    site = made.add_argument_group("one site")
    site.add_argument("--lat", type=number(), metavar="DEG", help="latitude, WGS84 (no default)")
    site.add_argument("--lon", type=number(), metavar="DEG", help="longitude (no default)")
    site.add_argument(
        "--building", type=Path, metavar="FILE", help="building_info as JSON (default: from the register)"
    )
    site.add_argument("--asset", type=Path, metavar="FILE", help="asset_info as JSON (default: without a value)")
    site.add_argument("--json", action="store_true", help="print the stored results instead of a table")
    many = made.add_argument_group("a portfolio")
    many.add_argument("--sites", type=Path, metavar="FILE", help=f"{_KINDS} (no default)")
    many.add_argument("--out", type=Path, metavar="DIR", help="folder of the results (no default)")
    many.add_argument("--name", help="name of the portfolio, by which its rows are known again (default: the file's)")
    many.add_argument("--sheet", metavar="NAME", help="sheet of a workbook (default: the first one with coordinates)")
    many.add_argument(
        "--columns",
        metavar="FIELD=COLUMN,..",
        help="which column is which field, FIELD=- for a field that none is (default: by their names)",
    )
    many.add_argument(
        "--rates", type=Path, metavar="FILE", help="exchange rates for an OED file: CSV of currency, rate, date (none)"
    )
    many.add_argument("--no-workbook", action="store_true", help="leave portfolio.xlsx out; sites.csv is written")
    many.add_argument(
        "--year-losses",
        type=read_by(_year_losses),
        metavar="WHICH",
        help="sites: site_year_losses.parquet, too, the loss of each site in each year by each risk (default:"
        " portfolio, the sums over the sites)",
    )
    both = made.add_argument_group("what is assessed")
    both.add_argument(
        "--risks", type=read_by(risk, every=True), metavar="a,b", help=f"of {', '.join(RISK_NAMES)} (default: all)"
    )
    both.add_argument(
        "--scenarios",
        type=read_by(Scenario.parse, every=True),
        metavar="1,2,..",
        help="ids or names: 1 SSP1-2.6, 2 SSP2-4.5 (default), 3 SSP3-7.0, 4 SSP5-8.5",
    )
    both.add_argument(
        "--period",
        type=read_by(_period, every=True),
        metavar="a,b",
        help=f"of {', '.join(PERIODS)} (default: mid_term, else what there is)",
    )
    both.add_argument(
        "--what-if",
        type=Path,
        metavar="FILE",
        help="a measure as TOML (docs/what-if.md): losses before and after it, too, and in DIR what_if.xlsx, .csv and"
        " .json; nothing of it is stored (default: none)",
    )
    return made


def main(argv: list[str] | None = None) -> int:
    """Parse, assess, report; returns the exit code."""
    stopped = "the assessment is not finished, its job is marked so; run it again"
    return _console.main(parser(), argv, _course, stopped=stopped)


def _course(args: argparse.Namespace) -> int:
    from jobs.courses import assess  # takes a second to import, which help and refusals need not wait for

    return assess.run(args)


if __name__ == "__main__":
    sys.exit(main())
