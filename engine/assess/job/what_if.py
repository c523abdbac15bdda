"""Losses of sites before and after a measure, both computed anew from what is published. Nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from engine import losses
from engine.assess.job import loss_years, portfolio_check, portfolio_file
from engine.assess.job.assessor import Assessor, years_of
from engine.assess.job.loss_years import Pair
from engine.assess.job.portfolio_losses import dependence_of, point_of
from engine.assess.job.published_inputs import PublishedInputs
from engine.assess.rules import payback, portfolio, records, saving_words, savings
from engine.assess.rules.assessment import AssessmentResult, assess_prepared
from engine.assess.rules.measures import Measure
from engine.assess.rules.prepare import Prepared, prepare_checked
from engine.assess.rules.validation import Checked, check
from engine.core.caveats import OVERLAP_NOTE
from engine.core.errors import EngineError, SettingsError
from engine.core.scenario import Scenario, ScenarioNames, label
from engine.io.results import published_scenarios
from engine.losses.table import ALL, PAIR

_SIDES = ("before", "after")
#: of the sums of a portfolio, what is told of each side
_SUMS = (
    *(
        f"total_expected_loss{part}{end}"
        for part in ("", "_calibrated", "_uncalibrated")
        for end in ("", "_low", "_high")
    ),
    *("loss_note", "loss_words", "interval_note", "overlap_note", "interval_holds_rates", "interval_dependence"),
    *("sites_in_total", "sites_left_out", "total_asset_value", "expected_loss_ratio", "mean_risk_index"),
    "expected_loss_by_risk",
)


class Asked(NamedTuple):
    """Sites of a what-if.

    checked  : filled from the warehouse
    name     : of the portfolio
    together : the sites are a portfolio, of whose sum the years tell the interval
    names    : `row` and `name` of the sites, which may be null
    """

    checked: Checked
    name: str
    together: bool
    names: pl.DataFrame


class WhatIf(NamedTuple):
    """told : a JSON object; sides: of `savings.side_by_side`; sites: of `savings.of_sites`, with `name`, `taken`"""

    told: dict[str, Any]
    sides: pl.DataFrame
    sites: pl.DataFrame


class _Years(NamedTuple):
    """Of one side: dependence and the curve of all risks, by pair; note: why there are none."""

    dependence: dict[Pair, dict[str, float]]
    points: dict[Pair, tuple[pl.DataFrame, float]]
    note: str | None


def of_request(assessor: Assessor, site: Mapping[str, Any]) -> Asked:
    """The site of a request without a fault, filled from the warehouse.

    raises : SettingsError with all its faults
    """
    checked = check(records.from_requests([site]))
    if checked.valid.is_empty():
        raise SettingsError("; ".join(checked.failures["reason"]))
    filled = assessor.fill(checked).checked
    return Asked(filled, "", together=False, names=pl.DataFrame(schema={"row": pl.UInt32, "name": pl.String}))


def of_file(assessor: Assessor, parameters: Mapping[str, Any]) -> Asked:
    """The valid rows of a portfolio's file, filled from the warehouse.

    parameters : of the job that assessed it
    raises     : SettingsError for a file without a valid row, or that cannot be read
    """
    path = Path(parameters["sites"])
    sites = portfolio_file.read(path, parameters, assessor.limits, assessor.today)
    own = sites.name_column()
    name = pl.lit(None, pl.String) if own is None else pl.col(own).cast(pl.String)
    names = sites.carried.select("row", name=name)
    checked = portfolio_check.checked_rows(path, sites)
    return Asked(assessor.fill(checked).checked, sites.name, together=True, names=names)


def compute(
    assessor: Assessor, asked: Asked, measure: Measure, pair: Pair | None = None, *, only_taken: bool = False
) -> WhatIf:
    """Assess the sites without and with a measure.

    pair   : the scenario and period that is asked for; None: all that the sites ask for
    only_taken : leave the sites out that do not take the measure
    raises : EngineError where nothing is published for the sites; SettingsError for a measure that none of the sites
             takes, or a pair that the sites were not assessed for
    """
    prepared = [prepare_checked(asked.checked, assessor.config, change) for change in (None, measure.applied)]
    if pair is not None:
        names = published_scenarios.names(assessor.application)
        prepared = [_of_pair(each, pair, names) for each in prepared]
    if prepared[0].sites.is_empty():
        raise EngineError("; ".join(prepared[0].failures["reason"].unique(maintain_order=True)))
    taken = prepared[0].sites.select("row", taken=measure.taken())
    if not taken["taken"].any():
        raise SettingsError("none of the sites takes the measure: its rows and site_ids name no assessed site")
    if only_taken:
        prepared = [each.only(taken["taken"]) for each in prepared]
        taken = taken.filter("taken")
    published = PublishedInputs.read(assessor.application, prepared[0], assessor.config, apart=False)
    results = [assess_prepared(each, published.hazards, published.probabilities, published.config) for each in prepared]
    years = [_years(assessor, result) for result in results]
    sides = savings.side_by_side(*(result.aal for result in results))
    sites = savings.of_sites(sides).join(taken, on="row", how="left", maintain_order="left")
    sites = sites.join(asked.names, on="row", how="left", maintain_order="left")
    told = {
        **published.runs.statement(),
        **published_scenarios.stated(assessor.application),
        "name": asked.name,
        "measure": measure.told(),
        "sites": prepared[0].sites.height,
        "sites_taken": int(taken["taken"].sum()),
        "risk_notes": dict(published.notes),
        "rules_note": saving_words.RULES_NOTE,
        "year_losses_note": years[0].note,
        "results": _pairs(assessor, asked, measure, (results, years, sides, sites)),
    }
    return WhatIf(told, sides, sites)


def _of_pair(prepared: Prepared, pair: Pair, names: ScenarioNames) -> Prepared:
    """The sites that ask for a scenario and period, for it alone."""
    scenario, period = pair
    own = (pl.col("scenario_id") == scenario) & (pl.col("time_period").cast(pl.String) == period)
    requests = prepared.requests.filter(own)
    if requests.is_empty():
        raise SettingsError(f"the sites are not assessed for {label(scenario, names)} and {period}")
    kept = pl.int_range(prepared.sites.height, dtype=pl.UInt32, eager=True).is_in(requests["site"].implode())
    only = prepared.only(kept)
    return Prepared(only.sites, only.requests.filter(own), only.outside, only.outside_requests, only.failures)


def _years(assessor: Assessor, result: AssessmentResult) -> _Years:
    """What the losses of single years tell of an assessment."""
    made = _Years({}, {}, None)
    if not assessor.year_losses:
        return made._replace(note=loss_years.OFF)
    rows = {}
    for (scenario, period), group in result.totals.group_by(*PAIR, maintain_order=True):
        places = group.filter(pl.col("total_asset_value").is_not_null(), pl.col("status") != "outside_grid")
        places = places.select("row", "grid_id", value="total_asset_value")
        own = (pl.col("scenario_id") == scenario) & (pl.col("time_period").cast(pl.String) == str(period))
        found = loss_years.counted(result.aal.lazy().filter(own), places)
        if found.height:
            rows[int(scenario), str(period)] = found
    if not rows:
        return made._replace(note=loss_years.NO_LOSS)
    for years in loss_years.read(assessor.application, rows):
        table = losses.portfolio_years(years.cells, years.by_risk)
        if table.is_empty():
            continue
        made.dependence[years.pair] = dependence_of(years)
        sets = {key[2]: each for key, each in losses.sets_of(table)}[ALL]
        made.points[years.pair] = losses.curve_of(sets.model, sets.track), years.value()
    return made if made.points else made._replace(note=loss_years.NONE)


_Found = tuple[list[AssessmentResult], list[_Years], pl.DataFrame, pl.DataFrame]


def _pairs(assessor: Assessor, asked: Asked, measure: Measure, found: _Found) -> list[dict[str, Any]]:
    """Both sides and the saving, a scenario and period each."""
    results, years, sides, sites = found
    named = years_of(results[0].totals, assessor.config)
    sums = [_sums(asked, result, each) for result, each in zip(results, years, strict=True)]
    pairs = []
    for key, before in sums[0].items():
        dependence = years[0].dependence.get(key, {}) if asked.together else {}
        saving = savings.of_pair(sides, *key, dependence)
        own = sites.filter(pl.col("scenario_id") == key[0], pl.col("time_period") == key[1])
        cost = measure.cost(int(own["taken"].sum()))
        appraisal = None
        if cost is not None and saving["saving"] is not None:
            ends = (saving["saving_low"], saving["saving_high"])
            appraisal = payback.appraised(float(saving["saving"]), *ends, cost)
        curves = [_curve(each, key) for each in years]
        pairs.append(
            {
                "scenario_id": key[0],
                "scenario": Scenario(key[0]).api_key,
                "time_period": key[1],
                "years": named[key[1]],
                **dict(zip(_SIDES, (before, sums[1][key]), strict=True)),
                "saving": saving,
                "appraisal": appraisal,
                "words": saving_words.sentences(saving, before, appraisal),
                "overlap_note": OVERLAP_NOTE if before["overlap_note"] else None,
                "curves": dict(zip(_SIDES, curves, strict=True)),
            }
        )
    return pairs


def _sums(asked: Asked, result: AssessmentResult, years: _Years) -> dict[Pair, dict[str, Any]]:
    """Sums of one side as a portfolio states them."""
    totals = portfolio.with_shares(result.totals.with_columns(pl.col("time_period").cast(pl.String)))
    by_risk = portfolio.added([portfolio.loss_by_risk(result.aal.with_columns(pl.col("time_period").cast(pl.String)))])
    counts = portfolio.Counts(rows=totals["row"].n_unique(), invalid=0)
    dependence = years.dependence if asked.together else None
    whole = portfolio.summary(asked.name, totals, by_risk, counts, dependence, worst=0)
    return {
        (int(Scenario.parse(pair["scenario"])), str(pair["time_period"])): {name: pair[name] for name in _SUMS}
        for pair in whole["results"]
    }


def _curve(years: _Years, key: Pair) -> dict[str, Any] | None:
    """The curve of all risks of one side, and its point that is told."""
    if key not in years.points:
        return None
    points, value = years.points[key]
    return {"value": value, "told": point_of(points, value), "points": points.to_dicts()}
