"""The process that works on queued assessments: a few threads, each with its own connections.

A thread takes a portfolio, or all single sites that wait, up to a number: together they cost little more than one.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg

from engine.assess.job import site_batch
from engine.assess.job.assessor import Assessor
from engine.core.errors import EngineError
from engine.core.settings import Settings
from engine.io.db import postgres, transient
from engine.io.queue import batch_jobs
from engine.io.queue.batch_jobs import SITE, EndedError, Job

log = logging.getLogger(__name__)
#: seconds between two looks at the queue while it is empty
_IDLE = 0.2
_LONGEST_PAUSE = 60.0
_LOST_EVERY = 60.0


class Worker:
    """Takes queued jobs until `stop`, at most as many at a time as there are threads.

    warehouse, application : addresses
    parent : process whose end is ours, too
    """

    def __init__(self, config: Settings, warehouse: str, application: str, *, parent: int | None = None) -> None:
        self._config, self._warehouse, self._application, self._parent = config, warehouse, application, parent
        self._stopping = threading.Event()
        self._free = threading.Semaphore(config.assess_workers)
        self._mine = threading.local()
        self._open: list[psycopg.Connection] = []

    def stop(self) -> None:
        """Take nothing new; safe in a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Work until told to stop, then finish what was taken."""
        pause, looked = 1.0, 0.0
        with ThreadPoolExecutor(self._config.assess_workers, "assess") as threads:
            while not self._stopping.is_set() and not self._is_orphan():
                try:
                    with closing(postgres.connect(self._application)) as queue:
                        pause = 1.0
                        while not self._stopping.is_set() and not self._is_orphan():
                            if time.monotonic() - looked > _LOST_EVERY:
                                for batch_id in batch_jobs.fail_lost(queue):
                                    log.warning("job %s: worker lost", batch_id)
                                looked = time.monotonic()
                            if not self._take(queue, threads):
                                self._stopping.wait(_IDLE)
                except EngineError as err:
                    log.error("the queue cannot be read, next try in %.0f s: %s", pause, err)
                    self._stopping.wait(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
        for connection in self._open:
            connection.close()

    def _is_orphan(self) -> bool:
        return self._parent is not None and os.getppid() != self._parent

    def _take(self, queue: psycopg.Connection, threads: ThreadPoolExecutor) -> bool:
        """Give the oldest queued jobs to a free thread; False when there is none."""
        if not self._free.acquire(timeout=_IDLE):
            return True
        jobs: list[Job] = []
        try:
            first = batch_jobs.start_next(queue)
            if first is not None:
                jobs = [first]
                if first.job_type == SITE and self._config.assess_batch > 1:
                    jobs += batch_jobs.start_many(queue, self._config.assess_batch - 1, (SITE,))
                threads.submit(self._work, jobs)
        finally:
            if not jobs:
                self._free.release()
        return bool(jobs)

    def _work(self, jobs: list[Job]) -> None:
        try:
            if len(jobs) == 1 or not self._work_together(jobs):
                for job in jobs:
                    self._work_alone(job)
        finally:
            self._free.release()

    def _work_together(self, jobs: list[Job]) -> bool:
        """False when the whole batch broke: alone, those that did not cause it complete, and the others say why."""
        started = time.perf_counter()
        try:
            completed = site_batch.run_jobs(self._assessor(), jobs)
        except Exception as err:
            known = isinstance(err, EngineError)
            log.warning("%d jobs together failed, now one by one: %s", len(jobs), err, exc_info=not known)
            return False
        log.info("%d of %d jobs completed in %.2f s", completed, len(jobs), time.perf_counter() - started)
        return True

    def _work_alone(self, job: Job) -> None:
        started = time.perf_counter()
        try:
            self._assessor().attempt(job)
            log.info("job %s completed in %.2f s", job.batch_id, time.perf_counter() - started)
        except EndedError as err:
            log.warning("%s", err)
        except Exception as err:
            tried, why = job.attempts - 1, str(err) or type(err).__name__
            if transient.is_transient(err) and tried < len(batch_jobs.ASSESSMENT_PAUSES):
                pause = batch_jobs.ASSESSMENT_PAUSES[tried]
                log.warning("job %s, attempt %d, next in %d s: %s", job.batch_id, job.attempts, pause, why)
                self._record(job, lambda where: batch_jobs.requeue(where, job.batch_id, why, pause))
                return
            log.warning("job %s failed: %s", job.batch_id, err, exc_info=not isinstance(err, EngineError))
            trace = traceback.format_exc()
            self._record(job, lambda where: batch_jobs.fail(where, job.batch_id, why, trace))

    def _record(self, job: Job, how: Callable[[psycopg.Connection], object]) -> None:
        """Record the outcome of a job over a new connection: the old one may be what failed."""
        pause = 0.5
        while True:
            try:
                with closing(postgres.connect(self._application)) as connection:
                    how(connection)
                return
            except EngineError as lost:
                log.warning("the end of job %s is not recorded yet: %s", job.batch_id, lost)
                if self._stopping.wait(pause):
                    return  # found as lost later
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _assessor(self) -> Assessor:
        """This thread's; made anew when a connection was lost."""
        held: Assessor | None = getattr(self._mine, "assessor", None)
        if held is not None and not (postgres.is_lost(held.warehouse) or postgres.is_lost(held.application)):
            return held
        warehouse, application = postgres.connect(self._warehouse), postgres.connect(self._application)
        self._open += [warehouse, application]
        self._mine.assessor = Assessor.open(warehouse, application, self._config)
        assessor: Assessor = self._mine.assessor
        return assessor
