"""Assessments as jobs: sites checked, filled from the warehouse, assessed stage by stage, stored and cached.

A job lives in `batch_jobs`. Whoever takes it runs `run_job`; what it was asked stands in its `input_params`, so any
worker can, and a retry is a new job with the same.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import polars as pl
import psycopg

from engine.assess import assessment, portfolio, records, report
from engine.assess.assessment import AssessmentResult
from engine.assess.config import AssessConfig
from engine.assess.prepare import Prepared, prepare_checked
from engine.assess.validation import Checked, check
from engine.assess.vocabulary import NO_HAZARD
from engine.errors import EngineError, SettingsError
from engine.io import batch_jobs, site_inputs
from engine.io.assessment_files import FrameFiles, check_suffix, read_lines, read_table
from engine.io.batch_jobs import PORTFOLIO, SITE, EndedError, Job
from engine.io.writers import Writers
from engine.settings import Settings
from engine.sites.enrichment import enrich
from engine.sites.stages import Progress, Stage, StoredStages

log = logging.getLogger(__name__)

_SEOUL = ZoneInfo("Asia/Seoul")
#: fields that a request may state for all sites of a portfolio
_FOR_ALL = ("risk_types", "scenario_ids", "time_periods")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a job came to.

    status  : `success` or `partial`
    results : as stored with the job
    result  : the frames; of a portfolio: totals and failures alone, the others are files
    context : `site_id`, region and population
    """

    batch_id: UUID
    status: str
    results: Mapping[str, Any]
    result: AssessmentResult
    context: pl.DataFrame
    seconds: float


