"""One batch run from a source to a sink: plan, blocks into a run directory, one switch at the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import polars as pl

from engine import kernels
from engine.batch.block import BlockResult
from engine.batch.guard import BlockNotes, settle
from engine.batch.pipeline import BLOCK_CELLS, active_cells, compute_blocks, make_reference, ranges_of
from engine.batch.plan import DEFAULT_PERIODS, HAZARD, PROBABILITY, Plan, make_plan
from engine.batch.summary import Summary, summarise
from engine.core import logs
from engine.core.errors import RunInterrupted
from engine.core.period import FULL, Years
from engine.core.scenario import Scenario
from engine.io.climate.source import ClimateSource
from engine.io.results import progress as stages
from engine.io.results.result_tables import BinStyle
from engine.io.results.sink import JobType, RunRecord, Sink
from engine.io.results.spool import RunDirectory, StoredBlock
from engine.risks.edition import Edition

log = logging.getLogger(__name__)

KINDS: dict[JobType, tuple[str, ...]] = {
    "probability": (PROBABILITY,),
    "hazard": (HAZARD,),
    "yearly": (PROBABILITY, HAZARD),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the caller of a batch decides. None: as the yearly job.

    command, batch_id : see `RunRecord`
    """

    job_type: JobType
    edition: Edition
    risks: tuple[str, ...]
    scenarios: tuple[Scenario, ...] = tuple(Scenario)
    periods: tuple[str, ...] = DEFAULT_PERIODS
    baseline: Years | None = None
    cells: str | None = None
    resume: int | None = None
    block_cells: int = BLOCK_CELLS
    command: str | None = None
    batch_id: UUID | None = None

    @property
    def is_whole(self) -> bool:
        """True when each published risk is replaced as a whole."""
        return self.cells is None and set(self.scenarios) == set(Scenario) and set(self.periods) == set(DEFAULT_PERIODS)


