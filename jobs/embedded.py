"""Keep the embedded PostgreSQL up, for any client to look at.

SIGTERM or Ctrl-C stops it. It prints the addresses of both databases. Other jobs that use the same ENGINE_HOME share
the server.

examples:
    python -m jobs.embedded
    python -m jobs.embedded --home .engine/seoul

exit codes:
    0    stopped
    1    the server did not start
    2    bad arguments or settings

settings: ENGINE_HOME (python -m jobs.config shows it)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from jobs import _console, _paths


def parser() -> _console.Parser:
    """The options of the job."""
    made = _console.Parser("embedded", __doc__)
    made.add_argument(
        "--home", type=Path, metavar="DIR", help="folder of the server (default ENGINE_HOME, else ./.engine)"
    )
    return made


def main(argv: list[str] | None = None) -> int:
    """Start the server, print where its databases are, wait; returns the exit code."""
    return _console.main(parser(), argv, _course, stopped="")


def _course(args: argparse.Namespace) -> int:
    if args.home is not None:
        _paths.new_folder("--home", args.home)
    from jobs.courses import embedded

    return embedded.run(args.home)


if __name__ == "__main__":
    sys.exit(main())
