"""Rows of `result_runs`: every run, the newest, and which runs made the published rows of cells, so what those are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

import polars as pl
import psycopg
from psycopg.rows import class_row, dict_row

from engine.core.caveats import on_own_years, scope_note, weakest_scope
from engine.core.errors import SourceError
from engine.io.db import postgres
from engine.io.results.published import Run
from engine.io.results.published_figures import AAL, FIGURES, Figure

_COLUMNS: LiteralString = (
    "run_id, job_type, scope, edition, edition_checksum, edition_checksums, source_fingerprint, baseline, summary,"
    " started_at, published_at"
)
# tables of the whole axis name the run of each row; windows of years are of the run of the same cell and risk
_ROWS: LiteralString = (
    "SELECT {cell} AS cell, t.risk_type, t.run_id, {of_loss} AS of_loss FROM {table} t"
    "{which} t.risk_type = ANY(%(risks)s)"
)
_OF_CELLS: LiteralString = " JOIN unnest(%(cells)s::integer[]) AS c(cell) ON c.cell = t.grid_id WHERE"
#: the most frequent case; PostgreSQL keeps the plan of an equality, and plans a list of unknown length each time
_OF_CELL: LiteralString = " WHERE t.grid_id = %(cell)s AND"


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
    figures: Sequence[Figure] = FIGURES,
    *,
    apart: bool = False,
) -> RunsOfRows:
    """The runs of published rows of cells and risks.

    figures : whose rows are asked for
    apart   : tell the cells apart; a portfolio may have hundreds of thousands
    """
    place: LiteralString = "t.grid_id" if apart else "0"
    which = _OF_CELL if len(cells) == 1 else _OF_CELLS
    parts = [_ROWS.format(cell=place, table=each.full, of_loss=each is AAL, which=which) for each in figures]
    of_loss = "array_agg(DISTINCT risk_type) FILTER (WHERE of_loss)"
    query = (
        f"SELECT cell, run_id, array_agg(DISTINCT risk_type), coalesce({of_loss}, '{{}}')"
        f" FROM ({' UNION '.join(parts)}) AS r GROUP BY 1, 2"
    )
    with postgres.failures("reading the runs", SourceError):
        asked = {"risks": list(risks)} | ({"cell": cells[0]} if len(cells) == 1 else {"cells": list(cells)})
        rows = connection.execute(query.encode(), asked).fetchall()
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
        known = cursor.execute(
            "SELECT run_id, edition, scope, baseline, published_at FROM result_runs WHERE job_type <> 'ensemble'"
        ).fetchall()
    for run in known:
        stamp = run["published_at"]
        run["published_at"] = stamp and stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return known


def every(connection: psycopg.Connection) -> dict[int, Run]:
    """All runs by number; times as text in UTC."""
    with postgres.failures("reading the runs", SourceError), connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(f"SELECT {_COLUMNS} FROM result_runs ORDER BY run_id".encode()).fetchall()
    for row in rows:
        for name in ("started_at", "published_at"):
            row[name] = row[name] and row[name].isoformat(timespec="seconds").replace("+00:00", "Z")
    return {row["run_id"]: row for row in rows}


class Publication(NamedTuple):
    """A run and when it was switched in."""

    run_id: int
    published_at: datetime


def newest(connection: psycopg.Connection) -> Publication | None:
    """The run that was published last, an ensemble or another; None before the first."""
    with connection.cursor(row_factory=class_row(Publication)) as cursor:
        return cursor.execute(
            "SELECT run_id, published_at FROM result_runs WHERE published_at IS NOT NULL"
            " ORDER BY published_at DESC LIMIT 1"
        ).fetchone()


class NewestOfKind(NamedTuple):
    """The run of whose kind the rows are that are read now. published : seconds since 1970"""

    kind: str
    run_id: str
    edition: str
    scope: str
    published: float


def newest_of_kinds(connection: psycopg.Connection) -> list[NewestOfKind]:
    """The newest published run with probabilities, and that with hazard scores; a yearly run has both."""
    with connection.cursor(row_factory=class_row(NewestOfKind)) as cursor:
        return cursor.execute(
            "SELECT kind, run_id::text, edition, scope, extract(epoch FROM published_at)::float AS published"
            " FROM unnest(ARRAY['probability', 'hazard']) AS kind CROSS JOIN LATERAL ("
            " SELECT * FROM result_runs WHERE published_at IS NOT NULL AND job_type IN (kind, 'yearly')"
            " ORDER BY published_at DESC LIMIT 1) AS run"
        ).fetchall()


def stage_seconds(connection: psycopg.Connection) -> list[tuple[str, str, float]]:
    """(job type, stage, seconds) of the last published run of each type."""
    return connection.execute(
        "SELECT job_type, stage, seconds::float FROM ("
        " SELECT DISTINCT ON (job_type) job_type, summary FROM result_runs WHERE published_at IS NOT NULL"
        " ORDER BY job_type, published_at DESC) AS run,"
        " jsonb_each_text(run.summary -> 'stage_seconds') AS s(stage, seconds)"
    ).fetchall()


class PublishedRisk(NamedTuple):
    """What the run whose rows are published for a risk says of it.

    calibrated : its edition calls the damage rates calibrated on losses
    of_past    : its bins are cut at quantiles of the cells' own baselines, at least in some cells, and not those of the
                 years that are counted (`on_own_years`)
    priced     : its edition gives the risk damage rates
    level_cuts_pct : lower ends of the AAL levels, per cent; None: its edition states none
    intensity : name of the intensity that its edition bins; None: the run does not tell
    level     : recorded losses that the rates are calibrated on
    factor    : factor on all rates: value, low, high, source
    trend     : line that its years follow: the AAL of a window is that of its middle year; None: none
    observed  : its years are of a record of stations
    on_own_years : an observed record whose quantile edges are those of the years that are counted
    baseline : years that quantile edges stand on, as the run states them
    """

    calibrated: bool
    of_past: bool
    priced: bool = True
    level_cuts_pct: tuple[float, ...] | None = None
    intensity: str | None = None
    level: str | None = None
    factor: Mapping[str, Any] | None = None
    trend: str | None = None
    observed: bool = False
    on_own_years: bool = False
    baseline: str = ""

    def damage_rates(self) -> dict[str, Any]:
        """Fields that tell what the damage rates stand on."""
        return {name: getattr(self, name) for name in ("priced", "calibrated", "level", "factor")}


def published_risks(connection: psycopg.Connection) -> dict[str, PublishedRisk]:
    """By risk, for a risk without rows of the whole axis from the newest run; without risks that no run describes."""
    query: LiteralString = (
        "SELECT t.risk_type, coalesce(e ->> 'calibrated' = 'true', false),"
        " e ->> 'fallback_edges' IS NOT NULL AND e ->> 'fallback_edges' IS DISTINCT FROM e ->> 'done',"
        " e ->> 'priced' IS DISTINCT FROM 'false', r.summary -> 'aal_level_cuts_pct', e ->> 'intensity',"
        " e ->> 'level', e -> 'factor', e ->> 'trend', r.scope, r.baseline,"
        " r.summary -> 'periods' -> 'full'"
        " FROM risk_types t JOIN result_runs r ON r.run_id = coalesce("
        f" (SELECT p.run_id FROM {AAL.full} p WHERE p.risk_type = t.risk_type LIMIT 1),"
        " (SELECT max(run_id) FROM result_runs WHERE published_at IS NOT NULL AND job_type <> 'ensemble'))"
        " CROSS JOIN LATERAL jsonb_path_query(r.summary, '$.risks[*]') AS e WHERE e ->> 'risk' = t.risk_type"
    )
    with postgres.failures("reading what is published", SourceError):
        rows = connection.execute(query).fetchall()
    found = {}
    for risk, calibrated, of_past, priced, cuts, *more, scope, baseline, years in rows:
        same = of_past and on_own_years(scope, baseline, tuple(years) if years else None)
        cut = tuple(cuts) if cuts else None
        told = PublishedRisk(calibrated, of_past and not same, priced, cut, *more)
        found[risk] = told._replace(observed=scope == "observed", on_own_years=same, baseline=baseline)
    return found


def not_priced(connection: psycopg.Connection) -> frozenset[str]:
    """Risks without damage rates in the edition of the newest run, those among them that it did not compute."""
    query: LiteralString = (
        "SELECT jsonb_array_elements_text(summary -> 'not_priced') FROM result_runs WHERE run_id ="
        " (SELECT max(run_id) FROM result_runs WHERE published_at IS NOT NULL AND job_type <> 'ensemble')"
    )
    with postgres.failures("reading what is published", SourceError):
        return frozenset(risk for (risk,) in connection.execute(query).fetchall())
