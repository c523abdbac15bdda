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

from engine.assess.job import portfolio_file, portfolio_output
from engine.assess.job.enrichment import enrich
from engine.assess.job.portfolio_file import PortfolioFile
from engine.assess.job.stages import Progress, Stage, StoredStages
from engine.assess.rules import assessment, portfolio, records, report
from engine.assess.rules.assessment import AssessmentResult
from engine.assess.rules.config import AssessConfig
from engine.assess.rules.prepare import Prepared, placed, prepare_checked
from engine.assess.rules.sheets import Context
from engine.assess.rules.validation import IDENTITY, Checked, check
from engine.assess.rules.vocabulary import NO_HAZARD, PROBABILITY_NOT_FOUND
from engine.core.errors import EngineError, SettingsError
from engine.core.period import MIN_SAMPLES, window
from engine.core.settings import Settings
from engine.io.db.writers import Writers
from engine.io.files.packed import Limits
from engine.io.queue import batch_jobs, job_logs
from engine.io.queue.batch_jobs import PORTFOLIO, SITE, EndedError, Job
from engine.io.results import published_cells
from engine.io.sites import site_inputs
from engine.io.sites.assessment_files import FrameFiles

log = logging.getLogger(__name__)

_SEOUL = ZoneInfo("Asia/Seoul")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a job came to.

    status  : `success` or `partial`
    results : as stored with the job
    result  : the frames; of a portfolio: totals and failures alone, the others are files
    context : `site_uuid`, region and population
    years   : of each period, on the axis of the run
    """

    batch_id: UUID
    status: str
    results: Mapping[str, Any]
    result: AssessmentResult
    context: pl.DataFrame
    seconds: float
    years: Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class Assessor:
    """The two databases and the settings of assessments. One job at a time; not for several threads.

    limits      : of what a packed portfolio holds
    batch_size  : sites of a portfolio that are computed and stored together
    connections : further ones over which a portfolio is stored
    today : the day on which buildings' ages are reckoned; None: today in Seoul
    """

    warehouse: psycopg.Connection
    application: psycopg.Connection
    config: AssessConfig
    limits: Limits
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
            limits=Limits(settings.portfolio_max_bytes, settings.portfolio_max_rows),
            batch_size=settings.batch_size,
            connections=settings.parallel_workers,
        )

    def run_job(self, job: Job) -> Outcome:
        """Run a job that this worker has taken (`batch_jobs.start`, `start_next`) to its end.

        raises : whatever failed, after the job was marked failed with it; EndedError when somebody else ended the job
        """
        try:
            return self.attempt(job)
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

    def attempt(self, job: Job) -> Outcome:
        """`run_job` without a word on its failure: the caller records it, or lets the job wait for another attempt."""
        if job.job_type == SITE:
            return self._site(job)
        if job.job_type == PORTFOLIO:
            return self._portfolio(job)
        raise SettingsError(f"job {job.batch_id} is a {job.job_type}, no assessment")

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
        notes = self._with_short_records(stages.notes, result.failures, prepared.sites["grid_id"])
        results = report.site_report(result, notes)
        results |= stages.runs.statement(prepared.sites["grid_id"][0], results["risk_types"])
        results["region"] = context.drop("site_uuid").row(0, named=True)
        return self._end(job, results, result, context, done, failed, started)

    def _portfolio(self, job: Job) -> Outcome:
        started = time.perf_counter()
        path, out = Path(job.input_params["sites"]), Path(job.input_params["out"])
        sites = portfolio_file.read(path, job.input_params, self.limits, self.today)
        checked = _checked(path, sites)
        notes = _notes(path, sites, checked)
        rows = len(sites.rows)
        with (
            job_logs.logged(self.application, job.batch_id, PORTFOLIO, rows) as record,
            FrameFiles(out) as files,
            Writers(self.application, self.connections) as writers,
        ):

            def keep(name: str, frame: pl.DataFrame) -> None:
                files.append(name, sites.with_carried(frame))

            prepared, context = self.prepare(checked)
            progress = Progress.of(self.application, job.batch_id, prepared, throttled=True)
            stages = StoredStages.fetch(self.application, prepared, self.config, writers, keep)
            totals, losses, failures = [], [], []
            chunks = [*assessment.chunks(prepared, self.batch_size), prepared.remainder()]
            for part in self._run(stages, chunks, progress):
                result = stages.integrate(part)
                keep("risk", result.risk)
                totals.append(result.totals)
                losses.append(portfolio.loss_by_risk(result.aal))
                failures.append(result.failures)
            everything = portfolio.with_shares(pl.concat(totals))
            everything = everything.join(context, on="site_uuid", how="left", maintain_order="left")
            faults = pl.concat(failures).sort("row", maintain_order=True)
            keep("totals", everything)
            keep("failures", faults)
            done, failed = _items(everything, prepared)
            invalid = checked.failures["row"].n_unique()
            counts = portfolio.Counts(rows=rows, invalid=invalid, repeated_ids=checked.repeated)
            stated = stages.runs.statement()
            summary = stated | portfolio.summary(sites.name, everything, portfolio.added(losses), counts)
            risk_notes = self._with_short_records(stages.notes, faults, everything["grid_id"])
            summary |= {"notes": notes, "risk_notes": risk_notes}
            years = _years(everything, self.config)
            for pair in summary["results"]:
                pair["years"] = years.get(pair["time_period"])
                for site in pair["worst_sites"]:
                    site["carried"] = sites.told(site["row"])
            summary |= {
                "name_column": sites.name_column(),
                "rows_numbered": sites.numbered,
                "columns": [each.told() for each in sites.chosen],
            }
            files.close(summary, stated)
            told = Context(years, summary["scope_note"])
            workbook = bool(job.input_params.get("workbook", True))
            portfolio_output.write(files, sites, (everything, faults), summary, told, workbook=workbook)
            files.publish()
            bad = faults.filter(pl.col("risk_type").is_null())["row"].n_unique()
            if not done:
                raise EngineError(
                    f"no site could be assessed: {_most(faults)}; all reasons are in sites.csv and failures.parquet"
                )
            record(rows - bad, bad)
        empty = pl.DataFrame()
        result = AssessmentResult(empty, empty, empty, empty, everything, faults)
        results = {
            "status": "partial" if failed or faults.height else "success",
            "location": str(out),
            "rows": rows,
            "invalid_rows": invalid,
            "invalid_sites": _listed(sites, checked.failures),
            "columns_not_read": sites.unread,
            "files": files.written,
            "portfolio": summary,
        }
        return self._end(job, results, result, context, done, failed, started)

    def _with_short_records(self, notes: Mapping[str, str], failures: pl.DataFrame, cells: pl.Series) -> dict[str, str]:
        """What is to be said of risks, and of those without an AAL how many values they have."""
        lacking = failures.filter(pl.col("reason") == PROBABILITY_NOT_FOUND)["risk_type"].cast(pl.String).unique()
        held = cells.drop_nulls().unique()
        told = published_cells.short_records(self.application, held.filter(held > 0).to_list(), lacking.to_list())
        short = {
            risk: f"Not computed where the record is short: {n} of the {MIN_SAMPLES} values that it needs"
            if n < MIN_SAMPLES
            else f"Not computed where the record is short: more than a fifth of it is missing, {n} values are there"
            for risk, n in told.items()
        }
        return {risk: ". ".join(filter(None, (notes.get(risk), short.get(risk)))) for risk in {**notes, **short}}

    def prepare(self, checked: Checked) -> tuple[Prepared, pl.DataFrame]:
        """(sites with their cells, filled from the warehouse and normalised; their regions and population by
        `site_uuid`)"""
        today = self.today or datetime.now(_SEOUL).date()
        checked = placed(checked, self.config.grid, lambda cells: published_cells.have_results(self.application, cells))
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
            years=_years(result.totals, self.config),
        )


def site_faults(request: Mapping[str, Any]) -> pl.DataFrame:
    """Every fault of one request, before a job is made of it: `field`, `reason`; empty when there is none.

    raises : SettingsError for a key that means nothing
    """
    return check(records.from_requests([request])).failures.select("field", "reason")


def check_portfolio(parameters: Mapping[str, Any], limits: Limits, *, write_faults: bool = False) -> tuple[int, int]:
    """Rows of a portfolio and how many of them are valid, before a job is made of it.

    write_faults : of a file without a valid row, write what is wrong with each to the folder of the results
    raises       : SettingsError for a file that is none, or without a valid row
    """
    path = Path(parameters["sites"])
    sites = portfolio_file.read(path, parameters, limits)
    try:
        return len(sites.rows), _checked(path, sites).valid.height
    except SettingsError as err:
        if not write_faults or not len(sites.rows):
            raise
        with FrameFiles(Path(parameters["out"])) as files:
            portfolio_output.write_faults(files, sites, _check(sites).failures)
            files.publish()
        raise SettingsError(f"{err}; all faults are in {Path(parameters['out']) / 'portfolio.xlsx'}") from None


def _check(sites: PortfolioFile) -> Checked:
    return check(sites.sites, portfolio=sites.name, rows=sites.rows, left_open=sites.open)


def _checked(path: Path, sites: PortfolioFile) -> Checked:
    checked = _check(sites)
    if checked.valid.is_empty():
        told = checked.failures.select("row", "reason").rows()
        first = "first: row {}: {}".format(*told[0]) if told else "no rows"
        raise SettingsError("; ".join([f"{path}: none of {len(sites.rows)} rows is valid; {first}", *sites.notes]))
    return checked


def _notes(path: Path, sites: PortfolioFile, checked: Checked) -> list[str]:
    """What is true of the file as a whole, logged and put into the results."""
    notes = [*sites.notes]
    if checked.repeated:
        notes.append(f"{checked.repeated:,} rows have a site_id that an earlier row has: each is an asset of its own")
    if sites.unread:
        notes.append(f"columns that are no field and are carried through: {', '.join(sites.unread)}")
    for note in notes:
        log.warning("%s: %s", path.name, note)
    return notes


def _years(totals: pl.DataFrame, config: AssessConfig) -> dict[str, str]:
    """Period -> its years on the axis of the run, as `2041-2060`."""
    periods = totals["time_period"].cast(pl.String).unique().drop_nulls().to_list()
    return {name: str(window(name, config.grid.axis)) for name in periods}


def _items(totals: pl.DataFrame, prepared: Prepared) -> tuple[int, int]:
    """Sites x risks that are ok in every stage, scenario and period, and those that are not."""
    by_site = (
        totals.filter(pl.col("risks_ok").is_not_null())
        .group_by("row")
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


def _listed(sites: PortfolioFile, failures: pl.DataFrame, most: int = 1000) -> list[dict[str, Any]]:
    """Invalid rows with their messages, the column of the file and what stands there; the whole list is in the failures
    file."""
    listed = failures.head(most).select(*IDENTITY, "field", "reason").to_dicts()
    values = sites.stated([each["row"] for each in listed], [each["field"] for each in listed])
    headings = sites.headings()
    return [
        each | {"column": headings.get(each["field"]), "value": value and value[:200].replace("\0", "")}
        for each, value in zip(listed, values, strict=True)
    ]
