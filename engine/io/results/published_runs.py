"""Which runs made the published rows of cells, and what those rows are therefore figures of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import polars as pl
import psycopg
from psycopg.rows import dict_row

from engine.core.caveats import scope_note, weakest_scope
from engine.core.errors import SourceError
from engine.io.db import postgres

#: tables that name the run of each row; windows of years are of the run of the same cell and risk
PROBABILITY: LiteralString = "probability_results"
HAZARD: LiteralString = "hazard_results"
_ROWS: LiteralString = (
    "SELECT {cell} AS cell, t.risk_type, t.run_id, '{table}' = 'probability_results' AS of_loss FROM {table} t"
    " JOIN unnest(%(cells)s::integer[]) AS c(cell) ON c.cell = t.grid_id WHERE t.risk_type = ANY(%(risks)s)"
)


@dataclass(frozen=True, slots=True)
class RunsOfRows:
    """The runs of rows that were read.

    known : rows of `result_runs` by number
    rows  : (cell, number of a run, its risks there); the cell is 0 where cells are not told apart
    loss  : the same, of probability and AAL alone
    """

    known: Mapping[int, Mapping[str, Any]]
    rows: Sequence[tuple[int, int, Collection[str]]]
    loss: Sequence[tuple[int, int, Collection[str]]] = ()

    def of_loss(self, cells: pl.Series, risks: pl.Series) -> pl.Series:
        """Number of the run that made the base AAL of each cell and risk; null where it is not told, or where cells are
        not told apart and several made it."""
        made: dict[tuple[int, str], set[int]] = defaultdict(set)
        for cell, run, held in self.loss:
            for risk in held:
                made[cell, risk].add(run)
        table = pl.DataFrame(
            [(cell, risk, *runs) for (cell, risk), runs in made.items() if len(runs) == 1],
            schema={"cell": pl.Int32, "risk": pl.String, "run_id": pl.Int32},
            orient="row",
        )
        numbers = cells.cast(pl.Int32)
        if not any(cell for cell, _ in made):
            numbers = numbers * 0
        asked = pl.DataFrame({"cell": numbers, "risk": risks.cast(pl.String)})
        return asked.join(table, on=["cell", "risk"], how="left", maintain_order="left")["run_id"]

    def statement(self, cell: int = 0, risks: Collection[str] | None = None) -> dict[str, Any]:
        """What figures of a cell must carry: `scope` (the weakest of the runs), `scope_note` and `runs`, which is empty
        where the rows do not tell theirs; the scope is then the weakest of all that are published.

        risks : those in the figures; None: all that were read
        """
        asked = None if risks is None else set(risks)
        numbers = {run for at, run, held in self.rows if at == cell and (asked is None or asked & set(held))}
        made = [self.known[number] for number in sorted(numbers & self.known.keys())]
        # rows whose run is not told, as windows of a risk without the whole axis, are of one of those published
        possible = made or [run for run in self.known.values() if run["published_at"]]
        scope = weakest_scope(run["scope"] for run in possible) if possible else None
        return {"scope": scope, "scope_note": scope_note(scope), "runs": [dict(run) for run in made]}


def read(
    connection: psycopg.Connection,
    cells: Sequence[int],
    risks: Sequence[str],
    tables: Sequence[LiteralString] = (PROBABILITY, HAZARD),
    *,
    apart: bool = False,
) -> RunsOfRows:
    """The runs of published rows of cells and risks.

    tables : whose rows are asked for
    apart  : tell the cells apart; a portfolio may have hundreds of thousands
    """
    place: LiteralString = "t.grid_id" if apart else "0"
    parts = [_ROWS.format(cell=place, table=table) for table in tables]
    of_loss = "array_agg(DISTINCT risk_type) FILTER (WHERE of_loss)"
    query = (
        f"SELECT cell, run_id, array_agg(DISTINCT risk_type), coalesce({of_loss}, '{{}}')"
        f" FROM ({' UNION '.join(parts)}) AS r GROUP BY 1, 2"
    )
    with postgres.failures("reading the runs", SourceError):
        rows = connection.execute(query.encode(), {"cells": list(cells), "risks": list(risks)}).fetchall()
        known = _known(connection)
    return RunsOfRows(
        {run["run_id"]: run for run in known},
        [(cell, run, risks) for cell, run, risks, _ in rows],
        [(cell, run, risks) for cell, run, _, risks in rows],
    )


def of_numbers(connection: psycopg.Connection, numbers: Collection[int | None]) -> dict[str, Any]:
    """`RunsOfRows.statement` of rows that name their runs; a row that names none may be of any that is published."""
    with postgres.failures("reading the runs", SourceError):
        known = {run["run_id"]: run for run in _known(connection)}
    told = {number for number in numbers if number is not None and number in known}
    possible = told if told and None not in numbers else told | {n for n, run in known.items() if run["published_at"]}
    runs = RunsOfRows(known, [(0, number, ("",)) for number in possible])
    return runs.statement() | {"runs": [known[number] for number in sorted(told)]}


def _known(connection: psycopg.Connection) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        known = cursor.execute("SELECT run_id, edition, scope, baseline, published_at FROM result_runs").fetchall()
    for run in known:
        stamp = run["published_at"]
        run["published_at"] = stamp and stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return known
