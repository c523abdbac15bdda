"""Layers of the map: those that results are published for, with the years of the run that made them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import psycopg

from engine.core.names import RISK_NAMES
from engine.core.period import FULL, PERIODS, WINDOWS, Years, label
from engine.core.rows import ENSEMBLE
from engine.io.results import published_layers, published_runs
from engine.io.results.published import Run

#: what is published as layers, of which others are made
QUANTITIES = ("aal", "interval", "change", "hazard")
#: quantity -> period -> scenarios
Layers = dict[str, dict[str, list[int]]]


def runs_of(connection: psycopg.Connection) -> list[Run]:
    """Rows of `result_runs` that were published, the newest first; without ensembles, which have no layers."""
    every = published_runs.every(connection).values()
    runs = [run for run in every if run["published_at"] and run["job_type"] != ENSEMBLE]
    return sorted(runs, key=lambda run: (run["published_at"], run["run_id"]), reverse=True)


def layers_of(connection: psycopg.Connection) -> dict[str, Layers]:
    """Risk -> its layers, in canonical order; risks without one are absent."""
    found: dict[str, dict[str, dict[str, list[int]]]] = {
        risk: {quantity: defaultdict(list) for quantity in QUANTITIES} for risk in RISK_NAMES
    }
    for each in published_layers.held(connection):
        for quantity in found[each.risk]:
            if getattr(each, quantity):
                found[each.risk][quantity][each.period].append(each.scenario)
    return {risk: layers for risk, layers in found.items() if layers["aal"] or layers["hazard"]}


def periods_of(layers: Mapping[str, Layers], runs: list[Run], axis: Years) -> list[dict[str, Any]]:
    """`name`, `first`, `last` of every period that has a layer. axis: of the warehouse, for runs that do
    not say theirs"""
    held = {period for each in layers.values() for quantity in each.values() for period in quantity}
    return [
        dict(zip(("name", "first", "last"), (p, *years_of(p, runs, axis)), strict=True)) for p in PERIODS if p in held
    ]


def aal_years(periods: list[dict[str, Any]]) -> dict[str, str]:
    """Period -> what the AAL of a risk that follows a trend is of. periods: of `periods_of`"""
    return {each["name"]: label(each["name"], Years(each["first"], each["last"]), trend=True) for each in periods}


def years_of(period: str, runs: list[Run], axis: Years) -> tuple[int, int]:
    """First and last year of a period as the newest of the runs says that says it. axis: as of `periods_of`"""
    for run in runs:
        if told := ((run["summary"] or {}).get("periods") or {}).get(period):
            return told[0], told[1]
    if period != FULL:
        return PERIODS[period]
    for run in runs:  # the pair whose figures a summary shows is that of the whole axis, if there is one
        years = re.search(r"(\d+)-(\d+)$", (run["summary"] or {}).get("pair") or "")
        if years and (span := (int(years[1]), int(years[2]))) not in {PERIODS[name] for name in WINDOWS}:
            return span
    return axis.first, axis.last


def absent_risks(layers: Mapping[str, Layers], summary: Mapping[str, Any] | None) -> dict[str, str]:
    """Risk without a layer -> why, as the newest run says."""
    told = summary or {}
    missing, failed = told.get("missing") or {}, told.get("failed") or {}
    not_given = {risk: f"not given: it needs {what}" for risk, what in (told.get("not_given") or {}).items()}
    reasons = (
        {risk: f"the warehouse lacks {', '.join(tables)}" for risk, tables in missing.items()} | failed | not_given
    )
    return {risk: reasons.get(risk, "the run did not compute it") for risk in RISK_NAMES if risk not in layers}


def year_losses_note(run: Run) -> str | None:
    """Why no curves of losses can be made of a run; None where it kept the losses of its years."""
    kept = (run["summary"] or {}).get("year_losses")
    if kept:
        return None
    why = "YEAR_LOSSES was off" if kept is False else "it is of a release that kept none"
    return f"run {run['run_id']} has no year losses: {why}"
