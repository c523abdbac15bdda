"""Course of `jobs.listen --check`."""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing

from engine.batch import rehearsal
from engine.core import settings
from engine.core.errors import EngineError
from engine.io.db import postgres
from engine.io.queue import job_logs
from engine.service import schedule
from jobs import _addresses, _console

log = logging.getLogger("jobs")


def check() -> int:
    """Look, say, record."""
    config = settings.load()
    with ExitStack() as stack:
        where = _addresses.addresses(config, stack, watched=False)
        faults = [rehearsal.Fault(*fault) for fault in schedule.faults(config)]
        faults += rehearsal.look(config, where.warehouse, where.application)
        for fault in faults:
            if fault.fatal:
                log.error("a scheduled run would fail: %s", fault.text)
            else:
                log.warning("a scheduled run would not be whole: %s", fault.text)
        try:
            with closing(postgres.connect(where.application)) as connection:
                job_logs.record_check(connection, rehearsal.outcome(faults), rehearsal.told(faults))
        except EngineError as err:
            log.error("the outcome of the check is not recorded: %s", err)
    if not faults:
        log.info("checked: a scheduled run has what it needs")
    exit_codes = {"completed": _console.COMPLETE, "partial": _console.PARTIAL, "failed": _console.FAILED}
    return exit_codes[rehearsal.outcome(faults)]
