"""Delete expired rows of the assessment caches, and mark assessments whose worker is gone as failed.

    python -m jobs.clean [--sink URL]

Exit codes: 0 complete, 1 failed, 2 bad arguments or settings, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack, closing

from engine import settings
from engine.io import batch_jobs, postgres, site_results
from engine.io.embedded import EmbeddedServer
from jobs import _console, _home


def main(argv: list[str] | None = None) -> int:
    """Parse, clean, report; returns the exit code."""
    made = argparse.ArgumentParser(
        prog="python -m jobs.clean", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--sink", metavar="URL", help="application database (default APP_*, else embedded)")
    args = made.parse_args(argv)
    _console.start_logging()
    return _console.exit_code(lambda: _run(args.sink))


def _run(url: str | None) -> int:
    with ExitStack() as stack:
        config = settings.load()
        url = url or config.application_url
        if url is None:
            _, url = _home.databases(stack.enter_context(EmbeddedServer(config.engine_home)))
        with closing(postgres.connect(url)) as connection:
            deleted = site_results.clean_caches(connection)
            lost = batch_jobs.fail_lost(connection)
    counts = " ".join(f"{table}={rows}" for table, rows in deleted.items())
    print(f"job=clean {counts} lost_jobs={len(lost)}")
    return _console.COMPLETE


if __name__ == "__main__":
    sys.exit(main())
