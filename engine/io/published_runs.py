"""Which runs made the published rows of cells, and what those rows are therefore figures of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from engine.errors import SourceError
from engine.io import postgres
from engine.reading import scope_note, weakest_scope

#: tables that name the run of each row; windows of years are of the run of the same cell and risk
PROBABILITY: LiteralString = "probability_results"
HAZARD: LiteralString = "hazard_results"
_ROWS: LiteralString = (
    "SELECT {cell} AS cell, t.risk_type, t.run_id FROM {table} t"
    " JOIN unnest(%(cells)s::integer[]) AS c(cell) ON c.cell = t.grid_id WHERE t.risk_type = ANY(%(risks)s)"
)


@dataclass(frozen=True, slots=True)
class RunsOfRows:
    """The runs of rows that were read.

    known : rows of `result_runs` by number
    rows  : (cell, number of a run, its risks there); the cell is 0 where cells are not told apart
    """

    known: Mapping[int, Mapping[str, Any]]
    rows: Sequence[tuple[int, int, Collection[str]]]

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
    query = f"SELECT cell, run_id, array_agg(DISTINCT risk_type) FROM ({' UNION '.join(parts)}) AS r GROUP BY 1, 2"
    with postgres.failures("reading the runs", SourceError):
        rows = connection.execute(query.encode(), {"cells": list(cells), "risks": list(risks)}).fetchall()
        with connection.cursor(row_factory=dict_row) as cursor:
            known = cursor.execute("SELECT run_id, edition, scope, baseline, published_at FROM result_runs").fetchall()
    for run in known:
        stamp = run["published_at"]
        run["published_at"] = stamp and stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return RunsOfRows({run["run_id"]: run for run in known}, rows)
