"""Check a warehouse: its values, and that nothing has changed.

The quality gate looks at the tables, and they are compared with what was published. Nothing is written. Without
--warehouse and DW_*: the embedded server in ENGINE_HOME.

examples:
    python -m jobs.check
    python -m jobs.check --variables ta,rn
    python -m jobs.check --warehouse postgresql://reader@db.example/warehouse

exit codes:
    0    no errors; warnings are printed
    1    errors found, or the warehouse cannot be read
    2    bad arguments or settings
    130  interrupted

settings: DW_*, ENGINE_HOME (python -m jobs.config shows them)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.core.variables import variable
from jobs import _console, _paths
from jobs._parser import read_by


def parser() -> _console.Parser:
    """The options of the job."""
    made = _console.Parser("check", __doc__)
    made.add_argument("--warehouse", metavar="URL", help="what to check (default DW_*, else the embedded server)")
    made.add_argument(
        "--variables", type=read_by(variable, every=True), metavar="ta,rn",
        help="only these climate variables (default every table)",
    )  # fmt: skip
    made.add_argument(
        "--gate", type=Path, metavar="FILE",
        help="TOML with ranges of the quality gate for another region (default Korea's)",
    )  # fmt: skip
    return made


def main(argv: list[str] | None = None) -> int:
    """Parse, check, report; returns the exit code."""
    return _console.main(parser(), argv, _course, stopped="the check is not finished; it changes nothing")


def _course(args: argparse.Namespace) -> int:
    _paths.server("--warehouse", args.warehouse)
    _paths.file("--gate", args.gate)
    from jobs.courses import check

    return check.run(args)


if __name__ == "__main__":
    sys.exit(main())
