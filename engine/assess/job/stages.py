"""The stages of an assessment job: computed chunk by chunk, stored as they end, and cached."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl
import psycopg

from engine.assess.job.progress import Tell
from engine.assess.job.published_inputs import PublishedInputs
from engine.assess.rules import assessment, hashes
from engine.assess.rules.assessment import AssessmentResult, Report
from engine.assess.rules.config import AssessConfig
from engine.assess.rules.integrate import Stages
from engine.assess.rules.offered import RISKS
from engine.assess.rules.prepare import Prepared, wants
from engine.assess.rules.scaling import labelled, vulnerability_scale
from engine.assess.rules.vocabulary import LEVEL, NOT_PRICED, PERIOD, RISK, STATUS
from engine.assess.rules.wide import Frames
from engine.core.counted import counted
from engine.io.db.writers import Write, Writers
from engine.io.results.published_runs import RunsOfRows
from engine.io.sites import site_results

log = logging.getLogger(__name__)

_OK = pl.lit("ok", STATUS)
#: what later stages and the totals read of a stage
_STATE = ("status", "reason", "is_default")
_KEPT = {
    "exposure": ("exposure_score", "proximity_factor", *_STATE),
    "vulnerability": ("vulnerability_score", *_STATE),
    "aal": ("final_aal", "expected_loss", "calibrated", *_STATE),
}
#: takes the rows of a stage for a chunk of the sites: name of the frame, rows
Keep = Callable[[str, pl.DataFrame], None]


@dataclass(slots=True)
class SiteChunk:
    """One chunk of sites with the intermediate results of the stages run so far."""

    prepared: Prepared
    hashes: pl.DataFrame
    exposed: Frames | None = None
    vulnerable: Frames | None = None
    scaled: Frames | None = None


@dataclass(frozen=True, slots=True)
class StoredStages:
    """Everything read before the first stage: hazard and AAL of the cells, and AAL that is still good.

    runs    : those that made the hazard and AAL of the cells; by cell, unless `keep` takes the rows
    notes   : risk -> what its AAL must not be read for
    rates   : risk -> what its damage rates stand on: priced, calibrated, level, factor
    read_at : when the AAL of the cells was about to be read
    writers : write what a stage leaves while the next chunk is computed; None: a stage ends when it is stored
    keep    : takes the rows of each stage, of which a chunk then holds no more than later stages read (a portfolio may
              have a million sites); None: the chunks hold everything
    failed  : risk and reason -> sites whose exposure failed, until a warning has said so
    """

    connection: psycopg.Connection
    config: AssessConfig
    hazards: pl.DataFrame
    probabilities: pl.DataFrame
    known_aal: pl.DataFrame
    hashes: pl.DataFrame
    read_at: datetime
    runs: RunsOfRows
    notes: Mapping[str, str] = field(default_factory=dict)
    rates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    writers: Writers | None = None
    keep: Keep | None = None
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)

    @classmethod
    def fetch(
        cls,
        connection: psycopg.Connection,
        prepared: Prepared,
        config: AssessConfig,
        writers: Writers | None = None,
        keep: Keep | None = None,
    ) -> StoredStages:
        """Read H and AAL with its interval of all cells. Which risks are calibrated and priced, and the cuts of their
        levels, are read with them."""
        sites = prepared.sites
        own = pl.concat([sites.select("site_uuid"), hashes.hashed(sites)], how="horizontal")
        read_at = site_results.now(connection)
        cached = site_results.cached_aal(connection, own)
        published = PublishedInputs.read(connection, prepared, config, apart=keep is None)
        return cls(
            connection=connection,
            config=published.config,
            runs=published.runs,
            hazards=published.hazards,
            probabilities=published.probabilities,
            known_aal=_complete(cached, prepared, per_request=True, without=published.config.not_priced),
            hashes=own,
            read_at=read_at,
            notes=published.notes,
            rates=published.rates,
            writers=writers,
            keep=keep,
        )

    def chunk(self, prepared: Prepared) -> SiteChunk:
        """Some of the sites, before the first stage."""
        own = prepared.sites.select("site_uuid").join(self.hashes, on="site_uuid", how="left", maintain_order="left")
        return SiteChunk(prepared, own)

    def expose(self, chunk: SiteChunk, tell: Tell) -> None:
        """E: computed and stored."""
        chunk.exposed = assessment.run_exposure(chunk.prepared, self.config, tell(chunk.prepared))
        rows = assessment.by_site(chunk.prepared, chunk.exposed)
        for risk, reason, sites in _failed(rows):
            self.failed[risk, reason] += sites
        self._write(lambda connection: site_results.store_exposure(connection, chunk.prepared.sites, rows))
        chunk.exposed = self._slim("exposure", chunk.exposed, rows)

    def make_vulnerable(self, chunk: SiteChunk, tell: Tell) -> None:
        """V: taken from the cache for sites that it holds whole, computed for the others; stored, cached."""
        report = tell(chunk.prepared)
        cached = site_results.cached_vulnerability(self.connection, chunk.hashes.select("site_uuid", "building_hash"))
        cached = _complete(cached, chunk.prepared, per_request=False)
        is_cached = chunk.prepared.sites["site_uuid"].is_in(cached["site_uuid"].unique().implode())
        missed = chunk.prepared.only(~is_cached) if is_cached.any() else chunk.prepared
        fresh = assessment.run_vulnerability(missed, report)
        chunk.vulnerable = fresh
        if is_cached.any():
            kept = chunk.prepared.only(is_cached)
            known = {risk: _known_vulnerability(kept, cached, risk) for risk in RISKS}
            chunk.vulnerable = _merged(is_cached, known, fresh)
            _tell_all(tell(kept))  # sites from the cache are done, too
        rows = assessment.by_site(chunk.prepared, chunk.vulnerable)
        new = (assessment.by_site(missed, fresh) if is_cached.any() else rows).filter(pl.col("status") == "ok")
        new = new.join(chunk.hashes, on="site_uuid").rename(
            {"vulnerability_score": "score", "vulnerability_level": "level"}
        )
        self._write(lambda connection: site_results.store_vulnerability(connection, rows, new))
        chunk.vulnerable = self._slim("vulnerability", chunk.vulnerable, rows)

    def scale(self, chunk: SiteChunk, tell: Tell) -> None:
        """AAL: taken from the cache for sites that it holds whole, computed for the others; stored, cached."""
        assert chunk.vulnerable is not None  # noqa: S101 (the stages run in order)
        is_cached = chunk.prepared.sites["site_uuid"].is_in(self.known_aal["site_uuid"].unique().implode())
        missed, vulnerable = chunk.prepared, chunk.vulnerable
        if is_cached.any():
            missed = chunk.prepared.only(~is_cached)
            vulnerable = {risk: frame.filter(~is_cached) for risk, frame in vulnerable.items()}
        base = assessment.by_request(missed, self.probabilities, "aal")
        fresh = assessment.run_scaling(missed, vulnerable, base, self.config, tell(missed))
        chunk.scaled = fresh
        if is_cached.any():
            kept = chunk.prepared.only(is_cached)
            known = {
                risk: _known_aal(kept, self.known_aal, chunk.vulnerable[risk].filter(is_cached), risk, self.config)
                for risk in RISKS
            }
            chunk.scaled = _merged(is_cached.gather(chunk.prepared.requests["site"]), known, fresh)
            _tell_all(tell(kept))
        rows = assessment.by_pair(chunk.prepared, chunk.scaled)
        new = assessment.by_pair(missed, fresh) if is_cached.any() else rows
        new = new.filter((pl.col("status") == "ok") & ~pl.col("is_default") & pl.col("reason").is_null())
        new = new.join(chunk.hashes, on="site_uuid")
        stored = self._with_runs(chunk.prepared, rows)
        self._write(lambda connection: site_results.store_aal(connection, stored, new, self.read_at))
        if self.keep is not None:
            rows = assessment.by_pair(chunk.prepared, self._with_intervals(chunk))
        chunk.scaled = self._slim("aal", chunk.scaled, rows)

    def _with_intervals(self, chunk: SiteChunk) -> Frames:
        """AAL with intervals. They are no part of what is stored and cached: the cells' rows tell them each time."""
        assert chunk.scaled is not None and chunk.vulnerable is not None  # noqa: S101, PT018 (the stages run in order)
        return assessment.with_intervals(chunk.prepared, chunk.scaled, chunk.vulnerable, self.probabilities)

    def _with_runs(self, prepared: Prepared, rows: pl.DataFrame) -> pl.DataFrame:
        """AAL with the run of its base. What is still good in the cache is of the same: none was published since."""
        cells = rows.select("site_uuid").join(
            prepared.sites.select("site_uuid", "grid_id"), on="site_uuid", how="left", maintain_order="left"
        )
        return rows.with_columns(run_id=self.runs.of_loss(cells["grid_id"], rows["risk_type"]))

    def written(self) -> None:
        """Wait until all pending writes are stored; log failures."""
        if self.writers is not None:
            self.writers.wait()
        for (risk, reason), sites in self.failed.items():
            log.warning("%s failed for %s: %s", risk, "a site" if sites == 1 else counted(sites, "site"), reason)
        self.failed.clear()

    def _slim(self, name: str, frames: Frames, rows: pl.DataFrame) -> Frames:
        if self.keep is None:
            return frames
        self.keep(name, rows)
        return {risk: frame.select(_KEPT[name]) for risk, frame in frames.items()}

    def _write(self, write: Write) -> None:
        if self.writers is None:
            write(self.connection)
            self.written()
        else:
            self.writers.submit(write)

    def integrate(self, chunk: SiteChunk) -> AssessmentResult:
        """Integrated risk, and all frames of the chunk."""
        assert chunk.exposed is not None and chunk.vulnerable is not None  # noqa: S101, PT018 (the stages run in order)
        hazard = assessment.by_request(chunk.prepared, self.hazards, "hazard_score")
        risk = assessment.run_integration(chunk.prepared, chunk.exposed, chunk.vulnerable, hazard)
        stages = Stages(chunk.exposed, chunk.vulnerable, self._with_intervals(chunk), risk)
        return assessment.collect(chunk.prepared, stages)


