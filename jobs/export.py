"""Write results as files that other programs open.

Results are what is published (of --sink), a run by its number, or a folder: a run directory or a directory of
results. --to is a folder of its own: it appears when it is whole. The same export again changes nothing, another one
in its place is refused without --force. docs/export.md says what the files hold. Zarr and DuckDB need the extra
`export`, COG the extra `geo`.

examples:
    python -m jobs.export --to out-gis --format geoparquet
    python -m jobs.export --run 12 --to run-12 --format netcdf
    python -m jobs.export --run results --to ty --format cog --risks typhoon
    python -m jobs.export --to book --format xlsx --period mid_term

exit codes:
    0    written, or there already
    1    failed: database, disk
    2    bad arguments or settings, or an extra is not installed
    130  interrupted, nothing was put into --to

settings: APP_*, ENGINE_HOME (python -m jobs.config shows them)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.core.errors import SettingsError
from engine.core.names import RISK_NAMES, risk, unknown
from engine.core.period import PERIODS
from engine.core.scenario import Scenario
from jobs import _console, _extras, _paths
from jobs._parser import read_by

#: format -> module beyond the base that writes it
NEEDS = {"geoparquet": None, "zarr": "zarr", "netcdf": None, "cog": "rasterio", "csv": None, "xlsx": None}
NEEDS |= {"duckdb": "duckdb"}
_GEOMETRIES = ("polygon", "point")


def _format(name: str) -> str:
    if name not in NEEDS:
        raise SettingsError(unknown("format", name, NEEDS))
    return name


def _geometry(name: str) -> str:
    if name not in _GEOMETRIES:
        raise SettingsError(unknown("geometry", name, _GEOMETRIES))
    return name


def _period(name: str) -> str:
    if name not in PERIODS:
        raise SettingsError(unknown("period", name, PERIODS))
    return name


def parser() -> _console.Parser:
    """The options of the job."""
    made = _console.Parser("export", __doc__)
    made.add_argument(
        "--run", metavar="ID|DIR",
        help="number of a run, a run directory, or a directory of results (default: what is published in --sink)",
    )  # fmt: skip
    made.add_argument("--sink", metavar="URL|DIR", help="where results are published (default APP_*, else embedded)")
    made.add_argument("--run-dir", metavar="DIR", help="folder of run directories (default ENGINE_HOME/runs)")
    made.add_argument("--to", type=Path, metavar="DIR", help="folder of the files, a new one (no default)")
    made.add_argument("--format", type=read_by(_format), metavar="NAME", help=f"{', '.join(NEEDS)} (no default)")
    made.add_argument(
        "--geometry", type=read_by(_geometry), metavar="KIND", default="polygon",
        help="of cells in geoparquet: polygon or point (default polygon; places of a list are points)",
    )  # fmt: skip
    made.add_argument("--force", action="store_true", help="replace another export in --to")
    chosen = made.add_argument_group("what is exported")
    chosen.add_argument(
        "--risks", type=read_by(risk, every=True), metavar="a,b", help=f"of {', '.join(RISK_NAMES)} (default all)"
    )
    chosen.add_argument(
        "--scenarios", type=read_by(Scenario.parse, every=True), metavar="1,2,..", help="ids or names (default all)"
    )
    chosen.add_argument(
        "--period", type=read_by(_period, every=True), metavar="a,b", help=f"of {', '.join(PERIODS)} (default all)"
    )
    return made


def main(argv: list[str] | None = None) -> int:
    """Parse, read, write; returns the exit code."""
    return _console.main(parser(), argv, _course, stopped="nothing was put into --to")


def _course(args: argparse.Namespace) -> int:
    for option, value, example in (("--to", args.to, "--to results-gis"), ("--format", args.format, "--format csv")):
        if value is None:
            raise SettingsError(f"{option} is missing: say where and in which format, such as {example}")
    if (module := NEEDS[args.format]) is not None:
        _extras.require((module,))
    _paths.server_or_folder("--sink", args.sink)
    if args.run_dir is not None and "://" not in args.run_dir:
        _paths.folder("--run-dir", Path(args.run_dir))
    if args.run is not None and not (args.run.isascii() and args.run.isdecimal()):
        _paths.folder("--run", Path(args.run))
        for option, value in (("--sink", args.sink), ("--run-dir", args.run_dir)):
            if value is not None:
                raise SettingsError(f"--run {args.run} is a folder: leave {option} out")
    _paths.new_folder("--to", args.to)
    from jobs.courses import export

    return export.run(args)


if __name__ == "__main__":
    sys.exit(main())
