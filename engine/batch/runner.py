"""State of a started run, and the runner that computes its missing blocks in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import polars as pl

from engine import kernels
from engine.batch.block import BlockResult
from engine.batch.pipeline import compute_blocks, make_reference
from engine.batch.plan import Plan
from engine.batch.request import Request
from engine.io.climate.source import ClimateSource
from engine.io.results.spool import RunDirectory, StoredBlock


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
class Run:
    """State of a started run, passed to the runner that computes its missing blocks.

    identity : see `identity_of`
    """

    source: ClimateSource
    request: Request
    plan: Plan
    cells: pl.DataFrame
    ranges: Sequence[tuple[int, int]]
    directory: RunDirectory
    identity: Mapping[str, object]
    watch: Watch


#: told in a few words of what goes on now, such as compiling
Announce = Callable[[str], None]
#: computes and stores the missing blocks of a run, in any order, each once
Runner = Callable[[Run, Announce], Iterator[StoredBlock]]


def identity_of(source: ClimateSource, request: Request, plan: Plan) -> dict[str, Any]:
    """Values that must be identical in every process of a run and on resume."""
    return {
        "job_type": request.job_type,
        "source_fingerprint": source.fingerprint,
        "engine": version("climate-risk-engine"),
        **plan.identity(),
    }


def in_process(run: Run, announce: Announce) -> Iterator[StoredBlock]:
    """Compute the missing blocks in order in this process; one is stored while the next is computed."""
    started = time.perf_counter()
    kernels.warm_up(announce)
    run.watch.add("compile", time.perf_counter() - started)
    announce("preparing reference tables")
    started = time.perf_counter()
    reference, failed = make_reference(run.source, run.plan)
    run.watch.add("prepare", time.perf_counter() - started)
    todo = run.directory.missing
    announce("computing")

    def store(number: int, result: BlockResult) -> tuple[StoredBlock, float]:
        started = time.perf_counter()
        stored = run.directory.store_block(number, result.frames(run.plan), result.notes.as_json())
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
