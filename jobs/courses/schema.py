"""Course of `jobs.schema`."""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing

from engine.core import settings
from engine.io.db import migrate, postgres
from engine.io.results import risk_partitions
from jobs import _addresses, _console

log = logging.getLogger("jobs")


def run(warehouse: str | None, application: str | None, *, roles: bool) -> int:
    """Apply, report."""
    warehouse = _addresses.given("--warehouse", warehouse)
    application = _addresses.given("--application", application)
    with ExitStack() as stack:
        if warehouse is None and application is None:
            warehouse, application = _addresses.to_set_up(settings.load(), stack)
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
