"""Exposure, vulnerability, final AAL and integrated risk of one site, or of a portfolio.

A portfolio is a table, a row an asset: a workbook, CSV, Parquet or NDJSON (docs/assessment.md, "Columns"). Columns are
known by many names, Korean ones too; all others are carried through. The folder of its results holds portfolio.xlsx
and sites.csv for people, portfolio.json and Parquet files for programs. The results of jobs.yearly are needed. Without
configuration the embedded databases in ENGINE_HOME are taken.

examples:
  python -m jobs.assess --lat 37.5665 --lon 126.978
  python -m jobs.assess --lat 37.5665 --lon 126.978 --building building.json --asset asset.json --json
  python -m jobs.assess --sites docs/examples/sites-ko.xlsx --out results
  python -m jobs.assess --sites loans.xlsx --sheet 2026 --columns 'latitude=Y,longitude=X' --out results
  python -m jobs.assess --sites sites.csv --out results --scenarios 1,2,3,4 --period mid_term,long_term

exit codes:
  0    complete
  1    failed: no site could be assessed, database, disk
  2    bad arguments or settings, a file that cannot be read, or without a valid row
  3    partial: a row has a fault, or a risk lacked an input
  130  interrupted
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.names import ALIASES, RISK_NAMES, unknown
from engine.period import PERIODS
from engine.scenario import Scenario
from jobs import _console

_KINDS = ".xlsx (.xlsm, .xls, .ods), .csv (.tsv, .txt), .parquet, .ndjson (.jsonl), also as .gz, .zst, .zip"


def main(argv: list[str] | None = None) -> int:
    """Parse, assess, report; returns the exit code."""
    args = _parser().parse_args(argv)
    _console.start_logging()
    return _console.exit_code(lambda: _run(args))


def _parser() -> argparse.ArgumentParser:
    about, _, blocks = (__doc__ or "").partition("examples:")
    made = _console.Parser(
        prog="python -m jobs.assess",
        description=about,
        epilog=f"examples:{blocks}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    site = made.add_argument_group("one site")
    site.add_argument("--lat", type=float, metavar="DEG", help="latitude, WGS84")
    site.add_argument("--lon", type=float, metavar="DEG", help="longitude")
    site.add_argument("--building", type=Path, metavar="FILE", help="building_info as JSON")
    site.add_argument("--asset", type=Path, metavar="FILE", help="asset_info as JSON")
    site.add_argument("--json", action="store_true", help="print the stored results instead of a table")
    many = made.add_argument_group("a portfolio")
    many.add_argument("--sites", type=Path, metavar="FILE", help=_KINDS)
    many.add_argument("--out", type=Path, metavar="DIR", help="folder of the results")
    many.add_argument("--name", help="name of the portfolio, by which its rows are known again (default: the file's)")
    many.add_argument("--sheet", metavar="NAME", help="sheet of a workbook (default: the first one with coordinates)")
    many.add_argument(
        "--columns", metavar="FIELD=COLUMN,..", help="which column is which field; FIELD=- for a field that none is"
    )
    many.add_argument("--no-workbook", action="store_true", help="leave portfolio.xlsx out; sites.csv is written")
    both = made.add_argument_group("what is assessed")
    both.add_argument("--risks", metavar="a,b", help=f"of {', '.join(RISK_NAMES)} (default: all)")
    both.add_argument(
        "--scenarios", metavar="1,2,..", help="ids or names: 1 SSP1-2.6, 2 SSP2-4.5 (default), 3 SSP3-7.0, 4 SSP5-8.5"
    )
    both.add_argument(
        "--period", metavar="a,b", help=f"of {', '.join(PERIODS)} (default: mid_term, else what there is)"
    )
    return made


def _run(args: argparse.Namespace) -> int:
    for what, text, known in (("risk", args.risks, [*RISK_NAMES, *ALIASES]), ("period", args.period, [*PERIODS])):
        for name in _list(text) or []:
            if name not in known:  # the older names are taken, and not told
                from engine.errors import SettingsError

                raise SettingsError(unknown(what, name, RISK_NAMES if what == "risk" else PERIODS))
    for name in _list(args.scenarios) or []:
        Scenario.parse(name)
    from jobs.courses import assess  # takes a second to import, which help and refusals need not wait for

    return assess.run(args)


def _list(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


if __name__ == "__main__":
    sys.exit(main())
