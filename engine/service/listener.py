"""The listener: notifications, queued rows and the schedule become runs.

It reconnects after database failures and survives errors.

Three threads. One waits for notifications and reconnects; one, the dispatcher, takes what they and the scheduler ask
for and starts child processes, so that nothing long ever happens where notifications arrive; the caller's waits.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import psycopg

from engine.core.errors import EngineError
from engine.core.rows import BatchType
from engine.core.settings import Settings
from engine.io.db import notifications, postgres
from engine.io.db.notifications import Ear, Notification, Sender
from engine.io.queue import batch_jobs, job_states, triggers
from engine.io.queue.batch_jobs import Job
from engine.io.results import batch_runs
from engine.io.results.sink import LOCKS
from engine.service import kinds, schedule
from engine.service.children import Children
from engine.service.schedule import Task

log = logging.getLogger(__name__)

#: seconds between two looks at the queued rows, notified or not
TICK = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
#: seconds between two looks at whether to stop
_LISTENED = 0.2


class Notified(NamedTuple):
    """A notification for a kind from a session of the server."""

    kind: BatchType
    session: int
    sender: Sender


class Fired(NamedTuple):
    """The schedule's turn for a task."""

    task: Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Databases of the listener. application : of jobs and logs; notify : of LISTEN."""

    application: str
    notify: str


class Listener:
    """Runs until `stop` is called.

    commands : what each task runs, in a process of its own
    """

    def __init__(self, config: Settings, addresses: Addresses, commands: Mapping[Task, Sequence[str]]) -> None:
        self._config, self._addresses = config, addresses
        self._children = Children(commands)
        self._jobs: dict[Task, Job] = {}
        self._asked: queue.Queue[Notified | Fired | None] = queue.Queue()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ask the listener to end; safe in a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Listen until told to stop, then let running jobs end within the grace time."""
        scheduler = schedule.start(self._config, lambda task: self._asked.put(Fired(task)))
        for task, trigger in schedule.triggers(self._config).items():
            following = trigger.get_next_fire_time(None, datetime.now(UTC))
            log.info("%s: next at %s (%s)", task, following and following.isoformat(), self._config.zone)
        threads = [
            threading.Thread(target=self._dispatch, name="dispatcher"),
            threading.Thread(target=self._listen, name="listener"),
        ]
        for thread in threads:
            thread.start()
        self._asked.put(Fired("check"))
        self._stopping.wait()
        log.info("stopping: nothing new is started")
        scheduler.shutdown(wait=False)
        self._asked.put(None)
        for thread in threads:
            thread.join()
        self._children.drain(self._config.shutdown_grace_seconds)
        log.info("stopped")

    # --- notifications

    def _listen(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                channels = {self._config.notify_channel, *kinds.PLAIN_CHANNELS}
                with notifications.listening(self._addresses.notify, channels) as ear:
                    log.info(
                        "listening on %s in %s", ", ".join(sorted(channels)), postgres.describe(self._addresses.notify)
                    )
                    pause = _FIRST_PAUSE
                    while not self._stopping.is_set():
                        for notification in ear.heard(_LISTENED):
                            self._hear(notification, ear)
            except EngineError as err:
                log.error("not listening, next try in %.0f s: %s", pause, str(err).strip().split("\n")[0])
                self._stopping.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _hear(self, notification: Notification, ear: Ear) -> None:
        kind = kinds.kind_of(notification)
        if kind is None:
            known = ", ".join(kinds.KINDS)
            log.warning("unknown payload %r on %s; known: %s", notification.payload[:80], notification.channel, known)
            return
        # at once: most senders are gone a moment later
        self._asked.put(Notified(kind, notification.session, ear.sender_of(notification, kinds.BATCH_ROLE)))

    # --- work

    def _dispatch(self) -> None:
        is_first = True
        while not self._stopping.is_set():
            try:
                asked = self._asked.get(timeout=0 if is_first else TICK)
            except queue.Empty:
                asked = None
            if self._stopping.is_set():
                return
            try:
                with closing(postgres.connect(self._addresses.application)) as connection:
                    if is_first:
                        self._catch_up(connection)
                        is_first = False
                    self._serve(connection, asked)
            except EngineError as err:
                log.error("%s", err)
                if asked is not None:  # what was asked for must not be lost with the connection
                    self._stopping.wait(_FIRST_PAUSE)
                    self._asked.put(asked)
            except Exception:
                log.exception("a trigger could not be handled: %s", asked)

    def _catch_up(self, connection: psycopg.Connection) -> None:
        """Run what the schedule would have started while nobody was here."""
        now = datetime.now(UTC)
        crons = schedule.triggers(self._config)
        for kind in (kind for kind in schedule.YEARLY if kind in crons):
            due = schedule.last_firing(crons[kind], now, schedule.grace(self._config))
            if due is not None and not batch_runs.has_started_since(connection, kind, due):
                log.warning("%s was due at %s and did not start: starting it now", kind, due.isoformat())
                batch_jobs.create(connection, kind, {"origin": "missed schedule"})

    def _serve(self, connection: psycopg.Connection, asked: Notified | Fired | None) -> None:
        if isinstance(asked, Fired):
            if asked.task not in ("clean", "check"):
                batch_jobs.create(connection, asked.task, {"origin": "schedule"})
            elif asked.task not in self._children.running:
                self._children.start(asked.task)
        elif asked is not None and not triggers.is_announced(connection, asked.kind, asked.session):
            if asked.sender.may_run:
                origin = {"origin": "NOTIFY", "notified_by": asked.session, "role": asked.sender.role}
                batch_jobs.create(connection, asked.kind, origin)
            else:
                log.warning("%s", kinds.why_ignored(asked.kind, asked.sender))
        while (job := batch_jobs.start_next(connection, self._takeable(connection))) is not None:
            self._start(connection, job)
        for lost in batch_runs.keep_alive(connection, self._running_ids()):
            log.error("%s", lost)

    def _takeable(self, connection: psycopg.Connection) -> list[BatchType]:
        """Kinds without those whose run has ended while its process is still on its way out: they wait for it."""
        ended = job_states.ended(connection, self._running_ids())
        leaving = {
            lock
            for kind in kinds.KINDS
            if kind in self._children.running and self._jobs[kind].batch_id in ended
            for lock in LOCKS[kind]
        }
        return [kind for kind in kinds.KINDS if not leaving & set(LOCKS[kind])]

    def _running_ids(self) -> list[UUID]:
        return [job.batch_id for task, job in list(self._jobs.items()) if task in self._children.running]

    def _start(self, connection: psycopg.Connection, job: Job) -> None:
        kind = next(kind for kind in kinds.KINDS if kind == job.job_type)
        # a child that has just started does not hold its locks yet
        mine = any(set(LOCKS[kind]) & set(LOCKS[other]) for other in kinds.KINDS if other in self._children.running)
        if mine or batch_runs.is_going(connection, kind):
            log.warning("%s skipped: another %s run is going", kind, " or ".join(LOCKS[kind]))
            triggers.skip(connection, job, f"another {' or '.join(LOCKS[kind])} run is going")
            return
        self._jobs[kind] = job
        options = ["--job", str(job.batch_id)]
        if job.run_id is not None:  # another attempt
            options += ["--resume", str(job.run_id)]
        self._children.start(kind, lambda code, error: self._record(job, code, error), options)

    def _record(self, job: Job, code: int, error: str | None) -> None:
        """Write how a run ended, through an outage of the database if need be."""
        pause = _FIRST_PAUSE
        while True:
            try:
                with closing(postgres.connect(self._addresses.application)) as connection:
                    seconds = triggers.finish(connection, job, code, error)
                if seconds is not None:
                    log.warning("%s: attempt %d met a passing fault, next in %d s", job.job_type, job.attempts, seconds)
                self._asked.put(None)  # what waited for this process is looked at now
                return
            except EngineError as err:
                log.error("the end of job %s is not recorded yet: %s", job.batch_id, err)
                if self._stopping.wait(pause):
                    return  # the next listener finds the row silent and says so
                pause = min(2 * pause, _LONGEST_PAUSE)
