"""Delete expired rows of the assessment caches and webhook deliveries of 30 days ago, mark assessments whose worker is
gone as failed, and make room.

    python -m jobs.clean [--sink URL] [--keep-runs N] [--run-dir DIR] [--keep-portfolio-days N]

With KEEP_RUNS or --keep-runs: deletes the run directories of published runs, all but the newest N. A run that was not
published stays, --resume may continue it. Published results stand in the database and are not touched.
With KEEP_PORTFOLIO_DAYS or --keep-portfolio-days: deletes portfolios that were uploaded to the service, with their
results, so many days after the end of their last job.
Exit codes: 0 complete, 1 failed, 2 bad arguments or settings, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack, closing
from pathlib import Path

from engine import settings
from engine.errors import SettingsError
from engine.io import batch_jobs, old_portfolios, old_runs, postgres, site_results, webhook_outbox
from jobs import _addresses, _console, _home


def main(argv: list[str] | None = None) -> int:
    """Parse, clean, report; returns the exit code."""
    made = _console.Parser(
        prog="python -m jobs.clean", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--sink", metavar="URL", help="application database (default APP_*, else embedded)")
    made.add_argument("--keep-runs", type=int, metavar="N", help="newest to keep (default KEEP_RUNS, else all)")
    made.add_argument("--run-dir", type=Path, metavar="DIR", help="run directories (default ENGINE_HOME/runs)")
    made.add_argument(
        "--keep-portfolio-days",
        type=int,
        metavar="N",
        help="after the job (default KEEP_PORTFOLIO_DAYS, else for ever)",
    )
    args = made.parse_args(argv)
    _console.start_logging()
    return _console.exit_code(lambda: _run(args.sink, args.keep_runs, args.run_dir, args.keep_portfolio_days))


def _run(url: str | None, keep: int | None, runs: Path | None, days: int | None) -> int:
    if keep is not None and keep < 1:
        raise SettingsError(f"--keep-runs is a positive number of runs, not {keep}")
    if days is not None and days < 1:
        raise SettingsError(f"--keep-portfolio-days is a positive number of days, not {days}")
    deleted_runs: list[int] = []
    portfolios: list[str] = []
    with ExitStack() as stack:
        config = settings.load()
        url = _addresses.given("--sink", url) or config.application_url
        keep, runs = keep or config.keep_runs, runs or config.engine_home / "runs"
        days = days or config.keep_portfolio_days
        if url is None:
            _, url = _home.databases(stack.enter_context(_addresses.embedded(config)))
        with closing(postgres.connect(url)) as connection:
            deleted = site_results.clean_caches(connection)
            if webhook_outbox.is_there(connection):
                deleted |= webhook_outbox.delete_old(connection)
            lost = batch_jobs.fail_lost(connection)
            if keep is not None:
                deleted_runs = old_runs.delete_old(connection, runs, keep)
            if days is not None:
                portfolios = old_portfolios.delete_old(connection, config.engine_home / "portfolios", days)
    counts = " ".join(f"{table}={rows}" for table, rows in deleted.items())
    print(f"job=clean {counts} lost_jobs={len(lost)} run_directories={len(deleted_runs)} portfolios={len(portfolios)}")
    return _console.COMPLETE


if __name__ == "__main__":
    sys.exit(main())
