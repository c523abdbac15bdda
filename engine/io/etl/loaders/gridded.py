"""Loaders of the gridded climate variables: four scenario files of one variable become one table.

A variable is read whole (cells with values only, 1.5 GB for a national monthly one), checked, staged and switched on
its own connection, so that several variables load at the same time. The first required one goes ahead, because its
cells are the land mask of all others; it writes its bands over all connections.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from engine.core.errors import EngineError, SchemaError, SettingsError
from engine.core.grid import GridDefinition
from engine.core.quality import ERROR, WARNING, Finding, Range, load_ranges
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES, Variable
from engine.io.etl import cross, gate, lattice, loading, sources, staging, stored_units
from engine.io.etl.gate import Staged
from engine.io.etl.load_record import GateError, LoadReport, Record
from engine.io.etl.loaders import grid as lattice_loader
from engine.io.etl.loading import OBSERVED, Loader, LoadOptions, Task
from engine.io.files.source_files import MissingInputError, SourceFile
from engine.io.netcdf import lattice_files, units

Float32 = lattice_files.Float32
Ints = lattice_files.Ints

#: scenario files read at the same time: while one is decompressed, another is sorted into cells
_READERS = 2
#: shipped by the provider, but nothing is lost without them
_SPARE = ("sdii", "ta_yearly")


@dataclass(slots=True)
class _Reading:
    """Metadata of the files of one variable."""

    scope: str = ""
    units: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    cell_method: str = ""
    fill_value: float | None = None
    attributes: dict[str, str] = field(default_factory=dict)


def _load(names: Sequence[str], task: Task) -> None:
    """Load every chosen variable of `names`; a failure stops its own table only.

    raises : SettingsError, before any table was touched, for options that do not fit the data
    """
    options, connection = task.options, task.connection
    if options.dry_run:
        grid = lattice_loader.planned(connection, options)[0]
    else:
        grid = lattice.required_definition(connection, task.loader.name)
    chosen = [VARIABLES[name] for name in names if options.variables is None or name in options.variables]
    held = tuple(lattice_loader.scenario_names(connection, options)) or tuple(Scenario)
    job = _Job(task, grid, load_ranges(options.gate), sources.gridded(options.data), len(chosen), held)
    task.reports.extend(job.run(chosen))


def _loader(name: str, *names: str) -> Loader:
    takes = ("variables", "scenarios", "keep_ocean", "units", "gate", "member")
    return loading.loader(name, version="1", takes=takes)(partial(_load, names))


MONTHLY = _loader("monthly_grid", "ta", "rn", "ws", "rhm", "si", "spei12")
YEARLY = _loader("yearly_grid", "wsdi", "csdi", "rx1day", "rx5day", "cdd", "rain80", "sdii", "ta_yearly")
OPTIONAL = _loader("optional_grid", *(name for name, variable in VARIABLES.items() if variable.optional))


@dataclass
class _Job:
    task: Task
    grid: GridDefinition
    ranges: Mapping[str, Range]
    found: Mapping[tuple[str, Scenario], Path]
    total: int
    held: tuple[Scenario, ...]
    done: int = 0

    @property
    def options(self) -> LoadOptions:
        return self.task.options

    def run(self, chosen: Sequence[Variable]) -> list[LoadReport]:
        """The first variable by itself, the others side by side, each on a connection of its own."""
        if not chosen:
            return []
        connection = self.task.connection
        idle = [another(connection) for _ in range(self.options.workers)]
        everyone = list(idle)
        pending: dict[str, Future[LoadReport]] = {}

        def work(variable: Variable, streams: int = 1) -> LoadReport:
            # a rule between two tables needs the other one published; it was handed out earlier, so it is under way
            for rule in cross.RULES.get(variable.name, ()):
                if rule.other in pending:
                    pending[rule.other].result()
            own = [idle.pop() for _ in range(streams)]
            report = self._report(own, variable)
            if any(one.broken for one in own):  # the transaction is gone with the connection: one restart
                own = [another(connection) if one.broken else one for one in own]
                everyone.extend(own)
                report = self._report(own, variable)
            idle.extend(own)
            return report

        try:
            reports = [work(chosen[0], len(idle))]
            with ThreadPoolExecutor(self.options.workers) as pool:
                try:
                    for variable in chosen[1:]:
                        pending[variable.name] = pool.submit(work, variable)
                    reports += [future.result() for future in pending.values()]
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    for own in everyone:
                        own.cancel_safe()
                    raise
        finally:
            for own in everyone:
                own.close()
        return reports

    def _report(self, connections: Sequence[psycopg.Connection], variable: Variable) -> LoadReport:
        started = time.perf_counter()
        paths = {s: path for (name, s), path in self.found.items() if name == variable.name}
        if self.options.scenarios is not None:
            paths = {scenario: path for scenario, path in paths.items() if scenario in self.options.scenarios}
        blank = LoadReport(loader=self.task.loader.name, table=variable.table, status="absent", files=len(paths))
        try:
            if not paths:
                expected = sources.expected_name(variable, Scenario.SSP126)
                if variable.optional or variable.name in _SPARE or self.options.scope == OBSERVED:
                    return replace(blank, message=f"no files such as {expected}")
                raise MissingInputError(f"{variable.table}: no files such as {expected} below {self.options.data}")
            return self._load(connections, variable, paths)
        except SettingsError:
            raise
        except EngineError as err:
            seconds = time.perf_counter() - started
            if isinstance(err, MissingInputError) and not err.in_part:
                return replace(blank, status="not given", message=str(err))
            return replace(blank, status="failed", message=str(err), seconds=seconds, findings=_found(err))
        finally:
            self.done += 1
            self.task.progress("", self.done, self.total)

    def _load(
        self, connections: Sequence[psycopg.Connection], variable: Variable, paths: Mapping[Scenario, Path]
    ) -> LoadReport:
        """The first connection holds the lock and switches, all of them write."""
        options, connection = self.options, connections[0]
        self._refuse_missing_files(variable, paths)
        reference = _reference(connection, variable)
        flags = {"unit": options.units[variable.name]} if variable.name in options.units else {}
        flags |= {"keep-ocean": "yes"} if options.keep_ocean else {}
        flags |= {"member": options.member} if options.member else {}
        with ThreadPoolExecutor(_READERS) as pool:
            inputs = list(pool.map(lambda scenario: SourceFile.of(paths[scenario], scenario), sorted(paths)))
        inputs.append(SourceFile.of_value("grid_definition", asdict(self.grid)))
        if options.sample_limit and reference:
            inputs.append(SourceFile.of_value("land mask", reference[1]["land"]))
        own = replace(self.task, connection=connection)
        with own.recorded(variable.table, inputs, flags=flags, scope_in_files=True) as record:
            if not record.up_to_date:
                self.task.progress(variable.table, self.done, self.total)
                with contextlib.ExitStack() as stack:
                    scratch = stack.enter_context(_scratch()) if options.keep_ocean else None
                    staged = self._read(variable, paths, reference, record, scratch)
                    self._publish(connections, staged, record)
            report = record.report()
        return replace(report, files=len(paths))

    def _refuse_missing_files(self, variable: Variable, paths: Mapping[Scenario, Path]) -> None:
        wanted = self.options.scenarios or self.held
        absent = [sources.expected_name(variable, scenario) for scenario in wanted if scenario not in paths]
        if not absent:
            return
        with lattice_files.field(next(iter(paths.values())), variable, self.grid, self.options.member) as source:
            scope = source.scope or self.options.scope
        if scope != OBSERVED:
            raise MissingInputError(
                f"{variable.table}: {len(absent)} of {len(wanted)} scenario files are missing: {', '.join(absent)}"
                " (--scenarios with --sample-limit loads what there is, as a sample)",
                in_part=True,
            )

    def _read(
        self,
        variable: Variable,
        paths: Mapping[Scenario, Path],
        reference: tuple[str, dict[str, Any]] | None,
        record: Record,
        scratch: Path | None,
    ) -> Staged:
        """All scenarios on the same cells, in the stored unit; fills the record."""
        said = _Reading()
        series: dict[Scenario, tuple[Ints, Float32]] = {}

        def read(scenario: Scenario) -> tuple[lattice_files.Field, Ints, Float32]:
            with lattice_files.field(paths[scenario], variable, self.grid, self.options.member) as source:
                ceiling = units.ceiling(variable, source.unit, self.options.units.get(variable.name))
                file = scratch / scenario.column if scratch else None
                return source, *lattice_files.read_cells(source, self.grid, file, ceiling)

        with ThreadPoolExecutor(_READERS) as pool:
            for scenario, (source, cells, values) in zip(sorted(paths), pool.map(read, sorted(paths)), strict=True):
                _agree(said, source, paths[scenario])
                self._convert(variable, source, cells, values, said)
                series[scenario] = cells, values
        scope = self.options.scope_of(said.scope)
        land = np.unique(np.concatenate([cells for cells, _ in series.values()]))
        if scratch is not None:
            land = land[~np.logical_and.reduce([np.isnan(values).all(axis=1) for _, values in series.values()])]
        kept = np.arange(self.grid.n_cells) if scratch is not None else land
        if self.options.sample_limit:
            # on the land mask of the first required table, so that the sampled tables join
            mask = lattice.from_ranges(reference[1]["land"]) - 1 if reference else land
            kept = lattice.evenly_spaced(mask, self.options.sample_limit)
        columns = {scenario: _aligned(kept, cells, values) for scenario, (cells, values) in series.items()}
        record.scope, record.cells, record.steps = scope, len(kept), self.grid.axis.n * variable.steps
        record.source_unit = ", ".join(dict.fromkeys(said.units.values()))
        record.stored_unit, record.cell_method = variable.unit, said.cell_method or None
        record.fill_value, record.source_crs = said.fill_value, "EPSG:4326"
        record.gate_report = {
            "land": lattice.as_ranges(land + 1),
            "cells": lattice.as_ranges((land if scratch is not None else kept) + 1),
            "attributes": said.attributes,
        }
        record.findings += [Finding(WARNING, variable.table, note) for note in dict.fromkeys(said.notes)]
        record.findings += self._mask_findings(variable, land, scope, reference)
        return Staged(variable, self.grid, scope, kept, columns)

    def _convert(
        self, variable: Variable, source: lattice_files.Field, cells: Ints, values: Float32, said: _Reading
    ) -> None:
        """To the stored unit, in place."""
        told = stored_units.Told(source.name, source.unit, source.calendar, self.options.units.get(variable.name))
        found = stored_units.convert(variable, self.grid, cells, values, told, self.ranges["si_clearness"])
        said.units[source.name] = found.found
        if found.note:
            said.notes.append(found.note)

    def _mask_findings(
        self, variable: Variable, land: Ints, scope: str, reference: tuple[str, dict[str, Any]] | None
    ) -> list[Finding]:
        if reference is None:
            return []
        table, other = reference
        if other["scope"] != scope:
            message = f"scope {scope} beside {table} of scope {other['scope']}"
            return [Finding(WARNING, variable.table, message)]
        severity = ERROR if variable.required and scope != OBSERVED else WARNING
        return gate.mask_findings(variable.table, land, lattice.from_ranges(other["land"]) - 1, table, severity)

    def _publish(self, connections: Sequence[psycopg.Connection], staged: Staged, record: Record) -> None:
        """Gate, stage, switch. The gate looks at the values while they are written: both only read them."""
        variable, options, connection = staged.variable, self.options, connections[0]
        elevation = elevation_of(connection, staged) if variable.name == "ta" else None
        if options.dry_run or not len(staged.cells):
            record.findings += gate.climate_findings(staged, self.ranges, elevation)
            with record.transaction():
                record.rows = len(staged.cells) * staged.steps
            return
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(gate.climate_findings, staged, self.ranges, elevation)
            figures = pool.submit(gate.figures, staged)
            record.rows, record.gate_report["bands"] = staging.stage(connections, staged)
            record.findings += asked.result()
            record.gate_report["columns"] = figures.result()
        partitions = [(band.name(variable.table, "_new"), band.lo, band.hi) for band in staging.bands(self.grid)]
        record.findings += cross.findings(connection, variable, partitions, list(staged.present))
        try:
            with record.transaction():
                staging.switch(connection, variable, self.grid)
                lattice.activate(connection, variable.table, lattice.from_ranges(record.gate_report["cells"]))
        except GateError:
            staging.set_aside(connection, variable, self.grid)
            raise
        staging.drop_old(connection, variable)


def another(connection: psycopg.Connection) -> psycopg.Connection:
    """A second connection to the same database as the same user."""
    parts: dict[str, Any] = {**connection.info.get_parameters(), "password": connection.info.password or None}
    own = psycopg.connect(**{key: value for key, value in parts.items() if value is not None}, autocommit=True)
    own.execute("SET TIME ZONE 'UTC'")
    return own


def _reference(connection: psycopg.Connection, variable: Variable) -> tuple[str, dict[str, Any]] | None:
    """The first published required table and its cells; None for that table itself."""
    required = [other.table for other in VARIABLES.values() if other.required]
    published = lattice.published_cells(connection)
    for table in required:
        if table == variable.table:
            return None
        if table in published:
            return table, published[table]
    return None


def _agree(said: _Reading, source: lattice_files.Field, path: Path) -> None:
    """Files of one variable must belong together."""
    if said.units and source.scope != said.scope:
        raise SchemaError(f"{path.name}: scope {source.scope!r}, other scenarios of the variable have {said.scope!r}")
    if not said.units:
        said.scope, said.cell_method, said.fill_value = source.scope, source.cell_method, source.fill_value
        said.attributes = source.attributes


def _aligned(kept: Ints, cells: Ints, values: Float32) -> Float32:
    """Rows of `kept` cells; NaN for a cell that this scenario does not hold."""
    if np.array_equal(kept, cells):
        return values
    position = np.searchsorted(cells, kept)
    held = position < len(cells)
    held[held] = cells[position[held]] == kept[held]
    aligned = np.full((len(kept), values.shape[1]), np.nan, np.float32)
    aligned[held] = values[position[held]]
    return aligned


def elevation_of(connection: psycopg.Connection, staged: Staged) -> NDArray[np.float64] | None:
    """(cells,) m, NaN where unknown; None when no cell has one."""
    rows = connection.execute(
        "SELECT grid_id, elevation_mean_m FROM grid_attributes WHERE elevation_mean_m IS NOT NULL"
    ).fetchall()
    if not rows:
        return None
    whole = np.full(staged.grid.n_cells + 1, np.nan)
    ids, metres = zip(*rows, strict=True)
    whole[np.asarray(ids)] = metres
    return np.asarray(whole[staged.grid_id])


def _found(err: EngineError) -> tuple[Finding, ...]:
    return err.findings if isinstance(err, GateError) else ()


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="etl-") as folder:
        yield Path(folder)
