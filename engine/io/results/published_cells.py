"""Published results of cells, in a few index look-ups each: whether there are any, and every figure of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray
from psycopg import sql
from psycopg.rows import dict_row

from engine.core import levels
from engine.core.errors import SourceError
from engine.core.period import FULL, WINDOWS
from engine.core.scenario import DEFAULT_SCENARIO
from engine.io.db import frames, postgres
from engine.io.results.published_figures import AAL, HAZARD, Figure, is_full

# a look-up a cell, until one partition has it; never a scan. Most cells are in the first table
_HELD: LiteralString = (
    "SELECT c.cell FROM unnest(%s::integer[]) AS c(cell) CROSS JOIN LATERAL"
    " (SELECT FROM {} t WHERE t.grid_id = c.cell{} LIMIT 1) AS held"
)
#: the columns that name a row of the whole axis as one of a window is named
_KEY_OF_FULL: LiteralString = f"t.grid_id, t.risk_type, {DEFAULT_SCENARIO:d} AS scenario_id, '{FULL}' AS time_period"
_KEY_OF_WINDOW: LiteralString = "t.grid_id, t.risk_type, t.scenario_id, t.time_period"
_OF_FULL: LiteralString = " WHERE t.grid_id = %(cell)s AND t.risk_type = ANY(%(risks)s)"
_OF_WINDOW: LiteralString = f"{_OF_FULL} AND t.scenario_id = %(scenario)s AND t.time_period = %(period)s"


def have_results(connection: psycopg.Connection, cells: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which of distinct cells have a score or bin probabilities, of any risk, scenario and period. cells: (k,)"""
    there = sql.SQL(" AND t.method <> 'insufficient_data'")
    held = np.zeros(len(cells), np.bool_)
    with postgres.failures(f"looking for results of {len(cells)} cells", SourceError):
        for table, condition in (
            (HAZARD.full, sql.SQL("")),
            (AAL.full, there),
            (HAZARD.windows, sql.SQL("")),
            (AAL.windows, there),
        ):
            left = cells[~held]
            if not len(left):
                break
            query = sql.SQL(_HELD).format(sql.Identifier(table), condition)
            found = [cell for (cell,) in connection.execute(query, (left.tolist(),)).fetchall()]
            held |= np.isin(cells, np.array(found, np.int32))
    return held


def short_records(connection: psycopg.Connection, cells: Sequence[int], risks: Sequence[str]) -> dict[str, int]:
    """Risk -> the most values that any of these cells has for it where they are too few for an AAL."""
    if not cells or not risks:
        return {}
    tables: LiteralString = " UNION ALL ".join(
        f"(SELECT risk_type, n_samples FROM {table} WHERE grid_id = ANY(%(cells)s) AND risk_type = ANY(%(risks)s)"
        " AND aal IS NULL AND method = 'insufficient_data')"
        for table in (AAL.full, AAL.windows)
    )
    query = f"SELECT risk_type, max(n_samples) FROM ({tables}) AS t WHERE n_samples IS NOT NULL GROUP BY 1"
    with postgres.failures("reading why there is no AAL", SourceError):
        found = connection.execute(query.encode(), {"cells": list(cells), "risks": list(risks)}).fetchall()
    return {str(risk): int(n) for risk, n in found}


def scores(
    connection: psycopg.Connection,
    figure: Figure,
    cells: pl.Series,
    risks: Sequence[str],
    pairs: Sequence[tuple[int, str]],
    more: Sequence[LiteralString] = (),
) -> pl.DataFrame:
    """A figure of distinct cells, for some risks and pairs of scenario and period.

    more    : further columns, of the same name in both tables
    returns : `grid_id`, `risk_type`, `scenario_id`, `time_period` the figure and those; what has no row is absent
    """
    schema: dict[str, pl.DataType] = {
        "grid_id": pl.Int32(),
        "risk_type": pl.String(),
        "scenario_id": pl.Int16(),
        "time_period": pl.String(),
        figure.name: pl.Float64(),
        **dict.fromkeys(more, pl.Float64()),
    }
    where: LiteralString = " JOIN unnest(%s::integer[]) AS c(cell) ON c.cell = t.grid_id WHERE t.risk_type = ANY(%s)"
    # a real is read as the decimal number that it prints: 0.035 and not 0.03500000014901161, or losses would show the
    # rest. (Not hazard_score_100: a score that was multiplied and divided may fall on the other side of a level's end)
    further: LiteralString = "".join(f", t.{name}::text::float8" for name in more)
    full = f"SELECT {_KEY_OF_FULL}, t.{figure.full_column}::text::float8{further} FROM {figure.full} t{where}"
    window = f"SELECT {_KEY_OF_WINDOW}, t.{figure.windows_column}::text::float8{further} FROM {figure.windows} t{where}"
    chosen: LiteralString = " AND (t.scenario_id, t.time_period) IN (SELECT * FROM unnest(%s::smallint[], %s::text[]))"
    ids, names = cells.to_list(), list(risks)
    windows = [(scenario, period) for scenario, period in pairs if period != FULL]
    parts = []
    with postgres.failures(f"reading {figure.name} of {len(ids)} cells", SourceError):
        if windows:
            wanted = [[scenario for scenario, _ in windows], [period for _, period in windows]]
            parts.append(frames.read(connection, window + chosen, [ids, names, *wanted], schema))
        if len(windows) < len(pairs):
            parts.append(frames.read(connection, full, [ids, names], schema))
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


class CellLoss(NamedTuple):
    """Bin probabilities and AAL of one cell and risk; aal: ratio, None where there were too few data (`method`)."""

    grid_id: int
    risk_type: str
    scenario_id: int
    time_period: str
    aal: float | None
    aal_se: float | None
    aal_low: float | None
    aal_high: float | None
    rates_low: float | None
    rates_high: float | None
    bin_data: list[dict[str, Any]] | None
    n_samples: int
    method: str
    calculated_at: datetime


