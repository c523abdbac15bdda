"""Keeps the assessment process going; when it dies, its jobs are failed at once instead of waited for."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Sequence

import psycopg

from engine.core.errors import EngineError
from engine.io.queue import batch_jobs
from engine.service.context import Context

log = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
#: results of portfolios are their owner's alone
_OWN = 0o077


class Supervisor:
    """One child process.

    command : of the worker
    """

    def __init__(self, context: Context, command: Sequence[str]) -> None:
        self._context, self._command = context, command
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="supervisor")

    @property
    def pid(self) -> int | None:
        """Of the running worker."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the worker and watch it."""
        self._thread.start()

    def stop(self) -> None:
        """Let the worker finish what it has taken, within the grace time."""
        self._stopping.set()
        if self._process is not None:
            self._process.terminate()
        self._thread.join()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            started = time.monotonic()
            self._context.metrics.worker_starts.inc()
            self._process = process = subprocess.Popen(  # noqa: S603 (our own command)
                list(self._command), stdin=subprocess.DEVNULL, start_new_session=True, umask=_OWN
            )
            if self._stopping.is_set():
                process.terminate()
            code = self._wait(process)
            if not self._stopping.is_set():
                log.error(
                    "the assessment process %d ended with code %d, next start in %.1f s", process.pid, code, pause
                )
            self._bury(process.pid)
            if time.monotonic() - started > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            self._stopping.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        while True:
            try:
                return process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                if self._stopping.is_set():
                    break
        try:
            return process.wait(timeout=self._context.config.shutdown_grace_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _bury(self, pid: int) -> None:
        """Its running jobs are nobody's any more; a new request of the same makes a new job."""
        try:
            with self._context.database() as connection:
                lost = len(batch_jobs.fail_of_worker(connection, batch_jobs.worker(pid)))
        except (psycopg.OperationalError, EngineError) as err:
            log.warning("jobs of process %d are found as lost later: %s", pid, str(err).split("\n")[0])
            return
        if lost:
            log.error("%d jobs of process %d failed: worker lost", lost, pid)
