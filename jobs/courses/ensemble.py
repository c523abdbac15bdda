"""Course of `jobs.ensemble`."""

from __future__ import annotations

import argparse
import logging
from contextlib import ExitStack, closing

from rich.console import Console
from rich.table import Table

from engine.batch.ensemble import EnsembleOutcome, EnsembleRequest, combine
from engine.core import settings
from engine.core.caveats import scope_note
from engine.core.names import risk
from engine.core.period import FULL
from engine.core.scenario import Scenario
from engine.io import open_sink
from engine.io.results.members import open_members
from jobs import _addresses, _console, _run
from jobs._parser import listed

log = logging.getLogger("jobs")


def run(args: argparse.Namespace) -> int:
    """Combine, report."""
    config = settings.load()
    runs = args.run_dir or config.engine_home / "runs"
    members = open_members(listed(args.runs), runs)
    request = EnsembleRequest(
        members=members,
        risks=[risk(name) for name in listed(args.risks)] or None,
        resume=args.resume,
        command=_run.command_line("ensemble", args),
    )
    with ExitStack() as stack:
        named = _addresses.given("--sink", args.sink, or_folder=True)
        target = named or _addresses.results_of(config, "--sink", None, stack)
        sink = stack.enter_context(closing(open_sink(target, connections=config.parallel_workers)))
        log.info("%d runs into %s", len(members), sink.where)
        with _run.webhooks_of(config, target), _console.cell_progress("ensemble") as progress:
            outcome = combine(sink, request, runs, progress=progress, announce=progress.announce)
        where = sink.where
    out = _console.console()
    _print(out, outcome)
    out.print(f"results: {where}; blocks as Parquet: {outcome.directory}", markup=False)
    told = outcome.summary
    out.print(
        f"job=ensemble run={outcome.run_id} status={told['status']} edition={members[0].record['edition']}"
        f" scope={members[0].record['scope']} cells={told['cells']} risks={len(told['risks'])} members={len(members)}"
        f" rows={outcome.rows} sink={where} seconds={outcome.watch.wall:.1f}",
        markup=False,
    )
    return _console.COMPLETE


def _print(out: Console, outcome: EnsembleOutcome) -> None:
    """A line for each risk of the middle scenario and last period, and which runs are in it."""
    told = outcome.summary
    pairs = sorted({(row["scenario_id"] != Scenario.SSP245, row["scenario_id"]) for row in told["means"]})
    of_scenario = [row for row in told["means"] if row["scenario_id"] == pairs[0][1]]
    period = max(
        {row["time_period"] for row in of_scenario}, key=lambda name: (name != FULL, told["periods"].get(name))
    )
    note = scope_note(outcome.members[0].record["scope"])
    title = f"{Scenario(pairs[0][1]).code} {period}, mean of the cells{f' ({note})' if note else ''}"
    table = Table("risk", title=title)
    for name in ("cells", "mean AAL", "least or 10 %", "most or 90 %", "between models", "standard error", "disagree"):
        table.add_column(name, justify="right")
    for row in of_scenario:
        if row["time_period"] == period:
            figures = [row[name] for name in ("aal_mean", "aal_p10", "aal_p90", "aal_sd_between", "total_se")]
            shown = ["-" if figure is None else f"{100 * figure:.3f} %" for figure in figures]
            disagree = "-" if row["disagree"] is None else f"{100 * row['disagree']:.0f} % of cells"
            table.add_row(row["risk_type"], f"{row['cells']:,}", *shown, disagree)
    out.print(table)
    for member in outcome.members:
        out.print(f"member: {member.label}", markup=False)
    if told["shared_record"]:
        out.print(f"one record of years in all members: {', '.join(told['shared_record'])}", markup=False)
