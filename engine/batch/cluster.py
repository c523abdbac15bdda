"""Blocks of a run on worker processes, by dask.distributed: the same block function as in this process.

A worker opens the source by itself, in the state that the driver sees, reads its block, computes and stores it; what
goes through the scheduler is a block's number, its counts, and what the risks made of the small tables. The driver
alone owns the manifest and loads. A block lost with its worker is computed again, and gives the same bytes.

Passwords never travel: a worker takes its own from its settings (DW_*) or from where PostgreSQL's library looks.
"""

from __future__ import annotations

import logging
import queue
import re
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import numba
import numpy as np
import polars as pl

from engine import kernels
from engine.batch.pipeline import Work, facts_of, make_reference
from engine.batch.plan import OBSERVED, make_plan
from engine.batch.request import Request
from engine.batch.runner import Announce, Run, identity_of
from engine.core import settings
from engine.core.errors import ClusterError, EngineError, SettingsError, needs
from engine.io import open_source
from engine.io.db import postgres
from engine.io.results.spool import RunFiles, StoredBlock
from engine.risks.inputs import Reference

log = logging.getLogger(__name__)

#: seconds to find a scheduler, and a first worker there
PATIENCE = 30
#: seconds without any worker after which a run gives up
DESERTED = 120
#: seconds after a worker's last block until it closes its source
IDLE = 60.0
#: worker processes of one machine
MOST_WORKERS = 1_024
_LAST_PORT = 65_535
#: must be the same everywhere, or the same block could give other bytes
PACKAGES = ("climate-risk-engine", "numpy", "numba", "polars", "distributed")


def versions() -> dict[str, str]:
    """What this process computes with."""
    return {"python": ".".join(map(str, sys.version_info[:2])), **{name: version(name) for name in PACKAGES}}


