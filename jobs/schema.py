"""Make the tables of both databases, or bring them up to date.

Those are the warehouse and the application database. They must exist; they may be one. Without arguments and settings:
those of the embedded server. --roles makes the roles climate_etl, climate_batch, climate_api and climate_reader, unless
they are there, and gives each what its processes need; it takes a superuser, or an owner of the databases who may
create roles. Repeat it after an upgrade.

examples:
    python -m jobs.schema
    python -m jobs.schema --roles
    python -m jobs.schema --application postgresql://owner@db.example/results

exit codes:
    0    complete, or up to date
    1    failed
    2    bad arguments or settings
    130  interrupted; each migration is applied whole or not at all

settings: DW_*, APP_*, ENGINE_HOME (python -m jobs.config shows them)
"""

from __future__ import annotations

import argparse
import sys

from jobs import _console, _paths


def parser() -> _console.Parser:
    """The options of the job."""
    made = _console.Parser("schema", __doc__)
    made.add_argument("--warehouse", metavar="URL", help="climate data (default DW_*)")
    made.add_argument("--application", metavar="URL", help="results and jobs (default APP_*)")
    made.add_argument("--roles", action="store_true", help="make the four roles and grant their rights, too")
    return made


def main(argv: list[str] | None = None) -> int:
    """Parse, apply, report; returns the exit code."""
    stopped = "a migration is applied whole or not at all; the same command applies the rest"
    return _console.main(parser(), argv, _course, stopped=stopped)


def _course(args: argparse.Namespace) -> int:
    _paths.server("--warehouse", args.warehouse)
    _paths.server("--application", args.application)
    from jobs.courses import schema

    return schema.run(args.warehouse, args.application, roles=args.roles)


if __name__ == "__main__":
    sys.exit(main())
