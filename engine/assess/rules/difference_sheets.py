"""What-ifs and comparisons of portfolios as tables for people. Frames and records in, frames out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from engine.assess.rules import loss_words
from engine.assess.rules.sheets import CALIBRATED, Shown
from engine.core.caveats import loss_note
from engine.core.scenario import label, names_of

_ENDS = ("", "_low", "_high")
_PAIR = (Shown("scenario", "scenario"), Shown("time_period", "period"), Shown("years", "years"))
_MONEY = (
    Shown("loss", "{currency} a year", "money"),
    Shown("low", "90 % interval from, {currency}", "money"),
    Shown("high", "90 % interval to, {currency}", "money"),
    Shown("note", "loss note", "wide"),
)
SUMS: tuple[Shown, ...] = (*_PAIR, Shown("what", "what"), Shown("risk", "risk"), *_MONEY)
WHAT_IF_SITES: tuple[Shown, ...] = (
    Shown("row", "row", "whole"),
    Shown("site_id", "site_id"),
    Shown("name", "name"),
    *_PAIR,
    Shown("taken", "takes the measure"),
    Shown("loss_before", "loss before {currency} a year", "money"),
    Shown("loss_after", "loss after {currency} a year", "money"),
    Shown("saving", "saving {currency} a year", "money"),
    Shown("note", "loss note", "wide"),
    Shown("left_out", "risks without a loss"),
)
CURVES: tuple[Shown, ...] = (
    *_PAIR,
    Shown("what", "what"),
    Shown("return_period", "1 in so many years", "whole"),
    Shown("loss", "loss {currency}", "money"),
    Shown("loss_low", "90 % interval (sampling of years alone) from, {currency}", "money"),
    Shown("loss_high", "90 % interval (sampling of years alone) to, {currency}", "money"),
    Shown("basis", "basis"),
    Shown("note", "loss note", "wide"),
)
COMPARED_SITES: tuple[Shown, ...] = (
    Shown("key", "asset"),
    Shown("name", "name"),
    Shown("row_first", "row in the first", "whole"),
    Shown("row_second", "row in the second", "whole"),
    Shown("status", "status"),
    Shown("changed", "what changed, from -> to", "wide"),
    Shown("results", "risks with another AAL of the cell", "wide"),
    Shown("total_expected_loss_first", "loss in the first {currency} a year", "money"),
    Shown("total_expected_loss_second", "loss in the second {currency} a year", "money"),
    Shown("difference", "difference {currency} a year", "money"),
    Shown("note", "loss note", "wide"),
)


def _frame(rows: Sequence[Mapping[str, Any]], shown: Sequence[Shown]) -> pl.DataFrame:
    kinds = {"money": pl.Float64, "whole": pl.Int64}
    schema = {each.name: kinds.get(each.form, pl.String) for each in shown}
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema, orient="row")


def _of_pair(pair: Mapping[str, Any], told: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Words for a scenario and period. told: what names the scenarios; None: the pair itself, a side of a comparison"""
    told = pair if told is None else told
    return {
        "scenario": label(pair["scenario_id"], names_of(told)),
        "time_period": pair["time_period"],
        "years": pair["years"],
    }


def _note(*calibrated: bool | None, scope_note: str | None) -> str:
    own = loss_note([bool(each) for each in calibrated if each is not None]) or CALIBRATED
    return "; ".join(each for each in (own, scope_note) if each)


def _total_note(total: Mapping[str, Any], scope_note: str | None) -> str:
    parts = [total["total_expected_loss_calibrated"], total["total_expected_loss_uncalibrated"]]
    kinds = [kind for kind, part in zip((True, False), parts, strict=True) if part is not None]
    return "; ".join(each for each in (_note(*kinds, scope_note=scope_note), total["overlap_note"]) if each)


def _total(total: Mapping[str, Any]) -> dict[str, Any]:
    return {name: total[f"total_expected_loss{end}"] for name, end in zip(("loss", "low", "high"), _ENDS, strict=True)}


def what_if_sums(told: Mapping[str, Any]) -> pl.DataFrame:
    """Losses before and after and the saving, in all and by risk. told: of a what-if"""
    rows: list[dict[str, Any]] = []
    for pair in told["results"]:
        note = _total_note(pair["before"], told["scope_note"])
        for which in ("before", "after"):
            rows.append(_of_pair(pair, told) | _total(pair[which]) | {"what": which, "risk": "all risks", "note": note})
        saving = [pair["saving"][f"saving{end}"] for end in _ENDS]
        ends = dict(zip(("loss", "low", "high"), saving, strict=True))
        rows.append(_of_pair(pair, told) | ends | {"what": "saving", "risk": "all risks", "note": note})
        for risk, before in pair["before"]["expected_loss_by_risk"].items():
            after = pair["after"]["expected_loss_by_risk"][risk]
            own = _note(before["calibrated"], scope_note=told["scope_note"])
            named = _of_pair(pair, told) | {"risk": risk.replace("_", " "), "note": own}
            for which, side in (("before", before), ("after", after)):
                losses = [side[f"expected_loss{end}"] for end in _ENDS]
                rows.append(named | dict(zip(("loss", "low", "high"), losses, strict=True)) | {"what": which})
            saved = pair["saving"]["by_risk"].get(risk, {})
            losses = [saved.get(f"saving{end}") for end in _ENDS]
            rows.append(named | dict(zip(("loss", "low", "high"), losses, strict=True)) | {"what": "saving"})
    return _frame(rows, SUMS)


