"""The life of a load: find the files, skip what is already published, write, publish with the record of it.

A loader is a module with `NAME`, `VERSION` and `load`. The smallest one:

    NAME, VERSION, TABLE = "aqueduct", "1", "water_stress_rankings"

    def load(connection, options, progress):
        path = files.one_file(options.data, NAME, "Aqueduct40_rankings*.xlsx")  # MissingInputError when absent
        with loading.recorded(connection, loader=NAME, version=VERSION, table=TABLE, scope=options.scope, files=[path],
                              force=options.force, dry_run=options.dry_run) as record:
            if not record.up_to_date:
                rows = read(path)                            # anything unexpected: SchemaError in one sentence
                with record.transaction():                   # data and 'published' in one commit, or neither
                    connection.execute(f"DELETE FROM {TABLE}")
                    record.rows = write(connection, rows)    # set the record's fields inside the transaction
                    record.findings += check(rows)           # a finding of severity E refuses the load
        return [record.report()]

Killed at any point, a table shows its old or its new content: whatever happens before `transaction()` must go to
tables named `<table>_new` or `<table>_pNN_new`, which the next load of the table drops.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from engine.core.errors import EngineError, SettingsError
from engine.core.quality import Finding
from engine.core.quality import errors as gate_errors
from engine.core.scenario import Scenario
from engine.io.db import postgres
from engine.io.files.source_files import SourceFile

Status = Literal["published", "up to date", "checked", "failed", "not given", "absent"]
_SAMPLE = "sample:"
#: scope of a station record or the like: it may lack scenarios, years and tables
OBSERVED = "observed"


class GateError(EngineError):
    """The quality gate refused the staged data; the published data stay. `findings` is all it said."""

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


class Progress(Protocol):
    """What a loader tells the person waiting: a step (empty: only how far it is), and how far it is. What is up to date
    is no step."""

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What the caller of the loaders decides.

    data      : directory searched, recursively, for source files
    scope     : of sources that do not say it themselves (`full`, `synthetic`, `observed`)
    sample_limit : that many land cells, with the whole time axis and all scenarios
    variables, scenarios : None = all
    units     : variable or element -> unit that overrides the file's
    gate      : TOML of ranges laid over the built-in ones
    refresh   : choose anew what somebody may have set by hand (outlet gauges)
    lattice   : file the `grid` loader takes the lattice and years from
    workers   : connections that load at the same time
    """

    data: Path
    scope: str = "full"
    force: bool = False
    dry_run: bool = False
    sample_limit: int | None = None
    variables: tuple[str, ...] | None = None
    scenarios: tuple[Scenario, ...] | None = None
    keep_ocean: bool = False
    units: Mapping[str, str] = field(default_factory=dict)
    crs: str | None = None
    gate: Path | None = None
    refresh: bool = False
    lattice: Path | None = None
    workers: int = 4

    def __post_init__(self) -> None:
        if self.sample_limit is not None and self.sample_limit < 1:
            raise SettingsError(f"SAMPLE_LIMIT is a positive number of cells, not {self.sample_limit}")
        if self.scenarios is not None and set(self.scenarios) != set(Scenario) and not self.sample_limit:
            raise SettingsError(
                "--scenarios leaves columns empty, which only a sample may: give --sample-limit N, too (a number above"
                " that of the land cells takes them all)"
            )
        if self.workers < 1:
            raise SettingsError(f"ETL_WORKERS is a positive number of connections, not {self.workers}")

    def scope_of(self, declared: str | None) -> str:
        """Scope of a load: the sample limit, else what the source declares, else the caller's."""
        return f"{_SAMPLE}{self.sample_limit}" if self.sample_limit else (declared or self.scope)


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


class Loader(Protocol):
    """A loader module."""

    NAME: str
    VERSION: str

    def load(self, connection: psycopg.Connection, options: LoadOptions, progress: Progress) -> list[LoadReport]: ...


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


@contextmanager
def summary() -> Iterator[list[LoadReport]]:
    """Reports of a loader with several tables: those done before one fails go with its error to the caller."""
    reports: list[LoadReport] = []
    try:
        yield reports
    except EngineError as err:
        err.done = tuple(reports)
        raise


def failed(loader: str, err: EngineError) -> LoadReport:
    """The summary line of a loader that was refused, with what the gate said."""
    findings = err.findings if isinstance(err, GateError) else ()
    table = findings[0].table if findings else ""
    return LoadReport(loader=loader, table=table, status="failed", message=str(err), findings=findings)


@contextmanager
def recorded(
    connection: psycopg.Connection,
    *,
    loader: str,
    version: str,
    table: str,
    scope: str,
    files: Sequence[Path | SourceFile],
    force: bool = False,
    dry_run: bool = False,
    overrides: Mapping[str, str] | None = None,
    scope_in_files: bool = False,
) -> Iterator[Record]:
    """Hold the lock of `table` and keep the load's row in `etl_load`: running, then published or failed.

    connection : in autocommit mode; the loader uses it for the data, too
    files      : sources, hashed here unless they come as SourceFile (see `SourceFile.of_value` for other inputs)
    overrides  : flags that change what is stored (units, CRS, land mask): recorded, and part of "up to date"
    scope_in_files : the files may declare another scope; the loader sets `record.scope` once it has opened them
    raises     : BusyError when another load of the table is going; EngineError for a failure of the database
    """
    with (
        postgres.failures(f"loading {table}", EngineError),
        postgres.advisory_lock(connection, (f"etl:{table}",), f"another load of {table} is going"),
    ):
        if not dry_run:
            _bury_the_dead(connection, loader, table)
        flags = dict(overrides or {}) | ({"scope": scope} if scope_in_files else {})
        sources = [SourceFile.of_value(f"--{key}={value}", value) for key, value in sorted(flags.items())]
        sources += [file if isinstance(file, SourceFile) else SourceFile.of(file) for file in files]
        record = Record(connection, loader, version, table, scope, tuple(sources), dry_run=dry_run)
        if not force and (rows := _published(record, scope_in_files)) is not None:
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
