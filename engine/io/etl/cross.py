"""Rules of the gate between two climate tables, asked of the database: the other table is published already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from engine.core.quality import WARNING, Finding
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES, Variable
from engine.io.etl.gate import share_findings


@dataclass(frozen=True, slots=True)
class Rule:
    """Rule between a value `n` of the staged table and `o` of the other, in words and in SQL."""

    other: str
    words: str
    holds: str
    annual_mean: bool = False
    warn: bool = False


#: the rule belongs to the variable that is loaded later, so that a new edition of both can come in
RULES: dict[str, tuple[Rule, ...]] = {
    "rx5day": (Rule("rx1day", "rx1day <= rx5day <= 5 * rx1day", "{o} <= {n} AND {n} <= 5 * {o}"),),
    "rain80": (Rule("rx1day", "rain80 = 0 where rx1day < 80", "NOT ({n} > 0 AND {o} < 80)", warn=True),),
    "ta_yearly": (
        Rule("ta", "ta_yearly = annual mean of ta within 0.1", "abs({n} - {o}) <= 0.1", annual_mean=True, warn=True),
    ),
    "tamax": (Rule("ta", "ta <= tamax", "{o} <= {n}"),),
    "tamin": (Rule("ta", "tamin <= ta", "{n} <= {o}"),),
}


def findings(
    connection: psycopg.Connection,
    variable: Variable,
    staged: Sequence[tuple[str, int, int]],
    scenarios: Sequence[Scenario],
) -> list[Finding]:
    """Ask every rule of a variable; a rule whose other table is not there is not asked.

    staged    : (name, first grid_id, grid_id behind the last) of the staged partitions, each joined with the same
                cells of the other table
    scenarios : columns that are loaded
    """
    found: list[Finding] = []
    for rule in RULES.get(variable.name, ()):
        other = VARIABLES[rule.other]
        exists = connection.execute("SELECT to_regclass(%s)", (other.table,)).fetchone()
        if exists is None or exists[0] is None:
            continue
        broken = total = 0
        for partition, lo, hi in staged:
            row = connection.execute(_query(rule, variable, other, partition, scenarios), (lo, hi)).fetchone()
            if row is not None:
                broken, total = broken + int(row[0]), total + int(row[1])
        refused = share_findings(variable.table, broken, total, rule.words)
        found += [Finding(WARNING, f.table, f.message, f.count) for f in refused] if rule.warn else refused
    return found


def _query(
    rule: Rule, variable: Variable, other: Variable, partition: str, scenarios: Sequence[Scenario]
) -> sql.Composed:
    broken, total, columns = [], [], []
    for column in (scenario.column for scenario in scenarios):
        holds = rule.holds.format(n=f"n.{column}", o=f"o.{column}")
        valid = f"n.{column} <> 'NaN' AND o.{column} <> 'NaN'"
        broken.append(f"count(*) FILTER (WHERE {valid} AND NOT ({holds}))")
        total.append(f"count(*) FILTER (WHERE {valid})")
        columns.append(f"avg({column}) AS {column}" if rule.annual_mean else column)
    key = "extract(year FROM observation_date)::smallint AS year" if rule.annual_mean else other.time_column
    text = (
        f"SELECT {' + '.join(broken)}, {' + '.join(total)} FROM {{}} n"
        f" JOIN (SELECT grid_id, {key}, {', '.join(columns)}"
        f" FROM {other.table} WHERE grid_id >= %s AND grid_id < %s {'GROUP BY 1, 2' if rule.annual_mean else ''}) o"
        f" USING (grid_id, {variable.time_column})"
    )
    return sql.SQL(text).format(sql.Identifier(partition))
