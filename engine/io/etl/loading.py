"""Head of a loader: its name, version and options, and the tables of one call of it.

A loader is a function in a module of `loaders`, named in `etl.LOADERS`. The smallest one:

    NAME, TABLE = "aqueduct", "water_stress_rankings"

    @loading.loader(NAME, version="1")
    def load(task: Task) -> None:
        path = source_files.one_file(task.options.data, NAME, "Aqueduct40_rankings*.xlsx")  # MissingInputError: absent
        with task.table(TABLE, [path]) as record:
            if record.up_to_date:
                return
            rows = read(path)                                 # anything unexpected: SchemaError in one sentence
            with record.transaction():                        # data and 'published' in one commit, or neither
                task.connection.execute(f"DELETE FROM {TABLE}")
                record.rows = write(task.connection, rows)    # set the record's fields inside the transaction
                record.findings += check(rows)                # a finding of severity E refuses the load

Killed at any point, a table shows its old or its new content: whatever happens before `transaction()` must go to
tables named `<table>_new` or `<table>_pNN_new`, which the next load of the table drops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Protocol

import psycopg

from engine.core.errors import EngineError, SettingsError
from engine.core.scenario import Scenario
from engine.io.etl.load_record import LoadInputs, LoadReport, Record, recorded
from engine.io.files import source_files
from engine.io.files.source_files import SourceFile

_SAMPLE = "sample:"
#: scope of a station record or the like: it may lack scenarios, years and tables
OBSERVED = "observed"
#: options that only some loaders take -> how the command line calls them
FLAGS: Mapping[str, str] = {
    "variables": "--variables",
    "scenarios": "--scenarios",
    "keep_ocean": "--keep-ocean",
    "units": "--unit",
    "crs": "--crs",
    "regions": "--regions",
    "region_name": "--region-name",
    "gate": "--gate",
    "refresh": "--refresh",
    "lattice": "--from",
    "member": "--member",
}


class Progress(Protocol):
    """What a loader tells the person waiting: a step (empty: only how far it is), and how far it is. What is up to date
    is no step."""

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """Options of a call of the loaders. Those of `FLAGS` serve the loaders that declare them, the others all.

    data      : directory searched, recursively, for source files
    scope     : of sources that do not say it themselves (`full`, `synthetic`, `observed`)
    sample_limit : that many land cells, with the whole time axis and all scenarios
    variables, scenarios : None = all
    units     : variable or element -> unit that overrides the file's
    regions   : the file of regions, wherever it lies, of a country whose regions have one level
    region_name : property of it that holds the names
    gate      : TOML of ranges laid over the built-in ones
    refresh   : choose anew what somebody may have set by hand (outlet gauges)
    lattice   : file the `grid` loader takes the lattice and years from
    member    : the one to read of gridded files with several climate models or realisations
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
    regions: Path | None = None
    region_name: str | None = None
    gate: Path | None = None
    refresh: bool = False
    lattice: Path | None = None
    member: str | None = None
    workers: int = 4

    def given(self) -> tuple[str, ...]:
        """Options of `FLAGS` that are set."""
        return tuple(each.name for each in fields(self) if each.name in FLAGS and getattr(self, each.name))

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


@dataclass(frozen=True, slots=True)
class Task:
    """One call of a loader: where it loads to, what the caller decides, and the tables that are done."""

    loader: Loader
    connection: psycopg.Connection
    options: LoadOptions
    progress: Progress
    reports: list[LoadReport] = field(default_factory=list)

    def find(self, *patterns: str) -> list[Path]:
        """Files below the data directory, by name."""
        return source_files.find(self.options.data, *patterns)

    def absent(self, table: str, message: str) -> None:
        """Report an optional input that is not there."""
        self.reports.append(LoadReport(loader=self.loader.name, table=table, status="absent", message=message))

    def recorded(
        self,
        table: str,
        files: Sequence[Path | SourceFile],
        *,
        scope: str | None = None,
        flags: Mapping[str, str] | None = None,
        scope_in_files: bool = False,
    ) -> AbstractContextManager[Record]:
        """Record of the load of one table, see `LoadInputs`.

        scope : None = the sample's, else the caller's
        flags : None = the CRS, for a loader that takes one
        """
        options = self.options
        if flags is None:
            flags = {"crs": options.crs} if options.crs and "crs" in self.loader.takes else {}
        inputs = LoadInputs(
            loader=self.loader.name,
            version=self.loader.version,
            table=table,
            scope=options.scope_of(None) if scope is None else scope,
            files=files,
            flags=flags,
            scope_in_files=scope_in_files,
        )
        return recorded(self.connection, inputs, force=options.force, dry_run=options.dry_run)

    @contextmanager
    def table(
        self,
        table: str,
        files: Sequence[Path | SourceFile],
        *,
        scope: str | None = None,
        flags: Mapping[str, str] | None = None,
        scope_in_files: bool = False,
    ) -> Iterator[Record]:
        """As `recorded`, and the table is reported when the load ends well."""
        with self.recorded(table, files, scope=scope, flags=flags, scope_in_files=scope_in_files) as record:
            yield record
        self.reports.append(record.report())


@dataclass(frozen=True, slots=True)
class Loader:
    """A loader: its version changes when the same files would give other rows; `takes` names options of `FLAGS`."""

    name: str
    version: str
    takes: frozenset[str]
    work: Callable[[Task], None]

    def __call__(self, connection: psycopg.Connection, options: LoadOptions, progress: Progress) -> list[LoadReport]:
        """Load; of several tables those done before one fails go with its error (`EngineError.done`)."""
        task = Task(self, connection, options, progress)
        try:
            self.work(task)
        except EngineError as err:
            err.done = tuple(task.reports)
            raise
        return task.reports


def loader(name: str, *, version: str, takes: Sequence[str] = ()) -> Callable[[Callable[[Task], None]], Loader]:
    """Make a loader of a function that loads the tables of a `Task`."""
    if strange := set(takes) - FLAGS.keys():
        raise ValueError(f"loader {name} takes options that do not exist: {sorted(strange)}")
    return lambda work: Loader(name, version, frozenset(takes), work)
