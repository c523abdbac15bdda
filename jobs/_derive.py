"""Write monthly means and yearly indices of daily files.

Monthly files give what months tell: means, rain sums and SPEI-12.

The files have the layout that the loaders read.

examples:
    python -m jobs.etl derive --daily daily/*.nc --out data/
    python -m jobs.etl derive --daily seoul.csv --out data/ --base 1981-2010
    python -m jobs.etl derive --daily t.csv --stations p.csv --out data/
    python -m jobs.etl derive --daily cmip/*.nc --members all --out data/
    python -m jobs.etl derive --daily cmip/*/ --members all --out data/

exit codes:
    0    complete
    1    failed
    2    bad arguments or settings
    3    partial: a variable has no value
    130  interrupted, no file was written

settings: COMPUTE_THREADS, KERNEL_CACHE (python -m jobs.config shows them)
"""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.core.errors import SettingsError
from engine.core.period import parse_years
from engine.core.scenario import Scenario
from jobs import _console, _paths
from jobs._parser import one_of, read_by

#: WMO normal period
NORMAL = "1991-2020"
SCOPES = ("full", "observed")
#: degrees
_COARSEST = 10


def parser() -> _console.Parser:  # long: one statement an option
    """The options of the command."""
    made = _console.Parser("etl derive", __doc__)
    made.add_argument(
        "--daily", type=Path, nargs="+", required=True, metavar="FILE",
        help="daily or monthly NetCDF files, or tables of stations (CSV, Parquet, XLSX); with --members also a folder"
        " a member",
    )  # fmt: skip
    made.add_argument(
        "--member", metavar="NAME", help="of files with several climate models, write this one (default: refuse those)"
    )
    made.add_argument(
        "--members", metavar="all|A,B,..",
        help="write each of these climate models into OUT/NAME: those of the files, or a folder of files each (default:"
        " one model, into OUT)",
    )  # fmt: skip
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")
    made.add_argument(
        "--base",
        type=read_by(parse_years),
        default=NORMAL,
        metavar="FIRST-LAST",
        help="base years of percentiles (default %(default)s)",
    )
    made.add_argument(
        "--base-files",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="daily files of the base years (default those of --daily)",
    )
    made.add_argument(
        "--scenario", type=read_by(Scenario.parse), metavar="S", help="of all files (default the code in each name)"
    )
    made.add_argument("--years", type=read_by(parse_years), metavar="FIRST-LAST", help="of the output (default all)")
    made.add_argument(
        "--lattice", type=Path, metavar="FILE", help="grid.toml or NetCDF (default that of the first file); each place"
        " of a list becomes the cell that holds it",
    )  # fmt: skip
    made.add_argument(
        "--step", type=float, metavar="DEGREES",
        help="of the lattice made for places in a list when --lattice is left out (default 0.1)",
    )  # fmt: skip
    made.add_argument(
        "--scope", type=one_of("scope", SCOPES), metavar="SCOPE",
        help="full, or observed: a record that may lack scenarios, years and variables"
        " (default what the files say; tables of stations are observed, other files full)",
    )  # fmt: skip
    _of_variables(made)
    return made


def of_tables(made: _console.Parser) -> None:
    """Add the options on how tables of daily values are read."""
    made.add_argument(
        "--unit",
        action="append",
        default=[],
        metavar="V=U",
        help="unit of a daily variable, as tas=K (default the file's)",
    )
    made.add_argument(
        "--column", action="append", default=[], metavar="V=HEADER",
        help="column of a table, as tas=AvgTemp or station_id=city (default by its name)",
    )  # fmt: skip
    made.add_argument(
        "--stations",
        type=Path,
        metavar="FILE",
        help="table with station_id, latitude, longitude, for tables without (default those in the tables)",
    )
    made.add_argument(
        "--blank-rain-is-dry", action="store_true",
        help="the provider leaves rain blank on days without rain: a blank is dry where the place reports something"
        " else that day and some rain in that calendar year; else it is missing",
    )  # fmt: skip


def _of_variables(made: _console.Parser) -> None:
    """Options on how daily values are read."""
    of_tables(made)
    made.add_argument(
        "--dry-spells-cross-years", action="store_true",
        help="CDD: dry spells go on over New Year and belong to the year they begin in; else they end with the year",
    )  # fmt: skip
    made.add_argument(
        "--gate",
        type=Path,
        metavar="FILE",
        help="TOML with ranges of the quality gate for another region (default Korea's)",
    )


def course(args: argparse.Namespace) -> int:
    """Look at the arguments, derive."""
    for option in ("daily", "base_files"):
        for path in getattr(args, option):
            _paths.exists(f"--{option.replace('_', '-')}", path)
    for option in ("lattice", "stations", "gate"):
        _paths.file(f"--{option}", getattr(args, option))
    _paths.new_folder("--out", args.out)
    if args.step is not None and not (args.lattice is None and 0 < args.step <= _COARSEST):
        raise SettingsError("--step is a number of degrees above 0 and up to 10, and goes without --lattice")
    if args.member is not None and args.members is not None:
        raise SettingsError("--member writes one climate model and --members several: give one of them")
    from jobs.courses import derive

    return derive.run(args)
