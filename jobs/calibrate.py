"""Fit damage rates to recorded losses, and write an edition.

Rain and wind of years and storms are told against recorded losses; everything is fitted anew from the tables. The
files of the
package are the default: they make the published edition 2026-kr, byte for byte. The report says what was fitted, how it
does on years and storms that it has not seen, and what it cannot say.

examples:
    python -m jobs.calibrate --out 2026-kr.toml --report calibration.html
    python -m jobs.calibrate --losses claims/ --out own.toml
    python -m jobs.calibrate --climate rain.csv --stations places.csv

exit codes:
    0    written
    1    a table cannot be read, or holds rows that cannot be compared
    2    bad arguments
    130  interrupted, nothing was written

settings: KERNEL_CACHE (python -m jobs.config shows it)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.core.errors import SettingsError
from engine.core.names import unknown
from engine.risks.editions import DEFAULT_EDITION, UNCALIBRATED
from jobs import _console, _paths
from jobs._derive import of_tables

#: in the place of a folder of stations
STATIONS = "stations"


def parser() -> _console.Parser:
    """The options of the job."""
    made = _console.Parser("calibrate", __doc__)
    made.add_argument("--losses", type=Path, metavar="DIR", help="tables of losses (default the package's)")
    made.add_argument(
        "--climate", nargs="+", default=[STATIONS], metavar=f"{STATIONS}|FILE",
        help="daily rain: tables of stations (CSV, Parquet, XLSX), as jobs.etl derive reads them, or a folder with"
        " stations.csv and daily_rain*.parquet (default stations: those of the package)",
    )  # fmt: skip
    of_tables(made)
    made.add_argument(
        "--exposure", type=Path, metavar="FILE", help="municipalities (default those of 2013, census 2015)"
    )
    made.add_argument("--tracks", type=Path, metavar="FILE", help="IBTrACS as Parquet (default that of the sample)")
    made.add_argument(
        "--base", default=DEFAULT_EDITION, metavar="NAME",
        help=f"edition of what is not fitted: {', '.join(UNCALIBRATED)} (default {DEFAULT_EDITION})",
    )  # fmt: skip
    made.add_argument(
        "--out", type=Path, default=Path("calibrated.toml"), metavar="FILE",
        help="the edition; its draws go beside it (default calibrated.toml)",
    )  # fmt: skip
    made.add_argument("--report", type=Path, metavar="FILE", help="report as HTML (default none)")
    return made


def main(argv: list[str] | None = None) -> int:
    """Parse, fit, write; returns the exit code."""
    return _console.main(parser(), argv, _course, stopped="nothing was written")


def _course(args: argparse.Namespace) -> int:
    if args.base not in UNCALIBRATED:
        raise SettingsError(f"--base: {unknown('edition', args.base, UNCALIBRATED)}")
    _paths.folder("--losses", args.losses)
    if args.climate != [STATIONS]:
        for path in args.climate:
            _paths.exists("--climate", Path(path))
    _paths.file("--stations", args.stations)
    _paths.file("--exposure", args.exposure)
    _paths.file("--tracks", args.tracks)
    if args.out.suffix != ".toml":
        raise SettingsError(f"--out: {args.out.name}: an edition is a .toml file")
    _paths.new_file("--out", args.out)
    if args.report is not None:
        _paths.new_file("--report", args.report)
    from jobs.courses import calibrate

    return calibrate.run(args)


if __name__ == "__main__":
    sys.exit(main())
