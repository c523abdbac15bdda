"""Results into a directory of Parquet files, for a machine without a database.

DIR/NAME.parquet of each result table, DIR/result_sample_years.parquet and DIR/run.json are what is published: links to
the files of one run (`result_folder`). DIR/.runs holds the runs, their records and locks.
"""

from __future__ import annotations

import fcntl
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from engine.core.errors import BusyError, SettingsError, SinkError
from engine.io.results import result_folder, result_tables, sample_years, spool
from engine.io.results.progress import Advance
from engine.io.results.result_tables import MADE_BY, TABLES, YEAR_LOSSES, BinStyle, Parts, ResultTable
from engine.io.results.run_method import same_figures
from engine.io.results.sink import LOCKS, JobType, RunRecord, Status, ended, overlapping, replacing, scope_refusal
from engine.io.results.spool import RunDirectory

log = logging.getLogger(__name__)

_STAMP = pl.Datetime("us", "UTC")
#: of a run, in the metadata of every file that it wrote
_SIGNED = ("run_id", "edition", "edition_checksum", "baseline", "scope", "source_fingerprint")


_NAMES = (*TABLES, sample_years.TABLE)


class _Years(NamedTuple):
    """Sample years, columns of `sample_years.STORED`."""

    theirs: pl.DataFrame
    mine: pl.DataFrame


