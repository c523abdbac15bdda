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

from engine.assess.job import portfolio_check, portfolio_file, portfolio_losses, portfolio_output, site_losses
from engine.assess.job.enrichment import Enriched, enrich
from engine.assess.job.portfolio_file import PortfolioFile
from engine.assess.job.portfolio_losses import Databases
from engine.assess.job.portfolio_output import Results
from engine.assess.job.progress import Progress
from engine.assess.job.stages import Keep, SiteChunk, StoredStages
from engine.assess.rules import assessment, portfolio, records, report
from engine.assess.rules.assessment import AssessmentResult
from engine.assess.rules.config import AssessConfig
from engine.assess.rules.prepare import Prepared, placed, prepare_checked
from engine.assess.rules.sheets import Context
from engine.assess.rules.validation import Checked, check
from engine.assess.rules.vocabulary import NO_HAZARD, PROBABILITY_NOT_FOUND
from engine.core import country
from engine.core.counted import agree, counted
from engine.core.errors import EngineError, SettingsError
from engine.core.language import DEFAULT, parse
from engine.core.period import MIN_SAMPLES, window
from engine.core.scenario import names_of
from engine.core.settings import Settings
from engine.io.db.writers import Writers
from engine.io.files.packed import Limits
from engine.io.queue import batch_jobs, job_logs
from engine.io.queue.batch_jobs import PORTFOLIO, SITE, EndedError, Job
from engine.io.results import published_cells
from engine.io.results.published_scenarios import stated as scenarios_of
from engine.io.sites import site_inputs
from engine.io.sites.assessment_files import FrameFiles

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Outcome of a job.

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
    chunk_size  : sites of a portfolio that are computed and stored together (BATCH_SIZE)
    connections : further ones over which a portfolio is stored
    year_losses : False: losses of single years are not read (YEAR_LOSSES=off)
    today : the day on which buildings' ages are reckoned; None: today in the country's time zone
    """

    warehouse: psycopg.Connection
    application: psycopg.Connection
    config: AssessConfig
    limits: Limits
    chunk_size: int = 1000
    connections: int = 2
    year_losses: bool = True
    today: date | None = field(default=None)

    @classmethod
    def open(cls, warehouse: psycopg.Connection, application: psycopg.Connection, settings: Settings) -> Assessor:
        """An assessor on the lattice of the warehouse, as the settings say."""
        cuts = settings.aal_level_cuts_pct
        config = AssessConfig(
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
            chunk_size=settings.batch_size,
            connections=settings.parallel_workers,
            year_losses=settings.year_losses,
        )

    @property
    def databases(self) -> Databases:
        """Where year losses are read."""
        return Databases(
            warehouse=self.warehouse, application=self.application, grid=self.config.grid, on=self.year_losses
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
        [chunk] = self._run(stages, [prepared], progress)
        result = stages.integrate(chunk)
        done, failed = _items(result.totals, prepared)
        if not done:
            raise EngineError("every risk failed: " + "; ".join(sorted(set(result.failures["reason"]))))
        notes = self._with_short_records(stages.notes, result.failures, prepared.sites["grid_id"])
        results = report.site_report(result, notes, stages.rates)
        results |= stages.runs.statement(prepared.sites["grid_id"][0], results["risk_types"])
        own = site_losses.of_sites(self.databases, result)
        results = own.stated(prepared.sites["row"][0], results)
        results["region"] = context.drop("site_uuid").row(0, named=True)
        return self._end(job, results, result, context, done, failed, started)

    def _portfolio(self, job: Job) -> Outcome:
        started = time.perf_counter()
        path, out = Path(job.input_params["sites"]), Path(job.input_params["out"])
        sites = portfolio_file.read(path, job.input_params, self.limits, self.today)
        checked = portfolio_check.checked_rows(path, sites)
        notes = portfolio_check.notes_on(path, sites, checked)
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
            totals, losses, faults = self._in_chunks(stages, prepared, progress, keep)
            everything = portfolio.with_shares(totals)
            everything = everything.join(context, on="site_uuid", how="left", maintain_order="left")
            keep("totals", everything)
            keep("failures", faults)
            done, failed = _items(everything, prepared)
            invalid = checked.failures["row"].n_unique()
            counts = portfolio.Counts(rows=rows, invalid=invalid, repeated_ids=checked.repeated)
            stated = stages.runs.statement()
            files.end(stated)
            progress.step("Calculating year losses", 97)
            of_sites = job.input_params.get("year_losses") == "sites"
            years_lost = portfolio_losses.write(self.databases, files, everything, of_sites=of_sites)
            risk_notes = self._with_short_records(stages.notes, faults, everything["grid_id"])
            years = years_of(everything, self.config)
            whole = portfolio.summary(sites.name, everything, losses, counts, years_lost.dependence, stages.rates)
            summary = stated | whole | {"notes": notes, "risk_notes": risk_notes, **scenarios_of(self.application)}
            summary = years_lost.stated(summary | _of_file(sites, summary["results"], years))
            files.close(summary, stated)
            shown = Context(years, summary["scope_note"], stages.config.trended, names_of(summary))
            workbook = bool(job.input_params.get("workbook", True))
            frames = Results(everything, faults, years_lost)
            language = parse(job.input_params.get("language", DEFAULT))
            portfolio_output.write(files, sites, frames, summary, shown, workbook=workbook, language=language)
            files.publish()
            bad = faults.filter(pl.col("risk_type").is_null())["row"].n_unique()
            portfolio_check.require_results(done, faults)
            record(rows - bad, bad)
        empty = pl.DataFrame()
        result = AssessmentResult(empty, empty, empty, empty, everything, faults)
        results = {
            "status": "partial" if failed or faults.height else "success",
            "location": str(out),
            "rows": rows,
            "invalid_rows": invalid,
            "invalid_sites": portfolio_check.invalid_sites(sites, checked.failures),
            "columns_not_read": sites.unread,
            "files": files.written,
            "portfolio": summary,
        }
        return self._end(job, results, result, context, done, failed, started)

    def _in_chunks(
        self, stages: StoredStages, prepared: Prepared, progress: Progress, keep: Keep
    ) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """(totals, losses by risk, failures by row) of all sites."""
        totals, losses, failures = [], [], []
        chunks = [*assessment.chunks(prepared, self.chunk_size), prepared.remainder()]
        for chunk in self._run(stages, chunks, progress):
            result = stages.integrate(chunk)
            keep("risk", result.risk)
            totals.append(result.totals)
            losses.append(portfolio.loss_by_risk(result.aal))
            failures.append(result.failures)
        return pl.concat(totals), portfolio.added(losses), pl.concat(failures).sort("row", maintain_order=True)

    def _with_short_records(self, notes: Mapping[str, str], failures: pl.DataFrame, cells: pl.Series) -> dict[str, str]:
        """What is to be said of risks, and of those without an AAL how many values they have."""
        lacking = failures.filter(pl.col("reason") == PROBABILITY_NOT_FOUND)["risk_type"].cast(pl.String).unique()
        known = cells.drop_nulls().unique()
        values = published_cells.short_records(self.application, known.filter(known > 0).to_list(), lacking.to_list())
        short = {risk: _short_record(n) for risk, n in values.items()}
        return {risk: ". ".join(filter(None, (notes.get(risk), short.get(risk)))) for risk in {**notes, **short}}

    def prepare(self, checked: Checked) -> tuple[Prepared, pl.DataFrame]:
        """(sites with their cells, filled from the warehouse and normalised; their regions and population by
        `site_uuid`)"""
        filled = self.fill(checked)
        return prepare_checked(filled.checked, self.config), filled.context

    def fill(self, checked: Checked) -> Enriched:
        """Sites with their cells, and with what the warehouse knows of them; regions and population beside them."""
        today = self.today or datetime.now(ZoneInfo(country.current().time_zone)).date()
        checked = placed(checked, self.config.grid, lambda cells: published_cells.have_results(self.application, cells))
        return enrich(checked, self.warehouse, self.config, today=today)

    def _run(self, stages: StoredStages, chunks: Sequence[Prepared], progress: Progress) -> list[SiteChunk]:
        """E of every chunk, then V, then AAL: each stored before the next begins."""
        progress.step("Fetching H and P(H)", 10)
        started = [stages.chunk(each) for each in chunks]
        with progress.band(10, 50, "Calculating E for {risk}") as tell:
            for chunk in started:
                stages.expose(chunk, tell)
            stages.written()
        with progress.band(50, 80, "Calculating V for {risk}") as tell:
            for chunk in started:
                stages.make_vulnerable(chunk, tell)
            stages.written()
        with progress.band(80, 95, "Calculating AAL for {risk}") as tell:
            for chunk in started:
                stages.scale(chunk, tell)
            stages.written()
        progress.step("Calculating integrated risk", 95)
        return started

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
            years=years_of(result.totals, self.config),
        )


def _short_record(n: int) -> str:
    if n < MIN_SAMPLES:
        return f"Not computed where the record is short: {n} of the {MIN_SAMPLES} values that it needs"
    there = f"{counted(n, 'value')} {agree(n, 'is', 'are')} there"
    return f"Not computed where the record is short: more than a fifth of it is missing, {there}"


def site_faults(request: Mapping[str, Any]) -> pl.DataFrame:
    """Every fault of one request, before a job is made of it: `field`, `reason`; empty when there is none.

    raises : SettingsError for a key that means nothing
    """
    return check(records.from_requests([request])).failures.select("field", "reason")


def _of_file(sites: PortfolioFile, results: Sequence[dict[str, Any]], years: Mapping[str, str]) -> dict[str, Any]:
    """Columns of the file for a portfolio's summary; its results with their years and what the file carries."""
    return {
        "results": [
            pair
            | {
                "years": years.get(pair["time_period"]),
                "worst_sites": [site | {"carried": sites.carried_text(site["row"])} for site in pair["worst_sites"]],
            }
            for pair in results
        ],
        "name_column": sites.name_column(),
        "rows_numbered": sites.numbered,
        "columns": [each.as_json() for each in sites.chosen],
    }


def years_of(totals: pl.DataFrame, config: AssessConfig) -> dict[str, str]:
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
