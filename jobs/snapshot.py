"""Write the warehouse out as a Parquet store: the fast source of later runs.

    python -m jobs.snapshot --out DIR [--source URL]

A stopped snapshot goes on where it stopped; one of other data than the warehouse's is refused.
Exit codes: 0 complete, 1 failed, 2 bad arguments or settings, 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

from engine import settings
from engine.io import open_source, snapshot
from engine.io.embedded import WAREHOUSE
from jobs import _addresses, _console

log = logging.getLogger("jobs")


def main(argv: list[str] | None = None) -> int:
    """Parse, write, report; returns the exit code."""
    parser = _console.Parser(
        prog="python -m jobs.snapshot", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the store, made when absent")
    parser.add_argument("--source", metavar="URL", help="warehouse (default DW_*, else the embedded one)")
    args = parser.parse_args(argv)
    _console.start_logging()
    return _console.exit_code(lambda: _run(args.source, args.out))


def _run(address: str | None, out: Path) -> int:
    started = time.perf_counter()
    address = _addresses.given("--source", address, or_folder=True)
    with ExitStack() as stack:
        source = stack.enter_context(closing(open_source(address or _warehouse(stack))))
        done = snapshot.write(source, out)
    seconds = time.perf_counter() - started
    log.info(
        "store=%s bands=%d files=%d megabytes=%.1f seconds=%.1f",
        out,
        done["bands"],
        done["files"],
        done["bytes"] / 1e6,
        seconds,
    )
    return _console.COMPLETE


def _warehouse(stack: ExitStack) -> str:
    config = settings.load()
    if config.warehouse_url is not None:
        return config.warehouse_url
    absent = "no warehouse: give --source, set DW_*, or run jobs.yearly, which makes an embedded one"
    return stack.enter_context(_addresses.existing(config, absent)).url(WAREHOUSE)


if __name__ == "__main__":
    sys.exit(main())