def _failed(rows: pl.DataFrame) -> list[tuple[str, str, int]]:
    failed = rows.filter(pl.col("status") == "failed")
    return failed.group_by("risk_type", "reason", maintain_order=True).len().rows()


def _tell_all(report: Report) -> None:
    for risk in RISKS:
        report(risk)


def _complete(
    cached: pl.DataFrame, prepared: Prepared, *, per_request: bool, without: Collection[str] = ()
) -> pl.DataFrame:
    """The cached rows of what was asked, of sites that lack none of it: a site is taken whole or not at all.

    without : risks that are never cached
    """
    if cached.is_empty():
        return cached
    sites = prepared.sites
    asked = pl.concat(
        [
            sites.filter(pl.col(wants(risk)) & (risk not in without)).select("site_uuid", risk_type=pl.lit(risk, RISK))
            for risk in RISKS
        ]
    )
    keys = ["site_uuid", "risk_type"]
    if per_request:
        pairs = pl.concat(
            [sites.select("site_uuid")[prepared.requests["site"]], prepared.requests.drop("site")], how="horizontal"
        )
        asked = asked.join(pairs, on="site_uuid")
        keys += ["scenario_id", "time_period"]
        cached = cached.with_columns(pl.col("time_period").cast(PERIOD))
    cached = cached.with_columns(pl.col("risk_type").cast(RISK)).join(asked, on=keys, how="semi")
    counts = asked.group_by("site_uuid").len("wanted").join(cached.group_by("site_uuid").len("found"), on="site_uuid")
    whole = counts.filter(pl.col("found") == pl.col("wanted"))
    return cached.join(whole, on="site_uuid", how="semi")


