"""Stored assessments of sites, read back: the assets at a coordinate, and the newest figures of one."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from engine.core.scenario import DEFAULT_SCENARIO

_SCALED: LiteralString = (
    "risk_type, scenario_id, time_period, base_aal, vulnerability_scale::float8, insurance_rate::float8, final_aal,"
    " 100 * final_aal AS final_aal_percentage, expected_loss, currency, calibrated, aal_capped, run_id, status, reason,"
    " is_default, calculated_at"
)


class Asset(NamedTuple):
    """One of the assets at a coordinate. site_uuid: ours; site_id: the caller's own id"""

    site_uuid: UUID
    site_id: str | None
    calculated_at: datetime


class Exposure(NamedTuple):
    """Stored exposure to one risk."""

    risk_type: str
    exposure_score: float | None
    proximity_factor: float | None
    normalized_asset_value: float | None
    status: str
    reason: str | None
    is_default: bool
    calculated_at: datetime


class Vulnerability(NamedTuple):
    """Stored vulnerability to one risk."""

    risk_type: str
    vulnerability_score: float | None
    vulnerability_level: str | None
    factors: Any
    status: str
    reason: str | None
    is_default: bool
    calculated_at: datetime


class ScaledAal(NamedTuple):
    """Stored AAL of one risk, scenario and period. AAL : ratios, but the one that says per cent"""

    risk_type: str
    scenario_id: int
    time_period: str
    base_aal: float | None
    vulnerability_scale: float | None
    insurance_rate: float | None
    final_aal: float | None
    final_aal_percentage: float | None
    expected_loss: int | None
    currency: str
    calibrated: bool | None
    aal_capped: bool | None
    run_id: int | None
    status: str
    reason: str | None
    is_default: bool
    calculated_at: datetime


class Stored(NamedTuple):
    """The newest figures of an asset, a row a risk."""

    exposure: list[Exposure]
    vulnerability: list[Vulnerability]
    aal_scaled: list[ScaledAal]


def assets(connection: psycopg.Connection, latitude: Decimal, longitude: Decimal) -> list[Asset]:
    """Assets at a coordinate of six decimals, the one that was assessed last first."""
    with connection.cursor(row_factory=class_row(Asset)) as cursor:
        return cursor.execute(
            "SELECT e.site_id AS site_uuid, a.given_id AS site_id, max(e.calculated_at) AS calculated_at"
            " FROM exposure_results e LEFT JOIN site_assets a USING (site_id)"
            " WHERE e.latitude = %s AND e.longitude = %s GROUP BY 1, 2 ORDER BY 3 DESC, 1",
            (latitude, longitude),
        ).fetchall()


def read(connection: psycopg.Connection, site: UUID) -> Stored:
    """The newest figures of an asset. Of several periods the newest counts, of those of one assessment `full` first."""
    with connection.cursor(row_factory=class_row(Exposure)) as exposed:
        exposure = exposed.execute(
            "SELECT risk_type, exposure_score, proximity_factor, normalized_asset_value, status, reason, is_default,"
            " calculated_at FROM exposure_results WHERE site_id = %s",
            (site,),
        ).fetchall()
    with connection.cursor(row_factory=class_row(Vulnerability)) as vulnerable:
        vulnerability = vulnerable.execute(
            "SELECT risk_type, vulnerability_score, vulnerability_level, factors, status, reason, is_default,"
            " calculated_at FROM vulnerability_results WHERE site_id = %s",
            (site,),
        ).fetchall()
    with connection.cursor(row_factory=class_row(ScaledAal)) as scaled:
        aal = scaled.execute(
            f"SELECT DISTINCT ON (risk_type) {_SCALED}"
            " FROM aal_scaled_results WHERE site_id = %s AND scenario_id = %s"
            " ORDER BY risk_type, calculated_at DESC, time_period",
            (site, int(DEFAULT_SCENARIO)),
        ).fetchall()
    return Stored(exposure, vulnerability, aal)


def scaled(connection: psycopg.Connection, site: UUID, risk: str, scenario: int, period: str) -> ScaledAal | None:
    """Stored AAL of an asset for one risk, scenario and period; None where it was not assessed for these."""
    with connection.cursor(row_factory=class_row(ScaledAal)) as cursor:
        return cursor.execute(
            f"SELECT {_SCALED} FROM aal_scaled_results"
            " WHERE site_id = %s AND risk_type = %s AND scenario_id = %s AND time_period = %s",
            (site, risk, scenario, period),
        ).fetchone()
