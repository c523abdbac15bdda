"""Make the tables of the warehouse and of the application database, or bring them up to date.

    python -m jobs.schema [--warehouse URL] [--application URL] [--roles]

The databases must exist; they may be one. Without arguments and settings: those of the embedded server. --roles makes
the roles climate_etl, climate_batch, climate_api and climate_reader, unless they are there, and gives each what its
processes need; it takes a superuser, or an owner of the databases who may create roles. Repeat it after an upgrade.
Exit codes: 0 complete, 1 failed, 2 bad arguments or settings, 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import sys
from contextlib import ExitStack, closing

from engine import settings
from engine.io import migrate, postgres, risk_partitions
from engine.io.embedded import APPLICATION, WAREHOUSE, EmbeddedServer
from jobs import _addresses, _console

log = logging.getLogger("jobs")


def main(argv: list[str] | None = None) -> int:
    """Parse, apply, report; returns the exit code."""
    parser = _console.Parser(
        prog="python -m jobs.schema", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--warehouse", metavar="URL", help="climate data (default DW_*)")
    parser.add_argument("--application", metavar="URL", help="results and jobs (default APP_*)")
    parser.add_argument("--roles", action="store_true", help="make the four roles and grant their rights, too")
    args = parser.parse_args(argv)
    _console.start_logging()
    return _console.exit_code(lambda: _run(args.warehouse, args.application, roles=args.roles))


def _run(warehouse: str | None, application: str | None, *, roles: bool) -> int:
    warehouse = _addresses.given("--warehouse", warehouse)
    application = _addresses.given("--application", application)
    with ExitStack() as stack:
        if warehouse is None and application is None:
            warehouse, application = _configured(stack)
        for family, url in (("warehouse", warehouse), ("results", application)):
            if url is None:
                log.warning("%s schema: no database is configured", family)
                continue
            with closing(postgres.connect(url)) as connection:
                applied = migrate.apply(connection, family)
                if family == "results":
                    applied += [f"risk {risk}" for risk in risk_partitions.add_missing(connection)]
                if roles:
                    migrate.grant(connection, family)
            log.info("%s schema in %s: %s", family, postgres.describe(url), ", ".join(applied) or "up to date")
            if roles:
                log.info("%s rights granted to climate_etl, climate_batch, climate_api, climate_reader", family)
    return _console.COMPLETE


def _configured(stack: ExitStack) -> tuple[str | None, str | None]:
    config = settings.load()
    if config.warehouse_url is not None or config.application_url is not None:
        return config.warehouse_url, config.application_url
    server = stack.enter_context(EmbeddedServer(config.engine_home))
    return server.create(WAREHOUSE), server.create(APPLICATION)


if __name__ == "__main__":
    sys.exit(main())
