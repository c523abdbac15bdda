"""Course of `jobs.clean`."""

from __future__ import annotations

import argparse
from contextlib import ExitStack, closing

from engine.core import settings
from engine.io.db import postgres
from engine.io.queue import batch_jobs, webhook_outbox
from engine.io.results import old_runs
from engine.io.sites import old_portfolios, site_results
from jobs import _addresses, _console


def run(args: argparse.Namespace) -> int:
    """Clean, report."""
    deleted_runs: list[int] = []
    portfolios: list[str] = []
    with ExitStack() as stack:
        config = settings.load()
        url = _addresses.results_of(config, "--sink", args.sink, stack)
        keep, runs = args.keep_runs or config.keep_runs, args.run_dir or config.engine_home / "runs"
        days = args.keep_portfolio_days or config.keep_portfolio_days
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
