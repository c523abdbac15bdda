"""Record of a load in `etl_load`: skip what is already published, write, publish with the data in one commit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from engine.core.errors import EngineError
from engine.core.quality import Finding
from engine.core.quality import errors as gate_errors
from engine.io.db import postgres
from engine.io.files.source_files import SourceFile

Status = Literal["published", "up to date", "checked", "failed", "not given", "absent"]


class GateError(EngineError):
    """The quality gate refused the staged data; the published data stay. `findings` is all it said."""

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What became of one table. `absent`: an optional input that is not there; `not given`: one that a risk needs, of
    which there is no file and which nobody named; `checked`: a dry run."""

    loader: str
    table: str
    status: Status
    files: int = 0
    rows: int = 0
    rejected: int = 0
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    message: str = ""


@dataclass(slots=True)
class Record:
    """One load under way; the loader fills the fields, `transaction` writes them."""

    connection: psycopg.Connection
    loader: str
    version: str
    table: str
    scope: str
    sources: tuple[SourceFile, ...]
    up_to_date: bool = False
    dry_run: bool = False
    load_id: int = 0
    rows: int = 0
    rejected: int = 0
    cells: int | None = None
    steps: int | None = None
    source_unit: str | None = None
    stored_unit: str | None = None
    cell_method: str | None = None
    fill_value: float | None = None
    source_crs: str | None = None
    findings: list[Finding] = field(default_factory=list)
    gate_report: dict[str, Any] = field(default_factory=dict)
    message: str = ""
    started: float = field(default_factory=time.perf_counter)
    published: bool = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write the table and publish the load in one transaction. A finding E raises GateError and rolls back;
        a dry run rolls back too."""
        with self.connection.transaction(force_rollback=self.dry_run):
            yield
            self.refuse_errors()
            if not self.dry_run:
                self._publish()
        self.published = True

    def refuse_errors(self) -> None:
        """Raise GateError when a finding so far has severity E."""
        if bad := gate_errors(self.findings):
            more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            sentence = f"{self.table} refused by the quality gate: {bad[0].message}{more}"
            raise GateError(sentence, self.findings)

    def report(self) -> LoadReport:
        """The summary line of this load."""
        status: Status = "up to date" if self.up_to_date else "checked" if self.dry_run else "published"
        return LoadReport(
            loader=self.loader,
            table=self.table,
            status=status,
            files=sum(source.is_file for source in self.sources),
            rows=self.rows,
            rejected=self.rejected,
            findings=tuple(self.findings),
            seconds=time.perf_counter() - self.started,
            message=self.message,
        )

    def full_gate_report(self) -> dict[str, Any]:
        """The loader's figures and the findings, as stored."""
        return {**self.gate_report, "findings": [finding.as_json() for finding in self.findings]}

    def _publish(self) -> None:
        self.connection.execute(
            "UPDATE etl_load SET status = 'replaced' WHERE loader = %s AND table_name = %s AND status = 'published'",
            (self.loader, self.table),
        )
        self.connection.execute(
            """UPDATE etl_load SET status = 'published', finished_at = clock_timestamp(), scope = %s, n_rows = %s,
                 n_rejected = %s, n_cells = %s, n_steps = %s, source_unit = %s, stored_unit = %s, cell_method = %s,
                 fill_value = %s, source_crs = %s, gate_report = %s
               WHERE load_id = %s""",
            (
                self.scope,
                self.rows,
                self.rejected,
                self.cells,
                self.steps,
                self.source_unit,
                self.stored_unit,
                self.cell_method,
                self.fill_value,
                self.source_crs,
                Jsonb(self.full_gate_report()),
                self.load_id,
            ),
        )


