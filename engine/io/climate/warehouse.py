"""The climate source of a PostgreSQL warehouse, ours or somebody else's.

Blocks come by binary COPY, rows in any order, decoded and placed by one compiled loop (`scatter`). Small tables, of any
types, come through the Arrow driver. Measured on 2 million rows of four scenarios, processor time of the client a row:
compiled loop 0.1 to 0.16 us, Arrow driver 0.5 to 0.7 us before anything is placed, rows joined in Python 3 us.
connectorx opens its own connections, which cannot share a snapshot, and takes no socket address.
"""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property

import adbc_driver_manager
import numpy as np
import polars as pl
import psycopg
import pyarrow as pa
from adbc_driver_postgresql import dbapi

from engine.core.counted import counted
from engine.core.errors import EngineError, SchemaError, SourceError
from engine.core.grid import GridDefinition
from engine.core.panel import Float32, Panel
from engine.core.period import Years
from engine.core.scenario import Scenario, ScenarioNames
from engine.core.variables import BY_TABLE, VARIABLES, Variable, variable
from engine.io.climate import catalog, scatter, schema
from engine.io.climate.active_cells import active_cells, nearest
from engine.io.db import pooler, postgres

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# a yearly run holds its snapshot for hours, mostly idle
_PATIENCE = ("SET statement_timeout = 0", "SET idle_in_transaction_session_timeout = 0")
_SNAPSHOT_ID = re.compile(r"[0-9A-F-]+")
#: a block that spans more ids than this many times its cells is asked for cell by cell
_SPARSE = 64


