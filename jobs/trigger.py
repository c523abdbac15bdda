"""Ask the listener for a batch run: queue it, and notify.

    python -m jobs.trigger probability|hazard|yearly

A listener that is away takes the queued run when it is back.
Exit codes: 0 queued, 1 the database cannot be reached, 2 bad arguments or settings.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack

from engine import settings
from engine.io import postgres
from engine.io.sink import JobType
from engine.service import triggers
from jobs import _addresses, _console


def main(argv: list[str] | None = None) -> int:
    """Parse, queue, report; returns the exit code."""
    parser = _console.Parser(
        prog="python -m jobs.trigger", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=triggers.KINDS)
    args = parser.parse_args(argv)
    _console.start_logging()
    return _console.exit_code(lambda: _trigger(args.kind))


def _trigger(kind: JobType) -> int:
    config = settings.load()
    with ExitStack() as stack:
        application, notify = _addresses.application_of(config, stack)
        batch_id = triggers.announce(application, notify, config.notify_channel, kind, "jobs.trigger")
        print(f"job={batch_id} kind={kind} status=queued database={postgres.describe(application)}")
    return _console.COMPLETE


if __name__ == "__main__":
    sys.exit(main())
