"""Climate of one cell as series: every month or year of the axis has a place, missing ones are None."""

from __future__ import annotations

import math
from collections.abc import Sequence

import psycopg
from psycopg import sql

from engine.core.errors import SourceError
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES, Variable
from engine.io.climate import catalog
from engine.io.db import postgres

Series = dict[str, list[float | None]]
_HELD = """
SELECT c.relname, array_agg(a.attname)
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relname = ANY(%s) AND c.relkind IN ('r', 'p', 'm') AND pg_table_is_visible(c.oid) GROUP BY 1
"""
#: a month or year that has two rows has no value: either could be wrong
_QUERY = """
SELECT {step}, {values} FROM {table} WHERE grid_id = {cell} AND {time} BETWEEN {first} AND {last}
 GROUP BY {time} HAVING count(*) = 1
"""
_MONTH = "((extract(year FROM {time}) - {year}) * 12 + extract(month FROM {time}) - 1)::integer"


def loaded(connection: psycopg.Connection) -> dict[Variable, list[Scenario]]:
    """Variables whose tables there are, in order, and the scenarios that these have a column for."""
    with postgres.failures("looking for climate tables", SourceError):
        held: dict[str, list[str]] = dict(
            connection.execute(_HELD, ([each.table for each in VARIABLES.values()],)).fetchall()
        )
    return {
        each: [scenario for scenario in Scenario if scenario.column in held[each.table]]
        for each in VARIABLES.values()
        if each.table in held
    }


def scope(connection: psycopg.Connection) -> str:
    """Weakest scope of the published loads."""
    with postgres.failures("reading etl_load", SourceError):
        return catalog.weakest_scope(catalog.published(connection))


def read(
    connection: psycopg.Connection, cell: int, variable: Variable, scenarios: Sequence[Scenario], years: Years
) -> list[list[float | None]]:
    """Values of a variable, a list a scenario: 12 a year from January, or one a year.

    raises : SourceError
    """
    series: list[list[float | None]] = [[None] * (years.n * variable.steps) for _ in scenarios]
    if not scenarios:
        return series
    with postgres.failures(f"reading {variable.table}", SourceError):
        for place, *values in connection.execute(_statement(cell, variable, scenarios, years)):
            for one, value in zip(series, values, strict=True):
                one[place] = None if value is None or not math.isfinite(value) else float(f"{value:.7g}")
    return series


def _statement(cell: int, variable: Variable, scenarios: Sequence[Scenario], years: Years) -> sql.Composed:
    time = sql.Identifier(variable.time_column)
    ends: tuple[object, object] = (years.first, years.last)
    step = sql.SQL("({} - {})::integer").format(time, sql.Literal(years.first))
    if variable.monthly:
        ends = (f"{years.first:04d}-01-01", f"{years.last:04d}-12-31")
        step = sql.SQL(_MONTH).format(time=time, year=sql.Literal(years.first))
    values = [sql.SQL("max({}::float8)").format(sql.Identifier(scenario.column)) for scenario in scenarios]
    return sql.SQL(_QUERY).format(
        step=step,
        values=sql.SQL(", ").join(values),
        table=sql.Identifier(variable.table),
        cell=sql.Literal(cell),
        time=time,
        first=sql.Literal(ends[0]),
        last=sql.Literal(ends[1]),
    )