class WarehouseSource:
    """All reads see the state of the moment it was opened, on every connection.

    url         : PostgreSQL address; connections: how many variables of a block are read at once
    snapshot    : see what another process saw, by its `snapshot`; it must still be open
    raises      : SourceError (server, rights, nothing there), SchemaError (a table does not fit)
    """

    def __init__(self, url: str, *, connections: int = 2, snapshot: str | None = None) -> None:
        self._name = postgres.describe(url)
        self._control = postgres.connect(url)
        self._idle: queue.SimpleQueue[psycopg.Connection] = queue.SimpleQueue()
        self._readers: list[psycopg.Connection] = []
        self._arrow: dbapi.Connection | None = None
        self._one_at_a_time = threading.Lock()
        self._workers = ThreadPoolExecutor(connections, "reader")
        try:
            self._open(url, connections, snapshot)
        except EngineError as err:
            self.close()
            raise type(err)(f"warehouse {self._name}: {err}") from err.__cause__

    def _open(self, url: str, connections: int, snapshot: str | None) -> None:
        pooler.require_session(self._control, "a snapshot of the warehouse", "DW_* (or --source, --warehouse)")
        with postgres.failures("opening the warehouse", SourceError):
            for command in (*_PATIENCE, _BEGIN):
                self._control.execute(command)
            if snapshot is None:
                row = self._control.execute("SELECT pg_export_snapshot()").fetchone()
                if row is None:
                    raise SourceError("the server exported no snapshot")
                snapshot = str(row[0])
            else:
                self._control.execute(_import(snapshot))
            self._snapshot = snapshot
            self._types = catalog.present(self._control)
            self._loads = catalog.published(self._control)
            self._names = catalog.scenario_names(self._control)
            self._fingerprint = catalog.fingerprint(self._control, self._loads, self._types)
            shared = (*_PATIENCE, _BEGIN, _import(snapshot))
            for _ in range(connections):
                reader = postgres.connect(url)
                self._readers.append(reader)
                for command in shared:
                    reader.execute(command)
                self._idle.put(reader)
        with _driver_failures("opening the warehouse"):
            self._arrow = dbapi.connect(url, autocommit=True)
            with self._arrow.cursor() as cursor:
                for command in ("SET TIME ZONE 'UTC'", *shared):
                    cursor.execute(command)
        with postgres.failures("reading the lattice", SourceError):
            self._axis, self._grid = self._lattice()

    def _lattice(self) -> tuple[Years, GridDefinition | None]:
        if "grid_definition" in self._types:
            rows = self.table("grid_definition").select(schema.REFERENCE["grid_definition"].key)
            if rows.height != 1:
                raise SchemaError(f"grid_definition: {counted(rows.height, 'row')} instead of one")
            grid = GridDefinition(*rows.row(0))
            return grid.axis, grid
        years = catalog.axis(self._control, self._types)
        return years, catalog.lattice(self._location, years)

    @property
    def address(self) -> str:
        return self._name

    @property
    def grid(self) -> GridDefinition | None:
        return self._grid

    @property
    def axis(self) -> Years:
        return self._axis

    @property
    def scope(self) -> str:
        return catalog.weakest_scope(self._loads)

    @property
    def scenario_names(self) -> ScenarioNames:
        return self._names

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def snapshot(self) -> str:
        return self._snapshot

    @property
    def cuts(self) -> tuple[int, ...]:
        return ()

    @cached_property
    def tables(self) -> Mapping[str, frozenset[str]]:
        """Columns as they are, and in `location_grid` also those that the reader works out."""
        listed = {name: frozenset(columns) for name, columns in self._types.items()}
        return listed | {"location_grid": frozenset(self._location.columns)}

    @cached_property
    def covered_years(self) -> tuple[int, ...]:
        name = "api_typhoon_besttrack"
        if name not in self._types:
            return ()
        stated = [load.report["covered_years"] for load in self._loads if load.table == name and load.report]
        if stated:
            return tuple(sorted({int(year) for years in stated for year in years}))
        years = self.table(name)["year"].drop_nulls()
        return tuple(range(int(years.min()), int(years.max()) + 1))  # type: ignore[arg-type]

    def cells(self) -> pl.DataFrame:
        return self._cells

    @cached_property
    def _cells(self) -> pl.DataFrame:
        attributes = self.table("grid_attributes") if "grid_attributes" in self._types else None
        return active_cells(self._location, attributes)

    @cached_property
    def _location(self) -> pl.DataFrame:
        """`location_grid` with `has_climate` and `slr_grid_id`, worked out where a foreign warehouse has neither."""
        frame = self._fetch("location_grid")
        if "has_climate" not in frame.columns:
            frame = frame.with_columns(has_climate=pl.col("grid_id").is_in(self._with_values().implode()))
        if "slr_grid_id" not in frame.columns and {"sea_level_grid", "sea_level_data"} <= self._types.keys():
            latitude, longitude = (frame[name].cast(pl.Float64).to_numpy() for name in ("latitude", "longitude"))
            frame = frame.with_columns(slr_grid_id=pl.Series(nearest(latitude, longitude, self._ocean())))
        return frame

    def _with_values(self) -> pl.Series:
        """Cells with a value in the first required climate table."""
        first = next((v for v in VARIABLES.values() if v.required and v.table in self._types), None)
        first = first or next(BY_TABLE[name] for name in self._types if name in BY_TABLE)
        columns = [name for name in schema.SCENARIO_COLUMNS if name in self._types[first.table]]
        valid = " OR ".join(f"{column}::float8 < 'NaN'" for column in columns) or "true"
        with _driver_failures(f"looking for cells in {first.table}"):
            return self._query(f"SELECT DISTINCT grid_id::integer AS grid_id FROM {first.table} WHERE {valid}")[
                "grid_id"
            ]

    def _ocean(self) -> pl.DataFrame:
        """Points of the sea-level grid that hold levels."""
        points, levels = self.table("sea_level_grid"), self.table("sea_level_data")
        if "is_ocean" in points.columns:
            return points.filter(pl.col("is_ocean"))
        columns = [name for name in schema.SCENARIO_COLUMNS if name in levels.columns]
        held = levels.filter(pl.any_horizontal(pl.col(columns).is_finite()))["grid_id"].unique()
        if held.is_empty():
            raise SourceError("sea_level_data holds no level")
        return points.filter(pl.col("grid_id").is_in(held.implode()))

    def table(self, name: str) -> pl.DataFrame:
        """A small table, sorted by its key; numbers without a fixed width as f64, moments in UTC."""
        if name not in self._types or name not in schema.REFERENCE:
            raise SourceError(f"warehouse {self._name} has no table {name} with rows")
        return self._location if name == "location_grid" else self._fetch(name)

    def _fetch(self, name: str) -> pl.DataFrame:
        columns = [_selected(column, kind) for column, kind in self._types[name].items()]
        with _driver_failures(f"reading {name}"):
            frame = self._query(f"SELECT {', '.join(columns)} FROM {name}")
        return frame.sort(column for column in schema.REFERENCE[name].key if column in frame.columns)

    def _query(self, command: str) -> pl.DataFrame:
        assert self._arrow is not None  # noqa: S101  (opened with the source)
        with self._one_at_a_time, self._arrow.cursor() as cursor:
            cursor.execute(command)
            frame = pl.from_arrow(cursor.fetch_arrow_table())
        assert isinstance(frame, pl.DataFrame)  # noqa: S101  (a table never becomes a series)
        return frame

    def read(self, cells: pl.DataFrame, variables: Sequence[str], scenarios: Sequence[Scenario]) -> Panel:
        ids = np.array(cells["grid_id"].to_numpy(), np.int32)
        if not len(ids) or (np.diff(ids) <= 0).any():
            raise ValueError(f"{counted(len(ids), 'cell')}: a block needs cells, ascending and once each")
        wanted = []
        for each in map(variable, variables):
            held = [s for s in scenarios if s.column in self._types.get(each.table, ())]
            if held:
                wanted.append((each, held))
        results = list(self._workers.map(lambda pair: self._variable(ids, *pair), wanted))
        found = [(each, held, *result) for (each, held), result in zip(wanted, results, strict=True)]
        arrays = {(each.name, scenario): array for each, held, blocks, _ in found
                  for scenario, array in zip(held, blocks, strict=True)}  # fmt: skip
        duplicates = {each.table: placed.duplicates for each, _, _, placed in found if placed.duplicates}
        off_axis = {each.table: placed.off_axis for each, _, _, placed in found if placed.off_axis}
        return Panel(cells=cells, axis=self._axis, arrays=arrays, duplicates=duplicates, off_axis=off_axis)

    def _variable(
        self, ids: scatter.Int32, each: Variable, scenarios: Sequence[Scenario]
    ) -> tuple[list[Float32], scatter.Placed]:
        """One array a scenario, and what became of the rows."""
        years, slots = self._axis.n, len(ids) * self._axis.n * each.steps
        out, filled = np.full((len(scenarios), slots), np.nan, np.float32), np.zeros(slots, np.bool_)
        query, calendar = self._block_query(each, scenarios, ids), scatter.calendar(self._axis, each.steps)
        with postgres.failures(f"reading {each.table}", SourceError), self._reader() as reader:
            try:
                placed = scatter.place(reader, query, ids, *calendar, filled, out)
            except EngineError as err:
                raise type(err)(f"failed while reading {each.table}: {err}") from None
        shape = (len(ids), years, each.steps) if each.monthly else (len(ids), years)
        return [block.reshape(shape) for block in out], placed

    def _block_query(self, each: Variable, scenarios: Sequence[Scenario], ids: scatter.Int32) -> str:
        types = self._types[each.table]
        time = each.time_column if types[each.time_column] in ("date", "int4") else f"{each.time_column}::integer"
        values = [s.column if types[s.column] == "float4" else f"{s.column}::real" for s in scenarios]
        if int(ids[-1]) - int(ids[0]) > _SPARSE * len(ids):
            chosen = f"grid_id = ANY('{{{','.join(map(str, ids.tolist()))}}}')"
        else:
            chosen = f"grid_id >= {ids[0]} AND grid_id <= {ids[-1]}"
        columns = ["grid_id::integer", time, *values]
        return f"SELECT {', '.join(columns)} FROM {each.table} WHERE {chosen}"

    @contextmanager
    def _reader(self) -> Iterator[psycopg.Connection]:
        reader = self._idle.get()
        try:
            yield reader
        finally:
            self._idle.put(reader)

    def close(self) -> None:
        self._workers.shutdown(cancel_futures=True)
        for reader in self._readers:
            reader.close()
        if self._arrow is not None:
            self._arrow.close()
        self._control.close()


def _import(snapshot: str) -> str:
    """The first command of a transaction that is to see what another one sees."""
    if not _SNAPSHOT_ID.fullmatch(snapshot):
        raise SourceError(f"{snapshot!r} is no snapshot of a PostgreSQL server")
    return f"SET TRANSACTION SNAPSHOT '{snapshot}'"


def _selected(column: str, kind: str) -> str:
    """SQL expression that selects a column of a small table."""
    name = '"' + column.replace('"', '""') + '"'
    if kind == "numeric":
        return f"{name}::float8 AS {name}"
    if kind == "timestamp":
        return f"{name} AT TIME ZONE 'UTC' AS {name}"
    return name


@contextmanager
def _driver_failures(doing: str) -> Iterator[None]:
    """Turn the Arrow driver's exceptions into one sentence."""
    try:
        yield
    except (adbc_driver_manager.Error, pa.ArrowException, OSError) as err:
        detail = str(err).partition("ERROR:")[2] or str(err).partition("] ")[2] or str(err)
        detail = detail.strip().splitlines()[0] if detail.strip() else type(err).__name__
        raise SourceError(f"failed while {doing}: {detail}") from err
