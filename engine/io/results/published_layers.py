"""Published figures of all cells at once: which layers there are, and the values of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString, NamedTuple

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray
from psycopg import sql
from psycopg.rows import class_row

from engine.core.errors import SourceError
from engine.core.names import RISK_NAMES
from engine.core.period import FULL, WINDOWS
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.io.db import frames, postgres
from engine.io.results.published_figures import AAL, FIGURES, HAZARD, Figure

_ROW = np.dtype([("grid_id", ">i4"), ("value", ">f4")])
# all cells as one value, half a million rows as such take the client longer than all the rest
_PACKED: LiteralString = (
    "SELECT string_agg(int4send(grid_id) || float4send(coalesce({column}::real, 'NaN')), ''::bytea) FROM {table}"
    " WHERE risk_type = %(risk)s"
)
# a value a column: in one query the server puts all of them in one order
_IDS: LiteralString = "string_agg(int4send(grid_id), ''::bytea)"
_COLUMN: LiteralString = "string_agg(float4send(coalesce({}, 'NaN')), ''::bytea)"
_OF_WINDOW: LiteralString = " AND scenario_id = %(scenario)s AND time_period = %(period)s"
# a row is looked for in each layer, one after the other: no table is read whole, however large
_WINDOWS: LiteralString = """
SELECT r.risk, p.period, s.scenario, a.held IS NOT NULL AS aal, h.held IS NOT NULL AS hazard,
       coalesce(c.changes, false) AS change, coalesce(c.ends, false) AS interval
  FROM unnest(%(risks)s::text[]) AS r(risk)
 CROSS JOIN unnest(%(windows)s::text[]) WITH ORDINALITY AS p(period, place)
 CROSS JOIN unnest(%(scenarios)s::int[]) AS s(scenario)
  LEFT JOIN LATERAL (SELECT 1 AS held FROM {aal} t WHERE t.risk_type = r.risk
                        AND t.scenario_id = s.scenario AND t.time_period = p.period LIMIT 1) a ON true
  LEFT JOIN LATERAL (SELECT 1 AS held FROM {hazard} t WHERE t.risk_type = r.risk
                        AND t.scenario_id = s.scenario AND t.time_period = p.period LIMIT 1) h ON true
  LEFT JOIN LATERAL (SELECT bool_or(change IS NOT NULL) AS changes, bool_or(aal_high IS NOT NULL) AS ends FROM
                      (SELECT change, aal_high FROM {aal} t WHERE t.risk_type = r.risk
                          AND t.scenario_id = s.scenario AND t.time_period = p.period LIMIT 200) AS few) c ON true
 ORDER BY p.place, s.scenario
"""
_FULL: LiteralString = """
SELECT r.risk, %(full)s::text AS period, %(default)s::int AS scenario, a.held IS NOT NULL AS aal,
       h.held IS NOT NULL AS hazard, false AS change, coalesce(c.ends, false) AS interval
  FROM unnest(%(risks)s::text[]) AS r(risk)
  LEFT JOIN LATERAL (SELECT 1 AS held FROM {aal} t WHERE t.risk_type = r.risk LIMIT 1) a ON true
  LEFT JOIN LATERAL (SELECT 1 AS held FROM {hazard} t WHERE t.risk_type = r.risk LIMIT 1) h ON true
  LEFT JOIN LATERAL (SELECT bool_or(aal_high IS NOT NULL) AS ends FROM
                      (SELECT aal_high FROM {aal} t WHERE t.risk_type = r.risk LIMIT 200) AS few) c ON true
