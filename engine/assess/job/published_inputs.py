"""Published figures that an assessment stands on: hazard scores and AAL of the cells of its sites, and what the
editions say of their risks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
import psycopg

from engine.assess.rules.config import AssessConfig
from engine.assess.rules.intervals import CELL_ENDS
from engine.assess.rules.offered import RISKS
from engine.assess.rules.prepare import Prepared, wants
from engine.core.caveats import own_past
from engine.core.errors import EngineError
from engine.core.period import PERIODS, Years, trend_in_words, window
from engine.io.results import published_cells, published_runs
from engine.io.results.published_figures import AAL, HAZARD
from engine.io.results.published_runs import PublishedRisk, RunsOfRows


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedInputs:
    """Figures of the cells of prepared sites, as they are published now.

    config        : the settings with what the editions say: calibrated, priced, trended, level cuts
    hazards       : `hazard_score`; probabilities: `aal` with `intervals.CELL_ENDS`; rows by cell, risk and pair
    runs          : those that made them
    notes         : risk -> what its AAL must not be read for
    rates         : risk -> what its damage rates stand on: priced, calibrated, level, factor
    """

    config: AssessConfig
    hazards: pl.DataFrame
    probabilities: pl.DataFrame
    runs: RunsOfRows
    notes: Mapping[str, str]
    rates: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(
        cls, connection: psycopg.Connection, prepared: Prepared, config: AssessConfig, *, apart: bool
    ) -> PublishedInputs:
        """Read them; nothing is written. apart: tell the runs of single cells

        raises : EngineError where nothing of what the sites ask for is published
        """
        sites, requests = prepared.sites, prepared.requests
        risks = [risk for risk in RISKS if sites[wants(risk)].any()]
        pairs = requests.select("scenario_id", "time_period").unique().sort("scenario_id", "time_period").rows()
        told = published_runs.published_risks(connection)
        _require_published(risks, told)
        of_risks = {risk: told[risk] for risk in risks if risk in told}
        cells = sites["grid_id"].unique()
        return cls(
            config=with_editions(config, of_risks, published_runs.not_priced(connection) - told.keys()),
            hazards=published_cells.scores(connection, HAZARD, cells, risks, pairs),
            probabilities=published_cells.scores(connection, AAL, cells, risks, pairs, more=CELL_ENDS),
            runs=published_runs.read(connection, cells.to_list(), risks, apart=apart),
            notes=_notes(of_risks, {period for _, period in pairs}, config.grid.axis),
            rates={risk: of.damage_rates() for risk, of in of_risks.items()},
        )


def with_editions(
    config: AssessConfig, risks: Mapping[str, PublishedRisk], not_priced: Collection[str] = ()
) -> AssessConfig:
    """The settings with what the editions of published risks say. not_priced: further risks without damage rates"""
    return replace(
        config,
        calibrated=frozenset(risk for risk, of in risks.items() if of.calibrated),
        not_priced=frozenset(risk for risk, of in risks.items() if not of.priced) | frozenset(not_priced),
        trended=frozenset(risk for risk, of in risks.items() if of.trend),
        edition_cuts_pct=tuple((risk, of.level_cuts_pct) for risk, of in risks.items() if of.level_cuts_pct),
    )


def _require_published(risks: Collection[str], published: Collection[str]) -> None:
    """Refuse sites of whose risks no result is published; what is may have no rules for sites.

    risks  : asked for by the sites inside the grid; without any of those each site has a fault of its own
    raises : EngineError
    """
    if not risks or not published or any(risk in published for risk in risks):
        return
    usable = [risk for risk in RISKS if risk in published]
    there = f"results are published of {', '.join(published)}"
    if usable:
        raise EngineError(f"no results of {', '.join(risks)} are published: ask for {' or '.join(usable)}; {there}")
    raise EngineError(
        f"{there} alone, and the engine has no rules of exposure and vulnerability for it: publish one of"
        f" {', '.join(RISKS)} with python -m jobs.yearly"
    )


def _notes(risks: Mapping[str, PublishedRisk], periods: Collection[str | None], axis: Years) -> dict[str, str]:
    """What is to be said of AAL of priced risks: what their bins are cut at, and which years their AAL is of."""
    years = {name: window(name, axis) for name in PERIODS if name in periods}
    asked = {name: (of.first, of.last) for name, of in years.items()}
    notes = {}
    for risk, of in risks.items():
        if not of.priced:
            continue
        trend = trend_in_words(asked) if of.trend and asked else ""
        parts = [own_past(risk)] if of.of_past else []
        parts += [trend[:1].upper() + trend[1:]] if trend else []
        if parts:
            notes[risk] = ". ".join(parts)
    return notes
