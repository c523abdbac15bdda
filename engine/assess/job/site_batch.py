"""Queued assessments of single sites, worked on together: one frame through the same stages.

A frame of one site costs nearly as much as one of a hundred: what is paid for is the steps, not the rows. No step looks
at another row, so every job gets what it would have got alone.
"""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray

from engine.assess.job import site_losses
from engine.assess.job.assessor import Assessor
from engine.assess.job.progress import Tell
from engine.assess.job.site_losses import SiteLosses
from engine.assess.job.stages import StoredStages
from engine.assess.rules import records, report
from engine.assess.rules.assessment import AssessmentResult, Report
from engine.assess.rules.offered import RISKS
from engine.assess.rules.prepare import Prepared, wants
from engine.assess.rules.validation import check
from engine.assess.rules.vocabulary import NO_HAZARD
from engine.core.errors import SettingsError
from engine.io.queue import batch_jobs
from engine.io.queue.batch_jobs import Job

log = logging.getLogger(__name__)
#: seconds between two reports of progress within a stage
_EVERY = 0.2


def requests_faults(requests: Sequence[Mapping[str, Any]]) -> list[list[tuple[str, str]] | SettingsError]:
    """The faults of each request, (field, reason), before jobs are made of them; what `site_faults` says of one alone.

    A request with a key that means nothing has the error that says so.
    """
    found: list[list[tuple[str, str]] | SettingsError] = []
    known = []
    for request in requests:
        try:
            records.flatten(request)
        except SettingsError as err:
            found.append(err)
        else:
            known.append(len(found))
            found.append([])
    if known:
        failures = check(records.from_requests([requests[place] for place in known])).failures
        for row, name, reason in failures.select("row", "field", "reason").iter_rows():
            faults = found[known[row]]
            assert isinstance(faults, list)  # noqa: S101 (known are those without an error)
            faults.append((name, reason))
    return found


def run_jobs(assessor: Assessor, jobs: Sequence[Job]) -> int:
    """Run jobs of single sites that this worker has taken to their ends, together; returns how many completed.

    A job that cannot be assessed ends as failed, as it would alone. Jobs that somebody else has ended meanwhile stay as
    they are. Equal requests are assessed once; different requests for one site one after the other.

    raises : whatever failed for all of them: their rows say `running` still, run them one by one
    """
    equal: dict[str, list[Job]] = {}
    for job in jobs:
        key = json.dumps(job.input_params, sort_keys=True)
        equal[key] = [*equal.pop(key, ()), job]  # at the place of the last: what is stored is what was asked last
    waiting, completed = [*equal.values()], 0
    while waiting:
        done, waiting = _round(assessor, waiting)
        completed += done
    return completed


def _round(assessor: Assessor, groups: list[list[Job]]) -> tuple[int, list[list[Job]]]:
    """Run what can be run together; returns completed jobs, and the groups whose site another group has."""
    started = time.perf_counter()
    known = []
    for group in groups:
        try:
            records.flatten(group[0].input_params)
        except SettingsError as err:  # the job was not made by a request that was checked
            _fail(assessor.application, group, str(err))
        else:
            known.append(group)
    if not known:
        return 0, []
    checked = check(records.from_requests([group[0].input_params for group in known]))
    first = checked.valid["site_uuid"].is_first_distinct()
    own = replace(checked, valid=checked.valid.filter(first))
    _refuse(assessor.application, known, own.failures)
    completed = 0
    if own.valid.height:
        prepared, context = assessor.prepare(own)
        _refuse(assessor.application, known, prepared.failures.filter(pl.col("row").is_in(own.valid["row"].implode())))
        if prepared.sites.height:
            Progress.of(assessor.application, known, prepared).step("Fetching H and P(H)", 0)
            stages = StoredStages.fetch(assessor.application, prepared, assessor.config)
            prepared = _with_hazard(assessor.application, known, prepared, stages.hazards)
        if prepared.sites.height:
            progress = Progress.of(assessor.application, known, prepared)
            result = _staged(stages, prepared, progress)
            years = site_losses.of_sites(assessor.databases, result)
            reported = Reported(prepared, result, context, years)
            completed = _end(assessor.application, progress, reported, stages, started)
    return completed, [known[row] for row in checked.valid.filter(~first)["row"]]


def _fail(connection: psycopg.Connection, group: list[Job], reason: str) -> None:
    for job in group:
        if batch_jobs.fail(connection, job.batch_id, reason):
            log.warning("job %s failed: %s", job.batch_id, reason)


def _refuse(connection: psycopg.Connection, groups: list[list[Job]], failures: pl.DataFrame) -> None:
    reasons: dict[int, list[str]] = defaultdict(list)
    for row, reason in failures.select("row", "reason").iter_rows():
        reasons[row].append(reason)
    for row, words in reasons.items():
        _fail(connection, groups[row], "; ".join(words))


