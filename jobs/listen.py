"""Run batches when their time comes or when they are asked for.

Until SIGTERM or Ctrl-C. Starts `jobs.probability` and `jobs.hazard` once a year, `jobs.clean` once a day, and any of
`probability`, `hazard`, `yearly` on a notification (`python -m jobs.trigger`, or NOTIFY aiops_trigger, 'yearly'). Each
runs in a process of its own, one of a kind at a time. Times, channel and databases are settings. Needs the extra
`serve`.
At start and once a day it makes a dry run of the scheduled batches (edition, climate data, rights, disk) and says what
they would meet; `--check` does only that.

examples:
    python -m jobs.listen
    python -m jobs.listen --check

exit codes:
    0    stopped; --check: a scheduled run has what it needs
    1    failed; --check: a scheduled run would fail
    2    bad arguments or settings, a connection pooler through which nothing
         is heard, or the extra is not installed
    3    --check: a scheduled run would be partial, or late
    130  --check was interrupted

settings: APP_*, DW_*, NOTIFY_*, SCHEDULE_TIMEZONE, SCHEDULED_RUNS, EDITION,
ENGINE_HOME, LOG_FORMAT, PROBABILITY_SCHEDULE_*, HAZARD_SCHEDULE_*,
MISFIRE_GRACE_HOURS (python -m jobs.config shows them)
"""

from __future__ import annotations

import logging
import signal
import sys
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from jobs import _called, _console

if TYPE_CHECKING:  # what is imported below takes a second, which help need not wait for
    from engine.service.schedule import Task

log = logging.getLogger("jobs")

#: tests put their own here
COMMANDS: dict[Task, tuple[str, ...]] = {
    "probability": _called.child("probability"),
    "hazard": _called.child("hazard"),
    "yearly": _called.child("yearly"),
    "clean": _called.child("clean"),
    "check": _called.child("listen", "--check"),
}


def parser() -> _console.Parser:
    """The arguments of the job."""
    made = _console.Parser("listen", __doc__)
    made.add_argument("--check", action="store_true", help="say what the scheduled runs would meet, and stop")
    return made


def main(argv: list[str] | None = None) -> int:
    """Listen until told to stop; returns the exit code."""
    return _console.main(
        parser(),
        argv,
        lambda args: _check() if args.check else _listen(),
        stopped=lambda args: "the outcome of the check is not recorded" if args.check else "",
        needs=("apscheduler",),
    )


def _listen() -> int:
    from engine.core import settings
    from engine.service import webhooks
    from engine.service.listener import Addresses, Listener
    from jobs import _addresses

    config = settings.load()
    with ExitStack() as stack:
        application, notify = _addresses.application_of(config, stack)
        _require_session(notify)
        listener = Listener(config, Addresses(application=application, notify=notify), COMMANDS)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: listener.stop())
        with webhooks.delivering(config, application):
            listener.run()
    return _console.COMPLETE


def _check() -> int:
    from jobs.courses import listen  # the engine, without which the listener itself does

    return listen.check()


def _require_session(notify: str) -> None:
    """Refuse at once what will never work; a server that is away may come back."""
    from engine.core.errors import SourceError
    from engine.io.db import postgres
    from engine.io.db.notifications import require_session

    try:
        with closing(postgres.connect(notify)) as connection:
            require_session(connection)
    except SourceError as err:
        log.warning("%s", err)


if __name__ == "__main__":
    sys.exit(main())
