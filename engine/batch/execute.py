"""One batch run from a source to a sink: plan, blocks into a run directory, one switch at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import polars as pl

from engine.batch.notes import BlockNotes, total
from engine.batch.pipeline import active_cells, lie_apart, ranges_of
from engine.batch.plan import Plan, make_plan
from engine.batch.reporting import Reporter
from engine.batch.request import Request
from engine.batch.runner import Announce, Run, Runner, Watch, identity_of, in_process
from engine.batch.settle import settle
from engine.batch.summary import Summary, summarise
from engine.core import logs
from engine.core.errors import RunInterrupted
from engine.core.rows import HAZARD, PROBABILITY, ROWS
from engine.io.climate.source import ClimateSource
from engine.io.results.result_tables import BinStyle, parts_of
from engine.io.results.sink import RunRecord, Sink
from engine.io.results.spool import RunDirectory


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Outcome of a run. `failed`: risk -> what is wrong with its inputs; `plan.missing`: risk -> tables it lacks."""

    run_id: int
    status: Literal["completed", "partial"]
    plan: Plan
    failed: dict[str, str]
    summary: Summary
    rows: dict[str, int]
    directory: Path | str
    watch: Watch


def execute(
    source: ClimateSource,
    sink: Sink,
    request: Request,
    runs: Path | str,
    *,
    progress: Callable[[int, int], None],
    announce: Announce = lambda _: None,
    runner: Runner | None = None,
) -> Outcome:
    """Run a batch to its end; on any error what was published before is still there.

    runs     : folder of the run directories, or an fsspec URL
    progress : called with (cells done, cells in all)
    announce : called with what begins now, such as compiling; a rate of cells counts no time before it
    runner   : computes the blocks; None: this process
    raises   : BusyError while another run of the kind is going; SettingsError for a request that does not fit;
               EngineError when data, database or disk fail; RunInterrupted when a signal stops a run that was begun
    """
    with sink.guard(request.job_type), interruptible() as stage:
        run = _begin(source, sink, request, runs, stage)
        _compute(run, runner or in_process, Reporter(sink, run.directory, run.cells.height, progress, announce))
        return _publish(run, sink, stage)


@dataclass(slots=True)
class Stage:
    """How far a run has come when a signal stops it."""

    run_id: int | None = None
    switching: bool = False
    switched: bool = False


@contextmanager
def interruptible() -> Iterator[Stage]:
    """Name the run in the error when a signal stops it."""
    stage = Stage()
    try:
        yield stage
    except KeyboardInterrupt:
        if stage.run_id is None:
            raise
        raise RunInterrupted(stage.run_id, switching=stage.switching, switched=stage.switched) from None


def _begin(source: ClimateSource, sink: Sink, request: Request, runs: Path | str, stage: Stage) -> Run:
    """Plan the run, and number it or find the one to go on with."""
    watch = Watch()
    plan = make_plan(source, request)
    cells = active_cells(source, request.cells)
    ranges = ranges_of(cells, request.block_cells, source.cuts)
    identity = identity_of(source, request, plan) | {"cells": cells.height}
    record = RunRecord(
        job_type=request.job_type,
        scope=plan.scope,
        edition=plan.edition.name,
        edition_checksum=plan.edition.checksum,
        edition_checksums=plan.edition.checksums,
        source_fingerprint=source.fingerprint,
        baseline=plan.baseline_text,
        total_grids=cells.height,
        command=request.command,
        batch_id=request.batch_id,
        parts=_parts(plan),
    )
    if request.resume is None:
        run_id = sink.begin(record, runs)
        logs.bind(run_id=run_id)
        directory = RunDirectory.create(runs, run_id, identity, ranges)
    else:
        directory = RunDirectory.resume(runs, request.resume, identity, ranges)
        sink.reopen(request.resume, record)
        logs.bind(run_id=request.resume)
    stage.run_id = directory.run_id
    return Run(
        source=source,
        request=request,
        plan=plan,
        cells=cells,
        ranges=ranges,
        directory=directory,
        identity=identity,
        watch=watch,
    )


