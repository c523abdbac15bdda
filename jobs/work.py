"""Work on queued assessments; jobs.serve starts one by itself.

Until SIGTERM or Ctrl-C. More of them, on machines that share ENGINE_HOME with the service, share the work.

examples:
    python -m jobs.work

exit codes:
    0    stopped
    1    failed
    2    bad arguments or settings

settings: DW_*, APP_*, ENGINE_HOME, BATCH_SIZE, LOG_FORMAT
(python -m jobs.config shows them)
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack

from jobs import _console
from jobs._parser import whole

#: requests are answered before assessments are computed, where both share processors
_NICE = 5


def parser() -> _console.Parser:
    """The options of the job."""
    made = _console.Parser("work", __doc__)
    made.add_argument(
        "--parent", type=whole(), metavar="PID", help="stop when this process has ended (default: work on)"
    )
    return made


def main(argv: list[str] | None = None) -> int:
    """Work until told to stop; returns the exit code."""
    return _console.main(parser(), argv, lambda args: _work(args.parent), stopped="")


def _work(parent: int | None) -> int:
    # takes a second, which help need not wait for
    from engine.core import settings
    from engine.service.worker import Worker
    from jobs import _addresses

    config = settings.load()
    with ExitStack() as stack:
        # a database server that is started from here would be as nice as this process: later ones are the parent's
        where = _addresses.addresses(config, stack, watched=parent is None)
        os.nice(_NICE)
        worker = Worker(config, where.warehouse, where.application, parent=parent)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: worker.stop())
        worker.run()
    return _console.COMPLETE


if __name__ == "__main__":
    sys.exit(main())
