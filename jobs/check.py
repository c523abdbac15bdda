"""Check a warehouse: the quality gate on its tables, and whether they still are what was published.

    python -m jobs.check [--warehouse URL] [--variables ta,rn] [--gate FILE]

Writes nothing. Without --warehouse and DW_*: the embedded server in ENGINE_HOME.
Exit codes: 0 no errors (warnings are printed), 1 errors found or the warehouse cannot be read, 2 bad arguments or
settings, 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

from rich.table import Table

from engine import settings
from engine.io import postgres
from engine.io.embedded import WAREHOUSE
from engine.io.etl import check
from engine.quality import ERROR, WARNING, load_ranges
from engine.variables import variable
from jobs import _addresses, _console

log = logging.getLogger("jobs")


def main(argv: list[str] | None = None) -> int:
    """Parse, check, report; returns the exit code."""
    parser = _console.Parser(
        prog="python -m jobs.check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--warehouse", metavar="URL", help="what to check (default DW_*, else the embedded server)")
    parser.add_argument("--variables", metavar="ta,rn", help="only these climate variables (default every table)")
    parser.add_argument(
        "--gate", type=Path, metavar="FILE", help="TOML with ranges of the quality gate for another region"
    )
    args = parser.parse_args(argv)
    _console.start_logging()
    return _console.exit_code(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    started = time.perf_counter()
    ranges = load_ranges(args.gate)
    wanted = [word.strip() for word in (args.variables or "").split(",") if word.strip()]
    names = tuple(variable(word).name for word in wanted) or None
    config = settings.load()
    with ExitStack() as stack:
        url = _addresses.given("--warehouse", args.warehouse) or config.warehouse_url
        if url is None:
            url = stack.enter_context(_addresses.embedded(config)).create(WAREHOUSE)
        done = [*check.check(url, ranges, _say, variables=names)]
        with closing(postgres.connect(url)) as connection:
            findings = [finding for one in done for finding in one.findings] + check.unfinished(connection)
    out = _console.console()
    table = Table("table", "compared", box=None, pad_edge=False)
    for name in ("rows", "E", "W", "seconds"):
        table.add_column(name, justify="right")
    for one in done:
        severities = [finding.severity for finding in one.findings]
        numbers = (one.rows, severities.count(ERROR), severities.count(WARNING))
        table.add_row(one.table, one.compared or "-", *(f"{n:,}" for n in numbers), f"{one.seconds:.1f}")
    out.print(table)
    for finding in findings:
        out.print(str(finding), markup=False)
    errors = sum(finding.severity == ERROR for finding in findings)
    log.info(
        "tables=%d errors=%d warnings=%d warehouse=%s seconds=%.1f",
        len(done),
        errors,
        len(findings) - errors,
        postgres.describe(url),
        time.perf_counter() - started,
    )
    return _console.FAILED if errors else _console.COMPLETE


def _say(what: str, done: int = 0, total: int = 0) -> None:
    log.info("checking %s (%d of %d)", what, done + 1, total)


if __name__ == "__main__":
    sys.exit(main())
