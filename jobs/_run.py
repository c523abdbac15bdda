"""Course of the three batch jobs: check, find source and sink, compute, report."""

from __future__ import annotations

import argparse
import logging
import shlex
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine import kernels
from engine.batch import cluster
from engine.batch.execute import Outcome, execute
from engine.batch.pipeline import active_cells
from engine.batch.plan import make_plan
from engine.batch.request import Request
from engine.core import country, settings, settings_files
from engine.core.address import is_address, is_folder, masked, without_password
from engine.core.errors import SettingsError
from engine.core.period import parse_years
from engine.core.rows import BatchType, JobType
from engine.core.scenario import Scenario
from engine.io import open_sink, open_source
from engine.io.climate.source import ClimateSource
from engine.io.db import postgres
from engine.io.db.embedded import WAREHOUSE
from engine.risks import load_edition, parse_risks
from engine.risks.edition import Edition
from engine.risks.editions import DEFAULT_EDITION
from jobs import _addresses, _checks, _console, _home, _look, _own_data, _report
from jobs._addresses import Ends
from jobs._samples import SAMPLES, UNNAMED

if TYPE_CHECKING:
    from jobs.courses.own_data import OwnData

log = logging.getLogger("jobs")

#: begins the first and the last line of a run that nobody gave data
SYNTHETIC = "synthetic sample: no servers are configured"


def run(job: BatchType, args: argparse.Namespace) -> int:
    """Run a batch with the parsed arguments; returns the exit code."""
    config = settings.load()
    own = _own(args, config)
    ends = own.ends() if own else _ends(args, config)
    _say_first(args, ends)
    request = _request(job, args, config)
    _checks.check(args, ends.runs)
    if args.dry_run and own is not None:
        _console.console().print("dry run: nothing was made")
        return _console.COMPLETE
    if args.dry_run:
        return _dry_run(request, ends, config)
    kernels.keep_compiled_in(config.kernel_cache)
    _use_threads(config)
    with ExitStack() as stack:
        if own is not None:
            stack.enter_context(country.chosen(own.profile))
        opened = _open(ends, config, stack)
        if own is not None:
            # the report is written from the databases, so while they are there
            return own.run(
                request, opened, args, lambda fitted: _computed(job, args, config, ends, opened, fitted, stack)
            )
        status = _computed(job, args, config, ends, opened, request, stack).status
    if ends.fall_back and not args.sample:
        scope = opened.source.scope
        log.warning("%s", SYNTHETIC if scope == "synthetic" else f"no servers are configured: data of scope {scope}")
    return _console.PARTIAL if status == "partial" else _console.COMPLETE


def _own(args: argparse.Namespace, config: settings.Settings) -> OwnData | None:
    """Files of --data, looked at; None without any."""
    if "data" not in args:
        return None
    _own_data.check(args)
    if args.data is None:
        return None
    from jobs.courses import own_files  # brings loaders and NetCDF along

    return own_files.look(args, config)


def _ends(args: argparse.Namespace, config: settings.Settings) -> Ends:
    return _addresses.batch_ends(config, source=args.source, sink=args.sink, sample=args.sample, run_dir=args.run_dir)


def _computed(
    job: BatchType,
    args: argparse.Namespace,
    config: settings.Settings,
    ends: Ends,
    opened: Opened,
    request: Request,
    stack: ExitStack,
) -> Outcome:
    """Compute, publish and print."""
    sink = stack.enter_context(closing(open_sink(opened.sink, connections=config.parallel_workers)))
    log.info("from %s to %s", opened.where, sink.where)
    runner = stack.enter_context(cluster.connect(args.cluster, opened.address)) if args.cluster else None
    with webhooks_of(config, opened.sink), _console.cell_progress(job) as progress:
        outcome = execute(
            opened.source, sink, request, ends.runs, progress=progress, announce=progress.announce, runner=runner
        )
    out = _console.console()
    _report.print_outcome(out, outcome)
    out.print(f"results: {sink.where}; blocks as Parquet: {outcome.directory}", markup=False)
    for line in _look.lines(args, config, ends.home) if opened.is_local else ():
        out.print(line, markup=False)
    out.print(_report.last_line(outcome, job, sink.where), markup=False)
    return outcome


def _use_threads(config: settings.Settings) -> None:
    threads = kernels.use_threads(config.compute_threads)
    if config.compute_threads is not None and threads < config.compute_threads:
        log.warning("COMPUTE_THREADS=%d: this process has %d cores and uses them", config.compute_threads, threads)


#: options that belong to one start of a run, not to the run
_OF_A_START = ("resume", "job", "dry_run")


