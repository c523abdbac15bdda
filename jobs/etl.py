"""Load source files into the warehouse: checked, staged, switched.

Each load is recorded. Missing tables are made. Without --warehouse and DW_*: the embedded server in ENGINE_HOME. Three
commands stand before it, with a help of their own: `derive` makes monthly and yearly files of daily ones, `download`
asks web services, `stores` writes a store for each of several climate models.

examples:
    python -m jobs.etl all --data data/
    python -m jobs.etl all --data data/ --dry-run
    python -m jobs.etl monthly_grid --variables ta,rn --unit rn=mm/day
    python -m jobs.etl grid --from grid.toml
    python -m jobs.etl --list
    python -m jobs.etl derive --help
    python -m jobs.etl download --help
    python -m jobs.etl stores --help

exit codes:
    0    complete, or up to date
    1    failed
    2    bad arguments or settings
    3    partial: some tables are loaded, others failed
    130  interrupted; tables loaded before stay

settings: DATA_DIR, DW_*, ENGINE_HOME, SAMPLE_LIMIT, ETL_WORKERS
(python -m jobs.config shows them)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.core.errors import SettingsError
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES, variable
from jobs import _console, _derive, _download, _paths, _stores
from jobs._parser import read_by

DERIVE, DOWNLOAD, STORES = "derive", "download", "stores"
#: what `--unit` names beside the climate variables
_MORE_UNITS = ("sea_level",)


def main(argv: list[str] | None = None) -> int:
    """Parse, load, report; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == [DERIVE]:
        made = _derive.parser()
        return _console.main(made, words[1:], _derive.course, stopped=lambda args: f"no file was written to {args.out}")
    if words[:1] == [DOWNLOAD]:
        stopped = "the answers saved so far stay; the same command goes on from there"
        return _console.main(_download.parser(), words[1:], _download.course, stopped=stopped)
    if words[:1] == [STORES]:
        stopped = "finished stores stay, the same command writes the others"
        return _console.main(_stores.parser(), words[1:], _stores.course, stopped=stopped)
    stopped = "tables loaded before stay, the one on its way is as it was; the same command loads the rest"
    return _console.main(parser(), words, _course, stopped=stopped)


def parser() -> _console.Parser:
    """The options of the job."""
    made = _console.Parser("etl", __doc__)
    made.add_argument("loaders", nargs="*", metavar="LOADER", default=[], help="names of --list, or all (default all)")
    made.add_argument("--list", action="store_true", help="print the loaders, one a line")
    made.add_argument("--data", type=Path, metavar="DIR", help="source files (default DATA_DIR)")
    made.add_argument("--warehouse", metavar="URL", help="where to load (default DW_*, else the embedded server)")
    made.add_argument(
        "--from", dest="lattice", type=Path, metavar="FILE",
        help="grid: lattice and years of grid.toml or NetCDF (default those of the data)",
    )  # fmt: skip
    made.add_argument("--dry-run", action="store_true", help="open and check everything, write nothing")
    made.add_argument("--force", action="store_true", help="load even what is up to date")
    made.add_argument(
        "--sample-limit", metavar="N", help="N land cells, evenly spaced, whole axis (default SAMPLE_LIMIT, else all)"
    )
    made.add_argument(
        "--variables", type=read_by(variable, every=True), metavar="ta,rn", help="climate variables (default all)"
    )
    made.add_argument(
        "--scenarios", type=read_by(Scenario.parse, every=True), metavar="1,4",
        help="scenarios; other columns stay NaN, so for samples only (default all)",
    )  # fmt: skip
    made.add_argument("--keep-ocean", action="store_true", help="rows for cells without any value, too")
    made.add_argument(
        "--unit", action="append", default=[], metavar="V=U", help="unit of a variable (default the file's)"
    )
    made.add_argument(
        "--member", metavar="NAME", help="of gridded files with several climate models (default: refuse those)"
    )
    made.add_argument("--crs", metavar="EPSG:N", help="coordinate system of files without (default: refuse those)")
    made.add_argument(
        "--regions", type=Path, metavar="FILE",
        help="admin: GeoJSON, GeoPackage or shapefile of regions (default the files that COUNTRY names)",
    )  # fmt: skip
    made.add_argument(
        "--region-name",
        metavar="PROPERTY",
        help="admin: property of it that holds the names (default one of the country profile)",
    )
    made.add_argument(
        "--gate", type=Path, metavar="FILE",
        help="TOML with ranges of the quality gate for another region (default Korea's)",
    )  # fmt: skip
    made.add_argument(
        "--refresh", action="store_true", help="basins: choose outlet gauges anew, also those set by hand"
    )
    return made


def _course(args: argparse.Namespace) -> int:
    for name in args.loaders:
        if name in (DERIVE, DOWNLOAD, STORES):
            raise SettingsError(f"{name} comes first: python -m jobs.etl {name} ...")
    args.sample_limit = _sample_limit(args.sample_limit)
    for text in args.unit:
        _console.assigned("--unit", text, (*VARIABLES, *_MORE_UNITS), "si=W/m2")
    _paths.server("--warehouse", args.warehouse)
    _paths.folder("--data", args.data)
    _paths.file("--from", args.lattice)
    _paths.file("--gate", args.gate)
    from engine.io import etl  # names of loaders come without the loaders

    if args.list:
        print("\n".join(etl.names()))
        return _console.COMPLETE
    for name in args.loaders:
        if name not in (etl.ALL, *etl.names()):
            etl.loader(name)  # refuses it
    from jobs.courses import etl as course

    return course.run(args)


def _sample_limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) > 0):
        raise SettingsError(f"--sample-limit is a positive number of cells, not {text[:60]!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
