"""Assessments of a coordinate as their jobs left them: the tables of sites hold the newest alone."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from engine.core.errors import SourceError
from engine.io.db import postgres

Row = dict[str, Any]
_WHERE: LiteralString = (
    "FROM batch_jobs WHERE job_type = 'ondemand_risk_calculation' AND status = 'completed'"
    " AND (results ->> 'latitude')::numeric = %(latitude)s AND (results ->> 'longitude')::numeric = %(longitude)s"
    " AND (%(first)s::timestamptz IS NULL OR completed_at >= %(first)s)"
    " AND (%(end)s::timestamptz IS NULL OR completed_at < %(end)s)"
    " AND (%(site)s::text IS NULL OR %(site)s IN (results ->> 'site_id', results ->> 'site_uuid'))"
)


def page(
    connection: psycopg.Connection,
    place: tuple[Decimal, Decimal],
    span: tuple[datetime | None, datetime | None],
    site: str | None,
    limits: tuple[int, int],
) -> tuple[int, list[Row]]:
    """(how many there are, some of them, the newest first): `batch_id`, `completed_at`, `results`.

    place  : latitude, longitude, to six decimals
    span   : from, and before
    site   : an asset's own id or UUID, None for all
    limits : how many, and how many to leave out
    """
    names = ("latitude", "longitude", "first", "end", "site", "limit", "offset")
    asked = dict(zip(names, (*place, *span, site, *limits), strict=True))
    order: LiteralString = " ORDER BY completed_at DESC, batch_id LIMIT %(limit)s OFFSET %(offset)s"
    with (
        postgres.failures("reading earlier assessments", SourceError),
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        [counted] = cursor.execute("SELECT count(*) AS n " + _WHERE, asked).fetchall()
        rows = cursor.execute("SELECT batch_id, completed_at, results " + _WHERE + order, asked).fetchall()
    return int(counted["n"]), rows
