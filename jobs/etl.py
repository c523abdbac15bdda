"""Load source files into the warehouse: checked, staged, switched, recorded.

    python -m jobs.etl [LOADER ...|all] [--data DIR] [--dry-run] [--force] [--sample-limit N] ...
    python -m jobs.etl --list
    python -m jobs.etl grid --from FILE
    python -m jobs.etl derive --daily FILES --out DIR [--base 1991-2020]
    python -m jobs.etl download besttrack|wamis|buildings|addresses [--years 2015-2024] [--areas CODE,CODE] [--refresh]

Without --warehouse and DW_*: the embedded server in ENGINE_HOME. Makes missing tables.
Exit codes: 0 complete, 1 failed, 2 bad arguments or settings, 3 partial (some tables loaded), 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from engine import settings
from engine.errors import SettingsError
from engine.io import etl, migrate, postgres
from engine.io.embedded import WAREHOUSE, EmbeddedServer
from engine.io.etl.loading import LoadOptions, LoadReport, Progress
from engine.scenario import DEFAULT_SCENARIO, Scenario
from engine.variables import VARIABLES, variable
from jobs import _addresses, _console, _not_given

log = logging.getLogger("jobs")

DERIVE, DOWNLOAD = "derive", "download"
#: so many absent tables get a line each
_FEW = 3


def main(argv: list[str] | None = None) -> int:
    """Parse, load, report; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == [DERIVE]:
        from jobs import _derive  # compiles kernels, which loading never needs

        args = _derive.parser().parse_args(words[1:])
        _console.start_logging()
        return _console.exit_code(lambda: _derive.run(args), stopped=f"no file was written to {args.out}")
    if words[:1] == [DOWNLOAD]:
        from jobs import _download  # the network is nothing that loading needs

        args = _download.parser().parse_args(words[1:])
        _console.start_logging()
        return _console.exit_code(lambda: _download.run(args))
    args = _parser().parse_args(words)
    if args.list:
        print("\n".join(etl.names()))
        return _console.COMPLETE
    _console.start_logging()
    return _console.exit_code(lambda: _load(args))


def _parser() -> argparse.ArgumentParser:
    made = _console.Parser(
        prog="python -m jobs.etl", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("loaders", nargs="*", metavar="LOADER", default=[], help="names of --list, or all (default)")
    made.add_argument("--list", action="store_true", help="print the loaders, one a line")
    made.add_argument("--data", type=Path, metavar="DIR", help="source files (default DATA_DIR)")
    made.add_argument("--warehouse", metavar="URL", help="where to load (default DW_*, else the embedded server)")
    made.add_argument(
        "--from", dest="lattice", type=Path, metavar="FILE", help="grid: lattice and years of grid.toml or NetCDF"
    )
    made.add_argument("--dry-run", action="store_true", help="open and check everything, write nothing")
    made.add_argument("--force", action="store_true", help="load even what is up to date")
    made.add_argument(
        "--sample-limit", metavar="N", help="N land cells, evenly spaced, whole axis (default SAMPLE_LIMIT)"
    )
    made.add_argument("--variables", metavar="ta,rn", help="climate variables (default all)")
    made.add_argument("--scenarios", metavar="1,4", help="scenarios; other columns stay NaN, so for samples only")
    made.add_argument("--keep-ocean", action="store_true", help="rows for cells without any value, too")
    made.add_argument("--unit", action="append", default=[], metavar="V=U", help="unit of a variable, over the file's")
    made.add_argument("--crs", metavar="EPSG:N", help="coordinate system of files that do not say it")
    made.add_argument(
        "--gate", type=Path, metavar="FILE", help="TOML with ranges of the quality gate for another region"
    )
    made.add_argument(
        "--refresh", action="store_true", help="basins: choose outlet gauges anew, also those set by hand"
    )
    return made


def _load(args: argparse.Namespace) -> int:
    started = time.perf_counter()
    config = settings.load()
    chosen = args.loaders or [etl.ALL]
    for name in chosen:
        if name != etl.ALL:
            etl.loader(name)
    if args.lattice and etl.ALL not in chosen and "grid" not in chosen:
        raise SettingsError("--from belongs to loader grid")
    options = _options(args, config)
    if options.scenarios and DEFAULT_SCENARIO not in options.scenarios:
        log.warning("without %s, whose years set the baseline, no yearly run will come of these", DEFAULT_SCENARIO.code)
    with ExitStack() as stack:
        url = _addresses.given("--warehouse", args.warehouse) or config.warehouse_url
        if url is None:
            url = stack.enter_context(EmbeddedServer(config.engine_home)).create(WAREHOUSE)
        with closing(postgres.connect(url)) as connection:
            migrate.apply(connection, "warehouse")
        with _progress() as progress:
            reports = etl.run_loaders(url, chosen, options, progress)
    _print(reports)
    failed = [report for report in reports if report.status == "failed"]
    log.info(
        "tables=%d failed=%d rows=%d warehouse=%s seconds=%.1f",
        len(reports),
        len(failed),
        sum(report.rows for report in reports if report.status == "published"),
        postgres.describe(url),
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
        sample_limit=_sample_limit(args.sample_limit) if args.sample_limit is not None else config.sample_limit,
        variables=tuple(variable(name).name for name in _words(args.variables)) if args.variables else None,
        scenarios=tuple(Scenario.parse(word) for word in _words(args.scenarios)) if args.scenarios else None,
        keep_ocean=args.keep_ocean,
        units=dict(_console.assigned("--unit", text, (*VARIABLES, "sea_level"), "si=W/m2") for text in args.unit),
        crs=args.crs,
        gate=args.gate,
        refresh=args.refresh,
        lattice=args.lattice,
        workers=config.etl_workers,
    )


def _sample_limit(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"--sample-limit is a positive number of cells, not {text!r}")
    return int(text)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


@contextmanager
def _progress() -> Iterator[Progress]:
    """What the loaders report: a bar on a terminal, a line for every new table elsewhere."""
    if not sys.stderr.isatty():
        said: set[str] = set()

        def line(what: str, done: int = 0, total: int = 0) -> None:  # noqa: ARG001 (the loaders' signature)
            if what not in said:
                said.add(what)
                log.info("loading %s", what)

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done=0, total=0: bar.update(task, description=what, completed=done, total=total or None)


def _print(reports: Sequence[LoadReport]) -> None:
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


if __name__ == "__main__":
    sys.exit(main())