"""


class Held(NamedTuple):
    """Whether anything is published for a risk, period and scenario: AAL, hazard scores, changes and intervals of the
    AAL."""

    risk: str
    period: str
    scenario: int
    aal: bool
    hazard: bool
    change: bool
    interval: bool


def held(connection: psycopg.Connection) -> list[Held]:
    """Every risk, period and scenario that may be published: the whole axis first, then windows in order."""
    asked = {
        "risks": list(RISK_NAMES),
        "windows": list(WINDOWS),
        "scenarios": [int(scenario) for scenario in Scenario],
        "full": FULL,
        "default": int(DEFAULT_SCENARIO),
    }
    full = sql.SQL(_FULL).format(aal=sql.Identifier(AAL.full), hazard=sql.Identifier(HAZARD.full))
    windows = sql.SQL(_WINDOWS).format(aal=sql.Identifier(AAL.windows), hazard=sql.Identifier(HAZARD.windows))
    with connection.cursor(row_factory=class_row(Held)) as cursor:
        return [row for query in (full, windows) for row in cursor.execute(query, asked).fetchall()]


def read(
    connection: psycopg.Connection, figure: Figure, risk: str, scenario: int, period: str
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """(cells,) numbers and values of a layer; NaN where there were too few data."""
    table, column = figure.place(scenario, period)
    query = _PACKED + (_OF_WINDOW if table == figure.windows else "")
    packed = connection.execute(
        sql.SQL(query).format(column=sql.Identifier(column), table=sql.Identifier(table)),
        {"risk": risk, "scenario": scenario, "period": period},
        binary=True,
    ).fetchone()
    rows = np.frombuffer(packed[0] if packed and packed[0] else b"", _ROW)
    return rows["grid_id"].astype(np.int32), rows["value"].astype(np.float32)


def losses(
    connection: psycopg.Connection, risk: str, scenario: int, period: str, names: Sequence[str]
) -> tuple[NDArray[np.int32], dict[str, NDArray[np.float32]]]:
    """(cells,) numbers and columns of the AAL of a layer; NaN: not known.

    names : columns of the table, such as `aal_se`; that of the whole axis has no changes
    """
    table, _ = AAL.place(scenario, period)
    parts = [sql.SQL(_IDS), *(sql.SQL(_COLUMN).format(sql.Identifier(name)) for name in names)]
    query = sql.SQL("SELECT {} FROM {} WHERE risk_type = %(risk)s").format(
        sql.SQL(", ").join(parts), sql.Identifier(table)
    )
    of_window = sql.SQL(_OF_WINDOW if table == AAL.windows else "")
    asked = {"risk": risk, "scenario": scenario, "period": period}
    [packed] = connection.execute(query + of_window, asked, binary=True).fetchall()
    ids, *figures = (each or b"" for each in packed)
    found = {name: np.frombuffer(each, ">f4").astype(np.float32) for name, each in zip(names, figures, strict=True)}
    return np.frombuffer(ids, ">i4").astype(np.int32), found


#: columns of a sheet that tell the run of a row
MADE = {"run_id": pl.Int32(), "edition": pl.String(), "scope": pl.String()}
#: columns of a sheet of the AAL, of its changes, and of hazard scores
_AAL_SHEET = {"grid_id": pl.Int32(), "aal": pl.Float32(), "aal_low": pl.Float32(), "aal_high": pl.Float32(),
              "n_samples": pl.Int16(), "method": pl.String(), **MADE}  # fmt: skip
_CHANGE_SHEET = {"grid_id": pl.Int32(), "aal": pl.Float32(), "change": pl.Float32(), "change_se": pl.Float32(), **MADE}
_HAZARD_SHEET = {"grid_id": pl.Int32(), "hazard_score": pl.Float32(), **MADE}


def sheet(connection: psycopg.Connection, quantity: str, risk: str, scenario: int, period: str) -> pl.DataFrame:
    """A row a cell of a layer, by number, with the run that made it: its figures as they are published, null where
    there were too few data; run, edition and scope are null where the run of a window is not told.

    quantity : aal (with its 90 % interval), change (of the AAL, with its standard error) or hazard
    raises   : SourceError while the results cannot be read
    """
    if quantity == "change" and period == FULL:
        return pl.DataFrame(schema=_CHANGE_SHEET)
    figure = HAZARD if quantity == "hazard" else AAL
    table, column = figure.place(scenario, period)
    columns: dict[str, tuple[LiteralString, dict[str, pl.DataType]]] = {
        "aal": ("t.aal, t.aal_low, t.aal_high, t.n_samples, t.method", _AAL_SHEET),
        "change": ("t.aal, t.change, t.change_se", _CHANGE_SHEET),
        "hazard": (f"t.{column}", _HAZARD_SHEET),
    }
    named, schema = columns[quantity]
    # a window is of the run of the same cell and risk over the whole axis
    query: LiteralString = (
        f"SELECT t.grid_id, {named}, f.run_id, r.edition, r.scope FROM {table} t"
        f" LEFT JOIN {figure.full} f ON f.grid_id = t.grid_id AND f.risk_type = t.risk_type"
        " LEFT JOIN result_runs r ON r.run_id = f.run_id WHERE t.risk_type = %s"
    )
    of_window: LiteralString = " AND t.scenario_id = %s AND t.time_period = %s" if table == figure.windows else ""
    asked = [risk, scenario, period] if of_window else [risk]
    with postgres.failures("reading a layer", SourceError):
        return frames.read(connection, query + of_window + " ORDER BY t.grid_id", asked, schema)


def periods(connection: psycopg.Connection, scenarios: Sequence[int]) -> list[str]:
    """Periods for which anything is published in any of these scenarios: windows of years first, `full` last."""
    window: LiteralString = (
        "SELECT w.period FROM unnest(%(windows)s::text[]) WITH ORDINALITY AS w(period, place) WHERE EXISTS (SELECT FROM"
        " {table} t WHERE t.time_period = w.period AND t.scenario_id = ANY(%(scenarios)s)) ORDER BY w.place"
    )
    told = {"windows": list(WINDOWS), "scenarios": list(scenarios)}
    found: set[str] = set()
    with postgres.failures("looking for the periods that are published", SourceError):
        for figure in FIGURES:
            query = sql.SQL(window).format(table=sql.Identifier(figure.windows))
            found |= {period for (period,) in connection.execute(query, told).fetchall()}
        whole = connection.execute(
            sql.SQL("SELECT EXISTS (SELECT FROM {}) OR EXISTS (SELECT FROM {})").format(
                sql.Identifier(HAZARD.full), sql.Identifier(AAL.full)
            )
        ).fetchone()
    full = [FULL] if whole and whole[0] and int(DEFAULT_SCENARIO) in scenarios else []
    return [*(period for period in WINDOWS if period in found), *full]