def failed(loader: str, err: EngineError) -> LoadReport:
    """The summary line of a loader that was refused, with what the gate said."""
    findings = err.findings if isinstance(err, GateError) else ()
    table = findings[0].table if findings else ""
    return LoadReport(loader=loader, table=table, status="failed", message=str(err), findings=findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadInputs:
    """What the load of a table is made of: the same again is up to date.

    scope  : of the load, until the files say another
    files  : sources, hashed when the load begins unless they come as SourceFile (`SourceFile.of_value`: other inputs)
    flags  : options that change what is stored (unit, CRS, land mask), recorded with the files
    scope_in_files : the files may declare another scope; the loader sets `record.scope` once it has opened them
    """

    loader: str
    version: str
    table: str
    scope: str
    files: Sequence[Path | SourceFile]
    flags: Mapping[str, str] = field(default_factory=dict)
    scope_in_files: bool = False

    def hashed(self) -> tuple[SourceFile, ...]:
        """Flags, then files, as they are recorded."""
        flags = {**self.flags, "scope": self.scope} if self.scope_in_files else self.flags
        sources = [SourceFile.of_value(f"--{key}={value}", value) for key, value in sorted(flags.items())]
        return (*sources, *(each if isinstance(each, SourceFile) else SourceFile.of(each) for each in self.files))


@contextmanager
def recorded(
    connection: psycopg.Connection, inputs: LoadInputs, *, force: bool = False, dry_run: bool = False
) -> Iterator[Record]:
    """Hold the lock of a table and keep the load's row in `etl_load`: running, then published or failed.

    connection : in autocommit mode; the loader uses it for the data, too
    force      : load even what is up to date
    raises     : BusyError when another load of the table is going; EngineError for a failure of the database
    """
    loader, table = inputs.loader, inputs.table
    with (
        postgres.failures(f"loading {table}", EngineError),
        postgres.advisory_lock(connection, (f"etl:{table}",), f"another load of {table} is going"),
    ):
        if not dry_run:
            _bury_the_dead(connection, loader, table)
        record = Record(connection, loader, inputs.version, table, inputs.scope, inputs.hashed(), dry_run=dry_run)
        if not force and (rows := _published(record, inputs.scope_in_files)) is not None:
            record.up_to_date, record.rows = True, rows
            yield record
            return
        if not dry_run:
            record.load_id = _begin(record)
        try:
            yield record
            if not record.published:
                raise EngineError(f"loader {loader} ended without publishing {table}")
        except BaseException as err:
            if not (record.published or dry_run or connection.closed or connection.broken):
                _fail(record, err)
            raise


def _published(record: Record, any_scope: bool) -> int | None:
    """Rows of the published load when it came from the same inputs, version and scope; else None."""
    row = record.connection.execute(
        """SELECT loader_version, scope, source_files, coalesce(n_rows, 0) FROM etl_load
           WHERE loader = %s AND table_name = %s AND status = 'published'""",
        (record.loader, record.table),
    ).fetchone()
    if row is None:
        return None
    same = sorted(map(_identity, row[2])) == sorted(_identity(source.as_json()) for source in record.sources)
    if any_scope:
        record.scope = row[1]
    return int(row[3]) if same and (row[0], row[1]) == (record.version, record.scope) else None


def _identity(source: Mapping[str, Any]) -> tuple[str, str]:
    return str(source["sha256"]), str(source["scenario"])


def _begin(record: Record) -> int:
    row = record.connection.execute(
        """INSERT INTO etl_load (loader, loader_version, table_name, scope, source_files, status)
           VALUES (%s, %s, %s, %s, %s, 'running') RETURNING load_id""",
        (
            record.loader,
            record.version,
            record.table,
            record.scope,
            Jsonb([source.as_json() for source in record.sources]),
        ),
    ).fetchone()
    if row is None:
        raise EngineError("etl_load returned no load_id")
    return int(row[0])


def _fail(record: Record, err: BaseException) -> None:
    record.connection.execute(
        "UPDATE etl_load SET status = 'failed', finished_at = clock_timestamp(), gate_report = %s WHERE load_id = %s",
        (Jsonb({**record.full_gate_report(), "error": str(err) or type(err).__name__}), record.load_id),
    )


def _bury_the_dead(connection: psycopg.Connection, loader: str, table: str) -> None:
    """With the table's lock held, whatever else looks like a load of it is left over from a killed process."""
    connection.execute(
        "UPDATE etl_load SET status = 'failed', finished_at = clock_timestamp()"
        " WHERE loader = %s AND table_name = %s AND status = 'running'",
        (loader, table),
    )
    drop_tables(connection, rf"^{table}(_p[0-9]{{2}})?_(new|old)$")


def drop_tables(connection: psycopg.Connection, pattern: str) -> None:
    """Drop the tables of the current schema whose names match a regular expression."""
    names = connection.execute(
        """SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relname ~ %s
             AND relnamespace = current_schema()::regnamespace ORDER BY relname""",
        (pattern,),
    ).fetchall()
    if names:
        connection.execute(
            sql.SQL("DROP TABLE {}").format(sql.SQL(", ").join(sql.Identifier(name) for (name,) in names))
        )
