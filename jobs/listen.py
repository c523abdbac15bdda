"""Run batches when their time comes or when they are asked for, until SIGTERM or Ctrl-C.

    python -m jobs.listen

Starts `jobs.probability` and `jobs.hazard` once a year, `jobs.clean` once a day, and any of `probability`, `hazard`,
`yearly` on a notification (`python -m jobs.trigger`, or NOTIFY aiops_trigger, 'yearly'). Each runs in a process of its
own, one of a kind at a time. Times, channel and databases are settings: python -m jobs.config.

Exit codes: 0 stopped, 2 bad settings, or a connection pooler through which nothing is heard.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from contextlib import ExitStack, closing

from engine import logs, settings
from engine.errors import SourceError
from engine.io import postgres
from engine.service import webhooks
from engine.service.listener import Addresses, Listener, require_session
from engine.service.schedule import Task
from jobs import _addresses, _console, _options

log = logging.getLogger("jobs")

#: tests put their own here
COMMANDS: dict[Task, tuple[str, ...]] = {
    "probability": (sys.executable, "-m", "jobs.probability"),
    "hazard": (sys.executable, "-m", "jobs.hazard"),
    "yearly": (sys.executable, "-m", "jobs.yearly"),
    "clean": (sys.executable, "-m", "jobs.clean"),
}


def main(argv: list[str] | None = None) -> int:
    """Listen until told to stop; returns the exit code."""
    parser = _console.Parser(
        prog="python -m jobs.listen", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(argv)
    return _console.exit_code(_listen)


def _listen() -> int:
    config = settings.load()
    logs.start(config.log_format, job="listen")
    _options.say_settings()
    with ExitStack() as stack:
        application, notify = _addresses.application_of(config, stack)
        _require_session(notify)
        listener = Listener(config, Addresses(application=application, notify=notify), COMMANDS)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: listener.stop())
        with webhooks.delivering(config, application):
            listener.run()
    return _console.COMPLETE


def _require_session(notify: str) -> None:
    """Refuse at once what will never work; a server that is away may come back."""
    try:
        with closing(postgres.connect(notify)) as connection:
            require_session(connection)
    except SourceError as err:
        log.warning("%s", err)


if __name__ == "__main__":
    sys.exit(main())
