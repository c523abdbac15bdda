"""Progress of a batch, as stored in the database: percent, one step in words, cells and their rate.

Telling must never cost the run anything: `ProgressWriter.tell` keeps a value and returns; a thread with a connection of
its own writes the latest one at most once a second, and at least once a minute, which is the run's sign of life.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from uuid import UUID

import psycopg

from engine.core.errors import EngineError
from engine.io.db import postgres

log = logging.getLogger(__name__)

#: seconds between two writes at least, and at most
EVERY, BEAT = 1.0, 60.0
#: seconds between two tries while writing fails, and for which the end of a run waits for the last write
_PAUSE, _PATIENCE = 10.0, 6.0
#: percent at which a stage ends; what is left is the switch
_PREPARED, _COMPUTED, _LOADED = 2, 80, 99
FIRST_STEP = "Reading the tables of the source"


@dataclass(frozen=True, slots=True)
class Advance:
    """A moment of a run.

    percent : 0..99, 100 comes with the end
    done    : cells computed, of `total`
    rate    : cells a second since computing began; None before
    """

    percent: int
    step: str
    done: int
    total: int
    rate: float | None = None


def preparing(what: str, done: int, total: int) -> Advance:
    """Before the first block of this session: compiling, reference tables."""
    percent = _PREPARED + (_COMPUTED - _PREPARED) * done // max(total, 1) if done else 1
    return Advance(percent, what[:1].upper() + what[1:], done, total)


def computing(blocks: tuple[int, int], cells: tuple[int, int], rate: float | None) -> Advance:
    """Between blocks. blocks, cells: (done, all)"""
    (stored, of), (done, total) = blocks, cells
    percent = _PREPARED + (_COMPUTED - _PREPARED) * done // max(total, 1)
    return Advance(percent, f"Reading and computing: {stored} of {of} blocks done", done, total, rate)


def loading(parts: tuple[int, int], total: int) -> Advance:
    """Between the tables that are loaded; when all are, they are switched in. parts: (done, all)"""
    done, of = parts
    percent = _COMPUTED + (_LOADED - _COMPUTED) * done // max(of, 1)
    step = "Switching the new tables in" if done == of else f"Loading tables: {done} of {of} parts done"
    return Advance(percent, step, total, total)


class ProgressWriter:
    """Writes the latest `Advance` of a run into its rows of `batch_jobs` and `batch_job_logs`. Start it with `with`.

    A write that fails is logged once and tried again; the run does not notice.

    url  : of the application database
    rows : (batch_id, id of the log row)
    """

    def __init__(self, url: str, rows: tuple[UUID, int]) -> None:
        self._url, self._rows = url, rows
        self._latest: Advance | None = None
        self._stopping = threading.Event()
        self._has_failed = False
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def start(self) -> None:
        """Write from now on."""
        self._thread.start()

    def tell(self, advance: Advance) -> None:
        """Keep where the run is; safe in any thread, never waits and never fails."""
        self._latest = advance

    def stop(self) -> None:
        """Write nothing more. Returns within seconds, also while the database does not answer."""
        self._stopping.set()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with closing(postgres.connect(self._url)) as connection:
                    connection.execute("SET statement_timeout = '5s'")
                    self._write_changes(connection)
            except (EngineError, psycopg.Error) as err:
                if not self._has_failed:
                    reason = str(err).strip().split("\n")[0]
                    log.warning("the progress of the run is not recorded, the run goes on: %s", reason)
                self._has_failed = True
                self._stopping.wait(_PAUSE)

    def _write_changes(self, connection: psycopg.Connection) -> None:
        written: Advance | None = None
        at = time.monotonic()
        while not self._stopping.wait(EVERY):
            latest, now = self._latest, time.monotonic()
            if latest is not None and latest != written:
                _write(connection, self._rows, latest)
            elif now - at >= BEAT:
                connection.execute(
                    "UPDATE batch_jobs SET updated_at = now() WHERE batch_id = %s AND status = 'running'",
                    self._rows[:1],
                )
            else:
                continue
            written, at = latest, now


def _write(connection: psycopg.Connection, rows: tuple[UUID, int], advance: Advance) -> None:
    """Two statements, so that no lock on one row is held while another is waited for."""
    batch_id, number = rows
    connection.execute(
        "UPDATE batch_jobs SET progress = greatest(progress, least(greatest(%s, 0), 99)), current_step = %s,"
        " completed_items = %s, total_items = %s, items_per_second = %s, updated_at = now()"
        " WHERE batch_id = %s AND status = 'running'",
        (advance.percent, advance.step[:200], advance.done, advance.total, advance.rate, batch_id),
    )
    connection.execute(
        "UPDATE batch_job_logs SET processed_grids = %s WHERE id = %s AND status = 'running'", (advance.done, number)
    )