@dataclass(slots=True, kw_only=True)
class Assessor:
    """The two databases and the settings of assessments. One job at a time; not for several threads.

    batch_size  : sites of a portfolio that are computed and stored together
    connections : further ones over which a portfolio is stored
    today : the day on which buildings' ages are reckoned; None: today in Seoul
    """

    warehouse: psycopg.Connection
    application: psycopg.Connection
    config: AssessConfig
    batch_size: int = 1000
    connections: int = 2
    today: date | None = field(default=None)

    @classmethod
    def open(cls, warehouse: psycopg.Connection, application: psycopg.Connection, settings: Settings) -> Assessor:
        """An assessor on the lattice of the warehouse, as the settings say."""
        cuts = settings.aal_level_cuts_pct
        config = AssessConfig(
            asset_value_cap_krw=settings.asset_value_cap_krw,
            area_cap_m2=settings.area_cap_m2,
            aal_level_cuts_pct=(cuts[0], cuts[1], cuts[2], cuts[3]),
            building_search_radius_m=settings.building_search_radius_m,
            spatial_missing_policy=settings.spatial_missing_policy,
            grid=site_inputs.grid_definition(warehouse),
        )
        return cls(
            warehouse=warehouse,
            application=application,
            config=config,
            batch_size=settings.batch_size,
            connections=settings.parallel_workers,
        )

    def run_job(self, job: Job) -> Outcome:
        """Run a job that this worker has taken (`batch_jobs.start`, `start_next`) to its end.

        raises : whatever failed, after the job was marked failed with it; EndedError when somebody else ended the job
        """
        try:
            if job.job_type == SITE:
                return self._site(job)
            if job.job_type == PORTFOLIO:
                return self._portfolio(job)
            raise SettingsError(f"job {job.batch_id} is a {job.job_type}, no assessment")
        except EndedError:
            raise
        except KeyboardInterrupt:
            batch_jobs.cancel(self.application, job.batch_id)
            raise
        except Exception as err:
            try:
                batch_jobs.fail(self.application, job.batch_id, str(err) or type(err).__name__, traceback.format_exc())
            except EngineError as lost:  # the reason of the failure is worth more; the job is found as lost later
                log.error("the end of job %s could not be recorded: %s", job.batch_id, lost)
            raise

    def _site(self, job: Job) -> Outcome:
        started = time.perf_counter()
        checked = check(records.from_requests([job.input_params]))
        if checked.valid.is_empty():
            raise SettingsError("; ".join(checked.failures["reason"]))
        prepared, context = self.prepare(checked)
        if prepared.sites.is_empty():
            raise EngineError("; ".join(prepared.failures["reason"]))
        progress = Progress.of(self.application, job.batch_id, prepared, throttled=False)
        stages = StoredStages.fetch(self.application, prepared, self.config)
        if stages.hazards.is_empty():
            raise EngineError(NO_HAZARD)
        [part] = self._run(stages, [prepared], progress)
        result = stages.integrate(part)
        done, failed = _items(result.totals, prepared)
        if not done:
            raise EngineError("every risk failed: " + "; ".join(sorted(set(result.failures["reason"]))))
        results = report.site_report(result) | {"region": context.drop("site_id").row(0, named=True)}
        return self._end(job, results, result, context, done, failed, started)

    def _portfolio(self, job: Job) -> Outcome:
        started = time.perf_counter()
        path, out = Path(job.input_params["sites"]), Path(job.input_params["out"])
        table, unread = portfolio_table(path, job.input_params)
        if unread:
            log.warning("%s: columns that are not read: %s", path.name, ", ".join(unread))
        checked = check(table)
        _refuse_nothing_valid(path, checked)
        rows = _rows(checked)
        with (
            batch_jobs.logged(self.application, job.batch_id, PORTFOLIO, rows) as record,
            FrameFiles(out) as files,
            Writers(self.application, self.connections) as writers,
        ):
            prepared, context = self.prepare(checked)
            progress = Progress.of(self.application, job.batch_id, prepared, throttled=True)
            stages = StoredStages.fetch(self.application, prepared, self.config, writers, files.append)
            totals, losses, failures = [], [], []
            chunks = [*assessment.chunks(prepared, self.batch_size), prepared.remainder()]
            for part in self._run(stages, chunks, progress):
                result = stages.integrate(part)
                files.append("risk", result.risk)
                totals.append(result.totals)
                losses.append(portfolio.loss_by_risk(result.aal))
                failures.append(result.failures)
            everything = portfolio.with_shares(pl.concat(totals))
            everything = everything.join(context, on="site_id", how="left", maintain_order="left")
            faults = pl.concat(failures).sort("row", maintain_order=True)
            files.append("totals", everything)
            files.append("failures", faults)
            done, failed = _items(everything, prepared)
            invalid = checked.failures["row"].n_unique()
            summary = portfolio.summary(everything, portfolio.added(losses), rows=rows, invalid=invalid)
            files.finish(summary)
            bad = faults.filter(pl.col("risk_type").is_null())["row"].n_unique()
            if not done:
                raise EngineError(f"no site could be assessed: {_most(faults)}; all reasons are in failures.parquet")
            record(rows - bad, bad)
        empty = pl.DataFrame()
        result = AssessmentResult(empty, empty, empty, empty, everything, faults)
        results = {
            "status": "partial" if failed or faults.height else "success",
            "location": str(out),
            "rows": rows,
            "invalid_rows": invalid,
            "invalid_sites": _listed(checked.failures),
            "columns_not_read": unread,
            "portfolio": summary,
        }
        return self._end(job, results, result, context, done, failed, started)

    def prepare(self, checked: Checked) -> tuple[Prepared, pl.DataFrame]:
        """(sites filled from the warehouse and normalised, their regions and population by `site_id`)"""
        today = self.today or datetime.now(_SEOUL).date()
        enriched = enrich(checked, self.warehouse, self.config, today=today)
        return prepare_checked(enriched.checked, self.config), enriched.context

    def _run(self, stages: StoredStages, chunks: Sequence[Prepared], progress: Progress) -> list[Stage]:
        """E of every part, then V, then AAL: each stored before the next begins."""
        progress.step("Fetching H and P(H)", 10)
        parts = [stages.part(chunk) for chunk in chunks]
        with progress.band(10, 50, "Calculating E for {risk}") as tell:
            for part in parts:
                stages.expose(part, tell)
            stages.written()
        with progress.band(50, 80, "Calculating V for {risk}") as tell:
            for part in parts:
                stages.make_vulnerable(part, tell)
            stages.written()
        with progress.band(80, 95, "Calculating AAL for {risk}") as tell:
            for part in parts:
                stages.scale(part, tell)
            stages.written()
        progress.step("Calculating integrated risk", 95)
        return parts

    def _end(
        self,
        job: Job,
        results: dict[str, Any],
        result: AssessmentResult,
        context: pl.DataFrame,
        done: int,
        failed: int,
        started: float,
    ) -> Outcome:
        seconds = time.perf_counter() - started
        stamp = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        results = results | {"duration_seconds": round(seconds, 3), "timestamp": stamp}
        batch_jobs.complete(self.application, job.batch_id, results, completed=done, failed=failed)
        return Outcome(
            batch_id=job.batch_id,
            status=results["status"],
            results=results,
            result=result,
            context=context,
            seconds=seconds,
        )