class CellHazard(NamedTuple):
    """Hazard score, 0 to 1, of one cell and risk. percentile: among all cells, of a window of years only."""

    grid_id: int
    risk_type: str
    scenario_id: int
    time_period: str
    hazard_score: float
    hazard_score_100: float
    hazard_level: str
    percentile: float | None
    calculated_at: datetime


class CellWindow(NamedTuple):
    """Both figures of one cell and risk in a window of years, None for one that is not published."""

    risk_type: str
    scenario_id: int
    time_period: str
    aal: float | None
    aal_se: float | None
    aal_low: float | None
    aal_high: float | None
    rates_low: float | None
    rates_high: float | None
    change: float | None
    change_se: float | None
    significant: bool | None
    hazard_score: float | None
    percentile: float | None


def losses(
    connection: psycopg.Connection, cell: int, risks: Sequence[str], scenario: int, period: str
) -> dict[str, CellLoss]:
    """Bin probabilities and AAL of a cell by risk; a risk without results is absent."""
    query: LiteralString = (
        f"SELECT {_KEY_OF_WINDOW}, t.aal, t.aal_se, t.aal_low, t.aal_high, t.rates_low, t.rates_high,"
        " t.bin_probs, t.n_samples, t.method,"
        " t.computed_at AS calculated_at,"
        f" f.bin_data FROM {AAL.windows} t LEFT JOIN {AAL.full} f USING (grid_id, risk_type){_OF_WINDOW}"
    )
    if is_full(scenario, period):
        query = (
            f"SELECT {_KEY_OF_FULL}, t.aal, t.aal_se, t.aal_low, t.aal_high, t.rates_low, t.rates_high,"
            " t.bin_data, t.n_samples, t.method,"
            " t.calculated_at"
            f" FROM {AAL.full} t{_OF_FULL}"
        )
    found = _rows(connection, query, (cell, risks, scenario, period))
    return {row["risk_type"]: CellLoss(**_tidy(_with_bins(row))) for row in found}


def _with_bins(row: dict[str, Any]) -> dict[str, Any]:
    """Ranges and rates of a window are those of the whole axis: edges belong to the cell and its baseline."""
    if "bin_probs" not in row:
        return row
    shares, bins = row.pop("bin_probs"), row["bin_data"]
    if shares is None or bins is None or len(shares) != len(bins):
        return row | {"bin_data": None}
    pairs = zip(bins, shares, strict=True)
    digits = _digits(bins)
    return row | {"bin_data": [each | {"probability": round(share, digits)} for each, share in pairs]}


def _digits(bins: list[dict[str, Any]]) -> int:
    """Digits of the record of the whole axis: its edition has four, or eight for many or fitted bins."""
    return 4 if all(round(each["probability"], 4) == each["probability"] for each in bins) else 8


def hazards(
    connection: psycopg.Connection, cell: int, risks: Sequence[str], scenario: int, period: str
) -> dict[str, CellHazard]:
    """Hazard scores of a cell by risk; a risk without results is absent. The level is decided here for rows of either
    table, by the one rule, as it was decided when they were loaded."""
    query: LiteralString = (
        f"SELECT {_KEY_OF_WINDOW}, t.score::float8 AS hazard_score, t.score::float8 * 100 AS hazard_score_100,"
        f" t.percentile::float8 AS percentile, t.computed_at AS calculated_at FROM {HAZARD.windows} t{_OF_WINDOW}"
    )
    if is_full(scenario, period):
        query = (
            f"SELECT {_KEY_OF_FULL}, t.hazard_score, t.hazard_score_100, NULL::float8 AS percentile, t.calculated_at"
            f" FROM {HAZARD.full} t{_OF_FULL}"
        )
    found = _rows(connection, query, (cell, risks, scenario, period))
    return {
        row["risk_type"]: CellHazard(**_tidy(row), hazard_level=levels.HAZARD[levels.place(row["hazard_score"])])
        for row in found
    }


def windows(connection: psycopg.Connection, cell: int) -> list[CellWindow]:
    """Every window of years of a cell, by scenario and window."""
    query: LiteralString = (
        "SELECT risk_type, scenario_id, time_period, p.aal, p.aal_se, p.aal_low, p.aal_high, p.rates_low,"
        " p.rates_high, p.change, p.change_se, p.significant, h.score::float8 AS hazard_score,"
        " h.percentile::float8 AS percentile"
        f" FROM (SELECT * FROM {AAL.windows} WHERE grid_id = %(cell)s) p"
        f" FULL JOIN (SELECT * FROM {HAZARD.windows} WHERE grid_id = %(cell)s) h"
        " USING (grid_id, risk_type, scenario_id, time_period)"
        " ORDER BY scenario_id, array_position(%(windows)s::text[], time_period::text)"
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, {"cell": cell, "windows": list(WINDOWS)}).fetchall()
    return [CellWindow(**_tidy(row)) for row in rows]


def _rows(
    connection: psycopg.Connection, query: LiteralString, asked_for: tuple[int, Sequence[str], int, str]
) -> list[dict[str, Any]]:
    cell, risks, scenario, period = asked_for
    asked = {"cell": cell, "risks": list(risks), "scenario": scenario, "period": period}
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, asked).fetchall()


def _tidy(row: Mapping[str, Any]) -> dict[str, Any]:
    """A `real` as the number of its few digits: 0.0025, not the nearest double's 0.00249999994."""
    return {name: float(f"{value:.7g}") if isinstance(value, float) else value for name, value in row.items()}
