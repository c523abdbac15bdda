"""Course of `jobs.check`."""

from __future__ import annotations

import argparse
import logging
import time
from contextlib import ExitStack, closing

from rich.table import Table

from engine.core import settings
from engine.core.quality import ERROR, WARNING, load_ranges
from engine.core.variables import variable
from engine.io.db import postgres
from engine.io.etl import check
from jobs import _addresses, _console
from jobs._parser import listed

log = logging.getLogger("jobs")


def run(args: argparse.Namespace) -> int:
    """Check, report."""
    started = time.perf_counter()
    ranges = load_ranges(args.gate)
    names = tuple(variable(word).name for word in listed(args.variables)) or None
    config = settings.load()
    with ExitStack() as stack:
        url = _addresses.warehouse_of(config, "--warehouse", args.warehouse, stack)
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
