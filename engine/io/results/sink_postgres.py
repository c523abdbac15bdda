"""Results into the application database."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from psycopg.types.json import Jsonb

from engine.core.errors import BusyError, EngineError, SettingsError, SinkError
from engine.io.db import pooler, postgres, transient
from engine.io.results import batch_runs, load, progress, spool
from engine.io.results.progress import Advance, ProgressWriter
from engine.io.results.result_tables import BinStyle, Parts
from engine.io.results.sink import (
    LOCKS,
    WRITES,
    JobType,
    RunRecord,
    Status,
    ended,
    overlapping,
    replacing,
    scope_refusal,
)
from engine.io.results.spool import RunDirectory

log = logging.getLogger(__name__)

_NEEDED = ("result_runs", "batch_job_logs", "result_sample_years", *WRITES["yearly"])
#: made by the latest migrations that a run cannot do without
_COLUMNS = (("result_runs", "edition_checksums"), ("batch_jobs", "run_id"))

#: a run swaps partitions, so it must own them, and make tables beside them
_LACKING = """
SELECT format('role %%s may not create tables in schema %%s', current_user, current_schema())
 WHERE NOT has_schema_privilege(current_schema()::text, 'CREATE')
UNION ALL
SELECT format('role %%s does not own table %%s', current_user, tree.relid::regclass)
  FROM unnest(%s::text[]) AS parent(name), pg_partition_tree(parent.name::regclass) AS tree
  JOIN pg_class c ON c.oid = tree.relid WHERE NOT pg_has_role(c.relowner, 'USAGE')
UNION ALL
SELECT format('role %%s may not %%s table %%s', current_user, lower(privilege), name)
  FROM (SELECT name, privilege FROM unnest(ARRAY['result_runs', 'batch_job_logs', 'batch_jobs']) AS t(name),
               unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS p(privilege)
        UNION ALL
        SELECT 'result_sample_years', privilege FROM unnest(ARRAY['SELECT', 'INSERT', 'DELETE']) AS p(privilege)) AS w
 WHERE NOT has_table_privilege(name, privilege)
UNION ALL
SELECT format('role %%s may not number runs', current_user)
 WHERE NOT has_sequence_privilege(pg_get_serial_sequence('result_runs', 'run_id'), 'USAGE')