def _known_vulnerability(prepared: Prepared, cached: pl.DataFrame, risk: str) -> pl.DataFrame:
    rows = prepared.sites.select("site_uuid").join(
        cached.filter(pl.col("risk_type") == risk), on="site_uuid", how="left", maintain_order="left"
    )
    return rows.select(
        "vulnerability_score",
        pl.col("vulnerability_level").cast(LEVEL),
        "factors",
        status=_OK,
        reason=pl.lit(None, pl.String),
        is_default=pl.lit(False),
    )


def _known_aal(
    prepared: Prepared, cached: pl.DataFrame, vulnerable: pl.DataFrame, risk: str, config: AssessConfig
) -> pl.DataFrame:
    site = prepared.requests["site"]
    wanted = pl.concat(
        [prepared.sites.select("site_uuid", "insurance_rate")[site], prepared.requests.drop("site")], how="horizontal"
    )
    keys = ["site_uuid", "scenario_id", "time_period"]
    rows = wanted.join(cached.filter(pl.col("risk_type") == risk), on=keys, how="left", maintain_order="left")
    score = vulnerable["vulnerability_score"].gather(site)
    return labelled(
        rows.with_columns(
            pl.col("aal_capped").fill_null(False),
            score=score,
            status=_OK,
            reason=pl.lit(NOT_PRICED if risk in config.not_priced else None, pl.String),
            is_default=pl.lit(False),
        ).with_columns(vulnerability_scale=vulnerability_scale(pl.col("score"))),
        config,
        risk,
    )


def _merged(is_cached: pl.Series, known: Frames, fresh: Frames) -> Frames:
    """Rows of two frames a risk in one: those of `known` where `held`, in order, those of `fresh` elsewhere."""
    place = pl.select(
        pl.when(is_cached)
        .then(is_cached.cum_sum().cast(pl.Int64) - 1)
        .otherwise((~is_cached).cum_sum().cast(pl.Int64) - 1 + int(is_cached.sum()))
    ).to_series()
    return {risk: pl.concat([known[risk], fresh[risk]])[place] for risk in RISKS}