def command_line(job: JobType, args: argparse.Namespace) -> str:
    """The command with its options, without passwords and what belongs to this start alone."""
    words = ["python", "-m", f"jobs.{job}"]
    for name, value in vars(args).items():
        if name in _OF_A_START or value is None or value is False:
            continue
        for each in value if isinstance(value, list) else [value]:
            words.append(f"--{name.replace('_', '-')}")
            if each is not True:
                words.append(_without_secrets(name, str(each)))
    return shlex.join(words)


def _without_secrets(name: str, text: str) -> str:
    is_database = name in ("source", "sink") and is_address(text) and not is_folder(text)
    try:
        return without_password(text)[0] if is_database else masked(text)
    except SettingsError:  # no address by which to connect: whoever opens it refuses it by its option
        return masked(text)


def _request(job: BatchType, args: argparse.Namespace, config: settings.Settings) -> Request:
    """Request from the arguments; refuses what no source could satisfy."""
    sample = SAMPLES[args.sample] if args.sample else None
    usual, baseline = (sample.edition, sample.baseline) if sample else (None, None)
    edition = load_edition(args.edition) if args.edition is not None else _edition_of(config, usual)
    scenarios = _list(args.scenarios)
    if scenarios == []:
        raise SettingsError("--scenarios names no scenario")
    return Request(
        job_type=job,
        edition=edition,
        risks=parse_risks(_list(args.risks), edition.bins),
        scenarios=tuple(sorted({Scenario.parse(name) for name in scenarios or map(int, Scenario)})),
        baseline=parse_years(args.baseline) if args.baseline is not None else baseline,
        cells=args.cells,
        year_losses=config.year_losses,
        resume=args.resume,
        block_cells=config.block_cells,
        command=command_line(job, args),
        batch_id=args.job,
    )


def _edition_of(config: settings.Settings, usual: str | None) -> Edition:
    """The edition of the settings, refused by the place that names it; else the usual one of the sample."""
    if not config.edition:
        return load_edition(usual or DEFAULT_EDITION)
    try:
        return load_edition(config.edition)
    except SettingsError as err:
        raise SettingsError(settings.in_place(f"EDITION: {err}")) from None


def webhooks_of(config: settings.Settings, sink: str) -> AbstractContextManager[None]:
    """Tells the targets of the settings what has become of the run."""
    if not config.webhook_targets:
        return nullcontext()
    if Path(sink).is_dir():
        log.info("no webhooks: results in a directory are not announced")
        return nullcontext()
    from engine.service import webhooks  # few runs need a client of HTTP

    return webhooks.announced(config, sink)


def _list(text: str | None) -> list[str] | None:
    return None if text is None else [part for part in text.split(",") if part.strip()]


def _say_first(args: argparse.Namespace, ends: Ends) -> None:
    """The first line of the log: which settings hold and, where nobody gave data, what is run instead."""
    where = settings_files.described()
    if args.sample or ends.fill is not None or not ends.fall_back:
        log.info("%s", where)
    elif (
        ends.source is None
        and ends.sample
        and (_home.is_sample(ends.home, ends.sample) or not _home.is_made(ends.home))
    ):
        log.warning("%s (%s; --servers refuses this): the embedded server in %s is used", SYNTHETIC, where, ends.home)
    else:
        log.warning("no servers are configured (%s): the embedded server in %s is used", where, ends.home)


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that is open, its address, that of the sink, and whether only this machine has the results."""

    source: ClimateSource
    address: str
    sink: str
    is_local: bool

    @property
    def where(self) -> str:
        """The source, without a password."""
        return self.address if is_folder(self.address) else postgres.describe(self.address)


def _open(ends: Ends, config: settings.Settings, stack: ExitStack) -> Opened:
    """Open a named source first, so that nothing is started for one that is not there."""
    named = _source(ends.source, config, stack) if ends.source is not None else None
    warehouse, application = _addresses.started(ends, stack)
    is_local = ends.sink is None or is_folder(application) or not is_address(application)
    return Opened(named or _source(warehouse, config, stack), warehouse, application, is_local)


def _source(address: str, config: settings.Settings, stack: ExitStack) -> ClimateSource:
    return stack.enter_context(closing(open_source(address, connections=config.parallel_workers)))


def _dry_run(request: Request, ends: Ends, config: settings.Settings) -> int:
    """Say what a run would do; makes nothing. A server that is there already is started, to be asked."""
    out = _console.console()
    with ExitStack() as stack:
        address = ends.source or _addresses.if_made(ends.home, WAREHOUSE, stack)
        if address is None or (ends.source is None and not _home.has_data(address)):
            _report.print_first_plan(out, request, _home.would_make(ends.home, ends.sample or UNNAMED))
        else:
            source = _source(address, config, stack)
            _report.print_plan(out, make_plan(source, request), active_cells(source, request.cells).height)
    return _console.COMPLETE
