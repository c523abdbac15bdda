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
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numba

from engine.batch.pipeline import facts_of, make_reference
from engine.batch.runner import Announce, Run
from engine.batch.worker import Job, compile_kernels, require_equal, run_block, versions
from engine.core.errors import ClusterError, SettingsError, needs
from engine.io.db import postgres
from engine.io.results.spool import StoredBlock

log = logging.getLogger(__name__)

#: seconds to find a scheduler, and a first worker there
PATIENCE = 30
#: seconds without any worker after which a run gives up
DESERTED = 120
#: worker processes of one machine
MOST_WORKERS = 1_024
_LAST_PORT = 65_535


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
        self._client.run(compile_kernels, on_error="ignore")  # a worker that comes later does it at its first block
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
            require_equal(versions(), theirs)
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
