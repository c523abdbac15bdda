"""The report as one HTML text: figures, maps and charts of every risk put into the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from engine.batch.plan import OBSERVED
from engine.core import country, levels
from engine.core.caveats import on_own_years, overlap_note, own_past, own_years, storm_once_note
from engine.core.edition_words import what_a_figure_is
from engine.core.interval_words import digits
from engine.core.period import FULL, trend_in_words
from engine.core.scenario import DEFAULT_SCENARIO, names_of
from engine.core.scenario import label as scenario_label
from engine.io.climate.catalog import Load
from engine.io.results.published import Results, Run
from engine.losses import loss_steps
from engine.maps.picture import SCALES
from engine.report import change, charts, ensemble, maps, sure
from engine.report.figures import RiskFigures, components_of, figures_of, runs_of
from engine.report.places import Places
from engine.report.rare import Rare
from engine.report.words import bin_ranges, count, level, percent, ratio, score
from engine.risks.edition import Edition
from engine.risks.registry import RISKS

#: a run that was never published has no summary: the page says so, and shows what the rows themselves tell
_NO_SUMMARY: dict[str, Any] = {
    **dict.fromkeys(("pair", "status", "cells"), None),
    **{"warnings": (), "risks": (), "missing": {}, "not_given": {}, "failed": {}, "cells_without_result": 0},
}
_NOTHING_TOLD: dict[str, Any] = {"stands_on": None, "components": (), "fallback_edges": None, "calibrated": False} | {
    "priced": True,
    "level": None,
    "factor": None,
    "trend": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An earlier run to compare with."""

    run: Run
    results: Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse:
    """What the warehouse says now. unchanged: whether it still is what the run was computed from."""

    where: str
    loads: Sequence[Load]
    unchanged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """All that the page is made from.

    figures  : of every risk that has rows
    frame    : None when the cells are too few for a map; then `places` is None, too
    edition  : figures of the run's methodology; None when they are not at hand
    rare     : return levels by province, or why there are none
    ensemble : the run that put several climate models together
    """

    results: Results
    figures: Mapping[str, RiskFigures]
    frame: maps.Frame | None
    places: Places | None
    edition: Edition | None
    earlier: Earlier | None
    warehouse: Warehouse | None
    rare: Rare
    ensemble: Run | None = None


def read_figures(results: Results) -> dict[str, RiskFigures]:
    """Figures of every risk that has rows, in canonical order."""
    losses, scores = results.windows()
    found = {risk: figures_of(results, risk, losses, scores) for risk in RISKS}
    return {risk: each for risk, each in found.items() if each.cells.height}


def mark(run: Run) -> str:
    """What tells a run from others of its number: each ENGINE_HOME, database and folder counts its own runs."""
    return f"{run['run_id']} {run['started_at']} {run['source_fingerprint']}"


def _levels() -> list[dict[str, str] | None]:
    """What regions of the first two levels are called; None for a level that the country does not have."""
    told = country.current().regions.levels[:2]
    named: list[dict[str, str] | None] = [{"word": each.word.en, "several": each.several.en} for each in told]
    return [*named, None][:2]


def is_report_of(path: Path, run: Run) -> bool:
    """Whether a file is a report of this run."""
    with path.open("rb") as file:
        return f'<meta name="climate-risk-run" content="{mark(run)}">'.encode() in file.read(1_000)