"""


class PostgresSink:
    """`Sink` over one connection, which holds the run's locks; loading opens more.

    url         : address of the application database, its schema applied
    connections : partitions loaded at a time
    raises      : SourceError when the server does not answer, SinkError when the schema is missing, SettingsError for a
                  pooler in transaction mode
    """

    def __init__(self, url: str, *, connections: int = 2) -> None:
        self._url, self._connections = url, connections
        self._connection = postgres.connect(url)
        self._log: int | None = None
        self._batch_id: UUID | None = None
        self._run_id: int | None = None
        self._writer: ProgressWriter | None = None
        self._may_pass = self._is_triggered = False
        self._total = 0
        try:
            pooler.require_session(self._connection, "the locks of a run", "APP_* (or --sink)")
        except EngineError:
            self.close()
            raise
        found = self._connection.execute(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL UNION ALL "
            "SELECT t || '.' || c FROM unnest(%s::text[], %s::text[]) AS n(t, c) WHERE to_regclass(t) IS NOT NULL AND "
            "NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(t) AND attname = c)",
            (list(_NEEDED), *map(list, zip(*_COLUMNS, strict=True))),
        ).fetchall()
        if found:
            absent = ", ".join(name for (name,) in found)
            self.close()
            raise SinkError(f"{self.where} lacks {absent}: apply the schema with python -m jobs.schema")

    @property
    def where(self) -> str:
        """Address without the password."""
        return postgres.describe(self._url)

    @property
    def running(self) -> bool:
        """True between `begin` or `reopen` and `finish`."""
        return self._log is not None

    @contextmanager
    def guard(self, job_type: JobType) -> Iterator[None]:
        """See `Sink.guard`. The locks live as long as the session, so a killed process lets go at once."""
        busy = f"another {' or '.join(LOCKS[job_type])} run is going{self._who(job_type)}"
        locks = tuple(f"job {name}" for name in LOCKS[job_type])
        with ExitStack() as held:
            try:
                held.enter_context(postgres.advisory_lock(self._connection, locks, busy))
            except BusyError:
                self._insert_log(job_type, None, "skipped", None, busy)
                raise
            self._fail_abandoned_runs(job_type)
            with ended(self):
                try:
                    yield
                except Exception as err:
                    self._may_pass = transient.is_transient(err)
                    raise

    def _fail_abandoned_runs(self, job_type: JobType) -> None:
        """Holding the locks, nobody else can be at it: a row still `running` belongs to a process that was killed."""
        try:
            for lost in batch_runs.lose_of_logs(self._connection, overlapping(job_type)):
                log.warning("%s", lost)
        except SinkError as err:
            log.warning("%s", err)
        with postgres.failures("preparing the run", SinkError):
            self._connection.execute(
                "UPDATE batch_job_logs SET status = 'failed', completed_at = now(), "
                "error_message = 'the process was killed' WHERE status = 'running' AND job_type = ANY(%s)",
                (overlapping(job_type),),
            )
            load.drop_leftovers(self._connection, WRITES[job_type])

    def _who(self, job_type: JobType) -> str:
        row = self._connection.execute(
            "SELECT job_type, run_id, started_at FROM batch_job_logs WHERE status = 'running' AND job_type = ANY(%s) "
            "ORDER BY started_at DESC LIMIT 1",
            (overlapping(job_type),),
        ).fetchone()
        return f" ({row[0]}, run {row[1]}, since {row[2]:%Y-%m-%d %H:%M} UTC)" if row else ""

    def begin(self, record: RunRecord, runs: Path | str) -> int:
        """See `Sink.begin`."""
        load.require_partitions(self._connection, record.parts)
        self._refuse_lesser_scope(record)
        taken = spool.run_ids(runs)
        with postgres.failures("recording the run", SinkError), self._connection.transaction():
            run_id = self._next_number()
            while run_id in taken:  # a directory of another database's run
                run_id = self._next_number()
            self._connection.execute(
                "INSERT INTO result_runs (run_id, job_type, scope, edition, edition_checksum, edition_checksums, "
                "source_fingerprint, baseline) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    run_id,
                    record.job_type,
                    record.scope,
                    record.edition,
                    record.edition_checksum,
                    Jsonb(dict(record.edition_checksums)),
                    record.source_fingerprint,
                    record.baseline,
                ),
            )
            opened = self._open_rows(record, run_id)
        self._start(run_id, *opened)
        return run_id

    def reopen(self, run_id: int, record: RunRecord) -> None:
        """See `Sink.reopen`."""
        row = self._connection.execute(
            "SELECT job_type, published_at FROM result_runs WHERE run_id = %s", (run_id,)
        ).fetchone()
        if row is None:
            raise SettingsError(f"{self.where} knows no run {run_id} to resume")
        if row[0] != record.job_type:
            raise SettingsError(f"run {run_id} is a {row[0]} run and cannot be resumed as {record.job_type}")
        if row[1] is not None:
            raise SettingsError(f"run {run_id} was published at {row[1]:%Y-%m-%d %H:%M} UTC: nothing to resume")
        load.require_partitions(self._connection, record.parts)
        self._refuse_lesser_scope(record)
        with postgres.failures("recording the run", SinkError), self._connection.transaction():
            opened = self._open_rows(record, run_id)
        self._start(run_id, *opened)

    def _open_rows(self, record: RunRecord, run_id: int) -> tuple[UUID | None, int]:
        batch_id = batch_runs.open_row(self._connection, record, run_id)
        self._is_triggered, self._total = record.batch_id is not None, record.total_grids
        return batch_id, self._insert_log(record.job_type, run_id, "running", record.total_grids, batch_id=batch_id)

    def _start(self, run_id: int, batch_id: UUID | None, number: int) -> None:
        self._run_id, self._batch_id, self._log = run_id, batch_id, number
        if batch_id is not None:
            self._writer = ProgressWriter(self._url, (batch_id, number))
            self._writer.start()

    def tell(self, advance: Advance) -> None:
        """See `Sink.tell`."""
        if self._writer is not None:
            self._writer.tell(advance)

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
        """See `Sink.publish`."""
        run.require_complete()

        def loaded(done: int, total: int) -> None:
            self.tell(progress.loading((done, total), self._total))

        with postgres.failures(f"publishing run {run.run_id}", SinkError):
            if not replaces:
                return load.upsert(
                    self._connection, run, parts, styles, ranked=whole_grid, summary=summary, loaded=loaded
                )
            return load.replace(
                self._connection,
                self._url,
                run,
                parts,
                styles,
                ranked=whole_grid,
                connections=self._connections,
                summary=summary,
                loaded=loaded,
            )

    def finish(
        self, status: Status, *, processed: int | None = None, failed: int | None = None, error: str | None = None
    ) -> None:
        """See `Sink.finish`."""
        if self._writer is not None:
            self._writer.stop()
            self._writer = None
        if self._connection.closed or self._connection.broken:
            self._connection = postgres.connect(self._url)  # the end must be recorded even when the session was lost
        with postgres.failures("recording the end of the run", SinkError):
            self._connection.execute(
                "UPDATE batch_job_logs SET status = %s, completed_at = now(), processed_grids = %s, failed_grids = %s, "
                "success_rate = round(100.0 * %s / nullif(total_grids, 0), 2), error_message = %s WHERE id = %s",
                (status, processed, failed, processed, error, self._log),
            )
        self._log = None
        if self._batch_id is None:
            return
        details: dict[str, object] = {"run_id": self._run_id}
        if status == "failed":
            details["transient"] = self._may_pass
        try:
            batch_runs.end_row(
                self._connection,
                self._batch_id,
                status,
                processed=processed,
                failed=failed,
                error=error,
                details=details,
                is_triggered=self._is_triggered,
            )
        except SinkError as err:  # the log has it; whoever asked for the run records how its process ended
            log.warning("%s", err)
        self._batch_id = None

    def close(self) -> None:
        """Give the connection back, and with it any lock."""
        if self._writer is not None:
            self._writer.stop()
        self._connection.close()

    def _next_number(self) -> int:
        sequence = "SELECT nextval(pg_get_serial_sequence('result_runs', 'run_id'))"
        [(number,)] = self._connection.execute(sequence).fetchall()
        return int(number)

    def refusal(self, job_type: JobType, scope: str) -> str | None:
        """Refusal of a run of this scope to publish here; None when it may."""
        row = self._connection.execute(
            "SELECT max(run_id) FROM result_runs "
            "WHERE published_at IS NOT NULL AND scope = 'full' AND job_type = ANY(%s)",
            (replacing(job_type),),
        ).fetchone()
        return scope_refusal(self.where, scope, row[0] if row else None)

    def lacking_rights(self) -> list[str]:
        """Rights that a run needs and the connected role lacks, in words; nothing is tried out."""
        with postgres.failures("looking at the rights", SinkError):
            return [text for (text,) in self._connection.execute(_LACKING, (list(WRITES["yearly"]),)).fetchall()]

    def _refuse_lesser_scope(self, record: RunRecord) -> None:
        if refusal := self.refusal(record.job_type, record.scope):
            self._insert_log(record.job_type, None, "failed", record.total_grids, refusal)
            raise SettingsError(refusal)

    def _insert_log(
        self,
        job_type: str,
        run_id: int | None,
        status: str,
        total: int | None,
        error: str | None = None,
        *,
        batch_id: UUID | None = None,
    ) -> int:
        now = datetime.now(UTC)
        [(number,)] = self._connection.execute(
            "INSERT INTO batch_job_logs "
            "(batch_id, run_id, job_type, started_at, completed_at, status, total_grids, error_message) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
            (batch_id, run_id, job_type, now, None if status == "running" else now, status, total, error),
        ).fetchall()
        return int(number)