@dataclass(slots=True)
class Watch:
    """Seconds by stage. Reading and spooling overlap computing: the stages may add up to more than the wall time."""

    seconds: dict[str, float] = field(default_factory=dict)
    _started: float = field(default_factory=time.perf_counter)

    def add(self, stage: str, seconds: float) -> None:
        """Count seconds to a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def rounded(self) -> dict[str, float]:
        """Seconds by stage so far, to the millisecond."""
        return {stage: round(seconds, 3) for stage, seconds in self.seconds.items()}

    @property
    def wall(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._started


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run did. `failed`: risk -> what is wrong with its inputs; `plan.missing`: risk -> tables it lacks."""

    run_id: int
    status: Literal["completed", "partial"]
    plan: Plan
    failed: dict[str, str]
    summary: Summary
    rows: dict[str, int]
    directory: Path | str
    watch: Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that was begun, for whoever computes its missing blocks. identity: what a resumed run must share."""

    source: ClimateSource
    request: Request
    plan: Plan
    cells: pl.DataFrame
    ranges: Sequence[tuple[int, int]]
    directory: RunDirectory
    identity: Mapping[str, object]
    watch: Watch
    announce: Callable[[str], None]


#: computes and stores the missing blocks of a run, in any order, each once
Runner = Callable[[Run], Iterator[StoredBlock]]


def plan_of(source: ClimateSource, request: Request) -> Plan:
    """What the request comes to on this source."""
    return make_plan(
        source,
        edition=request.edition,
        risks=request.risks,
        scenarios=request.scenarios,
        periods=request.periods,
        kinds=KINDS[request.job_type],
        baseline=request.baseline,
    )


def identity_of(source: ClimateSource, request: Request, plan: Plan) -> dict[str, Any]:
    """What all processes and all sessions of a run must agree on."""
    return {
        "job_type": request.job_type,
        "source_fingerprint": source.fingerprint,
        "engine": version("climate-risk-engine"),
        **plan.identity(),
    }


def execute(
    source: ClimateSource,
    sink: Sink,
    request: Request,
    runs: Path | str,
    *,
    progress: Callable[[int, int], None],
    announce: Callable[[str], None] = lambda _: None,
    runner: Runner | None = None,
) -> Outcome:
    """Run a batch to its end; on any error what was published before is still there.

    runs     : folder of the run directories, or an fsspec URL
    progress : called with (cells done, cells in all)
    announce : told what goes on now, such as compiling: a rate of cells counts no time before it was told
    runner   : who computes the blocks; None: this process
    raises   : BusyError while another run of the kind is going; SettingsError for a request that does not fit;
               EngineError when data, database or disk fail; RunInterrupted when a signal stops a run that was begun
    """
    with sink.guard(request.job_type), _stopping() as stage:
        watch = Watch()
        plan = plan_of(source, request)
        cells = active_cells(source, request.cells)
        ranges = ranges_of(cells, request.block_cells, source.cuts)
        identity = identity_of(source, request, plan) | {"cells": cells.height}
        directory = _open(source, sink, request, plan, identity, ranges, runs)
        stage.run_id = directory.run_id
        told = _Told(sink, directory, cells.height, progress, announce)
        run = Run(
            source=source,
            request=request,
            plan=plan,
            cells=cells,
            ranges=ranges,
            directory=directory,
            identity=identity,
            watch=watch,
            announce=told.announce,
        )
        _compute(run, runner or in_process, told)

        notes = [BlockNotes.from_json(note) for note in directory.notes.values()]
        final, failed = settle(plan, notes)
        summary = summarise(
            final,
            _frames(directory, PROBABILITY, final),
            _frames(directory, HAZARD, final),
            list(directory.notes.values()),
        )
        status: Literal["completed", "partial"] = "partial" if plan.missing or failed else "completed"
        started = time.perf_counter()
        stage.switching = True
        rows = sink.publish(
            directory,
            _parts(final),
            _styles(final),
            whole_grid=request.cells is None,
            replaces=request.is_whole,
            summary=summary.as_json()
            | {"missing": dict(plan.missing), "failed": failed, "status": status, "stage_seconds": watch.rounded()},
        )
        stage.switched = True
        watch.add("load", time.perf_counter() - started)
        empty = summary.cells_without_result
        sink.finish(status, processed=summary.cells - empty, failed=empty, error=_first_error(plan, failed))
        return Outcome(
            run_id=directory.run_id,
            status=status,
            plan=final,
            failed=failed,
            summary=summary,
            rows=rows,
            directory=f"{runs}/{directory.run_id}",
            watch=watch,
        )


@dataclass(slots=True)
class _Stage:
    """How far a run has come, for whoever stops it."""

    run_id: int | None = None
    switching: bool = False
    switched: bool = False


@contextmanager
def _stopping() -> Iterator[_Stage]:
    """A signal that stops a run names it."""
    stage = _Stage()
    try:
        yield stage
    except KeyboardInterrupt:
        if stage.run_id is None:
            raise
        raise RunInterrupted(stage.run_id, switching=stage.switching, switched=stage.switched) from None


def _open(
    source: ClimateSource,
    sink: Sink,
    request: Request,
    plan: Plan,
    identity: Mapping[str, Any],
    ranges: Sequence[tuple[int, int]],
    runs: Path | str,
) -> RunDirectory:
    record = RunRecord(
        job_type=request.job_type,
        scope=plan.scope,
        edition=plan.edition.name,
        edition_checksum=plan.edition.checksum,
        edition_checksums=plan.edition.checksums,
        source_fingerprint=source.fingerprint,
        baseline=plan.baseline_text,
        total_grids=identity["cells"],
        command=request.command,
        batch_id=request.batch_id,
        parts=_parts(plan),
    )
    if request.resume is None:
        run_id = sink.begin(record, runs)
        logs.bind(run_id=run_id)
        return RunDirectory.create(runs, run_id, identity, ranges)
    directory = RunDirectory.resume(runs, request.resume, identity, ranges)
    sink.reopen(request.resume, record)
    logs.bind(run_id=request.resume)
    return directory


class _Told:
    """Tells the caller and the sink how far a run is. The rate counts from the latest word on what goes on."""

    def __init__(
        self,
        sink: Sink,
        directory: RunDirectory,
        total: int,
        progress: Callable[[int, int], None],
        announce: Callable[[str], None],
    ) -> None:
        self._sink, self._directory, self._total = sink, directory, total
        self._progress, self._announce = progress, announce
        self._done = self._first = 0
        self._since = time.perf_counter()

    def announce(self, what: str) -> None:
        """Something begins that is worth a word."""
        self._announce(what)
        self._first, self._since = self._done, time.perf_counter()
        self._sink.tell(stages.preparing(what, self._done, self._total))

    def first(self, done: int) -> None:
        """So many cells were committed before this session."""
        self._done = self._first = done
        self.cells(done)

    def cells(self, done: int) -> None:
        """So many cells are committed."""
        self._progress(done, self._total)
        self._done = done
        fresh = done - self._first
        rate = fresh / max(time.perf_counter() - self._since, 1e-9) if fresh else None
        blocks = (len(self._directory.notes), len(self._directory.blocks))
        self._sink.tell(stages.computing(blocks, (done, self._total), rate))


def _compute(run: Run, runner: Runner, told: _Told) -> None:
    done = sum(int(note["cells"]) for note in run.directory.notes.values())
    told.first(done)
    if not run.directory.missing:
        return
    for stored in runner(run):
        started = time.perf_counter()
        run.directory.commit(stored)
        run.watch.add("spool", time.perf_counter() - started)
        notes = BlockNotes.from_json(dict(stored.notes))
        run.watch.add("read", notes.read_seconds)
        run.watch.add("compute", notes.compute_seconds)
        done += notes.cells
        told.cells(done)


def in_process(run: Run) -> Iterator[StoredBlock]:
    """The missing blocks in order, by this process; one is stored while the next is computed."""
    started = time.perf_counter()
    kernels.warm_up(run.announce)
    run.watch.add("compile", time.perf_counter() - started)
    run.announce("preparing reference tables")
    started = time.perf_counter()
    reference, failed = make_reference(run.source, run.plan)
    run.watch.add("prepare", time.perf_counter() - started)
    todo = run.directory.missing
    run.announce("computing")

    def store(number: int, result: BlockResult, notes: BlockNotes) -> tuple[StoredBlock, float]:
        started = time.perf_counter()
        stored = run.directory.store_block(number, result.frames(run.plan), notes.as_json())
        return stored, time.perf_counter() - started

    def finished(storing: Future[tuple[StoredBlock, float]]) -> StoredBlock:
        stored, seconds = storing.result()
        run.watch.add("spool", seconds)
        return stored

    with ThreadPoolExecutor(1, thread_name_prefix="spool") as writer:
        storing: Future[tuple[StoredBlock, float]] | None = None
        for block in compute_blocks(run.source, run.plan, reference, failed, run.cells, run.ranges, todo):
            if storing is not None:
                yield finished(storing)
            storing = writer.submit(store, *block)
        if storing is not None:
            yield finished(storing)


def _frames(directory: RunDirectory, kind: str, plan: Plan) -> pl.LazyFrame | None:
    kept: Collection[str] = plan.probability if kind == PROBABILITY else plan.hazard
    if not kept:
        return None
    frames = [directory.scan(kind, number) for number in directory.notes]
    return pl.concat(frames).filter(pl.col("risk_type").is_in(list(kept)))


def _parts(plan: Plan) -> dict[str, list[str]]:
    """Result table -> risks that this run publishes there."""
    has_full = any(pair.period == FULL for pair in plan.pairs)
    has_windows = any(pair.period != FULL for pair in plan.pairs)
    tables = {
        "probability_results": list(plan.probability) if has_full else [],
        "modelops_probability_scores": list(plan.probability) if has_windows else [],
        "hazard_results": list(plan.hazard) if has_full else [],
        "modelops_hazard_scores": list(plan.hazard) if has_windows else [],
    }
    return {table: risks for table, risks in tables.items() if risks}


def _styles(plan: Plan) -> dict[str, BinStyle]:
    def style(risk: str) -> BinStyle:
        bins = plan.edition.bins[risk]
        rates = bins.rates or (None,) * (len(bins.edges) + 1)
        return BinStyle(rates, bins.lower, plan.edition.intensity(risk).negated, bins.digits)

    return {risk: style(risk) for risk in plan.probability}


def _first_error(plan: Plan, failed: dict[str, str]) -> str | None:
    problems = [f"{risk}: {why}" for risk, why in failed.items()]
    problems += [f"{risk}: missing {', '.join(tables)}" for risk, tables in plan.missing.items()]
    if not problems:
        return None
    return problems[0] if len(problems) == 1 else f"{problems[0]} (and {len(problems) - 1} more)"
