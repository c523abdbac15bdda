"""Sink of results, and the life of a run there: lock, number, log, publication.

with sink.guard("yearly"):                      # refused at once while another such run is going
    run_id = sink.begin(record, runs_root)
    ...compute blocks into RunDirectory(runs_root, run_id)...
    sink.publish(run, parts, styles, whole_grid=True, replaces=True, summary=...)
    sink.finish("completed", processed=n)       # left out because of an exception, `guard` does it
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol
from uuid import UUID

from engine.core.errors import EngineError
from engine.core.rows import HALVES
from engine.core.rows import JobType as JobType
from engine.io.results.result_tables import BinStyle, Parts, tables_of
from engine.io.results.spool import RunDirectory

if TYPE_CHECKING:
    from engine.io.results.progress import Advance

log = logging.getLogger(__name__)

Status = Literal["completed", "partial", "failed", "cancelled"]

#: locks that a job takes: one a half of a run. An ensemble takes both: what it reads may be what a run is replacing
LOCKS: Mapping[JobType, tuple[str, ...]] = {**HALVES, "ensemble": HALVES["yearly"]}
#: result tables that a job writes
WRITES: Mapping[JobType, tuple[str, ...]] = {job: tables_of(job) for job in HALVES}


def overlapping(job: JobType) -> list[str]:
    """Job types that cannot be running while this one holds its locks."""
    return [other for other, locks in LOCKS.items() if set(locks) & set(LOCKS[job])]


def replacing(job: JobType) -> list[str]:
    """Job types that write a table of this one."""
    return [other for other, tables in WRITES.items() if set(tables) & set(WRITES[job])]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Record of a run: its row in `result_runs`, and how many active cells it has to do.

    edition_checksums : risk -> checksum of its own figures
    command           : how the run was started, without --resume; kept for whoever goes on with it
    batch_id          : row of `batch_jobs` that asked for the run; None: it gets a row of its own
    parts             : result table -> risks that the run means to publish there
    """

    job_type: JobType
    scope: str
    edition: str
    edition_checksum: str
    edition_checksums: Mapping[str, str]
    source_fingerprint: str
    baseline: str
    total_grids: int
    command: str | None = None
    batch_id: UUID | None = None
    parts: Parts = field(default_factory=dict)


class Sink(Protocol):
    """A database or a directory. One run at a time; not for several threads."""

    @property
    def where(self) -> str:
        """Address without a password, for messages."""
        ...

    def guard(self, job_type: JobType) -> AbstractContextManager[None]:
        """Hold the locks of a job; BusyError at once while another run of the kind is going (logged as `skipped`).

        On an exception the run that was begun inside is finished as failed, or cancelled on an interrupt.
        """
        ...

    def begin(self, record: RunRecord, runs: Path | str) -> int:
        """Number a new run and log it as running; the number is free under the run directories `runs`, too.

        raises : SettingsError when results of scope `full` are published and this run's scope is another
        """
        ...

    def reopen(self, run_id: int, record: RunRecord) -> None:
        """Log that a run goes on; SettingsError for an unknown or already published one."""
        ...

    def tell(self, advance: Advance) -> None:
        """Say how far the run is, for whoever looks from outside. Never waits, never fails."""
        ...

    def publish(
        self,
        run: RunDirectory,
        parts: Parts,
        styles: Mapping[str, BinStyle],
        *,
        whole_grid: bool,
        replaces: bool,
        summary: Mapping[str, object],
    ) -> dict[str, int]:
        """Make all blocks of a run visible at once; returns rows per table.

        parts      : table -> risks to publish; other risks keep what is published
        styles     : of every risk in `probability_results`
        whole_grid : percentiles are ranked over the cells; False leaves them null
        replaces   : the run has every cell, scenario and period, so each risk's rows are replaced as a whole;
                     False puts its rows among the published ones
        raises     : SinkError, what was published before stays as it was
        """
        ...

    def finish(
        self, status: Status, *, processed: int | None = None, failed: int | None = None, error: str | None = None
    ) -> None:
        """End the run's log row.

        processed : active cells that succeeded
        failed    : active cells that did not
        error     : the first error and how many
        """
        ...

    def close(self) -> None: ...


class Ending(Protocol):
    """The part of a sink that `ended` needs."""

    @property
    def running(self) -> bool: ...
    def finish(
        self, status: Status, *, processed: int | None = None, failed: int | None = None, error: str | None = None
    ) -> None: ...


@contextmanager
def ended(sink: Ending) -> Iterator[None]:
    """End the record of a run, whatever happens inside: it does not stay `running`."""
    try:
        yield
    except BaseException as err:
        if sink.running:
            status: Status = "cancelled" if isinstance(err, KeyboardInterrupt) else "failed"
            try:
                sink.finish(status, error=str(err) or type(err).__name__)
            except EngineError as lost:  # the reason of the failure is worth more than this one
                log.error("the end of the run could not be recorded: %s", lost)
        raise
    if sink.running:
        sink.finish("failed", error="the job exited without setting a status")


def scope_refusal(where: str, scope: str, published_full: int | None) -> str | None:
    """Refusal of a run of this scope, given the number of a published run of scope `full`."""
    if published_full is None or scope == "full":
        return None
    return (
        f"{where} holds results of the whole warehouse (run {published_full}, scope full): "
        f"a run of scope {scope} would replace them; use another --sink"
    )
