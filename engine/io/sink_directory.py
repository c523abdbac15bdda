"""Results into a directory of Parquet files, for a machine without a database.

DIR/{probability_results,hazard_results,modelops_probability_scores,modelops_hazard_scores}.parquet, DIR/run.json
DIR/.runs/RUN_ID.json      row and log of every run; DIR/.runs/*.lock
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import BusyError, SettingsError, SinkError
from engine.io import results, spool
from engine.io.load import Parts
from engine.io.progress import Advance
from engine.io.results import MADE_BY, TABLES, BinStyle, ResultTable
from engine.io.sink import LOCKS, JobType, RunRecord, Status, ended, overlapping, scope_refusal
from engine.io.spool import RunDirectory

_STAMP = pl.Datetime("us", "UTC")


class DirectorySink:
    """`Sink` over local files. Each file is replaced whole, after all of them are written."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._runs = directory, directory / ".runs"
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
                file = held.enter_context((self._runs / f"{name}.lock").open("w"))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise BusyError(f"another {name} run is going into {self.where}") from None
            self._bury_the_dead(job_type)
            with ended(self):
                yield

    def _bury_the_dead(self, job_type: JobType) -> None:
        for run_id, entry in self._entries().items():
            if entry["log"]["status"] == "running" and entry["run"]["job_type"] in overlapping(job_type):
                died = {"status": "failed", "error_message": "the process ended without a word"}
                self._record(run_id, {**entry, "log": {**entry["log"], **died}})
                for partial in self._directory.glob(f".*.{run_id}.partial"):
                    partial.unlink()

    def begin(self, record: RunRecord, runs: Path | str) -> int:
        """See `Sink.begin`: the next number free in this directory and under the run directories."""
        self._refuse_lesser_scope(record)
        run_id = max([0, *self._entries(), *spool.run_ids(runs)]) + 1
        row = {
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
        self._start(run_id, row, record)
        return run_id

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
            and entry["run"]["job_type"] in overlapping(record.job_type)
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
        """See `Sink.publish`. Files change one after the other, so a reader checks `run_id` against `run.json`."""
        run.require_complete()
        if not replaces:
            self._refuse_mixture(run.run_id, parts)
        stamp = datetime.now(UTC)
        rows, ready = {}, []
        try:
            with _disk(self.where):
                for name, risks in parts.items():
                    table, partial = TABLES[name], self._partial(f"{name}.parquet", run.run_id)
                    ready.append(partial)
                    kept = self._kept(table, run, risks, replaces=replaces)
                    made = (
                        frame
                        for risk in risks
                        for frame in results.read_rows(run, table, risk, styles, ranked=whole_grid)
                    )
                    rows[name] = _write_parquet(partial, table, kept, made, stamp)
                for partial, name in zip(ready, parts, strict=True):
                    partial.replace(self._directory / f"{name}.parquet")
        except BaseException:
            for partial in ready:
                partial.unlink(missing_ok=True)
            raise
        entry = self._entries()[run.run_id]
        published = {**entry["run"], "summary": dict(summary), "published_at": _now()}
        self._write_json(self._directory / "run.json", published, run.run_id)
        self._record(run.run_id, {**entry, "run": published})
        return rows

    def _refuse_mixture(self, run_id: int, parts: Parts) -> None:
        """See `load.upsert`: rows of two methods under one risk could not be told apart."""
        entries = self._entries()
        mine = entries[run_id]["run"]
        for kind, table in MADE_BY.items():
            path = self._directory / f"{table}.parquet"
            risks = {risk for name, named in parts.items() if TABLES[name].spooled == kind for risk in named}
            if not path.exists():
                continue
            made_by = pl.scan_parquet(path, glob=False).select("risk_type", "run_id").unique().collect()
            published = made_by.filter(pl.col("risk_type").is_in(list(risks))).sort("risk_type", "run_id")
            for risk, other in published.iter_rows():
                theirs = entries[other]["run"]
                if _method(theirs, risk, mine) != _method(mine, risk, theirs):
                    told = (theirs["edition"], theirs["baseline"], mine["edition"], mine["baseline"])
                    raise SettingsError(results.mixture(risk, other, *told))

    def _kept(
        self,
        table: ResultTable,
        run: RunDirectory,
        risks: Sequence[str],
        *,
        replaces: bool,
    ) -> Iterator[pl.DataFrame]:
        """Rows of the present file that this run leaves as they are."""
        path = self._directory / f"{table.name}.parquet"
        if not path.exists():
            return
        gone = pl.col("risk_type").is_in(risks)
        if not replaces:
            gone &= pl.any_horizontal(
                [pl.col("grid_id").is_between(lo, hi, closed="left") for lo, hi in run.blocks] or [pl.lit(False)]
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

    def tell(self, advance: Advance) -> None:
        """See `Sink.tell`; a directory has no queue of jobs in which anybody would look."""

    def finish(
        self, status: Status, *, processed: int | None = None, failed: int | None = None, error: str | None = None
    ) -> None:
        """See `Sink.finish`."""
        if self._run_id is None:
            raise SinkError("no run was begun")
        entry = self._entries()[self._run_id]
        total = entry["log"]["total_grids"]
        end = {
            "completed_at": _now(),
            "status": status,
            "processed_grids": processed,
            "failed_grids": failed,
            "success_rate": round(100 * processed / total, 2) if processed is not None and total else None,
            "error_message": error,
        }
        self._record(self._run_id, {**entry, "log": {**entry["log"], **end}})
        self._run_id = None

    def close(self) -> None:
        """Nothing is held open."""

    def _entries(self) -> dict[int, dict[str, Any]]:
        return {int(path.stem): json.loads(path.read_text("utf-8")) for path in sorted(self._runs.glob("[0-9]*.json"))}

    def _record(self, run_id: int, entry: Mapping[str, object]) -> None:
        self._write_json(self._runs / f"{run_id}.json", entry, run_id)

    def _partial(self, name: str, run_id: int) -> Path:
        return self._directory / f".{name}.{run_id}.partial"

    def _write_json(self, path: Path, value: object, run_id: int) -> None:
        partial = self._partial(path.name, run_id)
        with _disk(self.where):
            partial.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")
            partial.replace(path)


def _method(run: Mapping[str, Any], risk: str, other: Mapping[str, Any]) -> tuple[str, str]:
    """(checksum, baseline) of a risk's figures; of the whole edition where a run does not know it by risk."""
    by_risk = all(risk in (each.get("edition_checksums") or {}) for each in (run, other))
    return run["edition_checksums"][risk] if by_risk else run["edition_checksum"], run["baseline"]


def _write_parquet(
    path: Path, table: ResultTable, kept: Iterable[pl.DataFrame], made: Iterable[pl.DataFrame], stamp: datetime
) -> int:
    """Kept rows, then the run's; a frame at a time. Returns how many rows the run brought."""
    stamped = pl.Schema({**table.columns, table.stamp: _STAMP})
    rows = 0
    with pq.ParquetWriter(path, _arrow(pl.DataFrame(schema=stamped)).schema, compression="zstd") as writer:
        for frame in kept:
            writer.write_table(_arrow(frame))
        for frame in made:
            writer.write_table(_arrow(frame.with_columns(pl.lit(stamp, _STAMP).alias(table.stamp))))
            rows += frame.height
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return rows


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


@contextmanager
def _disk(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise SinkError(f"{where} could not be written: {err}; what was published before is still there") from err


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
