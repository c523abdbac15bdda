"""Assessments of a coordinate by date: what was said of it, and of which run."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from engine.io.sites import site_history
from engine.service import models
from engine.service.context import Shared
from engine.service.problems import InvalidError, fault

router = APIRouter(tags=["results"])


class Assessment(models.Made):
    """One assessment. The first scenario and period that its job shows; everything is in `results`."""

    request_id: UUID
    calculated_at: models.Stamp
    status: str = Field(examples=["success", "partial"])
    site_id: str | None = Field(description="the caller's own id")
    site_uuid: UUID | None
    risk_types: list[str]
    mean_risk_index: float | None
    risk_level: str | None
    total_expected_loss: int | None
    loss_note: str | None
    results: dict[str, Any] | None = Field(description="with details=true, as `/api/batch/{id}/status` has them")


class Assessments(BaseModel):
    """A page, the newest first. total: of all pages"""

    latitude: float
    longitude: float
    total: int
    limit: int
    offset: int
    assessments: list[Assessment]


@router.get("/api/v1/risk-assessment/history/{lat}/{lon}")
def read_history(
    context: Shared,
    lat: models.PathLatitude,
    lon: models.PathLongitude,
    first: Annotated[
        date | datetime | None,
        Query(alias="from", description="day, or moment (UTC where no zone is said)", examples=["2026-01-01"]),
    ] = None,
    last: Annotated[
        date | datetime | None,
        Query(alias="to", description="day, included, or moment, not included", examples=["2026-12-31"]),
    ] = None,
    site_id: Annotated[str | None, models.SiteId] = None,
    details: Annotated[bool, Query(description="with the whole results of each")] = False,
    limit: models.Limit = 20,
    offset: models.Offset = 0,
) -> Assessments:
    """Assessments of single sites at a coordinate, to six decimals, the newest first; each with what it is of. An empty
    list where there was none: rows of portfolios stand in the tables of their portfolio."""
    models.require_text(site_id)
    span = _moment(first, "from"), _moment(last, "to", after=True)
    if span[0] and span[1] and span[0] >= span[1]:
        raise InvalidError([fault(["query", "to"], "The time ends before it begins", str(last))])
    place = Decimal(f"{lat:.6f}"), Decimal(f"{lon:.6f}")
    with context.database() as connection:
        total, rows = site_history.page(connection, place, span, site_id, (limit, offset))
    return Assessments(
        latitude=float(place[0]),
        longitude=float(place[1]),
        total=total,
        limit=limit,
        offset=offset,
        assessments=[_told(row, details=details) for row in rows],
    )


def _moment(given: date | datetime | None, name: str, *, after: bool = False) -> datetime | None:
    """The moment of a day's start, or of its end; a moment stays what it is."""
    if given is None:
        return None
    try:
        if isinstance(given, datetime):
            return (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)
        return datetime.combine(given + timedelta(days=after), time(), UTC)
    except OverflowError:
        raise InvalidError([fault(["query", name], f"Invalid date: {given}", str(given))]) from None


def _told(row: site_history.Row, *, details: bool) -> Assessment:
    results: dict[str, Any] = row["results"]
    risk, aal = results.get("integrated_risk") or {}, results.get("aal") or {}
    return Assessment.model_validate(
        {
            "request_id": row["batch_id"],
            "calculated_at": row["completed_at"],
            # results of before the first run that was recorded have neither
            **{"scope": None, "scope_note": None, "runs": [], "site_id": None, "site_uuid": None},
            **{name: results[name] for name in _OF_RESULTS if name in results},
            **{name: risk.get(name) for name in ("mean_risk_index", "risk_level")},
            **{name: aal.get(name) for name in ("total_expected_loss", "loss_note")},
            "results": results if details else None,
        }
    )


_OF_RESULTS = ("status", "site_id", "site_uuid", "risk_types", "scope", "scope_note", "runs")
