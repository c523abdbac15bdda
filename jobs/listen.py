"""Run batches when their time comes or when they are asked for, until SIGTERM or Ctrl-C.

    python -m jobs.listen

Starts `jobs.probability` and `jobs.hazard` once a year, `jobs.clean` once a day, and any of `probability`, `hazard`,
`yearly` on a notification (`python -m jobs.trigger`, or NOTIFY aiops_trigger, 'yearly'). Each runs in a process of its
own, one of a kind at a time. Times, channel and databases are settings: python -m jobs.config.
At start and once a day it makes a dry run of the scheduled batches (edition, climate data, rights, disk) and says what
they would meet; `--check` does only that.

Exit codes: 0 stopped, or --check found nothing; 1 --check: a run would fail; 2 bad settings, or a connection pooler
through which nothing is heard; 3 --check: a run would be partial.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from contextlib import ExitStack, closing

from engine import settings
from engine.errors import EngineError, SourceError
from engine.io import postgres
from engine.service import logs, schedule
from engine.service.listener import Addresses, Listener, require_session
from engine.service.schedule import Task
from jobs import _addresses, _console

log = logging.getLogger("jobs")

#: tests put their own here
COMMANDS: dict[Task, tuple[str, ...]] = {
    "probability": (sys.executable, "-m", "jobs.probability"),
    "hazard": (sys.executable, "-m", "jobs.hazard"),
    "yearly": (sys.executable, "-m", "jobs.yearly"),
    "clean": (sys.executable, "-m", "jobs.clean"),
    "check": (sys.executable, "-m", "jobs.listen", "--check"),
}


def main(argv: list[str] | None = None) -> int:
    """Listen until told to stop; returns the exit code."""
    parser = _console.Parser(
        prog="python -m jobs.listen", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="say what the scheduled runs would meet, and stop")
    args = parser.parse_args(argv)
    return _console.exit_code(_check if args.check else _listen)


def _listen() -> int:
    config = settings.load()
    logs.start(config.log_format)
    with ExitStack() as stack:
        application, notify = _addresses.application_of(config, stack)
        _require_session(notify)
        listener = Listener(config, Addresses(application=application, notify=notify), COMMANDS)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: listener.stop())
        listener.run()
    return _console.COMPLETE


def _check() -> int:
    from engine import rehearsal  # the listener itself does without the engine

    config = settings.load()
    logs.start(config.log_format)
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
                rehearsal.record(connection, faults)
        except EngineError as err:
            log.error("the outcome of the check is not recorded: %s", err)
    if not faults:
        log.info("checked: a scheduled run has what it needs")
    exit_codes = {"completed": _console.COMPLETE, "partial": _console.PARTIAL, "failed": _console.FAILED}
    return exit_codes[rehearsal.outcome(faults)]


def _require_session(notify: str) -> None:
    """Refuse at once what will never work; a server that is away may come back."""
    try:
        with closing(postgres.connect(notify)) as connection:
            require_session(connection)
    except SourceError as err:
        log.warning("%s", err)


if __name__ == "__main__":
    sys.exit(main())
