"""Assess a site or a portfolio: exposure, AAL and integrated risk.

It tells exposure, vulnerability, final AAL and risk, and needs the results of `jobs.yearly`. A portfolio writes
exposure, vulnerability, aal, risk, totals and failures as Parquet files and portfolio.json; a row is an asset, columns
that are no field are carried through. Without configuration: the embedded databases in ENGINE_HOME.

examples:
    python -m jobs.assess --lat 37.5665 --lon 126.978
    python -m jobs.assess --lat 37.5665 --lon 126.978 --period mid_term --json
    python -m jobs.assess --sites sites.csv --out assessed/ --risks typhoon

exit codes:
    0    complete
    1    failed
    2    bad arguments, settings or inputs
    3    partial: a risk or a row failed
    130  interrupted

settings: DW_*, APP_*, ENGINE_HOME, PORTFOLIO_MAX_ROWS, PORTFOLIO_MAX_BYTES
(python -m jobs.config shows them)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from jobs import _console, _paths
from jobs._parser import number


def parser() -> _console.Parser:
    """The options of the job."""
    made = _console.Parser("assess", __doc__)
    made.add_argument("--lat", type=number(), metavar="DEG", help="latitude of one site, WGS84 (no default)")
    made.add_argument("--lon", type=number(), metavar="DEG", help="longitude, WGS84 (no default)")
    made.add_argument(
        "--building", type=Path, metavar="FILE", help="building_info as JSON (default: from the register)"
    )
    made.add_argument("--asset", type=Path, metavar="FILE", help="asset_info as JSON (default: without a value)")
    made.add_argument(
        "--sites",
        type=Path,
        metavar="FILE",
        help="a portfolio, a row a site: .parquet, .csv (.tsv, .txt), .ndjson (.jsonl), also .gz, .zst, .zip",
    )
    made.add_argument("--out", type=Path, metavar="DIR", help="folder of the portfolio's results (no default)")
    made.add_argument("--name", help="name of the portfolio, by which its rows are known again (default: the file's)")
    made.add_argument("--risks", metavar="a,b", help="risk names (default all nine)")
    made.add_argument("--scenarios", metavar="1,2,..", help="scenario ids or names (default 2)")
    made.add_argument(
        "--period", metavar="NAME", help="short_term, mid_term, long_term, full; or several (default mid_term)"
    )
    made.add_argument("--json", action="store_true", help="print the stored results instead of a table")
    return made


def main(argv: list[str] | None = None) -> int:
    """Parse, assess, report; returns the exit code."""
    stopped = "the assessment is not finished, its job is marked so; run it again"
    return _console.main(parser(), argv, _course, stopped=stopped)


def _course(args: argparse.Namespace) -> int:
    _paths.place(args.lat, args.lon)
    for option in ("building", "asset", "sites"):
        _paths.file(f"--{option}", getattr(args, option))
    if args.out is not None:
        _paths.new_folder("--out", args.out)
    from jobs.courses import assess

    return assess.run(args)


if __name__ == "__main__":
    sys.exit(main())
