"""Course of `jobs.trigger`."""

from __future__ import annotations

from contextlib import ExitStack

from engine.core import settings
from engine.core.rows import BatchType
from engine.io.db import postgres
from engine.io.queue import triggers
from jobs import _addresses, _console


def run(kind: BatchType) -> int:
    """Queue, report."""
    config = settings.load()
    with ExitStack() as stack:
        application, notify = _addresses.application_of(config, stack)
        batch_id = triggers.announce(application, notify, config.notify_channel, kind, "jobs.trigger")
        print(f"job={batch_id} kind={kind} status=queued database={postgres.describe(application)}")
    return _console.COMPLETE
