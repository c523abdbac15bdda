"""Course of the three batch jobs: find source and sink, compute, report."""

from __future__ import annotations

import argparse
import logging
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from engine import cluster, kernels, settings
from engine.batch import Request, execute, plan_of
from engine.errors import SettingsError
from engine.io import open_sink, open_source, postgres
from engine.io.embedded import EmbeddedServer
from engine.io.sink import JobType
from engine.period import Years, parse_years
from engine.pipeline import active_cells
from engine.risks import load_edition, parse_risks
from engine.risks.editions import DEFAULT_EDITION
from engine.scenario import Scenario
from jobs import _addresses, _batch, _console, _home, _report

log = logging.getLogger("jobs")

#: normal period of the observed Seoul record
SEOUL_BASELINE = Years(1981, 2010)


@dataclass(frozen=True, slots=True)
class Ends:
    """Where a run reads and writes, as told to open_source and open_sink."""

    source: str
    sink: str
    runs: Path | str
    home: Path | None


def run(job: JobType, args: argparse.Namespace) -> int:
    """Run a batch with the parsed arguments; returns the exit code."""
    config = settings.load()
    kernels.keep_compiled_in(config.kernel_cache)
    request = Request(
        job_type=job,
        edition=load_edition(args.edition or config.edition or DEFAULT_EDITION),
        risks=parse_risks(_list(args.risks)),
        scenarios=tuple(sorted({Scenario.parse(name) for name in _list(args.scenarios) or map(int, Scenario)})),
        baseline=parse_years(args.baseline) if args.baseline else (SEOUL_BASELINE if args.sample else None),
        cells=args.cells,
        resume=args.resume,
        block_cells=config.block_cells,
        command=_batch.command_line(job, args),
        batch_id=args.job,
    )
    out = _console.console()
    with ExitStack() as stack:
        ends = _ends(args, config, stack)
        source = stack.enter_context(closing(open_source(ends.source, connections=config.parallel_workers)))
        if args.dry_run:
            _report.print_plan(out, plan_of(source, request), active_cells(source, request.cells).height)
            return _console.COMPLETE
        sink = stack.enter_context(closing(open_sink(ends.sink, connections=config.parallel_workers)))
        log.info(
            "from %s to %s", ends.source if Path(ends.source).is_dir() else postgres.describe(ends.source), sink.where
        )
        runner = stack.enter_context(cluster.connect(args.cluster, ends.source)) if args.cluster else None
        with _console.cell_progress(job) as progress:
            outcome = execute(
                source, sink, request, ends.runs, progress=progress, announce=progress.announce, runner=runner
            )
        _report.print_outcome(out, outcome)
        out.print(f"results: {sink.where}; blocks as Parquet: {outcome.directory}")
        if ends.home is not None:
            files = Path(ends.sink).is_dir()
            how = f"jobs.report --sink {ends.sink}" if files else f"jobs.embedded --home {ends.home}"
            out.print(f"to look at them: python -m {how}")
        out.print(_report.last_line(outcome, job, sink.where))
        return _console.PARTIAL if outcome.status == "partial" else _console.COMPLETE


def _list(text: str | None) -> list[str] | None:
    return None if text is None else [part for part in text.split(",") if part.strip()]


def _ends(args: argparse.Namespace, config: settings.Settings, stack: ExitStack) -> Ends:
    """Source and sink from the arguments, else the settings, else an embedded server filled with the sample."""
    if args.sample and args.source:
        raise SettingsError("--sample brings its own data: leave --source out")
    home = config.engine_home / args.sample if args.sample else config.engine_home
    # the sample is a world of its own: configured servers are neither read nor written
    source, sink = (_addresses.given(f"--{end}", getattr(args, end), or_folder=True) for end in ("source", "sink"))
    source = source or (None if args.sample else config.warehouse_url)
    sink = sink or (None if args.sample else config.application_url)
    configured = not args.sample and (config.warehouse_url or config.application_url)
    if configured and source is None:
        raise SettingsError("results have a server (APP_*), the climate data have none: set DW_* or give --source")
    if configured and sink is None:
        raise SettingsError("the climate data have a server (DW_*), results have none: set APP_* or give --sink")
    runs = args.run_dir or home / "runs"
    if source is not None and sink is not None:
        return Ends(source, sink, runs, None)
    server = stack.enter_context(EmbeddedServer(home))
    log.info("embedded PostgreSQL in %s", home / "postgres")
    warehouse, application = _home.databases(server)
    if source is None:
        _home.fill(warehouse, args.sample or "korea", home)
    return Ends(source or warehouse, sink or application, runs, home)
