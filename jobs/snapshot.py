"""Write the warehouse as a Parquet store, the fast source of runs.

A stopped snapshot goes on where it stopped; one of other data than the warehouse's is refused.

examples:
    python -m jobs.snapshot --out store/
    python -m jobs.yearly --source store/

exit codes:
    0    complete
    1    failed
    2    bad arguments or settings
    130  interrupted; the same command goes on

settings: DW_*, ENGINE_HOME (python -m jobs.config shows them)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from jobs import _console, _paths


def parser() -> _console.Parser:
    """The options of the job."""
    made = _console.Parser("snapshot", __doc__)
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the store, made when absent")
    made.add_argument("--source", metavar="URL", help="warehouse (default DW_*, else the embedded one)")
    return made


def main(argv: list[str] | None = None) -> int:
    """Parse, write, report; returns the exit code."""
    stopped = "the store is not finished; the same command goes on behind the last whole band"
    return _console.main(parser(), argv, _course, stopped=stopped)


def _course(args: argparse.Namespace) -> int:
    _paths.server_or_folder("--source", args.source)
    _paths.new_folder("--out", args.out)
    from jobs.courses import snapshot

    return snapshot.run(args.source, args.out)


if __name__ == "__main__":
    sys.exit(main())
