"""Curves of a portfolio: what it loses once in so many years, and where its bad years come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import polars as pl
from fastapi import APIRouter, HTTPException, Query, Response

from engine.io.sites.loss_files import LossFiles, read_losses
from engine.service.answers import File
from engine.service.context import Shared
from engine.service.loss_models import Curve
from engine.service.problems import Problem
from engine.service.routes_portfolio import PATH, result_file

router = APIRouter(tags=["portfolios"])
_SITES, _STORMS = 50, 10


@router.get(
    f"{PATH}/{{request_id}}/curve",
    response_model=Curve,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}},
        404: {"model": Problem},
        409: {"model": Problem, "description": "Not finished"},
    },
)
def read_curve(
    context: Shared,
    request_id: UUID,
    format: Annotated[Literal["json", "csv"], Query(description="csv: the rows of the curve alone")] = "json",
) -> Response:
    """Exceedance curves of a finished portfolio by risk and over all risks, its tails, the risks and sites that its bad
    years come from, and the storms that would cost it most today. Where there are none, `note` says why."""
    summary = result_file(context, request_id, "portfolio.json")
    found = read_losses(summary.parent)
    if format == "csv":
        if found.note is not None:
            raise HTTPException(404, f"No curve: {found.note}")
        name = "curve.csv"
        return File(result_file(context, request_id, name), media_type="text/csv; charset=utf-8", filename=name)
    told = Curve.model_validate({"request_id": request_id, **_told(summary, found)})
    return Response(told.model_dump_json(), media_type="application/json")


def _told(summary: Path, found: LossFiles) -> dict[str, Any]:
    stated = json.loads(summary.read_bytes())
    by_site = pl.col("by") == "site"
    groups = ["scenario_id", "time_period"]
    largest = found.contributions.filter(by_site).group_by(groups, maintain_order=True).head(_SITES)
    return {
        "note": found.note,
        "storms_note": stated.get("storms_note"),
        "tails": []
        if found.note
        else [
            {name: row.get(name) for name in ("scenario", "time_period", "year_losses")} for row in stated["results"]
        ],
        "curve": found.curve.to_dicts(),
        "contributions": [*found.contributions.filter(~by_site).to_dicts(), *largest.to_dicts()],
        "storms": found.storms.head(_STORMS).to_dicts(),
    }
