"""Ask the listener for a batch run: queue it, and notify.

A listener that is away takes the queued run when it is back.

examples:
    python -m jobs.trigger yearly
    python -m jobs.trigger hazard

exit codes:
    0    queued
    1    the database cannot be reached
    2    bad arguments or settings
    130  interrupted; python -m jobs.status tells whether it was queued

settings: APP_*, NOTIFY_DSN, NOTIFY_CHANNEL, ENGINE_HOME
(python -m jobs.config shows them)
"""

from __future__ import annotations

import argparse
import sys

from jobs import _console
from jobs._parser import one_of

#: kinds of a run, `engine.service.kinds.KINDS`
KINDS = ("probability", "hazard", "yearly")


def parser() -> _console.Parser:
    """The arguments of the job."""
    made = _console.Parser("trigger", __doc__)
    made.add_argument("kind", type=one_of("kind of a run", KINDS), metavar="KIND", help="probability, hazard or yearly")
    return made


def main(argv: list[str] | None = None) -> int:
    """Parse, queue, report; returns the exit code."""
    return _console.main(parser(), argv, _course, stopped="python -m jobs.status tells whether the run is queued")


def _course(args: argparse.Namespace) -> int:
    from jobs.courses import trigger

    return trigger.run(args.kind)


if __name__ == "__main__":
    sys.exit(main())