def _compute(run: Run, runner: Runner, reporter: Reporter) -> None:
    done = sum(int(note["cells"]) for note in run.directory.notes.values())
    reporter.first(done)
    if not run.directory.missing:
        return
    for stored in runner(run, reporter.announce):
        started = time.perf_counter()
        run.directory.commit(stored)
        run.watch.add("spool", time.perf_counter() - started)
        notes = BlockNotes.from_json(dict(stored.notes))
        run.watch.add("read", notes.read_seconds)
        run.watch.add("compute", notes.compute_seconds)
        done += notes.cells
        reporter.cells(done)


def _publish(run: Run, sink: Sink, stage: Stage) -> Outcome:
    """Take out the risks that must not be published, and make the others visible with one switch."""
    request, directory, watch = run.request, run.directory, run.watch
    notes = total(BlockNotes.from_json(note) for note in directory.notes.values())
    final, failed = settle(run.plan, notes)
    losses, scores = (_rows(directory, half, final) for half in (PROBABILITY, HAZARD))
    summary = summarise(final, losses, scores, notes, apart=lie_apart(run.source, run.cells))
    missing = dict(run.plan.missing)
    left = {risk: tables for risk, tables in missing.items() if risk not in request.not_given}
    lost = {risk: why for risk, why in failed.items() if risk not in request.not_given}
    status: Literal["completed", "partial"] = "partial" if left or lost else "completed"
    directory.settle({half: list(risks) for half, risks in final.halves.items()})
    started = time.perf_counter()
    stage.switching = True
    rows = sink.publish(
        directory,
        _parts(final),
        _styles(final, notes.record_years),
        whole_grid=request.cells is None,
        replaces=request.is_whole,
        summary=summary.as_json()
        | {
            "source": run.source.address,
            "missing": missing,
            "not_given": dict(request.not_given),
            "failed": failed,
            "status": status,
            "year_losses": run.plan.year_losses,
            "stage_seconds": watch.rounded(),
        },
    )
    stage.switched = True
    watch.add("load", time.perf_counter() - started)
    empty = summary.cells_without_result
    sink.finish(status, processed=summary.cells - empty, failed=empty, error=_first_error(left, lost))
    return Outcome(
        run_id=directory.run_id,
        status=status,
        plan=replace(final, missing=left),
        failed=lost,
        summary=summary,
        rows=rows,
        directory=f"{directory.root}/{directory.run_id}",
        watch=watch,
    )


def _rows(directory: RunDirectory, kind: str, plan: Plan) -> pl.LazyFrame | None:
    """Rows of a kind of all blocks, of the risks that the plan keeps; None where it keeps none."""
    risks = plan.halves[ROWS[kind].half]
    if not risks:
        return None
    return pl.concat([directory.scan(kind, number) for number in directory.notes]).filter(
        pl.col("risk_type").is_in(risks)
    )


def _parts(plan: Plan) -> dict[str, list[str]]:
    """Result table -> risks that this run publishes there."""
    return parts_of(plan.halves, {pair.period for pair in plan.pairs})


def _styles(plan: Plan, record_years: Mapping[str, Sequence[int]]) -> dict[str, BinStyle]:
    def style(risk: str) -> BinStyle:
        bins = plan.edition.bins[risk]
        return BinStyle(
            damage_rates=bins.rates or (None,) * (len(bins.edges) + 1),
            lower=bins.lower,
            negated=plan.edition.intensity(risk).negated,
            digits=bins.digits,
            years=plan.sample_years(record_years.get(risk)) if bins.has_loss else (),
        )

    return {risk: style(risk) for risk in plan.probability}


def _first_error(missing: Mapping[str, Sequence[str]], failed: Mapping[str, str]) -> str | None:
    problems = [f"{risk}: {why}" for risk, why in failed.items()]
    problems += [f"{risk}: missing {', '.join(tables)}" for risk, tables in missing.items()]
    if not problems:
        return None
    return problems[0] if len(problems) == 1 else f"{problems[0]} (and {len(problems) - 1} more)"