def render(told: Input) -> str:
    """The whole page."""
    environment = Environment(
        loader=PackageLoader("engine.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "count": count,
        "ratio": ratio,
        "score": score,
        "level": level,
        "digits": digits,
    }
    frame, places = told.frame, told.places
    style = (resources.files("engine.report") / "style.css").read_text("utf-8")
    risks = [_risk(told, each) for each in told.figures.values()]
    incomparable: dict[str, list[str]] = {}
    for risk in risks:
        if risk["change"] and risk["change"]["reasons"]:
            incomparable.setdefault("; ".join(risk["change"]["reasons"]), []).append(risk["title"])
    return environment.get_template("report.html").render(
        style=style,
        edition_words=_edition_words(told),
        run=told.results.run,
        mark=mark(told.results.run),
        summary=_NO_SUMMARY | (told.results.run["summary"] or {}),
        where=told.results.where,
        made=datetime.now(UTC),
        observed=told.results.run["scope"] == OBSERVED,
        shown_scenario=scenario_label(DEFAULT_SCENARIO, names_of(told.results.run["summary"])),
        frame=frame,
        coast=frame.path(places.coast) if frame and places else "",
        land=frame.path(places.land) if frame and places and frame.apart else "",
        provinces=frame.path(places.provinces) if frame and places else "",
        places=places,
        region_levels=_levels(),
        risks=risks,
        uncalibrated=[risk["title"] for risk in risks if risk["spread"] and not risk["told"]["calibrated"]],
        storms=_storms(risks),
        not_priced=[risk["title"] for risk in risks if not risk["told"]["priced"]],
        earlier=told.earlier,
        incomparable=incomparable,
        unchanged=not incomparable and change.unchanged([risk["change"] for risk in risks if risk["change"]]),
        warehouse=told.warehouse,
        edition=told.edition,
        rare=told.rare,
        ensemble=ensemble.section(told.ensemble, names_of(told.results.run["summary"])),
        year_losses=(told.results.run["summary"] or {}).get("year_losses"),
        runs=told.results.runs,
        level_colours=dict(zip(levels.PRINTED, SCALES["hazard"].colours[::2], strict=True)),
        common=SCALES["aal"],
    )


def _storms(risks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences on adding up the AAL of risks that one storm brings: of index rates, and of rates fitted together."""
    calibrated = {risk["name"]: bool(risk["told"]["calibrated"]) for risk in risks if risk["spread"]}
    overlap, once = overlap_note(calibrated), storm_once_note(calibrated)
    notes = [f"{overlap}: do not add their AAL up"] if overlap else []
    return [f"{note[0].upper()}{note[1:]}." for note in (*notes, once) if note]


def _edition_words(told: Input) -> str:
    """What a figure of the run's edition is, and how wide."""
    rates = {risk: _NOTHING_TOLD | components_of(told.results.run["summary"], risk) for risk in told.figures}
    return what_a_figure_is(told.results.run["edition"], rates, observed=told.results.run["scope"] == OBSERVED)


def _on_own_years(run: Run) -> bool:
    """Whether the figures of the whole axis are of the years that set the edges."""
    years = ((run["summary"] or {}).get("periods") or {}).get(FULL)
    return on_own_years(run["scope"], run["baseline"], tuple(years) if years else None)


def _risk(told: Input, figures: RiskFigures) -> dict[str, Any]:
    """What the template shows of one risk."""
    declared = RISKS[figures.risk]
    bins = told.edition.bins.get(figures.risk) if told.edition else None
    intensity = declared.intensities[bins.intensity] if bins else None
    told_of_it = _NOTHING_TOLD | components_of(told.results.run["summary"], figures.risk)
    # where no cell's baseline gives quantiles, the edition's fixed edges are what was used
    fixed = bool(bins and bins.of_baseline and told_of_it["fallback_edges"] == figures.estimated.height)
    periods = (told.results.run["summary"] or {}).get("periods")
    same = _on_own_years(told.results.run)
    of_past = bins.of_baseline if bins else told_of_it["fallback_edges"] is not None
    cuts = (
        replace(bins, of_baseline=False, edges=bins.fallback, fallback=(), fit=None, estimator=None)
        if bins and fixed
        else bins
    )
    rates = (bins.rates or (None,) * (len(bins.edges) + 1)) if bins else ()
    ranked = None if figures.probability.is_empty() else _arrays(figures.probability, "aal", "aal_low", "aal_high")
    return {
        "name": figures.risk,
        "title": figures.risk.replace("_", " ").capitalize().replace("Sea level rise", "Sea-level rise"),
        "figures": figures,
        "spread": figures.spread,
        "maps": _maps(told.frame, figures),
        "charts": charts.risk_charts(
            ranked,
            figures.losses,
            figures.scores,
            names=names_of(told.results.run["summary"]),
            trend=bool(told_of_it["trend"]),
        ),
        "shown_mean": bool(told_of_it["trend"]) and FULL in (periods or {}),
        "follows": trend_in_words(periods) if told_of_it["trend"] and periods else None,
        "bins": bins,
        "rates": rates,
        "intensity": intensity,
        "reached": _reached(figures, rates),
        "fixed": fixed,
        "own_past": None if fixed or not of_past or same else own_past(figures.risk),
        "own_years": None if fixed or not of_past or not same else own_years(),
        "ranges": bin_ranges(cuts, intensity) if cuts and intensity else [],
        "told": told_of_it,
        "references": declared.references,
        "runs": [number for number in runs_of(figures) if number != told.results.run["run_id"]],
        "provinces": figures.by_province(told.places).to_dicts() if told.places else [],
        "towns": figures.towns(told.places).to_dicts() if told.places else [],
        "change": _change(told, figures),
        "middle": sure.middle_cell(
            figures,
            intensity,
            calibrated=bool(told_of_it["calibrated"]),
            observed=told.results.run["scope"] == OBSERVED,
        ),
        "windows": sure.changes_of_windows(told.results, figures, told.frame, trend=bool(told_of_it["trend"])),
    }


def _reached(figures: RiskFigures, rates: Sequence[float | None]) -> list[float]:
    """Mean probability of each bin's damage rate or more; empty where the risk is not priced or has no bins."""
    known = [rate for rate in rates if rate is not None]
    if len(known) != len(figures.mean_bins) or not known:
        return []
    return [float(share) for share in loss_steps([figures.mean_bins], known)[0]]


def _arrays(rows: pl.DataFrame, *names: str) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    return [rows[name].cast(pl.Float32).fill_null(np.nan).to_numpy() for name in names]


def _maps(frame: maps.Frame | None, figures: RiskFigures) -> dict[str, maps.Map | None]:
    """`common`: AAL on the scale of all risks, `aal`: on one of its own, `hazard`; None for what was not computed."""
    drawn: dict[str, maps.Map | None] = dict.fromkeys(("common", "aal", "hazard"))
    cells = figures.cells
    if frame is None:
        return drawn
    if not figures.probability.is_empty() and figures.priced:
        [aal] = _arrays(cells, "aal")
        exposed = (cells["method"] != "not_exposed").fill_null(True).to_numpy()
        drawn["common"] = maps.draw(frame, cells, aal, SCALES["aal"])
        drawn["aal"] = maps.draw(frame, cells, aal, maps.own_scale(aal, exposed))
    if not figures.hazard.is_empty():
        drawn["hazard"] = maps.draw(frame, cells, _arrays(cells, "hazard_score")[0], SCALES["hazard"])
    return drawn


def _change(told: Input, figures: RiskFigures) -> dict[str, Any] | None:
    """Both quantities against the earlier run, and the map of the first that may be compared."""
    if told.earlier is None:
        return None
    empty = pl.DataFrame(schema={"risk_type": pl.String, "scenario_id": pl.Int16, "time_period": pl.String})
    then = figures_of(told.earlier.results, figures.risk, empty, empty)
    reasons = change.incomparable(told.results.run, told.earlier.run, figures.risk)
    aal = None if reasons else change.change_of_aal(figures, then)
    parts = change.other_parts(told.results.run, told.earlier.run, figures.risk)
    hazard = None if parts else change.change_of_hazard(figures, then)
    shown, unit, factor = (aal, "percentage points of value a year", 100) if aal else (hazard, "points of 100", 100)
    drawn = None
    if shown and told.frame:
        differences = shown.differences["difference"].to_numpy() * factor
        scale = maps.change_scale(differences, unit)
        drawn = maps.draw(told.frame, shown.differences, differences.astype(np.float32), scale)
    of = "AAL" if aal else "hazard score"
    return {"aal": aal, "hazard": hazard, "reasons": reasons, "parts": parts, "map": drawn, "of": of}
