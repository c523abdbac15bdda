"""Results read a layer at a time: the cells of one risk, scenario and period, of a directory, a run or a database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString, NamedTuple, Protocol

import polars as pl
import psycopg

from engine.core.errors import SettingsError, SourceError
from engine.core.names import RISK_NAMES
from engine.core.period import FULL, PERIODS
from engine.core.scenario import DEFAULT_SCENARIO
from engine.io.db import frames, postgres
from engine.io.export.figures import LAYER
from engine.io.results import published_layers, published_runs, result_folder
from engine.io.results.published import Run, directory_runs
from engine.io.results.published_figures import AAL, HAZARD, is_full
from engine.io.results.spool import RunDirectory

_CELLS = {"grid_id": pl.Int32(), "latitude": pl.Float64(), "longitude": pl.Float64()}
_SCORE = "hazard_score"
_OF_AAL = [name for name in LAYER if name not in ("grid_id", _SCORE)]
_NO_PLACES = (
    "{where} holds windows of years alone, whose rows do not say where their cells lie: export the run directory"
    " (--run DIR), or a run with the period full"
)


class LayerKey(NamedTuple):
    """What a layer is of."""

    risk: str
    scenario: int
    period: str


class Layers(Protocol):
    """Results of a run, or those that are published.

    where : address without a password
    run   : the row of `result_runs` that the rows are of; of several the newest
    runs  : rows of all runs that the rows are of, by number
    keys  : layers that are there, in the order of risks, scenarios and periods
    cells : grid_id, latitude, longitude, by number
    """

    @property
    def where(self) -> str: ...
    @property
    def run(self) -> Run: ...
    @property
    def runs(self) -> Mapping[int, Run]: ...
    @property
    def keys(self) -> Sequence[LayerKey]: ...
    @property
    def cells(self) -> pl.DataFrame: ...

    def read(self, key: LayerKey) -> pl.DataFrame:
        """Columns of LAYER, a row a cell that has any figure, by number."""
        ...


def ordered(keys: Collection[LayerKey]) -> list[LayerKey]:
    """Layers in the order of risks, scenarios and periods, windows before the whole axis."""
    periods = {name: place for place, name in enumerate(name for name in PERIODS if name != FULL)}
    risks = {name: place for place, name in enumerate(RISK_NAMES)}
    return sorted(
        set(keys),
        key=lambda key: (risks.get(key.risk, len(risks)), key.scenario, periods.get(key.period, len(periods))),
    )


def _joined(aal: pl.LazyFrame | None, score: pl.LazyFrame | None) -> pl.DataFrame:
    """Figures of both halves side by side, with the columns of LAYER."""
    halves = [half.collect() for half in (aal, score) if half is not None]
    if not halves:
        return LAYER.to_frame()
    whole = halves[0]
    if len(halves) == 2:
        whole = whole.join(halves[1], on="grid_id", how="full", coalesce=True)
    there = set(whole.columns)
    return whole.select(
        (pl.col(name) if name in there else pl.lit(None).alias(name)).cast(kind) for name, kind in LAYER.items()
    ).sort("grid_id")


class FolderLayers:
    """What a directory sink publishes at the moment when this is made.

    raises : SettingsError when it publishes nothing, or no row says where its cells lie; SourceError when two runs were
             published since
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self.where = result_folder.current(folder), str(folder)
        if not (self._folder / result_folder.RECORD).is_file():
            raise SettingsError(f"{folder} holds no published results: it has no run.json")
        with self._present():
            known = directory_runs(folder)
            self.keys: Sequence[LayerKey] = ordered([*self._full_keys(), *self._window_keys()])
            full = [scan for table in (AAL.full, HAZARD.full) if (scan := self._scan(table)) is not None]
            if not full:
                raise SettingsError(_NO_PLACES.format(where=self.where))
            every = pl.concat(scan.select(*_CELLS, "run_id") for scan in full)
            self.cells = _places(every)
            made = every.select(pl.col("run_id").unique()).collect(engine="streaming")["run_id"].to_list()
        self.runs: Mapping[int, Run] = {number: known[number] for number in sorted(made) if number in known}
        if not self.runs:
            raise SettingsError(f"{folder}: no record tells the run of its rows ({result_folder.RUNS})")
        self.run: Run = self.runs[max(self.runs)]

    @contextmanager
    def _present(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as err:
            raise SourceError(f"{self.where}: two runs were published while it was being read; read it again") from err
        except (OSError, pl.exceptions.PolarsError) as err:
            raise SourceError(f"{self.where} cannot be read: {str(err).splitlines()[0]}") from err

    def _scan(self, table: str) -> pl.LazyFrame | None:
        path = self._folder / f"{table}.parquet"
        return pl.scan_parquet(path, glob=False) if path.is_file() else None

    def _full_keys(self) -> Iterator[LayerKey]:
        for table in (AAL.full, HAZARD.full):
            if (scan := self._scan(table)) is not None:
                for risk in scan.select(pl.col("risk_type").unique()).collect(engine="streaming")["risk_type"]:
                    yield LayerKey(risk, int(DEFAULT_SCENARIO), FULL)

    def _window_keys(self) -> Iterator[LayerKey]:
        for table in (AAL.windows, HAZARD.windows):
            if (scan := self._scan(table)) is not None:
                named = scan.select("risk_type", "scenario_id", "time_period").unique().collect(engine="streaming")
                yield from map(LayerKey._make, named.iter_rows())

    def read(self, key: LayerKey) -> pl.DataFrame:
        with self._present():
            return _joined(*(self._half(figure, key) for figure in (AAL, HAZARD)))

    def _half(self, figure: Any, key: LayerKey) -> pl.LazyFrame | None:
        table, column = figure.place(key.scenario, key.period)
        if (scan := self._scan(table)) is None:
            return None
        rows = scan.filter(pl.col("risk_type") == key.risk)
        if table == figure.windows:
            rows = rows.filter((pl.col("scenario_id") == key.scenario) & (pl.col("time_period") == key.period))
        return _half(rows, column if figure is HAZARD else None)


def _half(rows: pl.LazyFrame, score: str | None) -> pl.LazyFrame:
    """Cell and figures of rows. score: the column of the hazard score; None: rows of AALs"""
    if score is not None:
        return rows.select("grid_id", pl.col(score).alias(_SCORE))
    there = rows.collect_schema().names()
    return rows.select("grid_id", *(name for name in _OF_AAL if name in there))


def _places(rows: pl.LazyFrame) -> pl.DataFrame:
    """Cells of rows that say where they lie."""
    found = rows.group_by("grid_id").agg(pl.col("latitude", "longitude").first()).sort("grid_id")
    return found.select(pl.col(name).cast(kind) for name, kind in _CELLS.items()).collect(engine="streaming")


class RunLayers:
    """What a finished run left in its run directory, published or not.

    runs   : folder of run directories, or an fsspec URL; run_id: the number in it
    known  : rows of `result_runs`, where a sink knows the run; else its manifest tells less
    raises : SettingsError for an unknown run, SinkError for an unfinished one
    """

    def __init__(self, runs: Path | str, run_id: int, known: Mapping[int, Run] | None = None) -> None:
        self._directory = RunDirectory.open(runs, run_id)
        self._directory.require_complete()
        self.where = f"{runs}/{run_id}"
        identity, settled = self._directory.identity, self._directory.settled
        told = (known or {}).get(run_id)
        same = told is not None and told["source_fingerprint"] == identity["source_fingerprint"]
        self.run: Run = told if told is not None and same else {"run_id": run_id, "summary": None, **identity}
        self.runs: Mapping[int, Run] = {run_id: self.run}
        self._halves = {
            half: [self._directory.scan(half, number) for number in self._directory.notes]
            for half in ("probability", "hazard")
            if identity[half]
        }
        every = [
            self._rows(half).filter(pl.lit(True) if settled is None else pl.col("risk_type").is_in(settled[half]))
            for half in self._halves
        ]
        named = pl.concat(rows.select("risk_type", "scenario_id", "time_period").unique() for rows in every)
        self.keys: Sequence[LayerKey] = ordered(
            [LayerKey._make(row) for row in named.unique().collect(engine="streaming").iter_rows()]
        )
        self.cells = _places(pl.concat(rows.select(*_CELLS) for rows in every))

    def _rows(self, half: str) -> pl.LazyFrame:
        return pl.concat(self._halves[half])

    def read(self, key: LayerKey) -> pl.DataFrame:
        wanted = (
            (pl.col("risk_type") == key.risk)
            & (pl.col("scenario_id") == key.scenario)
            & (pl.col("time_period") == key.period)
        )
        aal, score = (
            _half(self._rows(half).filter(wanted), _SCORE if half == "hazard" else None)
            if half in self._halves
            else None
            for half in ("probability", "hazard")
        )
        if score is not None and not is_full(key.scenario, key.period):  # as the tables of windows are rounded
            score = score.with_columns(pl.col(_SCORE).cast(pl.Float64).round(4, mode="half_to_even"))
        return _joined(aal, score)


class DatabaseLayers:
    """What the application database publishes. Holds the caller's connection.

    raises : SettingsError when nothing is published there, or no row says where its cells lie
    """

    def __init__(self, connection: psycopg.Connection, url: str) -> None:
        self._connection, self.where = connection, postgres.describe(url)
        with postgres.failures("looking for what is published", SourceError):
            found = published_layers.held(connection)
        self.keys: Sequence[LayerKey] = ordered(
            [LayerKey(each.risk, each.scenario, each.period) for each in found if each.aal or each.hazard]
        )
        if not self.keys:
            raise SettingsError(f"{self.where} holds no published results")
        self.cells = self._read(
            f"SELECT DISTINCT grid_id, latitude, longitude FROM (SELECT grid_id, latitude, longitude FROM {AAL.full}"
            f" UNION ALL SELECT grid_id, latitude, longitude FROM {HAZARD.full}) AS places ORDER BY grid_id",
            [],
            _CELLS,
        )
        if self.cells.is_empty():
            raise SettingsError(_NO_PLACES.format(where=self.where))
        made = self._read(
            f"SELECT run_id FROM {AAL.full} UNION SELECT run_id FROM {HAZARD.full} ORDER BY 1",
            [],
            {"run_id": pl.Int32()},
        )["run_id"].to_list()
        known = published_runs.every(connection)
        self.runs: Mapping[int, Run] = {number: known[number] for number in made}
        self.run: Run = self.runs[max(self.runs)]

    def _read(self, query: LiteralString, asked: Sequence[object], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
        with postgres.failures("reading results", SourceError):
            return frames.read(self._connection, query, asked, schema)

    def read(self, key: LayerKey) -> pl.DataFrame:
        full = is_full(key.scenario, key.period)
        condition: LiteralString = " WHERE risk_type = %s"
        if not full:
            condition += " AND scenario_id = %s AND time_period = %s"
        asked = [key.risk] if full else list(key)
        # the table of the whole axis has no changes
        named: list[LiteralString] = [
            name for name in _OF_AAL_COLUMNS if not (full and name in ("change", "change_se", "significant"))
        ]
        aal = self._read(
            f"SELECT grid_id, {', '.join(named)} FROM {AAL.full if full else AAL.windows}{condition}",
            asked,
            {name: LAYER[name] for name in ("grid_id", *named)},
        )
        table, column = HAZARD.place(key.scenario, key.period)
        score = self._read(
            f"SELECT grid_id, {column} FROM {table}{condition}", asked, {"grid_id": pl.Int32(), _SCORE: pl.Float32()}
        )
        return _joined(aal.lazy(), score.lazy())


_OF_AAL_COLUMNS: tuple[LiteralString, ...] = (
    *("aal", "aal_low", "aal_high", "aal_se", "rates_low", "rates_high", "n_samples", "method"),
    *("change", "change_se", "significant"),
)
