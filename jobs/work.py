"""Work on queued assessments, until SIGTERM or Ctrl-C. `jobs.serve` starts one of these by itself.

    python -m jobs.work [--parent PID]

More of them, on machines that share ENGINE_HOME with the service, share the work.
Exit codes: 0 stopped, 1 failed, 2 bad settings.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import ExitStack

from engine import logs, settings
from engine.service.worker import Worker
from jobs import _addresses, _console, _options

#: requests are answered before assessments are computed, where both share processors
_NICE = 5


def main(argv: list[str] | None = None) -> int:
    """Work until told to stop; returns the exit code."""
    parser = _console.Parser(
        prog="python -m jobs.work", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parent", type=int, metavar="PID", help="stop when this process has ended")
    args = parser.parse_args(argv)
    return _console.exit_code(lambda: _work(args.parent))


def _work(parent: int | None) -> int:
    config = settings.load()
    logs.start(config.log_format, job="work")
    _options.say_settings()
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