def _with_hazard(
    connection: psycopg.Connection, groups: list[list[Job]], prepared: Prepared, hazards: pl.DataFrame
) -> Prepared:
    """The sites of which at least one hazard that they ask for is there; the others fail."""
    sites = prepared.sites
    pairs = prepared.requests.with_columns(
        sites.select("grid_id")[prepared.requests["site"]].to_series(), pl.col("time_period").cast(pl.String)
    )
    found = pairs.join(hazards, on=["grid_id", "scenario_id", "time_period"], nulls_equal=False)
    asked = pl.concat(
        sites.select(site=pl.int_range(pl.len(), dtype=pl.UInt32), risk_type=pl.lit(risk), asked=wants(risk))
        for risk in RISKS
    ).filter("asked")
    cached = found.join(asked, on=["site", "risk_type"], how="semi")["site"].unique()
    has = pl.int_range(sites.height, dtype=pl.UInt32, eager=True).is_in(cached.implode())
    for row in sites.filter(~has)["row"]:
        _fail(connection, groups[row], NO_HAZARD)
    return prepared.only(has)


def _staged(stages: StoredStages, prepared: Prepared, progress: Progress) -> AssessmentResult:
    chunk = stages.chunk(prepared)
    progress.step("Fetching H and P(H)", 10)
    with progress.band(10, 50, "Calculating E for {risk}") as tell:
        stages.expose(chunk, tell)
    with progress.band(50, 80, "Calculating V for {risk}") as tell:
        stages.make_vulnerable(chunk, tell)
    with progress.band(80, 95, "Calculating AAL for {risk}") as tell:
        stages.scale(chunk, tell)
    progress.step("Calculating integrated risk", 95)
    return stages.integrate(chunk)


@dataclass(slots=True)
class Progress:
    """Tells the rows of all jobs how far they are, in one statement, five times a second and at the ends of stages.

    rows   : (sites,) `row` of each site, ascending
    groups : jobs of each site
    items  : (sites,) risks that each asks for
    """

    connection: psycopg.Connection
    rows: NDArray[np.uint32]
    groups: list[list[Job]]
    items: NDArray[np.int64]
    _told_at: float = 0.0

    @classmethod
    def of(cls, connection: psycopg.Connection, groups: list[list[Job]], prepared: Prepared) -> Progress:
        """Of prepared sites. groups: jobs by `row`"""
        rows = prepared.sites["row"].to_numpy()
        items = prepared.sites.select(pl.sum_horizontal(pl.col(wants(risk)).cast(pl.Int64) for risk in RISKS))
        return cls(connection, rows, [groups[row] for row in rows], items.to_series().to_numpy())

    def step(self, text: str, percent: int) -> None:
        """A stage without items is done."""
        self._tell(np.full(len(self.rows), percent), text, np.zeros(len(self.rows), np.int64))

    @contextmanager
    def band(self, start: int, end: int, text: str) -> Iterator[Tell]:
        """A stage from `start` to `end` percent: told risk by risk, its end when the stage has been stored."""
        done, last = np.zeros(len(self.rows), np.int64), text

        def tell(prepared: Prepared) -> Report:
            place = np.searchsorted(self.rows, prepared.sites["row"].to_numpy())

            def report_risk(risk: str) -> None:
                nonlocal last
                done[place[prepared.sites[wants(risk)].to_numpy()]] += 1
                last = text.format(risk=risk)
                if time.monotonic() - self._told_at < _EVERY:
                    return
                # the end of the stage is told when it is stored, not when it is computed
                within = np.minimum(done, self.items - 1)
                self._tell(start + (end - start) * within // self.items, last, within)

            return report_risk

        yield tell
        self._tell(np.full(len(self.rows), end), last, self.items)

    def _tell(self, percent: NDArray[np.int64], text: str, done: NDArray[np.int64]) -> None:
        states = [
            (job.batch_id, int(percent[i]), int(done[i]), int(self.items[i]))
            for i, group in enumerate(self.groups)
            for job in group
        ]
        batch_jobs.advance_many(self.connection, states, text)
        self._told_at = time.monotonic()


class Reported(NamedTuple):
    """Everything that reports are made of."""

    prepared: Prepared
    result: AssessmentResult
    context: pl.DataFrame
    years: SiteLosses


def _end(
    connection: psycopg.Connection, progress: Progress, reported: Reported, stages: StoredStages, started: float
) -> int:
    """Give every job its report; a job of which every risk failed has failed. Returns how many completed."""
    prepared, result, context, years = reported
    regions = {row.pop("site_uuid"): row for row in context.iter_rows(named=True)}
    names = [each.name for each in fields(AssessmentResult)]
    split = {name: getattr(result, name).partition_by("row", as_dict=True) for name in names}
    seconds = round(time.perf_counter() - started, 3)
    stamp = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    ends: list[tuple[UUID, dict[str, Any], int, int]] = []
    for (site, uuid), group, items in zip(
        prepared.sites.select("row", "site_uuid").iter_rows(), progress.groups, progress.items, strict=True
    ):
        mine = replace(result, **{name: split[name].get((site,), getattr(result, name).clear()) for name in names})
        done = min(mine.totals["risks_ok"])
        if not done:
            _fail(connection, group, "every risk failed: " + "; ".join(sorted(set(mine.failures["reason"]))))
            continue
        results = report.site_report(mine, stages.notes, stages.rates)
        results |= stages.runs.statement(results["grid_id"], results["risk_types"]) | {
            "region": regions[uuid],
            "duration_seconds": seconds,
            "timestamp": stamp,
        }
        results = years.stated(site, results)
        ends += [(job.batch_id, results, done, int(items) - done) for job in group]
    return batch_jobs.complete_many(connection, ends)