def what_if_facts(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The measure, and what is to be said of it in each scenario and period."""
    measure = told["measure"]
    facts = [("measure", measure["name"])]
    facts += [(f"sets {name}", str(value)) for name, value in measure["set"].items()]
    facts += [
        (f"prevents of {risk.replace('_', ' ')}", f"{100 * share:g} % of the loss, as stated")
        for risk, share in measure["prevents"].items()
    ]
    facts.append(("sites", f"{told['sites_taken']:,} of {told['sites']:,} take it"))
    facts += [("run", f"{run['run_id']}, edition {run['edition']}, scope {run['scope']}") for run in told["runs"]]
    if told["scope_note"]:
        facts.append(("figures are of", told["scope_note"]))
    for pair in told["results"]:
        which = f"{label(pair['scenario_id'], names_of(told))} {pair['time_period']} {pair['years']}"
        facts += [(which, sentence) for sentence in pair["words"]["en"]]
        if told["results"][0]["appraisal"] is not None and pair["appraisal"] is not None:
            cost = pair["appraisal"]
            code = loss_words.currency()
            facts.append((which, f"cost {cost['cost']:,.0f} {code}, upkeep {cost['upkeep']:,.0f} {code} a year"))
    return [*facts, ("rules", told["rules_note"]["en"])]


def what_if_sites(told: Mapping[str, Any], sites: pl.DataFrame) -> pl.DataFrame:
    """A line a site, scenario and period, the largest saving first. sites: of a what-if"""
    years = {(pair["scenario_id"], pair["time_period"]): pair for pair in told["results"]}
    rows = []
    for site in sites.sort("saving", descending=True, nulls_last=True, maintain_order=True).iter_rows(named=True):
        pair = years[site["scenario_id"], site["time_period"]]
        rows.append(
            site
            | _of_pair(pair, told)
            | {
                "taken": "yes" if site["taken"] else "no",
                "note": _total_note(pair["before"], told["scope_note"]),
                "left_out": ", ".join(risk.replace("_", " ") for risk in site["risks_left_out"]),
            }
        )
    return _frame(rows, WHAT_IF_SITES)


def what_if_curves(told: Mapping[str, Any]) -> pl.DataFrame:
    """Points of the curves before and after."""
    rows = [
        _of_pair(pair, told) | {"what": which, "note": _total_note(pair["before"], told["scope_note"])} | point
        for pair in told["results"]
        for which, curve in pair["curves"].items()
        for point in (curve or {"points": []})["points"]
    ]
    return _frame(rows, CURVES)


def compared_sums(told: Mapping[str, Any]) -> pl.DataFrame:
    """Losses of both assessments and their difference, in all and by risk. told: of a comparison"""
    rows: list[dict[str, Any]] = []
    for which in ("first", "second"):
        side = told[which]
        own = {"what": which, "risk": "all risks", "note": _total_note(side, side["scope_note"])}
        rows.append(_of_pair(side) | _total(side) | own)
    rows.append({"what": "second less first", "risk": "all risks", "loss": told["difference"]})
    for risk in told["by_risk"]:
        named = {"risk": risk["risk_type"].replace("_", " ")}
        for which in ("first", "second"):
            ends = [risk[f"expected_loss{end}_{which}"] for end in _ENDS]
            own = {"what": which, "note": _note(risk[f"calibrated_{which}"], scope_note=told[which]["scope_note"])}
            rows.append(_of_pair(told[which]) | named | dict(zip(("loss", "low", "high"), ends, strict=True)) | own)
        rows.append(named | {"what": "second less first", "loss": risk["difference"]})
    return _frame(rows, SUMS)


def compared_facts(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The two assessments, and how many assets differ."""
    facts = []
    for which in ("first", "second"):
        side = told[which]
        runs = ", ".join(f"{run['run_id']} (edition {run['edition']})" for run in side["runs"])
        scenario = label(side["scenario_id"], names_of(side))
        facts.append((which, f"{side['name']}, {scenario} {side['time_period']} {side['years']}, run {runs}"))
    facts += [
        (
            f"assets: {status}",
            f"{each['assets']:,}, difference {each['difference'] or 0:,} {loss_words.currency()} a year",
        )
        for status, each in told["counts"].items()
    ]
    if told["scope_note"]:
        facts.append(("figures are of", told["scope_note"]))
    return facts + ([("note", told["difference_note"]["en"])] if told["difference_note"] else [])


def compared_sites(told: Mapping[str, Any], table: pl.DataFrame) -> pl.DataFrame:
    """A line an asset. table: of `compare.compared`"""
    note = _total_note(told["second"], told["scope_note"])
    rows = [
        asset
        | {
            "changed": "; ".join(f"{each['field']}: {each['before']} -> {each['after']}" for each in asset["changes"]),
            "results": ", ".join(risk.replace("_", " ") for risk in asset["new_results"]),
            "note": note,
        }
        for asset in table.iter_rows(named=True)
    ]
    return _frame(rows, COMPARED_SITES)


def compared_curves(told: Mapping[str, Any]) -> pl.DataFrame:
    """Points of both curves."""
    rows = [
        _of_pair(told[which]) | {"what": which, "note": _total_note(told[which], told[which]["scope_note"])} | point
        for which in ("first", "second")
        for point in told[which]["curve"]
    ]
    return _frame(rows, CURVES)
