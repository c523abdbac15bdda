"""Delete expired cache rows, old run directories and portfolios.

So are webhook deliveries of 30 days ago. Assessments whose worker is gone are marked failed. Run directories are
deleted with KEEP_RUNS or --keep-runs only: those of published runs, all but the newest N. A run that was not published
stays, --resume may continue it. Published results stand in the database and are not touched. Portfolios that were
uploaded to the service are deleted, with their results, with KEEP_PORTFOLIO_DAYS or --keep-portfolio-days only: so many
days after the end of their last job.

examples:
    python -m jobs.clean
    python -m jobs.clean --keep-runs 3 --keep-portfolio-days 90

exit codes:
    0    complete
    1    failed
    2    bad arguments or settings
    130  interrupted; what was deleted stays deleted

settings: APP_*, ENGINE_HOME, KEEP_RUNS, KEEP_PORTFOLIO_DAYS
(python -m jobs.config shows them)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from jobs import _console, _paths
from jobs._parser import whole


def parser() -> _console.Parser:
    """The options of the job."""
    made = _console.Parser("clean", __doc__)
    made.add_argument("--sink", metavar="URL", help="application database (default APP_*, else embedded)")
    made.add_argument("--keep-runs", type=whole(), metavar="N", help="newest to keep (default KEEP_RUNS, else all)")
    made.add_argument("--run-dir", type=Path, metavar="DIR", help="run directories (default ENGINE_HOME/runs)")
    made.add_argument(
        "--keep-portfolio-days", type=whole(), metavar="N",
        help="after the job (default KEEP_PORTFOLIO_DAYS, else for ever)",
    )  # fmt: skip
    return made


def main(argv: list[str] | None = None) -> int:
    """Parse, clean, report; returns the exit code."""
    return _console.main(parser(), argv, _course, stopped="what was deleted stays deleted, the rest is still there")


def _course(args: argparse.Namespace) -> int:
    _paths.server("--sink", args.sink)
    _paths.folder("--run-dir", args.run_dir)
    from jobs.courses import clean

    return clean.run(args)


if __name__ == "__main__":
    sys.exit(main())
