"""Results read back: the published ones of a database or a directory, or those of a run directory.

A risk's rows may be of another run than its neighbour's: a partial run leaves last year's rows where they are, and
probability and hazard may have been computed by two jobs. So every row says its run, and `runs` says what those are.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from engine.core.errors import SettingsError, SourceError
from engine.core.rows import ENSEMBLE, ROWS
from engine.io.results import result_folder, spool
from engine.io.results.published_figures import AAL, FIGURES, HAZARD
from engine.io.results.result_tables import MADE_BY, PROBABILITY
from engine.io.results.result_tables import TABLES as RESULT_TABLES
from engine.io.results.spool import RunDirectory

Run = Mapping[str, Any]

PROBABILITY_COLUMNS: dict[str, pl.DataType] = {
    "grid_id": pl.Int32(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "aal": pl.Float32(),
    "aal_se": pl.Float32(),
    "aal_low": pl.Float32(),
    "aal_high": pl.Float32(),
    "rates_high": pl.Float32(),
    "n_samples": pl.Int32(),
    "method": pl.String(),
    "run_id": pl.Int32(),
}
HAZARD_COLUMNS: dict[str, pl.DataType] = {
    "grid_id": pl.Int32(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "hazard_score": pl.Float32(),
    "run_id": pl.Int32(),
}
#: means over the cells, a row a risk, scenario and window
WINDOW_COLUMNS: dict[str, pl.DataType] = {
    "risk_type": pl.String(),
    "scenario_id": pl.Int16(),
    "time_period": pl.String(),
    "mean": pl.Float64(),
}
#: changes of the AAL of cells against the short term, in one scenario and window
CHANGE_COLUMNS: dict[str, pl.DataType] = {
    "grid_id": pl.Int32(),
    "aal": pl.Float32(),
    "change": pl.Float32(),
    "change_se": pl.Float32(),
}
_WINDOW_KEY = ["risk_type", "scenario_id", "time_period"]


class Results(Protocol):
    """Rows of the default scenario over the whole axis, and means of the windows. Frames are empty for a risk that has
    none.

    where : address without a password
    run   : the row of `result_runs`: of the run asked for, else of the newest published one; `summary` may be None
    runs  : such rows of every run that was published there, by number
    """

    @property
    def where(self) -> str: ...
    @property
    def run(self) -> Run: ...
    @property
    def runs(self) -> Mapping[int, Run]: ...

    def probability(self, risk: str) -> pl.DataFrame:
        """Columns of PROBABILITY_COLUMNS, a row a cell."""
        ...

    def hazard(self, risk: str) -> pl.DataFrame:
        """Columns of HAZARD_COLUMNS, a row a scored cell."""
        ...

    def mean_bins(self, risk: str) -> list[float]:
        """Mean probability of each bin over the cells with a result, mildest first; empty without any."""
        ...

    def windows(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """(mean AAL, mean hazard score) by risk, scenario and window: columns of WINDOW_COLUMNS."""
        ...

    def changes(self, risk: str, scenario: int, window: str) -> pl.DataFrame:
        """Columns of CHANGE_COLUMNS, a row a cell whose change is known; none for the short term."""
        ...


class DirectoryResults:
    """What a directory sink publishes at the moment when this is made; a run published later does not change it.

    raises : SettingsError when it is none, or nothing is published there; SourceError, here and later, when two runs
             were published since, so that the files are gone
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self.where = result_folder.current(folder), str(folder)
        record = self._folder / result_folder.RECORD
        if not record.is_file():
            raise SettingsError(f"{folder} holds no published results: it has no run.json")
        with self._present():
            newest: Run = json.loads(record.read_text("utf-8"))
        self.runs = {**directory_runs(folder), newest["run_id"]: newest}
        self.run = newest if newest["job_type"] != ENSEMBLE else newest_of(self.runs, self.where)

    @contextmanager
    def _present(self) -> Iterator[None]:
        try:
            yield
            if (self._folder / result_folder.RECORD).is_file():
                return
        except OSError as err:  # over NFS a file that is gone is a stale handle
            if not isinstance(err, FileNotFoundError) and err.errno != errno.ESTALE:
                raise
        raise SourceError(f"{self.where}: two runs were published while it was being read; read it again")

    def probability(self, risk: str) -> pl.DataFrame:
        return self._read(AAL.full, risk, PROBABILITY_COLUMNS)

    def hazard(self, risk: str) -> pl.DataFrame:
        return self._read(HAZARD.full, risk, HAZARD_COLUMNS)

    def _read(self, table: str, risk: str, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
        with self._present():
            rows = self._scan(table, columns).filter(pl.col("risk_type") == risk)
            return _selected(rows, columns)

    def changes(self, risk: str, scenario: int, window: str) -> pl.DataFrame:
        with self._present():
            rows = self._scan(AAL.windows, RESULT_TABLES[AAL.windows].columns)
            return _selected(rows.filter(_of_window(risk, scenario, window)), CHANGE_COLUMNS).drop_nulls("change")

    def _scan(self, table: str, columns: Mapping[str, pl.DataType]) -> pl.LazyFrame:
        path = self._folder / f"{table}.parquet"
        if not path.is_file():
            return pl.LazyFrame(schema=pl.Schema({"risk_type": pl.String(), **columns}))
        return pl.scan_parquet(path, glob=False)

    def mean_bins(self, risk: str) -> list[float]:
        record = pl.List(pl.Struct({"bin": pl.Int64(), "probability": pl.Float64()}))
        with self._present():
            rows = self._scan(AAL.full, PROBABILITY.columns).filter(
                (pl.col("risk_type") == risk) & pl.col("bin_data").is_not_null()
            )
            bins = rows.select(pl.col("bin_data").str.json_decode(record)).explode("bin_data").unnest("bin_data")
            means = bins.group_by("bin").agg(pl.col("probability").mean()).sort("bin").collect()
        return means["probability"].to_list()

    def windows(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        with self._present():
            aal, score = (
                _window_means(self._scan(each.windows, RESULT_TABLES[each.windows].columns), each.windows_column)
                for each in FIGURES
            )
        return aal, score


class RunDirectoryResults:
    """What a run left in its run directory, published or not.

    runs   : folder of run directories; run_id: the number in it
    known  : rows of `result_runs`, where a sink knows the run; else its manifest tells less
    raises : SettingsError for an unknown run, SinkError for an unfinished one
    """

    def __init__(self, runs: Path | str, run_id: int, known: Mapping[int, Run] | None = None) -> None:
        self._directory = RunDirectory.open(runs, run_id)
        self._directory.require_complete()
        self.where = f"{runs}/{run_id}"
        self.run: Run = (known or {}).get(run_id) or _row_of(self._directory)
        if self.run["source_fingerprint"] != self._directory.identity["source_fingerprint"]:
            raise SettingsError(f"{self.where} is of another run {run_id} than the one known by that number")
        self.runs: Mapping[int, Run] = {run_id: self.run}

    def probability(self, risk: str) -> pl.DataFrame:
        return self._rows("probability", risk, PROBABILITY_COLUMNS)

    def hazard(self, risk: str) -> pl.DataFrame:
        return self._rows("hazard", risk, HAZARD_COLUMNS)

    def _rows(self, name: str, risk: str, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
        rows = self._full(name, risk).with_columns(run_id=pl.lit(self._directory.run_id))
        return _selected(rows, columns)

    def changes(self, risk: str, scenario: int, window: str) -> pl.DataFrame:
        rows = self._frames["probability"].filter(_of_window(risk, scenario, window))
        return _selected(rows, CHANGE_COLUMNS).drop_nulls("change")

    def _full(self, name: str, risk: str) -> pl.LazyFrame:
        table = next(table for table in RESULT_TABLES.values() if table.spooled == name and not table.detail)
        return self._frames[name].filter((pl.col("risk_type") == risk) & table.pairs)

    @cached_property
    def _frames(self) -> dict[str, pl.LazyFrame]:
        found = {}
        for name in MADE_BY:  # runs of an older version hold no other kinds
            kind = ROWS[name]
            wanted = self._directory.identity[kind.half]
            blocks = [self._directory.scan(name, number) for number in self._directory.notes] if wanted else []
            found[name] = pl.concat(blocks) if blocks else pl.LazyFrame(schema=kind.schema)
        return found

    def mean_bins(self, risk: str) -> list[float]:
        known = self._full("probability", risk).select(pl.col("bin_probs").drop_nulls())
        first = known.first().collect()
        if first.is_empty():
            return []
        means = [pl.col("bin_probs").list.get(place).mean().alias(str(place)) for place in range(len(first.item()))]
        return list(known.select(means).collect(engine="streaming").row(0))

    def windows(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        detail = {table.spooled: table for table in RESULT_TABLES.values() if table.detail}
        aal, score = (
            _window_means(self._frames[name].filter(detail[name].pairs), value)
            for name, value in (("probability", "aal"), ("hazard", "hazard_score"))
        )
        return aal, score


def _selected(rows: pl.LazyFrame, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Columns of some rows, by cell; null for those that a run of an older version does not have."""
    there = rows.collect_schema().names()
    chosen = (
        (pl.col(name) if name in there else pl.lit(None).alias(name)).cast(kind) for name, kind in columns.items()
    )
    return rows.select(chosen).sort("grid_id").collect()


def _of_window(risk: str, scenario: int, window: str) -> pl.Expr:
    return (pl.col("risk_type") == risk) & (pl.col("scenario_id") == scenario) & (pl.col("time_period") == window)


def _window_means(rows: pl.LazyFrame, value: str) -> pl.DataFrame:
    means = rows.group_by(_WINDOW_KEY).agg(mean=pl.col(value).cast(pl.Float64).mean())
    return means.select(pl.col(name).cast(kind) for name, kind in WINDOW_COLUMNS.items()).collect(engine="streaming")


def directory_runs(folder: Path) -> dict[int, Run]:
    """The same of a directory sink."""
    return {number: entry["run"] for number, entry in result_folder.entries(folder).items()}


def earlier_run(runs: Mapping[int, Run], run: Run, folder: Path | str) -> int | None:
    """The newest run published before this one whose run directory is still there, and that computed as much."""
    there = spool.run_ids(folder)
    before = [
        number
        for number, other in runs.items()
        if number in there and number < run["run_id"] and other["published_at"] and other["job_type"] == run["job_type"]
    ]
    return max(before, default=None)


def newest_of(runs: Mapping[int, Run], where: str) -> Run:
    """The run of the published rows of cells; an ensemble has figures of its own beside them."""
    published: Sequence[Run] = [run for run in runs.values() if run["published_at"] and run["job_type"] != ENSEMBLE]
    if not published:
        raise SettingsError(f"{where} holds no published results")
    # times are told to the second: the later number is the newer of two within one
    return max(published, key=lambda run: (str(run["published_at"]), run["run_id"]))


def _row_of(directory: RunDirectory) -> Run:
    identity = directory.identity
    columns = ("job_type", "scope", "edition", "edition_checksum", "source_fingerprint", "baseline")
    by_risk = {"edition_checksums": identity.get("edition_checksums")}
    nothing = {"summary": None, "started_at": None, "published_at": None}
    return {"run_id": directory.run_id, **{name: identity[name] for name in columns}, **by_risk, **nothing}
