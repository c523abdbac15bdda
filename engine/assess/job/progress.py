"""Progress of an assessment job, reported in its row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import psycopg

from engine.assess.rules.assessment import Report
from engine.assess.rules.offered import RISKS
from engine.assess.rules.prepare import Prepared, wants
from engine.io.queue import batch_jobs

#: gives for a chunk of sites what is called after each of its risks
Tell = Callable[[Prepared], Report]


@dataclass(slots=True)
class Progress:
    """Tells the job's row how far it is.

    items     : sites x risks
    throttled : at most one report a second or a percent; the ends of stages are always told
    """

    connection: psycopg.Connection
    batch_id: UUID
    items: int
    throttled: bool
    _told_at: float = 0.0
    _told: int = 0

    @classmethod
    def of(cls, connection: psycopg.Connection, batch_id: UUID, prepared: Prepared, *, throttled: bool) -> Progress:
        """Of a job over these sites; the job must be running."""
        items = sum(int(prepared.sites[wants(risk)].sum()) for risk in RISKS)
        progress = cls(connection, batch_id, items, throttled)
        progress._tell(0, "Fetching H and P(H)", 0)
        return progress

    def step(self, text: str, percent: int) -> None:
        """A stage without items is done."""
        self._tell(percent, text, 0)

    @contextmanager
    def band(self, start: int, end: int, text: str) -> Iterator[Tell]:
        """A stage from `start` to `end` percent: told risk by risk, its end when the stage has been stored."""
        done, last = 0, text

        def tell(prepared: Prepared) -> Report:
            def report(risk: str) -> None:
                nonlocal done, last
                items = int(prepared.sites[wants(risk)].sum())
                done, last = done + items, text.format(risk=risk)
                if items and done < self.items:
                    self._maybe(start + (end - start) * done // self.items, last, done)

            return report

        yield tell
        self._tell(end, last, self.items)

    def _maybe(self, percent: int, text: str, done: int) -> None:
        due = time.monotonic() - self._told_at >= 1 or percent > self._told
        if due or not self.throttled:
            self._tell(percent, text, done)

    def _tell(self, percent: int, text: str, done: int) -> None:
        batch_jobs.advance(self.connection, self.batch_id, percent, text, completed=done, total=self.items)
        self._told, self._told_at = percent, time.monotonic()
