"""Show runs, what is published, its age, rows, jobs and disk.

Of a run: how far it is, whether its process is gone, and the command that goes on
with it. Nothing is changed by it.

examples:
    python -m jobs.status
    python -m jobs.status --json
    python -m jobs.status --sink out/
    python -m jobs.status 6f9b2f0e-3c1d-4a57-9d0e-2b8c7f1a5e44

exit codes:
    0    shown
    1    failed
    2    bad arguments or settings, or an unknown job
    130  interrupted

settings: APP_*, DW_*, ENGINE_HOME (python -m jobs.config shows them)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from uuid import UUID

from jobs import _console, _paths
from jobs._parser import read_as


def parser() -> _console.Parser:
    """The options of the job."""
    made = _console.Parser("status", __doc__)
    made.add_argument(
        "batch_id", nargs="?", type=read_as("an id of a job", UUID), metavar="BATCH_ID",
        help="a job of the service (default: everything)",
    )  # fmt: skip
    made.add_argument("--sink", metavar="URL|DIR", help="where the results are (default APP_*, else embedded)")
    made.add_argument("--warehouse", metavar="URL", help="climate data (default DW_*, else embedded)")
    made.add_argument("--run-dir", metavar="DIR", help="folder of run directories (default ENGINE_HOME/runs)")
    made.add_argument("--json", action="store_true", help="as JSON")
    return made


def main(argv: list[str] | None = None) -> int:
    """Parse, look, print; returns the exit code."""
    return _console.main(parser(), argv, _course, stopped="nothing is changed by it")


def _course(args: argparse.Namespace) -> int:
    _paths.server_or_folder("--sink", args.sink)
    _paths.server("--warehouse", args.warehouse)
    if args.run_dir is not None and "://" not in args.run_dir:
        _paths.folder("--run-dir", Path(args.run_dir))
    from jobs.courses import status

    return status.run(args)


if __name__ == "__main__":
    sys.exit(main())
