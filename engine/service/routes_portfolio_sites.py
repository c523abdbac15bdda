"""Sites of a finished portfolio for the page: all of them in one scenario and period, or one with all its figures."""

from __future__ import annotations

import json
from typing import Annotated, Any
from uuid import UUID

import polars as pl
from fastapi import APIRouter, HTTPException, Path, Query

from engine.assess.rules import loss_words, words
from engine.assess.rules.offered import RISKS
from engine.core.caveats import LOSS_NOTE
from engine.core.levels import HAZARD, PRINTED
from engine.core.scenario import Scenario
from engine.io.sites import place_names, portfolio_sites
from engine.service import models, portfolio_models
from engine.service.context import Shared
from engine.service.problems import Problem
from engine.service.routes_portfolio import PATH, result_file

router = APIRouter(tags=["portfolios"])
_MOST = 50_000
_NOT_THERE: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem},
    409: {"model": Problem, "description": "Not finished"},
}
_LISTS = [
    name
    for name, field in portfolio_models.Sites.model_fields.items()
    if name not in ("request_id", "scenario_id", "time_period", "sites", "name", "region")
]
_KEYS = ("risk_type", "scenario_id", "time_period")
_OF_RISK = ("hazard", "hazard_level", "exposure", "vulnerability", "risk_index", "risk_level")


@router.get(f"{PATH}/{{request_id}}/sites", responses=_NOT_THERE)
def read_sites(
    context: Shared,
    request_id: UUID,
    scenario_id: models.ScenarioId,
    time_period: models.Period,
    most: Annotated[int, Query(ge=1, le=_MOST, description="sites, those of the largest loss")] = _MOST,
) -> portfolio_models.Sites:
    """Sites of a finished portfolio in one scenario and period that it was assessed for, the largest loss first."""
    path = result_file(context, request_id, "portfolio.json")
    own = json.loads(path.read_bytes()).get("name_column")
    columns = [*_LISTS, "admin_code", *([own] if own else [])]
    frame, count = portfolio_sites.read_sites(path.parent, scenario_id, time_period, columns, most)
    if not count:
        raise HTTPException(404, "The portfolio was not assessed for this scenario and period")
    lists = {name: frame[name].to_list() for name in _LISTS}
    lists["reason"] = [reason and words.reason(reason) for reason in lists["reason"]]
    lists["region"] = [place_names.of_code(*each) for each in frame.select("admin_code", "admin_name").iter_rows()]
    lists["name"] = [_text(each) for each in frame[own]] if own else [None] * frame.height
    told = {"request_id": request_id, "scenario_id": scenario_id, "time_period": time_period, "sites": count}
    return portfolio_models.Sites.model_validate(told | lists)


@router.get(f"{PATH}/{{request_id}}/sites/{{row}}", responses=_NOT_THERE)
def read_site(
    context: Shared, request_id: UUID, row: Annotated[int, Path(ge=1, le=2**31 - 1)]
) -> portfolio_models.Site:
    """One site of a finished portfolio, by the number of its row in the file: every scenario, period and risk."""
    path = result_file(context, request_id, "portfolio.json")
    found = portfolio_sites.read_site(path.parent, row)
    if found is None:
        raise HTTPException(404, f"Row {row} was not assessed")
    summary = json.loads(path.read_bytes())
    years = {pair["time_period"]: pair.get("years") for pair in summary["results"]}
    first = found.totals.row(0, named=True)
    carried = _carried(summary, found.totals)
    reason = first["reason"]
    told = {name: first.get(name) for name in portfolio_models.Site.model_fields} | {
        "name": carried.get(summary.get("name_column")),
        "carried": carried,
        "region": place_names.of_code(first["admin_code"], first["admin_name"]),
        "reason": reason and words.reason(reason),
        "imputed_fields": first["imputed_fields"] or [],
        "pairs": [_pair(total, years, found) for total in found.totals.iter_rows(named=True)],
    }
    return portfolio_models.Site.model_validate(told)


def _carried(summary: dict[str, Any], totals: pl.DataFrame) -> dict[Any, str | None]:
    """What the file has of the site in columns that are no field: they are the last of every frame."""
    count = sum(each["field"] in (None, "name") for each in summary["columns"])
    own = totals.columns[totals.width - count :]
    return {name: _text(totals[name][0]) for name in own}


def _text(value: object) -> str | None:
    return None if value is None else str(value).replace("\0", "")


def _pair(total: dict[str, Any], years: dict[str, str | None], found: portfolio_sites.OneSite) -> dict[str, Any]:
    """Sums and risks of one scenario and period."""
    is_ours = (pl.col("scenario_id") == total["scenario_id"]) & (pl.col("time_period") == total["time_period"])
    risk = found.risk.filter(is_ours).select(*_KEYS, *_OF_RISK, why="reason")
    aal = found.aal.filter(is_ours).drop("risk_level")
    rows = aal.join(risk, on=[*_KEYS], how="left", maintain_order="left").to_dicts()
    rows.sort(key=lambda each: RISKS.index(each["risk_type"]))
    return total | {
        "scenario_id": int(Scenario(total["scenario_id"])),
        "years": years.get(total["time_period"]),
        "loss_words": loss_words.of_total(total),
        "risks": [_risk(each) for each in rows],
    }


def _risk(row: dict[str, Any]) -> dict[str, Any]:
    reasons = dict.fromkeys(words.reason(each) for each in (row["reason"], row["why"]) if each)
    is_index = row["expected_loss"] is not None and not row["calibrated"]
    printed = dict(zip(HAZARD, PRINTED, strict=True))
    return row | {
        "reason": "; ".join(reasons) or None,
        "loss_note": LOSS_NOTE if is_index else None,
        "hazard_level": printed.get(row["hazard_level"], row["hazard_level"]),
    }
