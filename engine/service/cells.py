"""Published results of one cell."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from engine.assess.rules.cells import choose
from engine.core import levels
from engine.core.grid import GridDefinition
from engine.core.names import ALIASES, RISK_NAMES
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.io.results import published_cells

Row = dict[str, Any]
_FULL: LiteralString = """
SELECT grid_id, risk_type, 2 AS scenario_id, 'full' AS time_period,
       aal, aal_se, bin_data, n_samples, method, calculated_at
  FROM probability_results WHERE grid_id = %s AND risk_type = ANY(%s)
"""
_WINDOW: LiteralString = """
SELECT w.grid_id, w.risk_type, w.scenario_id, w.time_period, w.aal, w.aal_se, w.bin_probs, w.n_samples, w.method,
       w.computed_at AS calculated_at, f.bin_data
  FROM modelops_probability_scores w LEFT JOIN probability_results f USING (grid_id, risk_type)
 WHERE w.grid_id = %s AND w.risk_type = ANY(%s) AND w.scenario_id = %s AND w.time_period = %s
"""
_HAZARD: LiteralString = """
SELECT grid_id, risk_type, 2 AS scenario_id, 'full' AS time_period,
       hazard_score, hazard_score_100, calculated_at
  FROM hazard_results WHERE grid_id = %s AND risk_type = ANY(%s)
"""
_HAZARD_WINDOW: LiteralString = """
SELECT w.grid_id, w.risk_type, w.scenario_id, w.time_period, w.score::float8 AS hazard_score,
       w.score::float8 * 100 AS hazard_score_100, w.percentile::float8 AS percentile, w.computed_at AS calculated_at
  FROM modelops_hazard_scores w
 WHERE w.grid_id = %s AND w.risk_type = ANY(%s) AND w.scenario_id = %s AND w.time_period = %s
"""
_WINDOWS: LiteralString = """
SELECT risk_type, scenario_id, time_period, p.aal, p.aal_se, h.score::float8 AS hazard_score,
       h.percentile::float8 AS percentile
  FROM (SELECT * FROM modelops_probability_scores WHERE grid_id = %(cell)s) p
  FULL JOIN (SELECT * FROM modelops_hazard_scores WHERE grid_id = %(cell)s) h
       USING (grid_id, risk_type, scenario_id, time_period)
 ORDER BY scenario_id, array_position(ARRAY['short_term','mid_term','long_term'], time_period::text)
"""


def canonical(risk: str) -> str:
    """The name under which results are stored."""
    return ALIASES.get(risk, risk)


def _rows(connection: psycopg.Connection, query: LiteralString, values: Any) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values).fetchall()


def _single(value: object) -> object:
    """A `real` as the number of its few digits: 0.0025, not the nearest double's 0.00249999994."""
    return float(f"{value:.7g}") if isinstance(value, float) else value


def _tidy(row: Row) -> Row:
    return {name: _single(value) for name, value in row.items()}


def probability(
    connection: psycopg.Connection, cell: int, risks: list[str], scenario: int, period: str
) -> dict[str, Row]:
    """Bin probabilities and AAL by risk; a cell without results has none."""
    if (scenario, period) == (int(DEFAULT_SCENARIO), "full"):
        return {row["risk_type"]: _tidy(row) for row in _rows(connection, _FULL, (cell, risks))}
    found = _rows(connection, _WINDOW, (cell, risks, scenario, period))
    return {row["risk_type"]: _tidy(_with_bins(row)) for row in found}


def _with_bins(row: Row) -> Row:
    """Ranges and rates of a window are those of the whole axis: edges belong to the cell and its baseline."""
    shares, bins = row.pop("bin_probs"), row["bin_data"]
    if shares is None or bins is None or len(shares) != len(bins):
        return row | {"bin_data": None}
    pairs = zip(bins, shares, strict=True)
    return row | {"bin_data": [each | {"probability": round(share, 4)} for each, share in pairs]}


def hazard(connection: psycopg.Connection, cell: int, risks: list[str], scenario: int, period: str) -> dict[str, Row]:
    """Hazard scores by risk; a cell without results has none."""
    if (scenario, period) == (int(DEFAULT_SCENARIO), "full"):
        found = _rows(connection, _HAZARD, (cell, risks))
    else:
        found = _rows(connection, _HAZARD_WINDOW, (cell, risks, scenario, period))
    return {row["risk_type"]: _tidy(row | {"hazard_level": _level(row["hazard_score"])}) for row in found}


def _level(score: float) -> str:
    """Decided here for rows of either table, by the one rule, as it was decided when they were loaded."""
    return levels.HAZARD[levels.place(score)]


def at(connection: psycopg.Connection, grid: GridDefinition, latitude: float, longitude: float) -> Row | None:
    """The cell that speaks for a place, as for an assessed site: its centre, number, `cell_basis`, `cell_distance_m`;
    None where there is none within reach."""
    chosen = choose([latitude], [longitude], grid, lambda cells: published_cells.have_results(connection, cells))
    if not chosen.grid_id[0]:
        return None
    row, column = (int(each[0]) for each in grid.indices(chosen.grid_id))
    return {
        "latitude": float(grid.latitudes[row]),
        "longitude": float(grid.longitudes[column]),
        "grid_id": int(chosen.grid_id[0]),
        "cell_basis": "nearest" if chosen.nearest[0] else "own",
        "cell_distance_m": round(float(chosen.metres[0]), 1),
    }


def everything(connection: psycopg.Connection, cell: int) -> Row | None:
    """All results of a cell, None for a cell without any."""
    scenario, risks = int(DEFAULT_SCENARIO), [*RISK_NAMES]
    p, h = (read(connection, cell, risks, scenario, "full") for read in (probability, hazard))
    windows: dict[str, list[Row]] = defaultdict(list)
    for row in _rows(connection, _WINDOWS, {"cell": cell}):
        windows[row.pop("risk_type")].append(_tidy(row) | {"scenario": Scenario(row["scenario_id"]).code})
    held = [risk for risk in RISK_NAMES if risk in p or risk in h or risk in windows]
    if not held:
        return None
    found = {
        risk: {"probability": p.get(risk), "hazard": h.get(risk), "windows": windows.get(risk, [])} for risk in held
    }
    return {"grid_id": cell, "risks": found}
