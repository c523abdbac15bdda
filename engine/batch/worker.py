"""A worker process of a run: opens the source in the state that the driver sees, computes blocks, stores them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import polars as pl

from engine import kernels
from engine.batch.pipeline import Work
from engine.batch.plan import make_plan
from engine.batch.request import Request
from engine.batch.runner import identity_of
from engine.core import settings
from engine.core.errors import EngineError, SettingsError
from engine.io import open_source
from engine.io.db import postgres
from engine.io.results.spool import RunFiles, StoredBlock
from engine.risks.inputs import Reference

#: seconds after a worker's last block until it closes its source
IDLE = 60.0
#: must be the same everywhere, or the same block could give other bytes
PACKAGES = ("climate-risk-engine", "numpy", "numba", "polars", "distributed")


def versions() -> dict[str, str]:
    """Versions of what this process computes with."""
    return {"python": ".".join(map(str, sys.version_info[:2])), **{name: version(name) for name in PACKAGES}}


@dataclass(frozen=True, kw_only=True)
class Job:
    """A run as a worker needs it, besides its block's number. Plain values; goes with every block, because dask
    would send all blocks of a small run to the one worker that holds what they share.

    address, snapshot : of the source, without a password
    cells      : checksum of the run's cells in the run directory
    identity   : what the worker's own view of the request must come to
    memo, covered_years, failed, facts : what the driver prepared from the small tables
    """

    name: str
    address: str
    snapshot: str | None
    root: str
    run_id: int
    cells: str
    request: Request
    identity: Mapping[str, object]
    versions: Mapping[str, str]
    memo: dict[str, Any] = field(repr=False)
    covered_years: tuple[int, ...] = field(repr=False)
    failed: dict[str, str] = field(repr=False)
    facts: dict[str, str] = field(repr=False)


class _Opened:
    """A job's source, opened and checked, and where its blocks go."""

    def __init__(self, job: Job) -> None:
        require_equal(job.versions, versions())
        self.files = RunFiles(job.root, job.run_id)
        self.cells = self.files.shared_cells(job.cells)
        config = settings.load()
        self.threads = config.compute_threads
        address = _with_own_password(job.address, config)
        self.source = open_source(address, connections=config.parallel_workers, snapshot=job.snapshot)
        try:
            self.work = self._work(job)
        except EngineError:
            self.source.close()
            raise

    def _work(self, job: Job) -> Work:
        source = self.source
        plan = make_plan(source, job.request)
        mine = identity_of(source, job.request, plan)
        if job.snapshot is not None:  # one state for sure; the change counters of a foreign warehouse go on
            mine["source_fingerprint"] = job.identity["source_fingerprint"]
        require_equal(job.identity, mine)
        reference = Reference(
            axis=plan.axis,
            baseline=plan.baseline,
            observed=plan.observed,
            grid=source.grid,
            tables={},
            covered_years=np.asarray(job.covered_years, np.int64),
            figures=plan.edition.figures,
            cells=pl.DataFrame(),
            read=_nothing_left_to_read,
            memo=dict(job.memo),
        )
        return Work(source, plan, reference, job.failed, job.facts)


class _Kept:
    """Source that this worker keeps open from block to block.

    Closed when no further block comes: then the run has ended or its driver has died, and a warehouse must not be kept
    from cleaning up behind an old snapshot.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._name = ""
        self._opened: _Opened | None = None
        self._timer: threading.Timer | None = None

    @contextmanager
    def of(self, job: Job) -> Iterator[_Opened]:
        """The job's, opened now if it is not; nobody closes it meanwhile."""
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            try:
                if self._opened is None or self._name != job.name:
                    self._close()
                    self._name, self._opened = job.name, _Opened(job)
                yield self._opened
            finally:
                self._timer = threading.Timer(IDLE, self.close)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.source.close()
            self._opened = None


_kept = _Kept()


def require_equal(driver: Mapping[str, object], worker: Mapping[str, object]) -> None:
    if unequal := [name for name in worker if driver.get(name) != worker[name]]:
        differences = "; ".join(f"{name} is {worker[name]}, the driver has {driver.get(name)}" for name in unequal)
        raise SettingsError(f"it would not compute what the driver does: {differences}")


def _with_own_password(address: str, config: settings.Settings) -> str:
    """The address as the worker's own settings give it, if they name the same server, user and database."""
    own = config.warehouse_url
    same = own is not None and not Path(address).is_dir() and postgres.describe(own) == postgres.describe(address)
    return own if own is not None and same else address


def _nothing_left_to_read(*_: object) -> NoReturn:
    raise AssertionError("a worker was asked for the whole grid: the driver prepares what needs it")


@cache
def compile_kernels() -> None:
    """Once a process: of the workers of one machine one compiles, the others wait and load."""
    kernels.keep_compiled_in(settings.load().kernel_cache)
    kernels.warm_up()


def run_block(job: Job, number: int, block: tuple[int, int]) -> tuple[StoredBlock, dict[str, float]]:
    """Read, compute and store one block on a worker; returns it with the seconds of the stages not in its notes."""
    from distributed import get_worker

    worker = get_worker()
    try:
        if worker.state.nthreads != 1:
            raise SettingsError(f"it runs {worker.state.nthreads} threads, kernels need --nthreads 1")
        with _kept.of(job) as opened:
            started = time.perf_counter()
            compile_kernels()
            kernels.use_threads(opened.threads)  # of this thread, which computes
            compiled = time.perf_counter()
            cells = opened.cells.filter(pl.col("grid_id").is_between(*block, closed="left")).collect()
            result = opened.work.compute(*opened.work.read(cells))
            computed = time.perf_counter()
            stored = opened.files.store_block(number, result.frames(opened.work.plan), result.notes.as_json())
            return stored, {"compile": compiled - started, "spool": time.perf_counter() - computed}
    except EngineError as err:
        raise type(err)(f"worker {worker.address}: {err}") from err