class DirectorySink:
    """`Sink` over local files: a run's files are made beside the published ones, and one rename publishes them."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._runs = directory, directory / result_folder.RUNS
        self._run_id: int | None = None
        with _disk(self.where):
            self._runs.mkdir(parents=True, exist_ok=True)

    @property
    def where(self) -> str:
        """The directory."""
        return str(self._directory)

    @property
    def running(self) -> bool:
        """True between `begin` or `reopen` and `finish`."""
        return self._run_id is not None

    @contextmanager
    def guard(self, job_type: JobType) -> Iterator[None]:
        """See `Sink.guard`. File locks end with the process."""
        with ExitStack() as held:
            for name in LOCKS[job_type]:
                with _disk(self.where):
                    # not emptied before the lock is held: it says when an ensemble holds it
                    file = held.enter_context((self._runs / f"{name}.lock").open("a+"))
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        file.seek(0)
                        holder = "ensemble" if file.read() == "ensemble" else name
                        raise BusyError(f"another {holder} run is going into {self.where}") from None
                    file.truncate(0)
                    file.write("ensemble" if job_type == "ensemble" else "")
                    file.flush()
            self._fail_abandoned_runs(job_type)
            with ended(self):
                yield

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Held while records, numbers or the pointer change: probability and hazard may run at the same time.

        What an earlier holder left half written is nobody's.
        """
        with _disk(self.where), (self._runs / "switch.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            for partial in self._runs.glob(".*.partial"):
                partial.unlink()
            yield

    def _fail_abandoned_runs(self, job_type: JobType) -> None:
        with self._alone():
            for run_id, entry in self._entries().items():
                if entry["log"]["status"] == "running" and entry["run"]["job_type"] in overlapping(job_type):
                    told = "the process was killed"
                    if entry["run"]["published_at"]:
                        told += " after its results were published"
                    died = {"status": "failed", "error_message": told}
                    self._record(run_id, {**entry, "log": {**entry["log"], **died}})

    def begin(self, record: RunRecord, runs: Path | str) -> int:
        """See `Sink.begin`: the next number free in this directory and under the run directories."""
        self._refuse_lesser_scope(record)
        with self._alone():
            run_id = max([0, *self._entries(), *spool.run_ids(self._runs), *spool.run_ids(runs)]) + 1
            self._start(run_id, self._row(run_id, record), record)
        return run_id

    def _row(self, run_id: int, record: RunRecord) -> dict[str, Any]:
        return {
            "run_id": run_id,
            "job_type": record.job_type,
            "scope": record.scope,
            "edition": record.edition,
            "edition_checksum": record.edition_checksum,
            "edition_checksums": dict(record.edition_checksums),
            "source_fingerprint": record.source_fingerprint,
            "baseline": record.baseline,
            "summary": None,
            "started_at": _now(),
            "published_at": None,
        }

    def reopen(self, run_id: int, record: RunRecord) -> None:
        """See `Sink.reopen`."""
        entry = self._entries().get(run_id)
        if entry is None:
            raise SettingsError(f"{self.where} knows no run {run_id} to resume")
        row = entry["run"]
        if row["job_type"] != record.job_type:
            raise SettingsError(f"run {run_id} is a {row['job_type']} run and cannot be resumed as {record.job_type}")
        if row["published_at"] is not None:
            raise SettingsError(f"run {run_id} was published at {row['published_at']}: nothing to resume")
        self._refuse_lesser_scope(record)
        with self._alone():
            self._start(run_id, row, record)

    def _start(self, run_id: int, row: dict[str, Any], record: RunRecord) -> None:
        log = {
            "job_type": record.job_type,
            "started_at": _now(),
            "status": "running",
            "total_grids": record.total_grids,
        }
        self._record(run_id, {"run": row, "log": log})
        self._run_id = run_id

    def _refuse_lesser_scope(self, record: RunRecord) -> None:
        full = [
            run_id
            for run_id, entry in self._entries().items()
            if entry["run"]["published_at"]
            and entry["run"]["scope"] == "full"
            and entry["run"]["job_type"] in replacing(record.job_type)
        ]
        if refusal := scope_refusal(self.where, record.scope, max(full, default=None)):
            raise SettingsError(refusal)

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
        years = self._years(run.run_id, parts, styles, replaces=replaces)
        if not replaces:
            self._refuse_mixture(run.run_id, parts)
        stamp, row = datetime.now(UTC), self._entries()[run.run_id]["run"]
        with self._fresh(run.run_id) as fresh:
            rows = {}
            for name, risks in parts.items():
                table = TABLES[name]
                kept = self._kept(table, run, risks, years, replaces=replaces)
                made = (
                    frame
                    for risk in risks
                    for frame in result_tables.read_rows(run, table, risk, styles, ranked=whole_grid)
                )
                rows[name] = _write_parquet(fresh / f"{name}.parquet", table, kept, made, stamp, row)
            if YEAR_LOSSES.name in parts:
                _write_years(fresh / f"{sample_years.TABLE}.parquet", pl.concat(years), row)
            published = {**row, "summary": dict(summary), "published_at": _now()}
            result_folder.write_json(fresh, result_folder.RECORD, published)
            with self._alone():
                before = self._switch(fresh)
                self._record(run.run_id, {**self._entries()[run.run_id], "run": published})
                self._forget_all_but(fresh, before)
        return rows

    @contextmanager
    def _fresh(self, run_id: int) -> Iterator[Path]:
        """An empty folder for the files of a run, taken away again unless it came to be the published one."""
        fresh = self._runs / str(run_id)
        try:
            with _disk(self.where):
                if fresh.exists():  # of a process that was killed before it could switch
                    shutil.rmtree(fresh)
                fresh.mkdir()
            with _disk(self.where):
                yield fresh
        except BaseException as err:
            published = result_folder.current(self._directory) == fresh
            if not published:
                shutil.rmtree(fresh, ignore_errors=True)
            if not isinstance(err, SinkError):
                raise
            if published:
                raise SinkError(f"run {run_id} is published in {self.where}, but then: {err.__cause__ or err}") from err
            raise SinkError(f"{err}; what was published before is still there") from err

    def _switch(self, fresh: Path) -> Path:
        """Carry over the tables that this run does not write, as they are now, and publish; returns what was before."""
        result_folder.adopt(self._directory, [f"{name}.parquet" for name in _NAMES])
        present = result_folder.current(self._directory)
        self._settle(present)
        for name in _NAMES:
            theirs, ours = present / f"{name}.parquet", fresh / f"{name}.parquet"
            if theirs.is_file() and not ours.exists():
                result_folder.second_name(theirs, ours)
        if not result_folder.switch(self._directory, fresh):
            log.warning(
                "%s: this file system makes no links, so the files there are copies, replaced one after the other; "
                "%s there names the folder whose files are of one run",
                self.where,
                result_folder.CURRENT,
            )
        return present

    def _settle(self, present: Path) -> None:
        """Write down that the published run is published, if a killed process did not: soon only this will say it."""
        if present.name.isdigit() and (entry := self._entries().get(int(present.name))):
            self._record(int(present.name), entry)

    def _forget_all_but(self, fresh: Path, before: Path) -> None:
        """Older runs go. The one before stays, for readers that are still at it; so do those that are being made."""
        kept = {fresh.name, before.name}
        kept |= {str(number) for number, entry in self._entries().items() if entry["log"]["status"] == "running"}
        for folder in self._runs.iterdir():
            if folder.name.isdigit() and folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def _refuse_mixture(self, run_id: int, parts: Parts) -> None:
        """See `load.upsert`: rows of two methods under one risk could not be told apart."""
        entries = self._entries()
        mine = entries[run_id]["run"]
        for kind, table in MADE_BY.items():
            path = result_folder.current(self._directory) / f"{table}.parquet"
            risks = {risk for name, named in parts.items() if TABLES[name].spooled == kind for risk in named}
            if not path.exists():
                continue
            made_by = pl.scan_parquet(path, glob=False).select("risk_type", "run_id").unique().collect()
            published = made_by.filter(pl.col("risk_type").is_in(list(risks))).sort("risk_type", "run_id")
            for risk, other in published.iter_rows():
                theirs = entries[other]["run"]
                if theirs["baseline"] != mine["baseline"] or not same_figures(theirs, mine, risk):
                    told = (theirs["edition"], theirs["baseline"], mine["edition"], mine["baseline"])
                    raise SettingsError(result_tables.mixture(risk, other, *told))

    def _kept(
        self,
        table: ResultTable,
        run: RunDirectory,
        risks: Sequence[str],
        years: _Years,
        *,
        replaces: bool,
    ) -> Iterator[pl.DataFrame]:
        """Rows of the present file that this run leaves as they are."""
        path = result_folder.current(self._directory) / f"{table.name}.parquet"
        if not path.exists():
            return
        gone = pl.col("risk_type").is_in(risks)
        if not replaces:
            gone &= pl.any_horizontal(
                [pl.col("grid_id").is_between(lo, hi, closed="left") for lo, hi in run.blocks] or [pl.lit(False)]
            )
            if table is YEAR_LOSSES:
                gone &= pl.any_horizontal(
                    (pl.col("risk_type") == risk) & pl.col("run_id").is_in(sample_years.replaced(*years, risk))
                    for risk in risks
                )
            if table.detail:
                pairs = pl.struct("scenario_id", "time_period")
                computed = pl.concat(
                    run.scan(table.spooled, number).filter(table.pairs).select(pairs.unique()).collect()
                    for number in run.notes
                ).to_series()
                gone &= pairs.is_in(computed.unique().implode())
        with pq.ParquetFile(path) as present:
            for batch in present.iter_batches():
                yield pl.DataFrame(pa.Table.from_batches([batch])).filter(~gone)

    def _years(self, run_id: int, parts: Parts, styles: Mapping[str, BinStyle], *, replaces: bool) -> _Years:
        """Sample years of the published rows that stay, and of the run; refuses a mixture."""
        risks = parts.get(YEAR_LOSSES.name, ())
        theirs, mine = (
            sample_years.stored(result_folder.current(self._directory)),
            sample_years.of_run(run_id, styles, risks),
        )
        if replaces:
            return _Years(theirs.filter(~pl.col("risk_type").is_in(list(risks))), mine)
        sample_years.refuse_mixture(theirs, mine, risks)
        return _Years(theirs, mine)

    def tell(self, advance: Advance) -> None:
        """See `Sink.tell`; a directory has no queue of jobs in which anybody would look."""

    def finish(
        self, status: Status, *, processed: int | None = None, failed: int | None = None, error: str | None = None
    ) -> None:
        """See `Sink.finish`."""
        if self._run_id is None:
            raise SinkError("no run was begun")
        with self._alone():
            self._record(self._run_id, self._ended(self._entries()[self._run_id], status, processed, failed, error))
        self._run_id = None

    def _ended(
        self, entry: dict[str, Any], status: Status, processed: int | None, failed: int | None, error: str | None
    ) -> dict[str, Any]:
        total = entry["log"]["total_grids"]
        end = {
            "completed_at": _now(),
            "status": status,
            "processed_grids": processed,
            "failed_grids": failed,
            "success_rate": round(100 * processed / total, 2) if processed is not None and total else None,
            "error_message": error,
        }
        return {**entry, "log": {**entry["log"], **end}}

    def close(self) -> None:
        """Nothing is held open."""

    def _entries(self) -> dict[int, dict[str, Any]]:
        return result_folder.entries(self._directory)

    def _record(self, run_id: int, entry: Mapping[str, object]) -> None:
        """The caller is `_alone`."""
        result_folder.write_json(self._runs, f"{run_id}.json", entry)


def _write_years(path: Path, rows: pl.DataFrame, run: Mapping[str, Any]) -> None:
    table = _arrow(rows)
    pq.write_table(table.replace_schema_metadata({name: str(run[name]) for name in _SIGNED}), path, compression="zstd")
    result_folder.sync(path)


def _write_parquet(
    path: Path,
    table: ResultTable,
    kept: Iterable[pl.DataFrame],
    made: Iterable[pl.DataFrame],
    stamp: datetime,
    run: Mapping[str, Any],
) -> int:
    """Kept rows, then the run's; a frame at a time. Returns how many rows the run brought."""
    stamped = pl.Schema({**table.columns, table.stamp: _STAMP})
    schema = _arrow(pl.DataFrame(schema=stamped)).schema.with_metadata({name: str(run[name]) for name in _SIGNED})
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for frame in kept:
            writer.write_table(_arrow(frame))
        for frame in made:
            writer.write_table(_arrow(frame.with_columns(pl.lit(stamp, _STAMP).alias(table.stamp))))
            rows += frame.height
    result_folder.sync(path)
    return rows


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


@contextmanager
def _disk(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise SinkError(f"{where} could not be written: {err}") from err


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