def site_faults(request: Mapping[str, Any]) -> pl.DataFrame:
    """Every fault of one request, before a job is made of it: `field`, `reason`; empty when there is none.

    raises : SettingsError for a key that means nothing
    """
    return check(records.from_requests([request])).failures.select("field", "reason")


def check_portfolio(parameters: Mapping[str, Any]) -> tuple[int, int]:
    """Rows of a portfolio and how many of them are valid, before a job is made of it.

    raises : SettingsError for a file that is none, or without a valid row
    """
    path = Path(parameters["sites"])
    checked = check(portfolio_table(path, parameters)[0])
    _refuse_nothing_valid(path, checked)
    return _rows(checked), checked.valid.height


def _rows(checked: Checked) -> int:
    return checked.valid.height + checked.failures["row"].n_unique()


def _refuse_nothing_valid(path: Path, checked: Checked) -> None:
    if checked.valid.is_empty():
        first = "no rows" if checked.failures.is_empty() else "first: row {}: {}".format(*_first_fault(checked))
        raise SettingsError(f"{path}: none of {_rows(checked)} rows is valid; {first}")


def portfolio_table(path: Path, parameters: Mapping[str, Any]) -> tuple[pl.DataFrame, list[str]]:
    """The sites of a file, and its columns that are no field.

    What `parameters` state for all sites fills the rows that say nothing themselves.

    raises : SettingsError for a file that is none, or without coordinates
    """
    kind = check_suffix(path)
    if kind == ".ndjson":
        lines = read_lines(path)
        sites, names = records.from_lines(lines), {name for line in lines for name in line}
    else:
        table = read_table(path)
        if absent := [name for name in ("latitude", "longitude") if name not in table.columns]:
            raise SettingsError(f"{path}: no column {', '.join(absent)}")
        sites, names = records.from_text(table) if kind == ".csv" else table, set(table.columns)
    for name in _FOR_ALL:
        if parameters.get(name) is not None:
            stated = pl.lit(parameters[name], pl.List(pl.Int64 if name == "scenario_ids" else pl.String))
            own = pl.col(name) if name in sites.columns else pl.lit(None)
            sites = sites.with_columns(pl.coalesce(own, stated).alias(name))
    return sites, records.unread(names)


def _items(totals: pl.DataFrame, prepared: Prepared) -> tuple[int, int]:
    """Sites x risks that are ok in every stage, scenario and period, and those that are not."""
    by_site = (
        totals.filter(pl.col("risks_ok").is_not_null())
        .group_by("site_id")
        .agg(ok=pl.col("risks_ok").min(), failed=pl.col("risks_failed").max())
    )
    total = sum(int(prepared.sites[name].sum()) for name in prepared.sites.columns if name.startswith("wants_"))
    done = int(by_site["ok"].sum())
    return done, total - done


def _most(faults: pl.DataFrame) -> str:
    """The reason that is given most often, and for how many rows."""
    counts = faults.group_by("reason", maintain_order=True).agg(rows=pl.col("row").n_unique())
    reason, rows = counts.sort("rows", descending=True, maintain_order=True).row(0)
    return f"{reason} ({rows:,} rows)"


def _first_fault(checked: Checked) -> tuple[int, str]:
    row, reason = checked.failures.select("row", "reason").row(0)
    return row, reason


def _listed(failures: pl.DataFrame, most: int = 1000) -> list[dict[str, Any]]:
    """Invalid rows with their messages; the whole list is in the failures file."""
    return failures.head(most).select("row", "site_id", "field", "reason").to_dicts()
