"""Combine runs of several climate models into one ensemble.

Each run is of another model or realisation, all of the same grid, edition, baseline, scenarios and periods. The result
is, for each cell, risk, scenario and period: mean AAL, standard deviation between models, percentiles, standard error
of models and sampling, and the share of models that agree on the sign of the change.

examples:
    python -m jobs.ensemble --runs 3,4,5
    python -m jobs.ensemble --runs 3,4,5 --risks drought,wildfire --sink out/
    python -m jobs.ensemble --runs out-a/,out-b/,out-c/ --sink out/

exit codes:
    0    complete
    1    failed, nothing was switched
    2    bad arguments or settings, or runs that do not fit together
    130  interrupted; what was computed is kept for --resume

settings: APP_*, ENGINE_HOME, PARALLEL_WORKERS (python -m jobs.config shows
them)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.core.names import RISK_NAMES, risk
from jobs import _console, _paths
from jobs._parser import read_by, whole


def parser() -> _console.Parser:
    """The options of the job."""
    made = _console.Parser("ensemble", __doc__)
    made.add_argument(
        "--runs", required=True, metavar="A,B,..",
        help="two runs or more: numbers, run directories, or directories of results (--sink DIR of the runs)",
    )  # fmt: skip
    made.add_argument(
        "--sink", metavar="URL|DIR", help="database, or a directory for files (default APP_*, else embedded)"
    )
    made.add_argument(
        "--risks",
        type=read_by(risk, every=True),
        metavar="a,b",
        help=f"{', '.join(RISK_NAMES)} (default all of the first run)",
    )
    made.add_argument(
        "--run-dir", metavar="DIR|URL", help="folder of run directories, or fsspec URL (default ENGINE_HOME/runs)"
    )
    made.add_argument(
        "--resume", type=whole(), metavar="RUN_ID", help="go on with an ensemble that was stopped (default a new one)"
    )
    return made


def main(argv: list[str] | None = None) -> int:
    """Parse, combine, report; returns the exit code."""
    return _console.main(parser(), argv, _course)


def _course(args: argparse.Namespace) -> int:
    if args.run_dir is not None and "://" not in args.run_dir:
        _paths.folder("--run-dir", Path(args.run_dir))
    from jobs.courses import ensemble

    return ensemble.run(args)


if __name__ == "__main__":
    sys.exit(main())