# ---------------------------------------------------------------------------------------------------- in a worker


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker must know of a run besides its block's number. Plain values; goes with every block, because dask
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
        _require_equal(job.versions, versions())
        self.files = RunFiles(job.root, job.run_id)
        self.cells = self.files.shared_cells(job.cells)
        config = settings.load()
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
        _require_equal(job.identity, mine)
        reference = Reference(
            axis=plan.axis,
            baseline=plan.baseline,
            observed=plan.scope == OBSERVED,
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
    """What this worker has open, from block to block. Closed when no further block comes: then the run has ended, or
    its driver is gone, and a warehouse must not be kept from cleaning up behind an old snapshot."""

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


def _require_equal(driver: Mapping[str, object], worker: Mapping[str, object]) -> None:
    if unequal := [name for name in worker if driver.get(name) != worker[name]]:
        told = "; ".join(f"{name} is {worker[name]}, the driver has {driver.get(name)}" for name in unequal)
        raise SettingsError(f"it would not compute what the driver does: {told}")


def _with_own_password(address: str, config: settings.Settings) -> str:
    """The address as the worker's own settings give it, if they name the same server, user and database."""
    own = config.warehouse_url
    same = own is not None and not Path(address).is_dir() and postgres.describe(own) == postgres.describe(address)
    return own if own is not None and same else address


def _nothing_left_to_read(*_: object) -> NoReturn:
    raise AssertionError("a worker was asked for the whole grid: the driver prepares what needs it")


@cache
def _compile() -> None:
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
            _compile()
            compiled = time.perf_counter()
            cells = opened.cells.filter(pl.col("grid_id").is_between(*block, closed="left")).collect()
            result = opened.work.compute(*opened.work.read(cells))
            computed = time.perf_counter()
            stored = opened.files.store_block(number, result.frames(opened.work.plan), result.notes.as_json())
            return stored, {"compile": compiled - started, "spool": time.perf_counter() - computed}
    except EngineError as err:
        raise type(err)(f"worker {worker.address}: {err}") from err


# ---------------------------------------------------------------------------------------------------- in the driver


class Cluster:
    """A `batch.Runner` over the workers of a scheduler."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address

    def __call__(self, run: Run, announce: Announce) -> Iterator[StoredBlock]:
        """Stored blocks as they come, each once.

        raises : ClusterError when workers or scheduler are lost for good; what a worker raised, with its name
        """
        announce("workers load or compile their kernels")
        started = time.perf_counter()
        self._client.run(_compile, on_error="ignore")  # a worker that comes later does it at its first block
        run.watch.add("compile", time.perf_counter() - started)
        announce("preparing reference tables")
        started = time.perf_counter()
        reference, failed = make_reference(run.source, run.plan)
        job = Job(
            name=f"run-{run.directory.run_id}-{uuid.uuid4().hex[:8]}",
            address=self._address,
            snapshot=run.source.snapshot,
            root=_absolute(run.directory.root),
            run_id=run.directory.run_id,
            cells=run.directory.share_cells(run.cells),
            request=run.request,
            identity=run.identity,
            versions=versions(),
            memo=reference.memo,
            covered_years=run.source.covered_years,
            failed=failed,
            facts=facts_of(run.plan, reference, failed),
        )
        run.watch.add("prepare", time.perf_counter() - started)
        announce("computing")
        yield from self._blocks(job, run)

    def _blocks(self, job: Job, run: Run) -> Iterator[StoredBlock]:
        from distributed import Future, KilledWorker
        from distributed.client import FutureCancelledError
        from distributed.comm import CommClosedError

        finished: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        numbers = run.directory.missing
        # in one call: the scheduler then keeps back what no worker has a hand free for
        todo = self._client.map(
            run_block,
            [job] * len(numbers),
            numbers,
            [run.ranges[number] for number in numbers],
            key=[(job.name, number) for number in numbers],
        )
        try:
            for future in todo:
                future.add_done_callback(finished.put)
            for _ in todo:
                stored, seconds = self._next(finished).result()
                for stage, spent in seconds.items():
                    run.watch.add(stage, spent)
                yield stored
        except KilledWorker as err:
            raise ClusterError(
                f"block {err.task} took {err.allowed_failures + 1} workers down with it, the last at "
                f"{err.last_worker.address}: most often a worker without enough memory (see docs/cluster.md)"
            ) from err
        except (FutureCancelledError, CommClosedError) as err:
            reason = str(err).splitlines()[0]
            raise ClusterError(
                f"the scheduler was lost ({reason}): go on with --resume {job.run_id}, with or without --cluster"
            ) from err
        finally:
            self._client.cancel(todo, force=True)

    def _next(self, finished: queue.SimpleQueue[Any]) -> Any:
        """The next block that has ended; does not wait for workers that never come back."""
        since = time.monotonic()
        while True:
            try:
                return finished.get(timeout=5)
            except queue.Empty:
                if self._client.scheduler_info(n_workers=-1)["workers"]:
                    since = time.monotonic()
                elif time.monotonic() - since > DESERTED:
                    raise ClusterError(f"no worker has been left for {DESERTED} s") from None


def _absolute(root: Path | str) -> str:
    return str(root) if "://" in str(root) else str(Path(root).absolute())


def check_address(where: str) -> int | None:
    """Check what `connect` takes, and connect to nothing; returns N of `local:N`, else None.

    raises : SettingsError for another spelling, or without the extra `cluster`
    """
    kind, _, rest = where.partition(":")
    number = rest.rpartition(":")[2] if kind in ("tcp", "tls") else rest
    value = int(number) if number.isascii() and number.isdecimal() and len(number) < 6 else 0
    if kind in ("tcp", "tls") and re.fullmatch(r"//[^/\s]+:[0-9]+", rest):
        if not 0 < value <= _LAST_PORT:
            raise SettingsError(f"--cluster {where[:80]}: a port is a number from 1 to {_LAST_PORT}")
    elif kind != "local" or not 0 < value <= MOST_WORKERS:
        raise SettingsError(
            f"--cluster {where[:80]}: neither tcp://HOST:PORT nor local:N with N from 1 to {MOST_WORKERS:,}"
        )
    try:
        import distributed  # noqa: F401 (whether it is there)
    except ImportError as err:
        raise SettingsError(f"--cluster {needs('cluster')} ({err})") from err
    return value if kind == "local" else None


@contextmanager
def connect(where: str, source: str) -> Iterator[Cluster]:
    """Workers for a run.

    where  : `tcp://HOST:PORT` (or `tls://`) of a scheduler, or `local:N` for N worker processes of this machine,
             stopped at the end
    source : address of the climate data, or directory of a store that the workers see under the same path
    raises : SettingsError for another spelling, without the extra `cluster`, or for workers that would not compute
             the same; ClusterError when scheduler or workers do not answer
    """
    workers = check_address(where)
    import distributed

    logging.getLogger("distributed").setLevel(logging.WARNING)  # it tells of each connection,
    logging.getLogger("distributed.nanny").setLevel(logging.ERROR)  # of each worker killed at the end,
    logging.getLogger("distributed.utils").setLevel(logging.CRITICAL)  # and, at length, of what is raised here anyway
    password = None
    if Path(source).is_dir():
        source = str(Path(source).absolute())
    else:
        source, password = postgres.without_password(source)
    with ExitStack() as stack:
        address: Any = where
        if workers is not None:
            address = stack.enter_context(_local_workers(workers, password))
        try:
            client = stack.enter_context(distributed.Client(address, timeout=PATIENCE, set_as_default=False))
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as err:
            raise ClusterError(f"--cluster {where}: no worker is there within {PATIENCE} s") from err
        except OSError as err:
            raise ClusterError(f"--cluster {where}: no scheduler answers ({err})") from err
        _check(client)
        yield Cluster(client, source)


def _check(client: Any) -> None:
    """Refuse a scheduler or worker that would not compute what this process does, before a run is begun."""
    try:
        found = {"scheduler": client.run_on_scheduler(versions), **client.run(versions)}
    except ImportError as err:
        raise SettingsError(f"scheduler and workers need this version of the engine: {err}") from err
    for name, theirs in found.items():
        try:
            _require_equal(versions(), theirs)
        except SettingsError as err:
            raise SettingsError(f"{name}: {err}") from None


@contextmanager
def _local_workers(count: int, password: str | None) -> Iterator[Any]:
    """A scheduler of this process and `count` workers that share the cores."""
    import dask
    from distributed import LocalCluster

    environment = {"NUMBA_NUM_THREADS": str(max(1, numba.get_num_threads() // count))}
    if password is not None:  # by inheritance, not over a socket
        environment["PGPASSWORD"] = password
    with (
        # these would be set in this very process, too, where numba has begun to count its threads
        dask.config.set({"distributed.nanny.pre-spawn-environ": {}}),
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            env=environment,
            host="127.0.0.1",
            security=True,  # other users of this machine reach the port as well
            memory_limit=0,  # the machine's business: dask's own limit counts pages that are only cached
            dashboard_address=None,
            silence_logs=logging.ERROR,
        ) as cluster,
    ):
        yield cluster
