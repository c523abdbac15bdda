"""What is published for cells, in a few index look-ups each: whether there is anything, and what its run says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString, NamedTuple

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from engine.core.errors import SourceError
from engine.core.period import FULL, WINDOWS
from engine.core.scenario import DEFAULT_SCENARIO
from engine.io.db import postgres

# a look-up a cell, until one partition has it; never a scan. Most cells are in the first table
_HELD: tuple[LiteralString, ...] = tuple(
    "SELECT c.cell FROM unnest(%s::integer[]) AS c(cell) CROSS JOIN LATERAL"
    f" (SELECT FROM {table} t WHERE t.grid_id = c.cell{condition} LIMIT 1) AS held"
    for table, condition in (
        ("hazard_results", ""),
        ("probability_results", " AND t.aal IS NOT NULL"),
        ("modelops_hazard_scores", ""),
        ("modelops_probability_scores", " AND t.aal IS NOT NULL"),
    )
)


def have_results(connection: psycopg.Connection, cells: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which of distinct cells have a hazard score or an AAL, of any risk, scenario and period. cells: (k,)"""
    held = np.zeros(len(cells), np.bool_)
    with postgres.failures(f"looking for results of {len(cells)} cells", SourceError):
        for query in _HELD:
            left = cells[~held]
            if not len(left):
                break
            found = [cell for (cell,) in connection.execute(query, (left.tolist(),)).fetchall()]
            held |= np.isin(cells, np.array(found, np.int32))
    return held


def periods(connection: psycopg.Connection, scenarios: Sequence[int]) -> list[str]:
    """Periods for which anything is published in any of these scenarios: windows of years first, `full` last."""
    window: LiteralString = (
        "SELECT w.period FROM unnest(%(windows)s::text[]) WITH ORDINALITY AS w(period, place) WHERE EXISTS (SELECT FROM"
        " {table} t WHERE t.time_period = w.period AND t.scenario_id = ANY(%(scenarios)s)) ORDER BY w.place"
    )
    told = {"windows": list(WINDOWS), "scenarios": list(scenarios)}
    found: set[str] = set()
    with postgres.failures("looking for the periods that are published", SourceError):
        for table in ("modelops_hazard_scores", "modelops_probability_scores"):
            query = sql.SQL(window).format(table=sql.Identifier(table))
            found |= {period for (period,) in connection.execute(query, told).fetchall()}
        whole = connection.execute(
            "SELECT EXISTS (SELECT FROM hazard_results) OR EXISTS (SELECT FROM probability_results)"
        ).fetchone()
    full = [FULL] if whole and whole[0] and int(DEFAULT_SCENARIO) in scenarios else []
    return [*(period for period in WINDOWS if period in found), *full]


def short_records(connection: psycopg.Connection, cells: Sequence[int], risks: Sequence[str]) -> dict[str, int]:
    """Risk -> the most values that any of these cells has for it where they are too few for an AAL."""
    if not cells or not risks:
        return {}
    tables: LiteralString = " UNION ALL ".join(
        f"(SELECT risk_type, n_samples FROM {table} WHERE grid_id = ANY(%(cells)s) AND risk_type = ANY(%(risks)s)"
        " AND aal IS NULL AND method = 'insufficient_data')"
        for table in ("probability_results", "modelops_probability_scores")
    )
    query = f"SELECT risk_type, max(n_samples) FROM ({tables}) AS t WHERE n_samples IS NOT NULL GROUP BY 1"
    with postgres.failures("reading why there is no AAL", SourceError):
        found = connection.execute(query.encode(), {"cells": list(cells), "risks": list(risks)}).fetchall()
    return {str(risk): int(n) for risk, n in found}


class PublishedRisk(NamedTuple):
    """What the run whose rows are published for a risk says of it.

    calibrated : its edition calls the damage rates calibrated on losses
    of_past    : its bins are cut at quantiles of the cells' own baselines, at least in some cells
    """

    calibrated: bool
    of_past: bool


def published_risks(connection: psycopg.Connection) -> dict[str, PublishedRisk]:
    """By risk, for a risk without rows of the whole axis from the newest run; without risks that no run describes."""
    query: LiteralString = (
        "SELECT t.risk_type, coalesce(e ->> 'calibrated' = 'true', false),"
        " e ->> 'fallback_edges' IS NOT NULL AND e ->> 'fallback_edges' IS DISTINCT FROM e ->> 'done'"
        " FROM risk_types t JOIN result_runs r ON r.run_id = coalesce("
        " (SELECT p.run_id FROM probability_results p WHERE p.risk_type = t.risk_type LIMIT 1),"
        " (SELECT max(run_id) FROM result_runs WHERE published_at IS NOT NULL))"
        " CROSS JOIN LATERAL jsonb_path_query(r.summary, '$.risks[*]') AS e WHERE e ->> 'risk' = t.risk_type"
    )
    with postgres.failures("reading what is published", SourceError):
        return {risk: PublishedRisk(*told) for risk, *told in connection.execute(query).fetchall()}
